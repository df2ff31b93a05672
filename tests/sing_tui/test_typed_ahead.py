"""Keys that come in one piece with the key that opens a screen, as over a slow link, belong to that screen."""

import asyncio
from itertools import product
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from driving import PATIENCE, arrangement_of, burst, drawn, handled, press, until, wish
from textual.events import Key
from textual.widgets import Input

from sing_tui.app import Explorer
from sing_tui.loading import arrange_again
from sing_tui.screens import table_reading
from sing_tui.screens.finder import FinderScreen
from sing_tui.screens.help import HelpScreen
from sing_tui.screens.map import MapScreen
from sing_tui.screens.palette import Palette
from sing_tui.start import Start

CONCEPTS = Start(wish(class_="cat"))


@pytest.fixture
def go_on(monkeypatch: pytest.MonkeyPatch) -> Event:
    """Rows in another order are on their way until this event is set."""
    event = Event()

    def late(*given: Any) -> Any:
        assert event.wait(PATIENCE)
        return arrange_again(*given)

    monkeypatch.setattr(table_reading, "AT_ONCE", 0)
    monkeypatch.setattr(table_reading, "arrange_again", late)
    return event


def typed(app: Explorer) -> list[str]:
    """The text of each typing line of the screen in front; none before they are there."""
    return [line.value for line in app.screen.query(Input)]


@pytest.mark.parametrize(("key", "screen"), [("t", FinderScreen), ("question_mark", HelpScreen), ("colon", Palette)])
async def test_letters_are_typed_into_the_screen_that_opens(store_path: Path, key: str, screen: type) -> None:
    app = Explorer(store_path, CONCEPTS)
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        before = app.page.session
        for _ in range(2):  # a screen that is imported already is opened at once
            burst(key, *"sort", app=app)
            await until(lambda: isinstance(app.screen, screen) and typed(app) == ["sort"], app)
            await press(pilot, "escape")
            await until(lambda: app.screen is app.page, app)
        assert app.page.session == before  # s, o, r and t are keys of the table


@pytest.mark.parametrize(
    ("keys", "line", "rows"),
    [
        (("f", *"concept 1", "enter", "j", "j"), 2, 11),
        (("f", *"concept 1", "enter", "j", "F"), 10, 60),
        (("f", *"as > ", "enter", "1", "enter", "j"), 1, 12),  # a mistake: the line stays open
        (("T", "3", "enter", "j", "j"), 2, 60),
        (("f", *"concept 1", "enter", "enter", "escape"), 0, 11),
        (("f", *"concept 1", "enter", "escape", "j", "j"), 2, 60),
        (("f", *"concept 1", "escape", "j", "j", "enter", "j", "escape"), 3, 60),
        (("g", "slash", *"concept 1", "enter", "n", "n", "N"), None, 60),
    ],
)
async def test_keys_behind_enter_are_about_the_table(
    store_path: Path, keys: tuple[str, ...], line: int | None, rows: int
) -> None:
    """In one piece they do what they do one after another."""
    lines = []
    for in_one_piece in (True, False):
        app = Explorer(store_path, CONCEPTS)
        async with app.run_test(size=(80, 24)):
            await drawn(app)
            for piece in [keys] if in_one_piece else [(key,) for key in keys]:
                burst(*piece, app=app)
                await drawn(app)
            lines.append((app.page.table.cursor, app.page.table.lines, typed(app)))
            assert rows == app.page.table.lines
            assert line in (None, app.page.table.cursor)
    assert lines[0] == lines[1]


@pytest.mark.parametrize(
    ("typed", "keys", "kept"),
    [
        ("concept 1x", ("backspace",), "concept 1"),
        ("concept 1", ("ctrl+w",), "concept"),
        ("concept 1", ("home", "delete"), "oncept 1"),
    ],
)
async def test_keys_that_edit_before_enter_edit_what_is_typed(
    store_path: Path, typed: str, keys: tuple[str, ...], kept: str
) -> None:
    """They go round by the application, as Enter does, and letters do not."""
    app = Explorer(store_path, CONCEPTS)
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        await press(pilot, "f", *typed)
        burst(*keys, "enter", "j", app=app)
        await until(lambda: app.page.session.typing is None, app)
        await drawn(app)
        assert (app.page.place.table, arrangement_of(app).filter) == ("concepts", kept)
        assert app.page.table.cursor == 1


@pytest.mark.parametrize(
    ("keys", "lines", "line"),
    [
        (("enter", "j", "j"), 11, 2),
        (("escape", "j"), 60, 1),
        (("escape", "enter", "j", "escape"), 60, 1),
        (("backspace", "escape", "j", "j"), 60, 2),
        (("enter", "escape", "j"), 60, 1),
        (("tab", "enter", "j"), 11, 1),
        (("down", "enter", "enter", "escape"), 11, 1),
    ],
)
async def test_keys_in_one_piece_end_what_is_typed_and_go_on_in_the_table(
    store_path: Path, keys: tuple[str, ...], lines: int, line: int
) -> None:
    app = Explorer(store_path, CONCEPTS)
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        await press(pilot, "f", *"concept 1")
        burst(*keys, app=app)
        await drawn(app)
        assert (app.page.table.lines, app.page.table.cursor, app.page.session.typing) == (lines, line, None)
        await press(pilot, "F", "f", *"concept 2", "enter")  # the line takes keys again
        assert (app.page.table.lines, arrangement_of(app).filter) == (11, "concept 2")


