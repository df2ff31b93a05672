"""The search for direction pairs: what belongs together in its result. What it finds: benchmarks/direction_pairs.py."""

import copy
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import direction_world
import pytest
import torch

from sing_compute.directions.alignment import LinearHead
from sing_compute.directions.descent import State
from sing_compute.directions.feature_space import REFERENCE, feature_space
from sing_compute.directions.losses import detector_losses
from sing_compute.directions.search import Restarts, Settings, find_directions, find_in_subsets
from sing_compute.errors import DirectionsError

Said = list[tuple[str, int, dict[str, float]]]
SHORT = Settings(restarts=2, first_steps=15, joint_steps=10, first_batch=32, joint_batch=32)


@dataclass
class Notebook:
    """A checkpoint that keeps every state."""

    states: list[State] = field(default_factory=list)
    begin: State | None = None

    def load(self) -> State | None:
        return self.begin

    def save(self, state: State) -> None:
        self.states.append(state)


@pytest.fixture(scope="module")
def drawn() -> direction_world.World:
    return direction_world.world(31, images=100)


@pytest.fixture(scope="module")
def head(drawn: direction_world.World) -> LinearHead:
    return direction_world.trained_head(drawn, epochs=20)


@pytest.fixture(scope="module")
def short(drawn: direction_world.World, head: LinearHead) -> tuple[Restarts, Said]:
    """A search that is far too short to find anything, and what it reports."""
    said: Said = []

    def report(phase: str, step: int, losses: Mapping[str, float]) -> None:
        said.append((phase, step, dict(losses)))

    return find_directions(drawn.features, head, 3, settings=SHORT, seed=31, report=report), said


def test_filters_thresholds_and_signals_belong_together_on_all_positions(
    drawn: direction_world.World, short: tuple[Restarts, Said]
) -> None:
    found, features = short[0], drawn.features.flatten(0, 1)
    for restart in range(2):
        for direction in range(3):
            filter_ = found.filters[restart, :, direction]
            logit = features @ filter_ - found.thresholds[restart, direction]
            positive = logit > 0
            joint = torch.cov(torch.cat([features[positive], logit[positive, None]], 1).T)
            signal = joint[:-1, -1] / joint[-1, -1]
            torch.testing.assert_close(found.signals[restart, :, direction], signal, rtol=1e-6, atol=1e-8)
            assert float(filter_ @ signal) == pytest.approx(1)


def test_the_search_lowers_its_losses_and_reports_them(short: tuple[Restarts, Said]) -> None:
    found, said = short
    assert [news[:2] for news in said] == [("orthogonal filters", 15), ("filters and signals", 10)]
    assert {"sparsity", "activation", "inactivity", "certainty", "excess", "overlap"} < said[-1][2].keys()
    untrained = detector_losses(torch.zeros(1, 3, 1).double())  # detectors that know nothing
    assert said[-1][2]["sparsity"] < float(untrained["sparsity"])
    assert said[-1][2]["activation"] < float(untrained["activation"])
    assert torch.isfinite(found.objective).all()
    assert (found.violation >= 0).all()


def test_a_search_that_goes_on_from_any_saved_state_ends_with_the_same_bits(
    drawn: direction_world.World, head: LinearHead, short: tuple[Restarts, Said]
) -> None:
    settings, book = replace(SHORT, checkpoint_steps=6), Notebook()
    whole = find_directions(drawn.features, head, 3, settings=settings, seed=31, checkpoint=book)
    assert torch.equal(whole.filters, short[0].filters)
    assert [(state["phase"], state["step"]) for state in book.states] == [(0, 6), (0, 12), (1, 0), (1, 6), (2, 0)]
    for state in book.states:
        again = find_directions(
            drawn.features, head, 3, settings=settings, seed=0, checkpoint=Notebook(begin=copy.deepcopy(state))
        )
        for name in ("filters", "thresholds", "signals", "objective", "violation"):
            assert torch.equal(getattr(again, name), getattr(whole, name)), (name, state["phase"], state["step"])
    with pytest.raises(DirectionsError, match="other sizes"):
        find_directions(drawn.features, head, 2, settings=settings, checkpoint=Notebook(begin=book.states[0]))


