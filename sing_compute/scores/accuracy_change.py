"""Compare the accuracy of two classifiers on the same images: shares, paired changes, and the worst of several groups."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import NDArray

from sing_compute.scores.intervals import LEVEL, mean_intervals, proportion_intervals

REPLICATES = 2000
Rows = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class AccuracyChange:
    """Accuracy before and after, with 95 % intervals; NaN for no images."""

    images: int
    before: tuple[float, float, float]
    """Accuracy, lower and upper end of its interval."""
    after: tuple[float, float, float]
    change: tuple[float, float, float]


def accuracy_change(before: Bool[np.ndarray, " image"], after: Bool[np.ndarray, " image"]) -> AccuracyChange:
    """Compare two classifiers on the same images.

    Intervals of the accuracies are Wilson's. That of the change is of the mean of the paired differences, with Student's t.

    Args:
        before: True for images that the first one classifies correctly.
        after: The same of the second one.
    """
    ends = proportion_intervals(np.array([before.sum(), after.sum()]), np.array([len(before)] * 2))
    difference = after.astype(np.float64) - before
    mean = difference.mean() if len(before) else np.nan
    spread = difference.std(ddof=1) if len(before) > 1 else np.nan
    change = mean_intervals(np.array([mean]), np.array([spread]), np.array([len(before)]))
    shares = (before.mean(), after.mean()) if len(before) else (np.nan, np.nan)
    first, second = (
        (float(share), float(low), float(high)) for share, low, high in zip(shares, ends.low, ends.high, strict=True)
    )
    return AccuracyChange(len(before), first, second, (float(mean), float(change.low[0]), float(change.high[0])))


def worst_group_change(
    before: Bool[np.ndarray, " image"], after: Bool[np.ndarray, " image"], groups: Sequence[Rows], *, seed: int = 0
) -> AccuracyChange:
    """Compare the lowest accuracy of any group, before and after; it may be another group.

    The intervals are percentiles of a bootstrap that draws images within each group.

    Args:
        before: True for images that the first classifier classifies correctly.
        after: The same of the second one.
        groups: For each group, which images belong to it; groups without images are left out.
        seed: Seed of the draws.
    """
    rng = np.random.default_rng(seed)
    groups = [rows for rows in groups if rows.any()]
    if not groups:
        nothing = (np.nan, np.nan, np.nan)
        return AccuracyChange(0, nothing, nothing, nothing)
    drawn = []
    for rows in groups:
        kinds = np.bincount(2 * before[rows] + after[rows], minlength=4)
        counts = rng.multinomial(kinds.sum(), kinds / kinds.sum(), size=REPLICATES)
        drawn.append(np.stack([counts[:, 2] + counts[:, 3], counts[:, 1] + counts[:, 3]], 1) / kinds.sum())
    worst: Float[np.ndarray, "replicate classifier"] = np.min(drawn, axis=0)
    found = [min(float(right[rows].mean()) for rows in groups) for right in (before, after)]

    def ends(values: Float[np.ndarray, " replicate"]) -> tuple[float, float]:
        low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        return float(low), float(high)

    return AccuracyChange(
        int(np.any(groups, axis=0).sum()),
        (found[0], *ends(worst[:, 0])),
        (found[1], *ends(worst[:, 1])),
        (found[1] - found[0], *ends(worst[:, 1] - worst[:, 0])),
    )
