"""Keys and clicks that move: into a table and back, to the other table, along lines and columns, out of the program."""

from pathlib import Path

import numpy as np
import pytest
from catalogs import place
from driving import AT, arrangement_of, drawn, first_cells, lines, on_screen, press, status, until

from sing_compute.store import Store
from sing_tui.app import Explorer

pytestmark = pytest.mark.asyncio


async def test_enter_goes_in_and_escape_comes_back_one_level_at_a_time(store_path: Path) -> None:
    app = Explorer(store_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        seen = [app.screen.place]
        await press(pilot, "j", "enter", "down", "l")
        seen += [visit.place for visit in app.page.session.visits[1:]]
        assert seen == [place("models"), place("classes", model="beta"), place("concepts", model="beta", class_=1)]
        assert "results.h5 › beta › dog › concepts" in lines(app)[0]
        for key, level in (("escape", "classes"), ("h", "models")):
            await press(pilot, key)
            assert app.screen.place.table == level
        await press(pilot, "enter", "backspace", "enter", "q", "escape", "h")
        assert app.screen.place == place("models")
        assert app.screen.identity == 1
        await press(pilot, "q")
    assert app.return_code == 0


@pytest.mark.parametrize(("level", "key"), [("models", "ctrl+q"), ("concepts", "Q")])
async def test_quit_leaves_from_anywhere(store_path: Path, level: str, key: str) -> None:
    app = Explorer(store_path, AT[level])
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        await press(pilot, key)
        await until(lambda: app.return_code is not None, app)
    assert app.return_code == 0


async def test_images_and_concepts_swap_and_open_from_every_level(store_path: Path) -> None:
    app = Explorer(store_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        await press(pilot, "i")
        assert app.screen.place == place("images", model="alpha")
        assert app.screen.table.lines == 43
        await press(pilot, "c", "right_square_bracket")
        assert app.screen.place == place("images", model="alpha")
        await press(pilot, "escape", "enter", "i")
        assert app.screen.place == place("images", model="alpha", class_=0)
        await press(pilot, "i")
        assert app.screen.place == place("concepts", model="alpha", class_=0)
        await press(pilot, "i")
        assert app.screen.place == place("images", model="alpha", class_=0)
        await press(pilot, "c")
        assert app.screen.place == place("concepts", model="alpha", class_=0)


@pytest.mark.parametrize("level", ["models", "concepts"])
async def test_moving_keys_stay_inside_and_do_what_they_say(store_path: Path, level: str) -> None:
    app = Explorer(store_path, AT[level])
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        table = app.screen.table
        last, page = table.lines - 1, table.page
        for key, line in (
            ("G", last), ("g", 0), ("end", last), ("home", 0), ("j", min(1, last)), ("down", min(2, last)),
            ("k", min(1, last - 1) if last < 2 else 1), ("up", 0), ("up", 0), ("pagedown", min(page, last)),
            ("pageup", 0), ("ctrl+f", min(page, last)), ("ctrl+b", 0),
            ("ctrl+d", min(page // 2, last)), ("ctrl+u", 0),
        ):  # fmt: skip
            await press(pilot, key)
            assert table.cursor == line, key
            assert table.top <= table.cursor < table.top + page, key
        columns = len(table.columns)
        for _ in range(columns + 3):
            app.screen.action_cursor("column", 1)
            assert table.column in table.columns_in_sight()
        assert table.column == columns - 1
        await press(pilot, "left", "b", "right", "w")
        assert table.column == columns - 1


async def test_clicks_choose_lines_columns_and_sort(store_path: Path) -> None:
    app = Explorer(store_path, AT["concepts"])
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        table = app.screen.table
        await pilot.click(table, offset=(3, 5))
        assert table.cursor == 3
        await pilot.click(table, offset=(2, 0))
        await drawn(app)
        assert arrangement_of(app).sort == "concept"
        assert first_cells(app)[:2] == ["concept 0", "concept 1"]


async def test_subsets_go_round_and_the_class_table_follows(store_path: Path) -> None:
    app = Explorer(store_path, AT["classes"])
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        await press(pilot, "down")
        with Store(store_path) as store:
            for subset in [*store.subsets[1:], "all"]:
                await press(pilot, "v")
                assert app.screen.place.index("subset") == (store.subsets.index(subset) or None)
                counts = store.dataset("models/alpha/classes/count")[store.subsets.index(subset)]
                assert app.screen.table.lines == np.count_nonzero(counts)
                assert (f"classes ({subset} images)" in lines(app)[0]) == (subset != "all")


async def test_a_cursor_key_repaints_two_lines_of_the_table_and_no_more(store_path: Path) -> None:
    app = Explorer(store_path, AT["concepts"])
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        table = app.screen.table
        painted: list[int] = []
        original = table.render_line
        table.render_line = lambda y: (painted.append(y), original(y))[1]
        await press(pilot, "down")
        await drawn(app)
        assert sorted(set(painted)) == [2, 3]
        cells = {len(original(y)._segments) for y in range(3, 20)}
        assert max(cells) <= 1 + 2  # one column has colours; over a slow link each coloured cell costs bytes
        table.color(wanted=False)
        assert all(len(original(y)._segments) == 1 for y in range(2, 20))


@pytest.mark.parametrize(
    ("level", "key", "line"),
    [
        ("concepts", "v", "this table has no subsets"),
        ("classes", "P", "classes are no photographs: open images first"),
        ("models", "ctrl+y", "models are no photographs: open images first"),
        ("models", "a", "the rows of this table belong to one place alone"),
        ("models", "right_square_bracket", "there is nothing to step through here"),
        ("images", "9", "this table has no chart 9"),
        ("models", "I", "models lead to no third table"),
    ],
)
async def test_a_key_that_has_no_meaning_here_says_why(store_path: Path, level: str, key: str, line: str) -> None:
    app = Explorer(store_path, AT[level])
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        before = app.screen.place
        await press(pilot, key)
        assert line in status(app)
        assert app.screen.place == before


async def test_the_wrong_images_of_a_model_are_two_keys_away_and_the_top_line_says_so(store_path: Path) -> None:
    app = Explorer(store_path, AT["images"])
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        await press(pilot, "v", "v")
        await until(lambda: "images (wrong)" in lines(app)[0], app)
        assert arrangement_of(app).filter == "prediction != class"
        await press(pilot, "F")
        await until(lambda: "wrong" not in lines(app)[0], app)


async def test_the_palette_sorts_by_any_column_and_says_when_no_command_has_the_words(store_path: Path) -> None:
    app = Explorer(store_path, AT["classes"])
    async with app.run_test(size=(100, 30)) as pilot:
        await drawn(app)
        await press(pilot, "colon", *"sort accuracy", "enter")
        assert "sort accuracy ▼" in status(app)
        await press(pilot, "colon", *"sort zebra")
        assert "no command has these words: sort zebra" in on_screen(app)
        await press(pilot, "enter", "escape")
        assert "sort accuracy ▼" in status(app)


async def test_the_first_columns_are_in_sight_after_opening_and_after_every_resize(store_path: Path) -> None:
    app = Explorer(store_path, AT["concepts"])
    async with app.run_test(size=(110, 24)) as pilot:
        await drawn(app)
        for width in (40, 200, 60, 110):
            await pilot.resize_terminal(width, 24)
            await until(lambda w=width: app.screen.size.width == w and app.screen.table.size.width <= w, app)
            await until(lambda: app.screen.table.columns_in_sight()[:2] == [0, 1], app)


async def test_a_column_that_was_gone_to_stays_in_sight_and_others_come_back_when_they_fit(store_path: Path) -> None:
    app = Explorer(store_path, AT["concepts"])
    async with app.run_test(size=(90, 24)) as pilot:
        await drawn(app)
        table = app.screen.table
        last = len(table.columns) - 1
        await press(pilot, *["right"] * last)
        assert last in table.columns_in_sight()
        assert 1 not in table.columns_in_sight()
        await pilot.resize_terminal(400, 24)
        await until(lambda: 1 in table.columns_in_sight() and last in table.columns_in_sight(), app)
        await pilot.resize_terminal(90, 24)
        await until(lambda: 1 not in table.columns_in_sight() and last in table.columns_in_sight(), app)


async def test_a_click_on_a_step_of_the_top_line_goes_back_to_its_table(store_path: Path) -> None:
    app = Explorer(store_path, AT["concepts"])
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        assert lines(app)[0].rstrip().split(" › ")[1:] == ["alpha", "cat", "concepts"]
        await pilot.click(app.screen.frame.place, offset=(lines(app)[0].index("alpha") + 2, 0))
        await drawn(app)
        assert app.screen.place == place("classes", model="alpha")
        await pilot.click(app.screen.frame.place, offset=(2, 0))
        await drawn(app)
        assert app.screen.place == place("models")


@pytest.mark.parametrize("width", [80, 200])
async def test_a_click_on_a_key_of_the_lowest_line_does_what_the_key_does(store_path: Path, width: int) -> None:
    app = Explorer(store_path, AT["classes"])
    async with app.run_test(size=(width, 24)) as pilot:
        await drawn(app)
        for text, seen in (("filter", "esc cancel"), ("cancel", "s sort"), ("help", "type to narrow")):
            await pilot.click(app.screen.frame.keys, offset=(lines(app)[-1].index(text) + 1, 0))
            await until(lambda seen=seen: seen in on_screen(app), app)
