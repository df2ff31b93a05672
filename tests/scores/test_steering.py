"""Against the formulas of the paper in float64, one image at a time through explicit features, projectors and autograd."""

import math
from itertools import pairwise

import numpy as np
import pytest
import scipy.linalg
import torch
from torch import Tensor

from sing_compute.errors import SingError
from sing_compute.linalg.null_space import HeadSplit, split_head
from sing_compute.scores import steering
from sing_compute.scores.steering import Steering, summarise

CLASSES, DIM, CLIP, IMAGES, TARGETS = 7, 40, 24, 50, 12


class World:
    """A head, a translator, features with an offset and texts; every figure again from the definitions, in numpy."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self.head = rng.normal(size=(CLASSES, DIM))
        self.weight, self.bias = rng.normal(size=(CLIP, DIM)) / 8, rng.normal(size=CLIP)
        self.features = rng.normal(size=(IMAGES, DIM)) + rng.normal(size=DIM)
        self.texts = rng.normal(size=(TARGETS, CLIP))
        self.texts /= np.linalg.norm(self.texts, axis=1, keepdims=True)
        basis = scipy.linalg.null_space(self.head)
        self.projector = basis @ basis.T

    @property
    def split(self) -> HeadSplit:
        return split_head(torch.from_numpy(self.head), stored_dtype=torch.float64)

    @property
    def steering(self) -> Steering:
        return Steering.of(self.split.null_part(torch.from_numpy(self.weight)))

    @property
    def before(self) -> Tensor:
        return torch.from_numpy(self.features @ self.weight.T + self.bias)

    def text(self, target: int) -> Tensor:
        return torch.from_numpy(self.texts[target])

    def direction(self, image: int, target: int) -> np.ndarray:
        """Equations 10 to 12: gradient of the cosine through the translator, projected, normalised."""
        u, z = self.weight @ self.features[image] + self.bias, self.texts[target]
        length = np.linalg.norm(u)
        gradient = self.projector @ self.weight.T @ (z - (z @ u) * u / length**2) / length
        return gradient / np.linalg.norm(gradient)

    def after(self, image: int, target: int, step: float) -> np.ndarray:
        """Equation 13, moved into CLIP space."""
        return self.weight @ (self.features[image] + step * self.direction(image, target)) + self.bias


def angle(x: np.ndarray, y: np.ndarray) -> float:
    """Equation 5: the angle between two vectors, in degrees."""
    return math.degrees(math.acos(float(x @ y) / math.sqrt(float(x @ x) * float(y @ y))))


@pytest.fixture(scope="module")
def world() -> World:
    return World()


def test_direction_is_the_gradient_of_autograd_within_the_null_space(world: World) -> None:
    steered = world.steering.steer(world.before, world.text(0), angle=20.0)
    directions = world.steering.feature_change(steered) / steered.step[:, None]
    features = torch.from_numpy(world.features).requires_grad_()
    translated = features @ torch.from_numpy(world.weight).T + torch.from_numpy(world.bias)
    torch.nn.functional.cosine_similarity(translated, world.text(0)[None]).sum().backward()
    assert features.grad is not None
    wanted = features.grad.numpy() @ world.projector
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    assert steered.unreachable == 0
    assert np.abs(directions.numpy() - wanted).max() < 1e-12


def test_scores_step_and_vector_agree_with_the_formulas(world: World) -> None:
    steered = world.steering.steer(world.before, world.text(3))
    for image, before in enumerate(world.before.numpy()):
        after = world.after(image, 3, float(steered.step[image]))
        assert steered.after[image].numpy() == pytest.approx(after, abs=1e-10)
        assert angle(before, after) == pytest.approx(40.0, abs=1e-9)
        moved = angle(before, world.texts[3]) - angle(after, world.texts[3])
        assert float(steered.attribute_score[image]) == pytest.approx(moved, abs=1e-9)


@pytest.mark.parametrize("asked", [1e-3, 1.0, 10.0, 40.0, 60.0])
def test_the_asked_angle_is_reached_exactly(world: World, asked: float) -> None:
    steered = world.steering.steer(world.before, world.text(1), angle=asked)
    assert steered.unreachable < IMAGES
    reached = steered.image_score[steered.image_score.isfinite()]
    assert float((reached - asked).abs().max()) < 1e-9


def test_the_step_is_the_shortest_that_reaches_the_angle(world: World) -> None:
    steered = world.steering.steer(world.before, world.text(2), angle=30.0)
    for image in range(0, IMAGES, 10):
        before, step = world.before[image].numpy(), float(steered.step[image])
        assert step > 0
        shorter = [angle(before, world.after(image, 2, step * share)) for share in np.linspace(0.01, 0.999, 50)]
        assert max(shorter) < 30.0


def test_no_logit_moves(world: World) -> None:
    steered = world.steering.steer(world.before, world.text(4))
    change = world.steering.feature_change(steered)
    drift = change @ torch.from_numpy(world.head).T
    assert float(drift.abs().max()) < 1e-12 * float(change.norm(dim=1).max())
    assert float(change.norm(dim=1).sub(steered.step).abs().max()) < 1e-10 * float(steered.step.max())


def test_an_angle_beyond_the_directions_own_is_not_reached_and_counted() -> None:
    # B has one direction, 60 degrees from u: no step of any length turns u by 60 degrees or more
    w = torch.tensor([0.5, math.sqrt(3) / 2, 0.0], dtype=torch.float64)
    tilted = Steering.of(torch.outer(w, torch.tensor([0.0, 0.0, 2.0])))
    before = torch.tensor([[3.0, 0.0, 0.0]], dtype=torch.float64).expand(4, 3).contiguous()
    text = torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64)
    for asked, unreachable in ((59.99, 0), (60.01, 4), (90.0, 4), (120.0, 4)):
        steered = tilted.steer(before, text, angle=asked)
        assert steered.unreachable == unreachable
        assert bool(steered.after.isnan().all()) == bool(steered.step.isnan().all()) == (unreachable > 0)
        assert int(tilted.steer_all(before, text[None], angle=asked).reachable.sum()) == 4 - unreachable
    # against its own direction the step first shortens u, then turns it: up to 120 degrees
    assert tilted.steer(before, -text, angle=119.99).unreachable == 0
    assert tilted.steer(before, -text, angle=120.01).unreachable == 4


@pytest.mark.parametrize(
    "part",
    ["no null space", "text along u", "text nearly along u", "text out of reach", "zero", "nan", "inf", "text nan"],
)
def test_what_has_no_answer_is_nan_in_that_row_alone(world: World, part: str) -> None:
    before, text, model = world.before.clone(), world.text(0).clone(), world.steering
    spoilt = torch.zeros(IMAGES, dtype=torch.bool)
    spoilt[5] = True
    if part == "no null space":
        model, spoilt[:] = Steering.of(torch.zeros(CLIP, DIM)), True
    elif part == "text along u":
        text = before[5] / before[5].norm()
    elif part == "text nearly along u":
        text = before[5] * (1 + 1e-12 * text)
    elif part == "text out of reach":  # the gradient has no part in the row of B's left null space
        model = Steering.of(model.null_weight - torch.outer(text, text @ model.null_weight))
        before, spoilt[:] = before - torch.outer(before @ text, text), True
    elif part == "text nan":
        text[0], spoilt[:] = torch.nan, True
    else:
        before[5] = 0.0 if part == "zero" else float(part)
    steered = model.steer(before, text, angle=5.0)
    assert steered.attribute_score.isnan().tolist() == spoilt.tolist()
    assert steered.unreachable == int(spoilt.sum())
    for values in (steered.image_score, steered.step, steered.after[:, 0], model.feature_change(steered)[:, 0]):
        assert values.isnan().tolist() == spoilt.tolist()
    assert model.steer_all(before, text[None], angle=5.0).reachable.squeeze(1).tolist() == (~spoilt).tolist()


def test_a_step_that_would_end_at_zero_gives_no_number() -> None:
    # B moves almost straight against u: u + eps w is rounding when the angle is reached
    w = torch.tensor([-1.0, 1e-7, 0.0], dtype=torch.float64)
    opposite = Steering.of(torch.outer(w, torch.tensor([1.0, 0.0, 0.0])))
    before, text = torch.tensor([[1.0, 0.0, 0.0]]).double(), torch.tensor([0.0, 1.0, 0.0]).double()
    assert opposite.steer(before, text).unreachable == 1
    assert not bool(opposite.steer_all(before, text[None]).reachable.any())


@pytest.mark.parametrize("asked", [3.0, 40.0, 75.0, 130.0])
@pytest.mark.parametrize("chunk", [2**12, 2**25])
def test_all_targets_at_once_are_the_loop_over_them(
    world: World, asked: float, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steering, "CHUNK_BYTES", chunk)
    texts = torch.from_numpy(world.texts).clone()
    near = world.before[:4] / world.before[:4].norm(dim=1, keepdim=True)
    texts = torch.cat([texts, near, -near, near[:2] + 1e-3 * texts[:2], near[:2] - 1e-5 * texts[2:4]])
    found = world.steering.steer_all(world.before, texts, angle=asked)
    for target, text in enumerate(texts):
        wanted = world.steering.steer(world.before, text, angle=asked)
        assert found.reachable[:, target].tolist() == wanted.attribute_score.isfinite().tolist()
        for name in ("attribute_score", "image_score"):
            values, others = getattr(found, name)[:, target], getattr(wanted, name)
            np.testing.assert_allclose(values, others, rtol=0, atol=1e-8)
        np.testing.assert_allclose(found.step[:, target], wanted.step, rtol=1e-8)


def test_the_shift_grows_with_the_angle_and_starts_at_nothing(world: World) -> None:
    scores = [
        world.steering.steer_all(world.before, torch.from_numpy(world.texts), angle=a) for a in (0.01, 1.0, 2.0, 4.0)
    ]
    assert bool(all(s.reachable.all() for s in scores))
    for smaller, larger in pairwise(scores):
        assert bool((larger.attribute_score > smaller.attribute_score).all())
    assert float(scores[0].attribute_score.min()) > 0
    assert float(scores[0].attribute_score.max()) < 0.01  # the triangle inequality: AS is at most IS


@pytest.mark.parametrize("asked", [10.0, 39.0, 40.0, 40.5, 70.0])
def test_where_every_direction_is_null_the_step_turns_straight_to_the_text(asked: float) -> None:
    free, turn, rng = Steering.of(torch.eye(5)), math.radians(40.0), np.random.default_rng(6)
    u, v = np.linalg.qr(rng.normal(size=(60, 5, 2)))[0].transpose(2, 0, 1)
    before, texts = torch.from_numpy(3.0 * u), torch.from_numpy(math.cos(turn) * u + math.sin(turn) * v)
    found = free.steer_all(before, texts, angle=asked).attribute_score.diagonal()
    np.testing.assert_allclose(found, 40.0 - abs(40.0 - asked), atol=1e-11)
    for row in range(60):
        again = free.steer(before[row : row + 1], texts[row], angle=asked).attribute_score
        assert float(again) == pytest.approx(float(found[row]), abs=1e-11)


def test_units_of_features_and_length_of_texts_do_not_matter(world: World) -> None:
    wanted = world.steering.steer(world.before, world.text(0))
    scaled = Steering.of(world.steering.null_weight / 1e6).steer(world.before, 7 * world.text(0))
    np.testing.assert_allclose(scaled.attribute_score, wanted.attribute_score, rtol=0, atol=1e-10)
    np.testing.assert_allclose(scaled.step, wanted.step * 1e6, rtol=1e-10)


def test_summary_is_numpys_without_the_unreachable() -> None:
    values = np.random.default_rng(1).normal(size=30)
    found = summarise(torch.from_numpy(np.concatenate([values, [np.nan] * 3])))
    assert (found.count, found.unreachable) == (30, 3)
    assert (found.mean, found.std) == pytest.approx((values.mean(), values.std(ddof=1)))
    alone, none = summarise(torch.tensor([2.0, torch.nan])), summarise(torch.tensor([torch.nan]))
    assert (alone.mean, alone.count) == (2.0, 1)
    assert (none.count, none.unreachable) == (0, 1)
    assert math.isnan(alone.std)
    assert math.isnan(none.mean)


@pytest.mark.parametrize("asked", [0.0, -1.0, 180.0, math.nan])
def test_an_angle_that_is_none_is_refused(world: World, asked: float) -> None:
    with pytest.raises(SingError, match="between 0 and 180"):
        world.steering.steer(world.before, world.text(0), angle=asked)
    with pytest.raises(SingError, match="between 0 and 180"):
        world.steering.steer_all(world.before, world.text(0)[None], angle=asked)
