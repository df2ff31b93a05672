"""95 % intervals of class and concept figures, in closed form. numpy only; NaN is no value.

Which method serves which figure follows from coverage measured on planted data: benchmarks/interval_coverage.py.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Int, Num
from numpy.typing import NDArray
from scipy.special import stdtrit

from sing_compute.scores.statistics import Columns, Floats, Mask, median, ordered

LEVEL = 0.95
FEWEST_FOR_MEDIAN = 5
"""Fewer values state no interval of a median: even their whole range covers it in less than 90 % of cases."""
FEWEST_FOR_MEAN = 3

MEDIAN_METHOD = "interpolated order statistics"
RATIO_METHOD = "square-and-add of order statistics, in logarithms"
MEAN_METHOD = "t"


@dataclass(frozen=True, slots=True)
class Intervals:
    """Lower and upper ends in the figure's own unit, NaN where no interval can be stated, and how they were found."""

    low: Float[np.ndarray, "..."]
    high: Float[np.ndarray, "..."]
    method: str


def class_intervals(offsets: NDArray[np.int64], columns: Columns, masks: Sequence[Mask]) -> dict[str, Intervals]:
    """Intervals of figures that `class_statistics` gives, by the same names, each of shape (subset, class), in degrees.

    Medians of AS, |AS| and IS: `median_interval` (5 values or more). Their ratio: `ratio_interval` (5 or more). Mean:
    `mean_intervals` (3 or more). Each at every n, because no bootstrap tried is nearer to 95 % throughout: percentile
    and BCa cover less below n = 50 (.78 to .97) and about the same from there. Measured: medians .93 to .95 at n = 5
    and .94 to .96 from 8, ratio .95 to .97, mean .93 to .96, but .87 to .92 below n = 50 for an exponential AS.

    Args:
        offsets: Images of class c are rows offsets[c] to offsets[c + 1].
        columns: Image columns by their store name; `attribute_score` and `image_score` are read.
        masks: One mask of images per subset.
    """
    shape = (len(masks), len(offsets) - 1)
    medians = ("attribute_score_q50", "attribute_score_abs_q50", "image_score_q50")
    ends = {name: np.full((2, *shape), np.nan) for name in (*medians, "ratio")}
    mean, spread, count = np.full(shape, np.nan), np.full(shape, np.nan), np.zeros(shape, np.int64)
    for column, (start, stop) in enumerate(pairwise(offsets)):
        rows = slice(int(start), int(stop))
        scores, shifts = (columns[name][rows] for name in ("attribute_score", "image_score"))
        for row, mask in enumerate(masks):
            score, shift = scores[mask[rows]], shifts[mask[rows]]
            for name, values in zip(medians, (score, np.abs(score), shift), strict=True):
                ends[name][:, row, column] = median_interval(values)
            ends["ratio"][:, row, column] = ratio_interval(shift, np.abs(score))
            valid = score[np.isfinite(score)]
            count[row, column] = len(valid)
            if len(valid) > 1:
                mean[row, column] = valid.mean(dtype=np.float64)
                spread[row, column] = valid.std(ddof=1, dtype=np.float64)
    methods = dict.fromkeys(medians, MEDIAN_METHOD) | {"ratio": RATIO_METHOD}
    found = {name: Intervals(low, high, methods[name]) for name, (low, high) in ends.items()}
    return found | {"attribute_score_mean": mean_intervals(mean, spread, count)}


def mean_intervals(
    mean: Float[np.ndarray, "*#shape"], spread: Float[np.ndarray, "*#shape"], count: Int[np.ndarray, "*#shape"]
) -> Intervals:
    """Intervals of means: mean +- t s / sqrt(n), t with n - 1 degrees of freedom (Student 1908); NaN below 3 values.

    Args:
        mean: Means in their own unit, such as mean AS, (class, concept).
        spread: Standard deviations (n - 1), in the same unit.
        count: Values behind each; shapes broadcast, so (class, 1) will do.
    """
    enough = np.where(count >= FEWEST_FOR_MEAN, count, np.nan)
    half = t_quantile(enough - 1) / np.sqrt(enough) * spread
    return Intervals(mean - half, mean + half, MEAN_METHOD)


