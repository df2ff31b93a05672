"""Counterfactuals and corrections against closed forms and planted truth."""

import direction_world
import pytest
import torch
from normal_numbers import normal
from torch import Tensor

from sing_compute.directions.alignment import LinearHead
from sing_compute.directions.counterfactuals import linear_counterfactuals, linear_rest, searched_counterfactuals
from sing_compute.directions.influence import mean_strengths
from sing_compute.directions.interventions import (
    correction,
    correction_effect,
    fixed_step_correction,
    group_accuracy,
    random_vectors,
)
from sing_compute.directions.pairs import DirectionPairs


def random_pairs(draw: torch.Generator, dim: int, count: int) -> DirectionPairs:
    filters, signals = normal(draw, dim, count), normal(draw, dim, count)
    return DirectionPairs(filters, torch.zeros(count).double(), signals / (filters * signals).sum(0))


def true_pairs(drawn: direction_world.World) -> DirectionPairs:
    dual = drawn.dual
    return DirectionPairs(dual, 2.5 + direction_world.CONSTANT * dual.sum(0), drawn.concepts)


def test_the_smallest_step_is_where_the_margin_ends_and_none_is_smaller(draw: torch.Generator) -> None:
    head = LinearHead(normal(draw, 4, 5), normal(draw, 4))
    pairs, features = random_pairs(draw, 5, 2), normal(draw, 30, 2, 5)
    found = linear_counterfactuals(head, pairs, features)
    rest = linear_rest(head)
    before = rest(features).argmax(1)
    assert found.changed.all()
    torch.testing.assert_close(found.value, found.step / mean_strengths(pairs, features))
    for direction in range(2):
        step, signal = found.step[:, direction], pairs.signals[:, direction]
        for share, same in ((1.0, False), (0.999, True), (-0.999, True), (0.4, True), (-0.4, True)):
            after = rest(features + share * step[:, None, None] * signal).argmax(1)
            assert bool((after == before).all()) == same
            if not same:
                assert torch.equal(after, found.reached[:, direction])
    searched = searched_counterfactuals(rest, pairs, features, most=1.01 * float(found.value.abs().max()), grid=100)
    torch.testing.assert_close(searched.step, found.step, rtol=1e-4, atol=1e-6)
    assert torch.equal(searched.reached, found.reached)
    assert torch.equal(searched.outside, found.outside)


def test_a_concept_that_decides_two_classes_needs_the_step_of_the_closed_form() -> None:
    head = LinearHead(torch.tensor([[1.0, 0.0], [-1.0, 0.0]]).double(), torch.zeros(2).double())
    pairs = DirectionPairs(torch.eye(2).double(), torch.zeros(2).double(), torch.eye(2).double())
    pooled = torch.linspace(-3, 3, 7).double()[:, None] * torch.tensor([1.0, 0.0]).double() + 0.25
    found = linear_counterfactuals(head, pairs, pooled[:, None])
    torch.testing.assert_close(found.step[:, 0], -pooled[:, 0], rtol=2e-6, atol=0)
    assert found.reached[:, 0].tolist() == [0, 0, 0, 1, 1, 1, 1]
    assert found.step[:, 1].isnan().all()  # no step along what the head does not read
    assert found.reached[:, 1].tolist() == [-1] * 7
    assert not found.changed[:, 1].any()
    assert not found.outside.any()
    few = DirectionPairs(10 * pairs.filters, pairs.thresholds, pairs.signals / 10)
    torch.testing.assert_close(linear_counterfactuals(head, few, pooled[:, None]).step[:, 0], 10 * found.step[:, 0])


def test_a_step_out_of_the_range_of_real_images_is_flagged() -> None:
    head = LinearHead(torch.tensor([[0.0], [1.0]]).double(), torch.tensor([0.0, -9.0]).double())
    pairs = DirectionPairs(torch.ones(1, 1).double(), torch.zeros(1).double(), torch.ones(1, 1).double())
    pooled = torch.linspace(0, 8, 200).double()[:, None]
    assert linear_counterfactuals(head, pairs, pooled[:, None]).outside.all()
    near = LinearHead(head.weight, torch.tensor([0.0, -6.0]).double())
    assert not linear_counterfactuals(near, pairs, pooled[:, None]).outside.any()


def test_for_a_sigmoid_head_any_class_that_changes_counts(draw: torch.Generator) -> None:
    head = LinearHead(torch.tensor([[1.0, 0.0], [0.0, 1.0]]).double(), torch.zeros(2).double(), sigmoid=True)
    signals = torch.tensor([[1.0], [1.0]]).double() / 2
    pairs = DirectionPairs(torch.ones(2, 1).double(), torch.zeros(1).double(), signals)
    pooled = torch.tensor([[3.0, -1.0], [0.5, 2.0], [-4.0, -0.75]]).double()
    found = linear_counterfactuals(head, pairs, pooled[:, None])
    assert found.step[:, 0].tolist() == pytest.approx([2.0, -1.0, 1.5], rel=1e-5)
    assert found.reached[:, 0].tolist() == [1, 0, 1]
    searched = searched_counterfactuals(linear_rest(head), pairs, pooled[:, None], most=40.0, grid=200, sigmoid=True)
    torch.testing.assert_close(searched.step, found.step, rtol=1e-4, atol=0)
    assert torch.equal(searched.reached, found.reached)


