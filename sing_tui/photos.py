"""Images in a terminal: where the file of an image lies, and how it is drawn: half-cells, Kitty's protocol, sixels.

A file that cannot be drawn is a SingError with one line, whatever is wrong with it.
"""

import base64
import io
import os
import re
import select
import stat
import time
import warnings
from collections.abc import Mapping
from functools import lru_cache
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from sing_compute.errors import SingError
from sing_compute.store import Store
from sing_compute.store.text import one_line
from sing_tui.clipboard import through_tmux
from sing_tui.formats import ASCII

if TYPE_CHECKING:
    from PIL.Image import Image

Graphics = Literal["kitty", "sixel", "cells"]
Colors = Literal["truecolor", "256", "16", "none"]
Stamp = tuple[int, int]
"""When a file was changed and how long it is: a drawing is kept for as long as both stay."""

CELL = (10, 20)
"""Width and height of a cell in pixels where the terminal does not say."""
_FORMATS = ("JPEG", "PNG", "PPM", "BMP", "TIFF", "WEBP", "GIF")
"""What sing-compute reads; a file of a stranger must not start Ghostscript."""
_GREY = (128, 128, 128)
_UPRIGHT = (None, None, 0, 3, 1, 5, 4, 6, 2)
"""By EXIF orientation: which of Pillow's transpositions turns the image upright."""
_NO_PIXEL = -1
_LEVELS = 31
"""Steps of a colour channel in half-cells: fewer make longer runs of one colour, so fewer bytes."""
_KITTY_ID = 7_464
_SIXEL_COLORS = 128
"""Half of what the protocol allows: a quarter fewer bytes, and half the time."""
_CHUNK = 4096
_KITTY_TERMINALS = frozenset(["ghostty", "wezterm", "kitty", "warpterminal"])
_KITTY_TERMS = frozenset(["xterm-kitty", "xterm-ghostty"])
_KONSOLE = 220_400
"""The first Konsole that draws Kitty's images."""
_CUBE = (0, 95, 135, 175, 215, 255)


def locate(store: Store, key: str, folder: Path | None) -> Path:
    """The file of an image: below the folder that the user gave, else below the one that the store was computed from.

    Raises:
        SingError: The key leads out of the folder, nothing but a regular file stands there, or no folder is known.
    """
    stored = store.attributes("images").get("root")
    if folder is None and not (isinstance(stored, str) and stored):
        raise SingError(f"{store.path.name} does not say where its images are: --images DIR does")
    root = Path(str(stored)) if folder is None else folder
    parts = PurePosixPath(key)
    if not parts.parts or parts.is_absolute() or ".." in parts.parts:
        raise SingError(one_line(f"{key!r} is no path below a folder of images; it is not opened"))
    path = root / key
    try:
        if folder is None and not path.resolve().is_relative_to(root.resolve()):
            raise SingError(one_line(f"{path} is a link out of {root}: --images {root} says that you trust it"))
        found = path.is_file()
    except (OSError, RuntimeError, ValueError):  # a loop of links, a name that no file system takes
        found = False
    if not found:
        raise SingError(one_line(f"{path} is not on this machine: --images DIR says where the images are"))
    return path


def cells(path: Path, width: int, height: int, *, colors: Colors, ascii_only: bool) -> list[Strip]:
    """The image as large as fits into so many cells, its shape kept: two pixels a cell, or one letter without colours."""
    if width < 1 or height < 1:
        return []
    return list(_cells(path, _stamp(path), width, height, "none" if ascii_only else colors))


def kitty(path: Path, columns: int, rows: int, *, tmux: bool = False) -> str:
    """The sequences of Kitty's protocol that draw the image at the cursor, in at most so many cells; `tmux` passes them on."""
    drawn = _kitty(path, _stamp(path), columns, rows)
    return through_tmux(drawn) if tmux else drawn


def kitty_clear(*, tmux: bool = False) -> str:
    """The sequence that takes away what `kitty` drew."""
    clear = f"\x1b_Ga=d,d=I,i={_KITTY_ID},q=2\x1b\\"
    return through_tmux(clear) if tmux else clear


