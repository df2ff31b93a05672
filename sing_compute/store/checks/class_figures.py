"""Compute figures of all classes at once from one sort of an image column; images are sorted by class."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sing_compute.float_order import ordered_bits
from sing_compute.store.constants import QUANTILES
from sing_compute.store.derived.order_statistics import LEVEL, order_rule

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
_FEWEST = 5
"""Fewest values for an interval of a median."""


class ClassColumn:
    """One image column whose values are sorted within each class; NaN is left out of every figure."""

    def __init__(self, values: NDArray[np.floating], offsets: NDArray[np.int64]) -> None:
        self.values, self._offsets = values, offsets
        self._classes = len(offsets) - 1
        self.owners = np.repeat(np.arange(self._classes, dtype=np.int32), np.diff(offsets))
        self._orders: dict[bool, NDArray[np.int64]] = {}

    def figures(self, name: str, mask: Mask) -> dict[str, Array]:
        """Return the figures of a column that a class table has, over the images of a subset, by store name."""
        if name.startswith("null_energy"):
            return {f"{name}_mean": self._moments(mask)[0]}
        found: dict[str, Array] = {}
        if name in ("attribute_score", "image_score"):
            found[f"{name}_mean"], found[f"{name}_std"] = self._moments(mask)
            levels = self.quantiles(np.array(QUANTILES) / 100, mask)
            found |= {f"{name}_q{level:02d}": levels[:, k] for k, level in enumerate(QUANTILES)}
        if name.startswith("attribute_score"):
            found[f"{name}_abs_q50"] = self.quantiles(np.array([0.5]), mask, absolute=True)[:, 0]
        if name == "attribute_score":
            found[f"{name}_abs_mean"] = self._moments(mask, absolute=True)[0]
        if name == "image_score_centred":
            found[f"{name}_q50"] = self.quantiles(np.array([0.5]), mask)[:, 0]
        return found

    def _moments(self, mask: Mask, *, absolute: bool = False) -> tuple[Array, Array]:
        """Return mean and standard deviation (n - 1) of each class."""
        values = np.abs(self.values) if absolute else self.values
        chosen = mask & np.isfinite(values)
        owners, picked = self.owners[chosen], values[chosen].astype(np.float64)
        count = np.bincount(owners, minlength=self._classes)
        mean = _divide(np.bincount(owners, picked, self._classes), count)
        squares = np.bincount(owners, (picked - mean[owners]) ** 2, self._classes)
        return mean, np.sqrt(_divide(squares, np.where(count > 1, count - 1, 0)))

    def _sorted(
        self, mask: Mask, *, absolute: bool
    ) -> tuple[NDArray[np.floating], NDArray[np.int64], NDArray[np.int64]]:
        """Return the values of a subset, sorted within each class, with the first place and the number of each class."""
        values = np.abs(self.values) if absolute else self.values
        if absolute not in self._orders:
            self._orders[absolute] = self._order(values)
        order = self._orders[absolute]
        chosen = order if mask.all() else order[mask[order]]
        count = np.bincount(self.owners[chosen], minlength=self._classes)
        return values[chosen], np.cumsum(count) - count, count

    def _order(self, values: NDArray[np.floating]) -> NDArray[np.int64]:
        """Return the rows of finite values, by class, then ascending: by one sort of 64-bit integers if these can hold a row."""
        rows = np.flatnonzero(np.isfinite(values))
        owners = self.owners[rows].astype(np.uint64)
        width = int(np.diff(self._offsets).max(initial=1)).bit_length()
        if self._classes.bit_length() + 32 + width > 64 or values.dtype != np.float32:
            return np.asarray(rows[np.lexsort((values[rows], owners))])
        place = (rows - self._offsets[self.owners[rows]]).astype(np.uint64)
        bits = ordered_bits(values[rows]).astype(np.uint64)
        keys = owners << np.uint64(32 + width) | bits << np.uint64(width) | place
        keys.sort()
        place = keys & np.uint64((1 << width) - 1)
        return np.asarray(self._offsets[(keys >> np.uint64(32 + width)).astype(np.int64)] + place.astype(np.int64))

    def quantiles(self, levels: Array, mask: Mask, *, absolute: bool = False) -> Array:
        """Return quantiles of each class, (class, level), linear between neighbours; NaN for a class without values."""
        values, first, count = self._sorted(mask, absolute=absolute)
        found = np.full((self._classes, len(levels)), np.nan)
        known = count > 0
        place = levels * (count[known, None] - 1)
        left = place.astype(np.int64)
        right = np.minimum(left + 1, count[known, None] - 1)
        low, high = (values[first[known, None] + side].astype(np.float64) for side in (left, right))
        found[known] = low + (place - left) * (high - low)
        return found

    def median_ends(self, mask: Mask, *, absolute: bool = False) -> Array:
        """Return the 95 % interval of the median of each class, (class, bound), by interpolated order statistics.

        The rule is that of Hettmansperger and Sheather (1986); NaN below five values.
        """
        values, first, count = self._sorted(mask, absolute=absolute)
        found = np.full((self._classes, 2), np.nan)
        for number in np.unique(count[count >= _FEWEST]).tolist():
            rank, inward = order_rule(number)
            rows = np.flatnonzero(count == number)
            begin, end = first[rows], first[rows] + number
            lowest, low, high, highest = (
                values[at].astype(np.float64) for at in (begin + rank - 1, begin + rank, end - rank - 1, end - rank)
            )
            found[rows, 0] = lowest + inward * (low - lowest)
            found[rows, 1] = highest - inward * (highest - high)
        return found

    def mean_ends(self, mask: Mask) -> Array:
        """Return the 95 % interval of the mean of each class, (class, bound), by Student's t; NaN below three values."""
        mean, spread = self._moments(mask)
        chosen = mask & np.isfinite(self.values)
        count = np.bincount(self.owners[chosen], minlength=self._classes)
        half = half_width(count, spread)
        return np.stack([mean - half, mean + half], axis=1)


