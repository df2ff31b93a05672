"""Compute medians of a column in many resamples: one sort of the column, then a product and a search for each resample."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, UInt64

from sing_compute.scores.statistics import (
    Column,
    Floats,
    Owners,
    finite_part,
    owners_of,
    sorted_pairs,
    values_of,
)

TABLE = 2**18
"""Most entries of the table of units and blocks."""
SEARCHED = 2**17
"""Entries of the arrays in which medians are searched for; there are half a dozen of them at once."""


@dataclass(frozen=True, slots=True)
class ClassOwners:
    """Number of each image's class among the classes with images."""

    starts: Int[np.ndarray, " class"]
    """First row of each of these classes."""

    def __getitem__(self, rows: slice, /) -> Int[np.ndarray, " image"]:
        """Return the class numbers of a range of rows."""
        found: Int[np.ndarray, " image"] = np.searchsorted(self.starts, np.arange(rows.start, rows.stop), "right") - 1
        return found


@dataclass(frozen=True, slots=True)
class MedianTable:
    """A column in ascending order, in blocks: a weighted median costs one product and a search in one block."""

    pairs: UInt64[np.ndarray, " value"]
    """Values and the units that they belong to, from `sorted_pairs`: 8 bytes an image."""
    width: int
    """Values in a block."""
    blocks: Float[np.ndarray, "unit block"]
    """Number of values of each unit in each block."""

    @classmethod
    def of(cls, values: Column, owners: Owners, units: int, *, absolute: bool = False) -> "MedianTable":
        """Sort a column.

        Args:
            values: One value of each image; infinite values and NaN are left out.
            owners: The unit that each image is resampled with: itself, or its class.
            units: Number of units.
            absolute: Use the absolute values.
        """
        pairs = finite_part(sorted_pairs(values, absolute=absolute, owners=owners))
        width = max(1, -(-len(pairs) // min(math.isqrt(len(pairs)) + 1, max(2, TABLE // units))))
        blocks = np.zeros((units, max(1, -(-len(pairs) // width))))
        for block in range(blocks.shape[1]):
            inside = pairs[block * width : (block + 1) * width]
            blocks[:, block] = np.bincount(owners_of(inside), minlength=units)
        return cls(pairs, width, blocks)

    def medians(self, weights: Float[np.ndarray, "resample unit"]) -> Float[np.ndarray, " resample"]:
        """Return the median of each resample, as numpy computes it.

        Args:
            weights: Number of times that each unit is in each resample.

        Returns:
            Medians in the values' unit; NaN where no unit with a value is in the resample.
        """
        medians = np.full(len(weights), np.nan)
        step = max(1, SEARCHED // max(self.width, self.blocks.shape[1]))
        for start in range(0, len(weights), step):
            chosen = weights[start : start + step]
            below = np.cumsum(chosen @ self.blocks, axis=1)
            rows = np.flatnonzero(below[:, -1] > 0)
            last = below[rows, -1] - 1
            lower, upper = (self._at(chosen[rows], below[rows], place) for place in (last // 2, (last + 1) // 2))
            medians[start + rows] = (lower + upper) / 2
        return medians

    def _at(
        self,
        weights: Float[np.ndarray, "resample unit"],
        below: Float[np.ndarray, "resample block"],
        place: Float[np.ndarray, " resample"],
    ) -> Float[np.ndarray, " resample"]:
        """Return the value at a place, from 0, of each resample in ascending order."""
        block = (below <= place[:, None]).sum(axis=1)
        before = np.where(block > 0, np.take_along_axis(below, np.maximum(block - 1, 0)[:, None], axis=1)[:, 0], 0.0)
        inside = np.minimum(block[:, None] * self.width + np.arange(self.width), len(self.pairs) - 1)
        owners = owners_of(self.pairs[inside]).astype(np.int64)
        counted = before[:, None] + np.cumsum(np.take_along_axis(weights, owners, axis=1), axis=1)
        found = self.pairs[block * self.width + (counted <= place[:, None]).sum(axis=1)]
        return values_of(found).astype(np.float64)


@dataclass(frozen=True, slots=True)
class MedianShares:
    """Sampled rows of a column, and the share of them at or below their median: it varies like that of the whole column."""

    rows: Float[np.ndarray, "unit 2"]
    """1 if the row has a value, and 1 if that value is at or below the median of the rows; else 0."""

    @classmethod
    def of(cls, part: Floats) -> "MedianShares":
        """Find the median of the sampled rows.

        Args:
            part: Values of the sampled rows; infinite values and NaN are left out.
        """
        valid = np.isfinite(part)
        middle = np.median(part[valid].astype(np.float64)) if valid.any() else np.nan
        return cls(np.stack([valid, valid & (part <= middle)], axis=1).astype(np.float64))

    def deviations(self, weights: Float[np.ndarray, "resample unit"]) -> Float[np.ndarray, " resample"]:
        """Return (F* - F) sqrt(n) of each resample: F the share at or below the median, F* the same in the resample.

        Args:
            weights: Number of times that each unit is in each resample.

        Returns:
            Deviations; NaN where no row with a value is in the resample.
        """
        valid, at_most = (weights @ self.rows).T
        count, below = self.rows.sum(axis=0)
        share = np.divide(at_most, valid, out=np.full_like(valid, np.nan), where=valid > 0)
        found: Float[np.ndarray, " resample"] = (share - below / max(count, 1.0)) * math.sqrt(count)
        return found
