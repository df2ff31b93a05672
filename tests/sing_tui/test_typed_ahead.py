"""Keys that come in one piece with the key that opens a screen, as over a slow link, belong to that screen."""

from pathlib import Path

import pytest
from driving import arrangement_of, burst, drawn, press, until, wish
from textual.events import Key
from textual.widgets import Input

from sing_tui.app import Explorer
from sing_tui.screens.finder import FinderScreen
from sing_tui.screens.help import HelpScreen
from sing_tui.screens.map import MapScreen
from sing_tui.screens.palette import Palette
from sing_tui.start import Start

CONCEPTS = Start(wish(class_="cat"))


def typed(app: Explorer) -> list[str]:
    """What the lines hold that the screen in front has; none before they are there."""
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
