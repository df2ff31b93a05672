"""What makes it a home: the finder, the palette, what is remembered, the user's keys, live runs, photographs, plain terminals."""

import json
import os
import re
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from driving import burst, lines, on_screen, press, settle
from PIL import Image
from rich.cells import cell_len
from stores import write_store
from terminal import Terminal
from textual.pilot import Pilot
from textual.widgets import OptionList

from sing_compute.store import Store
from sing_tui.actions import NAMES
from sing_tui.app import Explorer, Opening
from sing_tui.cli import main
from sing_tui.opening import HINT, anew
from sing_tui.place import Place
from sing_tui.screens.finder import FinderScreen
from sing_tui.screens.palette import Palette
from sing_tui.screens.photo import Picture
from sing_tui.settings import State, read_config, read_state, write_state
from sing_tui.start import LEVELS, Start, Wish

WIDE = "ネコ科の動物たちと長い長い名前の犬"


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    return tmp_path / "state" / "sing-tui" / "state.json"


def status(app: Explorer) -> str:
    return app.screen.query_one("#status").left


def place_line(app: Explorer) -> str:
    return lines(app)[0]


# the finder


async def found(pilot: Pilot, words: str, *, down: int = 0) -> None:
    """Type words into the finder, and take the hit so many lines down."""
    await press(pilot, "t")
    assert isinstance(pilot.app.screen, FinderScreen)
    await press(pilot, *words)
    await press(pilot, *["down"] * down, "enter")
    await settle(pilot)


@pytest.mark.parametrize(
    ("words", "place", "identity"),
    [
        ("class dog", Place("concepts", "beta", 1), None),
        ("class 2", Place("concepts", "beta", 2), None),
        ("concept 17", Place("classes", "beta", concept=17), None),
        ("dog/00035", Place("images", "beta", 1), 35),
        ("image 42", Place("images", "beta", 2), 42),
        ("model alp", Place("classes", "alpha"), None),
    ],
)
async def test_the_finder_lands_on_what_was_chosen_and_escape_comes_back(
    store_path: Path, words: str, place: Place, identity: int | None
) -> None:
    app = Explorer(store_path, Start(Wish(class_name="cat", model="beta")))
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        below = app.screen
        await press(pilot, "down", "down", "down")
        before = (below.place, below.identity, below.arrangement)
        await found(pilot, words)
        assert app.screen.place == place
        assert identity is None or app.screen.identity == identity
        if place.concept is not None:
            assert f"concept {place.concept}" in place_line(app)
        await press(pilot, "escape")
        await settle(pilot)
        assert app.screen is below
        item = before[1] if place.concept is None else place.concept  # the cursor follows to the concept
        assert (below.place, below.identity, below.arrangement) == (before[0], item, before[2])


@pytest.mark.parametrize("level", LEVELS)
async def test_the_finder_opens_from_every_level_and_leaves_it_as_it_was(store_path: Path, level: str) -> None:
    begin = Start(Wish(table=level, model="alpha", class_name="cat" if level in ("concepts", "images") else None))
    app = Explorer(store_path, begin)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        below = app.screen
        await press(pilot, "down")
        place, line = below.place, below.table.cursor
        await press(pilot, "t", *"zzqq", "enter")
        assert "nothing found" in on_screen(app)
        await press(pilot, "escape")
        assert app.screen is below
        await found(pilot, "class owl")
        assert app.screen.place == Place("concepts", "alpha", 2)
        await press(pilot, "h")
        await settle(pilot)
        assert (app.screen, below.place) == (below, place)
        if level != "classes":  # there the cursor follows to the class
            assert below.table.cursor == (0 if level == "models" else line)


async def test_a_class_is_found_by_its_wordnet_id(tmp_path: Path) -> None:
    import h5py

    path = write_store(tmp_path / "wnid.h5", models=("alpha",))
    with h5py.File(path, "a") as file:
        file["classes/wnid"] = np.array([b"n02121808", b"n02084071", b"n01621127", b""], "S9")
    app = Explorer(path)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await found(pilot, "n02084071")
        assert app.screen.place == Place("concepts", "alpha", 1)


# the palette


