"""Every key on every screen, driven by Textual's pilot."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from catalogs import place
from driving import AT, LEVELS, arrangement_of, burst, drawn, lines, on_screen, press, status, until, wish
from stores import write_store
from textual.widgets import Input

from sing_compute.store import Store
from sing_tui.actions import BINDINGS, applies, key_name
from sing_tui.app import Explorer, choose_theme
from sing_tui.screens.table import TableScreen
from sing_tui.start import Start
from sing_tui.widgets.details_pane import DetailsPane
from sing_tui.widgets.typing_line import TypingLine

pytestmark = pytest.mark.asyncio


def start(**wish) -> Start:
    return Start(wish(**wish))


def first_cells(app: Explorer) -> list[str]:
    """The first column of the whole view in its order."""
    view = app.screen.view
    return [str(cell) for cell in view.table.columns[0].values.take(view.order)]


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


@pytest.mark.parametrize("key", ["Q", "ctrl+q"])
@pytest.mark.parametrize("level", LEVELS)
async def test_quit_leaves_from_anywhere(store_path: Path, level: str, key: str) -> None:
    app = Explorer(store_path, AT[level])
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        await pilot.press(key)
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


async def test_neighbouring_classes_and_models_keep_filter_and_sort(store_path: Path) -> None:
    app = Explorer(store_path, AT["concepts"])
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        await press(pilot, "f", *"as>0", "enter", *["right"] * 5, "s", "down")
        kept, item = arrangement_of(app), app.screen.identity
        assert (kept.filter, kept.sort) == ("as>0", "kind")
        for key, index in (("]", 1), ("]", 2), ("]", 2), ("[", 1)):
            await press(pilot, key)
            assert app.screen.place == place("concepts", model="alpha", class_=index)
            assert arrangement_of(app) == kept
        assert app.screen.view.line_of(item) in (None, app.screen.table.cursor)
        for key, model in (("}", "beta"), ("}", "alpha"), ("{", "beta")):
            await press(pilot, key)
            assert app.screen.place == place("concepts", model=model, class_=1)
        await press(pilot, "backspace")
        assert app.screen.place == place("classes", model="beta")
        assert app.screen.identity == 1


@pytest.mark.parametrize("level", LEVELS)
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


@pytest.mark.parametrize("level", LEVELS)
async def test_every_column_sorts_both_ways_and_the_cursor_stays_on_its_item(store_path: Path, level: str) -> None:
    app = Explorer(store_path, AT[level])
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        screen = app.screen
        screen.action_step("unsort")
        screen.action_cursor("to", 1)
        item = screen.identity
        for position, column in enumerate(screen.table.columns):
            screen.table.move_column(position - screen.table.column)
            screen.action_step("sort")
            falling = arrangement_of(app).descending
            assert falling == (not column.is_text)
            values = column.values.take(screen.view.order)
            for reverse in ("reverse", "sort"):
                if not column.is_text:
                    known = values[~np.isnan(values.astype(float))]
                    assert known.tolist() == sorted(known.tolist(), reverse=falling), column.name
                assert screen.identity == item
                screen.action_step(reverse)
                falling, values = arrangement_of(app).descending, column.values.take(screen.view.order)
            await pilot.pause()
            assert f"sort {column.title} {'▼' if falling else '▲'}" in status(app)
            assert ("▼" if falling else "▲") in lines(app)[1]
        await press(pilot, "o")
        assert "sort" not in status(app)


@pytest.mark.parametrize("level", LEVELS)
async def test_the_filter_counts_while_typing_and_escape_gives_up_one_layer(store_path: Path, level: str) -> None:
    app = Explorer(store_path, AT[level])
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        screen, whole = app.screen, app.screen.table.lines
        name = first_cells(app)[1]
        await press(pilot, "f", *name)
        assert screen.query_one(Input).value == name
        expected = sum(name in cell for cell in first_cells(app))
        order = {"concepts": " · sort |AS| ▼", "images": " · sort IS ▼"}.get(level, "")
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
        assert screen.place.table == level
        await press(pilot, "escape")
        assert (arrangement_of(app).filter, screen.table.lines) == ("", whole)
        assert app.screen is screen
        await press(pilot, "f", *"zzzz", "enter")
        assert "Esc clears it" in on_screen(app)
        await press(pilot, "enter", "i", "y", "p", "p", "F")
        assert app.screen is screen
        assert screen.place.table == {"concepts": "images", "images": "concepts"}.get(level, level)


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


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(
    ("size", "ascii_only"),
    [((80, 24), False), ((80, 24), True), ((200, 50), False), ((200, 50), True), ((40, 10), False), ((100, 12), True)],
)
async def test_details_and_plot_at_every_size(
    store_path: Path, level: str, size: tuple[int, int], ascii_only: bool
) -> None:
    app = Explorer(store_path, AT[level], ascii_only=ascii_only)
    async with app.run_test(size=size) as pilot:
        await drawn(app)
        pane = app.screen.query_one(DetailsPane)
        assert pane.display == (size[0] >= 100)
        modes = []
        for key in ("d", "d", "d", "p", "down", "p"):
            await press(pilot, key)
            if app.screen.session.here.body != "table":
                await drawn(app)
            modes.append((app.screen.session.here.body, pane.display))
            text = on_screen(app)
            assert all(len(line) <= size[0] * 2 for line in lines(app))
            if ascii_only:
                assert text.isascii(), [c for c in text if not c.isascii()]
            if app.screen.session.here.body == "chart":
                assert " ".join(pane.detail.reading.split()[:5]) in " ".join(text.split())
        wide = size[0] >= 100
        expected = ["details", "table", "table"] if wide else ["details", "table", "details"]
        assert [body for body, _ in modes] == [*expected, "chart", "chart", "table"]
        assert modes[1][1] is False


async def test_the_details_say_what_the_store_says(store_path: Path) -> None:
    app = Explorer(store_path)
    async with app.run_test(size=(160, 50)) as pilot:
        await drawn(app)
        with Store(store_path) as store:
            figures = store.summary("alpha")
            text = on_screen(app)
            assert f"{figures['image_score']:.2f} degrees" in text
            assert f"{figures['correct'] / figures['images']:.1%} of 43 images" in text
            assert "alpha.v1" in text
            assert "at 10.0, " in text
            assert f"{store.array('comparison/class_order')[0, 1]:+.2f} with beta" in text
            await press(pilot, "enter")
            await drawn(app)
            scores = store.dataset("models/alpha/images/attribute_score")[:30]
            assert f"{np.mean(scores > 0):.0%} come nearer" in on_screen(app)
            await press(pilot, "v", "v")
            await drawn(app)
            wrong = scores[store.dataset("models/alpha/images/prediction")[:30] != 0]
            assert f"AS of {len(wrong)} images (wrong)" in on_screen(app)
            await press(pilot, "i")
            await drawn(app)
            row = app.screen.identity
            near = store.dataset("models/alpha/images/nearest_after")[row][0]
            text = on_screen(app)
            assert str(store.array("images/key")[near]) in text
            assert f"concept {store.dataset('models/alpha/images/top_concept')[row][0]}" in text


@pytest.mark.parametrize("level", LEVELS)
async def test_help_lists_every_key_of_the_level_and_every_column_and_narrows(store_path: Path, level: str) -> None:
    app = Explorer(store_path, AT[level])
    async with app.run_test(size=(100, 30)) as pilot:
        await drawn(app)
        screen = app.screen
        await press(pilot, "question_mark")
        text = str(app.screen.text(""))
        offered = {line[2:15].strip() for line in text.splitlines() if line.startswith("  ")}
        for binding in BINDINGS:
            keys = " ".join(key_name(key) for key in binding.key.split(","))
            assert (keys in offered) == applies(binding.action, screen.place, app.catalog), binding
        for column in screen.view.table.columns:
            assert column.name in text
            assert column.description in text
        assert "keys and columns" in on_screen(app)
        await press(pilot, "pagedown", "pageup", "down", "up", *"last line")
        await drawn(app)
        kept = [line for line in on_screen(app).splitlines() if "last line" in line or "next page" in line]
        assert any("G" in line for line in kept)
        assert not any("next page" in line for line in kept)
        await press(pilot, "enter")
        assert app.screen is screen
        await press(pilot, "f1", "escape")
        assert app.screen is screen


@pytest.mark.parametrize("key", ["colon", "ctrl+p"])
async def test_the_palette_runs_commands_by_name(store_path: Path, key: str) -> None:
    app = Explorer(store_path, AT["classes"])
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        await press(pilot, key, *"last line", "enter")
        assert app.screen.table.cursor == 2
        await press(pilot, key, *"theme light", "down", "up", "enter")
        assert app.theme == "textual-light"
        await press(pilot, key, *"zzz", "enter", "escape", key, "escape")
        assert isinstance(app.screen, TableScreen)


async def test_a_new_file_is_taken_up_and_the_place_is_kept(tmp_path: Path) -> None:
    path = write_store(tmp_path / "live.h5")
    app = Explorer(path, Start(wish(class_="cat", table="images")))
    async with app.run_test(size=(120, 24)) as pilot:
        await drawn(app)
        await press(pilot, "f", *"is > 10", "enter", "down", "down")
        arrangement = arrangement_of(app)
        write_store(path, images_per_class=(35, 12, 1, 0), models=("alpha", "beta", "gamma"))
        await press(pilot, "slash")
        app.look()
        await drawn(app)
        assert "R reads it again" in lines(app)[0]
        assert app.screen.view.table.length == 30
        await press(pilot, "escape")
        app.look()
        await drawn(app)
        assert app.screen.view.table.length == 35
        assert app.screen.place == place("images", model="alpha", class_=0)
        assert arrangement_of(app) == arrangement
        assert "R reads it again" not in lines(app)[0]
        await press(pilot, "F", "q", "q")
        await drawn(app)
        assert first_cells(app) == ["alpha", "beta", "gamma"]
        path.unlink()
        await press(pilot, "R")
        await drawn(app)
        assert "does not exist" in status(app)
        assert first_cells(app) == ["alpha", "beta", "gamma"]


async def test_a_model_without_scores_is_shown_and_says_why_there_are_no_concepts(bare_path: Path) -> None:
    app = Explorer(bare_path)
    async with app.run_test(size=(120, 30)) as pilot:
        await drawn(app)
        assert "no null space" in " ".join(on_screen(app).split())
        await press(pilot, "enter")
        await drawn(app)
        assert app.screen.table.lines == 3
        await press(pilot, "enter")
        await drawn(app)
        assert "no concept shifts" in on_screen(app)
        for key in ("s", "r", "f", "slash", "e", "y", "d", "p", "n", "G", "right", "enter", "i"):
            await press(pilot, key)
        assert app.screen.place.table == "images"
        assert app.screen.table.lines == 30


@pytest.mark.parametrize(
    ("size", "ascii_only"), [((80, 24), False), ((200, 50), True), ((200, 50), False), ((40, 10), True)]
)
async def test_awkward_text_reaches_the_screen_tame(
    awkward_path: Path, size: tuple[int, int], ascii_only: bool
) -> None:
    app = Explorer(awkward_path, Start(wish(model="a")), ascii_only=ascii_only)
    async with app.run_test(size=size) as pilot:
        await drawn(app)
        text = on_screen(app)
        assert "[red]bold" in text
        assert "bell[31m" in text
        assert ("ネコ" in text) != ascii_only
        for line in range(6):
            for keys in (("i",), ("enter",), ("d",), ("p",), ("question_mark",)):
                await press(pilot, *keys)
                if size[0] > 80 or keys in (("d",), ("p",)):
                    await drawn(app)
                text = on_screen(app)
                assert not [c for c in text if (ord(c) < 32 and c != "\n") or 127 <= ord(c) < 160]
                assert not ascii_only or text.isascii()
                await press(pilot, "escape")
            if size[0] != 80:
                break
            app.screen.table.go(line + 1)
        widths = {strip.cell_length for strip in app.screen._compositor.render_strips()}
        assert widths == {size[0]}


async def test_the_first_frame_is_painted_before_the_file_is_opened(
    store_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames: list[str] = []
    monkeypatch.setattr("sing_tui.opening.Store", lambda path: (frames.append(on_screen(app)), Store(path))[1])
    app = Explorer(store_path)
    async with app.run_test(size=(80, 24)):
        await drawn(app)
        assert "opening results.h5" in frames[0]
        assert "alpha" in on_screen(app)


@pytest.mark.parametrize(
    ("begin", "part"),
    [
        (Start(wish(model="gamma")), "no model 'gamma'"),
        (Start(wish(class_="zebra")), "no class 'zebra'"),
        (Start(wish(model="alpha"), "is >"), "at character 5"),
        (Start(wish(model="alpha"), "", "nothing"), "no column 'nothing'"),
    ],
)
async def test_a_wrong_start_ends_with_one_error(store_path: Path, begin: Start, part: str) -> None:
    app = Explorer(store_path, begin)
    async with app.run_test(size=(80, 24)):
        await drawn(app)
    assert app.return_code == 2
    assert part in str(app.failure)


async def test_a_broken_file_ends_with_one_error(store_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.h5"
    shutil.copy(store_path, path)
    path.write_bytes(path.read_bytes()[:3000])
    app = Explorer(path)
    async with app.run_test(size=(80, 24)):
        await drawn(app)
    assert app.return_code == 2
    assert "not a readable HDF5 file" in str(app.failure)


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


@pytest.mark.parametrize(
    ("system", "no_color", "theme"),
    [("truecolor", False, "textual-dark"), ("256", False, "textual-dark"), ("standard", False, "ansi-dark"),
     (None, False, "ansi-dark"), ("truecolor", True, "ansi-dark")],
)  # fmt: skip
async def test_few_colours_or_none_wanted_means_the_terminals_own(
    system: str | None, no_color: bool, theme: str
) -> None:
    assert choose_theme(system, no_color) == theme


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
        assert all(len(original(y)._segments) == 1 for y in range(2, 20))


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
