"""Compute cells from stored cells of the same row."""

import math

import numpy as np
from numpy.typing import NDArray

from sing_compute.store.constants import SIGNIFICANT

Numbers = NDArray[np.floating]


def difference(left: Numbers, right: Numbers) -> Numbers:
    """Return left minus right of each row."""
    return np.asarray(left - right)


def quotient(above: Numbers, below: Numbers) -> Numbers:
    """Return the quotient of each row; infinite or NaN where the divisor is 0."""
    return np.asarray(above / below)


def normal_tail(z: Numbers) -> NDArray[np.float64]:
    """Return the two-sided tail of the normal distribution beyond each z."""
    return np.array([math.erfc(abs(value) / math.sqrt(2)) for value in z.tolist()])


def significance_mark(q: Numbers) -> NDArray[np.str_]:
    """Return a star where q is significant, else the empty text."""
    return np.where(q < SIGNIFICANT, "*", "")


def repeated(value: NDArray[np.generic], rows: NDArray[np.generic]) -> NDArray[np.generic]:
    """Return the value that all rows have in common in each of them; values of rows that differ stay as they are."""
    return np.broadcast_to(value, np.shape(rows)).copy()
