"""Two columns of numbers against each other: how they go together, and where their rows lie. No Textual."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sing_compute.errors import SingError
from sing_compute.store import Column, Table
from sing_compute.store.columns import Values, text_column
from sing_compute.store.sorting import sorting
from sing_tui.column_figures import SPEC

_PIECE = 2**17
_EXACT = 2**23
"""Rows below which the mean of two ranks is exact in 32 bits."""


@dataclass(frozen=True, slots=True, eq=False)
class ColumnPair:
    """The rows that have a finite number in both of two columns."""

    x: Column
    y: Column
    points: tuple[NDArray[Any], NDArray[Any]]
    """Their numbers, (row,)."""
    left_out: int
    """Rows without a finite number in one of them."""
    pearson: float
    """Pearson's correlation; NaN for fewer than two rows or a constant column."""
    spearman: float
    """Spearman's correlation of ranks, equal numbers with their mean rank; NaN likewise."""

    def __len__(self) -> int:
        return len(self.points[0])

    def grid(self, width: int, height: int) -> NDArray[np.int64]:
        """Count the rows in each cell of a grid over all of them, (height, width), the first line at the top."""
        across, up = (_cells(values, count) for values, count in zip(self.points, (width, height), strict=True))
        counts = np.bincount((height - 1 - up) * width + across, minlength=width * height)
        return np.asarray(counts.reshape(height, width))


def pair_of(table: Table, x: str, y: str, *, mask: NDArray[np.bool_] | None = None) -> ColumnPair:
    """Compare two columns of numbers.

    Args:
        table: The table.
        x: Name of the first column, drawn from left to right.
        y: Name of the second column.
        mask: True for each row that is used, (row,); None for all.

    Raises:
        SingError: One of them is text.
    """
    columns = [table.column(name) for name in (x, y)]
    for column in columns:
        if column.is_text:
            raise SingError(f"{column.title} is text: a scatter needs two columns of numbers")
    cells = [column.values.all() if mask is None else column.values.all()[mask] for column in columns]
    known = np.isfinite(cells[0]) & np.isfinite(cells[1])
    points = (cells[0], cells[1]) if known.all() else (cells[0][known], cells[1][known])
    left_out = int(len(known) - len(points[0]))
    linear = _correlation(*points)
    ranked = _correlation(*(mean_ranks(values) for values in points))
    return ColumnPair(columns[0], columns[1], points, left_out, linear, ranked)


def mean_ranks(values: NDArray[Any]) -> NDArray[np.floating[Any]]:
    """Return the rank of each number, from 1; equal numbers have the mean of their ranks."""
    order = sorting(values)
    in_order = values[order]
    begins = np.ones(len(values) + 1, dtype=bool)  # the numbers that differ from the one before; and the end
    np.not_equal(in_order[1:], in_order[:-1], out=begins[1:-1])
    del in_order
    ranks = np.empty(len(values), "f4" if len(values) < _EXACT else "f8")
    low = 0
    while low < len(values):
        high = min(low + _PIECE, len(values))
        high += int(begins[high:].argmax())  # equal numbers in one piece
        starts = np.flatnonzero(begins[low:high])
        sizes = np.diff(starts, append=high - low)
        ranks[order[low:high]] = np.repeat(low + starts + (sizes + 1) / 2, sizes)
        low = high
    return ranks


def _correlation(x: NDArray[Any], y: NDArray[Any]) -> float:
    """Return Pearson's correlation, a piece at a time: copies of a million numbers are memory."""
    if len(x) < 2 or is_constant(x) or is_constant(y):
        return float("nan")
    sizes = [max(abs(float(values.min())), abs(float(values.max()))) for values in (x, y)]  # no square is too large
    pieces = [slice(low, low + _PIECE) for low in range(0, len(x), _PIECE)]
    pairs = list(zip((x, y), sizes, strict=True))
    means = [
        sum(float((values[piece] / size).sum(dtype=np.float64)) for piece in pieces) / len(x) for values, size in pairs
    ]
    xx = yy = xy = 0.0
    for piece in pieces:
        a, b = (
            values[piece].astype(np.float64) / size - mean for (values, size), mean in zip(pairs, means, strict=True)
        )
        xx, yy, xy = xx + float(a @ a), yy + float(b @ b), xy + float(a @ b)
    return max(-1.0, min(xy / math.sqrt(xx * yy), 1.0)) if xx * yy > 0 else float("nan")


def is_constant(values: NDArray[Any]) -> bool:
    """Return True if numbers are there and all are equal: no correlation is defined."""
    return bool(len(values) and values.min() == values.max())


def _cells(values: NDArray[Any], count: int) -> NDArray[np.int64]:
    if not len(values):
        return np.zeros(0, np.int64)
    low, high = float(values.min()), float(values.max())
    span = high - low
    if not 0 < span < np.inf:
        return np.full(len(values), count // 2, np.int64)
    places = ((values - values.dtype.type(low)) * (count / span)).astype(np.int64)
    return np.asarray(np.minimum(places, count - 1))


def pair_table(found: ColumnPair) -> Table:
    """Return the figures of two columns as a table to export, one row for each figure."""
    figures = {"rows": len(found), "left_out": found.left_out, "pearson": found.pearson, "spearman": found.spearman}
    columns = [
        text_column(name, name, f"{name} column", np.full(len(figures), column.name))
        for name, column in (("x", found.x), ("y", found.y))
    ]
    columns.append(text_column("figure", "figure", "name of the figure", np.array(list(figures)), role="label"))
    cells = np.array(list(figures.values()), dtype=np.float64)
    columns.append(Column("value", "value", "1", "the figure", Values(cells), format="figure"))
    return Table(SPEC, columns, len(figures))
