"""Two columns of numbers against each other: how they go together, and where their rows lie. No Textual."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sing_compute.errors import SingError
from sing_compute.store import Column, Table
from sing_compute.store.columns import Values, text_column
from sing_compute.store.sorting import sorting
from sing_tui.column_figures import SPEC

Numbers = NDArray[np.float64]


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
    ranks = [mean_ranks(values) for values in points]
    left_out = int(len(known) - len(points[0]))
    return ColumnPair(columns[0], columns[1], points, left_out, _correlation(*points), _correlation(*ranks))


def mean_ranks(values: NDArray[Any]) -> Numbers:
    """Return the rank of each number, from 1; equal numbers have the mean of their ranks."""
    order = sorting(values)
    in_order = values[order]
    new = np.ones(len(values), dtype=bool)
    new[1:] = in_order[1:] != in_order[:-1]
    starts = np.flatnonzero(new)
    ends = np.append(starts[1:], len(values))
    ranks = np.empty(len(values))
    ranks[order] = np.repeat((starts + ends + 1) / 2, ends - starts)
    return ranks


def _correlation(x: NDArray[Any], y: NDArray[Any]) -> float:
    if len(x) < 2 or x.min() == x.max() or y.min() == y.max():
        return float("nan")
    a, b = (_scaled(values) for values in (x, y))
    return float(np.clip(a @ b / np.sqrt((a @ a) * (b @ b)), -1.0, 1.0))


def _scaled(values: NDArray[Any]) -> Numbers:
    """Return the distances from the mean, over the largest of them, so that no square is too large."""
    numbers = values.astype(np.float64)
    numbers /= max(1.0, float(np.abs(numbers).max()))
    numbers -= numbers.mean()
    numbers /= np.abs(numbers).max() or 1.0
    return np.asarray(numbers)


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
