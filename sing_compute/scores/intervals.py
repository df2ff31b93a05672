"""Compute 95 % intervals of class and concept figures in closed form. NaN means no value. numpy and scipy only.

The method for each figure was chosen by its coverage on planted data: benchmarks/interval_coverage.py.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Int, Num
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

from sing_compute.scores.statistics import Columns, Floats, Mask, median, sorted_finite
from sing_compute.store.derived.order_statistics import LEVEL, order_rule

FEWEST_FOR_MEDIAN = 5
"""Fewest values for an interval of a median: the whole range of fewer covers it in less than 90 % of cases."""
FEWEST_FOR_MEAN = 3
"""Fewest values for an interval of a mean."""

MEDIAN_METHOD = "interpolated order statistics"
RATIO_METHOD = "square-and-add of order statistics, in logarithms"
MEAN_METHOD = "t"
PROPORTION_METHOD = "Wilson"


@dataclass(frozen=True, slots=True)
class Intervals:
    """Lower and upper ends in the figure's unit, NaN where there is no interval, and the name of the method."""

    low: Float[np.ndarray, "..."]
    high: Float[np.ndarray, "..."]
    method: str


def class_intervals(offsets: NDArray[np.int64], columns: Columns, masks: Sequence[Mask]) -> dict[str, Intervals]:
    """Compute intervals for figures of `class_statistics`.

    Medians of AS, |AS| and IS: `median_interval` (5 values or more). Their ratio: `ratio_interval` (5 or more). Mean
    AS: `mean_intervals` (3 or more). They are used at every n, because no bootstrap that was tried is nearer to 95 %:
    percentile and BCa cover less below n = 50 (.78 to .97) and about the same from there. Measured coverage: medians
    .93 to .95 at n = 5 and .94 to .96 from 8; ratio .95 to .97; mean .93 to .96, but .87 to .92 below n = 50 for an
    exponential AS.

    Args:
        offsets: Images of class c are rows offsets[c] to offsets[c + 1].
        columns: Image columns by their store name; `attribute_score` and `image_score` are read.
        masks: For each subset, True for its images.

    Returns:
        Intervals (subset, class) by the name of the figure, in degrees (the ratio without unit).
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
    """Compute intervals of means: mean +- t s / sqrt(n), t with n - 1 degrees of freedom (Student 1908).

    Args:
        mean: Means in any unit, such as mean AS (class, concept).
        spread: Standard deviations s with n - 1, in the same unit.
        count: Number n of values behind each mean. The three shapes broadcast: (class, 1) fits (class, concept).

    Returns:
        Intervals in the unit of the means; NaN below 3 values.
    """
    enough = np.where(count >= FEWEST_FOR_MEAN, count, np.nan)
    half = t_quantile(enough - 1) / np.sqrt(enough) * spread
    return Intervals(mean - half, mean + half, MEAN_METHOD)


def proportion_intervals(hits: Int[np.ndarray, "*shape"], count: Int[np.ndarray, "*shape"]) -> Intervals:
    """Compute intervals of proportions (Wilson 1927), such as accuracies.

    Args:
        hits: Number of successes.
        count: Number of trials; NaN results where it is 0.

    Returns:
        Intervals from 0 to 1.
    """
    trials = np.where(count > 0, count, np.nan)
    z = float(ndtri((1 + LEVEL) / 2))
    share = hits / trials
    middle = (share + z**2 / (2 * trials)) / (1 + z**2 / trials)
    half = z / (1 + z**2 / trials) * np.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    return Intervals(np.maximum(middle - half, 0.0), np.minimum(middle + half, 1.0), PROPORTION_METHOD)


def median_interval(values: Float[np.ndarray, " image"]) -> tuple[float, float]:
    """Compute the interval of a median, for values of any continuous distribution.

    Each end is interpolated between two neighbouring order statistics, whose coverage follows from the binomial
    distribution, by the rule of Hettmansperger and Sheather (1986); coverage is then near 95 % for every distribution
    (Nyblom 1992). Five values give their whole range (93.75 %).

    Args:
        values: Any values; NaN is left out.

    Returns:
        Lower and upper end in the unit of the values; NaN below five values.
    """
    ascending = sorted_finite(values)
    count = len(ascending)
    if count < FEWEST_FOR_MEDIAN:
        return math.nan, math.nan
    rank, inward = order_rule(count)
    lowest, low, high, highest = (float(ascending[place]) for place in (rank - 1, rank, -rank - 1, -rank))
    return lowest + inward * (low - lowest), highest - inward * (highest - high)


def ratio_interval(upper: Float[np.ndarray, " image"], lower: Float[np.ndarray, " image"]) -> tuple[float, float]:
    """Compute the interval of median `upper` over median `lower` of the same images.

    In logarithms, the distances from each median to the ends of its `median_interval` are added as squares (Zou and
    Donner 2008), less the part that their correlation explains; the correlation of two sample medians is the mean
    product of the signs of the deviations (Blomqvist 1950).

    Args:
        upper: Values above the fraction line, none negative, such as IS.
        lower: Values below it, of the same images, none negative, such as |AS|.

    Returns:
        Lower and upper end, without unit; NaN if fewer than 5 images have both values, or if an end of a median's
        interval is zero.
    """
    both = np.isfinite(upper) & np.isfinite(lower)
    upper, lower = upper[both], lower[both]
    ends = np.array([median_interval(values) for values in (upper, lower)])
    if not (ends > 0).all():  # also where an end is NaN
        return math.nan, math.nan
    top, bottom = median(sorted_finite(upper)), median(sorted_finite(lower))
    correlation = (_signs(upper, top) * _signs(lower, bottom)).mean()
    (top_down, top_up), (bottom_down, bottom_up) = np.abs(np.log(ends / [[top], [bottom]]))
    down, up = (
        math.sqrt(max(a * a + b * b - 2 * correlation * a * b, 0.0))
        for a, b in ((top_down, bottom_up), (top_up, bottom_down))
    )
    return float(top / bottom * math.exp(-down)), float(top / bottom * math.exp(up))


def _signs(values: Floats, middle: float) -> NDArray[np.int8]:
    """Return the signs of values - middle; the middle may have more digits than the values' precision."""
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
