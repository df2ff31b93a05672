"""Parts of charts drawn from letters: labels, axes, numbers of one width, densities as heights."""

import math

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len, set_cell_size

from sing_compute.charts.shapes import Interval, largest
from sing_compute.formats import Glyphs, fit, named_format, widest

NUMBER = 7
"""Cells of a number at the start of a line."""


def hill(curve: NDArray[np.floating], low: float, high: float, cells: int, glyphs: Glyphs) -> str:
    """Draw a distribution from its percentiles between two values, as high as values are dense, with | at the median.

    Args:
        curve: Percentiles at equal steps from 0 to 100, ascending.
        low: The value at the left end.
        high: The value at the right end.
        cells: Cells between them.
        glyphs: The signs to draw with.

    Returns:
        A text of so many cells.
    """
    shares = _density(np.asarray(curve, dtype=np.float64), low, high, cells)
    signs = [glyphs.density[round(share * (len(glyphs.density) - 1))] for share in shares]
    if high > low:
        middle = float(curve[len(curve) // 2])
        signs[min(cells - 1, int((middle - low) / (high - low) * cells))] = "|"
    return "".join(signs)


def _density(curve: NDArray[np.float64], low: float, high: float, cells: int) -> NDArray[np.float64]:
    """Return the share of values in each cell from low to high, over the largest such share."""
    edges = np.linspace(low, high, cells + 1)
    ascending = curve + np.arange(len(curve)) * 1e-9 * max(1.0, float(np.abs(curve).max()))  # equal percentiles: steps
    shares = np.diff(np.interp(edges, ascending, np.linspace(0, 1, len(curve))))
    return shares / shares.max() if shares.max() > 0 else np.zeros(cells)


def rows_in_sight(count: int, chosen: int, room: int, *, spread: bool = False) -> list[int]:
    """Choose the rows that are drawn: those around the chosen one.

    Args:
        count: How many rows there are.
        chosen: The row under the cursor; -1 for none: then the first rows are drawn.
        room: How many rows there is room for.
        spread: With -1, take rows evenly from the first to the last.

    Returns:
        Ascending row numbers.
    """
    room = max(1, room)
    if chosen < 0 and spread and count > room:
        return [round(k * (count - 1) / max(1, room - 1)) for k in range(room)]
    low = max(0, min(chosen - room // 2, count - room))
    return list(range(low, min(low + room, count)))


def row_labels(
    labels: tuple[str, ...], rows: list[int], chosen: int, width: int, glyphs: Glyphs
) -> tuple[list[str], int]:
    """Return the labels at the left of these rows, all of one width, the chosen one marked, and that width."""
    texts = [glyphs.text(labels[row]) for row in rows]
    room = max(8, widest(texts, min(24, width * 2 // 5)))
    marks = (glyphs.right if row == chosen else " " for row in rows)
    return [f"{mark} {fit(text, room, glyphs)}" for mark, text in zip(marks, texts, strict=True)], room + 2


def axis(low: str, name: str, high: str, room: int) -> str:
    """Return an axis of so many cells: its two ends, and its name between them where there is room."""
    gap = max(1, room - cell_len(low) - cell_len(high))
    wide = cell_len(name) - len(name)  # cells that its characters take beyond one each
    middle = name.center(gap - wide) if gap > cell_len(name) + 1 else " " * gap
    return (
        set_cell_size(low + middle + high, room).rstrip() if cell_len(low + high) + gap > room else low + middle + high
    )


def axis_end(value: float, format: str, glyphs: Glyphs) -> str:
    """Write the value at the end of an axis."""
    return f"{value:.1f}" if largest(format) <= 360 else named_format(format, glyphs).write(value)


def number(value: float, format: str, glyphs: Glyphs) -> str:
    """Write a number in seven cells or more; - for one that cannot be drawn."""
    text = named_format(format, glyphs).write(value) if can_draw(value, format) else "-"
    return text.rjust(NUMBER)


def can_draw(value: float, format: str) -> bool:
    """Return True if a number of a format can be drawn."""
    return abs(value) <= largest(format)  # False for NaN


def is_interval(ends: Interval) -> bool:
    """Return True if two numbers are the ends of an interval."""
    return math.isfinite(ends[0]) and math.isfinite(ends[1]) and ends[0] <= ends[1]


def split_at_zero(parts: tuple[float, float]) -> tuple[tuple[float, float], tuple[float, float]]:
    """Split two stacked parts of a bar into what is to the left of zero and what is to the right of zero."""
    return (min(parts[0], 0), min(parts[1], 0)), (max(parts[0], 0), max(parts[1], 0))
