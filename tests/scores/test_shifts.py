"""Against a float64 reference written from the formulas of the paper, one image at a time."""

import math

import numpy as np
import pytest
import scipy.linalg
import torch

from sing_compute.linalg.angles import paired_angle
from sing_compute.linalg.null_space import HeadSplit, split_head
from sing_compute.scores.equivalence import EquivalenceCheck
from sing_compute.scores.shifts import ConceptShifts, ConceptSums, NullRemoval, attribute_score, fold_views, image_score
from sing_compute.translator.ridge import AffineTranslator

CLASSES, DIM, CLIP, IMAGES, CONCEPTS = 7, 40, 24, 60, 30


class World:
    """A head, a translator, features with an offset, concepts: numpy for the reference, torch for the code."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self.head = rng.normal(size=(CLASSES, DIM))
        self.weight, self.bias = rng.normal(size=(CLIP, DIM)) / 8, rng.normal(size=CLIP)
        self.features = (rng.normal(size=(IMAGES, DIM)) + rng.normal(size=DIM)).astype(np.float32)
        concepts = rng.normal(size=(CONCEPTS, CLIP)).astype(np.float32)
        self.concepts = (concepts / np.linalg.norm(concepts, axis=1, keepdims=True)).astype(np.float32)
        basis = scipy.linalg.null_space(self.head)
        self.projector = basis @ basis.T
        self.mean = self.features.astype(np.float64).mean(axis=0)

    def translated(self, feature: np.ndarray) -> np.ndarray:
        return self.weight @ feature + self.bias

    @property
    def split(self) -> HeadSplit:
        return split_head(torch.from_numpy(self.head), stored_dtype=torch.float64)

    @property
    def removal(self) -> NullRemoval:
        translator = AffineTranslator(torch.from_numpy(self.weight), torch.from_numpy(self.bias))
        return NullRemoval.of(translator, self.split, torch.from_numpy(self.mean))


def angle(x: np.ndarray, y: np.ndarray) -> float:
    """Equation 5: the angle between two vectors, in degrees."""
    return math.degrees(math.acos(max(-1.0, min(1.0, float(x @ y) / math.sqrt(float(x @ x) * float(y @ y))))))


@pytest.fixture(scope="module")
def world() -> World:
    return World()


@pytest.mark.parametrize("centred", [False, True])
def test_scores_agree_with_the_formulas(world: World, centred: bool) -> None:
    views = world.removal(torch.from_numpy(world.features).double())
    after = views.centred if centred else views.after
    text = torch.from_numpy(world.concepts[:1]).double().expand(IMAGES, CLIP)
    found_as, found_is = attribute_score(views.before, after, text).numpy(), image_score(views.before, after).numpy()
    for row, feature in enumerate(world.features.astype(np.float64)):
        removed = world.projector @ (feature - world.mean if centred else feature)
        before, equivalent = world.translated(feature), world.translated(feature - removed)
        assert found_as[row] == pytest.approx(
            angle(before, world.concepts[0]) - angle(equivalent, world.concepts[0]), abs=1e-3
        )
        assert found_is[row] == pytest.approx(angle(before, equivalent), abs=1e-3)


def test_concept_angles_and_their_sums_agree_with_the_formulas(world: World) -> None:
    views = world.removal(torch.from_numpy(world.features).double())
    concepts = torch.from_numpy(world.concepts)
    sums = ConceptSums.zero(CONCEPTS, torch.device("cpu"))
    for rows in torch.arange(IMAGES).chunk(4):
        part = type(views)(views.before[rows], views.after[rows], views.centred[rows])
        for run in ConceptSums.of(ConceptShifts.of(part, concepts), [5, 10]):
            sums = sums + run
    before = np.array(
        [[angle(world.translated(f), c) for c in world.concepts] for f in world.features.astype(np.float64)]
    )
    kept = world.features.astype(np.float64) @ (np.eye(DIM) - world.projector)
    after = np.array([[angle(world.translated(f), c) for c in world.concepts] for f in kept])
    found = {name: values.numpy() for name, values in sums.finish().items()}
    assert np.abs(found["angle_before"] - before.mean(0)).max() < 1e-3
    assert np.abs(found["angle_after"] - after.mean(0)).max() < 1e-3
    assert np.abs(found["attribute_score"] - (before - after).mean(0)).max() < 1e-3
    assert np.abs(found["attribute_score_abs"] - np.abs(before - after).mean(0)).max() < 1e-3
    assert np.abs(found["attribute_score_std"] - (before - after).std(0, ddof=1)).max() < 1e-3


def test_nothing_removed_is_no_shift_at_all(world: World) -> None:
    features = torch.from_numpy(world.features).double()
    views = world.removal(features)
    text = torch.from_numpy(world.concepts[:1]).double().expand(IMAGES, CLIP)
    assert bool((image_score(views.before, views.before.clone()) == 0).all())
    assert bool((attribute_score(views.before, views.before.clone(), text) == 0).all())


def test_a_feature_without_null_part_does_not_move(world: World) -> None:
    principal = torch.from_numpy(world.features.astype(np.float64) @ (np.eye(DIM) - world.projector))
    views = world.removal(principal)
    assert float(image_score(views.before, views.after).max()) < 1e-9


def test_attribute_score_is_positive_where_the_equivalent_is_nearer() -> None:
    before, text = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    assert float(attribute_score(before, torch.tensor([[1.0, 1.0]]), text)) == pytest.approx(45.0, abs=1e-4)
    assert float(attribute_score(before, torch.tensor([[1.0, -1.0]]), text)) == pytest.approx(-45.0, abs=1e-4)


def test_each_image_is_scored_by_the_translator_of_its_own_fold(world: World) -> None:
    split, mean = world.split, torch.from_numpy(world.mean)
    translators = [
        AffineTranslator(torch.from_numpy(world.weight) * (k + 1), torch.from_numpy(world.bias)) for k in range(3)
    ]
    features = torch.from_numpy(world.features).double()
    folds = torch.arange(IMAGES) % 3
    views = fold_views([NullRemoval.of(t, split, mean) for t in translators], features, folds)
    for row in range(IMAGES):
        own = NullRemoval.of(translators[row % 3], split, mean)(features[row : row + 1])
        torch.testing.assert_close(views.before[row], translators[row % 3](features[row : row + 1])[0])
        for name in ("before", "after", "centred"):
            torch.testing.assert_close(getattr(views, name)[row], getattr(own, name)[0])


def test_images_without_a_direction_are_left_out_of_the_sums() -> None:
    angles = torch.tensor([[10.0, 20.0], [torch.nan, torch.nan], [30.0, 40.0]])
    sums = ConceptSums.of(ConceptShifts(angles, angles - 1, angles - 2), [3])[0]
    found = sums.finish()
    assert sums.count == 2
    assert found["angle_before"].tolist() == [20.0, 30.0]
    assert found["attribute_score"].tolist() == [1.0, 1.0]
    assert found["attribute_score_centred"].tolist() == [2.0, 2.0]


def test_the_sums_of_each_run_are_those_of_float64() -> None:
    rng = np.random.default_rng(3)
    lengths = [1, 40, 2, 157]
    views = [torch.from_numpy(80 + 9 * rng.normal(size=(200, 11))).float() for _ in range(3)]
    views[1][17] = torch.nan
    starts = np.cumsum([0, *lengths])
    for run, found in enumerate(ConceptSums.of(ConceptShifts(*views), lengths)):
        rows = [row for row in range(starts[run], starts[run + 1]) if row != 17]
        before, after, centred = (view.double().numpy()[rows] for view in views)
        figures, score = found.finish(), before - after
        assert found.count == len(rows)
        np.testing.assert_allclose(figures["angle_before"], before.mean(0), atol=1e-10)
        np.testing.assert_allclose(figures["angle_after"], after.mean(0), atol=1e-10)
        np.testing.assert_allclose(figures["attribute_score"], score.mean(0), atol=1e-10)
        np.testing.assert_allclose(figures["attribute_score_abs"], np.abs(score).mean(0), atol=1e-5)
        np.testing.assert_allclose(figures["attribute_score_centred"], (before - centred).mean(0), atol=1e-10)
        if len(rows) > 1:
            np.testing.assert_allclose(figures["attribute_score_std"], score.std(0, ddof=1), rtol=1e-6)


def test_a_class_mean_is_that_of_float64_angles(world: World) -> None:
    features = torch.from_numpy(np.tile(world.features, (20, 1))).double()
    features += torch.randn(features.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) / 10
    views, concepts = world.removal(features), torch.from_numpy(world.concepts)
    exact = [
        torch.stack([paired_angle(view, text.expand_as(view)) for text in concepts.double()], dim=1).mean(0)
        for view in (views.before, views.after)
    ]
    found = ConceptSums.of(ConceptShifts.of(views, concepts), [len(features)])[0].finish()
    assert float((found["angle_before"] - exact[0]).abs().max()) < 5e-6
    assert float((found["attribute_score"] - (exact[0] - exact[1])).abs().max()) < 1e-6


def test_a_class_without_images_has_no_numbers() -> None:
    assert all(bool(values.isnan().all()) for values in ConceptSums.zero(3, torch.device("cpu")).finish().values())


def test_equivalence_check_counts_the_flips_of_a_wrong_projection(world: World) -> None:
    weight, features = torch.from_numpy(world.head), torch.from_numpy(world.features)
    bias = torch.zeros(CLASSES, dtype=torch.float64)
    right = EquivalenceCheck(weight, bias)
    right.add(features, world.split.null_part(features.double()))
    assert right.finish()["flips"] == 0
    assert right.finish()["logit_change_max"] < 1e-5
    other = split_head(
        torch.from_numpy(np.random.default_rng(9).normal(size=(CLASSES, DIM))), stored_dtype=torch.float64
    )
    wrong = EquivalenceCheck(weight, bias)
    wrong.add(features, other.null_part(features.double()))
    kept = world.features.astype(np.float64)
    logits = kept @ world.head.T
    moved = (kept - other.null_part(features.double()).numpy()) @ world.head.T
    assert wrong.finish()["flips"] == int((logits.argmax(1) != moved.argmax(1)).sum()) > 0
    spread = (logits.max(1) - logits.min(1)).mean()
    assert wrong.finish()["logit_change_max"] == pytest.approx(np.abs(logits - moved).max() / spread, rel=1e-4)
    assert wrong.finish()["logit_change_mean"] == pytest.approx(np.abs(logits - moved).mean() / spread, rel=1e-4)


def test_a_common_logit_shift_is_free_only_under_softmax() -> None:
    head = torch.randn(5, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(7))
    features = torch.randn(50, 9, generator=torch.Generator().manual_seed(8))
    split = split_head(head, stored_dtype=torch.float64, invariance="softmax")
    changes = []
    for centred in (False, True):
        check = EquivalenceCheck(head, torch.zeros(5, dtype=torch.float64), centred=centred)
        check.add(features, split.null_part(features.double()))
        changes.append(check.finish()["logit_change_max"])
        assert check.finish()["flips"] == 0
    assert changes[0] > 0.01 > 1e-5 > changes[1]
