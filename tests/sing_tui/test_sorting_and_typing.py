"""Keys that sort a table, and lines that are typed: filter and search."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from driving import AT, arrangement_of, burst, drawn, first_cells, handled, lines, on_screen, press, status, until
from textual.widgets import Input

from sing_tui.app import Explorer
from sing_tui.search import DISTRIBUTION
from sing_tui.widgets.typing_line import TypingLine

pytestmark = pytest.mark.asyncio


@pytest.mark.parametrize("level", ["models", "images"])
async def test_every_column_sorts_both_ways_from_the_top_or_with_the_cursor_on_its_item(
    store_path: Path, level: str
) -> None:
    app = Explorer(store_path, AT[level])
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        screen = app.screen
        screen.action_step("unsort")
        screen.action_cursor("to", 1)
        item = screen.identity
        for position, column in enumerate(screen.table.columns):
            if column.format == DISTRIBUTION:  # they have no order
                continue
            screen.table.move_column(position - screen.table.column)
            screen.table.move(screen.view.line_of(item) - screen.table.cursor)
            screen.action_step("sort", 0)
            assert screen.identity == item
            falling = arrangement_of(app).descending
            assert falling == (not column.is_text)
            values = column.values.take(screen.view.order)
            for reverse in ("reverse", "sort"):
                if not column.is_text:
                    known = values[~np.isnan(values.astype(float))]
                    assert known.tolist() == sorted(known.tolist(), reverse=falling), column.name
                screen.action_step(reverse)
                assert screen.table.cursor == 0
                falling, values = arrangement_of(app).descending, column.values.take(screen.view.order)
            await handled(pilot.app)
            assert f"sort {column.title} {'▼' if falling else '▲'}" in status(app)
            assert ("▼" if falling else "▲") in lines(app)[1]
        await press(pilot, "o")
        assert "sort" not in status(app)


@pytest.mark.parametrize("level", ["classes", "concepts"])
async def test_the_filter_counts_while_typing_and_escape_gives_up_one_layer(store_path: Path, level: str) -> None:
    app = Explorer(store_path, AT[level])
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        screen, whole = app.screen, app.screen.table.lines
        name = first_cells(app)[1]
        await press(pilot, "f", *name)
        assert screen.query_one(Input).value == name
        expected = sum(name in cell for cell in first_cells(app))
        order = " · sort |AS| ▼" if level == "concepts" else ""
        assert status(app) == f"{expected} of {whole} rows{order} · filter {name}"
        assert expected == screen.table.lines >= 1
        await press(pilot, "enter")
        assert f"(filtered from {whole:,})" in status(app)
        await press(pilot, "ampersand", *" and (")
        typed = screen.query_one(Input)
        line = next(line for line in lines(app) if "a condition was expected here" in line)
        assert line.index("^") == typed.region.x + len(typed.value)
        await press(pilot, "enter")
        assert screen.query_one(TypingLine).purpose == "filter"
        await press(pilot, "escape")
        assert arrangement_of(app).filter == name
        assert f"(filtered from {whole:,})" in status(app)
        assert screen.place.table == level
        await press(pilot, "escape")
        assert (arrangement_of(app).filter, screen.table.lines) == ("", whole)
        assert app.screen is screen
        await press(pilot, "f", *"zzzz", "enter")
        assert "Esc clears it" in on_screen(app)
        await press(pilot, "enter", "i", "y", "p", "p", "F")
        assert app.screen is screen
        assert screen.place.table == "images" if level == "concepts" else level


@pytest.mark.parametrize("line", [0, 5])
async def test_rows_that_half_a_filter_keeps_do_not_move_the_cursor(store_path: Path, line: int) -> None:
    app = Explorer(store_path, replace(AT["concepts"], row=line + 1))
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        table, name = app.screen.table, first_cells(app)[9]
        await press(pilot, "f")
        field = app.screen.query_one(Input)
        for text, count in ((name, 1), ("concept", 60), (f"{name} and", 60), ("", 60)):
            field.value = text
            await until(lambda count=count: table.lines == count, app)
        await press(pilot, "enter")
        assert (table.cursor, table.top) == (line, 0)


async def test_without_its_filter_a_table_begins_at_the_top_but_a_single_row_is_followed(store_path: Path) -> None:
    app = Explorer(store_path, AT["concepts"])
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        table, names = app.screen.table, first_cells(app)
        last = next(name for name in reversed(names) if sum(name in other for other in names) == 1)
        several = next(
            name for name in names[30:] if sum(name in other for other in names[25:]) > 1 and name not in names[:25]
        )
        for name, line in ((several, 0), (last, names.index(last))):
            await press(pilot, "f", *name, "enter", "escape")
            await until(lambda: table.lines == 60, app)
            assert table.cursor == line


@pytest.mark.parametrize("keys", [("d", "j"), ("d", "k"), ("2", "G"), ("1", "pagedown"), ("p", "j", "j")])
async def test_the_cursor_is_in_sight_after_it_moved_behind_details_or_a_chart(
    store_path: Path, keys: tuple[str, ...]
) -> None:
    app = Explorer(store_path, AT["concepts"])
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        table = app.screen.table
        await press(pilot, "pagedown", "pagedown", *keys, "escape")
        await until(lambda: app.screen.session.here.body == "table", app)
        assert table.top <= table.cursor < table.top + table.page
        assert f"{table.cursor + 1} of 60" in status(app)
        assert "concept" in lines(app)[table.cursor - table.top + table.header_height + 1]


@pytest.mark.parametrize("keys", [("F",), ("f", "ctrl+u", "enter"), ("f", *["backspace"] * 10, "enter")])
async def test_a_row_that_a_filter_found_is_followed_however_the_filter_is_cleared(
    store_path: Path, keys: tuple[str, ...]
) -> None:
    app = Explorer(store_path, AT["concepts"])
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        table, names = app.screen.table, first_cells(app)
        name = next(name for name in reversed(names) if sum(name in other for other in names) == 1)
        assert len(name) <= 10
        await press(pilot, "f", *name, "enter")
        await press(pilot, *keys)
        await until(lambda: table.lines == 60, app)
        assert first_cells(app)[table.cursor] == name
        await press(pilot, "F")  # there is no filter any more
        assert first_cells(app)[table.cursor] == name


async def test_page_keys_in_a_chart_that_the_explorer_starts_with_do_not_go_to_the_end(store_path: Path) -> None:
    app = Explorer(store_path, replace(AT["concepts"], row=30, chart="ratios"))
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        table = app.screen.table
        await press(pilot, "pagedown")
        assert 29 < table.cursor < 59
        await press(pilot, "escape")
        assert table.top <= table.cursor < table.top + table.page


async def test_the_first_lines_are_in_sight_where_the_cursor_is_near_them(store_path: Path) -> None:
    app = Explorer(store_path, replace(AT["concepts"], row=4))  # as after yesterday's place
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        table = app.screen.table
        assert (table.cursor, table.top) == (3, 0)
        await press(pilot, "G", "k", "k", "k", "k")
        name = first_cells(app)[55]
        assert (table.cursor, table.top) == (55, 60 - table.page)
        await press(pilot, "S")  # the other way round
        assert first_cells(app)[4] == name
        assert (table.cursor, table.top) == (4, 0)


async def test_find_jumps_as_one_types_and_n_goes_on(store_path: Path) -> None:
    app = Explorer(store_path, AT["concepts"])
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        screen = app.screen
        await press(pilot, "o", "g", "n")
        assert "/ starts" in status(app)
        await press(pilot, "slash", *"concept 2")
        assert screen.table.cursor == 2
        await press(pilot, "enter", "n", "n", "N")
        assert screen.table.cursor == 20
        await press(pilot, "slash", *"concept 59")
        assert screen.table.cursor == 59
        await press(pilot, "escape")
        assert screen.table.cursor == 20
        await press(pilot, "slash", *"zebra", "enter")
        assert "nothing contains 'zebra'" in status(app)


async def test_letters_typed_into_a_line_fire_no_key(store_path: Path) -> None:
    app = Explorer(store_path, AT["classes"])
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        screen = app.screen
        letters = "qQsreicdpvnNGghjklyR?:f&/Fow[]{}"
        for purpose in ("f", "slash"):
            await press(pilot, purpose)
            screen.query_one(Input).value = ""
            await press(pilot, *letters)
            assert screen.query_one(Input).value == letters
            assert app.screen is screen
            await press(pilot, "escape")
        assert arrangement_of(app).filter == ""


async def test_letters_sent_in_one_piece_with_the_key_that_opens_the_line_go_into_it(store_path: Path) -> None:
    """As over a slow link: `/concept 3` and Enter arrive together, before the typing line has the focus."""
    app = Explorer(store_path, AT["concepts"])
    async with app.run_test(size=(80, 24)):
        await drawn(app)
        burst("f", *"concept ~ 30", "enter", app=app)
        await drawn(app)
        assert arrangement_of(app).filter == "concept ~ 30"
        assert app.screen.table.lines == 1
        burst("F", "slash", *"concept 17", "enter", app=app)
        await drawn(app)
        assert (app.page.session.here.looked_for, app.screen.identity) == ("concept 17", 17)
