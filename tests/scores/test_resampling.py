import numpy as np
import pytest
import scipy.stats

from sing_compute.errors import SingError
from sing_compute.scores import weighted_median
from sing_compute.scores.resampling import (
    REPLICATES,
    Replicates,
    certainty,
    class_replicates,
    image_replicates,
    replicate_intervals,
    share_above,
)
from sing_compute.store.derived import resamples
from sing_compute.store.derived.resamples import resample_weights, weight_chunks, weighted_medians

NAMES = (
    "attribute_score",
    "image_score",
    "attribute_score_centred",
    "image_score_centred",
    "null_energy",
    "null_energy_centred",
)


def make_columns(images: int, *, missing: int = 0, seed: int = 0) -> dict[str, np.ndarray]:
    """Columns with ties and with some images that have no value, and one that is no median of a model."""
    rng = np.random.default_rng(seed)
    columns = {name: rng.normal(size=images).round(1).astype(np.float32) for name in NAMES}
    columns["image_score"] = np.abs(columns["image_score"])
    for values in columns.values():
        values[rng.permutation(images)[:missing]] = np.nan
    return columns | {"top_concept_score": np.zeros((images, 5), np.float32)}


def by_hand(columns: dict[str, np.ndarray], rows: np.ndarray) -> dict[str, float]:
    """numpy's medians of some rows, which may repeat."""

    def median(name: str, *, absolute: bool = False) -> float:
        values = columns[name][rows].astype(np.float64)
        values = values[np.isfinite(values)]
        return float(np.median(np.abs(values) if absolute else values)) if len(values) else np.nan

    figures = {name: median(name) for name in NAMES if name != "attribute_score_centred"}
    figures["attribute_score_abs"] = median("attribute_score", absolute=True)
    figures["attribute_score_centred_abs"] = median("attribute_score_centred", absolute=True)
    zero = figures["attribute_score_abs"] == 0
    figures["ratio_images"] = np.nan if zero else figures["image_score"] / figures["attribute_score_abs"]
    return figures


@pytest.mark.parametrize(("images", "missing"), [(1, 0), (6, 4), (37, 0), (37, 5), (300, 11)])
def test_replicates_are_medians_of_the_images_drawn(images: int, missing: int) -> None:
    columns = make_columns(images, missing=missing)
    found = image_replicates(columns, replicates=40)
    for replicate, counts in enumerate(resample_weights(images, range(40)).astype(int)):
        expected = by_hand(columns, np.repeat(np.arange(images), counts))
        assert set(found.names) == set(expected)
        ordered = [expected[name] for name in found.names]
        assert found.values[replicate] == pytest.approx(np.array(ordered, np.float32), nan_ok=True)


def test_replicates_over_classes_are_medians_of_all_images_of_the_classes_drawn() -> None:
    offsets = np.array([0, 0, 5, 26, 27, 27, 60, 80])
    columns, ratios = make_columns(80, missing=7), np.array([np.nan, 3.0, 1.5, np.nan, np.nan, 9.0, 4.0])
    found = class_replicates(offsets, columns, ratios, replicates=60)
    filled = [1, 2, 3, 5, 6]
    for replicate, counts in enumerate(resample_weights(5, range(60)).astype(int)):
        drawn = np.repeat(filled, counts)
        expected = by_hand(columns, np.concatenate([np.arange(offsets[c], offsets[c + 1]) for c in drawn]))
        kept = ratios[drawn][np.isfinite(ratios[drawn])]
        expected["ratio_classes"] = np.median(kept) if len(kept) else np.nan
        ordered = [expected[name] for name in found.names]
        assert found.values[replicate] == pytest.approx(np.array(ordered, np.float32), nan_ok=True)


