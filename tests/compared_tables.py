"""Cells of comparison tables and what they must be, by plain numpy."""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from sing_compute.store import Table

MODELS = ("alpha", "beta", "gamma")


def cells(table: Table, name: str) -> NDArray[np.generic]:
    return table.column(name).values.all()


def names(table: Table) -> list[str]:
    return [column.name for column in table.columns]


def moved(first: NDArray[np.generic], other: NDArray[np.generic]) -> NDArray[np.generic]:
    """Rank in the first minus rank in the other, the largest value first, ties sharing the smaller rank."""
    return rankdata(-first, "min", nan_policy="omit") - rankdata(-other, "min", nan_policy="omit")


def same(found: NDArray[np.generic], wanted: NDArray[np.generic]) -> bool:
    return np.array_equal(found, wanted, equal_nan=True)
