from statistics import NormalDist

import numpy as np
import pytest
import scipy.stats

from sing_compute.scores.intervals import (
    class_intervals,
    mean_intervals,
    median_interval,
    ratio_interval,
    t_quantile,
)
from sing_compute.scores.statistics import class_statistics

SETS = 2_000
MEDIANS = {"attribute_score_q50": -0.2 + 0.5 * np.log(2), "image_score_q50": np.sqrt(2 * np.log(2))}
"""Of an exponential AS and of IS, the length of a 2-d normal vector."""


def one_class_per_set(count: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Data sets as classes of `count` images: skewed AS, and IS correlated with it."""
    a, b, c = np.random.default_rng(count).normal(size=(3, SETS * count))
    columns = {"attribute_score": -0.2 + 0.25 * (a**2 + b**2), "image_score": np.hypot(a, c)}
    return np.arange(SETS + 1) * count, {name: values.astype(np.float32) for name, values in columns.items()}


@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
def test_quantiles_are_those_of_students_t(level: float) -> None:
    """One and two degrees of freedom have closed forms; an infinite number is the normal distribution; others fall between."""
    normal = NormalDist().inv_cdf((1 + level) / 2)
    assert float(t_quantile(1, level)) == pytest.approx(np.tan(np.pi * level / 2), rel=1e-12)
    assert float(t_quantile(2, level)) == pytest.approx(level * np.sqrt(2 / (1 - level**2)), rel=1e-12)
    assert float(t_quantile(10**9, level)) == pytest.approx(normal, rel=1e-8)
    found = t_quantile(np.arange(1, 2_000).reshape(-1, 1), level)
    assert found.shape == (1_999, 1)
    assert (np.diff(found[:, 0]) < 0).all()
    expansion = normal + (normal**3 + normal) / (4 * 1_999)  # Abramowitz and Stegun, 26.7.5
    assert found[-1, 0] == pytest.approx(expansion, rel=1e-5)


def test_a_quantile_without_degrees_of_freedom_is_none() -> None:
    assert np.isnan(t_quantile(np.array([0.0, -1.0, np.nan]))).all()


@pytest.mark.parametrize("count", [6, 7, 8, 20, 33, 50, 501, 20_000])
def test_ends_of_a_median_lie_between_order_statistics_as_the_binomial_says(count: int) -> None:
    ordered = np.sort(np.random.default_rng(count).gamma(2.0, size=count))
    binomial = scipy.stats.binom(count, 0.5)
    ranks = np.arange(1, count // 2 + 1)
    rank = int(ranks[2 * binomial.cdf(ranks - 1) <= 0.05].max())
    outer, inner = 1 - 2 * binomial.cdf(rank - 1), 1 - 2 * binomial.cdf(rank)
    share = (outer - 0.95) / (outer - inner)
    inward = (count - rank) * share / (rank + (count - 2 * rank) * share)
    low, high = median_interval(np.random.default_rng(0).permutation(ordered))
    assert low == pytest.approx((1 - inward) * ordered[rank - 1] + inward * ordered[rank], rel=1e-6)
    assert high == pytest.approx((1 - inward) * ordered[count - rank] + inward * ordered[count - rank - 1], rel=1e-6)


def test_five_values_give_their_range_and_four_no_interval_of_a_median() -> None:
    values = np.array([3.0, np.nan, 1.0, 9.0, 4.0, np.nan, 2.0])
    assert median_interval(values) == (1.0, 9.0)
    assert np.isnan(median_interval(values[1:])).all()


@pytest.mark.parametrize("count", [8, 20, 50, 200])
def test_intervals_of_medians_and_of_their_ratio_hold_the_truth_in_95_of_100_sets(count: int) -> None:
    offsets, columns = one_class_per_set(count)
    found = class_intervals(offsets, columns, [np.ones(SETS * count, bool)])
    exponential = scipy.stats.expon(-0.2, 0.5)
    grid = np.linspace(0.01, 1.0, 100_001)
    absolute = np.interp(0.5, exponential.cdf(grid) - exponential.cdf(-grid), grid)
    truth = MEDIANS | {"attribute_score_abs_q50": absolute, "ratio": MEDIANS["image_score_q50"] / absolute}
    for name, value in truth.items():
        inside = (found[name].low[0] <= value) & (value <= found[name].high[0])
        assert 0.935 < inside.mean() < 0.975, name


@pytest.mark.parametrize(("count", "least"), [(20, 0.90), (50, 0.93), (200, 0.935)])
def test_the_interval_of_a_skewed_mean_holds_it_about_as_often(count: int, least: float) -> None:
    sets = one_class_per_set(count)[1]["attribute_score"].reshape(SETS, count).astype(np.float64)
    found = mean_intervals(sets.mean(axis=1), sets.std(axis=1, ddof=1), np.full(SETS, count))
    assert least < ((found.low <= 0.3) & (found.high >= 0.3)).mean() < 0.965


def test_intervals_stand_around_the_figures_of_the_same_images() -> None:
    rng = np.random.default_rng(3)
    columns = {name: rng.gamma(2.0, size=60).astype(np.float32) for name in ("attribute_score", "image_score")}
    zeros = {f"{name}_centred": np.zeros(60, np.float32) for name in (*columns, "null_energy")}
    columns["attribute_score"][::2] *= -1
    columns["attribute_score"][4] = np.nan
    offsets, right = np.array([0, 30, 30, 58, 60]), rng.random(60) < 0.7
    masks = [np.ones(60, bool), right]
    found = class_intervals(offsets, columns, masks)
    energy = {"null_energy": np.zeros(60, np.float32)}
    figures = class_statistics(offsets, right, columns | zeros | energy, masks)
    for name, interval in found.items():
        assert ((interval.low < figures[name]) & (figures[name] < interval.high))[:, [0, 2]].all(), name
        assert np.isnan([interval.low[:, [1, 3]], interval.high[:, [1, 3]]]).all(), name
    chosen = columns["image_score"][30:58][right[30:58]]
    alone = found["image_score_q50"].low[1, 2], found["image_score_q50"].high[1, 2]
    assert alone == median_interval(chosen.astype(np.float64))


def test_the_interval_of_a_ratio_follows_units_and_turns_over_with_it() -> None:
    rng = np.random.default_rng(4)
    upper, lower = rng.gamma(3.0, size=(2, 40))
    low, high = ratio_interval(upper, lower)
    assert ratio_interval(6 * upper, 2 * lower) == pytest.approx((3 * low, 3 * high))
    assert ratio_interval(lower, upper) == pytest.approx((1 / high, 1 / low))


def test_what_two_medians_share_makes_their_ratio_more_certain() -> None:
    rng = np.random.default_rng(5)
    shared, first, second = rng.normal(size=(3, 400))
    together = ratio_interval(np.exp(shared + 0.1 * first), np.exp(shared + 0.1 * second))
    apart = ratio_interval(np.exp(shared + 0.1 * first), np.exp(rng.permutation(shared) + 0.1 * second))
    assert np.log(together[1] / together[0]) < 0.5 * np.log(apart[1] / apart[0])


def test_a_ratio_to_scores_that_may_be_zero_has_no_interval() -> None:
    lower = np.arange(10.0)
    assert np.isfinite(ratio_interval(np.ones(10) + lower, lower + 1)).all()
    assert np.isnan(ratio_interval(np.ones(10) + lower, np.maximum(lower - 5, 0))).all()
    lower[3:9] = np.nan
    assert np.isnan(ratio_interval(np.ones(10), lower + 1)).all()


def test_intervals_of_means_are_students_over_classes_and_concepts() -> None:
    rng = np.random.default_rng(6)
    mean, spread = rng.normal(size=(2, 4, 3))
    spread = np.abs(spread)
    count = np.array([[2], [3], [17], [1_300]])
    found = mean_intervals(mean, spread, count)
    with np.errstate(invalid="ignore"):
        low, high = scipy.stats.t.interval(0.95, count - 1, loc=mean, scale=spread / np.sqrt(count))
    assert np.isnan([found.low[0], found.high[0]]).all()
    assert found.low[1:] == pytest.approx(low[1:])
    assert found.high[1:] == pytest.approx(high[1:])
