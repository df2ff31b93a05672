"""Influence of directions against brute force, and its test against planted influence and against none."""

import direction_world
import pytest
import torch
from normal_numbers import normal
from scipy.stats import kstest
from torch.nn.functional import binary_cross_entropy_with_logits, normalize

from sing_compute.directions.alignment import LinearHead
from sing_compute.directions.influence import (
    compare_with_labels,
    influence,
    log_odds_rates,
    margin_changes,
    mean_strengths,
    response,
)
from sing_compute.directions.pairs import DirectionPairs
from sing_compute.directions.permutation import (
    balanced_sample,
    enough_draws,
    noise_signals,
    permutation_test,
    tail_probabilities,
)


def random_pairs(draw: torch.Generator, dim: int, count: int) -> DirectionPairs:
    """Pairs for features without correlations, where a filter is its own signal vector."""
    vectors = normalize(normal(draw, dim, count), dim=0)
    return DirectionPairs(vectors, torch.zeros(count).double(), vectors)


@pytest.mark.parametrize("sigmoid", [False, True])
def test_scores_changes_and_margins_are_those_of_each_image_moved(draw: torch.Generator, sigmoid: bool) -> None:
    head, pooled = LinearHead(normal(draw, 5, 7) / 2, normal(draw, 5), sigmoid), normal(draw, 60, 7)
    moves = normal(draw, 7, 9)
    found, margins = response(head, pooled, moves), margin_changes(head, pooled, moves)
    activate = torch.sigmoid if sigmoid else lambda logits: torch.softmax(logits, -1)
    before = pooled @ head.weight.T + head.bias
    for number, move in enumerate(moves.T):
        after = (pooled + move) @ head.weight.T + head.bias
        change = activate(after) - activate(before)
        torch.testing.assert_close(found.score[number], 2 * (change > 0).double().mean(0) - 1)
        torch.testing.assert_close(found.change[number], change.mean(0))
        for k in range(5):
            others = [j for j in range(5) if j != k]
            margin = [each[:, k] - (0 if sigmoid else each[:, others].amax(1)) for each in (before, after)]
            assert float(margins[number, k]) == pytest.approx(float((margin[1] - margin[0]).mean()))


def test_a_move_within_the_null_space_changes_nothing_and_two_classes_have_signs_whatever_the_direction(
    draw: torch.Generator,
) -> None:
    weight = normal(draw, 2, 6)
    null = torch.linalg.svd(weight)[2][2:].T
    head, pooled = LinearHead(weight, normal(draw, 2)), normal(draw, 40, 6)
    nothing = response(head, pooled, 100 * null)
    assert not nothing.score.any()
    assert float(nothing.change.abs().max()) < 1e-12
    assert (response(head, pooled, normal(draw, 6, 20)).score.abs() == 1).all()
    alone = LinearHead(weight[:1], torch.zeros(1).double())
    assert not response(alone, pooled, normal(draw, 6, 3)).score.any()
    assert not log_odds_rates(alone, pooled).any()


@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_rates_of_log_odds_are_their_gradients_where_probabilities_are_1_too(
    draw: torch.Generator, scale: float
) -> None:
    head, pooled = LinearHead(scale * normal(draw, 4, 6), normal(draw, 4)), normal(draw, 30, 6).requires_grad_()
    logits = pooled @ head.weight.T + head.bias
    for k, rate in enumerate(log_odds_rates(head, pooled.detach())):
        others = logits[:, [j for j in range(4) if j != k]]
        odds = (logits[:, k] - others.logsumexp(1)).mean()
        torch.testing.assert_close(rate, torch.autograd.grad(odds, pooled, retain_graph=True)[0].sum(0))


def test_a_step_has_the_length_of_the_mean_signal_value_of_the_positives() -> None:
    drawn = direction_world.world(5, images=2000)
    head = LinearHead(drawn.concepts.T.contiguous(), torch.zeros(3).double())
    constant = (
        drawn.features[0, 0] - drawn.strengths[0, 0] @ drawn.concepts.T
    )  # and distractors, which filters do not read
    dual = drawn.dual
    pairs = DirectionPairs(dual, 2.5 + constant @ dual, drawn.concepts)
    dead = DirectionPairs(dual, pairs.thresholds + torch.tensor([0, 0, 99.0]).double(), pairs.signals)
    found = influence(head, dead, drawn.features)
    # Present strengths are 2.5 to 5 in a third of the positions, others 0 to 2.5: 3.75 - (3.75 + 2 * 1.25) / 3.
    assert found.lengths[:2].tolist() == pytest.approx([5 / 3, 5 / 3], abs=0.02)
    torch.testing.assert_close(found.lengths, mean_strengths(dead, drawn.features), equal_nan=True)
    for part in (found.lengths[2], found.score[:, 2], found.change[:, 2], found.margin[:, 2]):
        assert part.isnan().all()
    step = 2 * found.lengths[0] * drawn.concepts[:, :1]
    answer = response(head, drawn.features.mean(1), step)
    torch.testing.assert_close(found.change[2, 0], answer.change[0])
    assert found.sensitivity(2).shape == (3, 3)
    assert float(found.sensitivity(2)[0, 0]) == float(answer.score[0, 0])


