"""Conveniences: the finder, the palette, the user's keys, photographs, names in two-cell characters, keys typed ahead."""

import re
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from catalogs import place
from driving import (
    arrangement_of,
    burst,
    drawn,
    ended,
    lines,
    on_screen,
    place_line,
    press,
    strips,
    until,
    widget_text,
    wish,
)
from PIL import Image
from rich.cells import cell_len
from stores import write_store
from textual.pilot import Pilot
from textual.widgets import OptionList

from sing_compute.store import Store
from sing_tui import opening
from sing_tui.app import Explorer
from sing_tui.key_list import NAMES
from sing_tui.screens.finder import FinderScreen
from sing_tui.screens.palette import Palette
from sing_tui.settings import read_config
from sing_tui.start import Start
from sing_tui.widgets.photographs import Photograph

WIDE = "ネコ科の動物たちと長い長い名前の犬"


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    return tmp_path / "state" / "sing-tui" / "state.json"


# the finder


async def found(pilot: Pilot, words: str, *, down: int = 0) -> None:
    """Type words into the finder, and take the hit so many lines down."""
    await press(pilot, "t")
    assert isinstance(pilot.app.screen, FinderScreen)
    await press(pilot, *words)
    await press(pilot, *["down"] * down, "enter")
    await drawn(pilot.app)


async def test_the_finder_lands_on_what_was_chosen_and_escape_comes_back(store_path: Path) -> None:
    """`test_finding.py` has the place of every kind of hit."""
    app = Explorer(store_path, Start(wish(class_="cat", model="beta")))
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        page = app.page
        await press(pilot, "down", "down", "down")
        before = (page.place, page.identity, arrangement_of(app))
        await press(pilot, "t", *"zzqq", "enter")
        assert "nothing found" in on_screen(app)
        await press(pilot, "escape")
        assert app.screen is page
        await found(pilot, "dog/00035")
        assert (page.place, page.identity) == (place("images", model="beta", class_=1), 35)
        await press(pilot, "escape")
        await drawn(app)
        assert (page.place, page.identity, arrangement_of(app)) == before
        await found(pilot, "concept 17")
        assert page.place == place("concepts", along="class", model="beta", concept=17)
        assert "concept 17" in place_line(app)
        await press(pilot, "escape")
        await drawn(app)
        assert (page.place, page.identity) == (before[0], 17)  # the cursor follows to the concept


# the palette


async def test_in_the_palette_a_number_is_a_line_and_commands_have_their_ids(store_path: Path) -> None:
    app = Explorer(store_path, Start(wish(class_="cat")))
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
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
        ids = {text[16:].partition(":")[0].replace(" ", "-") for text in offered if text[2:15].strip()}
        assert ids <= NAMES
        assert {"find-anything", "export", "sort", "filter", "link", "next-last"} <= ids
        await press(pilot, *"unsort", "enter")
        assert arrangement_of(app).sort == ""


# the user's keys


async def test_keys_of_the_users_own_replace_the_old_ones_everywhere(store_path: Path, tmp_path: Path) -> None:
    settings = tmp_path / "config.toml"
    settings.write_text('[keys]\nexport = "f5,w"\nfind-anything = "f6"\n')
    config = read_config(settings, NAMES)
    app = Explorer(store_path, Start(wish(model="alpha")), keys=config.keys)
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
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
        await press(pilot, "escape", "colon", *"export")
        assert "f5 w" in on_screen(app)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ('[keys]\nexprot = "x"\n', "is export meant?"),
        ('theme = "pink"\n', "no theme 'pink'; there are: textual-dark"),
        ('graphics = "paint"\n', "graphics is one of kitty"),
    ],
)
def test_a_wrong_setting_is_one_line(store_path: Path, tmp_path: Path, text: str, part: str) -> None:
    """`test_settings.py` has the mistakes that reading the file finds."""
    folder = tmp_path / "config" / "sing-tui"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text(text)
    code, said = ended(tmp_path, store_path)
    assert code == 2
    assert part in said
    assert said.count("sing-tui: error:") == 1
    assert "Traceback" not in said


