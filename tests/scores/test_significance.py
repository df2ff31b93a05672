"""Control scores: shifts of concepts along random null directions, and how a planted shift stands out from them."""

import math

import numpy as np
import pytest
import scipy.linalg
import scipy.stats
import torch
from torch import Tensor

from sing_compute.errors import HeadError, SingError
from sing_compute.linalg.null_space import HeadSplit, split_head
from sing_compute.scores import significance as module
from sing_compute.scores.arcsine_series import SERIES_ERROR, SERIES_TERMS, arcsine_series, series_terms
from sing_compute.scores.significance import (
    ControlScores,
    SharedDirections,
    SharedDirectionSums,
    benjamini_hochberg,
    significance,
)

FOLDS, CLIP = 3, 24


class World:
    """A head, a translator for each fold, features with an offset and concepts."""

    def __init__(self, *, dim: int = 40, classes: int = 8, images: int = 20, concepts: int = 30) -> None:
        rng = np.random.default_rng(0)
        self.head = rng.normal(size=(classes, dim))
        self.weights = rng.normal(size=(FOLDS, CLIP, dim)) / 8
        self.bias = 2 * rng.normal(size=CLIP)
        self.features = rng.normal(size=(images, dim)) + rng.normal(size=dim)
        self.folds = rng.integers(FOLDS, size=images)
        self.concepts = rng.normal(size=(concepts, CLIP))
        basis = scipy.linalg.null_space(self.head)
        self.projector = basis @ basis.T

    @property
    def split(self) -> HeadSplit:
        return split_head(torch.from_numpy(self.head), stored_dtype=torch.float64)

    def directions(self, draws: int, *, seed: int = 0) -> SharedDirections:
        null_weights = [self.split.null_part(torch.from_numpy(weight)) for weight in self.weights]
        return SharedDirections.of(self.split, null_weights, torch.from_numpy(self.concepts), draws=draws, seed=seed)

    def feature_directions(self, draws: int, *, seed: int = 0) -> np.ndarray:
        """The same draws in feature space: seen by a translator that only projects."""
        identity = self.split.null_part(torch.eye(self.head.shape[1], dtype=torch.float64))
        concepts = torch.ones(1, self.head.shape[1])
        return SharedDirections.of(self.split, [identity], concepts, draws=draws, seed=seed).translated[0].numpy()

    @property
    def batch(self) -> tuple[Tensor, Tensor, Tensor]:
        before = np.einsum("icd,id->ic", self.weights[self.folds], self.features) + self.bias
        null_norm = np.linalg.norm(self.features @ self.projector, axis=1)
        return torch.from_numpy(before), torch.from_numpy(null_norm), torch.from_numpy(self.folds).int()

    def control(self, draws: int, *, seed: int = 0) -> ControlScores:
        sums = SharedDirectionSums(self.directions(draws, seed=seed))
        sums.add(*self.batch)
        return sums.finish()

    def reference(self, directions: np.ndarray, image: int) -> np.ndarray:
        """Control AS of one image, (draw, concept): T of the feature itself and of the feature without e d."""
        weight, feature = self.weights[self.folds[image]], self.features[image]
        length = np.linalg.norm(self.projector @ feature)
        before = self.angles(weight @ feature + self.bias)
        return np.stack([before - self.angles(weight @ (feature - length * d) + self.bias) for d in directions])

    def angles(self, u: np.ndarray) -> np.ndarray:
        t, u = self.concepts / np.linalg.norm(self.concepts, axis=1, keepdims=True), u / np.linalg.norm(u)
        return np.degrees(2 * np.arctan2(np.linalg.norm(t - u, axis=1), np.linalg.norm(t + u, axis=1)))


@pytest.fixture(scope="module")
def world() -> World:
    return World()


@pytest.fixture(scope="module")
def nothing_planted() -> np.ndarray:
    """Scores under H0, (family, draw, concept), in a null space of 62 dimensions: every draw is a fresh direction."""
    wide = World(dim=70, images=6, concepts=40)
    return wide.control(400 * 200).attribute_score.numpy().reshape(400, 200, 40)


def test_control_scores_are_those_of_explicit_features(world: World) -> None:
    found, directions = world.control(25), world.feature_directions(25)
    scores = np.stack([world.reference(directions, image) for image in range(len(world.features))])
    assert np.abs(scores).max() > 5
    np.testing.assert_allclose(found.attribute_score, scores.mean(axis=0), rtol=0, atol=1e-10)
    np.testing.assert_allclose(found.attribute_score_abs, np.abs(scores).mean(axis=0), rtol=0, atol=1e-10)