@pytest.mark.parametrize("last", ["enter", "escape"])
async def test_keys_that_come_while_the_line_closes_are_not_typed_into_it(store_path: Path, last: str) -> None:
    """As a terminal sends them: each may come between any two steps of closing, some already on their way to the line."""
    app = Explorer(store_path, CONCEPTS)
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        for first, second in product(range(7), repeat=2):
            await press(pilot, "g", "f", *"concept")
            for key, gap in ((last, first), ("j", second), ("j", 0)):
                burst(key, app=app)
                for _ in range(gap):
                    await asyncio.sleep(0)
            await drawn(app)
            assert (app.page.table.cursor, app.page.session.typing) == (2, None), (first, second)
            await press(pilot, "F")


async def test_a_step_while_rows_are_on_their_way_is_about_those_rows(store_path: Path, go_on: Event) -> None:
    """The next model does not wait: it begins at the top, too, where a sort begins, and not on the row of before."""
    app = Explorer(store_path, CONCEPTS)
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        await press(pilot, "j", "j", "j")
        try:
            burst("s", "right_curly_bracket", app=app)
            await until(lambda: app.page.place.key("model") == "beta", app)
        finally:
            go_on.set()
        await drawn(app)
        assert (app.page.table.cursor, app.page.session.here.line) == (0, 0)


@pytest.mark.parametrize("key", ["f1", "ctrl+p"])
async def test_a_screen_that_a_key_before_enter_opens_leaves_the_line_alive(store_path: Path, key: str) -> None:
    app = Explorer(store_path, CONCEPTS)
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        await press(pilot, "f", *"concept 1")
        burst(key, "enter", "j", app=app)
        await drawn(app)
        if app.screen is not app.page:
            await press(pilot, "escape")
        if app.page.session.typing is None:
            await press(pilot, "f")
        await press(pilot, "ctrl+u", *"concept 2", "enter")
        assert (app.page.table.lines, arrangement_of(app).filter) == (11, "concept 2")


async def test_the_key_that_quits_does_so_behind_enter(store_path: Path) -> None:
    app = Explorer(store_path, CONCEPTS)
    async with app.run_test(size=(80, 24)):
        await drawn(app)
        burst("f", *"concept 1", "enter", "j", "Q", app=app)
        await until(lambda: not app.is_running, app)


async def test_enter_is_answered_while_rows_are_on_their_way(store_path: Path, go_on: Event) -> None:
    """Esc gives up the keys behind it, and not Enter itself: else the line would take no letter any more."""
    app = Explorer(store_path, CONCEPTS)
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        try:
            burst("f", *"concept 1", app=app)
            await until(lambda: app.page.reading.is_behind and typed(app) == ["concept 1"], app)
            burst("enter", "j", app=app)
            await until(lambda: app.page.session.typing is None, app)
            burst("escape", app=app)
            await handled(app)
        finally:
            go_on.set()
        await drawn(app)
        assert (app.page.table.lines, app.page.table.cursor) == (11, 0)
        await press(pilot, "f", "ctrl+u", *"concept 2", "enter")
        assert (app.page.table.lines, app.page.session.typing) == (11, None)


async def test_a_click_while_a_filter_is_typed_chooses_a_row_and_typing_goes_on(store_path: Path) -> None:
    app = Explorer(store_path, CONCEPTS)
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        table = app.page.table
        await press(pilot, "f", *"concept")
        await pilot.click(offset=(5, 6))
        await until(lambda: table.cursor == 3, app)
        row = app.page.identity
        await press(pilot, *" ", "backspace", "enter")
        assert (table.lines, app.page.identity, app.page.session.typing) == (60, row, None)
        await press(pilot, "f", *" 1")
        await pilot.click(offset=(5, 4), times=2)  # details; what was typed is taken
        await until(lambda: app.page.session.here.body == "details", app)
        await press(pilot, "j", "escape")
        assert app.page.session.typing is None
        assert arrangement_of(app).filter == "concept 1"


async def test_arrows_move_in_the_map_that_opens(store_path: Path) -> None:
    app = Explorer(store_path, Start(wish(model="alpha")))
    async with app.run_test(size=(80, 24)):
        await drawn(app)
        burst("M", "right", "right", app=app)
        await until(lambda: isinstance(app.screen, MapScreen) and app.screen.view is not None, app)
        await until(lambda: app.screen.view.window.cursor[1] == 2, app)


async def test_a_key_that_comes_when_the_screens_are_gone_is_nobodys(store_path: Path) -> None:
    app = Explorer(store_path, CONCEPTS)
    async with app.run_test(size=(80, 24)):
        await drawn(app)
    key = Key("t", "t")
    app.on_key(key)
    assert not app.screen_stack
    assert not key._no_default_action
