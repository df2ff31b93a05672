"""The map on the screen: its picture, the pair under the cursor, its keys, terminals without colours, and the way out."""

import csv
import json
import threading
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from direction_figures import write_directions
from driving import AT, drawn, lines, press, screen_text, strips, until
from rich.color import ColorType
from stores import write_store
from test_contrast import COLOURED, unreadable
from textual.pilot import Pilot

from sing_compute.errors import SingError
from sing_tui.app import Explorer
from sing_tui.maps import reading
from sing_tui.screens import map as map_screen
from sing_tui.screens.map import MapScreen
from sing_tui.widgets.map_grid import MapGrid

LEAK = ("dog", "concept 23", "-40.00")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = write_store(tmp_path_factory.mktemp("maps") / "maps.h5", concepts=60)
    write_directions(path)
    with h5py.File(path, "r+") as file:
        values = np.random.default_rng(3).normal(size=(4, 60)).clip(-2, 2)
        values[0, 0], values[1, 23] = np.nan, -40
        file["models/alpha/concepts/attribute_score"][:] = values
        file["models/alpha/concepts/q"][1, 23], file["models/alpha/concepts/z"][1, 23] = 0.0125, -7.5
    return path


async def on_map(pilot: Pilot[None], *keys: str) -> Explorer:
    """Open the map and press further keys; wait for the figures of the pair under the cursor."""
    app = pilot.app
    assert isinstance(app, Explorer)
    await drawn(app)
    await press(pilot, "M", *keys)
    await until(lambda: isinstance(app.screen, MapScreen) and "95 % interval" in screen_text(app), app)
    return app


def look(app: Explorer, x: int, y: int) -> tuple[str, str]:
    """Colours of the upper and the lower half of a cell of the map, without the line and the names beside it."""
    grid = app.screen.query_one(MapGrid)
    strip = strips(app.screen)[grid.region.y + 1 + y]
    at = grid.names_width + x
    ((text, style, _),) = strip.crop(at, at + 1)
    assert style is not None
    assert style.bgcolor is not None
    assert style.bgcolor.type is ColorType.TRUECOLOR
    below = style.bgcolor.get_truecolor().hex
    return (below if text == " " else style.color.get_truecolor().hex), below


@pytest.fixture(autouse=True)
def _colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
async def test_the_leak_is_first_named_with_interval_z_and_q_and_in_its_colour(
    path: Path, size: tuple[int, int]
) -> None:
    app = Explorer(path, AT["classes"], theme="textual-dark")
    async with app.run_test(size=size) as pilot:
        await on_map(pilot)
        text = screen_text(app)
        assert f"class {LEAK[0]} · {LEAK[1]} · AS {LEAK[2]}°" in text
        assert "z -7.50 · q 0.0125" in text
        assert "maps.h5 › alpha › map of AS: class x concept" in text
        assert "-40.00°" in lines(app)[1]
        assert "1 missing" in lines(app)[1]
        assert lines(app)[3].startswith("›dog")
        await press(pilot, "right")
        assert (
            look(app, 0, 0) == ("#5ab9ff",) * 2
        )  # the cursor has gone on: the strongest blue is the largest negative value


async def test_enter_opens_the_concept_of_the_class_and_the_map_is_found_again_as_it_was(path: Path) -> None:
    app = Explorer(path, AT["classes"])
    async with app.run_test(size=(80, 24)) as pilot:
        await on_map(pilot, *"ozz")
        await press(pilot, "enter")
        await until(lambda: "dog › concepts" in screen_text(app), app)
        await drawn(app)
        assert app.page.place.index("class") == 1
        assert app.page.identity == 23
        await press(pilot, "escape")
        await drawn(app)
        assert "alpha › classes" in screen_text(app)
        await on_map(pilot)
        assert "class dog · concept 23 · AS -40.00°" in screen_text(app)
        assert "order of the file" in lines(app)[1]
        assert app.screen.view.window.level == 2
        await press(pilot, "right", "escape")
        assert app.screen is app.page
        await press(pilot, "enter")
        await until(lambda: "dog › concepts" in screen_text(app), app)
        await drawn(app)
        await press(pilot, "down")
        row = app.page.identity
        await on_map(pilot)  # at the row under the cursor of the table
        assert f"class dog · concept {row} · AS" in screen_text(app)


async def test_keys_move_zoom_sort_and_change_the_figure(path: Path) -> None:
    app = Explorer(path, AT["classes"])
    async with app.run_test(size=(80, 24)) as pilot:
        await on_map(pilot, *"zzz")
        assert "concept 23" in lines(app)[2]
        assert any(LEAK[2] in line for line in lines(app)[3:7])  # near enough, numbers are written in their cells
        await press(pilot, "o")
        await until(lambda: "order of the file" in screen_text(app), app)
        names = [line[:16].strip(" ›") for line in lines(app)[3:21]]
        assert [name for name in names if name] == ["cat", "dog", "owl"]
        assert "concept 23 · AS -40.00°" in screen_text(app)
        await press(pilot, "home", "g")
        assert "class cat · concept 0 · AS -" in screen_text(app)  # a missing value has no number
        await press(pilot, "end", "G")
        assert "class owl · concept 59" in screen_text(app)
        await press(pilot, "full_stop")
        await until(lambda: "map of |AS|" in screen_text(app), app)
        assert "class owl · concept 59 · |AS|" in screen_text(app)
        assert not lines(app)[1].strip().startswith("-")  # lengths begin at zero
        await press(pilot, "comma")
        await until(lambda: "map of AS:" in screen_text(app), app)
        await press(pilot, "t", *"concept 23", "enter")
        await until(lambda: "class dog · concept 23 · AS -40.00°" in screen_text(app), app)
        await press(pilot, "question_mark")
        await until(lambda: "largest magnitude of a block" in screen_text(app), app)
        await press(pilot, "escape")
        assert isinstance(app.screen, MapScreen)


