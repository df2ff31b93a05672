"""Compute what comparisons show beside the values themselves: differences, ranks and changes of rank."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sing_compute.store.columns import Cells, Loaded, Values
from sing_compute.store.sorting import sorting


def _at(values: Values, rows: Any) -> Cells:
    return values.all()[rows] if isinstance(rows, slice) else values.take(rows)


def difference(values: Values, first: Values, rows: Any) -> Cells:
    """Return values minus those of the first side, for these rows."""
    with np.errstate(all="ignore"):
        return np.asarray(_at(values, rows) - _at(first, rows))


def rank_change(first: Loaded, ranks: Loaded, rows: Any) -> NDArray[np.float64]:
    """Return by how many places a side ranks rows higher than the first side; NaN where one of them has no rank."""
    before, after = first[rows], ranks[rows]
    return np.where((before > 0) & (after > 0), before - after, np.nan)


def ranks(values: Values, every: Sequence[Values] = ()) -> NDArray[np.int32]:
    """Return the rank of each value, 1 for the largest; equal values share the smaller rank, NaN (in any of `every`) has 0."""
    cells = values.all()
    for others in every:
        cells = np.where(np.isnan(others.all()), np.nan, cells)
    known = len(cells) - int(np.count_nonzero(np.isnan(cells)))
    order = sorting(cells)[:known]
    ordered = cells[order]
    ends = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True)[:known])
    ranks = np.zeros(len(cells), dtype=np.int32)
    ranks[order] = np.repeat((known - ends).astype(np.int32), np.diff(ends, prepend=-1))
    return ranks
