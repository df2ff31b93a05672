"""A view as a command line and as a remembered place, without an application: both lead back to the same view."""

import csv
import json
import os
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from catalogs import place
from click.testing import CliRunner
from driving import wish
from stores import write_store

from sing_compute.formats import UNICODE
from sing_compute.store import Store
from sing_tui.cli import main
from sing_tui.exporting import save
from sing_tui.link import as_dict, command, start_of
from sing_tui.loading import read_chart
from sing_tui.opening import open_first, remember, session_of
from sing_tui.session import Session
from sing_tui.session.arranging import arrangement, mark
from sing_tui.session.comparison import compare, next_measure
from sing_tui.session.moves import go_along, step
from sing_tui.session.stack import leave
from sing_tui.session.state import Arrangement, arranged, at_cursor, is_figures
from sing_tui.settings import State, write_state
from sing_tui.start import Start
from sing_tui.store_catalog import StoreCatalog
from sing_tui.view import View, arrange

Move = Callable[[Session, StoreCatalog], Session]


def row(item: int) -> Move:
    """Put the cursor on an item, which is in the line of the same number in the order of the file."""
    return lambda session, catalog: at_cursor(session, identity=item, line=item)


def marked(*items: int) -> Move:
    """Mark these rows."""

    def move(session: Session, catalog: StoreCatalog) -> Session:
        for item in items:
            session = mark(row(item)(session, catalog))
        return session

    return move


def another_measure(session: Session, catalog: StoreCatalog) -> Session:
    return next_measure(session, catalog, 1)


def next_row(session: Session, catalog: StoreCatalog) -> Session:
    return step(session, catalog, "row", 1)


@dataclass(frozen=True, slots=True)
class Way:
    """Where a session begins, and what changes it."""

    start: Start = field(default_factory=Start)
    moves: tuple[Move, ...] = ()


CAT, DOG = wish(class_="cat"), wish(class_="dog")
WAYS = {
    "models": Way(),
    "models sorted": Way(Start(sort="nullity"), (row(1),)),
    "classes": Way(Start(wish(model="alpha")), (row(2),)),
    "classes filtered": Way(Start(wish(model="alpha"), "accuracy < 90%", "class")),
    "classes of wrong images": Way(Start(wish("classes", model="alpha", subset="wrong"))),
    "chosen columns": Way(Start(wish(model="beta"), columns=("image_score_q50", "accuracy"))),
    "concepts": Way(Start(CAT)),
    "concepts in the order of the file": Way(Start(CAT, sort="-")),
    "concepts turned round": Way(Start(CAT, "kind = colour", reverse=True)),
    "images of a class": Way(Start(wish("images", class_="dog"))),
    "all images": Way(Start(wish("images"))),
    "figures": Way(moves=(row(1), compare)),
    "classes of two models": Way(Start(wish(model="alpha")), (compare,)),
    "concepts of two models": Way(Start(CAT), (compare,)),
    "images of two models": Way(Start(wish("images")), (compare,)),
    "concepts in another column": Way(Start(CAT), (compare, another_measure)),
    "concepts of two classes": Way(Start(wish(model="alpha")), (marked(0, 1), compare)),
    "one class in all models": Way(Start(wish(model="alpha")), (row(1), go_along)),
    "one concept in all classes": Way(Start(CAT), (row(4), go_along, next_row)),
    "numbers of a picture": Way(Start(chart="ratios")),
    "numbers of a class's picture": Way(Start(CAT, chart="strings")),
}


def view_of(catalog: StoreCatalog, session: Session) -> View:
    return arrange(catalog.open(session.place), arrangement(session, catalog))


def exported(catalog: StoreCatalog, session: Session, view: View) -> View:
    """Return the rows that an export writes: the table, or the numbers of the chart that fills the screen."""
    here = session.here
    if here.body != "chart":
        return view
    row = None if is_figures(catalog.table(here.place.table), here.place) else view.identity(here.line)
    return arrange(read_chart(catalog.store, here.place, here.chart, row, UNICODE).table, Arrangement())


