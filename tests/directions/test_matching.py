"""Directions of two models, matched by the images they fire on, against planted matches and counted probabilities."""

from math import comb

import pytest
import torch
from torch import Tensor

from sing_compute.directions.matching import match_directions


def fires(*rows: str) -> Tensor:
    """A detector for each text, with a letter for each image: x where it fires."""
    return torch.tensor([[letter == "x" for letter in row] for row in rows]).T


def test_matches_and_probabilities_are_those_counted_by_hand() -> None:
    first = fires("xxxx......", "....xx....", "..........")
    second = fires("......xx..", ".xxxx.....", "xxxxxx....", ".....x....")
    found = match_directions(first, second)
    assert found.iou[0].tolist() == pytest.approx([0, 3 / 5, 4 / 6, 0])
    assert found.of_first.match.tolist() == [2, 3, -1]
    assert found.of_first.iou.tolist() == pytest.approx([4 / 6, 1 / 2, 0])
    assert found.of_first.chance[:2].tolist() == pytest.approx([0.24 / (1 - 0.24), 0.02 / (0.3 - 0.02)])
    tail = comb(6, 4) / comb(10, 4)  # all four among the six
    assert found.of_first.p.tolist()[:2] == pytest.approx([4 * tail, 4 * 2 / 10])
    assert found.of_first.p[2].isnan()
    assert found.of_first.mutual.tolist() == [True, True, False]
    assert found.of_second.match.tolist() == [-1, 0, 0, 1]
    assert found.of_second.mutual.tolist() == [False, False, True, True]
    tail = (comb(4, 3) * comb(6, 1) + 1) / comb(10, 4)  # three or four of the four
    assert found.of_second.p[1].item() == pytest.approx(3 * tail)


def test_planted_matches_are_found_beyond_chance_and_independent_directions_are_not() -> None:
    draw = torch.Generator().manual_seed(0)
    shared = torch.rand(3000, 4, generator=draw) < 0.1
    noise = torch.rand(3000, 2, 4, generator=draw) < 0.02
    alone = torch.rand(3000, 2, 20, generator=draw) < 0.1
    first = torch.cat([shared ^ noise[:, 0], alone[:, 0]], 1)
    second = torch.cat([alone[:, 1], (shared ^ noise[:, 1]).flip(1)], 1)
    found = match_directions(first, second)
    assert found.of_first.match[:4].tolist() == [23, 22, 21, 20]
    assert found.of_first.mutual[:4].all()
    assert 0 < found.of_first.p[:4].max() < 1e-30
    assert (found.of_first.p[4:] > 0.05).sum() >= 18  # 20 tests at 5 %
    torch.testing.assert_close(found.iou[4:, :20].mean(), found.chance[4:, :20].mean(), rtol=0.05, atol=0)


def test_nothing_is_matched_with_nothing() -> None:
    found = match_directions(fires("xx", ".x"), torch.zeros(2, 0, dtype=torch.bool))
    assert found.of_first.match.tolist() == [-1, -1]
    assert found.of_second.match.tolist() == []