def test_work_in_chunks_gives_the_same_replicates(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = make_columns(50)
    whole = image_replicates(columns, replicates=30).values
    monkeypatch.setattr(resamples, "CHUNK", 200)
    assert np.array_equal(image_replicates(columns, replicates=30).values, whole)


@pytest.mark.parametrize(("table", "chunk"), [(1, 1), (40, 300)])
def test_how_much_is_held_at_a_time_does_not_change_replicates_over_classes(
    monkeypatch: pytest.MonkeyPatch, table: int, chunk: int
) -> None:
    offsets, columns = np.arange(0, 401, 40), make_columns(400, missing=9)
    whole = class_replicates(offsets, columns, np.ones(10), replicates=50).values
    monkeypatch.setattr(weighted_median, "TABLE", table)
    monkeypatch.setattr(resamples, "CHUNK", chunk)
    assert np.array_equal(class_replicates(offsets, columns, np.ones(10), replicates=50).values, whole, equal_nan=True)


def test_sampled_replicates_are_quantiles_of_all_values_at_the_level_that_the_sample_strays_to() -> None:
    columns, images, sample = make_columns(700, missing=40, seed=3), 700, 60
    found = image_replicates(columns, replicates=25, sample=sample)
    rows = np.arange(sample) * images // sample
    values = columns["image_score"][np.isfinite(columns["image_score"])].astype(np.float64)
    part = columns["image_score"][rows].astype(np.float64)
    middle, valid = np.nanmedian(part), np.isfinite(part)
    expected = []
    for counts in resample_weights(sample, range(25)).astype(int):
        drawn = np.repeat(part, counts)
        drawn = drawn[np.isfinite(drawn)]
        strayed = (drawn <= middle).mean() - (part[valid] <= middle).mean()
        expected.append(np.quantile(values, np.clip(0.5 - strayed * np.sqrt(valid.sum() / len(values)), 0, 1)))
    assert found.values[:, found.names.index("image_score")] == pytest.approx(np.array(expected), rel=1e-6, abs=1e-7)


def test_every_unit_is_as_likely_and_replicates_do_not_depend_on_their_neighbours() -> None:
    weights = resample_weights(41, range(REPLICATES))
    assert (weights.sum(axis=1) == 41).all()
    assert scipy.stats.chisquare(weights.sum(axis=0)).pvalue > 1e-3
    together = scipy.stats.binom.pmf(range(5), 41, 1 / 41)
    assert [(weights == k).mean() for k in range(5)] == pytest.approx(together, abs=0.01)
    assert np.array_equal(resample_weights(41, range(7, 9)), weights[7:9])
    assert not np.array_equal(resample_weights(41, range(7, 9), seed=1), weights[7:9])


@pytest.mark.parametrize("images", [1, 41, 3000])
def test_medians_of_resamples_are_those_of_the_images_that_each_one_holds(images: int) -> None:
    rng = np.random.default_rng(images)
    values, owners = rng.normal(size=images).round(1), rng.integers(0, 90, images)
    values[rng.random(images) < 0.2] = np.nan
    weights = np.concatenate(list(weight_chunks(90, range(120))))
    assert np.array_equal(weights, resample_weights(90, range(120)))
    expected = []
    for counts in weights.astype(int):
        drawn = np.repeat(values, counts[owners])
        drawn = drawn[np.isfinite(drawn)]
        expected.append(np.median(drawn) if len(drawn) else np.nan)
    np.testing.assert_array_equal(weighted_medians(values, weights, owners), expected)
    assert np.isnan(weighted_medians(values * np.nan, weights, owners)).all()


def test_a_model_that_is_above_another_by_a_hair_on_every_image_is_above_for_certain() -> None:
    columns = make_columns(90)
    other = columns | {"image_score": columns["image_score"] + np.float32(1e-3)}
    offsets, ratios = np.arange(0, 91, 10), np.ones(9)
    for left, right in (
        (image_replicates(other), image_replicates(columns)),
        (image_replicates(other, sample=30), image_replicates(columns, sample=30)),
        (class_replicates(offsets, other, ratios), class_replicates(offsets, columns, ratios)),
    ):
        shares = dict(zip(left.names, share_above(left.values, right.values), strict=True))
        assert shares["image_score"] == 1.0
        assert shares["null_energy"] == 0.5


def test_more_images_than_are_resampled_vary_as_all_of_them_would() -> None:
    rng = np.random.default_rng(8)
    columns = {name: rng.normal(2.0, 1.0, size=9_000).astype(np.float32) for name in ("attribute_score", "image_score")}
    found = image_replicates(columns, sample=1_000)
    assert found.units == 9_000
    image = found.values[:, found.names.index("image_score")].astype(np.float64)
    assert image.std() == pytest.approx(np.sqrt(np.pi / 2 / 9_000), rel=0.1)
    assert image.mean() == pytest.approx(np.median(columns["image_score"]), abs=0.2 * float(image.std()))
    columns["attribute_score"][:] = np.nan
    assert np.isnan(image_replicates(columns, sample=1_000, replicates=5).values[:, 0]).all()


@pytest.mark.parametrize("units", [5, 20, 50, 10_000])
def test_intervals_are_percentiles_widened_for_few_units(units: int) -> None:
    values = np.random.default_rng(9).gamma(2.0, size=(REPLICATES, 2)).astype(np.float32)
    values[:, 1] = np.nan
    found = replicate_intervals(Replicates(("image_score", "ratio_images"), values, units))
    tail = scipy.stats.norm.sf(np.sqrt(units / (units - 1)) * scipy.stats.t.ppf(0.975, units - 1))
    assert (found.low[0], found.high[0]) == pytest.approx(np.quantile(values[:, 0], [tail, 1 - tail]), rel=1e-5)
    assert np.isnan([found.low[1], found.high[1]]).all()


def test_fewer_than_five_units_have_no_interval() -> None:
    found = replicate_intervals(image_replicates(make_columns(4)))
    assert np.isnan([found.low, found.high]).all()


def test_ties_count_half_and_replicates_without_a_value_are_left_out() -> None:
    left = np.array([[1.0, 5.0, np.nan], [2.0, 5.0, 1.0], [3.0, np.nan, np.nan], [4.0, 5.0, np.nan]])
    right = np.array([[2.0, 5.0, 1.0], [2.0, 4.0, np.nan], [1.0, 1.0, 1.0], [np.nan, 6.0, 1.0]])
    assert share_above(left, right) == pytest.approx([1.5 / 3, 1.5 / 3, np.nan], nan_ok=True)


def test_certainties_of_two_directions_add_to_one() -> None:
    replicates = np.random.default_rng(10).normal(size=(4, 500)) + np.array([[0.0], [1.0], [1.0], [9.0]])
    found = certainty(replicates)
    assert found + found.T == pytest.approx(np.ones((4, 4)))
    assert (found[3, :3] == 1.0).all()
    assert found[1, 0] == pytest.approx((replicates[1] > replicates[0]).mean())


def test_nothing_to_resample_is_said() -> None:
    with pytest.raises(SingError, match="no image"):
        image_replicates(make_columns(0))
    with pytest.raises(SingError, match="two with images, got 1"):
        class_replicates(np.array([0, 0, 9]), make_columns(9), np.ones(2))
