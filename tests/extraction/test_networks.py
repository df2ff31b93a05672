import threading

import pytest
import torch
from torch import Tensor

from sing_compute.errors import SingError
from sing_compute.extraction.networks import Network, Networks
from sing_compute.extraction.streams import Streams
from sing_compute.models.classifier import Classifier

CPU = torch.device("cpu")


class Small:
    """A network whose device holds few images at a time, and the sizes of the pieces that went through it."""

    def __init__(self, room: int, error: Exception | None = None) -> None:
        self.room, self.error = room, error or torch.cuda.OutOfMemoryError("CUDA out of memory")
        self.pieces: list[int] = []

    def forward(self, batch: Tensor, precision: str) -> dict[str, Tensor]:
        if len(batch) > self.room:
            raise self.error
        self.pieces.append(len(batch))
        return {"small/features": batch.flatten(1) * 2, "small/confidence": batch.flatten(1)[:, 0]}

    @property
    def network(self) -> Network:
        return Network("small", lambda image: image, self.forward)


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def networks(said: list[str]) -> Networks:
    return Networks([], None, CPU, said.append)


def test_a_batch_goes_through_in_pieces(networks: Networks) -> None:
    small = Small(100)
    batch = torch.randn(10, 3, 2, 2)
    networks.batch_size = 4
    found = networks.run(small.network, batch, "float32")
    assert small.pieces == [4, 4, 2]
    assert networks.batch_size == 4
    assert torch.equal(found["small/features"], batch.flatten(1) * 2)
    assert torch.equal(found["small/confidence"], batch[:, 0, 0, 0])


@pytest.mark.parametrize(
    "error",
    [
        torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 MiB"),
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory: you tried ..."),
    ],
)
def test_out_of_memory_halves_the_batch_and_loses_no_image(
    networks: Networks, said: list[str], error: Exception
) -> None:
    small = Small(3, error)
    batch = torch.randn(13, 3, 2, 2)
    networks.batch_size = 8
    found = networks.run(small.network, batch, "float32")
    assert networks.batch_size == 2
    assert small.pieces == [2, 2, 2, 2, 2, 2, 1]
    assert torch.equal(found["small/features"], batch.flatten(1) * 2)
    assert said == [
        "small: cpu is out of memory; going on with 4 images at a time",
        "small: cpu is out of memory; going on with 2 images at a time",
    ]


def test_an_image_that_does_not_fit_alone_ends_the_run(networks: Networks) -> None:
    with pytest.raises(SingError, match="no memory left for even one image at a time; finished work is kept"):
        networks.run(Small(0).network, torch.randn(4, 3, 2, 2), "float32")


def test_any_other_error_is_not_taken_for_want_of_memory(networks: Networks) -> None:
    with pytest.raises(RuntimeError, match="sizes of tensors"):
        networks.run(Small(0, RuntimeError("sizes of tensors must match")).network, torch.randn(4, 3, 2, 2), "float32")


def test_batches_lie_channels_last_on_the_device(networks: Networks) -> None:
    placed = networks.put(torch.randn(2, 3, 4, 5))
    assert placed.is_contiguous(memory_format=torch.channels_last)
    assert placed.device == CPU


def test_streams_that_run_out_of_memory_together_halve_the_batch_once(networks: Networks, said: list[str]) -> None:
    small = Small(4)
    waiting, failing = threading.Barrier(2, timeout=20), small.forward

    def forward(batch: Tensor, precision: str) -> dict[str, Tensor]:
        if len(batch) == 8:
            waiting.wait()  # both have begun with eight
        return failing(batch, precision)

    networks.batch_size = 8
    network = Network("small", lambda image: image, forward)
    batch = torch.randn(16, 3, 2, 2)
    with Streams(2) as streams:
        found, _ = networks.run_timed(streams, network, batch, "float32")
    assert torch.equal(torch.cat([piece["small/features"] for piece in found]), batch.flatten(1) * 2)
    assert said == ["small: cpu is out of memory; going on with 4 images at a time"]


@pytest.mark.parametrize(("device", "concurrent", "streams"), [("cpu", True, 3), ("cpu", False, 1), ("meta", True, 1)])
def test_batches_go_side_by_side_on_a_cpu_where_every_network_allows_it(
    monkeypatch: pytest.MonkeyPatch, device: str, concurrent: bool, streams: int
) -> None:
    """`meta` stands for any other device: it has no memory and computes nothing."""
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    classifiers = [
        Classifier(name, torch.nn.Linear(2, 2), lambda image: image, {}, concurrent=each)
        for name, each in (("first", True), ("second", concurrent))
    ]
    assert Networks(classifiers, None, torch.device(device), print).streams == streams
