"""Text in figures: harmless, cut to the room that it has, numbers with minus signs, axes with units."""

import re
import unicodedata
from functools import lru_cache

from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path
from matplotlib.ticker import FuncFormatter, PercentFormatter

from sing_compute.figures.style import SIZE
from sing_compute.formats import UNICODE, named_format

_LONGEST = 300
"""Letters of a text that are looked at."""
_DECIMAL = re.compile(r"[+−-]?\d+\.\d+")
"""A number that is never cut: what is left of it would be another number."""


_MARKS = 4
"""Accents and the like over one letter; more would stand so high that the plot has no room left."""


def label_text(text: object) -> str:
    """Return any text as one harmless line whose letters carry few marks each."""
    line = UNICODE.text(text)
    if line.isascii():
        return line
    kept, marks = [], 0
    for letter in line:
        marks = marks + 1 if unicodedata.category(letter).startswith("M") else 0
        if marks <= _MARKS:
            kept.append(letter)
    return "".join(kept)


@lru_cache(maxsize=4096)
def text_width(text: str, size: float = SIZE) -> float:
    """Return the width of a text in inches; size in points."""
    return float(text_to_path.get_text_width_height_descent(text, FontProperties(size=size), ismath=False)[0]) / 72


def cut(text: object, room: float, size: float = SIZE) -> str:
    """Return any text as one harmless line that is at most so wide, cut with an ellipsis, but never inside a decimal number.

    Args:
        text: The text, or a value.
        room: Inches.
        size: Points.

    Returns:
        The line.
    """
    line = label_text(text)
    if len(line) <= _LONGEST and text_width(line, size) <= room:
        return line
    low, high = 0, min(len(line), _LONGEST)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if text_width(line[:middle] + "…", size) <= room else (low, middle - 1)
    inside = (number.start() for number in _DECIMAL.finditer(line, 0, low + 40) if number.start() < low < number.end())
    return line[: next(inside, low)].rstrip() + "…"


def cut_list(text: object, room: float) -> str:
    """Return a list of words with commas between them that is at most so wide: of one that is too long, whole words are left out.

    Args:
        text: The list.
        room: Inches.

    Returns:
        The line.
    """
    line = label_text(text)
    while ", " in line and text_width(line[:_LONGEST]) > room:
        line = line.removesuffix(", …").rpartition(", ")[0] + ", …"
        if line == ", …":
            return cut(text, room)
    return cut(line, room)


def label_room(labels: list[str], width: float, share: float) -> float:
    """Return the room of row labels in inches: that of the widest, at most a share of the figure's width."""
    return min(share * width, max((text_width(label_text(label)[:_LONGEST]) for label in labels), default=0.0))


def written(value: float, format: str) -> str:
    """Write a number in one of the formats of `NUMBER_FORMATS`, with a minus sign."""
    return named_format(format).write(float(value)).replace("-", "−")


def axis_label(name: str, format: str) -> str:
    """Return a name with its unit, for an axis."""
    unit = "degrees" if named_format(format).unit else ""
    return label_text(f"{name}, {unit}" if unit and unit not in name else name or unit)


def format_ticks(axes: Axes, which: str, format: str, *, logarithmic: bool = False) -> None:
    """Write the numbers at an axis: percent as such, powers of ten without mathematics mode.

    Args:
        axes: The axes.
        which: x or y.
        format: Format of the numbers.
        logarithmic: True for an axis of logarithms.
    """
    axis = axes.xaxis if which == "x" else axes.yaxis
    if format == "percent":
        axis.set_major_formatter(PercentFormatter(1.0))
    elif logarithmic:
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}".replace("-", "−")))
        axis.set_minor_formatter(FuncFormatter(lambda value, _: ""))