def median_interval(values: Float[np.ndarray, " image"]) -> tuple[float, float]:
    """Lower and upper end for the median of values of any continuous distribution; NaN values are left out.

    Each end lies between two neighbouring order statistics, whose coverage the binomial distribution gives, where
    Hettmansperger and Sheather (1986) put it; no distribution then strays far from 95 % (Nyblom 1992). The range of
    five values is given as it is (93.75 %); fewer have no interval: NaN.
    """
    rising = ordered(values)
    count = len(rising)
    if count < FEWEST_FOR_MEDIAN:
        return math.nan, math.nan
    rank, inward = _order_rule(count)
    lowest, low, high, highest = (float(rising[place]) for place in (rank - 1, rank, -rank - 1, -rank))
    return lowest + inward * (low - lowest), highest - inward * (highest - high)


def ratio_interval(upper: Float[np.ndarray, " image"], lower: Float[np.ndarray, " image"]) -> tuple[float, float]:
    """Lower and upper end for median `upper` over median `lower` of the same images, both not negative.

    The distances from each median's logarithm to the ends of its `median_interval` are added as squares (Zou and Donner
    2008), less what their correlation explains; that of two sample medians is the mean product of the signs of the
    deviations (Blomqvist 1950). Images without both values are left out. NaN below 5 images and where an end is zero.
    """
    both = np.isfinite(upper) & np.isfinite(lower)
    upper, lower = upper[both], lower[both]
    ends = np.array([median_interval(values) for values in (upper, lower)])
    if not (ends > 0).all():  # so is NaN: no interval
        return math.nan, math.nan
    top, bottom = median(ordered(upper)), median(ordered(lower))
    correlation = (_signs(upper, top) * _signs(lower, bottom)).mean()
    (top_down, top_up), (bottom_down, bottom_up) = np.abs(np.log(ends / [[top], [bottom]]))
    down, up = (
        math.sqrt(max(a * a + b * b - 2 * correlation * a * b, 0.0))
        for a, b in ((top_down, bottom_up), (top_up, bottom_down))
    )
    return float(top / bottom * math.exp(-down)), float(top / bottom * math.exp(up))


def _signs(values: Floats, middle: float) -> NDArray[np.int8]:
    """Signs of values - middle, which need not be a number of the values' precision."""
    exact = np.float64(middle)
    return (values > exact).astype(np.int8) - (values < exact).astype(np.int8)


def t_quantile(freedom: int | Num[np.ndarray, "*shape"], level: float = LEVEL) -> Float[np.ndarray, "*shape"]:
    """Give the two-sided quantile t of Student's distribution: P(|T| < t) = level.

    Args:
        freedom: Degrees of freedom; NaN results where this is not above 0.
        level: The probability, between 0 and 1.

    Returns:
        One quantile for each number of degrees of freedom.
    """
    quantile: NDArray[np.float64] = np.asarray(stdtrit(freedom, (1 + level) / 2))
    return quantile


@cache
def _order_rule(count: int) -> tuple[int, float]:
    """Which order statistic is the outer one, from 1, and how far an end lies on the way to the next inner one."""
    tail = below = 0.0
    for rank in range(max(0, int(count / 2 - 6 * math.sqrt(count))), count):
        ways = math.lgamma(count + 1) - math.lgamma(rank + 1) - math.lgamma(count - rank + 1)
        below, tail = tail, tail + math.exp(ways - count * math.log(2))
        if 2 * tail > 1 - LEVEL:
            break
    if rank == 0:
        return 1, 0.0
    share = (1 - LEVEL - 2 * below) / (2 * (tail - below))
    return rank, (count - rank) * share / (rank + (count - 2 * rank) * share)
