"""A graphics card computes what the processor computes: each test runs on the processor, and on a card if there is one."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from sing_compute.extraction.networks import Network, Networks
from sing_compute.linalg.null_space import split_head
from sing_compute.measuring.fitting import FOLDS, fit_translator
from sing_compute.measuring.reader import PairedBatch
from sing_compute.models.classifier import Classifier
from sing_compute.precision import FLOAT32, faster_precisions
from sing_compute.scores.shifts import ConceptShifts, fold_views

IMAGES, DIM, CLIP, CLASSES, CONCEPTS = 300, 24, 10, 6, 7
NO_CARD = pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no graphics card")


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=NO_CARD)])
def device(request: pytest.FixtureRequest) -> torch.device:
    return torch.device(request.param)


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.body, self.head = nn.Conv2d(3, DIM, 3), nn.Linear(DIM, CLASSES)
        for parameter in self.parameters():
            parameter.data = torch.randn(parameter.shape, generator=generator) / 4

    def forward(self, images: Tensor) -> Tensor:
        return self.head(torch.relu(self.body(images)).mean(dim=(2, 3)))


def images() -> Tensor:
    return torch.randn(40, 3, 16, 16, generator=torch.Generator().manual_seed(1))


def networks_on(device: torch.device, said: list[str]) -> Networks:
    classifier = Classifier("small", Small(), lambda image: image, {})
    classifier.attach(images()[:4])
    return Networks([classifier], None, device, said.append)


def exact_features() -> np.ndarray:
    """The features of the network by products of numpy in float64, window by window."""
    network = Small()
    weight, bias = (part.detach().double().numpy() for part in (network.body.weight, network.body.bias))
    windows = np.lib.stride_tricks.sliding_window_view(images().double().numpy(), (3, 3), axis=(2, 3))
    return np.maximum(np.einsum("ncyxij,kcij->nkyx", windows, weight) + bias[:, None, None], 0).mean(axis=(2, 3))


def test_features_are_those_of_numpy_in_every_precision(device: torch.device) -> None:
    networks, said = networks_on(device, []), []
    exact = exact_features()
    for precision in (FLOAT32, *faster_precisions(device)):
        found = networks.run(networks.all[0], networks.put(images()), precision)["small/features"]
        assert found.device.type == device.type
        assert found.dtype == torch.float32
        wrong = np.abs(found.cpu().numpy() - exact).max() / exact.std()
        assert wrong < (1e-5 if precision == FLOAT32 else 3e-2), precision
    assert said == []


def test_a_batch_that_does_not_fit_is_halved_and_gives_the_same(device: torch.device) -> None:
    said: list[str] = []
    networks = networks_on(device, said)
    (network,) = networks.all
    room = 16

    def scarce(batch: Tensor, precision: str) -> dict[str, Tensor]:
        if len(batch) > room and device.type == "cuda":
            torch.empty(2**50, dtype=torch.uint8, device=device)  # the card's own error
        if len(batch) > room:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return network.forward(batch, precision)

    networks.batch_size = 40
    found = networks.run(Network("small", network.transform, scarce), networks.put(images()), FLOAT32)
    assert networks.batch_size == 10
    assert np.abs(found["small/features"].cpu().numpy() - exact_features()).max() < 1e-5
    assert [line.partition(":")[2].split(";")[1] for line in said] == [
        f" going on with {size} images at a time" for size in (20, 10)
    ]


class World:
    """Features, embeddings that follow from them, a head, classes and concepts, by numpy."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self.features = rng.normal(size=(IMAGES, DIM)).astype(np.float32)
        self.targets = _unit(self.features @ rng.normal(size=(DIM, CLIP)) + 3 + rng.normal(size=(IMAGES, CLIP)))
        self.labels, self.folds = np.sort(rng.integers(CLASSES, size=IMAGES)), rng.integers(FOLDS, size=IMAGES)
        self.head = rng.normal(size=(CLASSES, DIM)).astype(np.float32)
        self.texts, self.concepts = (_unit(rng.normal(size=(count, CLIP))) for count in (CLASSES, CONCEPTS))

    def batches(self, device: torch.device) -> Iterator[PairedBatch]:
        columns = (self.features, self.labels, self.folds, self.targets)
        for start in (0, 100, 200):
            rows = slice(start, start + 100)
            yield PairedBatch(rows, *(torch.from_numpy(column[rows]).to(device) for column in columns))

    def attribute_score(self, penalty: float) -> np.ndarray:
        """AS of each image toward each concept, by the ridge translator of the other folds, in closed form and float64."""
        null = np.linalg.svd(self.head.astype(np.float64))[2][CLASSES:]
        found = np.empty((IMAGES, CONCEPTS))
        for fold in range(FOLDS):
            own = self.folds == fold
            f, z = (part[~own].astype(np.float64) for part in (self.features, self.targets))
            centred = f - f.mean(0)
            weight = np.linalg.solve(centred.T @ centred + penalty * np.eye(DIM), centred.T @ (z - z.mean(0))).T
            bias = z.mean(0) - weight @ f.mean(0)
            whole = self.features[own].astype(np.float64)
            views = [part @ weight.T + bias for part in (whole, whole - whole @ null.T @ null)]
            before, after = (np.degrees(np.arccos(_unit(view) @ self.concepts.T)) for view in views)
            found[own] = before - after
        return found


def _unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_translator_and_scores_are_numpys(device: torch.device) -> None:
    world = World()
    split = split_head(torch.from_numpy(world.head).to(device), stored_dtype=torch.float32)
    texts, concepts = (torch.from_numpy(part).to(device) for part in (world.texts, world.concepts))
    fitted = fit_translator(lambda: world.batches(device), split, texts, IMAGES, ridge=20.0)
    scores = [
        ConceptShifts.of(fold_views(fitted.folds, batch.features, batch.folds), concepts).attribute_score
        for batch in world.batches(device)
    ]
    assert scores[0].device.type == device.type
    found = torch.cat(scores).cpu().numpy()
    assert np.abs(found - world.attribute_score(20.0)).max() < 1e-3
    assert np.abs(found).max() > 5  # degrees: the comparison means something
