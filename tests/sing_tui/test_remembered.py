"""What is remembered between two sessions: place, theme, hint."""

import os
from pathlib import Path

import pytest
from catalogs import place
from driving import arrangement_of, drawn, lines, on_screen, press, wish

from sing_tui.app import Explorer
from sing_tui.link import as_dict
from sing_tui.opening import HINT
from sing_tui.session.state import columns_at
from sing_tui.settings import State, read_state, write_state
from sing_tui.start import Start


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    return tmp_path / "state" / "sing-tui" / "state.json"


def place_line(app: Explorer) -> str:
    return lines(app)[0]


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


@pytest.mark.parametrize(
    "keys",
    [
        ("enter", "equals_sign", "down"),
        ("enter", "down", "a", "down"),
        ("enter", "enter", "down", "a"),
        ("enter", "space", "space", "equals_sign", "full_stop"),
        ("down", "equals_sign", "down"),
        ("i", "o", "down"),
    ],
)
async def test_every_kind_of_place_is_remembered(store_path: Path, memory: Path, keys: tuple[str, ...]) -> None:
    places = []
    for again in (False, True):
        app = Explorer(store_path, memory=memory)
        async with app.run_test(size=(80, 24)) as pilot:
            await drawn(app)
            await press(pilot, *(() if again else keys))
            places.append((app.screen.place, arrangement_of(app), app.screen.table.cursor))
            await press(pilot, "Q")
    assert places[0] == places[1]
    assert places[0][0] != place("models")


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
async def test_a_place_that_the_file_does_not_hold_is_passed_over(
    store_path: Path, memory: Path, change: dict[str, object]
) -> None:
    start = as_dict(Start(wish(table="classes", model="alpha")))
    words = (
        start["wish"] | change["wish"] if isinstance(change.get("wish"), dict) else change.get("wish", start["wish"])
    )
    write_state(memory, State(places={os.path.realpath(store_path): {**start, **change, "wish": words}}))
    app = Explorer(store_path, memory=memory)
    async with app.run_test(size=(80, 24)):
        await drawn(app)
        assert app.failure is None
        assert app.screen.place == place("models")
        assert app.screen.table.lines == 2


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