def sixel(path: Path, columns: int, rows: int, cell_pixels: tuple[int, int] = CELL) -> str:
    """The sixel sequence that draws the image at the cursor, in at most so many cells of a size in pixels."""
    return _sixel(path, _stamp(path), columns * cell_pixels[0], rows * cell_pixels[1])


def graphics(environ: Mapping[str, str]) -> Graphics:
    """What the terminal can draw, as far as its environment says; inside tmux and screen only half-cells are safe."""
    term, program = environ.get("TERM", "").lower(), environ.get("TERM_PROGRAM", "").lower()
    if "TMUX" in environ or "STY" in environ or term.startswith(("tmux", "screen")):
        return "cells"
    konsole = environ.get("KONSOLE_VERSION", "")
    new_konsole = konsole.isdecimal() and int(konsole) >= _KONSOLE
    if "KITTY_WINDOW_ID" in environ or program in _KITTY_TERMINALS or term in _KITTY_TERMS or new_konsole:
        return "kitty"
    return "sixel" if "sixel" in term or term.startswith(("foot", "mlterm")) or program == "iterm.app" else "cells"


def ask_terminal(fd_in: int, fd_out: int, timeout: float = 1.0, *, inside_tmux: bool = False) -> Graphics:
    """What the terminal answers when asked, before the app starts. tmux is asked for sixels alone: it would show the rest."""
    import termios
    import tty

    question = b"" if inside_tmux else b"\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\"
    try:
        before = termios.tcgetattr(fd_in)
    except (termios.error, OSError):
        return "cells"
    answer, attributes, end = b"", None, time.monotonic() + timeout
    try:
        tty.setraw(fd_in, termios.TCSANOW)
        os.write(fd_out, question + b"\x1b[c")
        while attributes is None and (left := end - time.monotonic()) > 0 and len(answer) < _CHUNK:
            if select.select([fd_in], [], [], left)[0]:
                answer += os.read(fd_in, 256)
            attributes = re.search(rb"\x1b\[\?([\d;]*)c", answer)
    except OSError:
        pass
    finally:
        termios.tcsetattr(fd_in, termios.TCSANOW, before)
    if b"\x1b_Gi=31;OK" in answer:
        return "kitty"
    return "sixel" if attributes is not None and b"4" in attributes[1].split(b";")[1:] else "cells"


def _stamp(path: Path) -> Stamp:
    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        raise SingError(one_line(f"{path} cannot be read: {error}")) from error
    if not stat.S_ISREG(status.st_mode):
        raise SingError(one_line(f"{path} is not a file"))
    return status.st_mtime_ns, status.st_size


def _fitted(size: tuple[int, int], width: int, height: int) -> tuple[int, int]:
    """The largest size of the same shape inside a box, at least one pixel each way."""
    scale = min(width / size[0], height / size[1])
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _decoded(path: Path, width: int, height: int, *, enlarge: bool) -> "Image":
    """The image upright, opaque and RGB, fitted into a box of square pixels; `enlarge` lets small ones grow."""
    from PIL import Image, UnidentifiedImageError

    warnings.simplefilter("error", Image.DecompressionBombWarning)
    try:
        with Image.open(path, formats=_FORMATS) as image:
            image.draft(None, (2 * max(width, height),) * 2)
            image.load()
            orientation = _orientation(image)
            box = (width, height) if orientation < 5 else (height, width)
            plain = _plain(image)
            if enlarge or plain.width > box[0] or plain.height > box[1]:
                size = _fitted(plain.size, *box)
                plain = plain.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
    except UnidentifiedImageError as error:
        raise SingError(one_line(f"{path} is not an image that can be drawn")) from error
    except Exception as error:  # too many pixels; a broken file leads to nearly every exception there is
        raise SingError(one_line(f"{path} cannot be drawn: {error}")) from error
    if plain.mode == "RGBA":
        ground = Image.new("RGBA", plain.size, (*_GREY, 255))
        ground.alpha_composite(plain)
        plain = ground.convert("RGB")
    turn = _UPRIGHT[orientation]
    return plain if turn is None else plain.transpose(Image.Transpose(turn))


