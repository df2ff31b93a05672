"""Number to text, and text to what a terminal cell or a CSV cell can hold. The only place that rounds."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len, set_cell_size

from sing_compute.store.text import clean, csv_text

_SHARES = ("accuracy", "zero_shot", "confidence", "above_next", "probe_")
_WIDE_RANGE = ("ratio", "gap", "lambda", "logit", "mse", "cutoff", "over_control")
_TAILS = ("p", "q", "p_empirical")
_UNSIGNED = ("_std", "_half")


@dataclass(frozen=True, slots=True)
class Glyphs:
    """The few signs of the screen that are not letters; `ASCII` has a plain stand-in for each."""

    rising: str
    falling: str
    left: str
    right: str
    ellipsis: str
    infinity: str
    degree: str
    crumb: str
    dot: str
    arrow: str
    stroke: str
    before: str
    after: str
    bar: str
    density: str
    """From nothing to most."""
    ascii_only: bool

    def text(self, value: object) -> str:
        """Text from outside as one harmless line: no control characters, and plain ASCII where the screen wants it."""
        cleaned = clean(str(value))
        return cleaned if not self.ascii_only or cleaned.isascii() else cleaned.encode("ascii", "replace").decode()


UNICODE = Glyphs("▲", "▼", "‹", "›", "…", "∞", "°", "›", "·", "→", "─", "○", "●", "█", " ▁▂▃▄▅▆▇█", False)
ASCII = Glyphs("^", "v", "<", ">", "~", "inf", "deg", ">", "|", "->", "-", "o", "*", "#", " .:-=+*#%@", True)


def csv_cells(values: NDArray[Any]) -> list[str]:
    """Cells of one column in full: the shortest text that reads back to the same bits, nothing for NaN."""
    if values.dtype.kind == "f":
        return ["" if cell == "nan" else cell for cell in values.astype(np.str_).tolist()]
    if values.dtype.kind in "iu":
        return [str(cell) for cell in values.tolist()]
    return [csv_text(str(cell)) for cell in values]


@dataclass(frozen=True, slots=True)
class NumberFormat:
    """How the numbers of one column look: their text, their width in cells and the unit that stands in the header."""

    write: Callable[[float], str]
    width: int
    unit: str


def number_format(name: str, unit: str, glyphs: Glyphs = UNICODE) -> NumberFormat:
    """The format of a column by its name and stored unit: angles, shares, counts, ratios of any size."""
    if unit == "degree":
        signed = name.startswith("attribute_score") and "_abs" not in name and not name.endswith(_UNSIGNED)
        return NumberFormat(_fixed("+.2f" if signed else ".2f", glyphs), 7, glyphs.degree)
    if unit in ("count", "index"):
        return NumberFormat(_fixed(",.0f" if unit == "count" else ".0f", glyphs), 9 if unit == "count" else 5, "")
    if name.startswith(_SHARES):
        return NumberFormat(_fixed(".1%", glyphs), 6, "")
    if name in _TAILS or any(part in name for part in _WIDE_RANGE):
        return NumberFormat(_any_size(glyphs), 8, "")
    if name == "z":
        return NumberFormat(_fixed("+.2f", glyphs), 7, "")
    return NumberFormat(_fixed(".3f", glyphs), 6, "")


def _guard(write: Callable[[float], str], glyphs: Glyphs) -> Callable[[float], str]:
    def guarded(value: float) -> str:
        if math.isnan(value):
            return "-"
        if math.isinf(value):
            return ("-" if value < 0 else "") + glyphs.infinity
        return write(value)

    return guarded


def _fixed(spec: str, glyphs: Glyphs) -> Callable[[float], str]:
    zero = format(-0.0, spec)
    plain = format(0.0, spec)

    def write(value: float) -> str:
        text = format(value, spec)
        return plain if text == zero else text

    return _guard(write, glyphs)


def _any_size(glyphs: Glyphs) -> Callable[[float], str]:
    def write(value: float) -> str:
        size = abs(value)
        if size == 0:
            return "0"
        if not 1e-3 <= size < 1e6:
            return f"{value:.2e}"
        return f"{value:,.0f}" if size >= 1000 else f"{value:#.3g}".removesuffix(".")

    return _guard(write, glyphs)


def in_words(name: str, unit: str, value: float, glyphs: Glyphs = UNICODE) -> str:
    """One number with its unit in words, for a list of facts."""
    text = number_format(name, unit, glyphs).write(value)
    return f"{text} degrees" if unit == "degree" and text != "-" else text


def with_interval(name: str, unit: str, value: float, ends: tuple[float, float], glyphs: Glyphs = UNICODE) -> str:
    """One number in words, with its 95 % interval in brackets where it has one."""
    write, text = number_format(name, unit, glyphs).write, in_words(name, unit, value, glyphs)
    return text if any(map(math.isnan, ends)) else f"{text} [{write(ends[0])} to {write(ends[1])}]"


def fit(text: str, width: int, glyphs: Glyphs = UNICODE, *, right: bool = False, keep_end: bool = False) -> str:
    """The text in exactly so many terminal cells, shortened with an ellipsis; East Asian characters count two."""
    if text.isascii():
        length = len(text)
        if length <= width:
            return text.rjust(width) if right else text.ljust(width)
        if width <= 1:
            return text[:width]
        return glyphs.ellipsis + text[length - width + 1 :] if keep_end else text[: width - 1] + glyphs.ellipsis
    room = 8 * width + 8  # what is cut off anyway is not measured: a long text costs no more than a short one
    if len(text) > room:
        text = text[-room:] if keep_end else text[:room]
    length = cell_len(text)
    if length <= width:
        return " " * (width - length) + text if right else text + " " * (width - length)
    if width <= 1:
        return set_cell_size(text, width)
    if not keep_end:
        return set_cell_size(_head(text, width - 1), width - 1) + glyphs.ellipsis
    tail = text
    while cell_len(tail) > width - 1:
        tail = tail[1:]
    return glyphs.ellipsis + tail + " " * (width - 1 - cell_len(tail))


def _head(text: str, width: int) -> str:
    return set_cell_size(text, width)


def widest(texts: Iterable[str], limit: int) -> int:
    """Cells the widest of these texts needs, at most `limit`."""
    return min(limit, max((len(text) if text.isascii() else cell_len(text) for text in texts), default=1))