# photographs


@pytest.fixture
def photos(tmp_path: Path, store_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Photographs of one class but its last image, each in another colour, in a folder named the same on every machine."""
    with Store(store_path) as store:
        keys = [str(key) for key in store.array("images/key")[30:42]]
    for k, key in enumerate(keys[:-1]):
        path = tmp_path / "photos" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (12, 8), (20 * k, 255 - 20 * k, 90)).save(path)
    monkeypatch.chdir(tmp_path)
    return Path("photos")


def shade(app: Explorer) -> list[float]:
    """The mean red, green and blue of the drawing of the image itself; empty where there is none."""
    styles = [segment.style for strip in app.screen.query_one(Photograph).rendering.strips for segment in strip]
    seen = [c.get_truecolor() for style in styles for c in (style.color, style.bgcolor) if c is not None and c.triplet]
    return np.mean(seen, axis=0).tolist() if seen else []


async def test_photographs_are_shown_and_gone_through(store_path: Path, photos: Path) -> None:
    app = Explorer(store_path, Start(wish(class_="dog", table="images"), sort="-"), images=photos)
    async with app.run_test(size=(100, 30)) as pilot:
        await drawn(app)
        below = app.screen
        await press(pilot, "P")
        await drawn(app)
        assert shade(app) == pytest.approx([0, 255, 90], abs=9)
        for key, k in (("j", 1), ("j", 2), ("k", 1)):
            await press(pilot, key)
            await drawn(app)
            assert shade(app) == pytest.approx([20 * k, 255 - 20 * k, 90], abs=9)
            assert below.table.cursor == k
        await press(pilot, "escape")
        assert app.screen is below
        assert below.identity == 31
        await press(pilot, "G", "P")
        await drawn(app)
        assert not shade(app)
        reason = "photos/dog/00041.png is not on this machine: --images DIR says where the images are"
        assert widget_text(app.screen.query_one(Photograph)) == f"{reason} dog/00041.png"
        assert {strip.cell_length for strip in strips(app.screen)} == {100}


async def test_without_a_folder_the_photograph_says_what_is_missing(store_path: Path) -> None:
    app = Explorer(store_path, Start(wish(class_="dog", table="images")))
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        await press(pilot, "P")
        await drawn(app)
        assert "--images DIR does" in " ".join(on_screen(app).split())


# names in two-cell characters


@pytest.fixture(scope="module")
def wide_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("wide") / "wide.h5"
    names = (WIDE, "cat", "犬", "🦉 owl e\u0301")
    return write_store(path, models=("模型", "beta"), class_names=names, images_per_class=(5, 5, 5, 5))


@pytest.mark.parametrize("size", [(120, 30), (40, 10)])
async def test_east_asian_names_keep_the_columns_under_one_another(wide_path: Path, size: tuple[int, int]) -> None:
    app = Explorer(wide_path)
    async with app.run_test(size=size) as pilot:
        await drawn(app)
        for keys in ((), ("enter",), ("equals_sign",), ("escape", "enter"), ("i",), ("t", "犬"), ("escape", "4")):
            await press(pilot, *keys)
            await drawn(app)
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
        await drawn(app)
        await press(pilot, "enter")
        await drawn(app)
        screen = app.screen
        screen.drawn[-1].view = None  # as on a slow disk, where the first table takes its time
        screen.reading.read()
        burst("f", *"cat", "enter", app=app)
        await drawn(app)
        assert app.screen is screen
        assert arrangement_of(app).filter == "cat"


async def test_q_at_the_first_table_does_not_wait_for_it(store_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read, begun, go = opening.read_table, threading.Event(), threading.Event()

    def slow(*arguments: Any) -> Any:
        begun.set()
        go.wait(60)
        return read(*arguments)

    monkeypatch.setattr(opening, "read_table", slow)
    app = Explorer(store_path)
    async with app.run_test(size=(80, 24)):
        await until(begun.is_set, app)
        burst("q", app=app)
        await until(lambda: app._exit, app)
        go.set()