@pytest.mark.parametrize(("scale", "alone"), [(0.02, False), (0.3, False), (0.9, True)])
def test_series_and_arcsine_give_the_scores_of_explicit_features(
    monkeypatch: pytest.MonkeyPatch, scale: float, alone: bool
) -> None:
    near = World(concepts=60)
    near.weights = near.weights * scale  # how far the control moves, beside the translator's offset
    exactly = []
    add = SharedDirectionSums._add_exactly
    monkeypatch.setattr(
        SharedDirectionSums,
        "_add_exactly",
        lambda sums, folds, *parts: exactly.extend(folds) or add(sums, folds, *parts),
    )
    found, directions = near.control(30), near.feature_directions(30)
    scores = np.stack([near.reference(directions, image) for image in range(20)])
    assert len(exactly) == (20 if alone else 0)
    assert np.abs(scores).max() > 20 * scale
    np.testing.assert_allclose(found.attribute_score, scores.mean(axis=0), rtol=0, atol=1e-6)
    np.testing.assert_allclose(found.attribute_score_abs, np.abs(scores).mean(axis=0), rtol=0, atol=1e-6)


def test_images_near_and_far_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    mixed = World()
    mixed.features[::2] *= 0.02
    found: list[Tensor] = []
    monkeypatch.setattr(module, "series_terms", lambda *ends: found.append(series_terms(*ends)) or found[-1])
    directions = mixed.feature_directions(15)
    scores = np.mean([mixed.reference(directions, image) for image in range(20)], axis=0)
    np.testing.assert_allclose(mixed.control(15).attribute_score, scores, rtol=0, atol=1e-6)
    assert int((found[0] > SERIES_TERMS).sum()) == 10


def test_the_series_is_that_of_arcsine() -> None:
    at, move = np.meshgrid(np.linspace(-0.6, 0.6, 25), np.linspace(-0.2, 0.2, 21))
    factors = arcsine_series(torch.from_numpy(at), 45).numpy()
    found = sum(factor * move ** (n + 1) for n, factor in enumerate(factors))
    np.testing.assert_allclose(found, np.arcsin(at + move) - np.arcsin(at), rtol=0, atol=1e-14)


def test_a_series_is_as_long_as_its_remainder_asks_for() -> None:
    places = np.meshgrid([0, 0.1, 0.3, 0.6, 0.9, 0.95], [1e-4, 0.001, 0.02, 0.1, 0.3])
    nearest, farthest = (torch.from_numpy(part.ravel()) for part in places)
    terms = series_terms(nearest, farthest).tolist()
    assert {2, SERIES_TERMS + 1} < set(terms)
    for c, x, length in zip(nearest.tolist(), farthest.tolist(), terms, strict=True):
        at, move = (part.ravel() for part in np.meshgrid(np.linspace(-c, c, 31), np.linspace(-x, x, 31)))
        factors = arcsine_series(torch.from_numpy(at)[None], SERIES_TERMS)[:, 0].numpy()
        series = np.cumsum([factor * move ** (n + 1) for n, factor in enumerate(factors)], axis=0)
        wrong = np.abs(series - np.arcsin((at + move).clip(-1, 1)) + np.arcsin(at)).max(axis=1)
        if length <= SERIES_TERMS:
            assert wrong[length - 1] <= SERIES_ERROR * (1 + 1e-6)
        if length > 2 and c < 0.95:
            assert wrong[length - 2] > SERIES_ERROR


def test_directions_are_unit_null_vectors_uniform_over_the_sphere(world: World) -> None:
    directions = world.feature_directions(20_000)
    assert np.abs(directions @ world.head.T).max() < 1e-12
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1, rtol=1e-12)
    nullity = world.split.nullity
    covariance = nullity * directions.T @ directions / len(directions)
    assert np.abs(covariance - world.projector).max() < 6 / math.sqrt(len(directions))
    first = np.sort(directions[:, 0] ** 2 / world.projector[0, 0])
    assert scipy.stats.kstest(first, scipy.stats.beta(0.5, (nullity - 1) / 2).cdf).pvalue > 1e-3


def test_draws_follow_from_the_seed_and_the_null_space_alone(world: World) -> None:
    turned = HeadSplit(world.split.row_basis.flip(0), -world.split.null_basis.flip(0), torch.ones(8), 0.0)
    null_weight = [world.split.null_part(torch.from_numpy(world.weights[0]))]
    concepts = torch.from_numpy(world.concepts)
    found, again, other = (
        SharedDirections.of(split, null_weight, concepts, draws=5, seed=seed).translated
        for split, seed in ((world.split, 3), (turned, 3), (world.split, 4))
    )
    np.testing.assert_allclose(found, again, rtol=0, atol=1e-12)
    assert float((found - other).abs().max()) > 0.1


