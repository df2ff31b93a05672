"""Counts of rows by columns, against pandas on the same table; the filter behind each count keeps exactly its rows."""

import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from catalogs import at, place, sing
from click.testing import CliRunner
from driving import drawn, lines, place_line, press, status, wish

from sing_compute.errors import SingError
from sing_compute.store import Column, Store, Table
from sing_compute.store.columns import Values
from sing_compute.store.definition import TableSpec
from sing_compute.store.place import Place
from sing_tui.app import Explorer
from sing_tui.cli import main
from sing_tui.counting import count
from sing_tui.filters import matches
from sing_tui.link import command, start_of
from sing_tui.opening import session_of
from sing_tui.screens.steps import STEPS, Surroundings
from sing_tui.session import Refused
from sing_tui.session.arranging import filter_by
from sing_tui.session.counted import Counted, counted
from sing_tui.session.counting import count_by, open_counted
from sing_tui.session.moves import back
from sing_tui.session.names import breadcrumbs, file_parts
from sing_tui.session.state import at_cursor, rows_kind
from sing_tui.start import Start
from sing_tui.store_catalog import StoreCatalog
from sing_tui.view import arrange

NAMES = ["cat", "Cat", "CAT", "dog", "dog", 'say "hi"', "a(b|c)*", " blanks ", "and", "class", "ネコ", "é"]
"""Two names that are the same, some that differ in capitals alone, and some with signs of the filter language."""
ROWS = 700


@pytest.fixture(scope="module")
def table() -> Table:
    """A table with missing names and numbers, infinite numbers, and many ties."""
    rng = np.random.default_rng(0)
    score = rng.normal(0, 9, ROWS).astype(np.float32)
    score[::50], score[1], score[2] = np.nan, np.inf, -np.inf
    share = rng.random(ROWS).round(2).astype(np.float32)
    few = rng.integers(0, 3, ROWS).astype(np.float32) / 2
    few[::9] = np.nan
    names = np.array(NAMES, dtype=object)
    columns = [
        Column("key", "key", "text", "", Values(np.array([f"images/{k % 5}" for k in range(ROWS)])), role="label"),
        Column("class", "class", "text", "", Values(rng.integers(-1, len(NAMES), ROWS), names=names), role="text"),
        Column("prediction", "prediction", "text", "", Values(rng.integers(0, len(NAMES), ROWS), names=names), role="text"),
        Column("image_score", "IS", "degree", "", Values(score), format="degrees"),
        Column("confidence", "confidence", "1", "", Values(share), format="percent", role="share"),
        Column("few", "few", "1", "", Values(few)),
        Column("number", "number", "count", "", Values(rng.integers(-40, 400, ROWS)), format="count", role="count"),
    ]  # fmt: skip
    return Table(TableSpec("images", "image", (), "key", ()), columns, ROWS)


@pytest.fixture(scope="module")
def frame(table: Table) -> pd.DataFrame:
    return pd.DataFrame({column.name: column.values.all() for column in table.columns})


@pytest.mark.parametrize("text", ["", "is > 3", "dog", "class != prediction and not confidence > 50%", "is > 1e9"])
@pytest.mark.parametrize(
    "by", [("class",), ("class", "prediction"), ("key",), ("few",), ("few", "class"), ("class", "prediction", "few")]
)
def test_counts_shares_and_means_are_those_of_pandas(
    table: Table, frame: pd.DataFrame, by: tuple[str, ...], text: str
) -> None:
    found = count(table, text, by).table
    kept = frame[matches(table, text)].fillna({"few": -1.0})
    groups = kept.groupby(list(by), dropna=False)
    sizes = groups.size()
    got = pd.DataFrame({column.name: column.values.all() for column in found.columns})
    got = got.fillna(dict.fromkeys({"few"} & set(by), -1.0)).set_index(list(by))
    assert len(got) == len(sizes)
    assert got["count"].sum() == len(kept)
    got = got.reindex(sizes.index)
    np.testing.assert_array_equal(got["count"], sizes)
    np.testing.assert_allclose(got["share"], sizes / max(1, len(kept)))
    for name in ("image_score", "confidence", "number"):
        with np.errstate(all="ignore"):
            mean = groups[name].apply(lambda cells: cells.astype(np.float64).mean())
        np.testing.assert_allclose(got[f"mean_{name}"], mean.astype(np.float64), rtol=1e-12)


@pytest.mark.parametrize("text", ["", "is > 3", "dog", "class = cat or few > 0.5"])
@pytest.mark.parametrize(
    "by", [("class",), ("prediction", "few"), ("image_score",), ("is/7", "class"), ("confidence/10%",), ("number",), ("key",)]
)  # fmt: skip
def test_the_filter_behind_each_count_keeps_exactly_its_rows(table: Table, by: tuple[str, ...], text: str) -> None:
    found = count(table, text, by)
    sizes = found.table.column("count").values.all()
    every = np.zeros(ROWS, dtype=int)
    for row in range(found.table.length):
        mask = matches(table, found.condition(row))
        assert mask.sum() == sizes[row], found.condition(row)
        every += mask
    np.testing.assert_array_equal(every, matches(table, text))


def test_bins_of_a_number_begin_at_multiples_of_their_width(table: Table, frame: pd.DataFrame) -> None:
    found = count(table, "is > -1e9 and is < 1e9", ("is/7",)).table
    lower, upper = (found.column(f"image_score_{end}").values.all() for end in ("from", "to"))
    np.testing.assert_array_equal(upper - lower, 7)
    finite = frame["image_score"][np.isfinite(frame["image_score"])]
    expected = (np.floor(finite / 7) * 7).value_counts().sort_index()
    np.testing.assert_array_equal(lower, expected.index)
    np.testing.assert_array_equal(found.column("count").values.all(), expected)
    shares = count(table, "", ("confidence/10%",)).table.column("confidence_from").values.all()
    np.testing.assert_allclose(shares, np.arange(len(shares)) / 10)


