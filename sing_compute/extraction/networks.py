"""Run batches of images through all networks of a run on one device, in pieces that fit into its memory."""

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
from sing_compute.foreign_code import is_out_of_memory
from sing_compute.models.classifier import Classifier
from sing_compute.models.function_check import CHANNELS_LAST, convert, lay_out

CLIP = "clip"
"""Name of CLIP's image tower in shards and messages."""
BATCH_SIZE = {"cpu": 16}
"""Images that go through a network at once if no trial has chosen the number: 16 fit into a core's cache."""
OTHER_BATCH_SIZE = 64
"""The same number for any other device."""


def default_batch_size(device: torch.device) -> int:
    """Return how many images go through a network at once if no trial has chosen the number."""
    return BATCH_SIZE.get(device.type, OTHER_BATCH_SIZE)


@dataclass(frozen=True, slots=True)
class Network:
    """A classifier or CLIP's image tower: it maps transformed images to tensors, by their names in a shard."""

    name: str
    transform: Callable[[Any], Tensor]
    forward: Callable[[Tensor, str], dict[str, Tensor]]
    """Compute these tensors from a batch on the network's device and the name of a precision."""

    @classmethod
    def of(cls, classifier: Classifier) -> "Network":
        """Return a network that gives features, predictions and their confidence, and maps where these are tapped."""

        def forward(batch: Tensor, precision: str) -> dict[str, Tensor]:
            features, logits = classifier(batch, precision)
            confidence, prediction = logits.softmax(1).max(1)
            outputs = {"features": features, "prediction": prediction.int(), "confidence": confidence}
            if classifier.map_tap is not None:
                outputs["maps"] = classifier.map_tap.take()
            return {f"{classifier.name}/{name}": values for name, values in outputs.items()}

        return cls(classifier.name, classifier.transform, forward)

    @classmethod
    def of_clip(cls, clip: OpenClipSpace) -> "Network":
        """Return a network that gives unit embeddings."""
        return cls(CLIP, clip.transform, lambda batch, precision: {CLIP: clip.images(batch, precision)})


class Networks:
    """All networks of a run on one device. A batch size that does not fit into memory is halved, with a message."""

    def __init__(
        self,
        classifiers: Sequence[Classifier],
        clip: OpenClipSpace | None,
        device: torch.device,
        say: Callable[[str], None],
    ) -> None:
        """Move all networks to a device.

        Args:
            classifiers: The models, with their heads.
            clip: The CLIP network; None if its embeddings are stored.
            device: Device on which the networks compute.
            say: Is called with one line if a batch size is halved.
        """
        for classifier in classifiers:
            convert(classifier.network.to(device), classifier.memory_format)
        self.device, self._say, self._saying = device, say, Lock()
        self.batch_size = default_batch_size(device)
        self.streams = 1
        """Number of batches that go through the networks at the same time."""
        if device.type == "cpu" and all(classifier.concurrent for classifier in classifiers):
            self.streams = min(MOST_STREAMS, torch.get_num_threads())
        self._modules = [classifier.network for classifier in classifiers]
        self.all = [Network.of(classifier) for classifier in classifiers]
        if clip:
            self.all.append(Network.of_clip(clip.to(device)))

    def wait(self) -> None:
        """Wait until the device has finished its work."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def release(self) -> None:
        """Move the classifiers to the CPU and free the device's memory; their heads can still be read."""
        for module in self._modules:
            module.cpu()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def put(self, tensor: Tensor) -> Tensor:
        """Return a batch on the device, in the memory format "channels last"; a classifier may choose another one."""
        return lay_out(tensor.to(self.device, non_blocking=True), CHANNELS_LAST)

    @torch.inference_mode()
    def run(self, network: Network, batch: Tensor, precision: str) -> dict[str, Tensor]:
        """Run one network on a batch, at most `batch_size` images at once, or as many as fit into memory.

        Args:
            network: One of `all`.
            batch: Transformed images (image, channel, row, column), on the device.
            precision: Precision of the arithmetic inside the network.

        Returns:
            The network's tensors by shard name, image first.

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

    def run_timed(
        self, streams: Streams, network: Network, batch: Tensor, precision: str
    ) -> tuple[list[dict[str, Tensor]], float]:
        """Run one network on a batch, in pieces of `batch_size` images at the same time, and measure the time.

        Args:
            streams: Runs the pieces.
            network: One of `all`.
            batch: Transformed images (image, channel, row, column), on the device.
            precision: Precision of the arithmetic inside the network.

        Returns:
            The network's tensors for each piece, by shard name; and the seconds per image.
        """
        self.wait()
        start = time.monotonic()
        pieces = torch.split(batch, self.batch_size)
        found = list(streams.map(partial(self.run, network, piece, precision) for piece in pieces))
        self.wait()
        return found, (time.monotonic() - start) / len(batch)

    def _halve(self, size: int, name: str) -> None:
        with self._saying:  # several batches may run out of memory at once
            if size < self.batch_size:
                self.batch_size = size
                self._say(f"{name}: {self.device} is out of memory; going on with {size} images at a time")

    @staticmethod
    def _fitting(network: Network, piece: Tensor, precision: str) -> dict[str, Tensor] | None:
        """Return the network's tensors of the images; None if they do not fit into memory."""
        try:
            return network.forward(piece, precision)
        except (RuntimeError, MemoryError) as error:
            if is_out_of_memory(error):
                return None
            raise
