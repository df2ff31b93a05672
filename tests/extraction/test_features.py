"""Extraction itself: how many batches go side by side, and how they are cut, changes nothing of what is kept."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torchvision import transforms

from sing_compute.extraction import features
from sing_compute.extraction.features import attach_heads, extract
from sing_compute.extraction.networks import Networks
from sing_compute.extraction.settings import Settings
from sing_compute.extraction.shard_file import Shard, shard_rows
from sing_compute.extraction.shards import WorkFolder
from sing_compute.images.image_sources import list_images
from sing_compute.images.listing import ImageList
from sing_compute.models.classifier import Classifier
from sing_compute.process.progress import Progress

IMAGES, BATCH, BROKEN = 600, 20, (3, 299, 300, 599)
TENSORS = [f"{model}/{kept}" for model in ("narrow", "wide") for kept in ("features", "prediction", "confidence")]


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def images(tmp_path: Path) -> ImageList:
    rng = np.random.default_rng(0)
    folder = tmp_path / "images" / "all"
    folder.mkdir(parents=True)
    for number in range(IMAGES):
        path = folder / f"{number:03d}.png"
        if number in BROKEN:
            path.write_bytes(b"no image")
        else:
            Image.fromarray(rng.integers(0, 255, (12, 12, 3), dtype=np.uint8)).save(path)
    return list_images(folder.parent)


def classifier(name: str, width: int) -> Classifier:
    torch.manual_seed(width)
    layers = [nn.Conv2d(3, width, 3), nn.BatchNorm2d(width), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    network = nn.Sequential(*layers, nn.Linear(width, 5))
    return Classifier(name, network.eval(), transforms.ToTensor(), {}, concurrent=True)


def extracted(folder: Path, images: ImageList, threads: int, workers: int = 0) -> tuple[list[Shard], Networks]:
    torch.set_num_threads(threads)
    classifiers = [classifier("narrow", 8), classifier("wide", 40)]
    attach_heads(classifiers, images)
    networks = Networks(classifiers, None, torch.device("cpu"), lambda text: None)
    work = WorkFolder(folder / f"{threads}-{workers}.h5", fresh=True)
    settings = Settings(BATCH, dict.fromkeys(("narrow", "wide"), "float32"))
    shards = range(len(shard_rows(IMAGES)))
    extract(work, networks, images, settings, shards, workers=workers, progress=Progress(rank=1))
    return list(work.shards(len(shards), *TENSORS)), networks


@pytest.mark.usefixtures("threads")
def test_batches_side_by_side_give_the_same_shards_to_the_bit(images: ImageList, tmp_path: Path) -> None:
    alone, one = extracted(tmp_path, images, threads=1)
    together, four = extracted(tmp_path, images, threads=4, workers=1)
    assert (one.streams, four.streams) == (1, 4)
    assert [row for shard in alone for row in shard.rows.tolist()] == [r for r in range(IMAGES) if r not in BROKEN]
    assert [row for shard in alone for row, _ in shard.failed] == list(BROKEN)
    for left, right in zip(alone, together, strict=True):
        assert (left.rows.tolist(), left.failed) == (right.rows.tolist(), right.failed)
        assert left.tensors.keys() == right.tensors.keys() == set(TENSORS)
        for name, values in left.tensors.items():
            assert torch.equal(values, right.tensors[name]), name


@pytest.mark.usefixtures("threads")
def test_features_are_those_of_each_image_alone(images: ImageList, tmp_path: Path) -> None:
    shards, _ = extracted(tmp_path, images, threads=3)
    network = classifier("wide", 40).network.double()
    for shard in shards:
        for place in (0, len(shard.rows) // 2, len(shard.rows) - 1):
            picture = transforms.ToTensor()(Image.open(images.root / images.keys[int(shard.rows[place])])).double()
            with torch.inference_mode():
                expected = network[:-1](picture[None])[0]
                logits = network(picture[None])[0]
            assert torch.allclose(shard.tensors["wide/features"][place].double(), expected, atol=1e-5)
            assert int(shard.tensors["wide/prediction"][place]) == int(logits.argmax())
            assert float(shard.tensors["wide/confidence"][place]) == pytest.approx(
                float(logits.softmax(0).max()), abs=1e-5
            )


@pytest.mark.usefixtures("threads")
def test_a_batch_that_stops_fitting_on_the_way_costs_no_image(
    images: ImageList, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone, _ = extracted(tmp_path, images, threads=1)
    whole, seen = Classifier.__call__, [0]

    def tight(self: Classifier, batch: torch.Tensor, precision: str) -> object:
        seen[0] += len(batch)
        if seen[0] > IMAGES and len(batch) > 7:  # half-way, as another program takes the memory
            raise MemoryError
        return whole(self, batch, precision)

    monkeypatch.setattr(Classifier, "__call__", tight)
    halved, networks = extracted(tmp_path, images, threads=2)
    assert networks.batch_size == 5
    for left, right in zip(alone, halved, strict=True):
        assert torch.equal(left.rows, right.rows)
        assert torch.allclose(left.tensors["wide/features"], right.tensors["wide/features"], atol=1e-6)


@pytest.mark.usefixtures("threads")
def test_decoding_is_never_far_ahead_of_computing(
    images: ImageList, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow network and a fast disk must not fill the memory."""
    made, used, most = [0], [0], [0]
    decoding, whole = features.decode_for, Classifier.__call__

    def counted(*arguments: object) -> Iterator[object]:
        for batch in decoding(*arguments):  # type: ignore[arg-type]
            made[0] += len(batch.rows)
            most[0] = max(most[0], made[0] - used[0] // 2)  # each image goes through two networks
            yield batch

    def counting(self: Classifier, batch: torch.Tensor, precision: str) -> object:
        used[0] += len(batch)
        return whole(self, batch, precision)

    monkeypatch.setattr(features, "decode_for", counted)
    monkeypatch.setattr(Classifier, "__call__", counting)
    extracted(tmp_path, images, threads=1)
    assert most[0] <= features.DECODED + 4 * BATCH
