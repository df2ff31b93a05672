"""The screen of one photograph and those nearest to it."""

import io
import re
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from drawings import BLUE, GREEN, RED, rastered, save, unpacked
from driving import handled, lines, press, screen_text, strips, until, widget_text
from PIL import Image
from rich.style import Style
from stores import write_store
from textual.app import App
from textual.pilot import Pilot

from sing_compute.formats import ASCII, UNICODE
from sing_compute.store import Store
from sing_compute.store.place import Place
from sing_tui import photographs
from sing_tui.captions import Figure
from sing_tui.screens.photograph import PhotographScreen
from sing_tui.store_catalog import StoreCatalog
from sing_tui.widgets.figure_lines import figure_lines, figures_fit
from sing_tui.widgets.photograph_room import Shares, share_room
from sing_tui.widgets.photographs import Neighbours, Photograph, Rendering


class Host(App[None]):
    """An app with nothing but what a test pushes."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[str] = []


COLORS = {"cat": RED, "dog": GREEN, "owl": BLUE}


@pytest.fixture(scope="session")
def pictured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results file whose images are here: red cats, green dogs, a blue owl, 40 x 40 pixels each."""
    folder = tmp_path_factory.mktemp("pictured")
    path = write_store(folder / "results.h5", seed=3)
    with Store(path) as store:
        keys = [str(key) for key in store.array("images/key")]
    for key in keys[:-2]:
        save(folder / "images" / key, np.full((40, 40, 3), COLORS[key.partition("/")[0]]))
    save(folder / "images" / keys[-2], np.zeros((4, 4))).write_bytes(b"broken")  # the last dog; the owl is absent
    with h5py.File(path, "r+") as file:
        file["images"].attrs["root"] = np.bytes_(folder / "images")
        file["models/alpha/images/nearest_before"][0, :3] = [30, 42, 2]
        file["models/alpha/images/nearest_after"][0, :3] = [1, 41, 31]
    return path


def photographed(store: Store, model: str, row: int, **how: object) -> PhotographScreen:
    """The screen of one image of a model."""
    place = Place.of("images", model=model)
    return PhotographScreen(store, place, row, StoreCatalog(store).neighbours(place), **how)


def is_complete(app: Host) -> bool:
    """Return True if the photograph of the row and its neighbours are there, or why they are not."""
    if not isinstance(app.screen, PhotographScreen):
        return False
    rendered = [photograph.rendering.name for photograph in app.screen.query(Photograph)]
    near = [not neighbours.display or bool(neighbours.rows) for neighbours in app.screen.query(Neighbours)]
    return len(rendered) == 1 and all(rendered) and all(near)


async def complete(pilot: Pilot) -> None:
    """Wait until everything is shown, and painted."""
    await until(lambda: is_complete(pilot.app), pilot.app)
    await handled(pilot.app)


async def closed(pilot: Pilot, key: str) -> None:
    """Press a key that closes the screen."""
    await press(pilot, key)
    await until(lambda: not isinstance(pilot.app.screen, PhotographScreen), pilot.app)


def painted(app: Host, color: tuple[int, int, int], columns: slice) -> int:
    """Half-cells of a colour in some columns of the screen."""
    found = 0
    for strip in strips(app.screen):
        for text, style, _ in strip.crop(columns.start, columns.stop):
            if style is not None and text and set(text) <= {" ", "▀"}:
                lower = style.bgcolor and tuple(style.bgcolor.get_truecolor()) == color
                upper = style.color and text[0] == "▀" and tuple(style.color.get_truecolor()) == color
                found += len(text) * ((lower or 0) + ((lower if text[0] == " " else upper) or 0))
    return found