async def test_in_the_palette_a_number_is_a_line_and_commands_have_their_ids(store_path: Path) -> None:
    app = Explorer(store_path, Start(Wish(class_name="cat")))
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "colon", *"42")
        assert "go to line 42" in on_screen(app)
        await press(pilot, "enter")
        assert app.screen.table.cursor == 41
        await press(pilot, "colon", *"9999", "enter")
        assert app.screen.table.cursor == 59
        await press(pilot, "colon", *"0", "enter")
        assert app.screen.table.cursor == 0
        await press(pilot, "colon")
        assert isinstance(app.screen, Palette)
        offered = [str(option.prompt) for option in app.screen.query_one(OptionList).options]
        ids = {match[1] for text in offered if (match := re.match(r".{15} (\S+): ", text))}
        assert {"finder", "find-anything"} & ids
        assert ids <= NAMES
        assert {"export", "sort", "filter", "link", "next-class"} <= ids
        await press(pilot, *"unsort", "enter")
        assert app.screen.arrangement.sort == ""


# what is remembered


async def test_the_hint_is_shown_once(store_path: Path, memory: Path) -> None:
    for again in (False, True):
        app = Explorer(store_path, memory=memory)
        async with app.run_test(size=(100, 24)) as pilot:
            await settle(pilot)
            assert (HINT in on_screen(app)) != again
            await press(pilot, "down")
            assert HINT not in on_screen(app)
            await press(pilot, "Q")
        assert read_state(memory).hint_seen


async def test_the_last_place_is_taken_up_only_where_nothing_else_was_asked_for(store_path: Path, memory: Path) -> None:
    app = Explorer(store_path, memory=memory)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "down", "enter", "down", "i", "f", *"as > -1", "enter")
        await press(pilot, "asterisk", "n", "down", "space", "down", "down", "space", "enter")
        await press(pilot, "right", "s", "r", "down", "down", "down")
        left = app.screen
        kept = (left.place, left.arrangement, left.identity, left.chosen_columns, left.table.cursor)
        assert left.place == Place("images", "beta", 1)
        assert len(kept[3]) >= 2
        await press(pilot, "Q")
    app = Explorer(store_path, memory=memory)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        back = app.screen
        assert (back.place, back.arrangement, back.identity, back.chosen_columns, back.table.cursor) == kept
        assert [column.name for column in back.table.columns] == [kept[3][0], *kept[3][1:]]
        await press(pilot, "escape", "escape")
        assert (app.screen.place, app.screen.identity) == (Place("classes", "beta"), 1)
        await press(pilot, "escape")
        assert (app.screen.place, app.screen.identity) == (Place(), 1)
    for begin, where in ((Start(Wish(model="alpha")), memory), (Start(), None)):
        app = Explorer(store_path, begin, memory=where)
        async with app.run_test(size=(80, 24)) as pilot:
            await settle(pilot)
            assert app.screen.place == (Place("classes", "alpha") if where else Place())
            assert app.screen.arrangement.filter == ""


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
            await settle(pilot)
            await press(pilot, *(() if again else keys))
            places.append((app.screen.place, app.screen.arrangement, app.screen.table.cursor))
            await press(pilot, "Q")
    assert places[0] == places[1]
    assert places[0][0] != Place()


