"""The search for direction pairs: what belongs together in its result. What it finds: benchmarks/direction_pairs.py."""

import direction_world
import pytest
import torch

from sing_compute.directions.losses import detector_losses
from sing_compute.directions.search import Restarts, Settings, find_directions


@pytest.fixture(scope="module")
def short() -> tuple[direction_world.World, Restarts, list[tuple[str, int, dict[str, float]]]]:
    """A search that is far too short to find anything, and what it reports."""
    drawn = direction_world.world(31, images=200)
    head, said = direction_world.trained_head(drawn, epochs=20), []
    settings = Settings(restarts=2, first_steps=100, joint_steps=200, first_batch=32, joint_batch=32)
    found = find_directions(
        drawn.features,
        head,
        3,
        settings=settings,
        seed=31,
        report=lambda *news: said.append((news[0], news[1], dict(news[2]))),
    )
    return drawn, found, said


def test_filters_thresholds_and_signals_belong_together_on_all_positions(
    short: tuple[direction_world.World, Restarts, list[tuple[str, int, dict[str, float]]]],
) -> None:
    drawn, found, _ = short
    features = drawn.features.flatten(0, 1)
    for restart in range(2):
        for direction in range(3):
            filter_ = found.filters[restart, :, direction]
            logit = features @ filter_ - found.thresholds[restart, direction]
            positive = logit > 0
            if int(positive.sum()) < 3:
                continue
            joint = torch.cov(torch.cat([features[positive], logit[positive, None]], 1).T)
            signal = joint[:-1, -1] / joint[-1, -1]
            torch.testing.assert_close(found.signals[restart, :, direction], signal, rtol=1e-6, atol=1e-8)
            assert float(filter_ @ signal) == pytest.approx(1)


def test_the_search_lowers_its_losses_and_tells_of_them(
    short: tuple[direction_world.World, Restarts, list[tuple[str, int, dict[str, float]]]],
) -> None:
    _, found, said = short
    assert [news[:2] for news in said] == [
        ("orthogonal filters", 100),
        ("filters and signals", 100),
        ("filters and signals", 200),
    ]
    assert {"sparsity", "activation", "inactivity", "certainty", "excess", "overlap"} < said[-1][2].keys()
    untrained = torch.zeros(1, 3, 1).double()  # detectors that know nothing
    assert said[-1][2]["sparsity"] < float(detector_losses(untrained)["sparsity"])
    assert said[-1][2]["activation"] < float(detector_losses(untrained)["activation"])
    assert torch.isfinite(found.objective).all()
    assert (found.violation >= 0).all()


def test_the_same_seed_gives_the_same_directions() -> None:
    drawn = direction_world.world(3, images=20)
    head = direction_world.trained_head(drawn, epochs=5)
    settings = Settings(restarts=2, first_steps=5, joint_steps=5, first_batch=8, joint_batch=8)
    first, second, other = (find_directions(drawn.features, head, 3, settings=settings, seed=k) for k in (1, 1, 2))
    assert torch.equal(first.filters, second.filters)
    assert torch.equal(first.signals, second.signals)
    assert not torch.equal(first.filters, other.filters)


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
