"""Decide if two embeddings give pictures that differ by more than the noise of the decoder. numpy alone.

Each of the two, T(f) and T(f~), is decoded with the same S seeds, and every picture goes back through CLIP. d_s is the angle
between the two pictures of seed s, e_st that between the pictures of T(f) of two seeds s and t. The pair is *beyond noise* if the
mean of the d_s is so much larger than the mean of the e_st that at most 5 % of all ways to share the 2 S pictures out would give
as large a difference: in each way some S pictures are called those of T(f), and each of them gets one of the others as its
partner. This permutation test is exact where the pictures of T(f~) are like those of T(f) of further seeds. Common noise can only
make the d_s smaller, so it makes the test strict. Pictures of a decoder that ignores its input are within noise. With fewer than
four seeds no difference can reach 5 %, so nothing is known (docs/pictures.md).
"""

from functools import cache
from itertools import combinations, permutations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FEWEST_SEEDS = 4
"""Fewest seeds with which a difference can be beyond noise."""
LEVEL = 0.05
"""Largest p of a difference that is called beyond noise."""
BEYOND, WITHIN, UNKNOWN = "beyond noise", "within noise", "not known"
STATES = (BEYOND, WITHIN, UNKNOWN)
_MOST_WAYS = 50_000
"""Most ways that are all looked at; of more, so many are drawn."""
_DRAWS = 9_999
_TIE = 1e-6
"""Degrees by which two differences may differ by rounding alone."""

Vectors = NDArray[np.float64]


class PictureNoise(NamedTuple):
    """The comparison of two embeddings by their pictures."""

    between: float
    """Mean angle between the two pictures of a seed, in degrees."""
    noise: float
    """Mean angle between two pictures of T(f), in degrees; NaN with one seed."""
    p: float
    """Share of the ways whose difference is as large; NaN with fewer than four seeds. Never 0."""
    state: str
    """One of `STATES`."""


def angles(left: Vectors, right: Vectors) -> NDArray[np.float64]:
    """Return the angle between each row of `left` and the same row of `right`, in degrees, exact near 0.

    Args:
        left: Vectors (..., clip).
        right: Vectors of a shape that fits.
    """
    x, y = (each / np.linalg.norm(each, axis=-1, keepdims=True) for each in (left, right))
    apart, together = (np.linalg.norm(each, axis=-1) for each in (x - y, x + y))
    return np.asarray(np.degrees(2 * np.arctan2(apart, together)))


def picture_noise(before: Vectors, after: Vectors) -> PictureNoise:
    """Compare the pictures of two embeddings.

    Args:
        before: CLIP embeddings of the pictures of T(f), (seed, clip).
        after: Those of the other embedding with the same seeds in the same order.
    """
    seeds = len(before)
    every = np.concatenate([before, after]).astype(np.float64)
    if not seeds or not np.isfinite(every).all():
        return PictureNoise(np.nan, np.nan, np.nan, UNKNOWN)
    apart = angles(every[:, None], every[None])
    own, partner = _ways(seeds)
    between = apart[own, partner].mean(1)
    if seeds < 2:
        return PictureNoise(float(between[0]), np.nan, np.nan, UNKNOWN)
    left, right = np.triu_indices(seeds, 1)
    noise = apart[own[:, left], own[:, right]].mean(1)
    if seeds < FEWEST_SEEDS:
        return PictureNoise(float(between[0]), float(noise[0]), np.nan, UNKNOWN)
    gap = between - noise
    p = float((gap >= gap[0] - _TIE).mean())
    return PictureNoise(float(between[0]), float(noise[0]), p, BEYOND if p <= LEVEL else WITHIN)


@cache
def _ways(seeds: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return pictures that are called those of T(f), and their partners, (way, seed); the real way is the first.

    All ways where they are few, else the real one and some that are drawn by a fixed seed.
    """
    count = 2 * seeds
    real = np.arange(seeds), np.arange(seeds, count)
    if seeds < FEWEST_SEEDS:
        return real[0][None], real[1][None]
    orders = np.array(list(permutations(range(seeds)))) if seeds <= FEWEST_SEEDS + 1 else np.empty((0, seeds), np.int64)
    chosen = list(combinations(range(count), seeds)) if len(orders) else []
    if 0 < len(chosen) * len(orders) <= _MOST_WAYS:
        own = np.array(chosen)
        rest = np.array([sorted(set(range(count)) - set(each)) for each in chosen])
        return np.repeat(own, len(orders), 0), rest[:, orders].reshape(-1, seeds)
    rng = np.random.default_rng(0)
    drawn = np.array([np.concatenate(real), *(rng.permutation(count) for _ in range(_DRAWS))])
    return drawn[:, :seeds], drawn[:, seeds:]
