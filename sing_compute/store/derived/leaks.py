"""Compute how much each class leaks: the largest shift of a concept by the null part that is special to the class."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sing_compute.store.derived.cells import significance_mark

Cells = NDArray[Any]


def largest_shift(shifts: Cells) -> NDArray[np.float64]:
    """Return the size of the largest shift of each class.

    Args:
        shifts: Centred AS in degrees, (class, concept).

    Returns:
        Degrees, (class,); NaN for a class without a known shift.
    """
    sizes = _sizes(shifts)
    return np.asarray(np.where(np.isfinite(sizes).any(1), sizes.max(1, initial=-np.inf), np.nan))


def most_shifted(shifts: Cells, names: Cells) -> NDArray[np.object_]:
    """Return the concept with the largest shift of each class; empty text for a class without a known shift.

    Args:
        shifts: Centred AS in degrees, (class, concept).
        names: Names of the concepts.
    """
    sizes = _sizes(shifts)
    if not sizes.shape[1]:
        return np.full(len(sizes), "", dtype=object)
    found = [str(names[row.argmax()]) if np.isfinite(row).any() else "" for row in sizes]
    return np.array(found, dtype=object)


def mark_of_largest(shifts: Cells, q: Cells) -> NDArray[np.str_]:
    """Return a star for each class whose concept with the largest shift has a significant AS, else the empty text.

    Args:
        shifts: Centred AS in degrees, (class, concept).
        q: Adjusted p of AS, (class, concept).
    """
    if not shifts.shape[1]:
        return np.full(len(shifts), "", dtype="<U1")
    return significance_mark(np.take_along_axis(q, _sizes(shifts).argmax(1)[:, None], 1)[:, 0])


def _sizes(shifts: Cells) -> NDArray[np.float64]:
    """Return absolute values, -inf for unknown ones."""
    sizes = np.abs(shifts.astype(np.float64))
    sizes[~np.isfinite(sizes)] = -np.inf
    return np.asarray(sizes)