async def test_a_click_puts_the_cursor_there_and_a_key_repaints_little(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = Explorer(path, AT["classes"])
    async with app.run_test(size=(80, 24)) as pilot:
        await on_map(pilot)
        grid = app.screen.query_one(MapGrid)
        tall, wide = app.screen.view.window.here.size
        await pilot.click(MapGrid, offset=(grid.names_width + 3 * wide, 1 + tall // 2))
        assert app.screen.view.window.cursor == (1, 3)
        await until(lambda: "95 % interval" in screen_text(app), app)
        painted: list[int] = []
        plain = MapGrid.refresh
        monkeypatch.setattr(
            MapGrid,
            "refresh",
            lambda self, *regions, **other: (
                painted.append(sum(r.area for r in regions)),
                plain(self, *regions, **other),
            )[1],
        )
        await press(pilot, "right")
        assert 0 < sum(painted) < 80 * 6


@pytest.mark.parametrize(("ascii_only", "no_color"), [(True, False), (False, True)])
async def test_signs_take_the_place_of_colours(
    path: Path, monkeypatch: pytest.MonkeyPatch, ascii_only: bool, no_color: bool
) -> None:
    if no_color:
        monkeypatch.setenv("NO_COLOR", "1")
    app = Explorer(path, AT["classes"], ascii_only=ascii_only)
    async with app.run_test(size=(80, 24)) as pilot:
        await on_map(pilot)
        text = screen_text(app)
        assert "WMmqoci 0 ' ' .:=+*#@" in lines(app)[1]
        assert "? 1 missing" in lines(app)[1]
        assert "▀" not in text
        assert not ascii_only or text.isascii()
        width = app.screen.query_one(MapGrid).names_width
        assert lines(app)[3][width] == "W"  # the leak: the strongest sign below zero
        assert sum(line[width:].count("?") for line in lines(app)[3:21]) > 0


async def test_eddp_is_mapped_by_its_declaration(path: Path) -> None:
    app = Explorer(path, AT["models"])
    async with app.run_test(size=(100, 30)) as pilot:
        await drawn(app)
        await press(pilot, "D")
        await until(lambda: "alpha › directions" in screen_text(app), app)
        await press(pilot, "M")
        await until(lambda: "map of margin: direction x class" in screen_text(app), app)
        await press(pilot, "enter")
        await until(lambda: "› direction classes" in screen_text(app), app)


async def test_an_export_holds_every_pair(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    app = Explorer(path, AT["classes"])
    async with app.run_test(size=(100, 30)) as pilot:
        await on_map(pilot)
        await press(pilot, "e")
        await until(lambda: "maps-alpha-classes-map_attribute_score.csv" in screen_text(app), app)
        await press(pilot, "enter")
        await until(lambda: "180 rows in" in screen_text(app), app)
    with (tmp_path / "maps-alpha-classes-map_attribute_score.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert (rows[0]["class"], rows[0]["concept"], float(rows[0]["attribute_score"])) == ("dog", "concept 23", -40)
    assert len({(row["class"], row["concept"]) for row in rows}) == 180
    assert json.dumps([row["attribute_score"] for row in rows]).count('""') == 1


async def test_what_cannot_be_read_is_said_and_closing_works_meanwhile(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()

    def slow(*_: object) -> None:
        release.wait(60)
        raise SingError("the file is damaged")

    monkeypatch.setattr(map_screen, "read", slow)
    app = Explorer(path, AT["classes"])
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        await press(pilot, "M")
        await until(lambda: "reading ..." in screen_text(app), app)
        await press(pilot, "q")
        assert app.screen is app.page
        await press(pilot, "M", "z", "j", "o", "enter", "e")  # nothing is there yet
        assert isinstance(app.screen, MapScreen)
        await until(lambda: "there is no map here yet" in screen_text(app), app)
        release.set()
        await until(lambda: "the file is damaged" in screen_text(app), app)
    assert reading.read is not slow


async def test_keys_pressed_before_the_map_is_there_take_effect(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()

    def slow(*arguments: Any) -> reading.MapRead:
        release.wait(60)
        return reading.read(*arguments)

    monkeypatch.setattr(map_screen, "read", slow)
    app = Explorer(path, AT["classes"])
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        await press(pilot, *"Mozj")
        release.set()
        await until(
            lambda: "class owl" in screen_text(app), app
        )  # in the order of the file behind dog, where the leak is
        assert app.screen.view.window.level == 1


@pytest.mark.parametrize("theme", COLOURED[:2])
async def test_text_around_and_in_the_map_is_readable(path: Path, theme: str) -> None:
    app = Explorer(path, AT["classes"], theme=theme)
    async with app.run_test(size=(80, 24)) as pilot:
        await on_map(pilot, *"zzz", "right")
        bad = {one for one in unreadable(app) if set(one[3]) - {"▀"}}
        assert not bad, sorted(bad)


@pytest.mark.parametrize("size", [(10, 3), (30, 8)])
async def test_small_terminals_show_what_fits(path: Path, size: tuple[int, int]) -> None:
    app = Explorer(path, AT["classes"])
    async with app.run_test(size=size) as pilot:
        await drawn(app)
        await press(pilot, "M")
        await until(lambda: isinstance(app.screen, MapScreen) and app.screen.view is not None, app)
        await press(pilot, *"zzzjlZZo")
        assert {strip.cell_length for strip in strips(app.screen)} == {size[0]}
