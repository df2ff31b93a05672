"""Sorting by two columns, against pandas on the same table; the keys, the command line and its link."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from catalogs import at, place, sing
from click.testing import CliRunner
from driving import drawn, lines, press, status, wish

from sing_compute.store import Column, Store, Table
from sing_compute.store.columns import Values
from sing_compute.store.definition import TableSpec
from sing_compute.store.place import Place
from sing_tui.app import Explorer
from sing_tui.cli import main
from sing_tui.filters import matches
from sing_tui.link import arrangement_of, start_of
from sing_tui.opening import session_of
from sing_tui.session.arranging import arrangement, reverse_sort, sort_also_by, sort_by
from sing_tui.session.state import Arrangement
from sing_tui.start import Start
from sing_tui.store_catalog import StoreCatalog
from sing_tui.view import arrange


@pytest.fixture(scope="module")
def table() -> Table:
    """A table with many ties and missing numbers in each column."""
    rng = np.random.default_rng(1)
    single = rng.integers(-3, 3, 400).astype(np.float32)
    single[::7] = np.nan
    double = rng.integers(-3, 3, 400).astype(np.float64)
    double[::5] = np.nan
    names = np.array(["cat", "dog", "owl"], dtype=object)
    columns = [
        Column("class", "class", "text", "", Values(rng.integers(0, 3, 400), names=names), role="text"),
        Column("single", "single", "1", "", Values(single)),
        Column("double", "double", "1", "", Values(double)),
        Column("number", "number", "count", "", Values(rng.integers(0, 4, 400))),
    ]
    return Table(TableSpec("images", "image", (), "class", ()), columns, 400)


@pytest.mark.parametrize("text", ["", "double > -2 or class = cat"])
@pytest.mark.parametrize("directions", [(False, False), (False, True), (True, False), (True, True)])
@pytest.mark.parametrize(
    "by", [("class", "single"), ("single", "double"), ("double", "number"), ("number", "class"), ("single", "class")]
)
def test_the_order_is_that_of_pandas(
    table: Table, by: tuple[str, str], directions: tuple[bool, bool], text: str
) -> None:
    frame = pd.DataFrame({column.name: column.values.all() for column in table.columns})[matches(table, text)]
    keys = frame.copy()
    for name, descending in zip(by, directions, strict=True):
        if name == "class":
            keys[name] = keys[name].astype("category").cat.codes
        keys[name] = -keys[name].astype(np.float64) if descending else keys[name].astype(np.float64)
    expected = keys.sort_values(list(by), kind="stable", na_position="last").index
    wanted = Arrangement(text, by[0], directions[0], by[1], directions[1])
    view = arrange(table, wanted)
    assert view.arrangement == wanted
    np.testing.assert_array_equal(view.order, expected)


def test_a_second_column_that_the_table_lacks_is_dropped(table: Table) -> None:
    assert arrange(table, Arrangement("", "single", True, "gone", True)).arrangement == Arrangement("", "single", True)
    assert arrange(table, Arrangement("", "", False, "single", True)).arrangement == Arrangement()


def test_the_keys_add_a_column_turn_it_and_drop_it() -> None:
    catalog = sing()
    session = at(catalog, place("images", model="alpha"))
    first = sort_by(session, catalog, "class", is_text=True)
    both = sort_also_by(first, catalog, "is", is_text=False)
    assert arrangement(both, catalog) == Arrangement("", "class", False, "is", True)
    assert arrangement(sort_also_by(both, catalog, "is", is_text=False), catalog).then_descending is False
    assert arrangement(reverse_sort(both, catalog), catalog) == Arrangement("", "class", True, "is", False)
    assert arrangement(sort_by(both, catalog, "class", is_text=True), catalog) == Arrangement(
        "", "class", True, "is", True
    )
    assert arrangement(sort_by(both, catalog, "as", is_text=False), catalog) == Arrangement("", "as", True)
    same = sort_also_by(first, catalog, "class", is_text=True)
    assert arrangement(same, catalog) == Arrangement("", "class", True)  # the first column is turned, as by s


@pytest.mark.parametrize("first", ["class", "image_score"])
@pytest.mark.parametrize("directions", [(False, False), (False, True), (True, False), (True, True)])
def test_the_link_of_a_sort_by_two_columns_comes_back(
    store_path: Path, first: str, directions: tuple[bool, bool]
) -> None:
    with Store(store_path) as store:
        catalog = StoreCatalog(store)
        session = session_of(catalog, Start(wish("images", model="alpha")))
        table = catalog.open(Place("images").at(model="alpha"))
        wanted = Arrangement("", first, directions[0], "confidence", directions[1])
        start = start_of(catalog, session, arrange(table, wanted))
        assert arrangement_of(table, start, Arrangement()) == wanted


def test_the_command_line_sorts_by_two_columns(store_path: Path) -> None:
    command = [str(store_path), "--table", "images", "--model", "alpha", "--columns", "class,image_score", "--csv", "-"]
    done = CliRunner().invoke(main, [*command, "--sort", "class,-is"])
    rows = [line.split(",") for line in done.stdout.splitlines()[1:]]
    found = [(name, float(score)) for name, score in rows]
    assert found == sorted(found)
    for sort, message in (
        ("class,is,as", "--sort takes one or two columns, not 3"),
        ("class,clas", "no column 'clas'"),
        ("is,is", "--sort names image_score twice"),
    ):
        done = CliRunner().invoke(main, [*command, "--sort", sort])
        assert done.exit_code == 2
        assert message in done.stderr


async def test_plus_sorts_also_by_the_column_under_the_cursor_and_the_screen_says_so(store_path: Path) -> None:
    app = Explorer(store_path, Start(wish("images", model="alpha"), sort="class"))
    async with app.run_test(size=(100, 24)) as pilot:
        await drawn(app)
        while app.page.table.columns[app.page.table.column].name != "image_score":
            await press(pilot, "right")
        await press(pilot, "+")
        await drawn(app)
        assert "sort class ▲, then IS ▼" in status(app)
        assert "▼IS" in lines(app)[1]
        assert "class▲" in lines(app)[1]