def half_width(count: NDArray[np.int64], spread: Array) -> Array:
    """Return half of the width of the 95 % interval of a mean; NaN below three values.

    Args:
        count: Number of values.
        spread: Their standard deviation (n - 1).
    """
    from scipy.special import stdtrit

    enough = np.where(count >= 3, count, np.nan)
    return np.asarray(stdtrit(enough - 1, (1 + LEVEL) / 2) / np.sqrt(enough) * spread)


def ratio_ends(upper: ClassColumn, lower: ClassColumn, mask: Mask) -> Array:
    """Return the 95 % interval of the ratio of two medians of each class, (class, bound), by square-and-add in logarithms.

    Args:
        upper: Values above the fraction line, none negative.
        lower: Values below it, of which the absolute values count.
        mask: True for the images of the subset.
    """
    both = mask & np.isfinite(upper.values) & np.isfinite(lower.values)
    ends = np.stack([upper.median_ends(both), lower.median_ends(both, absolute=True)])
    half = np.array([0.5])
    middles = np.stack([upper.quantiles(half, both)[:, 0], lower.quantiles(half, both, absolute=True)[:, 0]])
    owners, classes = upper.owners[both], len(middles[0])
    parts = upper.values[both], np.abs(lower.values[both])
    signs = [np.sign(part - middle[owners]) for part, middle in zip(parts, middles, strict=True)]
    count = np.bincount(owners, minlength=classes)
    correlation = _divide(np.bincount(owners, signs[0] * signs[1], classes), count)
    away = np.abs(np.log(ends / middles[..., None]))
    found = np.full((classes, 2), np.nan)
    for side, sign in ((0, -1), (1, 1)):
        a, b = away[0, :, side], away[1, :, 1 - side]
        size = np.sqrt(np.maximum(a * a + b * b - 2 * correlation * a * b, 0))
        found[:, side] = middles[0] / middles[1] * np.exp(sign * size)
    found[~(ends > 0).all(axis=(0, 2))] = np.nan
    return found


def _divide(above: NDArray[Any], below: NDArray[Any]) -> Array:
    """Divide, with NaN where the divisor is 0."""
    found = np.full(np.shape(above), np.nan)
    np.divide(above, below, out=found, where=np.asarray(below != 0))
    return found