@pytest.mark.parametrize(
    "change",
    [
        {"wish": {"model": "gamma"}},
        {"wish": {"class_name": "zebra", "table": "concepts"}},
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
    from dataclasses import asdict

    start = asdict(Start(Wish(table="classes", model="alpha")))
    wish = start["wish"] | change["wish"] if isinstance(change.get("wish"), dict) else change.get("wish", start["wish"])
    write_state(memory, State(places={os.path.realpath(store_path): {**start, **change, "wish": wish}}))
    app = Explorer(store_path, memory=memory)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert app.failure is None
        assert app.screen.place == Place()
        assert app.screen.table.lines == 2


async def test_a_row_beyond_the_end_is_the_last_one(store_path: Path, memory: Path) -> None:
    from dataclasses import asdict

    start = asdict(Start(Wish(table="classes", model="alpha"), row=10**9))
    write_state(memory, State(places={os.path.realpath(store_path): start}))
    app = Explorer(store_path, memory=memory)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert (app.screen.place, app.screen.table.cursor) == (Place("classes", "alpha"), 2)


async def test_a_theme_chosen_in_the_palette_is_kept(store_path: Path, memory: Path) -> None:
    app = Explorer(store_path, memory=memory)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "colon", *"theme gruv", "enter")
        assert app.theme == "gruvbox"
        await press(pilot, "Q")
    kept = read_state(memory)
    assert kept.theme == "gruvbox"
    assert kept.place(store_path)  # and the place beside it


# the user's keys


async def test_keys_of_the_users_own_replace_the_old_ones_everywhere(store_path: Path, tmp_path: Path) -> None:
    settings = tmp_path / "config.toml"
    settings.write_text('[keys]\nexport = "f5,w"\nfind-anything = "f6"\n')
    config = read_config(settings, NAMES)
    app = Explorer(store_path, Start(Wish(model="alpha")), keys=config.keys)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        screen = app.screen
        assert "f6 find anything" in lines(app)[-1]
        await press(pilot, "t", "e")
        assert app.screen is screen
        await press(pilot, "f6")
        assert isinstance(app.screen, FinderScreen)
        await press(pilot, "escape", "f5")
        assert "csv" in on_screen(app)
        assert app.screen is not screen
        await press(pilot, "escape", "question_mark", *"export")
        assert any(re.search(r" f5 w +export ", line) for line in lines(app))
        assert not any(re.search(r" e +export ", line) for line in lines(app))
        await press(pilot, "escape", "colon", *"export:")
        assert "f5 w" in on_screen(app)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ('[keys]\nexprot = "x"\n', "is export meant?"),
        ('theme = "pink"\n', "no theme 'pink'; there are: textual-dark"),
        ("mouse = 3\n", "mouse is true or false, not 3"),
        ("[keys\n", "is no TOML"),
        ('graphics = "paint"\n', "graphics is one of kitty"),
    ],
)
def test_a_wrong_setting_is_one_line(store_path: Path, tmp_path: Path, text: str, part: str) -> None:
    folder = tmp_path / "config" / "sing-tui"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text(text)
    code, said = ended(tmp_path, store_path)
    assert code == 2
    assert part in said
    assert said.count("sing-tui: error:") == 1
    assert "Traceback" not in said


# a run at work


@pytest.fixture
def run_state(tmp_path: Path) -> Path:
    (tmp_path / "new.h5.work").mkdir()
    return tmp_path / "new.h5.work" / "progress.json"


def leave(path: Path, **changes: object) -> None:
    now = time.time()
    state = {
        "version": 1, "task": "features", "done": 420, "total": 1000, "rate": 2.0, "started": now - 200,
        "task_started": now - 139, "written": now, "pid": os.getpid(), "host": os.uname().nodename,
        "command": "sing-compute",
    }  # fmt: skip
    path.write_text(json.dumps(state | changes))


async def looked(app: Explorer, pilot: Pilot) -> None:
    """As the timer does every two seconds."""
    app.look()
    await app.workers.wait_for_complete()
    await pilot.pause(0.05)


async def test_a_file_that_is_still_computed_is_waited_for_and_opened(tmp_path: Path, run_state: Path) -> None:
    leave(run_state)
    path = tmp_path / "new.h5"
    app = Explorer(path, Start(Wish(model="beta"), "dog"))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause(0.05)
        await looked(app, pilot)
        assert isinstance(app.screen, Opening)
        assert "at work on new.h5: features 42%, 4:50 left" in on_screen(app)
        leave(run_state, done=990)
        await looked(app, pilot)
        assert "99%, 0:05 left" in on_screen(app)
        leave(run_state, pid=2**22 + 1)
        await looked(app, pilot)
        assert "no run is at work on it; q leaves" in on_screen(app)
        write_store(path)
        run_state.unlink()
        await looked(app, pilot)
        await settle(pilot)
        assert app.screen.place == Place("classes", "beta")
        assert app.screen.table.lines == 1


async def test_the_wait_for_a_file_can_be_left(tmp_path: Path, run_state: Path) -> None:
    leave(run_state)
    app = Explorer(tmp_path / "new.h5", memory=tmp_path / "state.json")
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause(0.05)
        await pilot.press("q")
        await pilot.pause()
        assert app._exit
    assert app.return_code == 0


