"""Photographs as a terminal draws them: cells with two coloured halves, Kitty's protocol, sixels."""

import base64
import io
import re
from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING, Any, Literal

from rich.color import Color
from rich.segment import Segment
from rich.style import Style

from sing_compute.formats import ASCII
from sing_tui.clipboard import through_tmux
from sing_tui.photographs.files import Source, Stamp, decoded, fitted, stamp_of

if TYPE_CHECKING:
    from PIL.Image import Image

Colors = Literal["truecolor", "256", "16", "none"]
Line = tuple[Segment, ...]
"""One line of a terminal: pieces of text, each in one style."""

CELL = (10, 20)
"""Width and height of a cell in pixels where the terminal does not say."""
_NO_PIXEL = -1
_LEVELS = 31
"""Steps of a colour channel in half-cells: fewer make longer runs of one colour, so fewer bytes."""
_KITTY_ID = 7_464
_SIXEL_COLORS = 128
"""Half of what the protocol allows: a quarter fewer bytes, and half the time."""
_CHUNK = 4096
"""Bytes of a piece of a drawing by Kitty's protocol."""
_CUBE = (0, 95, 135, 175, 215, 255)


def half_cells(path: Source, width: int, height: int, *, colors: Colors, ascii_only: bool) -> list[Line]:
    """Draw a photograph with two pixels in each cell, or with one letter in each cell where there are no colours.

    Args:
        path: The image file, or a JPEG file as bytes.
        width: Cells across that there are.
        height: Lines that there are.
        colors: The colours that the terminal has.
        ascii_only: Draw with letters, whatever the colours.

    Returns:
        Lines of one width, as large as fits with the shape of the photograph kept; none where there is no room.

    Raises:
        SingError: The file cannot be read as an image.
    """
    if width < 1 or height < 1:
        return []
    return list(_half_cells(path, stamp_of(path), width, height, "none" if ascii_only else colors))


def kitty(path: Source, columns: int, rows: int, *, tmux: bool = False, number: int = 0) -> str:
    """Draw a photograph at the cursor by Kitty's protocol.

    Args:
        path: The image file, or a JPEG file as bytes.
        columns: Cells across that there are.
        rows: Lines that there are.
        tmux: Wrap the sequences so that tmux passes them on.
        number: Number of the photograph among those on the screen, from 0; it replaces the one with its number.

    Returns:
        The sequences to write to the terminal.

    Raises:
        SingError: The file cannot be read as an image.
    """
    sequences = _kitty(path, stamp_of(path), columns, rows, number)
    return through_tmux(sequences) if tmux else sequences


def kitty_clear(*, tmux: bool = False, count: int = 1) -> str:
    """Return the sequences that remove the photographs 0 to `count` - 1 that `kitty` drew; `tmux` as there."""
    clear = "".join(f"\x1b_Ga=d,d=I,i={_KITTY_ID + number},q=2\x1b\\" for number in range(count))
    return through_tmux(clear) if tmux else clear


def sixel(path: Source, columns: int, rows: int, cell_pixels: tuple[int, int] = CELL) -> str:
    """Draw a photograph at the cursor in sixels.

    Args:
        path: The image file, or a JPEG file as bytes.
        columns: Cells across that there are.
        rows: Lines that there are.
        cell_pixels: Width and height of a cell in pixels.

    Returns:
        The sequence to write to the terminal.

    Raises:
        SingError: The file cannot be read as an image.
    """
    return _sixel(path, stamp_of(path), columns * cell_pixels[0], rows * cell_pixels[1])


@lru_cache(maxsize=64)
def _half_cells(path: Source, _: Stamp, width: int, height: int, colors: Colors) -> tuple[Line, ...]:
    import numpy as np

    image = decoded(path, width, 2 * height, enlarge=True)
    if colors == "none":
        grey = np.asarray(image.convert("L"), dtype=np.float32)
        pairs = np.concatenate([grey, grey[-1:]]) if len(grey) % 2 else grey
        steps = np.rint(pairs.reshape(-1, 2, image.width).mean(axis=1) * ((len(ASCII.density) - 1) / 255)).astype(int)
        return tuple((Segment("".join(ASCII.density[step] for step in row)),) for row in steps)
    codes = _codes(image, colors)
    if len(codes) % 2:
        codes = np.concatenate([codes, np.full((1, image.width), _NO_PIXEL)])
    lines = []
    for upper, lower in zip(codes[::2].tolist(), codes[1::2].tolist(), strict=True):
        segments = []
        for (top, bottom), run in groupby(zip(upper, lower, strict=True)):
            style = _style(top, bottom, colors == "truecolor")
            segments.append(Segment((" " if top == bottom else "▀") * len(list(run)), style))
        lines.append(tuple(segments))
    return tuple(lines)


