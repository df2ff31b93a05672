"""Correction of planted shortcuts and of drawn marks, in small: shares, groups, and what their tables say."""

from types import SimpleNamespace

import direction_correction
import direction_marks
import pytest
import torch
from direction_correction import Corrected, tied_world
from direction_marks import Marked
from torch import Tensor

from sing_compute.directions.alignment import LinearHead
from sing_compute.directions.interventions import correction, correction_effect
from sing_compute.directions.search import Restarts, Settings


def restarts_of(filters: Tensor, thresholds: Tensor, signals: Tensor) -> Restarts:
    """The result of a search, with one restart."""
    none = torch.zeros(1).double()
    return Restarts(filters[None], thresholds[None], signals[None], none, none, {})


def test_the_third_concept_comes_with_class_1_as_often_as_asked() -> None:
    drawn, group = tied_world(3, images=100, tied=0.95)
    with_it = drawn.present[..., 2].any(1)
    assert torch.bincount(drawn.classes).tolist() == [100, 100]
    assert [int(with_it[drawn.classes == k].sum()) for k in (0, 1)] == [5, 95]
    assert torch.equal(group, 2 * drawn.classes + with_it)
    assert torch.equal(drawn.present[:, 0, :2].int().argmax(1), drawn.classes)
    torch.testing.assert_close((drawn.strengths > 2.5), drawn.present)


def test_the_true_pair_repairs_a_network_that_learned_the_shortcut() -> None:
    drawn, _ = tied_world(0, images=1000, tied=0.95)
    test, groups = tied_world(1000, images=1000, tied=0.5)
    mean = drawn.features.mean((0, 1))
    weight = torch.linalg.pinv(drawn.features.mean(1) - mean, rtol=1e-3) @ (2.0 * drawn.classes - 1).double()
    head = LinearHead(torch.stack([-weight, weight]), torch.stack([weight @ mean, -weight @ mean]))  # least squares
    pairs = direction_correction.true_pairs(drawn)
    effect = correction_effect(head, correction(pairs, 2, drawn.features), test.features, test.classes, groups, draws=1)
    assert effect.before.worst < 0.8
    assert int(effect.before.accuracy.argmin()) == 1  # class 0 with the third concept
    assert effect.signal.worst > effect.before.worst + 0.1


def test_a_search_that_finds_the_truth_repairs_as_the_true_pair_does(monkeypatch: pytest.MonkeyPatch) -> None:
    true = direction_correction.true_pairs(tied_world(1, images=10, tied=0.95)[0])
    found = restarts_of(true.filters, true.thresholds, true.signals)
    trust = SimpleNamespace(states=("unstable", "unstable", "found"))
    search = SimpleNamespace(restarts=found, pairs=found.pairs(0), trust=trust)
    monkeypatch.setattr(direction_correction, "find_trusted", lambda *given, **options: search)
    rows = list(direction_correction.measured(1, settings=Settings(), epochs=5, images=100))
    assert rows[1].worst == rows[2].worst
    assert (rows[0].iou, rows[0].cosine, rows[0].good) == pytest.approx((1, 1, 1))
    assert [row.way for row in rows] == list(direction_correction.WAYS)
    assert rows[5].worst >= rows[4].worst  # the best random direction and the mean
    lines = direction_correction.report(rows)
    assert lines[2].endswith("| 1.000 | 1.000 | found | 1 |")
    assert lines[2].startswith(f"| 1 | {rows[0].worst:.3f} | {rows[1].worst:.3f} |")
    good = [
        Corrected(k, way, worst, 0.9, 0.95, 0.99, 2 - k, ("found", "unstable")[k - 1])
        for k in (1, 2)
        for way, worst in zip(
            direction_correction.WAYS, (0.6, 0.86, 0.85, 0.8, 0.4 if k == 1 else 0.7, 0.9), strict=True
        )
    ]
    shares = [line.split(" | ")[1:] for line in direction_correction.report(good)[-4:]]
    assert shares == [["2 of 2", "1 of 1 |"], ["2 of 2", "1 of 1 |"], ["2 of 2", "1 of 1 |"], ["1 of 2", "1 of 1 |"]]


def test_half_of_the_stars_have_the_mark_and_nothing_else_has() -> None:
    data = direction_marks.training_set(0, 4)
    assert data.marked.tolist() == [False] * 8 + [True, False, True, False]
    plain, marked, classes = direction_marks.drawings(0, 4)
    assert torch.equal(data.images[data.marked], marked[data.marked])
    assert torch.equal(data.images[~data.marked], plain[~data.marked])
    changed = (plain != marked).any(1)
    assert changed[:, 2:10, 2:20].double().mean() > 0.9
    changed[:, 2:10, 2:20] = False
    assert not changed.any()
    assert torch.equal(classes, data.classes)


@pytest.mark.parametrize("side", [2, 3])
def test_a_small_network_is_corrected_by_both_rules(side: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def halves(features: Tensor, head: LinearHead, count: int, **options: object) -> Restarts:
        filters = torch.eye(16).double()[:, :count]
        return restarts_of(filters, features.flatten(0, 1).median(0).values[:count], filters)

    monkeypatch.setattr(direction_marks, "find_directions", halves)
    rows = list(direction_marks.measured(5, side=side, count=3, settings=Settings(), images=12, tested=4, steps=3))
    assert [(row.rule, row.way) for row in rows] == [
        (rule, way) for rule in direction_marks.RULES for way in direction_marks.WAYS
    ]
    features = direction_marks.network(5, side, 12, 4, 3)[2]
    assert features["training"].shape == (36, side**2, 16)
    assert features["marked"].shape == (12, side**2, 16)
    assert rows[0].clean == rows[4].clean  # no correction is the same for both rules


def test_intervals_are_students_and_changes_are_paired() -> None:
    assert direction_marks.interval([0.1, 0.2, 0.3]) == "0.20 (-0.05 to 0.45)"  # 4.303 * .1 / sqrt(3) = .248
    rows = [
        Marked(k, 2, 6, rule, way, 0.8, 0.4 + 0.1 * k + 0.2 * (way == "signal"), 0.5, k)
        for k in (0, 1, 2)
        for rule in direction_marks.RULES
        for way in direction_marks.WAYS
    ]
    lines = direction_marks.report(rows)
    signal = next(line for line in lines if line.startswith("| measured step | signal"))
    assert signal.endswith("| 0.20 (0.20 to 0.20) |")
    assert "0 to 2" in lines[2]
    assert direction_marks.interval([0.1, 0.2]) == "0.15"
