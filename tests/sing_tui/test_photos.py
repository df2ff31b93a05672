"""Images in the terminal: what is drawn is decoded again and held against the pixels of the file."""

import base64
import io
import os
import re
import shutil
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image
from rich.color import Color
from rich.style import Style
from stores import write_store
from textual.app import App
from textual.pilot import Pilot
from textual.strip import Strip

from sing_compute.errors import SingError
from sing_compute.store import Store
from sing_tui import photos
from sing_tui.formats import ASCII, UNICODE
from sing_tui.screens.photo import Layout, PhotoScreen, Picture, Shown

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def save(path: Path, pixels: object, **how: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(pixels, dtype=np.uint8)).save(path, **how)
    return path


def seen(strips: list[Strip], *, odd: bool = False) -> np.ndarray:
    """The pixels that a terminal shows for half-cells, (row, column, channel)."""
    rows = []
    for strip in strips:
        upper, lower = [], []
        for text, style, _ in strip:
            assert style is not None
            assert set(text) in ({" "}, {"▀"})
            above = style.bgcolor if text[0] == " " else style.color
            upper += [above.get_truecolor()] * len(text)
            lower += [None if style.bgcolor is None else style.bgcolor.get_truecolor()] * len(text)
        rows += [upper, lower]
    if odd:
        assert set(rows.pop()) == {None}
    return np.array(rows)


def drawn(style: Style) -> list[Color]:
    return [color for color in (style.color, style.bgcolor) if color is not None]


def draw(path: Path, width: int = 20, height: int = 10, colors: photos.Colors = "truecolor") -> list[Strip]:
    return photos.cells(path, width, height, colors=colors, ascii_only=False)


def gradient(width: int, height: int) -> np.ndarray:
    across, down = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return np.stack([across, down, 255 - across], axis=-1)


