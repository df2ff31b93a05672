"""Draw the resamples behind intervals, and compute medians in them; the writer of a file and `verify` draw the same ones."""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

SEED = 260_314_610
"""Fixed, so that replicate r of every model of a file has the same images, whichever run measured it."""
CHUNK = 2**18
"""Weights that are drawn at once: resamples times units."""
KEPT = 2**21
"""Most weights (16 MiB) that are kept for the next figure: all of 2,000 resamples of ImageNet's classes, or of a small set."""


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


def weight_chunks(units: int, replicates: range, seed: int = SEED) -> Iterator[NDArray[np.float64]]:
    """Yield the weights of `resample_weights` for a chunk of replicates after the other; nobody may write into them.

    Weights of few units are kept in memory: every figure and every model needs them again.
    """
    step = max(1, CHUNK // units)
    draw = _kept_weights if units * len(replicates) <= KEPT else resample_weights
    for start in range(0, len(replicates), step):
        yield draw(units, replicates[start : start + step], seed)


@lru_cache(maxsize=2 * KEPT // CHUNK)
def _kept_weights(units: int, replicates: range, seed: int) -> NDArray[np.float64]:
    weights = resample_weights(units, replicates, seed)
    weights.setflags(write=False)
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
    step = max(1, CHUNK // max(len(units), 1))
    for start in range(0, len(weights) if len(units) else 0, step):
        below = np.cumsum(
            weights[start : start + step].take(units, axis=1)
        )  # of all these resamples, one behind the other
        ends = below[len(units) - 1 :: len(units)]
        begins = np.concatenate([[0], ends[:-1]])
        last = ends - begins - 1
        filled = last >= 0
        middle = np.stack([last // 2, (last + 1) // 2], axis=1)[filled] + begins[filled, None]
        places = np.searchsorted(below, middle, side="right") % len(units)
        found[start : start + step][filled] = ascending[places].mean(axis=1)
    return found
