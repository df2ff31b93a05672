"""How directions are compared, and what trust makes of it. How well trust tells good from bad: benchmarks/direction_trust.py."""

import math

import pytest
import torch

from sing_compute.directions.alignment import LinearHead
from sing_compute.directions.pairs import DirectionPairs
from sing_compute.directions.search import Restarts
from sing_compute.directions.trust import agreement, pinned_share


def restarts(*of: DirectionPairs, objective: tuple[float, ...] = (), violation: tuple[float, ...] = ()) -> Restarts:
    """Return restarts that end with these directions."""
    zeros = (0.0,) * len(of)
    return Restarts(
        torch.stack([each.filters for each in of]),
        torch.stack([each.thresholds for each in of]),
        torch.stack([each.signals for each in of]),
        objective=torch.tensor(objective or zeros).double(),
        violation=torch.tensor(violation or zeros).double(),
        losses={},
    )


def pairs(filters: list[list[float]], thresholds: list[float], signals: list[list[float]]) -> DirectionPairs:
    """Return directions; a list of `filters` and `signals` is one direction."""
    return DirectionPairs(
        torch.tensor(filters).double().T, torch.tensor(thresholds).double(), torch.tensor(signals).double().T
    )


AXES = pairs([[1, 0], [0, 1]], [0.0, 0.0], [[1, 0], [0, 1]])
CORNERS = torch.tensor([[1, 1], [1, -1], [-1, 1], [-1, -1]]).double()


def test_directions_in_another_order_and_of_other_lengths_agree_fully() -> None:
    other = pairs([[0, 3], [0.5, 0]], [0.0, 0.0], [[0, 1 / 3], [2, 0]])
    found = agreement(AXES, restarts(other, AXES), CORNERS)
    torch.testing.assert_close(found.least, torch.ones(2, 2).double())


def test_agreement_is_the_least_of_logits_signals_and_positives() -> None:
    # Filter, signal and threshold of the first direction differ, one after the other, from (1, 0), (1, 0) and 0.
    tilted_filter = pairs([[1, 0.75], [0, 1]], [0.0, 0.0], [[1, 0], [0, 1]])
    tilted_signal = pairs([[1, 0], [0, 1]], [0.0, 0.0], [[1, 1], [0, 1]])
    other_threshold = pairs([[1, 0], [0, 1]], [-2.0, 0.0], [[1, 0], [0, 1]])
    found = agreement(AXES, restarts(tilted_filter, tilted_signal, other_threshold), CORNERS)
    assert found.logits[:, 0].tolist() == pytest.approx([0.8, 1, 1])  # (1, .75) has length 1.25
    assert found.signals[:, 0].tolist() == pytest.approx([1, math.sqrt(0.5), 1])
    assert found.positives[:, 0].tolist() == pytest.approx([1, 1, 0.5])  # it fires on all four, not on two
    assert found.least[:, 0].tolist() == pytest.approx([0.8, math.sqrt(0.5), 0.5])


def test_an_opposite_direction_does_not_agree() -> None:
    opposite = pairs([[-1, 0], [0, 1]], [0.0, 0.0], [[-1, 0], [0, 1]])
    assert agreement(AXES, restarts(opposite), CORNERS).least[0].tolist() == pytest.approx([0, 1])


def test_alignment_pins_the_part_of_a_filter_in_the_span_of_differences_between_classes() -> None:
    rows = torch.tensor([[1.0, 0, 5], [-1, 0, 5]]).double()  # they differ along the first axis only
    filters = torch.tensor([[2.0, 0, 0], [3, 4, 0], [0, 0, 1]]).double().T
    bias = torch.zeros(2).double()
    assert pinned_share(filters, LinearHead(rows, bias)).tolist() == pytest.approx([1, 0.36, 0])
    assert pinned_share(filters, LinearHead(rows, bias, sigmoid=True)).tolist() == pytest.approx([1, 0.36, 1])
