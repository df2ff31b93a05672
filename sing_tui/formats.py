"""Number to text, and text to what a terminal cell or a CSV cell can hold. The only place that rounds."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
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
    mark: str
    density: str
    """From nothing to most."""
    ascii_only: bool

    def text(self, value: object) -> str:
        """Text from outside as one harmless line: no control characters, and plain ASCII where the screen wants it."""
        cleaned = clean(str(value))
        return cleaned if not self.ascii_only or cleaned.isascii() else cleaned.encode("ascii", "replace").decode()


UNICODE = Glyphs("▲", "▼", "‹", "›", "…", "∞", "°", "›", "·", "→", "─", "○", "●", "█", "•", " ▁▂▃▄▅▆▇█", False)
ASCII = Glyphs("^", "v", "<", ">", "~", "inf", "deg", ">", "|", "->", "-", "o", "*", "#", "*", " .:-=+*#%@", True)


def csv_cells(values: NDArray[Any]) -> list[str]:
    """Cells of one column in full: the shortest text that reads back to the same bits, nothing for NaN."""
    if values.dtype == np.float32:
        return _short_decimals(values)
    if values.dtype.kind == "f":
        texts = map(repr, values.tolist()) if values.dtype == np.float64 else values.astype(np.str_).tolist()
        return ["" if cell == "nan" else cell for cell in texts]
    if values.dtype.kind in "iu":
        return list(map(str, values.tolist()))
    return [csv_text(str(cell)) for cell in values]


_PLAIN = (1e-4, 1e6)
"""Sizes of float32 numbers that six digits before the point and twelve behind it always hold."""
_TENS = 10 ** np.arange(13)


def _short_decimals(values: NDArray[np.float32]) -> list[str]:
    """The shortest decimals of float32 numbers, digits written for all of them at once, in fours.

    Numbers of other sizes than `_PLAIN`, zero, NaN and infinity are left to numpy's own, slower writing.
    """
    sizes = np.abs(values)
    plain = (sizes > _PLAIN[0]) & (sizes < _PLAIN[1])
    whole = _scaled(np.where(plain, sizes, np.float32(1)))
    leading, in_full, trailing = _fours()
    cells = np.empty((len(values), 6), np.uint32)
    nothing_behind = np.ones(len(values), bool)
    for place in (5, 4, 3):
        whole, digits = np.divmod(whole, 10_000)
        cells[:, place] = np.where(nothing_behind, trailing[digits], in_full[digits])
        nothing_behind &= digits == 0
    signs = cells.view(np.uint8).reshape(len(values), 24)
    signs[nothing_behind, 12] = ord("0")
    high, low = np.divmod(whole, 10_000)
    cells[:, 0] = leading[high]
    cells[:, 1] = np.where(high == 0, leading[low], in_full[low])
    signs[whole == 0, 7] = ord("0")
    cells[:, 2] = 0
    signs[:, 8] = ord(".")
    signs[:, 0] = ord("\n")
    signs[values < 0, 1] = ord("-")
    texts = cells.tobytes().translate(None, b"\0").decode("ascii").split("\n")[1:]
    others = np.flatnonzero(~plain)
    for row, text in zip(others.tolist(), values[others].astype(np.str_).tolist(), strict=True):
        texts[row] = "" if text == "nan" else text
    return texts


def _scaled(sizes: NDArray[np.float32]) -> NDArray[np.int64]:
    """Numbers of `_PLAIN` size times 10^12, rounded to the fewest digits (6 to 9) that read back to the same float32."""
    found, rows = np.empty(len(sizes), np.int64), np.arange(len(sizes))
    exact = sizes.astype(np.float64)
    before_point = np.floor(np.log10(exact)).astype(np.int64) + 1
    for digits in range(6, 10):
        decimals = digits - before_point
        scale = _TENS[decimals].astype(np.float64)
        rounded = np.rint(exact * scale)
        found[rows] = rounded.astype(np.int64) * _TENS[12 - decimals]
        longer = (rounded / scale).astype(np.float32) != sizes
        rows, sizes, exact, before_point = rows[longer], sizes[longer], exact[longer], before_point[longer]
    return found


@cache
def _fours() -> tuple[NDArray[np.uint32], NDArray[np.uint32], NDArray[np.uint32]]:
    """The four digits of 0 to 9999 as bytes: NUL for leading zeros, in full, NUL for trailing zeros."""
    texts = [f"{number:04d}" for number in range(10_000)]
    parts = (
        [text.lstrip("0").rjust(4, "\0") for text in texts],
        texts,
        [text.rstrip("0").ljust(4, "\0") for text in texts],
    )
    leading, in_full, trailing = (np.frombuffer("".join(part).encode("ascii"), np.uint32) for part in parts)
    return leading, in_full, trailing


@dataclass(frozen=True, slots=True)
class NumberFormat:
    """How the numbers of one column look: their text, their width in cells and the unit that stands in the header."""

    write: Callable[[float], str]
    width: int
    unit: str


def number_format(name: str, unit: str, glyphs: Glyphs = UNICODE) -> NumberFormat:
    """The format of a column by its name and stored unit: angles, shares, counts, ratios of any size.

    Columns that stand side by side are named MEASURE.WHOSE, MEASURE.WHOSE.difference and MEASURE.WHOSE.rank_change.
    """
    measure, _, whose = name.partition(".")
    if whose.endswith(".rank_change"):
        return NumberFormat(_fixed("+.0f", glyphs), 5, "")
    if measure == "value":
        return NumberFormat(_guard(_figure, glyphs), 9, "")
    if whose.endswith(".difference"):
        known = number_format(measure, unit, glyphs)
        return NumberFormat(
            lambda value: ("+" if value > 0 else "") + known.write(value).lstrip("+"), known.width, known.unit
        )
    if whose:
        return number_format(measure, unit, glyphs)
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


def _figure(value: float) -> str:
    """A figure of any kind: counts in full, others to four digits."""
    if value == int(value) and abs(value) < 1e9:
        return f"{value:,.0f}"
    return f"{value:.3f}" if 1 <= abs(value) < 1000 else f"{value:.4g}"


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
