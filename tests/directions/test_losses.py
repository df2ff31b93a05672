"""Losses, moves and signal vectors of EDDP against closed forms and planted truth."""

import math

import direction_world
import pytest
import torch
from normal_numbers import normal
from torch import Tensor

from sing_compute.directions import activations, signals
from sing_compute.directions.alignment import LinearHead, certainty, least_move, moved, signal_move
from sing_compute.directions.lagrangian import AugmentedLagrangian
from sing_compute.directions.losses import detector_losses, entropies, overlap, self_weighted_mean
from sing_compute.directions.signals import SignalSums, signal_vectors


def test_a_self_weighted_mean_of_equal_values_is_the_value_and_follows_the_largest() -> None:
    assert float(self_weighted_mean(torch.full((7,), 0.3).double())) == pytest.approx(0.3, rel=1e-6)
    assert float(self_weighted_mean(torch.tensor([0.0, 0.0, 2.0]).double())) == pytest.approx(2.0, rel=1e-6)
    values = torch.tensor([1.0, 2.0]).double()
    assert float(self_weighted_mean(values)) == pytest.approx((1 + 2**5) / (1 + 2**4), rel=1e-6)
    assert float(self_weighted_mean(torch.zeros(3).double())) == 0


def test_entropies_are_those_of_the_shares_and_within_their_bounds(draw: torch.Generator) -> None:
    logits = 8 * normal(draw, 500, 5)
    found = entropies(logits.T[None])[0]
    assert (found >= 0).all()
    assert (found <= math.log2(5) + 1e-9).all()
    shares = torch.sigmoid(logits) / torch.sigmoid(logits).sum(1, keepdim=True)
    torch.testing.assert_close(
        found, torch.distributions.Categorical(shares).entropy() / math.log(2), atol=1e-9, rtol=0
    )
    alone = torch.tensor([[40.0, -40.0, -40.0, -40.0, -40.0]]).double()
    assert float(entropies(alone.T[None])) == pytest.approx(0, abs=1e-9)
    assert float(entropies(torch.zeros(1, 5, 1).double())) == pytest.approx(math.log2(5), abs=1e-9)


def test_losses_of_detectors_are_their_formulas(draw: torch.Generator) -> None:
    logits = 3 * normal(draw, 2, 60, 4)
    found = detector_losses(logits.mT, least=0.9, most=0.3)
    for restart in range(2):
        y = torch.sigmoid(logits[restart])
        q = y / y.sum(1, keepdim=True)
        activity = (y**1.1).mean(0)
        least = 0.9 / 4
        entropy = -(q * torch.log2(q)).sum(1)
        excess = torch.relu(activity - 0.3) / 0.7
        wanted = {
            "sparsity": entropy.mean(),
            "sparsity bound": (entropy**5).sum() / (entropy**4).sum(),
            "activation": -(q * torch.log2(y)).sum(1).mean(),
            "inactivity": (torch.relu(least - activity) / least).mean(),
            "excess": (excess**5).sum() / (excess**4).sum(),
        }
        assert wanted.keys() == found.keys()
        for name, value in wanted.items():
            assert float(found[name][restart]) == pytest.approx(float(value), abs=1e-6), name