@pytest.mark.parametrize("ascii_only", [False, True])
async def test_a_run_that_adds_to_the_file_shows_how_far_it_is(
    tmp_path: Path, run_state: Path, ascii_only: bool
) -> None:
    path = write_store(tmp_path / "new.h5")
    app = Explorer(path, Start(Wish(model="alpha")), ascii_only=ascii_only)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        leave(run_state, task="ネコ: scores")
        await looked(app, pilot)
        name = "??" if ascii_only else "ネコ"
        assert place_line(app).rstrip().endswith(f"sing-compute: {name}: scores 42%, 4:50 left")
        assert cell_len(place_line(app)) == 80
        leave(run_state, pid=2**22 + 1)
        await looked(app, pilot)
        assert place_line(app).rstrip().endswith("features 42%, stalled")
        await press(pilot, "enter")
        assert "stalled" in place_line(app)
        run_state.unlink()
        await looked(app, pilot)
        assert "sing-compute" not in place_line(app)


async def test_marks_filter_sort_and_row_outlive_a_new_file(tmp_path: Path) -> None:
    path = write_store(tmp_path / "live.h5")
    app = Explorer(path, Start(Wish(model="alpha", class_name="cat")))
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "f", *"kind = colour", "enter", "space", "space", "down", "equals_sign")
        screen = app.screen
        before = (screen.place, screen.arrangement, screen.identity, set(screen.marks))
        assert len(before[3]) == 2
        write_store(path, models=("alpha", "beta", "gamma"), seed=1)
        await looked(app, pilot)
        await settle(pilot)
        assert app.screen is screen
        assert len(app.store.models) == 3
        assert (screen.place, screen.arrangement, screen.identity, screen.marks) == before
        with Store(path) as store:
            score = store.array("models/beta/concepts/attribute_score_abs")[0]
        assert screen.view.table.column("attribute_score_abs.beta").values.all() == pytest.approx(score)


# photographs


@pytest.fixture
def photos(tmp_path: Path, store_path: Path) -> Path:
    """Photographs of the images of one class but for the last: each of one colour of its own."""
    with Store(store_path) as store:
        keys = [str(key) for key in store.array("images/key")[30:42]]
    for k, key in enumerate(keys[:-1]):
        path = tmp_path / "photos" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (12, 8), (20 * k, 255 - 20 * k, 90)).save(path)
    return tmp_path / "photos"


def shade(app: Explorer) -> list[float]:
    """The mean red, green and blue of the drawing of the image itself; empty where there is none."""
    styles = [segment.style for strip in app.screen.query_one(Picture).shown.strips for segment in strip]
    seen = [c.get_truecolor() for style in styles for c in (style.color, style.bgcolor) if c is not None and c.triplet]
    return np.mean(seen, axis=0).tolist() if seen else []


async def test_photographs_are_shown_and_gone_through(store_path: Path, photos: Path) -> None:
    app = Explorer(store_path, Start(Wish(class_name="dog", table="images"), sort="-"), images=photos)
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        below = app.screen
        await press(pilot, "P")
        await settle(pilot)
        assert shade(app) == pytest.approx([0, 255, 90], abs=9)
        for key, k in (("j", 1), ("j", 2), ("k", 1)):
            await press(pilot, key)
            await settle(pilot)
            assert shade(app) == pytest.approx([20 * k, 255 - 20 * k, 90], abs=9)
            assert below.table.cursor == k
        await press(pilot, "escape")
        assert app.screen is below
        assert below.identity == 31
        await press(pilot, "G", "P")
        await settle(pilot)
        assert not shade(app)
        assert "not on this machine: --images DIR says" in " ".join(on_screen(app).split())
        assert {strip.cell_length for strip in app.screen._compositor.render_strips()} == {100}


async def test_without_a_folder_the_photograph_says_what_is_missing(store_path: Path) -> None:
    app = Explorer(store_path, Start(Wish(class_name="dog", table="images")))
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "P")
        await settle(pilot)
        assert "--images DIR does" in " ".join(on_screen(app).split())


# terminals of all kinds


def environment(folder: Path, **more: str) -> dict[str, str]:
    return {"XDG_CONFIG_HOME": str(folder / "config"), "XDG_STATE_HOME": str(folder / "state")} | more