def test_a_rest_that_is_not_linear_is_searched(draw: torch.Generator) -> None:
    """A network that fires where the largest position is above 1: the step is what this position lacks."""
    pairs = DirectionPairs(torch.ones(1, 1).double(), torch.zeros(1).double(), torch.ones(1, 1).double())
    features = torch.rand(20, 4, 1, generator=draw, dtype=torch.float64) * 2 - 0.5

    def rest(given: Tensor) -> Tensor:
        largest = given.amax((1, 2))
        return torch.stack([torch.ones_like(largest), largest], 1)

    found = searched_counterfactuals(rest, pairs, features)
    torch.testing.assert_close(found.step[:, 0], 1 - features.amax((1, 2)), atol=1e-5, rtol=0)
    assert found.changed.all()
    assert searched_counterfactuals(rest, pairs, features - 50, most=1.0).step.isnan().all()


def test_the_true_pair_gives_the_features_of_the_same_image_without_the_extra_signal() -> None:
    drawn = direction_world.world(4, images=50)
    corrected = correction(true_pairs(drawn), 2, drawn.features)
    present = drawn.present[..., 2]
    strengths = drawn.strengths.clone()
    strengths[..., 2][present] = strengths[..., 2][~present].mean()
    wanted = drawn.features + (strengths - drawn.strengths) @ drawn.concepts.T
    assert float((corrected(drawn.features) - wanted).abs().max()) < 1e-9
    assert corrected.target == pytest.approx(1.25 - 2.5, abs=0.1)
    assert not present.all()
    assert torch.equal(corrected(drawn.features)[~present], drawn.features[~present])


def test_other_vectors_take_the_detector_to_the_same_logit(draw: torch.Generator) -> None:
    pairs, features = random_pairs(draw, 6, 2), normal(draw, 40, 3, 6)
    corrected = correction(pairs, 1, features)
    for vector in (pairs.signals[:, 1], pairs.filters[:, 1], *random_vectors(6, 3)):
        after = pairs.logits(corrected.moving_along(vector)(features))[..., 1]
        positive = pairs.logits(features)[..., 1] > 0
        torch.testing.assert_close(after[positive], torch.full_like(after[positive], corrected.target))
    across = torch.linalg.qr(pairs.filters[:, 1:])[0]
    blind = normal(draw, 6)
    with pytest.raises(ValueError, match="reads nothing"):
        corrected.moving_along(torch.zeros(6).double())
    assert float((blind - across @ across.T @ blind) @ pairs.filters[:, 1]) == pytest.approx(0, abs=1e-9)


def test_the_papers_rule_is_its_formula(draw: torch.Generator) -> None:
    pairs, features = random_pairs(draw, 6, 2), normal(draw, 10, 3, 6).abs()
    found = fixed_step_correction(pairs, 0, length=3.0)(features)
    signal = pairs.signals[:, 0] / pairs.signals[:, 0].norm()
    activation = 1 / (1 + (-(features @ pairs.filters[:, 0])).exp())
    torch.testing.assert_close(found, (features - 3 * activation[..., None] * signal).clamp_min(0))


def test_accuracies_of_groups_and_what_has_no_negatives(draw: torch.Generator) -> None:
    logits = torch.tensor([[1.0, 0], [1, 0], [0, 1], [0, 1], [1, 0]]).double()
    found = group_accuracy(logits, torch.tensor([0, 1, 1, 1, 1]), torch.tensor([0, 0, 2, 2, 2]))
    assert found.accuracy.tolist() == pytest.approx([0.5, torch.nan, 2 / 3], nan_ok=True)
    assert found.worst == 0.5
    assert found.overall == pytest.approx(0.6)
    pairs, features = random_pairs(draw, 3, 1), normal(draw, 5, 2, 3)
    always = DirectionPairs(pairs.filters, torch.full((1,), -99.0).double(), pairs.signals)
    with pytest.raises(ValueError, match="no negatives"):
        correction(always, 0, features)
    with pytest.raises(ValueError, match="no signal vector"):
        correction(DirectionPairs(pairs.filters, pairs.thresholds, torch.zeros(3, 1).double()), 0, features)


def test_the_effect_of_a_true_pair_is_seen_and_a_sample_of_positions_moves_the_mean(draw: torch.Generator) -> None:
    drawn = direction_world.world(6, images=200)
    shortcut = 4 * drawn.dual[:, 2] - drawn.dual[:, 0]
    head = LinearHead(torch.stack([-shortcut, shortcut]), torch.zeros(2).double())
    scores = drawn.features.mean(1) @ shortcut
    head = LinearHead(head.weight, torch.tensor([1.0, -1.0]).double() * scores.median())
    truth = (drawn.strengths[..., 0].mean(1) < 2).long()  # the head should read concept 0 only
    groups = drawn.present[..., 2].any(1).long()
    repaired = correction(true_pairs(drawn), 2, drawn.features)
    effect = correction_effect(head, repaired, drawn.features, truth, groups, draws=2)
    pooled = repaired(drawn.features).mean(1)
    wanted = group_accuracy(pooled @ head.weight.T + head.bias, truth, groups)
    torch.testing.assert_close(effect.signal.accuracy, wanted.accuracy)
    same = correction_effect(
        head, repaired, drawn.features.float(), truth, groups, pooled=drawn.features.mean(1), draws=2
    )
    torch.testing.assert_close(same.signal.accuracy, effect.signal.accuracy, atol=0.01, rtol=0)
    assert len(effect.random) == 2
    untouched = group_accuracy(drawn.features.mean(1) @ head.weight.T + head.bias, truth, groups)
    torch.testing.assert_close(effect.before.accuracy, untouched.accuracy)
