"""Marking all rows that pass the filter, a range, and the first rows; exporting them."""

from pathlib import Path

import pytest
from catalogs import at, place, sing
from driving import drawn, press, status, until, wish

from sing_tui.app import Explorer
from sing_tui.session import Refused, Session
from sing_tui.session.arranging import mark
from sing_tui.session.marking import MOST, mark_all, mark_range, mark_top
from sing_tui.session.state import at_cursor
from sing_tui.start import Start

SHOWN = (7, 3, 9, 1, 5)
"""Rows of a table in the order of its lines."""


def on(line: int) -> Session:
    session = at(sing(), place("images", model="alpha"))
    return at_cursor(session, identity=SHOWN[line], line=line, shown=SHOWN)


def test_all_rows_that_are_shown_are_marked_and_once_more_unmarked() -> None:
    first = mark(on(2))
    every = mark_all(first)
    assert every.here.marks == (9, 7, 3, 1, 5)
    assert mark_all(every).here.marks == ()
    fewer = at_cursor(every, identity=3, line=0, shown=(3, 1))
    assert mark_all(fewer).here.marks == (9, 7, 5)  # marks on rows that the filter hides stay


def test_a_range_goes_from_the_last_mark_to_the_cursor_in_either_direction() -> None:
    down = at_cursor(mark(on(1)), identity=5, line=4)
    assert mark_range(down).here.marks == (3, 9, 1, 5)
    up = at_cursor(mark(on(3)), identity=7, line=0)
    assert mark_range(up).here.marks == (1, 9, 3, 7)
    same = mark(on(2))
    assert mark_range(same).here.marks == (9,)
    with pytest.raises(Refused, match="mark the first row of the range with the space bar"):
        mark_range(on(2))
    hidden = at_cursor(mark(on(0)), identity=3, line=0, shown=(3, 1))
    with pytest.raises(Refused, match="mark the first row"):
        mark_range(hidden)


def test_the_first_rows_are_marked_alone() -> None:
    assert mark_top(mark(on(4)), 3).here.marks == (7, 3, 9)
    with pytest.raises(Refused, match="there are 5 rows: A marks all of them"):
        mark_top(on(0), 6)


def test_more_rows_than_can_be_marked_are_refused_with_the_way_out() -> None:
    session = at_cursor(on(0), identity=0, line=0, shown=range(MOST + 1))
    with pytest.raises(Refused, match="100,001 rows are more than the 100,000 that can be marked: e exports"):
        mark_all(session)
    none = at_cursor(on(0), identity=None, line=0, shown=())
    for step in (mark_all, lambda session: mark_top(session, 1)):
        with pytest.raises(Refused, match="there are no rows to mark"):
            step(none)


async def test_the_first_rows_are_exported_by_few_keys(
    store_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    app = Explorer(store_path, Start(wish("images", model="alpha"), sort="image_score"))
    async with app.run_test(size=(100, 30)) as pilot:
        await drawn(app)
        await press(pilot, "T", "x", "enter")
        assert "a number above 0" in status(app)
        await press(pilot, "backspace", "3", "enter")
        await drawn(app)
        assert "3 marked" in status(app)
        await press(pilot, "e", "enter")
        written = tmp_path / "results-alpha-images.csv"
        await until(lambda: written.exists(), app)
        column = app.page.view.table.column("image_score").values.all()
        best = sorted(column, reverse=True)[:3]
        rows = written.read_text().splitlines()
        at_score = rows[0].split(",").index("image_score")
        assert [float(row.split(",")[at_score]) for row in rows[1:]] == pytest.approx(best)