def ended(folder: Path, path: Path, *options: str, **more: str) -> tuple[int, str]:
    """Exit code and words of a program that does not get as far as a screen."""
    command = [sys.executable, "-m", "sing_tui", str(path), *options]
    with Terminal(command, size=(200, 24), environment=environment(folder, **more)) as app:
        return app.wait_end(), bytes(app.output).decode()


@pytest.mark.parametrize(
    ("more", "options", "part"),
    [
        ({"TERM": "dumb"}, (), "TERM=dumb"),
        ({"TERM": ""}, (), "cannot place text"),
        ({}, ("--theme", "pink"), "no theme 'pink'; there are: textual-dark, textual-light"),
    ],
)
def test_where_no_screen_can_be_a_line_says_what_can(
    store_path: Path, tmp_path: Path, more: dict[str, str], options: tuple[str, ...], part: str
) -> None:
    code, said = ended(tmp_path, store_path, *options, **more)
    assert code == 2
    assert part in said
    assert "\x1b" not in said
    assert len(said.strip().splitlines()) == 1


def test_without_a_terminal_a_line_names_the_headless_twin(store_path: Path) -> None:
    done = CliRunner().invoke(main, [str(store_path)])
    assert done.exit_code == 2
    assert "this is no terminal" in done.output
    command = re.search(r"use: sing-tui FILE (.*)", done.output)
    twin = CliRunner().invoke(main, [str(store_path), *command[1].split()])
    assert twin.exit_code == 0
    assert [line.partition(",")[0] for line in twin.output.splitlines()] == ["model", "alpha", "beta"]


@pytest.mark.parametrize("more", [{"NO_COLOR": "1"}, {"TERM": "xterm", "COLORTERM": ""}], ids=["none", "sixteen"])
def test_few_colours_or_none_are_the_terminals_own(store_path: Path, tmp_path: Path, more: dict[str, str]) -> None:
    write_state(tmp_path / "state" / "sing-tui" / "state.json", State(hint_seen=True))
    command = [sys.executable, "-m", "sing_tui", str(store_path)]
    with Terminal(command, size=(80, 24), environment=environment(tmp_path, **more)) as app:
        app.wait_for(" 1 of ")
        app.wait_quiet(0.1)
        app.send("Q")
        assert app.wait_end() == 0
        codes = re.findall(rb"\x1b\[([0-9;]*)m", bytes(app.output))
    assert codes
    assert not [code for code in codes if b"38;" in code or b"48;" in code]


# names in two-cell characters


@pytest.fixture(scope="module")
def wide_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("wide") / "wide.h5"
    names = (WIDE, "cat", "犬", "🦉 owl e\u0301")
    return write_store(path, models=("模型", "beta"), class_names=names, images_per_class=(5, 5, 5, 5))


@pytest.mark.parametrize("size", [(80, 24), (120, 30), (40, 10)])
async def test_east_asian_names_keep_the_columns_under_one_another(wide_path: Path, size: tuple[int, int]) -> None:
    app = Explorer(wide_path)
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        for keys in ((), ("enter",), ("equals_sign",), ("escape", "enter"), ("i",), ("t", "犬"), ("escape", "4")):
            await press(pilot, *keys)
            await settle(pilot)
            assert {cell_len(line) for line in lines(app)} == {size[0]}, keys
            if keys == ("enter",) and size[0] > 40:
                ends = set()
                for name in ("犬", "cat", "🦉"):
                    line = next(line for line in lines(app) if line.startswith(f" {name}"))
                    ends.add(cell_len(line[: re.search(r"[+-]\d+\.\d\d", line).end()]))
                assert len(ends) == 1


async def test_keys_typed_ahead_of_a_table_wait_for_it(store_path: Path) -> None:
    app = Explorer(store_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "enter")
        await settle(pilot)
        screen = app.screen
        screen.load()
        screen.view = None  # as on a slow disk, where the first table takes its time
        burst("f", *"cat", "enter", app=app)
        await settle(pilot)
        assert app.screen is screen
        assert screen.arrangement.filter == "cat"


async def test_threads_that_report_after_the_end_of_the_screen_are_not_heard(store_path: Path) -> None:
    """The watch for a new file, and the reader of one, may be at work when the app ends."""
    app = Explorer(store_path)
    async with app.run_test() as pilot:
        await settle(pilot)
        found = anew(store_path)
    assert not app.screen_stack
    app._looked(None, True)
    app._show(found)
    found.store.close()