def _codes(image: "Image", colors: Colors) -> Any:
    """Give each pixel one integer: red, green and blue in a byte each, or the number of a terminal colour."""
    import numpy as np
    from PIL import Image

    if colors == "truecolor":
        pixels = np.rint(np.asarray(image) * (_LEVELS / 255)) * (255 / _LEVELS)
        return np.rint(pixels).astype(np.int64) @ np.array([65_536, 256, 1])
    palette, first = _palette(colors)
    table = Image.new("P", (1, 1))
    table.putpalette([level for color in (palette * 16)[:256] for level in color])
    dither = Image.Dither.FLOYDSTEINBERG if colors == "16" else Image.Dither.NONE
    return np.asarray(image.quantize(palette=table, dither=dither)).astype(np.int64) % len(palette) + first


def _palette(colors: Colors) -> tuple[list[tuple[int, ...]], int]:
    """Return the colours of a terminal and the number of the first: the 16 usual ones, or a cube of six levels and 24 greys."""
    if colors == "16":
        return [tuple(170 * (number >> bit & 1) + 85 * (number >> 3) for bit in range(3)) for number in range(16)], 0
    cube: list[tuple[int, ...]] = [(red, green, blue) for red in _CUBE for green in _CUBE for blue in _CUBE]
    return cube + [(8 + 10 * step,) * 3 for step in range(24)], 16


@lru_cache(maxsize=8192)
def _style(upper: int, lower: int, truecolor: bool) -> Style:
    above, below = (_color(code, truecolor) for code in (upper, lower))
    return Style(bgcolor=above) if upper == lower else Style(color=above, bgcolor=below)


def _color(code: int, truecolor: bool) -> Color | None:
    if code == _NO_PIXEL:
        return None
    return Color.from_rgb(code >> 16, code >> 8 & 255, code & 255) if truecolor else Color.from_ansi(code)


@lru_cache(maxsize=4)
def _kitty(path: Source, _: Stamp, columns: int, rows: int, number: int) -> str:
    image = decoded(path, columns * CELL[0], rows * CELL[1], enlarge=False)
    wide, half = fitted(image.size, columns, 2 * rows)
    png = io.BytesIO()
    image.save(png, "PNG")
    data = base64.b64encode(png.getvalue()).decode()
    chunks = [data[start : start + _CHUNK] for start in range(0, len(data), _CHUNK)]
    first = f"a=T,f=100,q=2,C=1,i={_KITTY_ID + number},c={wide},r={-(-half // 2)},"
    return "".join(
        f"\x1b_G{'' if part else first}m={int(part < len(chunks) - 1)};{chunk}\x1b\\"
        for part, chunk in enumerate(chunks)
    )


@lru_cache(maxsize=4)
def _sixel(path: Source, _: Stamp, width: int, height: int) -> str:
    import numpy as np

    image = decoded(path, width, height, enlarge=True).quantize(_SIXEL_COLORS)
    palette, indices = image.getpalette() or [], np.asarray(image)
    parts = [f'\x1bP0;1;0q"1;1;{image.width};{image.height}']
    for color in np.unique(indices).tolist():
        percent = ";".join(str(round(level * 100 / 255)) for level in palette[3 * color : 3 * color + 3])
        parts.append(f"#{color};2;{percent}")
    bands = []
    for top in range(0, len(indices), 6):
        band = indices[top : top + 6]
        bits = (1 << np.arange(len(band)))[:, None]
        rows = []
        for color in np.unique(band).tolist():
            signs = (((band == color) * bits).sum(axis=0) + 63).astype(np.uint8).tobytes().decode().rstrip("?")
            rows.append(f"#{color}" + re.sub(r"(.)\1{3,}", lambda run: f"!{len(run[0])}{run[1]}", signs))
        bands.append("$".join(rows))
    return "".join(parts) + "-".join(bands) + "\x1b\\"
