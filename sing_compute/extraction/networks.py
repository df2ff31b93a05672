"""All networks of a run on one device: a batch of images through each of them, in pieces that fit into its memory."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import Any

import torch
from torch import Tensor

from sing_compute.concepts.open_clip_space import OpenClipSpace
from sing_compute.errors import SingError
from sing_compute.extraction.streams import MOST_STREAMS, Streams
from sing_compute.models.classifier import Classifier

CLIP = "clip"
"""CLIP's image tower, in shards and messages."""
BATCH_SIZE = {"cpu": 16}
"""Images that go through a network at once where none was looked for: 16 stay in a core's cache."""
OTHER_BATCH_SIZE = 64
_REFUSALS = ("can't allocate memory", "out of memory", "not enough memory")
"""How torch says that an allocation failed, where it has no type of its own for it."""


def default_batch_size(device: torch.device) -> int:
    """Images that go through a network at once where nothing else is known."""
    return BATCH_SIZE.get(device.type, OTHER_BATCH_SIZE)


@dataclass(frozen=True, slots=True)
class Network:
    """A classifier or CLIP's image tower: transformed images to what is kept of them, by shard name."""

    name: str
    transform: Callable[[Any], Tensor]
    forward: Callable[[Tensor, str], dict[str, Tensor]]
    """Of a batch on the network's device, in a precision."""

    @classmethod
    def of(cls, classifier: Classifier) -> "Network":
        """Return a network that gives features, predictions and their confidence, and maps where these are tapped."""

        def forward(batch: Tensor, precision: str) -> dict[str, Tensor]:
            features, logits = classifier(batch, precision)
            confidence, prediction = logits.softmax(1).max(1)
            kept = {"features": features, "prediction": prediction.int(), "confidence": confidence}
            if classifier.map_tap is not None:
                kept["maps"] = classifier.map_tap.take()
            return {f"{classifier.name}/{name}": values for name, values in kept.items()}

        return cls(classifier.name, classifier.transform, forward)

    @classmethod
    def of_clip(cls, clip: OpenClipSpace) -> "Network":
        """Return a network that gives unit embeddings."""
        return cls(CLIP, clip.transform, lambda batch, precision: {CLIP: clip.images(batch, precision)})


class Networks:
    """All networks on their device. A batch size that does not fit into memory is halved, and that is said."""

    def __init__(
        self,
        classifiers: Sequence[Classifier],
        clip: OpenClipSpace | None,
        device: torch.device,
        say: Callable[[str], None],
    ) -> None:
        for classifier in classifiers:
            classifier.network.to(device).to(memory_format=torch.channels_last)
        self.device, self._say, self._saying = device, say, Lock()
        self.batch_size = default_batch_size(device)
        self.streams = 1
        """Batches that go through at a time."""
        if device.type == "cpu" and all(classifier.concurrent for classifier in classifiers):
            self.streams = min(MOST_STREAMS, torch.get_num_threads())
        self._modules = [classifier.network for classifier in classifiers]
        self.all = [Network.of(classifier) for classifier in classifiers]
        if clip:
            self.all.append(Network.of_clip(clip.to(device)))

    def wait(self) -> None:
        """Until the device is done."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def release(self) -> None:
        """Give the device's memory back; the classifiers' heads stay where they can be read."""
        for module in self._modules:
            module.cpu()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def put(self, tensor: Tensor) -> Tensor:
        """A batch on the device, channels last."""
        return tensor.to(self.device, non_blocking=True).contiguous(memory_format=torch.channels_last)

    @torch.inference_mode()
    def run(self, network: Network, batch: Tensor, precision: str) -> dict[str, Tensor]:
        """One network on a batch that is on the device, at most `batch_size` images at once, or as many as fit.

        Raises:
            SingError: Not even one image fits into memory.
        """
        pieces: list[dict[str, Tensor]] = []
        start = 0
        while start < len(batch):
            piece = batch[start : start + self.batch_size]
            found = self._fitting(network, piece, precision)
            if found is not None:
                pieces.append(found)
                start += len(piece)
                continue
            if self.device.type == "cuda":
                torch.cuda.empty_cache()
            if len(piece) == 1:
                raise SingError(
                    f"{network.name}: {self.device} has no memory left for even one image at a time; finished work is kept, "
                    "the same command goes on once there is more. Else take a smaller model or --device cpu"
                )
            self._halve(len(piece) // 2, network.name)
        return {key: torch.cat([piece[key] for piece in pieces]) for key in pieces[0]}

    def timed(
        self, streams: Streams, network: Network, batch: Tensor, precision: str
    ) -> tuple[list[dict[str, Tensor]], float]:
        """One network on a batch that is on the device, in pieces side by side; and the seconds per image that it took."""
        self.wait()
        start = time.perf_counter()
        pieces = torch.split(batch, self.batch_size)
        found = list(streams.map(partial(self.run, network, piece, precision) for piece in pieces))
        self.wait()
        return found, (time.perf_counter() - start) / len(batch)

    def _halve(self, size: int, name: str) -> None:
        with self._saying:  # several batches may find out at once
            if size < self.batch_size:
                self.batch_size = size
                self._say(f"{name}: {self.device} is out of memory; going on with {size} images at a time")

    @staticmethod
    def _fitting(network: Network, piece: Tensor, precision: str) -> dict[str, Tensor] | None:
        """What is kept of the images; None if they do not fit into memory."""
        try:
            return network.forward(piece, precision)
        except (torch.cuda.OutOfMemoryError, MemoryError):
            return None
        except RuntimeError as error:
            if any(refusal in str(error).lower() for refusal in _REFUSALS):
                return None
            raise