@pytest.mark.parametrize(
    ("by", "message"),
    [
        (("clas",), r"no column 'clas' \(is class meant\?\); there are: key, class, prediction, image_score"),
        (("class", "Class"), "class is named twice"),
        (("class/5",), "class is text: only numbers have bins, as in image_score/5"),
        (("is/0",), "a width above 0"),
        (("is/10%",), "image_score is no share"),
        (("confidence/10",), "write confidence/10% for bins of 10%"),
        (("is/0.0001",), "image_score/0.0001 makes more than 10,000 bins"),
        ((), "name one or more columns, with commas between them: key, class"),
    ],
)
def test_columns_that_cannot_be_counted_by_are_named(table: Table, by: tuple[str, ...], message: str) -> None:
    with pytest.raises(SingError, match=message):
        count(table, "", by)


# the session


def test_counts_open_above_their_table_and_their_rows_above_them() -> None:
    catalog, images = sing(), place("images", model="alpha")
    session = filter_by(at(catalog, images), catalog, "is > 3")
    counts = count_by(session, catalog, ("class", "prediction"))
    assert counts.place == counted(images, "is > 3", ("class", "prediction"))
    assert breadcrumbs(catalog, counts.place) == ["alpha", "all images with is > 3, counted by class, prediction"]
    assert file_parts(catalog, counts.place) == ["alpha", "images", "by", "class", "prediction"]
    assert rows_kind(counts.place) != rows_kind(counted(images, "", ("class",)))
    with pytest.raises(Refused, match="these rows are counts: Esc goes back"):
        count_by(counts, catalog, ("count",))
    with pytest.raises(Refused, match="these rows are no counts"):
        open_counted(session, catalog)
    counts = at_cursor(counts, identity=2, line=1)
    rows = STEPS["open"](counts, Surroundings(catalog, None, wide=True))
    assert rows.place == images
    assert rows.here.arrangements["images"].filter == "(is > 3) and class = 2 and prediction = 2"
    assert back(rows, catalog) == counts
    assert back(filter_by(rows, catalog, "other"), catalog).place == images  # a filter of the user's own goes first
    assert back(counts, catalog) == session


# a file


def test_the_command_line_counts_as_the_screen_does_and_the_link_comes_back(store_path: Path) -> None:
    with Store(store_path) as store:
        catalog = StoreCatalog(store)
        images = Place("images").at(model="alpha")
        start = Start(
            wish("images", model="alpha"), "is > 5", "mean_image_score", count_by=("class",), having="count > 1"
        )
        session = session_of(catalog, start)
        assert session.place == counted(images, "is > 5", ("class",))
        assert session.below is not None
        assert session.below.place == images
        view = arrange(catalog.open(session.place), session.here.arrangements[rows_kind(session.place)])
        assert start_of(catalog, session, view) == start
        table = catalog.open(images)
        frame = pd.DataFrame({c.name: c.values.all() for c in table.columns if c.name in ("class", "image_score")})
    options = command(store_path, start).split("sing-tui ", 1)[1]
    done = CliRunner().invoke(main, [*shlex.split(options), "--columns", "class,count,mean_image_score", "--csv", "-"])
    assert done.exit_code == 0, done.output
    means = frame[frame["image_score"] > 5].groupby("class")["image_score"].agg(["size", "mean"])
    means = means[means["size"] > 1].sort_values("mean", ascending=False)
    rows = [line.split(",") for line in done.stdout.splitlines()]
    assert rows[0] == ["class", "count", "mean_image_score"]
    assert [(row[0], int(row[1])) for row in rows[1:]] == list(zip(means.index, means["size"], strict=True))
    np.testing.assert_allclose([float(row[2]) for row in rows[1:]], means["mean"], rtol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--count-by", "clas"), "no column 'clas' (is class meant?)"),
        (("--having", "count > 3"), "--having keeps counts: name columns with --count-by"),
        (("--count-by", "class", "--sort", "is"), "no column 'is'; this table has: class, count, share"),
        (("--count-by", "class", "--chart", "scatter"), "--count-by and --chart do not go together"),
    ],
)
def test_a_mistake_on_the_command_line_is_one_line(store_path: Path, options: tuple[str, ...], message: str) -> None:
    command = [str(store_path), "--table", "images", "--model", "alpha", *options, "--csv", "-"]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


async def test_a_key_counts_enter_shows_the_rows_and_escape_comes_back(store_path: Path) -> None:
    app = Explorer(store_path, Start(wish("images", model="alpha")))
    async with app.run_test(size=(100, 24)) as pilot:
        await drawn(app)
        total = len(app.page.view)
        await press(pilot, "C", *"clas", "enter")
        assert "no column 'clas' (is class meant?)" in status(app)
        await press(pilot, *"s, prediction", "enter")
        await drawn(app)
        assert "counted by class, prediction" in place_line(app)
        assert isinstance(app.page.place, Counted)
        first = app.page.view.table.column("count").values.all()[app.page.view.order[0]]
        assert lines(app)[3].split()[2] == f"{first:,}"
        await press(pilot, "enter")
        await drawn(app)
        assert f"1 of {first:,} (filtered from {total:,})" in status(app)
        await press(pilot, "escape")
        await drawn(app)
        assert "counted by class, prediction" in place_line(app)
        counted, place = app.page.view.table, app.page.place
        assert app.catalog.open(place) is counted
        await press(pilot, "escape")
        await drawn(app)
        assert status(app).startswith(f"1 of {total:,}")
        assert app.catalog.open(place) is not counted, "the counts of a table that was left are still held"
