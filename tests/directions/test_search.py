"""The search for direction pairs in the paper's world, against the planted directions."""

import direction_world
import pytest
import torch
from torch.nn.functional import normalize

from sing_compute.directions.search import Restarts, find_directions


@pytest.fixture(scope="module")
def found() -> tuple[direction_world.World, Restarts]:
    drawn = direction_world.world(31)
    head = direction_world.trained_head(drawn, epochs=300)
    return drawn, find_directions(drawn.features, head, 3, seed=31)


def test_the_chosen_restart_reads_and_writes_the_planted_concepts(
    found: tuple[direction_world.World, Restarts],
) -> None:
    drawn, restarts = found
    best = restarts.best
    held_out = direction_world.world(1031)
    fires = held_out.features.flatten(0, 1) @ restarts.filters[best] > restarts.thresholds[best]
    present = held_out.present.flatten(0, 1)
    both = (fires[:, :, None] & present[:, None]).sum(0)
    iou = both / (fires[:, :, None] | present[:, None]).sum(0)
    order = iou.argmax(0)
    assert sorted(order.tolist()) == [0, 1, 2]
    assert float(iou.amax(0).min()) >= 0.9
    cosines = torch.cosine_similarity(restarts.signals[best][:, order], drawn.concepts, dim=0)
    assert float(cosines.min()) >= 0.95
    reads = normalize(restarts.filters[best], dim=0).T @ drawn.distractors
    assert float(reads.abs().max()) < 0.1
    torch.testing.assert_close((restarts.filters * restarts.signals).sum(1)[best], torch.ones(3).double())


def test_the_choice_looks_at_objective_and_violations() -> None:
    vectors = torch.zeros(3, 2, 1).double()
    restarts = Restarts(
        vectors,
        torch.zeros(3, 1).double(),
        vectors,
        objective=torch.tensor([1.0, 0.2, 0.9]).double(),
        violation=torch.tensor([0.0, 0.1, 0.0]).double(),
        losses={},
    )
    assert restarts.best == 2
