"""Labels of directions against planted concepts and the definitions of the scores."""

import itertools

import pytest
import torch
from torch import Tensor

from sing_compute.directions.labels import DirectionLabels, OverlapCounts, halves, label_directions


def test_counts_give_the_iou_of_the_whole_data_set_in_whatever_parts() -> None:
    draw = torch.Generator().manual_seed(0)
    fires, present = torch.rand(200, 3, generator=draw) < 0.3, torch.rand(200, 4, generator=draw) < 0.2
    counts = OverlapCounts.of_images(fires[:70], present[:70]) + OverlapCounts.of_images(fires[70:], present[70:])
    for direction in range(3):
        for concept in range(4):
            on, there = fires[:, direction], present[:, concept]
            wanted = float((on & there).sum() / (on | there).sum())
            assert counts.iou[direction, concept].item() == pytest.approx(wanted)
    assert counts.total == 200


def test_chance_is_the_iou_of_an_independent_detector() -> None:
    draw = torch.Generator().manual_seed(1)
    fires, present = torch.rand(400000, 1, generator=draw) < 0.3, torch.rand(400000, 1, generator=draw) < 0.1
    counts = OverlapCounts.of_images(fires, present)
    assert counts.chance.item() == pytest.approx(0.03 / 0.37, rel=0.01)
    assert counts.iou.item() == pytest.approx(counts.chance.item(), rel=0.03)


def test_masks_are_met_by_logits_that_are_enlarged_bilinearly() -> None:
    """Between the centres of two positions, logits of 1 and -3 cross 0 at a quarter of the way."""
    logits = torch.tensor([[[[1.0, -3.0]]]]).double()
    masks = torch.zeros(1, 2, 1, 16, dtype=torch.bool)
    masks[..., 0, :, :6] = True  # centres at 4 and 12 of 16: above 0 up to 4 + 8 / 4 = 6
    masks[:, 1] = ~masks[:, 0]
    counts = OverlapCounts.of_masks(logits, masks)
    assert counts.fired.tolist() == [6]
    assert counts.iou.tolist() == [[1, 0]]
    assert counts.total == 16


def test_masks_of_many_images_are_counted_like_images(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = torch.Generator().manual_seed(2)
    logits = torch.randn(5, 2, 3, 4, generator=draw, dtype=torch.float64)
    masks = torch.rand(5, 3, 3, 4, generator=draw) < 0.4
    monkeypatch.setattr("sing_compute.directions.labels._PART", 50)
    counts = OverlapCounts.of_masks(logits, masks)  # of the same size, so nothing is enlarged
    whole = OverlapCounts.of_images((logits > 0).movedim(1, 3).reshape(-1, 2), masks.movedim(1, 3).reshape(-1, 3))
    torch.testing.assert_close(counts.both, whole.both)
    assert counts.total == whole.total == 60


def planted(draw: torch.Generator) -> tuple[Tensor, Tensor]:
    """Two detectors of concept 2, one of them worse, one of concept 0, one that fires at random and one that is dead."""
    present = torch.rand(4000, 3, generator=draw) < torch.tensor([0.2, 0.3, 0.1])
    noise = torch.rand(4000, 5, generator=draw)
    fires = torch.stack(
        [
            present[:, 2] & (noise[:, 0] < 0.5),
            present[:, 2] & (noise[:, 1] < 0.8),
            present[:, 0],
            noise[:, 3] < 0.05,
            noise[:, 4] < 0,
        ],
        1,
    )
    return fires, present


def test_directions_get_the_planted_labels_and_scores_of_other_images() -> None:
    fires, present = planted(torch.Generator().manual_seed(3))
    first, second = halves(4000, seed=4)
    assert torch.equal(torch.cat([first, second]).sort().values, torch.arange(4000))
    labelling, scoring = (OverlapCounts.of_images(fires[rows], present[rows]) for rows in (first, second))
    found = label_directions(labelling, scoring)
    assert found.concept[:3].tolist() == [2, 2, 0]
    assert found.concept[4].item() == -1
    assert found.iou[:3].tolist() == pytest.approx([0.5, 0.8, 1], abs=0.06)
    assert found.iou[4].item() == 0
    assert found.chance[2].item() == pytest.approx(0.2 / (2 - 0.2), abs=0.02)
    assert found.iou[3].item() == pytest.approx(found.chance[3].item(), abs=0.03)
    assert found.chance[4].isnan()
    assert found.s2 == pytest.approx(float(found.iou[1] + found.iou[2] + found.iou[3] * (found.concept[3] == 1)))


def test_s1_and_s2_are_the_integrals_of_their_definitions() -> None:
    draw = torch.Generator().manual_seed(5)
    iou, concept = torch.rand(40, generator=draw, dtype=torch.float64), torch.randint(-1, 9, (40,), generator=draw)
    iou = torch.where(concept < 0, 0.0, iou)
    found = DirectionLabels(concept, iou, iou, iou)
    levels = torch.cat([torch.zeros(1).double(), iou, torch.ones(1).double()]).unique()
    directions = concepts = 0.0
    for low, high in itertools.pairwise(levels):  # both counts are constant between two IoUs
        reached = iou >= high
        reached &= concept >= 0
        directions += float(high - low) * int(reached.sum())
        concepts += float(high - low) * len(set(concept[reached].tolist()))
    assert found.s1 == pytest.approx(directions)
    assert found.s2 == pytest.approx(concepts)
    assert found.s2 < found.s1


def test_without_concepts_there_are_no_labels() -> None:
    counts = OverlapCounts.of_images(torch.ones(4, 2) > 0, torch.ones(4, 0) > 0)
    found = label_directions(counts, counts)
    assert found.concept.tolist() == [-1, -1]
    assert (found.s1, found.s2) == (0, 0)
