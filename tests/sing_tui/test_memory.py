"""Place, theme and hint that are remembered between two sessions; `test_link.py` has every kind of place."""

import os
from pathlib import Path

import pytest
from catalogs import place
from driving import arrangement_of, drawn, on_screen, press, wish

from sing_tui.app import Explorer
from sing_tui.link import as_dict
from sing_tui.opening import HINT
from sing_tui.session.state import columns_at
from sing_tui.settings import State, read_state, write_state
from sing_tui.start import Start


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    return tmp_path / "state" / "sing-tui" / "state.json"


async def test_the_hint_is_shown_once(store_path: Path, memory: Path) -> None:
    for again in (False, True):
        app = Explorer(store_path, memory=memory)
        async with app.run_test(size=(100, 24)) as pilot:
            await drawn(app)
            assert (HINT in on_screen(app)) != again
            await press(pilot, "down")
            assert HINT not in on_screen(app)
            await press(pilot, "Q")
        assert read_state(memory).hint_seen


async def test_the_last_place_is_taken_up_only_where_nothing_else_was_asked_for(store_path: Path, memory: Path) -> None:
    app = Explorer(store_path, memory=memory)
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        await press(pilot, "down", "enter", "down", "i", "f", *"as > -1", "enter")
        await press(pilot, "asterisk", "n", "down", "space", "down", "down", "space", "enter")
        await press(pilot, "right", "s", "r", "down", "down", "down")
        left = app.screen
        kept = (left.place, arrangement_of(app), left.identity, columns_at(app.page.session), left.table.cursor)
        assert left.place == place("images", model="beta", class_=1)
        assert len(kept[3]) >= 2
        await press(pilot, "Q")
    app = Explorer(store_path, memory=memory)
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        back = app.screen
        assert (back.place, arrangement_of(app), back.identity, columns_at(app.page.session), back.table.cursor) == kept
        assert [column.name for column in back.table.columns] == [kept[3][0], *kept[3][1:]]
        await press(pilot, "escape", "escape")
        assert (app.screen.place, app.screen.identity) == (place("classes", model="beta"), 1)
        await press(pilot, "escape")
        assert (app.screen.place, app.screen.identity) == (place("models"), 1)
    for begin, where in ((Start(wish(model="alpha")), memory), (Start(), None)):
        app = Explorer(store_path, begin, memory=where)
        async with app.run_test(size=(80, 24)) as pilot:
            await drawn(app)
            assert app.screen.place == (place("classes", model="alpha") if where else place("models"))
            assert arrangement_of(app).filter == ""


async def test_a_row_beyond_the_end_is_the_last_one(store_path: Path, memory: Path) -> None:
    start = as_dict(Start(wish(table="classes", model="alpha"), row=10**9))
    write_state(memory, State(places={os.path.realpath(store_path): start}))
    app = Explorer(store_path, memory=memory)
    async with app.run_test(size=(80, 24)):
        await drawn(app)
        assert (app.screen.place, app.screen.table.cursor) == (place("classes", model="alpha"), 2)


async def test_a_theme_chosen_in_the_palette_is_kept(store_path: Path, memory: Path) -> None:
    app = Explorer(store_path, memory=memory)
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        await press(pilot, "colon", *"theme gruv", "enter")
        assert app.theme == "gruvbox"
        await press(pilot, "Q")
    kept = read_state(memory)
    assert kept.theme == "gruvbox"
    assert kept.place(store_path)  # and the place beside it
