"""How directions are compared, and what trust makes of it. How well trust tells good from bad: benchmarks/direction_trust.py."""

import math
from collections.abc import Mapping
from dataclasses import replace

import direction_world
import pytest
import torch

from sing_compute.directions.alignment import LinearHead
from sing_compute.directions.automatic import Finding, counts_to_try, find_count, find_trusted
from sing_compute.directions.descent import State
from sing_compute.directions.pairs import DirectionPairs
from sing_compute.directions.search import Restarts, Settings
from sing_compute.directions.trust import (
    DETECTOR,
    FOUND,
    NOT_FOUND,
    UNSTABLE,
    Half,
    agreement,
    found_twice,
    measured_trust,
    pinned_share,
)


def restarts(*of: DirectionPairs, objective: tuple[float, ...] = (), **losses: tuple[float, ...]) -> Restarts:
    """Return restarts that end with these directions."""
    zeros = (0.0,) * len(of)
    return Restarts(
        torch.stack([each.filters for each in of]),
        torch.stack([each.thresholds for each in of]),
        torch.stack([each.signals for each in of]),
        objective=torch.tensor(objective or zeros).double(),
        violation=torch.tensor(zeros).double(),
        losses={name: torch.tensor(losses.get(name, zeros)).double() for name in Settings().joint_bounds},
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


HEAD = LinearHead(torch.eye(2).double(), torch.zeros(2).double())
DIAGONALS = pairs([[1, 1], [1, -1]], [0.0, 0.0], [[0.5, 0.5], [0.5, -0.5]])
LEVELS = torch.tensor([-2.0, -1, 1, 2]).double()
GRID = torch.cartesian_prod(LEVELS, LEVELS)
IMAGES = GRID.repeat(2, 1)[:, None]  # both halves are the whole grid


def halves(first: Restarts, second: Restarts) -> tuple[Half, Half]:
    return Half(torch.arange(16), first), Half(torch.arange(16, 32), second)


def test_trust_is_the_middle_one_of_three_agreements() -> None:
    half_found = pairs([[1, 0], [1, -1]], [0.0, 0.0], [[1, 0], [0.5, -0.5]])  # the first axis, and a diagonal
    whole = restarts(AXES, DIAGONALS, objective=(0, 1))
    trust = measured_trust(IMAGES, HEAD, whole, halves(restarts(half_found), restarts(AXES)))
    diagonal = 5 / 9  # an axis fires on 8 points, a diagonal on 6, both on 5
    torch.testing.assert_close(trust.others.least, torch.full((1, 2), diagonal).double())
    torch.testing.assert_close(trust.halves.least, torch.tensor([[1.0, 0.0], [1.0, 1.0]]).double())
    assert trust.score.tolist() == pytest.approx([1, diagonal])
    assert trust.states == (FOUND, UNSTABLE)
    worse = measured_trust(IMAGES, HEAD, whole, halves(restarts(half_found), restarts(half_found)))
    assert worse.states == (FOUND, NOT_FOUND)
    assert trust.again.tolist() == [0, 0]
    assert trust.pinned.tolist() == pytest.approx([0.5, 0.5])


def test_a_detector_that_is_found_again_with_other_signal_vectors_is_said_to_be_one() -> None:
    turned = pairs(
        [[1, 0], [0, 1]], [0.0, 0.0], [[0, 1], [0, 1]]
    )  # the first has the signal vector of another direction
    trust = measured_trust(IMAGES, HEAD, restarts(AXES, turned), halves(restarts(turned), restarts(turned)))
    assert trust.detector.tolist() == pytest.approx([1, 1])
    assert trust.score.tolist() == pytest.approx([0, 1])
    assert trust.states == (DETECTOR, FOUND)


def test_detectors_that_fire_everywhere_agree_no_more_than_chance() -> None:
    everywhere = pairs([[1, 0], [0, 1]], [-3.0, 0.0], [[1, 0], [0, 1]])  # the first fires on all four corners
    found = agreement(everywhere, restarts(everywhere), CORNERS)
    assert found.positives[0].tolist() == pytest.approx([1, 1])
    assert found.detectors[0].tolist() == pytest.approx([0, 1])
    half = pairs(
        [[0, 1], [0, 1]], [0.0, 0.0], [[1, 0], [0, 1]]
    )  # fires on half of the corners, as an axis does, and independently
    tilted = pairs([[1, 0.2], [0, 1]], [0.0, 0.0], [[1, 0], [0, 1]])
    assert agreement(AXES, restarts(half), CORNERS).detectors[0, 0] == pytest.approx(0)
    assert agreement(AXES, restarts(tilted), CORNERS).detectors[0, 0] == pytest.approx(1 / math.hypot(1, 0.2))


def test_a_half_is_judged_by_its_best_restart_and_on_images_that_it_has_not_seen() -> None:
    features = IMAGES.clone()
    features[:16, :, 0] = features[:16, :, 0].abs()  # the first half sees the first axis on one side only
    shifted = pairs([[1, 0], [0, 1]], [-3.0, 0.0], [[1, 0], [0, 1]])  # on that side, it fires as the axis does
    whole, other = restarts(AXES, AXES), restarts(shifted, AXES, objective=(0, 1))
    trust = measured_trust(features, HEAD, whole, halves(other, other))
    assert trust.halves.positives[:, 0].tolist() == pytest.approx([0.5, 1])


def test_the_score_is_less_where_features_change_along_another_vector_below_the_threshold() -> None:
    bent = IMAGES.clone()
    negative = bent[:, 0, 0] < 0
    bent[negative, 0, 1] += bent[negative, 0, 0]  # below the first threshold, features change along (1, 1)
    trust = measured_trust(bent, HEAD, restarts(AXES, AXES), halves(restarts(AXES), restarts(AXES)))
    assert float(trust.steady[0]) == pytest.approx(math.sqrt(0.5))
    assert float(trust.score[0]) == pytest.approx(math.sqrt(0.5))
    straight = measured_trust(IMAGES, HEAD, restarts(AXES, AXES), halves(restarts(AXES), restarts(AXES)))
    assert straight.steady.tolist() == pytest.approx([1, 1])


def test_directions_that_miss_constraints_are_unstable_however_often_they_are_found() -> None:
    whole = restarts(AXES, AXES, overlap=(0.3, 0.3))
    trust = measured_trust(IMAGES, HEAD, whole, halves(restarts(AXES), restarts(AXES)))
    assert trust.states == (UNSTABLE, UNSTABLE)
    assert not trust.kept
    dead = restarts(AXES, AXES, inactivity=(0.3, 0.3))
    assert measured_trust(IMAGES, HEAD, dead, halves(restarts(AXES), restarts(AXES))).states == (FOUND, FOUND)


def test_found_twice_needs_one_other_restart_with_all_directions() -> None:
    assert found_twice(restarts(AXES, DIAGONALS, AXES, objective=(0, 1, 2)), IMAGES)
    assert not found_twice(restarts(AXES, DIAGONALS, objective=(0, 1)), IMAGES)
    half_dead = pairs([[1, 0], [0, 1]], [0.0, 9.0], [[1, 0], [0, 0]])
    assert found_twice(restarts(half_dead, AXES, objective=(0, 1)), IMAGES)


def finding(found: int, count: int, *, detectors: int = 0) -> Finding:
    """Return a finding with some directions called found, and some of which the detector only is."""
    axes = pairs([[1, 0]] * count, [0.0] * count, [[1, 0]] * count)
    parts = halves(restarts(axes), restarts(axes))
    trust = measured_trust(IMAGES, HEAD, restarts(axes, axes), parts)
    states = (FOUND,) * found + (DETECTOR,) * detectors + (NOT_FOUND,) * (count - found - detectors)
    return Finding(restarts(axes), parts, replace(trust, states=states), True, 1)


def test_the_count_with_most_directions_found_is_chosen_and_larger_ones_are_tried_until_two_find_no_more() -> None:
    assert list(counts_to_try(24)) == [2, 3, 4, 6, 8, 12, 16, 24]
    tried = []

    def search(count: int) -> Finding:
        tried.append(count)
        return finding({2: 0, 3: 0, 4: 0, 6: 5, 8: 5, 12: 1}.get(count, 12), count)

    assert find_count(search, counts_to_try(100)).pairs.filters.shape[1] == 6
    assert tried == [2, 3, 4, 6, 8, 12]


def test_where_no_pair_is_found_the_count_with_most_detectors_is_chosen() -> None:
    tried = []

    def search(count: int) -> Finding:
        tried.append(count)
        return finding(0, count, detectors={2: 0, 3: 1, 4: 3, 6: 3}.get(count, 2))

    assert find_count(search, counts_to_try(100)).pairs.filters.shape[1] == 4
    assert tried == [2, 3, 4, 6, 8]


def test_rounds_go_on_until_the_best_is_found_twice_or_the_limit_is_reached() -> None:
    drawn = direction_world.world(5, images=30)
    head = direction_world.trained_head(drawn, epochs=5)
    settings = Settings(restarts=2, first_steps=2, joint_steps=2, first_batch=8, joint_batch=8)
    made: list[tuple[int, int]] = []
    saved: list[Mapping[str, object]] = []

    class Forgetful:
        def load(self) -> None:
            return None

        def save(self, state: State) -> None:
            saved.append(state)

    def checkpoint(count: int, number: int) -> Forgetful:
        made.append((count, number))
        return Forgetful()

    found = find_trusted(
        drawn.features, head, 3, settings=settings, seed=1, rounds=2, checkpoint=checkpoint
    )  # two steps find nothing twice
    assert (found.twice, found.rounds, made) == (False, 2, [(3, 0), (3, 1)])
    assert len(found.restarts.objective) == 4
    assert len(saved) == 4
    first, second = (half.images for half in found.halves)
    assert torch.equal(torch.cat([first, second]).sort().values, torch.arange(90))
    assert found.pairs.filters.equal(found.restarts.filters[found.restarts.best])