def _orientation(image: "Image") -> int:
    """How the camera was held (EXIF): 1 upright, from 5 on on its side; 1 where the note is missing or damaged."""
    try:
        found = image.getexif().get(0x0112, 1)
    except Exception:  # any kind: a damaged note about an image does not make the image unreadable
        return 1
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def _plain(image: "Image") -> "Image":
    """Eight bits a channel: RGBA where something shines through, else RGB. Deeper greys are scaled down."""
    if image.mode[0] in "IF":
        import numpy as np
        from PIL import Image

        values = np.asarray(image, dtype=np.float32)
        inside = values[np.isfinite(values)]
        low, high = (float(inside.min()), float(inside.max())) if inside.size else (0.0, 0.0)
        if image.mode[0] == "I" and low >= 0 and high <= 65_535:
            low, high = 0.0, 65_535.0
        scaled = (np.nan_to_num(values, nan=low, posinf=high, neginf=low) - low) * (255 / max(high - low, 1e-9))
        return Image.fromarray(scaled.clip(0, 255).astype(np.uint8)).convert("RGB")
    wanted = "RGBA" if image.has_transparency_data else "RGB"
    return image if image.mode == wanted else image.convert(wanted)


@lru_cache(maxsize=64)
def _cells(path: Path, _: Stamp, width: int, height: int, colors: Colors) -> tuple[Strip, ...]:
    import numpy as np

    image = _decoded(path, width, 2 * height, enlarge=True)
    if colors == "none":
        grey = np.asarray(image.convert("L"), dtype=np.float32)
        pairs = np.concatenate([grey, grey[-1:]]) if len(grey) % 2 else grey
        steps = np.rint(pairs.reshape(-1, 2, image.width).mean(axis=1) * ((len(ASCII.density) - 1) / 255)).astype(int)
        return tuple(Strip([Segment("".join(ASCII.density[step] for step in row))], image.width) for row in steps)
    codes = _codes(image, colors)
    if len(codes) % 2:
        codes = np.concatenate([codes, np.full((1, image.width), _NO_PIXEL)])
    lines = []
    for upper, lower in zip(codes[::2].tolist(), codes[1::2].tolist(), strict=True):
        segments = []
        for (top, bottom), run in groupby(zip(upper, lower, strict=True)):
            style = _style(top, bottom, colors == "truecolor")
            segments.append(Segment((" " if top == bottom else "▀") * len(list(run)), style))
        lines.append(Strip(segments, image.width))
    return tuple(lines)


def _codes(image: "Image", colors: Colors) -> Any:
    """One integer a pixel: red, green and blue in a byte each, or the number of a terminal colour."""
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
    """The colours of a terminal and the number of the first: the 16 usual ones, or a cube of six levels and 24 greys."""
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
def _kitty(path: Path, _: Stamp, columns: int, rows: int) -> str:
    image = _decoded(path, columns * CELL[0], rows * CELL[1], enlarge=False)
    wide, half = _fitted(image.size, columns, 2 * rows)
    png = io.BytesIO()
    image.save(png, "PNG")
    data = base64.b64encode(png.getvalue()).decode()
    chunks = [data[start : start + _CHUNK] for start in range(0, len(data), _CHUNK)]
    first = f"a=T,f=100,q=2,C=1,i={_KITTY_ID},c={wide},r={-(-half // 2)},"
    return "".join(
        f"\x1b_G{'' if number else first}m={int(number < len(chunks) - 1)};{chunk}\x1b\\"
        for number, chunk in enumerate(chunks)
    )


@lru_cache(maxsize=4)
def _sixel(path: Path, _: Stamp, width: int, height: int) -> str:
    import numpy as np

    image = _decoded(path, width, height, enlarge=True).quantize(_SIXEL_COLORS)
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
