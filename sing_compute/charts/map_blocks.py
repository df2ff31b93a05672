"""The numbers of a map: which rows and columns are strongest, and what one block of it shows. numpy alone.

A map is a matrix of numbers in which NaN is a missing value. Its rows and columns are shown in an order, and a block of several
of them is shown as one number: that of the largest magnitude, with its sign. A mean would hide one large value among small ones.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float32]
Order = NDArray[np.integer[Any]]


def strengths(values: Values) -> tuple[Values, Values]:
    """Return the largest magnitude of each row and of each column; NaN where all values are missing.

    Args:
        values: (row, column).

    Returns:
        Two arrays, (row,) and (column,).
    """
    return _largest(values, 1), _largest(values, 0)


def _largest(values: Values, axis: int) -> Values:
    if not values.shape[axis]:
        return np.full(values.shape[1 - axis], np.nan, np.float32)
    high, low = np.fmax.reduce(values, axis), np.fmin.reduce(values, axis)  # no second matrix for the magnitudes
    return np.asarray(np.fmax(high, -low), dtype=np.float32)


def by_strength(strength: Values) -> Order:
    """Return positions in descending order of strength; equal ones keep their order, missing ones come last."""
    return np.argsort(np.where(np.isnan(strength), np.inf, -strength), kind="stable").astype(np.int32)


def blocks(values: Values, rows: Order, columns: Order, size: tuple[int, int]) -> Values:
    """Return the value of the largest magnitude, with its sign, of each block of a part of a matrix.

    Args:
        values: (row, column).
        rows: Positions of the rows that are shown, in their order.
        columns: The same of the columns.
        size: Rows and columns of a block; those at the end may have fewer.

    Returns:
        (block of rows, block of columns); NaN where all values of a block are missing.
    """
    if size == (1, 1):
        return np.asarray(values[np.ix_(rows, columns)])
    starts = np.arange(0, len(rows), size[0])
    edges = np.arange(0, len(columns), size[1])
    found = np.full((len(starts), len(edges)), np.nan, np.float32)
    if not len(edges):
        return found
    for line, start in enumerate(starts):
        part = values[rows[start : start + size[0]]]  # whole rows: their columns are picked once they are one row
        high = np.fmax.reduceat(np.fmax.reduce(part, 0)[columns], edges)
        low = np.fmin.reduceat(np.fmin.reduce(part, 0)[columns], edges)
        found[line] = np.where(-low > high, low, high)
    return found


def largest_at(values: Values, rows: Order, columns: Order) -> tuple[int, int]:
    """Return the row and the column, of those given, whose value has the largest magnitude; the first ones if all are missing.

    Args:
        values: (row, column).
        rows: Positions of rows, at least one.
        columns: Positions of columns, at least one.
    """
    part = np.abs(values[np.ix_(rows, columns)])
    line, place = np.unravel_index(int(np.argmax(np.where(np.isnan(part), -1, part))), part.shape)
    return int(rows[line]), int(columns[place])


def scale_of(values: Values, *, signed: bool) -> tuple[float, float]:
    """Return the two ends of the scale of a map.

    Args:
        values: (row, column).
        signed: True if the values go to both sides of zero.

    Returns:
        For signed values the largest magnitude on both sides of zero. For others zero and the largest value, or the smallest and
        the largest where the smallest is more than half of it. (0, 0) without values.
    """
    if not values.size:
        return 0.0, 0.0
    low, high = float(np.fmin.reduce(values, None)), float(np.fmax.reduce(values, None))
    if np.isnan(low):
        return 0.0, 0.0
    if signed:
        return -max(-low, high, 0.0), max(-low, high, 0.0)
    return (low if low > high / 2 > 0 else min(low, 0.0)), max(high, 0.0)
