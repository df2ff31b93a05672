"""The test of trust, in small: what it measures and what it makes of it."""

import math
from pathlib import Path

import direction_trust
import direction_world
import pytest
import torch
from direction_trust import Judged

from sing_compute.directions.pairs import DirectionPairs
from sing_compute.directions.search import Settings


def row(
    score: float, *, iou: float = 0.95, cosine: float = 0.95, state: str = "found", kind: str = "two classes"
) -> Judged:
    """Return a direction."""
    return Judged(kind, 1, 0, score, state, iou, cosine, 0.5, 1, 2.0, score)


def test_true_pairs_match_their_concepts_and_an_extra_one_has_no_iou() -> None:
    held_out = direction_world.world(7, images=50)
    filters = held_out.dual
    constant = direction_world.CONSTANT * filters.sum(0)
    thresholds = constant + 2.5  # a strength of 2.5 divides present from absent
    order = [2, 0, 1, 0]
    found = DirectionPairs(
        filters[:, order], thresholds[order] + torch.tensor([0, 0, 0, 1]), held_out.concepts[:, order]
    )
    truth = direction_trust.truth(found, held_out)
    assert truth[:3] == [pytest.approx((1, 1))] * 3
    assert truth[3] == pytest.approx((0, 1))  # it reads concept 0, but the second direction reads it better


def test_the_area_is_the_share_of_couples_in_the_right_order_and_false_ones_are_those_called_found() -> None:
    rows = [row(0.9), row(0.5), row(0.7, iou=0.5, cosine=0.1), row(0.2, cosine=0.5, state="unstable")]
    assert direction_trust.area(rows) == 0.75  # of four couples of a good and a bad one, three are in the right order
    assert direction_trust.false_share(rows) == pytest.approx(1 / 3)
    assert math.isnan(direction_trust.area(rows[:2]))
    assert direction_trust.area(rows, detectors=True) == pytest.approx(1 / 3)  # of .9, .5 and .2, one is above .7
    assert math.isnan(direction_trust.false_share(rows[3:]))


def test_rows_are_read_as_they_were_written(tmp_path: Path) -> None:
    rows = [row(0.1), row(0.25, state="unstable", kind="published")]
    report = direction_trust.written(tmp_path / "trust.csv", rows)
    assert direction_trust.stored(tmp_path / "trust.csv") == rows
    assert "area under the ROC" in report[-1]
    assert "| two classes | 1 | 1 | 1 | 1 | 1 | 0.950 | 0.950 | 0.10 |  | 50% | 2 |" in report


@pytest.mark.parametrize("name", ["a concept tied to a class (.95, .05)", "two directions too many"])
def test_a_world_is_searched_and_judged(name: str) -> None:
    settings = Settings(restarts=2, first_steps=1, joint_steps=1, first_batch=8, joint_batch=8)
    rows = list(direction_trust.judged(name, 1, settings=settings, epochs=1))
    assert len(rows) == direction_trust.KINDS[name].count
    assert all(0 <= each.score <= 1 for each in rows)