@pytest.mark.asyncio
class TestScreen:
    async def test_an_image_stands_at_the_left_and_its_neighbours_at_the_right(self, pictured: Path) -> None:
        with Store(pictured) as store:
            app = Host()
            async with app.run_test(size=(80, 24)) as pilot:
                app.push_screen(photographed(store, "alpha", 0, glyphs=UNICODE))
                await complete(pilot)
                text = screen_text(app)
                assert "images nearest to T(f) in CLIP space" in text
                assert "images nearest to T(f~) in CLIP space" in text
                assert "cat/00000.png" in text
                names = [rendering.name[-6:-4] for row in app.screen.query_one(Neighbours).rows for rendering in row]
                assert names == ["30", "42", "02", "01", "41", "31"]
                assert all(f"{name}.png" in text for name in names)
                assert painted(app, RED, slice(0, 41)) == 40 * 40
                assert painted(app, GREEN, slice(0, 41)) == 0
                assert painted(app, RED, slice(41, 80)) == painted(app, GREEN, slice(41, 80)) == 2 * 11 * 11
                assert "--images" in text  # the owl is not on this machine
                assert "drawn" in text  # the last dog is broken
                await closed(pilot, "escape")

    @pytest.mark.parametrize("size", [(40, 10), (59, 30), (20, 5)])
    async def test_on_a_small_screen_stands_the_image_alone(self, pictured: Path, size: tuple[int, int]) -> None:
        with Store(pictured) as store:
            app = Host()
            async with app.run_test(size=size) as pilot:
                app.push_screen(photographed(store, "alpha", 0, glyphs=UNICODE))
                await complete(pilot)
                assert "nearest" not in screen_text(app)
                assert painted(app, RED, slice(0, size[0])) > 0

    async def test_names_alone_stand_where_pictures_are_too_small(self, pictured: Path) -> None:
        with Store(pictured) as store:
            app = Host()
            async with app.run_test(size=(80, 10)) as pilot:
                app.push_screen(photographed(store, "alpha", 0, glyphs=UNICODE))
                await complete(pilot)
                assert painted(app, RED, slice(18, 80)) == 0
                assert sum("dog/0" in line[18:] for line in lines(app)) == 3

    async def test_steps_go_through_the_table_and_end_with_it(self, pictured: Path) -> None:
        rows, asked = iter([1, 30, None]), []

        def step(lines: int) -> int | None:
            asked.append(lines)
            return next(rows)

        with Store(pictured) as store:
            app = Host()
            async with app.run_test(size=(80, 24)) as pilot:
                app.push_screen(photographed(store, "alpha", 0, glyphs=UNICODE, step=step))
                await complete(pilot)
                shown = []
                for key in ("j", "down", "k"):
                    await press(pilot, key)
                    await complete(pilot)
                    shown.append((app.screen.row, painted(app, GREEN, slice(0, 40)) > 0))
                assert asked == [1, 1, -1]
                assert shown == [(1, False), (30, True), (30, True)]
                assert "dog/00030.png" in "\n".join(line[:40] for line in lines(app))

    async def test_what_was_read_for_another_row_or_size_is_dropped(self, pictured: Path) -> None:
        with Store(pictured) as store:
            app = Host()
            async with app.run_test(size=(80, 24)) as pilot:
                screen = photographed(store, "alpha", 0, glyphs=UNICODE)
                app.push_screen(screen)
                await complete(pilot)
                now = screen.wanted
                for wanted in (replace(now, row=1), replace(now, width=40), replace(now, turn=1)):
                    screen.post_message(PhotographScreen.Read(wanted, Shares(78, 21), Rendering("late")))
                await handled(pilot.app)
                assert "late" not in screen_text(app)

    async def test_ascii_paints_nothing_else(self, pictured: Path) -> None:
        with Store(pictured) as store:
            app = Host()
            async with app.run_test(size=(80, 24)) as pilot:
                app.push_screen(photographed(store, "alpha", 0, glyphs=ASCII))
                await complete(pilot)
                assert screen_text(app).isascii()
                assert "-" * 36 in screen_text(app)  # red is a dark grey

    async def test_without_the_images_the_reason_stands_in_their_place(self, store_path: Path) -> None:
        with Store(store_path) as store:
            app = Host()
            async with app.run_test(size=(80, 24)) as pilot:
                app.push_screen(photographed(store, "alpha", 0, glyphs=UNICODE, folder=Path("nowhere")))
                await complete(pilot)
                photograph = app.screen.query_one(Photograph)
                text = widget_text(photograph)
                assert "nowhere/cat/00000.png is not on this machine: --images DIR says where the images are" in text
                assert photograph.region.width == 24  # a note leaves the room to the figures

    async def test_awkward_names_and_a_model_without_a_null_space(self, awkward_path: Path, bare_path: Path) -> None:
        for path, model in ((awkward_path, "a"), (bare_path, "vgg")):
            with Store(path) as store:
                app = Host()
                async with app.run_test(size=(80, 24)) as pilot:
                    app.push_screen(photographed(store, model, 17, glyphs=UNICODE))
                    await complete(pilot)
                    text = screen_text(app)
                    assert "\x1b" not in text
                    assert "\x07" not in text
                    assert ("not computed" in text) == (model == "vgg")

    async def test_what_comes_after_the_page_was_closed_is_dropped(self, pictured: Path) -> None:
        with Store(pictured) as store:
            app = Host()
            async with app.run_test(size=(80, 24)) as pilot:
                page = photographed(store, "alpha", 0, glyphs=UNICODE, graphics="kitty")
                app.push_screen(page)
                await complete(pilot)
                await closed(pilot, "q")
                await until(lambda: not page.children, app)
                page._draw()
                page.read()
                page.show_read(page.Read(page.wanted, Shares(80, 22), Rendering()))

    @pytest.mark.parametrize("graphics", ["kitty", "sixel"])
    async def test_a_better_terminal_is_sent_the_drawing_and_told_to_remove_it(
        self, pictured: Path, graphics: photographs.Graphics, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("TMUX", raising=False)
        with Store(pictured) as store:
            app = Host()
            async with app.run_test(size=(80, 24)) as pilot:
                written: list[str] = []
                monkeypatch.setattr(app._driver, "write", written.append)
                app.push_screen(photographed(store, "alpha", 0, glyphs=UNICODE, graphics=graphics))
                await complete(pilot)
                drawn = [text for text in written if "\x1b_Ga=T" in text or "\x1bP0;1;0q" in text]
                assert len(drawn) == 1
                place, sequence = re.fullmatch(r"\x1b7(\x1b\[\d+;\d+H)(.*)\x1b8", drawn[0], re.DOTALL).groups()
                assert place == "\x1b[2;2H"
                assert painted(app, RED, slice(0, 40)) == 0
                assert painted(app, RED, slice(40, 80)) > 0
                if graphics == "kitty":
                    assert (np.asarray(Image.open(io.BytesIO(unpacked(sequence)[1]))) == RED).all()
                else:
                    assert (rastered(sequence) == np.array(RED) / 2.55).all()
                erased: list[object] = []
                picture = app.screen.query_one(Photograph)
                monkeypatch.setattr(picture, "refresh", lambda *regions, **_: erased.append(regions))
                app.screen.show_row(1)
                assert () in erased  # the whole picture, whatever its lines were
                last = len(written)
                await closed(pilot, "q")
                assert any("\x1b_Ga=d" in text for text in written[last:]) == (graphics == "kitty")


FIGURES = [Figure(f"title {number}", "9" * (1 + number % 8), incorrect=number == 1) for number in range(14)]
"""As many as the images table has."""


def plain(part: str) -> Style:
    """A style for any part of a text."""
    return Style(bold=part == "warning")


@pytest.mark.parametrize("ratio", [0.5, 1.0, 1.5, 3.0])
@pytest.mark.parametrize("size", [(78, 21), (198, 47), (98, 27), (60, 8), (59, 30), (20, 4), (140, 12)])
def test_photograph_figures_and_neighbours_share_the_room(size: tuple[int, int], ratio: float) -> None:
    for rows in (0, 1, 2):
        room = share_room(*size, ratio, FIGURES, rows)
        width, height = room.small
        assert room.main_width + (0 if room.is_alone else 1 + room.beside) == size[0]
        assert 3 * (width + 1) - 1 <= room.beside or not height
        near = rows * (height + 2 if height else 4) if width else 0
        assert near + (0 if room.are_below else room.figure_lines) <= size[1] or size[1] < 8
        assert room.main_height + 1 + (room.figure_lines if room.are_below else 0) == size[1]
        assert figures_fit(FIGURES, room.figure_width, room.figure_lines) or size not in ((78, 21), (198, 47), (98, 27))


@pytest.mark.parametrize(("width", "height"), [(120, 3), (120, 14), (60, 5), (37, 7), (37, 2), (12, 3), (5, 1), (0, 4)])
def test_figures_that_have_no_room_are_counted(width: int, height: int) -> None:
    strips = figure_lines(FIGURES, width, height, UNICODE, plain)
    assert len(strips) <= height
    assert {strip.cell_length for strip in strips} <= {width}
    text = " ".join(strip.text for strip in strips)
    shown = sum(f"{figure.title} {figure.value}" in " ".join(text.split()) for figure in FIGURES)
    hidden = re.search(r"(\d+) more", text)
    if width >= 37:
        assert shown + (int(hidden[1]) if hidden else 0) == len(FIGURES)
        assert [segment.text.strip() for strip in strips for segment in strip if segment.style.bold] == ["99"]