def start_that_is_parsed(words: list[str]) -> Start:
    """Return what the command line asks the screen to begin with."""
    parsed: list[Start] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sing_tui.cli._screen", lambda file, start, options: parsed.append(start))
        assert CliRunner().invoke(main, words).exit_code == 0
    return parsed[0]


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_a_view_is_reopened_by_its_command_and_by_memory_and_its_headless_twin_writes_the_same_bytes(
    store_path: Path, tmp_path: Path, way: Way
) -> None:
    with Store(store_path) as store:
        catalog = StoreCatalog(store)
        session = session_of(catalog, way.start)
        for move in way.moves:
            session = move(session, catalog)
        view = view_of(catalog, session)
        words = shlex.split(command(store_path, start_of(catalog, session, view, with_chart=True)))
        assert words[:2] == ["sing-tui", str(store_path)]
        columns = way.start.columns or None
        for form in ("csv", "json"):
            save(exported(catalog, session, view), tmp_path / f"view.{form}", columns=columns)
            done = CliRunner().invoke(main, [*words[1:], f"--{form}", "-"])
            assert done.exit_code == 0, done.output
            assert done.stdout_bytes == (tmp_path / f"view.{form}").read_bytes()
        rows = list(csv.reader((tmp_path / "view.csv").read_text().splitlines()))
        assert len(rows) > 1
        assert [list(row) for row in json.loads(done.stdout)] == [rows[0]] * (len(rows) - 1)
        again = session_of(catalog, start_that_is_parsed(words[1:]))
        assert (again.place, again.here.chart, again.here.line) == (
            session.place,
            session.here.chart,
            session.here.line,
        )
        assert view_of(catalog, again).arrangement == view.arrangement
        memory = tmp_path / "state.json"
        remember(memory, store_path, catalog, session, view)
    opened = open_first(store_path, Start(), memory)
    with opened.catalog.store:
        back = opened.session
        assert (back.place, back.here.line, back.columns) == (session.place, session.here.line, session.columns)
        assert view_of(opened.catalog, back).arrangement == view.arrangement


@pytest.mark.parametrize(
    "change",
    [
        {"wish": {"at": ["model=gamma"]}},
        {"wish": {"at": ["class=zebra"], "table": "concepts"}},
        {"filter": "no_such_column > 3"},
        {"sort": "no_such_column"},
        {"columns": ["no_such_column"]},
        {"wish": 7},
        {"row": "x"},
    ],
)
def test_a_remembered_place_that_the_file_does_not_hold_is_passed_over(
    store_path: Path, tmp_path: Path, change: dict[str, object]
) -> None:
    start = as_dict(Start(wish(table="classes", model="alpha")))
    words = change.get("wish", start["wish"])
    kept = {**start, **change, "wish": start["wish"] | words if isinstance(words, dict) else words}
    write_state(tmp_path / "state.json", State(places={os.path.realpath(store_path): kept}))
    opened = open_first(store_path, Start(), tmp_path / "state.json")
    with opened.catalog.store:
        assert opened.session.place == place("models")


def remembered(store_path: Path, memory: Path) -> None:
    """Leave the images of a class whose class table was filtered, sorted and has fewer columns."""
    with Store(store_path) as store:
        catalog = StoreCatalog(store)
        session = session_of(catalog, Start(wish(table="images", model="alpha", class_="dog")))
        outer = arranged(session.visits[-2], Arrangement("is > 1", "class", True, "image_score_q50", False))
        session = replace(session, visits=(*session.visits[:-2], outer, session.here), columns={"classes": ("class",)})
        remember(memory, store_path, catalog, session, view_of(catalog, session))


def test_filter_sort_and_columns_of_the_tables_on_the_way_are_remembered(store_path: Path, tmp_path: Path) -> None:
    memory = tmp_path / "state.json"
    remembered(store_path, memory)
    opened = open_first(store_path, Start(), memory)
    with opened.catalog.store:
        back = leave(opened.session, opened.catalog)
        assert back.place == place("classes", model="alpha")
        assert arrangement(back, opened.catalog) == Arrangement("is > 1", "class", True, "image_score_q50", False)
        assert back.columns == {"classes": ("class",)}


@pytest.mark.parametrize(
    "change",
    [
        *({"filter": "no_such_column > 3"}, {"sort": "no_such_column"}, {"then": 7}, {"columns": "no_such_column"}),
        *({"kind": "models"}, {"kind": 4}, {"descending": None, "filter": None, "sort": 5}),
    ],
)
def test_what_the_file_does_not_hold_of_the_tables_on_the_way_is_passed_over(
    store_path: Path, tmp_path: Path, change: dict[str, object]
) -> None:
    memory = tmp_path / "state.json"
    remembered(store_path, memory)
    said = json.loads(memory.read_text())
    (kept,) = said["places"].values()
    kept["outer"] = [{**kept["outer"][0], **change}, 3]
    memory.write_text(json.dumps(said))
    opened = open_first(store_path, Start(), memory)
    with opened.catalog.store:
        assert opened.session.place == place("images", model="alpha", class_=1)
        back = leave(opened.session, opened.catalog)
        assert "no_such" not in str(arrangement(back, opened.catalog))
        assert back.columns == {}


def test_the_first_screen_names_models_with_warnings(tmp_path: Path) -> None:
    path = write_store(tmp_path / "warned.h5", models=("alpha", "beta", "gamma"))
    opened = open_first(path, Start(), None)
    assert opened.hint == ""
    opened.catalog.store.close()
    with h5py.File(path, "r+") as file:
        for name in ("beta", "gamma"):
            file[f"models/{name}"].attrs["warnings"] = np.bytes_("accuracy 0.0%\x1b[2J")
    opened = open_first(path, Start(), None)
    assert opened.hint == "warnings for beta and 1 more: d on the models shows them"
    opened.catalog.store.close()