class TestCells:
    @pytest.mark.parametrize("colors", ["truecolor", "256"])
    def test_each_pixel_of_a_planted_image_is_at_its_half_cell(self, tmp_path: Path, colors: photos.Colors) -> None:
        planted = [[RED, GREEN], [BLUE, WHITE]]
        assert seen(draw(save(tmp_path / "a.png", planted), 2, 1, colors)).tolist() == [
            list(map(list, row)) for row in planted
        ]

    def test_a_picture_keeps_its_shape_in_the_largest_size_that_fits(self, tmp_path: Path) -> None:
        wide = draw(save(tmp_path / "wide.png", np.zeros((30, 90, 3))), 20, 10)
        assert (wide[0].cell_length, len(wide)) == (20, 4)  # 20 x 6.67 pixels: 7 rows of them
        tall = draw(save(tmp_path / "tall.png", np.zeros((200, 50, 3))), 20, 10)
        assert (tall[0].cell_length, len(tall)) == (5, 10)
        assert seen(wide, odd=True).shape == (7, 20, 3)

    def test_a_gradient_stays_where_it_was(self, tmp_path: Path) -> None:
        pixels = gradient(300, 200)
        shown = seen(draw(save(tmp_path / "a.png", pixels), 30, 10))
        means = pixels.reshape(20, 10, 30, 10, 3).mean(axis=(1, 3))
        assert np.abs(shown - means).max() < 6  # half a step of 255 / 31, and what the filter does at the edge
        assert abs(shown.mean() - pixels.mean()) < 1

    def test_runs_of_one_colour_are_one_piece(self, tmp_path: Path) -> None:
        noise = np.random.default_rng(0).integers(100, 102, (20, 20, 3))  # below a step
        assert [len(strip) for strip in draw(save(tmp_path / "a.png", noise), 20, 10)] == [1] * 10

    def test_without_true_colour_the_nearest_of_the_256_are_taken(self, tmp_path: Path) -> None:
        path = save(tmp_path / "a.png", gradient(40, 40))
        shown = seen(draw(path, 40, 20, "256"))
        known = np.array([Color.from_ansi(number).get_truecolor() for number in range(16, 256)])
        pixels = np.asarray(Image.open(path)).astype(int)
        best = ((pixels[:, :, None] - known) ** 2).sum(axis=-1).min(axis=-1)
        assert (((shown - pixels) ** 2).sum(axis=-1) - best).max() < 300  # Pillow compares colours at six bits
        numbers = {
            color.number for strip in draw(path, 40, 20, "256") for _, style, _ in strip for color in drawn(style)
        }
        assert numbers <= set(range(16, 256))

    def test_sixteen_colours_keep_the_mean_by_dithering(self, tmp_path: Path) -> None:
        pixels = np.full((40, 40, 3), 127)
        strips = draw(save(tmp_path / "a.png", pixels), 40, 20, "16")
        numbers = {color.number for strip in strips for _, style, _ in strip for color in drawn(style)}
        assert numbers <= set(range(16))
        assert len(numbers) > 1
        levels = np.array([[170 * (n >> bit & 1) + 85 * (n >> 3) for bit in range(3)] for n in range(16)])
        cells_ = [
            levels[color.number]
            for strip in strips
            for text, style, _ in strip
            for color in ((style.bgcolor,) * 2 if text[0] == " " else (style.color, style.bgcolor))
            for _ in text
        ]
        assert np.abs(np.mean(cells_, axis=0) - 127).max() < 8

    @pytest.mark.parametrize(("colors", "ascii_only"), [("truecolor", True), ("none", False)])
    def test_without_colours_letters_get_denser_with_light(
        self, tmp_path: Path, colors: photos.Colors, ascii_only: bool
    ) -> None:
        path = save(tmp_path / "a.png", np.tile(np.linspace(0, 255, 200), (50, 1)))
        strips = photos.cells(path, 40, 20, colors=colors, ascii_only=ascii_only)
        assert len(strips) == 5
        for strip in strips:
            assert strip.text.isascii()
            steps = [ASCII.density.index(letter) for letter in strip.text]
            assert steps == sorted(steps)
            assert (steps[0], steps[-1]) == (0, 9)
            assert all(style in (None, Style.null()) for _, style, _ in strip)

    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_the_camera_may_have_lain_on_its_side(self, tmp_path: Path, orientation: int) -> None:
        # where TIFF 6.0 says that the first row and the first column of the file are, seen upright
        sides = {1: "TL", 2: "TR", 3: "BR", 4: "BL", 5: "LT", 6: "RT", 7: "RB", 8: "LB"}[orientation]
        upright = np.arange(6)[:, None].repeat(3, axis=1).reshape(2, 3, 3) * 50
        stored = upright.transpose(1, 0, 2) if sides[0] in "LR" else upright
        stored = stored[::-1] if sides[0] in "BR" else stored
        stored = stored[:, ::-1] if sides[1] in "BR" else stored
        exif = Image.Exif()
        exif[0x0112] = orientation
        shown = seen(draw(save(tmp_path / "a.png", stored, exif=exif), 3, 1))
        assert np.abs(shown - upright).max() <= 5

    def test_what_shines_through_lies_on_grey(self, tmp_path: Path) -> None:
        path = save(tmp_path / "a.png", [[(255, 0, 0, 255), (255, 0, 0, 0)], [(255, 255, 255, 128), (0, 0, 0, 0)]])
        shown = seen(draw(path, 2, 1))
        assert np.abs(shown - [[RED, (128,) * 3], [(192,) * 3, (128,) * 3]]).max() <= 5

    def test_every_kind_of_pixel_is_drawn(self, tmp_path: Path) -> None:
        ramp = np.tile(np.linspace(0, 1, 64), (32, 1))
        grey = Image.fromarray((ramp * 255).astype(np.uint8))
        kinds = {
            "16 bits.png": Image.fromarray((ramp * 65_535).astype(np.uint16)),
            "float.tif": Image.fromarray(ramp.astype(np.float32)),
            "wide.tif": Image.fromarray((ramp * 1e6).astype(np.int32)),
            "cmyk.jpg": grey.convert("CMYK"),
            "palette.png": grey.convert("P"),
            "palette.gif": grey.convert("P"),
            "two.png": grey.convert("LA"),
            "luma.tif": grey.convert("YCbCr"),
            "plain.pgm": grey,
            "plain.bmp": grey,
            "plain.webp": grey.convert("RGB"),
        }
        for name, image in kinds.items():
            image.save(tmp_path / name)
            shown = seen(draw(tmp_path / name, 32, 8)).mean(axis=(0, 2))
            assert np.abs(shown - ramp[0].reshape(32, 2).mean(axis=1) * 255).max() < 12, name

    def test_of_an_animation_the_first_picture_is_drawn(self, tmp_path: Path) -> None:
        first, second = (Image.new("RGB", (4, 4), color) for color in (RED, BLUE))
        first.save(tmp_path / "a.gif", save_all=True, append_images=[second])
        assert (seen(draw(tmp_path / "a.gif", 4, 2)) == RED).all()

    def test_a_palette_with_bytes_of_transparency_is_drawn(self, tmp_path: Path) -> None:
        image = Image.new("P", (2, 2), 1)
        image.putpalette([0, 0, 0, 255, 255, 255])
        image.save(tmp_path / "a.png", transparency=b"\x00\xff")
        assert (seen(draw(tmp_path / "a.png", 2, 1)) == 255).all()

    def test_a_picture_is_decoded_once_until_the_file_changes(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = save(tmp_path / "a.png", np.zeros((4, 4, 3)))
        draw(path)
        opened = []
        decode = photos._decoded
        monkeypatch.setattr(photos, "_decoded", lambda *a, **k: opened.append(1) or decode(*a, **k))
        draw(path)
        assert not opened
        os.utime(path, ns=(1, 1))
        draw(path)
        assert len(opened) == 1


class TestBroken:
    @pytest.mark.parametrize("way", [
        lambda path: draw(path), lambda path: photos.kitty(path, 10, 5), lambda path: photos.sixel(path, 10, 5),
    ])  # fmt: skip
    @pytest.mark.parametrize("content", ["nothing", "text", "half a PNG", "half a JPEG", "noise in a PNG"])
    def test_a_file_that_is_no_picture_is_one_line(self, tmp_path: Path, content: str, way: Callable) -> None:
        def encoded(kind: str) -> bytes:
            stream = io.BytesIO()
            Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(stream, kind)
            return stream.getvalue()

        png = encoded("PNG")
        data = {
            "nothing": b"",
            "text": b"not a picture",
            "half a PNG": png[: len(png) // 2],
            "half a JPEG": encoded("JPEG")[:1500],
            "noise in a PNG": png[:200] + bytes(100) + png[300:],
        }[content]
        (tmp_path / "a.png").write_bytes(data)
        with pytest.raises(SingError) as caught:
            way(tmp_path / "a.png")
        assert "a.png" in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_postscript_is_not_even_read(self, tmp_path: Path) -> None:
        (tmp_path / "a.png").write_bytes(
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n"
        )
        with pytest.raises(SingError, match="is not an image that can be drawn"):
            draw(tmp_path / "a.png")

    def test_too_many_pixels_are_refused_before_they_are_decoded(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = save(tmp_path / "a.png", np.zeros((100, 150)))
        for most in (10_000, 5_000):  # Pillow warns above its limit and refuses above twice that
            monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", most)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                with pytest.raises(SingError, match=r"cannot be drawn.*15000 pixels"):
                    draw(path, most // 1000)

    def test_what_is_no_file_is_refused(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        for path in (tmp_path, tmp_path / "pipe", tmp_path / "absent.png"):
            with pytest.raises(SingError):
                draw(path)

    def test_a_large_jpeg_is_decoded_small(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = save(tmp_path / "a.jpg", gradient(1000, 800))
        sizes = []
        plain = photos._plain
        monkeypatch.setattr(photos, "_plain", lambda image: sizes.append(image.size) or plain(image))
        shown = seen(draw(path, 40, 16))
        assert sizes == [(125, 100)]
        assert np.abs(shown - gradient(1000, 800).reshape(32, 25, 40, 25, 3).mean(axis=(1, 3))).max() < 8


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory, store_path: Path) -> Iterator[Store]:
    folder = tmp_path_factory.mktemp("located")
    path = Path(shutil.copy(store_path, folder))
    with h5py.File(path, "r+") as file:
        file["images"].attrs["root"] = np.bytes_(folder / "images")
    for name in ("images/cat/1.png", "elsewhere/cat/1.png", "secret.png"):
        save(folder / name, [[RED]])
    (folder / "images/loop").symlink_to(folder / "images/loop")
    (folder / "images/out.png").symlink_to(folder / "secret.png")
    with Store(path) as store:
        yield store


class TestLocate:
    def test_an_image_is_below_the_folder_given_else_where_it_was_computed(self, stored: Store) -> None:
        assert photos.locate(stored, "cat/1.png", None) == stored.path.parent / "images/cat/1.png"
        assert (
            photos.locate(stored, "cat/1.png", stored.path.parent / "elsewhere")
            == stored.path.parent / "elsewhere/cat/1.png"
        )

    @pytest.mark.parametrize("folder", [None, "elsewhere"])
    @pytest.mark.parametrize(
        "key", ["", ".", "..", "../secret.png", "cat/../../secret.png", "/secret.png", "{}/secret.png"]
    )
    def test_a_key_does_not_lead_out(self, stored: Store, key: str, folder: str | None) -> None:
        with pytest.raises(SingError):
            photos.locate(stored, key.format(stored.path.parent), folder and stored.path.parent / folder)

    @pytest.mark.parametrize("key", ["cat/2.png", "cat", "cat/\0.png", "x" * 5000, "loop", "\ud800.png"])
    def test_what_is_not_there_is_a_line_that_says_what_to_do(self, stored: Store, key: str) -> None:
        with pytest.raises(SingError, match=r"--images DIR|x\.\.\.$"):
            photos.locate(stored, key, None)

    def test_links_out_of_the_folder_count_where_the_user_named_it(self, stored: Store) -> None:
        with pytest.raises(SingError, match="link out of"):
            photos.locate(stored, "out.png", None)
        assert photos.locate(stored, "out.png", stored.path.parent / "images").is_file()

    def test_a_file_without_a_folder_asks_for_one(self, store: Store) -> None:
        with pytest.raises(SingError, match="--images DIR"):
            photos.locate(store, "cat/1.png", None)


def unpacked(sequence: str) -> tuple[dict[str, str], bytes]:
    """Keys and payload of a drawing by Kitty's protocol."""
    keys, data, more = {}, "", True
    for control, payload in re.findall(r"\x1b_G([^;\x1b]*);([^\x1b]*)\x1b\\", sequence):
        assert more
        assert len(payload) <= 4096
        found = dict(pair.split("=") for pair in control.split(","))
        more = found.pop("m") == "1"
        assert not (keys and found)
        keys |= found
        data += payload
    assert not more
    return keys, base64.b64decode(data, validate=True)


def rastered(sequence: str) -> np.ndarray:
    """The pixels of a sixel sequence in percent, NaN where none was set."""
    match = re.fullmatch(r'\x1bP0;1;0q"1;1;(\d+);(\d+)(.*)\x1b\\', sequence)
    assert match is not None
    width, height = int(match[1]), int(match[2])
    pixels = np.full((-(-height // 6) * 6, width, 3), np.nan)
    palette, color, x, y = {}, 0, 0, 0
    for token in re.finditer(r"#(\d+)(?:;2;(\d+);(\d+);(\d+))?|!(\d+)([?-~])|([?-~])|([$-])", match[3]):
        number, *levels, count, repeated, single, move = token.groups()
        if number is not None:
            color = int(number)
            if levels[0] is not None:
                palette[color] = tuple(map(int, levels))
        elif move is not None:
            x, y = 0, y + 6 * (move == "-")
        else:
            bits, times = ord(repeated or single) - 63, int(count or 1)
            for bit in range(6):
                if bits >> bit & 1:
                    pixels[y + bit, x : x + times] = palette[color]
            x += times
    assert np.isnan(pixels[height:]).all()
    return pixels[:height]


class TestSequences:
    def test_kitty_gets_the_pixels_of_the_file(self, tmp_path: Path) -> None:
        pixels = np.random.default_rng(0).integers(0, 255, (60, 90, 3))
        sequence = photos.kitty(save(tmp_path / "a.png", pixels), 30, 20)
        keys, data = unpacked(sequence)
        assert (np.asarray(Image.open(io.BytesIO(data))) == pixels).all()
        assert keys == {"a": "T", "f": "100", "q": "2", "C": "1", "i": keys["i"], "c": "30", "r": "10"}
        assert f"i={keys['i']}," in photos.kitty_clear()
        assert sequence.count("\x1b_G") == -(-len(base64.b64encode(data)) // 4096) > 1

    def test_through_tmux_the_same_sequences_come_out(self, tmp_path: Path) -> None:
        path = save(tmp_path / "a.png", np.random.default_rng(0).integers(0, 255, (60, 90, 3)))
        wrapped = re.findall(r"\x1bPtmux;((?:[^\x1b]|\x1b\x1b)*)\x1b\\", photos.kitty(path, 30, 20, tmux=True))
        assert "".join(wrapped).replace("\x1b\x1b", "\x1b") == photos.kitty(path, 30, 20)

    def test_large_pictures_are_sent_in_the_size_of_their_cells(self, tmp_path: Path) -> None:
        keys, data = unpacked(photos.kitty(save(tmp_path / "a.png", np.zeros((3000, 1500, 3))), 30, 20))
        assert Image.open(io.BytesIO(data)).size == (200, 400)
        assert (keys["c"], keys["r"]) == ("20", "20")

    def test_a_sixel_decoder_sees_the_picture(self, tmp_path: Path) -> None:
        pixels = gradient(100, 70).round()
        shown = rastered(photos.sixel(save(tmp_path / "a.png", pixels), 10, 7, (10, 10)))
        assert shown.shape == (70, 100, 3)
        error = np.abs(shown * 2.55 - pixels)
        assert error.mean() < 8  # 128 colours for a plane of 7,000
        assert error.max() < 40

    def test_few_colours_are_kept_by_sixels(self, tmp_path: Path) -> None:
        flag = np.repeat(np.repeat([[RED, GREEN], [BLUE, WHITE]], 20, axis=0), 20, axis=1)
        sequence = photos.sixel(save(tmp_path / "a.png", flag), 4, 2)
        assert (rastered(sequence) == flag / 2.55).all()
        assert len(sequence) < 400  # runs

    @pytest.mark.parametrize(("environ", "expected"), [
        ({"TERM": "xterm-256color"}, "cells"), ({}, "cells"), ({"TERM": "xterm-kitty"}, "kitty"),
        ({"TERM": "xterm-256color", "KITTY_WINDOW_ID": "1"}, "kitty"), ({"TERM_PROGRAM": "WezTerm"}, "kitty"),
        ({"TERM_PROGRAM": "ghostty"}, "kitty"), ({"KONSOLE_VERSION": "220401"}, "kitty"),
        ({"KONSOLE_VERSION": "210800"}, "cells"), ({"TERM": "foot"}, "sixel"),
        ({"TERM": "mlterm"}, "sixel"), ({"TERM": "yaft-sixel"}, "sixel"),
        ({"TERM": "xterm-kitty", "TMUX": "x"}, "cells"), ({"TERM": "screen", "KITTY_WINDOW_ID": "1"}, "cells"),
        ({"TERM": "foot", "STY": "1"}, "cells"),
    ])  # fmt: skip
    def test_the_environment_says_what_the_terminal_draws(self, environ: dict[str, str], expected: str) -> None:
        assert photos.graphics(environ) == expected


class TestAsking:
    @pytest.mark.parametrize(("answers", "expected"), [
        ((b"\x1b_Gi=31;OK\x1b\\", b"\x1b[?62;c"), "kitty"),
        ((b"\x1b_Gi=31;ENOTSUPPORTED\x1b\\\x1b[?62;22c",), "cells"),
        ((b"\x1b[?62;4;22c",), "sixel"),
        ((b"\x1b[?6", b"2;4c"), "sixel"),
        ((b"\x1b[?62;14;22c",), "cells"),
        ((), "cells"),
    ])  # fmt: skip
    def test_a_terminal_is_asked_and_left_as_it_was(self, answers: tuple[bytes, ...], expected: str) -> None:
        import termios

        ours, theirs = os.openpty()
        asked = b""

        def answer() -> None:
            nonlocal asked
            while not asked.endswith(b"\x1b[c"):
                asked += os.read(ours, 1024)
            for part in answers:
                os.write(ours, part)

        before = termios.tcgetattr(theirs)
        terminal = threading.Thread(target=answer)
        terminal.start()
        try:
            assert photos.ask_terminal(theirs, theirs, timeout=2.0 if answers else 0.1) == expected
            assert termios.tcgetattr(theirs) == before
        finally:
            terminal.join()
            os.close(ours)
            os.close(theirs)
        assert asked.startswith(b"\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;")

    def test_what_is_no_terminal_is_not_asked(self, tmp_path: Path) -> None:
        with open(tmp_path / "file", "w+b") as file:
            assert photos.ask_terminal(file.fileno(), file.fileno()) == "cells"
            assert file.tell() == 0


class Host(App[None]):
    """An app with nothing but what a test pushes."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[str] = []

    def lines(self) -> list[str]:
        return ["".join(segment.text for segment in strip) for strip in self.screen._compositor.render_strips()]


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


async def settle(pilot: Pilot) -> None:
    for _ in range(2):
        await pilot.pause()
        await pilot.app.workers.wait_for_complete()
    await pilot.pause()


def painted(app: Host, color: tuple[int, int, int], columns: slice) -> int:
    """Half-cells of a colour in some columns of the screen."""
    found = 0
    for strip in app.screen._compositor.render_strips():
        for text, style, _ in Strip(strip).crop(columns.start, columns.stop):
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
                app.push_screen(PhotoScreen(store, "alpha", 0, glyphs=UNICODE))
                await settle(pilot)
                text = "\n".join(app.lines())
                assert "nearest to T(f), null part kept" in text
                assert "nearest to T(f~), null part removed" in text
                assert "cat/00000.png" in text
                assert text.count("g/0") == 3  # neighbours 30, 41 and 31
                assert painted(app, RED, slice(0, 40)) == 39 * 39
                assert painted(app, GREEN, slice(0, 40)) == 0
                assert painted(app, RED, slice(40, 80)) == painted(app, GREEN, slice(40, 80)) == 2 * 12 * 12
                assert "--images" in text  # the owl is not on this machine
                assert "can be drawn" in text  # the last dog is broken
                await press_and_settle(pilot, "escape")
                assert not isinstance(app.screen, PhotoScreen)

    @pytest.mark.parametrize("size", [(40, 10), (59, 30), (20, 5)])
    async def test_on_a_small_screen_stands_the_image_alone(self, pictured: Path, size: tuple[int, int]) -> None:
        with Store(pictured) as store:
            app = Host()
            async with app.run_test(size=size) as pilot:
                app.push_screen(PhotoScreen(store, "alpha", 0, glyphs=UNICODE))
                await settle(pilot)
                assert "nearest" not in "\n".join(app.lines())
                assert painted(app, RED, slice(0, size[0])) > 0

    async def test_names_alone_stand_where_pictures_are_too_small(self, pictured: Path) -> None:
        with Store(pictured) as store:
            app = Host()
            async with app.run_test(size=(80, 10)) as pilot:
                app.push_screen(PhotoScreen(store, "alpha", 0, glyphs=UNICODE))
                await settle(pilot)
                assert painted(app, RED, slice(40, 80)) == 0
                assert sum("dog/0" in line[40:] for line in app.lines()) == 3

    async def test_steps_go_through_the_table_and_end_with_it(self, pictured: Path) -> None:
        rows, asked = iter([1, 30, None]), []

        def step(lines: int) -> int | None:
            asked.append(lines)
            return next(rows)

        with Store(pictured) as store:
            app = Host()
            async with app.run_test(size=(80, 24)) as pilot:
                app.push_screen(PhotoScreen(store, "alpha", 0, glyphs=UNICODE, step=step))
                await settle(pilot)
                shown = []
                for key in ("j", "down", "k"):
                    await press_and_settle(pilot, key)
                    shown.append((app.screen.row, painted(app, GREEN, slice(0, 40)) > 0))
                assert asked == [1, 1, -1]
                assert shown == [(1, False), (30, True), (30, True)]
                assert "dog/00030.png" in "\n".join(line[:40] for line in app.lines())

    async def test_what_was_read_for_another_row_or_size_is_dropped(self, pictured: Path) -> None:
        with Store(pictured) as store:
            app = Host()
            async with app.run_test(size=(80, 24)) as pilot:
                screen = PhotoScreen(store, "alpha", 0, glyphs=UNICODE)
                app.push_screen(screen)
                await settle(pilot)
                for wanted in ((1, screen.room), (0, Layout(40, 10))):
                    screen.post_message(PhotoScreen.Read(wanted, Shown("late"), ()))
                await settle(pilot)
                assert "late" not in "\n".join(app.lines())

    async def test_ascii_paints_nothing_else(self, pictured: Path) -> None:
        with Store(pictured) as store:
            app = Host()
            async with app.run_test(size=(80, 24)) as pilot:
                app.push_screen(PhotoScreen(store, "alpha", 0, glyphs=ASCII))
                await settle(pilot)
                assert "\n".join(app.lines()).isascii()
                assert "-" * 36 in "\n".join(app.lines())  # red is a dark grey

    async def test_without_the_images_the_reason_stands_in_their_place(self, store_path: Path) -> None:
        with Store(store_path) as store:
            app = Host()
            async with app.run_test(size=(80, 24)) as pilot:
                app.push_screen(PhotoScreen(store, "alpha", 0, glyphs=UNICODE, folder=Path("nowhere")))
                await settle(pilot)
                text = " ".join(line[1:40].strip() for line in app.lines())
                assert "nowhere/cat/00000.png is not on this machine: --images DIR says where the images are" in text

    async def test_awkward_names_and_a_model_without_a_null_space(self, awkward_path: Path, bare_path: Path) -> None:
        for path, model in ((awkward_path, "a"), (bare_path, "vgg")):
            with Store(path) as store:
                app = Host()
                async with app.run_test(size=(80, 24)) as pilot:
                    app.push_screen(PhotoScreen(store, model, 17, glyphs=UNICODE))
                    await settle(pilot)
                    text = "\n".join(app.lines())
                    assert "\x1b" not in text
                    assert "\x07" not in text
                    assert ("not computed" in text) == (model == "vgg")

    @pytest.mark.parametrize("graphics", ["kitty", "sixel"])
    async def test_a_better_terminal_is_sent_the_drawing_and_told_to_remove_it(
        self, pictured: Path, graphics: photos.Graphics, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("TMUX", raising=False)
        with Store(pictured) as store:
            app = Host()
            async with app.run_test(size=(80, 24)) as pilot:
                written: list[str] = []
                monkeypatch.setattr(app._driver, "write", written.append)
                app.push_screen(PhotoScreen(store, "alpha", 0, glyphs=UNICODE, graphics=graphics))
                await settle(pilot)
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
                picture = app.screen.query_one(Picture)
                monkeypatch.setattr(picture, "refresh", lambda *regions, **_: erased.append(regions))
                app.screen.row = 1
                app.screen.read()
                assert () in erased  # the whole picture, whatever its lines were
                last = len(written)
                await press_and_settle(pilot, "q")
                assert any("\x1b_Ga=d" in text for text in written[last:]) == (graphics == "kitty")


async def press_and_settle(pilot: Pilot, key: str) -> None:
    await pilot.press(key)
    await settle(pilot)