@pytest.mark.parametrize("part", [1 << 16, 5], ids=["at once", "in parts"])
def test_sums_of_activations_have_the_gradient_of_their_formulas(
    draw: torch.Generator, monkeypatch: pytest.MonkeyPatch, part: int
) -> None:
    monkeypatch.setattr(activations, "_PART", part)
    logits = 3 * normal(draw, 2, 2, 3, 7)
    logits[0, 0, 1] = -800  # its activation is 0 in any precision, its logarithm is not
    logits[0, 1, :, 2] = -800
    logits[1, 0, 0] = 800

    def formulas(z: Tensor) -> tuple[Tensor, ...]:
        logs = torch.nn.functional.logsigmoid(z)
        shares = torch.log_softmax(logs, -2)
        return -(shares.exp() * shares).sum(-2), -(shares.exp() * logs).sum(-2), (1.1 * logs).exp().mean(-1)

    own, other = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    sums, wanted = activations.activation_sums(own, 1.1), formulas(other)
    factors = [normal(draw, *each.shape) for each in wanted]
    for found in (sums, wanted):
        torch.autograd.backward(sum((a * b).sum() for a, b in zip(factors, found, strict=True)))
    for found, right in zip((*sums, own.grad), (*wanted, other.grad), strict=True):
        torch.testing.assert_close(found, right, atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("part", [1 << 20, 5], ids=["at once", "in parts"])
def test_signal_vectors_have_the_gradient_of_their_formula(
    draw: torch.Generator, monkeypatch: pytest.MonkeyPatch, part: int
) -> None:
    monkeypatch.setattr(signals, "_PART", part)
    features, filters, logits = normal(draw, 2, 9, 4), normal(draw, 2, 3, 4, 2), normal(draw, 2, 3, 2, 9)
    logits[0, 0, 0] = -1
    logits[1, 1, 1, :8] = -1
    assert torch.autograd.gradcheck(lambda z: signal_vectors(features, filters, z), logits.requires_grad_())


def test_a_dead_detector_is_inactive_and_one_that_always_fires_is_in_excess() -> None:
    logits = torch.tensor([[-60.0], [60.0], [0.0]]).double().expand(1, 3, 50)
    found = detector_losses(logits)
    assert float(found["inactivity"]) == pytest.approx(1 / 3, abs=1e-6)
    assert float(found["excess"]) == pytest.approx(1, abs=1e-3)


def test_moves_land_on_all_hyperplanes_and_a_signal_move_stays_within_the_signals(draw: torch.Generator) -> None:
    features, filters = normal(draw, 30, 9), normal(draw, 2, 9, 4)
    thresholds, signals = normal(draw, 2, 4), normal(draw, 2, 9, 4)
    for move in (least_move(filters), signal_move(filters, signals)):
        at = moved(features, filters, thresholds, move)
        assert float((at @ filters - thresholds[:, None]).abs().max()) < 1e-9
    way = moved(features, filters, thresholds, signal_move(filters, signals)) - features
    for restart in range(2):
        basis = torch.linalg.qr(signals[restart])[0]
        outside = way[restart] - way[restart] @ basis @ basis.T
        assert float(outside.abs().max()) < 1e-9
    shorter = moved(features, filters, thresholds, least_move(filters)) - features
    assert (shorter.norm(dim=2) <= way.norm(dim=2) + 1e-9).all()


def test_the_certainty_is_that_of_moved_features_and_within_its_bounds(draw: torch.Generator) -> None:
    features, filters, thresholds = normal(draw, 20, 3, 6), normal(draw, 2, 6, 3), normal(draw, 2, 3)
    head = LinearHead(5 * normal(draw, 4, 6), normal(draw, 4))
    move = least_move(filters)
    flat = features.flatten(0, 1)
    residuals = (flat @ filters - thresholds[:, None]).reshape(2, 20, 3, 3)
    found = certainty(head, features.mean(1) @ head.weight.T + head.bias, residuals.mean(2).mT, move)
    at = moved(flat, filters, thresholds, move).reshape(2, 20, 3, 6).mean(2)
    probabilities = torch.softmax(at @ head.weight.T + head.bias, -1)
    wanted = (probabilities * probabilities.log()).sum(-1).mean(-1)
    torch.testing.assert_close(found, wanted)
    assert (found <= 0).all()
    assert (found >= -math.log(4)).all()
    flat_head = LinearHead(torch.zeros(4, 6).double(), torch.zeros(4).double())
    assert float(certainty(flat_head, torch.zeros(20, 4).double(), residuals.mean(2).mT, move)[0]) == pytest.approx(
        -math.log(4)
    )


@pytest.mark.parametrize("sigmoid", [False, True])
def test_the_certainty_has_the_gradient_of_its_formula(draw: torch.Generator, sigmoid: bool) -> None:
    head = LinearHead(5 * normal(draw, 4, 6), normal(draw, 4), sigmoid)
    pooled, residuals, move = normal(draw, 3, 5, 6), normal(draw, 3, 2, 3, 5), normal(draw, 3, 2, 6, 3)
    still = pooled @ head.weight.T + head.bias
    found = certainty(head, still, residuals, move)
    logits = (pooled[:, None] - (move @ residuals).mT) @ head.weight.T + head.bias
    torch.testing.assert_close(found, -head.entropy(logits).mean(-1))
    both = (residuals.requires_grad_(), move.requires_grad_())
    assert torch.autograd.gradcheck(lambda r, m: certainty(head, still, r, m), both)


def test_the_entropy_of_a_sigmoid_head_is_the_mean_of_its_classes() -> None:
    head = LinearHead(torch.zeros(2, 1).double(), torch.zeros(2).double(), sigmoid=True)
    assert float(head.entropy(torch.tensor([0.0, 0.0]).double())) == pytest.approx(math.log(2))
    assert float(head.entropy(torch.tensor([0.0, 50.0]).double())) == pytest.approx(math.log(2) / 2)


def test_overlap_counts_only_other_concepts() -> None:
    basis = torch.eye(4).double()[None, :, :3]
    assert float(overlap(7 * basis, basis)) < 1e-5
    tilted = basis.clone()
    tilted[0, 1, 0] = 1  # the first signal has a cosine of sqrt(1/2) with the second filter
    assert float(overlap(basis, tilted)) == pytest.approx(math.sqrt(0.5 / 9), abs=1e-6)


def test_true_filters_give_the_planted_signal_vectors_and_their_own_products_are_one() -> None:
    drawn = direction_world.world(3)
    features = drawn.features.flatten(0, 1) - drawn.features.mean((0, 1))
    filters = drawn.dual[None]
    logits = (features @ filters) + (drawn.strengths.mean((0, 1)) - 2.5)
    found = signal_vectors(features, filters, logits.mT)
    cosines = torch.cosine_similarity(found[0], drawn.concepts, dim=0)
    assert float(cosines.min()) > 0.99
    torch.testing.assert_close((filters * found).sum(1), torch.ones(1, 3).double(), atol=1e-9, rtol=0)


def test_sums_over_parts_give_the_same_signal_vectors_and_none_to_a_dead_detector(draw: torch.Generator) -> None:
    features, filters = normal(draw, 400, 6), normal(draw, 2, 6, 3)
    logits = features @ filters
    logits[1, :, 2] = -1
    sums = SignalSums.empty(filters)
    for part in torch.arange(400).split(77):
        sums.add(features[part], logits[:, part].mT)
    found = sums.vectors()
    torch.testing.assert_close(found[0], signal_vectors(features, filters, logits.mT)[0])
    assert not found[1, :, 2].any()
    x, z = features[logits[0, :, 1] > 0], logits[0, logits[0, :, 1] > 0, 1]
    covariance = torch.cov(torch.cat([x, z[:, None]], 1).T)
    torch.testing.assert_close(found[0, :, 1], covariance[:6, 6] / covariance[6, 6])


def test_the_lagrangian_finds_a_constrained_minimum() -> None:
    point = torch.tensor([3.0, -2.0]).double().requires_grad_()
    lagrangian = AugmentedLagrangian({"above": 1.0}, (2,), torch.device("cpu"))
    optimiser = torch.optim.SGD([point], lr=0.05)
    for _ in range(1500):  # minimise (x - 2)^2 under x <= 1, twice
        losses = {"above": point}
        cost = (point - 2) ** 2 + lagrangian.cost(losses)
        optimiser.zero_grad()
        cost.sum().backward()
        optimiser.step()
        lagrangian.step({"above": point.detach()})
    assert point.tolist() == pytest.approx([1.0, 1.0], abs=0.01)