def test_batches_and_chunks_add_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = world.control(12)
    monkeypatch.setattr(module, "CHUNK_IMAGES", 3)
    monkeypatch.setattr(module, "CHUNK_CELLS", 90)
    sums = SharedDirectionSums(world.directions(12))
    for rows in torch.arange(20).split(7):
        sums.add(*(part[rows] for part in world.batch))
    assert sums.count == 20
    np.testing.assert_allclose(sums.finish().attribute_score, wanted.attribute_score, rtol=0, atol=1e-12)
    np.testing.assert_allclose(sums.finish().attribute_score_abs, wanted.attribute_score_abs, rtol=0, atol=1e-12)


def test_images_without_a_direction_are_left_out(world: World) -> None:
    before, null_norm, folds = (part.clone() for part in world.batch)
    before[3], before[5, 0], null_norm[7] = 0.0, torch.nan, torch.inf
    sums = SharedDirectionSums(world.directions(4))
    sums.add(before, null_norm, folds)
    directions = world.feature_directions(4)
    kept = [world.reference(directions, image) for image in range(20) if image not in (3, 5, 7)]
    assert sums.count == 17
    np.testing.assert_allclose(sums.finish().attribute_score, np.mean(kept, axis=0), rtol=0, atol=1e-10)
    assert bool(SharedDirectionSums(world.directions(4)).finish().attribute_score.isnan().all())


def test_angles_hold_for_concepts_at_the_images_themselves() -> None:
    near = World()
    near.concepts = np.concatenate([near.batch[0].numpy(), -near.batch[0].numpy()])
    directions = near.feature_directions(6)
    scores = np.mean([near.reference(directions, image) for image in range(20)], axis=0)
    np.testing.assert_allclose(near.control(6).attribute_score, scores, rtol=0, atol=1e-5)


def test_where_nothing_is_removed_there_is_nothing_to_compare_with(world: World) -> None:
    before, null_norm, folds = world.batch
    sums = SharedDirectionSums(world.directions(10))
    sums.add(before, torch.zeros_like(null_norm), folds)
    control = sums.finish().attribute_score
    assert float(control.abs().max()) < 1e-12
    found = significance(torch.zeros(30), control)
    for values in (found.z, found.p_normal, found.p_empirical):
        assert bool(values.isnan().all())


@pytest.mark.parametrize("name", ["p_normal", "p_empirical"])
def test_p_is_uniform_where_nothing_is_planted(nothing_planted: np.ndarray, name: str) -> None:
    families = torch.from_numpy(nothing_planted)
    p = getattr(significance(families[:, 0], families[:, 1:]), name)[:, 0]
    assert scipy.stats.kstest(p.numpy(), "uniform").pvalue > 1e-3


def test_families_with_a_false_positive_are_no_more_than_stated(nothing_planted: np.ndarray) -> None:
    families = torch.from_numpy(nothing_planted)
    q = benjamini_hochberg(significance(families[:, 0], families[:, 1:]).p_normal)
    assert int((q <= 0.05).any(dim=1).sum()) <= scipy.stats.binom.ppf(0.999, 400, 0.05)


def test_a_planted_shift_stands_out_from_the_draws() -> None:
    wide = World(dim=300, images=20, concepts=40)
    aimed = wide.projector @ wide.weights.mean(axis=0).T @ wide.concepts[7]
    aimed /= np.linalg.norm(aimed)
    observed = torch.from_numpy(np.mean([wide.reference(aimed[None], image)[0] for image in range(20)], axis=0))
    found = significance(observed, wide.control(200).attribute_score)
    q = benjamini_hochberg(found.p_normal)
    assert int(found.z.abs().argmax()) == 7
    assert abs(float(found.z[7])) > 8
    assert float(q[7]) < 1e-12
    assert float(found.p_empirical[7]) == pytest.approx(1 / 201)


def test_a_head_without_null_space_and_a_single_draw_are_refused(world: World) -> None:
    full = split_head(torch.eye(5), stored_dtype=torch.float32)
    with pytest.raises(HeadError, match="no null space"):
        SharedDirections.of(full, [torch.zeros(CLIP, 5)], torch.ones(1, CLIP))
    with pytest.raises(SingError, match="at least 2"):
        world.directions(1)
