"""Draw the resamples behind intervals, and compute medians in them; the writer of a file and `verify` draw the same ones."""

import numpy as np
from numpy.typing import NDArray

SEED = 260_314_610
"""Fixed, so that replicate r of every model of a file has the same images, whichever run measured it."""


def resample_weights(units: int, replicates: range, seed: int = SEED) -> NDArray[np.float64]:
    """Return how often each unit is drawn in each of these replicates; the result depends on the arguments alone.

    It uses the raw stream of PCG64, which is the same in all versions of numpy; numpy's distributions may change.

    Args:
        units: Number of images or classes; as many are drawn.
        replicates: Numbers of the replicates.
        seed: Seed of all draws.

    Returns:
        Weights (replicate, unit).
    """
    weights = np.empty((len(replicates), units))
    for row, replicate in enumerate(replicates):
        raw = np.random.PCG64(np.random.SeedSequence([seed, units, replicate])).random_raw(-(-units // 2))
        halves = np.concatenate([raw >> np.uint64(32), raw & np.uint64(0xFFFFFFFF)])[:units]
        drawn = (halves * np.uint64(units)) >> np.uint64(32)
        weights[row] = np.bincount(drawn.astype(np.int64), minlength=units)
    return weights


def weighted_medians(
    values: NDArray[np.floating], weights: NDArray[np.float64], owners: NDArray[np.integer] | None = None
) -> NDArray[np.float64]:
    """Return the median of each resample, as numpy computes it; NaN where a resample has no value.

    Args:
        values: One value of each image; NaN is left out.
        weights: How often each unit is in each resample, (resample, unit).
        owners: Unit of each image; None if each is one of its own.
    """
    known = np.flatnonzero(np.isfinite(values))
    order = known[np.argsort(values[known], kind="stable")]
    ascending, units = values[order].astype(np.float64), order if owners is None else owners[order]
    found = np.full(len(weights), np.nan)
    for row, each in enumerate(weights):
        below = np.cumsum(each[units])
        if len(below) and below[-1] > 0:
            last = below[-1] - 1
            places = np.searchsorted(below, [last // 2, (last + 1) // 2], side="right")
            found[row] = ascending[places].mean()
    return found
