"""Which precision and batch size is chosen, by networks whose speed and rounding are planted."""

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor

from sing_compute.extraction import trial
from sing_compute.extraction.networks import CLIP, Network, Networks
from sing_compute.extraction.precision_effect import effect_on_scores
from sing_compute.extraction.settings import Settings
from sing_compute.images.decoding import Batch
from sing_compute.linalg.null_space import HeadSplit, split_head
from sing_compute.process.progress import Progress

CPU = torch.device("cpu")
DIM, EMBEDDING, CLASSES, IMAGES = 12, 8, 4, 96


class Clock:
    """Time that only networks let pass."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Planted:
    """A network that takes so many seconds an image in each precision, and is so far off in it."""

    name: str
    clock: Clock
    weight: Tensor
    seconds: dict[str, float]
    error: dict[str, float] = field(default_factory=dict)
    waste: Callable[[int], float] = lambda size: 1.0
    """How much longer an image takes in a batch of this size."""
    room: int = 10**6
    seen: dict[str, int] = field(default_factory=dict)

    def forward(self, batch: Tensor, precision: str) -> dict[str, Tensor]:
        if len(batch) > self.room:
            raise torch.cuda.OutOfMemoryError
        self.seen[precision] = self.seen.get(precision, 0) + len(batch)
        self.clock.now += self.seconds[precision] * len(batch) * self.waste(len(batch))
        flat = batch.flatten(1)
        values = flat @ self.weight
        noise = torch.sin(1e4 * values)  # as good as random, and the same for the same image
        values = values * (1 + self.error.get(precision, 0.0) * noise)
        if self.name == CLIP:
            return {CLIP: values / values.norm(dim=1, keepdim=True)}
        prediction = (values[:, :CLASSES] + 10 * self.error.get(precision, 0.0) * noise[:, :CLASSES]).argmax(1).int()
        return {f"{self.name}/features": values, f"{self.name}/prediction": prediction}

    @property
    def network(self) -> Network:
        return Network(self.name, lambda image: image, self.forward)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    return clock


@pytest.fixture
def images() -> Tensor:
    return torch.randn(IMAGES, 3, 4, 4, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def weights() -> tuple[Tensor, Tensor, HeadSplit, Tensor]:
    generator = torch.Generator().manual_seed(1)
    model, clip = torch.randn(48, DIM, generator=generator), torch.randn(48, EMBEDDING, generator=generator)
    split = split_head(torch.randn(CLASSES, DIM, generator=generator), stored_dtype=torch.float32)
    texts = torch.randn(IMAGES, EMBEDDING, generator=generator)
    return model, clip, split, texts / texts.norm(dim=1, keepdim=True)


def chosen(
    planted: list[Planted], images: Tensor, weights: tuple[Tensor, Tensor, HeadSplit, Tensor], **options: object
) -> Settings:
    networks = Networks([], None, CPU, lambda text: None)
    networks.streams = 1  # the planted clock goes on by one of them at a time
    networks.all = [each.network for each in planted]
    starts = range(0, IMAGES, 32)
    batches = [Batch(list(range(s, s + 32)), [images[s : s + 32]] * len(planted), []) for s in starts]
    defaults: dict[str, object] = {"precision": "auto", "batch_size": None, "searching": True, "progress": Progress()}
    return trial.choose(networks, batches, lambda name: weights[2], weights[3], None, **defaults | options)  # type: ignore[arg-type]


def pair(
    clock: Clock,
    weights: tuple[Tensor, Tensor, HeadSplit, Tensor],
    model: tuple[float, float],
    clip: tuple[float, float],
) -> list[Planted]:
    """A model and a CLIP network: how long an image takes in bfloat16 (1 in float32), and how far off it is."""
    return [
        Planted("model", clock, weights[0], {"float32": 1.0, "bfloat16": model[0]}, {"bfloat16": model[1]}),
        Planted(CLIP, clock, weights[1], {"float32": 1.0, "bfloat16": clip[0]}, {"bfloat16": clip[1]}),
    ]


@pytest.mark.parametrize(
    ("model", "clip", "expected"),
    [
        ((0.5, 1e-6), (0.5, 1e-6), ("bfloat16", "bfloat16")),
        ((0.5, 1e-2), (0.5, 1e-6), ("float32", "bfloat16")),  # a fast one that moves scores is not taken
        ((0.5, 1e-6), (0.5, 1e-2), ("bfloat16", "float32")),
        ((0.98, 1e-6), (1.5, 1e-6), ("float32", "float32")),  # nor one that wins nothing
    ],
)
def test_the_fastest_with_a_small_effect_is_taken(
    clock: Clock,
    images: Tensor,
    weights: tuple[Tensor, Tensor, HeadSplit, Tensor],
    model: tuple[float, float],
    clip: tuple[float, float],
    expected: tuple[str, str],
) -> None:
    planted = pair(clock, weights, model, clip)
    found = chosen(planted, images, weights)
    assert (found.precision["model"], found.clip_precision) == expected
    if expected == ("float32", "float32"):
        assert not found.effects
        return
    effect = found.effects["model"]
    assert effect.small
    assert effect.images == IMAGES
    kept = [
        tuple(p.forward(images, precision)[name] for p, precision, name in zip(planted, each, names, strict=True))
        for names in [("model/features", CLIP)]
        for each in [("float32", "float32"), expected]
    ]
    again = effect_on_scores(kept[0], kept[1], weights[2], weights[3])
    assert (effect.attribute_score, effect.image_score) == pytest.approx(again, rel=1e-6)


def test_what_is_no_faster_is_given_up_after_the_first_batch(
    clock: Clock, images: Tensor, weights: tuple[Tensor, Tensor, HeadSplit, Tensor]
) -> None:
    planted = pair(clock, weights, (2.0, 0.0), (0.5, 0.0))
    chosen(planted, images, weights, batch_size=16)
    assert planted[0].seen == {"float32": 16 + IMAGES, "bfloat16": 16 + 32}
    assert planted[1].seen == {"float32": 16 + IMAGES, "bfloat16": 16 + IMAGES}


def test_what_is_asked_for_is_taken_and_its_effect_told(
    clock: Clock,
    images: Tensor,
    weights: tuple[Tensor, Tensor, HeadSplit, Tensor],
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = chosen(pair(clock, weights, (3.0, 0.1), (3.0, 0.1)), images, weights, precision="bfloat16", searching=False)
    assert (found.precision["model"], found.clip_precision) == ("bfloat16", "bfloat16")
    assert found.effects["model"].attribute_score > 0.05
    assert found.effects["model"].flips > 0
    told = found.facts("model")
    assert told["precision_flips"] == found.effects["model"].flips
    assert "bfloat16" in found.lines()[0]
    assert f"tried on few images: {IMAGES} in" in capsys.readouterr().err


def test_small_runs_are_float32_and_try_nothing(
    clock: Clock,
    images: Tensor,
    weights: tuple[Tensor, Tensor, HeadSplit, Tensor],
    capsys: pytest.CaptureFixture[str],
) -> None:
    planted = pair(clock, weights, (0.1, 0.0), (0.1, 0.0))
    found = chosen(planted, images, weights, searching=False)
    assert found == Settings(16, {"model": "float32"})
    assert not planted[0].seen
    assert not found.lines()
    assert not capsys.readouterr().err


@pytest.mark.parametrize(
    ("waste", "room", "expected"),
    [
        (lambda size: 1 + 16 / size, 10**6, 32),
        (lambda size: 1.0, 10**6, 8),  # among equals the smallest: it needs least memory
        (lambda size: 1 + size / 16, 10**6, 8),
        (lambda size: 1 + 16 / size, 20, 16),  # larger ones do not fit
    ],
)
def test_the_batch_size_is_the_smallest_that_is_about_as_fast_as_any(
    clock: Clock,
    images: Tensor,
    weights: tuple[Tensor, Tensor, HeadSplit, Tensor],
    waste: Callable[[int], float],
    room: int,
    expected: int,
) -> None:
    planted = pair(clock, weights, (2.0, 0.0), (2.0, 0.0))
    for each in planted:
        each.waste, each.room = waste, room
    found = chosen(planted, images, weights, precision="float32")
    assert found.batch_size == expected
    assert found.seconds == pytest.approx(2 * waste(expected))


def test_settings_come_back_from_a_file(
    clock: Clock, images: Tensor, weights: tuple[Tensor, Tensor, HeadSplit, Tensor]
) -> None:
    found = chosen(pair(clock, weights, (0.5, 1e-6), (0.5, 1e-6)), images, weights)
    assert Settings.from_json(json.loads(json.dumps(found.to_json()))) == found
    assert Settings.from_json(json.loads(json.dumps(Settings(8, {"m": "float32"}).to_json()))) == Settings(
        8, {"m": "float32"}
    )
    assert math.isfinite(found.seconds)
