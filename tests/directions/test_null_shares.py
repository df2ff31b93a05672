"""Null shares of encoding directions and their chance, against closed forms."""

import math

import pytest
import torch
from scipy.stats import beta, false_discovery_control
from torch import Tensor

from sing_compute.directions.null_shares import covariance_directions, head_agreement, null_share, null_shares
from sing_compute.directions.pairs import DirectionPairs
from sing_compute.linalg.null_space import HeadSplit, split_head


def tensor(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def head(*rows: list[float]) -> tuple[Tensor, HeadSplit]:
    weight = torch.tensor(rows, dtype=torch.float64)
    return weight, split_head(weight, stored_dtype=torch.float64)


def pairs_of(signals: Tensor) -> DirectionPairs:
    """Pairs with the shortest filters for which filter . signal = 1; zeros for zeros."""
    squares = signals.square().sum(0)
    filters = torch.where(squares > 0, signals / squares, 0.0)
    return DirectionPairs(filters, torch.zeros(signals.shape[1]).double(), signals)


def test_shares_and_movements_are_those_of_the_angle_to_the_null_space() -> None:
    weight, split = head([2.0, 0.0, 0.0], [0.0, 1.0, 0.0])
    angle = math.radians(30)  # between the second signal and the null space, the third axis
    signals = torch.zeros(3, 3, dtype=torch.float64)
    signals[2, 0], signals[1:, 1], signals[0, 2] = 5, tensor(3 * math.sin(angle), 3 * math.cos(angle)), 4
    filters = pairs_of(signals).filters
    covariance = torch.diag(tensor(4, 1, 9))
    found = null_shares(pairs_of(signals), split, weight, covariance, covariance_directions(covariance, 50))
    assert found.share.tolist() == pytest.approx([1.0, math.cos(angle) ** 2, 0.0], abs=1e-12)
    assert found.isotropic == pytest.approx(1 / 3)
    assert found.variance_share == pytest.approx(9 / 14)
    deviation = [math.sqrt(9 / 25), math.sqrt((math.sin(angle) ** 2 + 9 * math.cos(angle) ** 2) / 9), math.sqrt(4 / 16)]
    torch.testing.assert_close(tensor(*deviation), ((filters.T @ covariance) @ filters).diagonal().sqrt())
    assert found.null_movement.tolist() == pytest.approx([3.0, deviation[1] * 3 * math.cos(angle), 0], abs=1e-12)
    assert found.principal_movement.tolist() == pytest.approx([0, deviation[1] * 3 * math.sin(angle), 2], abs=1e-12)
    assert found.logit_movement.tolist() == pytest.approx([0, deviation[1] * 3 * math.sin(angle), 4], abs=1e-12)
    null = 9 + (deviation[1] * 3 * math.cos(angle)) ** 2
    assert found.moved_share == pytest.approx(null / (null + 4 + (deviation[1] * 3 * math.sin(angle)) ** 2))


def test_isotropic_directions_have_shares_of_a_beta_distribution() -> None:
    dim, rank = 12, 4
    weight = torch.randn(rank, dim, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    split = split_head(weight, stored_dtype=torch.float64)
    signals = torch.eye(dim, dtype=torch.float64)
    found = null_shares(pairs_of(signals), split, weight, signals, covariance_directions(signals, 20000))
    chance = beta((dim - rank) / 2, rank / 2)
    assert found.drawn_mean == pytest.approx(found.isotropic, abs=0.004)
    assert found.drawn_interval == pytest.approx(tuple(chance.ppf([0.025, 0.975])), abs=0.01)
    assert found.p.tolist() == pytest.approx(chance.sf(found.share.numpy()).tolist(), abs=0.02)
    assert found.q.tolist() == pytest.approx(false_discovery_control(found.p.numpy()).tolist())


def test_directions_follow_the_covariance_of_the_data() -> None:
    """In two dimensions with deviations a and b, the mean of b^2 v^2 / (a^2 u^2 + b^2 v^2) is b / (a + b)."""
    turn = tensor(0.6, -0.8, 0.8, 0.6).reshape(2, 2)
    covariance = turn @ torch.diag(tensor(25, 1)) @ turn.T
    drawn = covariance_directions(covariance, 40000, seed=3)
    torch.testing.assert_close(drawn.T.cov(), covariance, atol=0.3, rtol=0)
    _, split = head([0.6, 0.8])  # the null space is the second axis of the data, of deviation 1
    assert float(null_share(drawn, split).mean()) == pytest.approx(1 / 6, abs=0.005)
    torch.testing.assert_close(drawn, covariance_directions(covariance, 40000, seed=3))


def test_a_direction_is_unread_where_its_share_is_beyond_that_of_the_data() -> None:
    """The data hardly varies in the null space: shares there that any isotropic direction has are beyond chance."""
    dim = 8
    weight = torch.eye(dim, dtype=torch.float64)[:4]
    split = split_head(weight, stored_dtype=torch.float64)
    covariance = torch.diag(tensor(*[1.0] * 4, *[1e-2] * 4))
    signals = torch.zeros(dim, 3, dtype=torch.float64)
    signals[0, 0] = signals[4, 0] = 1.0  # half of it in the null space, as nullity / dim
    signals[1, 1], signals[5, 1] = 1.0, 0.1  # as the data: a share of about .01
    found = null_shares(pairs_of(signals), split, weight, covariance, covariance_directions(covariance))
    assert found.share[0].item() == pytest.approx(found.isotropic)
    assert found.unread.tolist() == [True, False, False]
    assert found.p[1].item() > 0.05
    assert found.share[2].isnan()  # a dead detector
    assert found.p[2].isnan()
    assert found.q[0].item() == pytest.approx(2 * found.p[0].item())  # over the two that are known
    again = null_shares(pairs_of(signals), split, weight, covariance, covariance_directions(covariance))
    torch.testing.assert_close(found.p, again.p, equal_nan=True)


def test_a_head_without_null_space_leaves_nothing_unread() -> None:
    weight, split = head([1.0, 0.5], [0.0, 1.0], [1.0, 1.0])
    basis = torch.eye(2).double()
    found = null_shares(pairs_of(basis), split, weight, basis, covariance_directions(basis, 50))
    assert found.share.tolist() == [0, 0]
    assert found.p.tolist() == [1, 1]
    assert not found.unread.any()


def test_agreement_finds_the_planted_row_and_the_planted_difference() -> None:
    draw = torch.Generator().manual_seed(2)
    weight = torch.randn(7, 40, generator=draw, dtype=torch.float64)
    weight[6] = weight[5]  # a pair of classes without a difference
    split = split_head(weight, stored_dtype=torch.float64)
    outside = split.null_basis[0]
    filters = torch.stack([-3 * weight[4], weight[2] - weight[0], outside, torch.zeros(40).double()], 1)
    found = head_agreement(filters, weight, split)
    assert found.row_class[[0, 3]].tolist() == [4, -1]
    assert found.row_cosine[0].item() == pytest.approx(-1)
    assert found.difference_classes[[1, 3]].tolist() == [[2, 0], [-1, -1]]
    assert found.difference_cosine[1].item() == pytest.approx(1)
    assert found.pinned[:3].tolist() == pytest.approx([1, 1, 0], abs=1e-12)
    assert found.pinned_chance == 6 / 40
    assert found.row_cosine[2].abs().item() < 1e-12 < found.row_chance < found.difference_chance < 1
    assert found.pinned[3].isnan()
    assert found.row_cosine[3].isnan()
    pairs = [(a, b) for a in range(6) for b in range(6) if a != b]
    for column in range(2):
        cosines = [float(torch.cosine_similarity(filters[:, column], weight[a] - weight[b], dim=0)) for a, b in pairs]
        assert found.difference_cosine[column].item() == pytest.approx(max(cosines))


def test_the_largest_cosine_of_random_directions_with_one_row_is_that_of_the_beta_distribution() -> None:
    weight, split = head([1.0] + [0.0] * 29)
    found = head_agreement(torch.eye(30).double()[:, :1], weight, split)
    assert found.row_chance == pytest.approx(math.sqrt(beta(0.5, 29 / 2).ppf(0.975)), rel=0.15)
    assert found.difference_classes.tolist() == [[-1, -1]]
    assert found.difference_cosine.isnan().all()