@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_the_unit_and_the_origin_of_features_change_nothing(
    drawn: direction_world.World, head: LinearHead, short: tuple[Restarts, Said], scale: float
) -> None:
    shift = torch.linspace(-1, 1, 16).double()
    same_head = LinearHead(head.weight / scale, head.bias - head.weight @ shift)
    found = find_directions(scale * (drawn.features + shift), same_head, 3, settings=SHORT, seed=31)
    torch.testing.assert_close(found.filters * scale, short[0].filters, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(found.signals / scale, short[0].signals, rtol=1e-4, atol=1e-6)
    moved = short[0].thresholds + (short[0].filters * shift[:, None]).sum(1)
    torch.testing.assert_close(found.thresholds, moved, rtol=1e-4, atol=1e-5)


def test_filters_end_within_the_span_of_the_features_although_they_begin_outside(
    drawn: direction_world.World, short: tuple[Restarts, Said]
) -> None:
    truth = torch.cat([drawn.concepts, drawn.distractors], 1)  # features vary along these five of sixteen dimensions
    outside = torch.eye(16).double() - truth @ torch.linalg.pinv(truth)
    assert float((outside @ short[0].filters).norm()) < 1e-6 * float(short[0].filters.norm())
    assert float((outside @ short[0].signals).norm()) < 1e-6 * float(short[0].signals.norm())
    assert feature_space(drawn.features).constant.shape == (16, 11)


def test_the_unit_is_the_deviation_per_effective_dimension() -> None:
    signs = torch.tensor([[1, 1], [1, -1], [-1, 1], [-1, -1]]).double()
    space = feature_space((torch.tensor([3.0, 1.0]) * signs + 5)[:, None])
    assert space.unit * REFERENCE == pytest.approx(((81 + 1) / (9 + 1)) ** 0.5)
    assert space.centre.tolist() == [5, 5]
    published = direction_world.world(0).features
    assert feature_space(published).unit == pytest.approx(1, abs=0.02)


def test_each_subset_is_searched_as_if_it_were_alone(drawn: direction_world.World, head: LinearHead) -> None:
    """The second half has features without any structure; the first one must not see them."""
    features = drawn.features.clone()
    features[150:] = features[150:].mean((0, 1))
    parts = [torch.arange(150), torch.arange(150, 300)]
    pooled = features.mean(1)
    first, second = find_in_subsets(features, head, 3, parts, pooled=pooled, settings=SHORT, seed=1)
    features[150:] += torch.randn(150, 1, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert torch.isfinite(first.filters).all()
    logits = features[:150].flatten(0, 1) @ first.filters[0, :, 0] - first.thresholds[0, 0]
    positive = logits > 0
    joint = torch.cov(torch.cat([features[:150].flatten(0, 1)[positive], logits[positive, None]], 1).T)
    torch.testing.assert_close(first.signals[0, :, 0], joint[:-1, -1] / joint[-1, -1], rtol=1e-6, atol=1e-8)
    assert not second.signals.any()  # a feature that never varies has no signal


def test_the_feature_that_the_head_reads_is_taken_where_it_is_given(
    drawn: direction_world.World, head: LinearHead
) -> None:
    mean = drawn.features.mean(1)
    alike, other = (
        find_directions(drawn.features, head, 3, pooled=pooled, settings=SHORT, seed=31).losses["certainty"]
        for pooled in (mean, mean.flip(0))
    )
    assert torch.equal(alike, find_directions(drawn.features, head, 3, settings=SHORT, seed=31).losses["certainty"])
    assert not torch.equal(alike, other)


def test_single_precision_begins_as_double_does(drawn: direction_world.World, head: LinearHead) -> None:
    few = replace(SHORT, first_steps=3, joint_steps=3)
    double = find_directions(drawn.features, head, 3, settings=few, seed=1)
    single = find_directions(drawn.features.float(), head, 3, settings=replace(few, precision="single"), seed=1)
    torch.testing.assert_close(single.filters, double.filters, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close((single.filters * single.signals).sum(1), torch.ones(2, 3).double(), rtol=0, atol=1e-12)


def test_an_interruption_ends_the_search_which_then_goes_on_with_the_same_bits(
    drawn: direction_world.World, head: LinearHead, short: tuple[Restarts, Said]
) -> None:
    book, steps = Notebook(), itertools.count()

    def stop() -> None:
        if next(steps) == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        find_directions(drawn.features, head, 3, settings=SHORT, seed=31, stop=stop, checkpoint=book)
    assert [(state["phase"], state["step"]) for state in book.states] == [(0, 7)]
    again = find_directions(drawn.features, head, 3, settings=SHORT, checkpoint=Notebook(begin=book.states[0]))
    assert torch.equal(again.signals, short[0].signals)


def test_features_of_no_use_are_an_error_in_one_line(drawn: direction_world.World, head: LinearHead) -> None:
    few = drawn.features[:4]
    with pytest.raises(DirectionsError, match="vary along 5 only"):
        find_directions(drawn.features, head, 6, settings=SHORT)
    with pytest.raises(DirectionsError, match="17 directions are asked for"):
        find_directions(drawn.features, head, 17, settings=SHORT)
    with pytest.raises(DirectionsError, match="not finite"):
        find_directions(torch.full_like(few, torch.nan), head, 2, settings=SHORT)
    with pytest.raises(DirectionsError, match="equal"):
        find_directions(torch.full_like(few, 0.1), head, 2, settings=SHORT)
    with pytest.raises(DirectionsError, match="two images"):
        find_directions(drawn.features[:1], head, 1, settings=SHORT)


def test_planted_concepts_are_found_without_labels() -> None:
    """An easy world, in which all of 40 seeds end well with these settings: orthogonal directions, weak distractors."""
    draw = torch.Generator().manual_seed(5)
    axes = torch.linalg.qr(torch.randn(6, 6, generator=draw, dtype=torch.float64))[0]
    of = axes[:, :3], axes[:, 3:5]
    drawn, held_out = (direction_world.world(seed, images=200, of=of, distraction=2.0) for seed in (21, 1021))
    settings = Settings(
        restarts=4, first_steps=300, joint_steps=350, first_batch=64, joint_batch=128, first_rate=3e-2, joint_rate=1e-2
    )
    head = direction_world.trained_head(drawn, epochs=100)
    restarts = find_directions(drawn.features, head, 3, settings=settings, seed=21)
    found = restarts.pairs(restarts.best)
    fires = found.logits(held_out.features.flatten(0, 1)) > 0
    present = held_out.present.flatten(0, 1)
    iou = (fires[:, :, None] & present[:, None]).sum(0) / (fires[:, :, None] | present[:, None]).sum(0)
    own, order = iou.max(0)
    assert sorted(order.tolist()) == [0, 1, 2]
    assert float(own.min()) > 0.9
    assert float(torch.cosine_similarity(found.signals[:, order], drawn.concepts, dim=0).min()) > 0.9


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
