"""Compare the accuracy of two classifiers on the same images: shares, paired changes, and the worst of several groups."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import NDArray

from sing_compute.scores.intervals import proportion_intervals
from sing_compute.store.derived.order_statistics import LEVEL

DRAWS = 4000
Rows = NDArray[np.bool_]
_PRIOR = 0.25
"""Weight of each of the four outcomes before any image: the accuracy of each classifier then has Jeffreys' prior."""


@dataclass(frozen=True, slots=True)
class AccuracyChange:
    """Accuracy before and after, with 95 % intervals; NaN for no images."""

    images: int
    before: tuple[float, float, float]
    """Accuracy, lower and upper end of its interval."""
    after: tuple[float, float, float]
    change: tuple[float, float, float]


def accuracy_change(
    before: Bool[np.ndarray, " image"], after: Bool[np.ndarray, " image"], *, seed: int = 0
) -> AccuracyChange:
    """Compare two classifiers on the same images.

    Intervals of the accuracies are Wilson's. That of the change is from draws of the shares of the four paired outcomes (both
    correct, one of them, none), given the images: of no change in 50 images it does not say that there is none.

    Args:
        before: True for images that the first one classifies correctly.
        after: The same of the second one.
        seed: Seed of the draws.
    """
    count = len(before)
    ends = proportion_intervals(np.array([before.sum(), after.sum()]), np.array([count, count]))
    if not count:
        return _nothing()
    drawn = _drawn(before, after, np.random.default_rng(seed))
    shares = float(before.mean()), float(after.mean())
    first, second = (
        (share, float(low), float(high)) for share, low, high in zip(shares, ends.low, ends.high, strict=True)
    )
    return AccuracyChange(count, first, second, (shares[1] - shares[0], *_ends(drawn[1] - drawn[0])))


def worst_group_change(
    before: Bool[np.ndarray, " image"], after: Bool[np.ndarray, " image"], groups: Sequence[Rows], *, seed: int = 0
) -> AccuracyChange:
    """Compare the lowest accuracy of any group, before and after; it may be another group.

    Intervals are from draws of the shares of the paired outcomes of each group, as in `accuracy_change`.

    Args:
        before: True for images that the first classifier classifies correctly.
        after: The same of the second one.
        groups: For each group, which images belong to it; groups without images are left out.
        seed: Seed of the draws.
    """
    groups = [rows for rows in groups if rows.any()]
    if not groups:
        return _nothing()
    rng = np.random.default_rng(seed)
    worst = np.min([_drawn(before[rows], after[rows], rng) for rows in groups], axis=0)
    found = [min(float(right[rows].mean()) for rows in groups) for right in (before, after)]
    return AccuracyChange(
        int(np.any(groups, axis=0).sum()),
        (found[0], *_ends(worst[0])),
        (found[1], *_ends(worst[1])),
        (found[1] - found[0], *_ends(worst[1] - worst[0])),
    )


def _drawn(before: Rows, after: Rows, rng: np.random.Generator) -> Float[np.ndarray, "classifier draw"]:
    """Return draws of the accuracies of both classifiers, given their outcomes on the same images."""
    outcomes = np.bincount(2 * before + after, minlength=4)
    shares = rng.dirichlet(outcomes + _PRIOR, size=DRAWS)
    return np.stack([shares[:, 2] + shares[:, 3], shares[:, 1] + shares[:, 3]])


def _ends(values: Float[np.ndarray, " draw"]) -> tuple[float, float]:
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _nothing() -> AccuracyChange:
    unknown = (np.nan, np.nan, np.nan)
    return AccuracyChange(0, unknown, unknown, unknown)