def test_p_is_counted_never_0_and_its_fitted_tail_is_exact_for_an_exponential_one(draw: torch.Generator) -> None:
    chance = torch.arange(1.0, 100.0).double()[:, None]
    p = tail_probabilities(chance.expand(-1, 3), torch.tensor([0.5, 90.0, 1e9]).double(), fit=False).p
    assert p.tolist() == pytest.approx([1.0, 11 / 100, 1 / 100])
    exponential = -torch.rand(200, 20000, generator=draw, dtype=torch.float64).log()
    found = tail_probabilities(exponential, -torch.rand(20000, generator=draw, dtype=torch.float64).log(), fit=True)
    assert kstest(found.p.numpy(), "uniform").pvalue > 0.01
    assert 8 <= int((found.p < 1e-3).sum()) <= 35  # 20 on average, though 200 draws cannot count to 1 / 1,000
    endless = tail_probabilities(exponential, torch.full((20000,), 1e300, dtype=torch.float64), fit=True).p
    assert (endless > 0).all()


def test_without_influence_p_is_uniform_and_few_or_no_pairs_are_significant(draw: torch.Generator) -> None:
    features, head = normal(draw, 300, 1, 15), LinearHead(normal(draw, 4, 15), normal(draw, 4))
    found = permutation_test(head, random_pairs(draw, 15, 50), features, draws=150, seed=3)
    for k in range(4):
        assert kstest(found.p[:, k].numpy(), "uniform").pvalue > 0.01
    assert found.resolution == 1 / 151
    assert found.pairs == found.directions == 0
    assert float((found.q < 0.05).double().mean()) < 0.01
    assert (found.p_sign >= found.resolution).all()


@pytest.mark.parametrize("draws", [None, 300])
def test_a_planted_direction_gets_the_smallest_p_and_alone_is_significant(
    draw: torch.Generator, draws: int | None
) -> None:
    features, pairs = normal(draw, 400, 1, 60), random_pairs(draw, 60, 8)
    weight = 0.2 * normal(draw, 3, 60)
    weight[1] += 6 * pairs.signals[:, 5]
    found = permutation_test(LinearHead(weight, torch.zeros(3).double()), pairs, features, draws=draws)
    assert found.draws == (draws or 1000)
    assert enough_draws(8, 3) == 480
    assert int(found.p[:, 1].argmin()) == 5
    assert found.significant()[5, 1]
    assert found.directions == 1
    assert float(found.rate[5, 1]) > 0
    assert bool(found.fitted[5, 1]) == (draws == 300)  # too few to count down to .05 / 24
    assert float(found.bonferroni[5, 1]) == pytest.approx(24 * float(found.p[5, 1]))


def test_a_direction_without_positives_is_not_tested(draw: torch.Generator) -> None:
    features, pairs = normal(draw, 50, 2, 4), random_pairs(draw, 4, 3)
    dead = DirectionPairs(pairs.filters, torch.tensor([0.0, 99.0, 0.0]).double(), pairs.signals)
    found = permutation_test(LinearHead(normal(draw, 3, 4), normal(draw, 3)), dead, features, draws=40)
    alone = permutation_test(LinearHead(normal(draw, 3, 4), normal(draw, 3)), dead, features.float(), draws=40)
    for table in (found.p, found.p_sign, found.q, found.rate):
        assert table[1].isnan().all()
        assert table[[0, 2]].isfinite().all()
    torch.testing.assert_close(found.bonferroni[0], (6 * found.p[0]).clamp_max(1))
    assert alone.p.shape == (3, 3)


def test_signal_vectors_of_permuted_labels_are_those_of_trained_classifiers(draw: torch.Generator) -> None:
    """The paper's way (Adam, rate .01, 100 epochs) gives the same distribution as the closed form."""
    drawn = direction_world.world(8, images=200)
    positions = drawn.features.flatten(0, 1)
    sample = positions[balanced_sample(drawn.present.flatten(0, 1)[:, 0], draw)]
    centred = sample - sample.mean(0)
    label = torch.rand(200, len(sample), generator=draw).argsort(1).T.lt(len(sample) // 2).double()
    weight, bias = (0.1 * normal(draw, 16, 200)).requires_grad_(), torch.zeros(200).double().requires_grad_()
    optimiser = torch.optim.Adam([weight, bias], lr=0.01)
    for _ in range(100):
        loss = binary_cross_entropy_with_logits(centred @ weight + bias, label, reduction="none").mean(0).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    logits = (centred @ weight + bias).detach()
    positive = (logits > 0).double()
    mean = (positive * logits).sum(0) / positive.sum(0)
    trained = normalize(centred.T @ (positive * (logits - mean)), dim=0)
    closed, uniform = noise_signals(sample, 200, draw), normalize(normal(draw, 16, 200), dim=0)
    for basis in drawn.concepts.T:
        ours, theirs, blind = ((basis @ each).abs().numpy() for each in (closed, trained, uniform))
        assert kstest(ours, theirs).statistic < 0.18  # .16 is reached by chance in 1 of 100
        assert kstest(blind, theirs).statistic > 0.3


def test_exchangeable_vectors_give_s3_its_chance(draw: torch.Generator) -> None:
    labels = torch.arange(6).repeat_interleave(torch.tensor([1, 2, 3, 4, 0, 9]))
    scores, label_scores = normal(draw, 19, 4000), normal(draw, 6, 4000)
    found = compare_with_labels(scores, labels, label_scores)
    assert found.chance == pytest.approx((1 / 2 + 1 / 3 + 1 / 4 + 1 / 5 + 1 / 10) / 5)
    assert found.s3 == pytest.approx(found.chance, abs=0.01)
    assert found.share[4].isnan().all()
    assert compare_with_labels(scores, labels, 100 + label_scores).s3 == 1
