"""The measures of the benchmark of direction pairs, against numbers counted by hand."""

import direction_pairs
import pytest
import torch


def test_overlaps_are_shares_of_positions_where_either_is() -> None:
    fires = torch.tensor([[True, False], [True, True], [False, True], [False, False]])
    present = torch.tensor([[True], [False], [False], [True]])
    assert direction_pairs.overlaps(fires, present)[:, 0].tolist() == pytest.approx([1 / 3, 0])


def test_the_best_threshold_is_the_one_with_most_overlap() -> None:
    scores = torch.tensor([5.0, 4.0, 3.0, 2.0, 1.0])
    present = torch.tensor([True, False, True, False, False])
    assert float(direction_pairs.best_overlap(scores, present)) == pytest.approx(
        2 / 3
    )  # three fire, two of them rightly


def test_concepts_are_matched_one_to_one_with_the_largest_sum() -> None:
    likeness = torch.tensor([[0.9, 0.8], [0.7, 0.1], [0.0, 0.2]])
    assert direction_pairs.best_order(likeness) == [1, 0]  # .7 + .8 is more than .9 + .2


def test_the_least_cosine_is_that_of_the_best_matching() -> None:
    signals = torch.tensor([[0.0, 3.0], [2.0, 4.0]])
    assert direction_pairs.least_cosine(signals, torch.eye(2)) == pytest.approx(0.6)
