import numpy as np
import pytest

from sing_compute.scores import statistics
from sing_compute.scores.statistics import (
    class_statistics,
    finite_part,
    joint_moments,
    median,
    model_summary,
    owners_of,
    quantiles,
    rank_correlation,
    sorted_finite,
    sorted_pairs,
    values_of,
)

NAMES = (
    "attribute_score",
    "image_score",
    "attribute_score_centred",
    "image_score_centred",
    "null_energy",
    "null_energy_centred",
)


def make_columns(images: int, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {name: rng.normal(size=images).astype(np.float32) for name in NAMES}


def awkward(images: int, seed: int = 0) -> np.ndarray:
    """Values with ties, both zeros, very small and large ones, infinite ones and some that are missing."""
    rng = np.random.default_rng(seed)
    special = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1e-42, -1e-42, 3e38, -3e38], np.float32)
    values = rng.normal(size=images).round(1).astype(np.float32)
    return np.where(rng.random(images) < 0.3, rng.choice(special, images), values)


@pytest.mark.parametrize("images", [1, 2, 3, 50, 401])
@pytest.mark.parametrize("absolute", [False, True])
def test_medians_and_quantiles_are_numpys_of_the_float64_copy(images: int, absolute: bool) -> None:
    values = np.append(awkward(images), np.float32(0.25))
    kept = values.copy()
    rising = sorted_finite(values, absolute=absolute)
    assert np.array_equal(values, kept, equal_nan=True)
    exact = values[np.isfinite(values)].astype(np.float64)
    exact = np.abs(exact) if absolute else exact
    assert median(rising) == np.median(exact)
    levels = np.array([0.0, 0.05, 0.25, 0.5, 0.95, 1.0])
    assert quantiles(rising, levels) == pytest.approx(np.quantile(exact, levels), rel=1e-12)


def test_nothing_has_no_median_and_no_quantiles() -> None:
    nothing = sorted_finite(np.full(4, np.nan, np.float32))
    assert np.isnan(median(nothing))
    assert np.isnan(quantiles(nothing, [0.0, 0.5])).all()


@pytest.mark.parametrize("block", [7, 2**18])
def test_one_sort_gives_numpys_stable_order_and_the_values(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(statistics, "BLOCK", block)
    values = awkward(300)
    pairs = sorted_pairs(values)
    order = np.argsort(values, kind="stable")
    assert owners_of(pairs).tolist() == order.tolist()
    assert np.array_equal(values_of(pairs), values[order], equal_nan=True)
    owners = np.random.default_rng(1).integers(0, 9, 300).astype(np.uint32)
    inside = finite_part(sorted_pairs(values, absolute=True, owners=owners))
    finite = np.isfinite(values)
    expected = sorted(zip(np.abs(values[finite]).tolist(), owners[finite].tolist(), strict=True))
    assert list(zip(values_of(inside).tolist(), owners_of(inside).tolist(), strict=True)) == expected


def test_moments_of_blocks_far_from_zero_are_those_of_all_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "BLOCK", 100)
    rng = np.random.default_rng(2)
    first = (1e4 + rng.normal(size=950)).astype(np.float32)
    second = (first + rng.normal(size=950)).astype(np.float32)
    first[::7], second[200:300] = np.nan, np.nan  # one block has no pair at all
    count, mean, covariance = joint_moments(first, second)
    both = np.isfinite(first) & np.isfinite(second)
    joint = np.stack([first, second])[:, both].astype(np.float64)
    assert count == both.sum()
    assert mean == pytest.approx(joint.mean(axis=1), rel=1e-14)
    assert covariance == pytest.approx(np.cov(joint), rel=1e-10)
    assert np.isnan(joint_moments(first[:1], second[:1])[1]).all()


def test_class_figures_are_numpys_of_the_chosen_images() -> None:
    columns = make_columns(30)
    columns["attribute_score"][3] = np.nan
    offsets = np.array([0, 20, 20, 29, 30])
    right = np.arange(30) % 3 > 0
    found = class_statistics(offsets, right, columns, [np.ones(30, bool), ~right])
    chosen = [i for i in range(20) if i != 3]
    values = columns["attribute_score"][chosen].astype(np.float64)
    assert found["count"].tolist() == [[20, 0, 9, 1], [7, 0, 3, 0]]
    assert found["accuracy"][0, 0] == pytest.approx(right[:20].mean())
    assert found["attribute_score_mean"][0, 0] == pytest.approx(values.mean())
    assert found["attribute_score_std"][0, 0] == pytest.approx(values.std(ddof=1))
    assert found["attribute_score_q95"][0, 0] == pytest.approx(np.quantile(values, 0.95))
    assert found["attribute_score_abs_mean"][0, 0] == pytest.approx(np.abs(values).mean())
    wrong = columns["image_score"][20:29][~right[20:29]].astype(np.float64)
    assert found["image_score_q50"][1, 2] == pytest.approx(np.median(wrong))


def test_a_class_without_images_has_no_figures_and_one_image_has_no_spread() -> None:
    found = class_statistics(np.array([0, 0, 1]), np.array([True]), make_columns(1), [np.ones(1, bool)])
    assert np.isnan(found["attribute_score_mean"][0, 0])
    assert np.isnan(found["accuracy"][0, 0])
    assert np.isnan(found["attribute_score_std"][0, 1])
    assert np.isfinite(found["attribute_score_mean"][0, 1])


def test_joint_figures_leave_out_images_without_a_score() -> None:
    columns = make_columns(50)
    columns["image_score"] = np.abs(columns["image_score"])
    columns["image_score"][7] = np.nan
    kept = np.arange(50) != 7
    found = model_summary(columns, np.array([1.0, np.nan, 5.0]))
    joint = np.stack([columns["attribute_score"], columns["image_score"]])[:, kept].astype(np.float64)
    assert found["undefined"] == 1
    assert found["score_mean"] == pytest.approx(joint.mean(axis=1))
    assert found["score_covariance"] == pytest.approx(np.cov(joint))
    medians = np.median(joint[1]), np.median(np.abs(columns["attribute_score"].astype(np.float64)))
    assert found["ratio_images"] == pytest.approx(medians[0] / medians[1])
    assert found["ratio_classes"] == 3.0


@pytest.mark.parametrize("ties", [False, True])
def test_rank_correlation_is_spearmans(ties: bool) -> None:
    rng = np.random.default_rng(1)
    left, right = rng.normal(size=(2, 60))
    if ties:
        left, right = left.round(), right.round()
    left[5], right[9] = np.nan, np.nan
    both = np.isfinite(left) & np.isfinite(right)
    ranks = [
        [(values < value).sum() + (values == value).sum() / 2 for value in values]
        for values in (left[both], right[both])
    ]
    assert rank_correlation(left, right) == pytest.approx(np.corrcoef(ranks)[0, 1], rel=1e-12)


def test_two_entries_have_a_correlation() -> None:
    assert rank_correlation(np.array([1.0, 2.0, np.nan]), np.array([3.0, 1.0, 2.0])) == pytest.approx(-1.0)


def test_orders_that_cannot_be_compared_have_no_correlation() -> None:
    assert np.isnan(rank_correlation(np.array([1.0, np.nan]), np.array([1.0, 2.0])))
    assert np.isnan(rank_correlation(np.ones(5), np.arange(5.0)))
