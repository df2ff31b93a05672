"""Images in the terminal: what is drawn is decoded again and held against the pixels of the file."""

import io
import os
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from drawings import BLUE, GREEN, RED, WHITE, gradient, save
from PIL import Image
from rich.color import Color
from rich.style import Style
from small_images import decoded, to_tensor
from textual.strip import Strip

from sing_compute import pixel_values
from sing_compute.errors import SingError
from sing_compute.formats import ASCII
from sing_tui import photographs
from sing_tui.photographs import drawing


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


def draw(path: Path, width: int = 20, height: int = 10, colors: photographs.Colors = "truecolor") -> list[Strip]:
    return [Strip(line) for line in photographs.half_cells(path, width, height, colors=colors, ascii_only=False)]


class TestCells:
    @pytest.mark.parametrize("colors", ["truecolor", "256"])
    def test_each_pixel_of_a_planted_image_is_at_its_half_cell(
        self, tmp_path: Path, colors: photographs.Colors
    ) -> None:
        planted = [[RED, GREEN], [BLUE, WHITE]]
        assert seen(draw(save(tmp_path / "a.png", planted), 2, 1, colors)).tolist() == [
            list(map(list, row)) for row in planted
        ]

    def test_a_photograph_keeps_its_shape_in_the_largest_size_that_fits(self, tmp_path: Path) -> None:
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
        self, tmp_path: Path, colors: photographs.Colors, ascii_only: bool
    ) -> None:
        path = save(tmp_path / "a.png", np.tile(np.linspace(0, 255, 200), (50, 1)))
        lines = photographs.half_cells(path, 40, 20, colors=colors, ascii_only=ascii_only)
        strips = [Strip(line) for line in lines]
        assert len(strips) == 5
        for strip in strips:
            assert strip.text.isascii()
            steps = [ASCII.density.index(letter) for letter in strip.text]
            assert steps == sorted(steps)
            assert (steps[0], steps[-1]) == (0, 9)
            assert all(style in (None, Style.null()) for _, style, _ in strip)

    @pytest.mark.parametrize("orientation", range(1, 9))
    @pytest.mark.parametrize("name", ["a.png", "a.tif"])
    def test_the_screen_shows_an_image_that_was_turned_as_the_network_saw_it(
        self, tmp_path: Path, orientation: int, name: str
    ) -> None:
        stored = np.arange(6)[:, None].repeat(3, axis=1).reshape(2, 3, 3) * 50
        exif = Image.Exif()
        exif[0x0112] = orientation
        path = save(tmp_path / name, stored, exif=exif)
        (batch,) = decoded([path], to_tensor, [[0]])
        network = batch.tensors[0][0].permute(1, 2, 0).numpy()
        height, width = network.shape[:2]
        shown = seen(draw(path, width, -(-height // 2)), odd=height % 2 == 1)
        assert np.abs(shown - network).max() <= 5
        if name == "a.png":
            assert np.abs(shown - stored).max() <= 5
        assert batch.turned == ([0] if name == "a.png" and orientation > 1 else [])

    def test_colours_below_transparency_are_shown_as_the_network_saw_them(self, tmp_path: Path) -> None:
        path = save(tmp_path / "a.png", [[(255, 0, 0, 255), (255, 0, 0, 0)], [(255, 255, 255, 128), (0, 0, 0, 0)]])
        shown = seen(draw(path, 2, 1))
        assert np.abs(shown - [[RED, RED], [(255,) * 3, (0,) * 3]]).max() <= 5

    def test_every_kind_of_pixel_is_drawn(self, tmp_path: Path) -> None:
        ramp = np.tile(np.linspace(0, 1, 64), (32, 1))
        grey = Image.fromarray((ramp * 255).astype(np.uint8))
        kinds = {
            "16 bits.png": Image.fromarray((ramp * 65_535).astype(np.uint16)),
            "float.tif": Image.fromarray(ramp.astype(np.float32)),
            "16 bits.jp2": Image.fromarray((ramp * 65_535).astype(np.uint16)),
            "plain.avif": grey.convert("RGB"),
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

    def test_pixels_of_unknown_range_are_not_drawn(self, tmp_path: Path) -> None:
        Image.fromarray(np.full((4, 4), 7e5, np.float32)).save(tmp_path / "a.tif")
        with pytest.raises(
            SingError, match=r"a\.tif cannot be drawn: floats from 700000 to 700000: their range is not known"
        ):
            draw(tmp_path / "a.tif")

    def test_of_an_animation_the_first_picture_is_drawn(self, tmp_path: Path) -> None:
        first, second = (Image.new("RGB", (4, 4), color) for color in (RED, BLUE))
        first.save(tmp_path / "a.gif", save_all=True, append_images=[second])
        assert (seen(draw(tmp_path / "a.gif", 4, 2)) == RED).all()

    def test_a_palette_with_bytes_of_transparency_is_drawn(self, tmp_path: Path) -> None:
        image = Image.new("P", (2, 2), 1)
        image.putpalette([0, 0, 0, 255, 255, 255])
        image.save(tmp_path / "a.png", transparency=b"\x00\xff")
        assert (seen(draw(tmp_path / "a.png", 2, 1)) == 255).all()

    def test_a_photograph_is_decoded_once_until_the_file_changes(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = save(tmp_path / "a.png", np.zeros((4, 4, 3)))
        draw(path)
        opened = []
        decode = drawing.decoded
        monkeypatch.setattr(drawing, "decoded", lambda *a, **k: opened.append(1) or decode(*a, **k))
        draw(path)
        assert not opened
        os.utime(path, ns=(1, 1))
        draw(path)
        assert len(opened) == 1


class TestBroken:
    @pytest.mark.parametrize("way", [
        lambda path: draw(path), lambda path: photographs.kitty(path, 10, 5), lambda path: photographs.sixel(path, 10, 5),
    ])  # fmt: skip
    @pytest.mark.parametrize("content", ["nothing", "text", "half a PNG", "half a JPEG", "noise in a PNG"])
    def test_a_file_that_is_no_image_is_one_line(self, tmp_path: Path, content: str, way: Callable) -> None:
        def encoded(kind: str) -> bytes:
            stream = io.BytesIO()
            Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(stream, kind)
            return stream.getvalue()

        png = encoded("PNG")
        data = {
            "nothing": b"",
            "text": b"not an image",
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
        rgb = pixel_values.rgb
        monkeypatch.setattr(pixel_values, "rgb", lambda image: sizes.append(image.size) or rgb(image))
        shown = seen(draw(path, 40, 16))
        assert sizes == [(125, 100)]
        assert np.abs(shown - gradient(1000, 800).reshape(32, 25, 40, 25, 3).mean(axis=(1, 3))).max() < 8
