"""Write numbers and texts for people: on the screen, in charts and in figures. The only place that rounds."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size

from sing_compute.store.text import clean

if TYPE_CHECKING:
    from sing_compute.store import Column

_WITHOUT_UNIT = ("1", "", "text", "count", "index", "degree^2")
"""Units that are not written: numbers of some kind, or text."""


@dataclass(frozen=True, slots=True)
class Glyphs:
    """The few signs of the screen that are not letters; `ASCII` replaces each by a plain one."""

    ascending: str
    descending: str
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
    """Signs of ascending height, for densities; the highest leaves a gap to the line above."""
    ascii_only: bool

    def text(self, value: object) -> str:
        """Return text from outside as one harmless line: no control characters, and plain ASCII where the screen wants it."""
        cleaned = clean(str(value))
        return cleaned if not self.ascii_only or cleaned.isascii() else cleaned.encode("ascii", "replace").decode()


UNICODE = Glyphs("▲", "▼", "‹", "›", "…", "∞", "°", "›", "·", "→", "─", "○", "●", "▆", "•", " ▁▂▃▄▅▆▇", False)
ASCII = Glyphs("^", "v", "<", ">", "~", "inf", "deg", ">", "|", "->", "-", "o", "*", "#", "*", " .:-=+*#%@", True)


@dataclass(frozen=True, slots=True)
class NumberFormat:
    """How the numbers of one column are written: their text, their width in cells and the unit in the header."""

    write: Callable[[float], str]
    width: int
    unit: str


def named_format(name: str, glyphs: Glyphs = UNICODE) -> NumberFormat:
    """Return one of the number formats that a declaration may name (sing_compute.store.definition.NUMBER_FORMATS).

    Args:
        name: The name of the format.
        glyphs: The signs of the screen.

    Returns:
        How numbers of this format are written.
    """
    if name == "any size":
        return NumberFormat(_any_size(glyphs), 8, "")
    if name == "figure":
        return NumberFormat(_guard(_figure, glyphs), 9, "")
    spec, width, unit = _FIXED.get(name, _FIXED["three digits"])
    return NumberFormat(_fixed(spec, glyphs), width, glyphs.degree if unit else "")


_FIXED = {
    "degrees": (".2f", 7, True),
    "signed degrees": ("+.2f", 7, True),
    "count": (",.0f", 9, False),
    "index": (".0f", 5, False),
    "percent": (".1%", 6, False),
    "signed": ("+.2f", 7, False),
    "three digits": (".3f", 6, False),
    "rank change": ("+.0f", 5, False),
}
"""By name: how Python writes the number, cells that it needs, True if it is an angle."""


def number_format(column: "Column", glyphs: Glyphs = UNICODE) -> NumberFormat:
    """Return how the numbers of a column are written, by its declared format, role and unit.

    Args:
        column: A column of an open table.
        glyphs: The signs of the screen.

    Returns:
        How its numbers are written.
    """
    known = named_format(column.format, glyphs)
    if column.role == "difference" and column.format != "figure":
        known = replace(known, write=_with_sign(known.write))
    if column.unit == "degree":
        return replace(known, unit=glyphs.degree)
    return known if column.unit in _WITHOUT_UNIT else replace(known, unit=glyphs.text(column.unit))


def _with_sign(write: Callable[[float], str]) -> Callable[[float], str]:
    return lambda value: ("+" if value > 0 else "") + write(value).lstrip("+")


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
    """Write a figure of any kind: counts in full, others to four digits."""
    if value == int(value) and abs(value) < 1e9:
        return f"{value:,.0f}"
    return f"{value:.3f}" if 1 <= abs(value) < 1000 else f"{value:.4g}"


def in_words(column: "Column", value: float, glyphs: Glyphs = UNICODE) -> str:
    """Write one number of a column with its unit in words, for a list of facts.

    Args:
        column: A column of an open table.
        value: The number.
        glyphs: The signs of the screen.

    Returns:
        The number and its unit; - for NaN.
    """
    text = number_format(column, glyphs).write(value)
    unit = "degrees" if column.unit == "degree" else glyphs.text(column.unit)
    return text if text == "-" or column.unit in _WITHOUT_UNIT else f"{text} {unit}"


def with_interval(column: "Column", value: float, ends: tuple[float, float], glyphs: Glyphs = UNICODE) -> str:
    """Write one number as `in_words` does, with its 95 % interval in brackets where it has one.

    Args:
        column: A column of an open table.
        value: The number.
        ends: Lower and upper end of its interval; NaN where it has none.
        glyphs: The signs of the screen.

    Returns:
        The number, its unit and its interval.
    """
    write, text = number_format(column, glyphs).write, in_words(column, value, glyphs)
    return text if any(map(math.isnan, ends)) else f"{text} [{write(ends[0])} to {write(ends[1])}]"


def fit(text: str, width: int, glyphs: Glyphs = UNICODE, *, right: bool = False, keep_end: bool = False) -> str:
    """Return a text in exactly so many terminal cells, shortened with an ellipsis where it is too long.

    Args:
        text: One line; East Asian characters take two cells.
        width: Number of cells.
        glyphs: The signs of the screen.
        right: Fill up at the left, not at the right.
        keep_end: Of a text that is too long, keep the end, not the beginning.

    Returns:
        A text of that width.
    """
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
    """Return how many cells the widest of these texts needs, at most `limit`."""
    return min(limit, max((len(text) if text.isascii() else cell_len(text) for text in texts), default=1))
