"""Read features back from the shards of a run, batch by batch."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Float, Int, Int32
from numpy.typing import NDArray
from torch import Tensor

from sing_compute.allocator import give_memory_back
from sing_compute.extraction.shard_file import CONTENT, Shard, shard_rows
from sing_compute.extraction.shards import WorkFolder
from sing_compute.images.copies import originals

BLOCK_IMAGES = 1024
"""Images whose matrix products are formed together."""
RETURNED_IMAGES = 4096
"""Images after which free memory is returned to the system: rarely enough to take no time, often enough to bound memory."""


@dataclass(frozen=True, slots=True)
class FeatureBatch:
    """Features of one model for consecutive images."""

    rows: slice
    """Rows of the images, among the measured images or among those whose features a results file stores."""
    features: Float[Tensor, "image dim"]
    labels: Int[Tensor, " image"]
    """True class of each image."""
    folds: Int[Tensor, " image"]
    """Fold of each image; it is scored by the translator that was fitted without this fold."""


@dataclass(frozen=True, slots=True)
class PairedBatch(FeatureBatch):
    """Features of one model for consecutive images, paired with the CLIP embeddings of the same images."""

    targets: Float[Tensor, "image clip"]
    """Unit CLIP image embeddings."""


@dataclass(frozen=True, slots=True)
class ReadableRows:
    """The listed images of a run, by what could be read of them."""

    rows: Int32[np.ndarray, " image"]
    """Rows of the images that were read, ascending, among all listed images."""
    failed: list[tuple[int, str]]
    """Row and reason of each other image."""
    turned: list[int]
    """Rows of the images whose EXIF orientation says that they are not stored upright."""
    original: Int32[np.ndarray, " image"] | None
    """For each image that was read the first of them with the same bytes; None if no images were read, only stored features."""


Batch = TypeVar("Batch", bound=FeatureBatch)


def spread(batches: Iterable[Batch], stride: int) -> Iterator[Batch]:
    """Take every stride-th of all images, in batches about as large as those that are read.

    The number of batches depends only on the number of chosen images, not on the number of images between them.

    Args:
        batches: All images in order.
        stride: 1 for all images.

    Returns:
        Batches of the chosen images. Their `rows` cover the images that they were chosen from.
    """
    if stride == 1:
        yield from batches
        return
    waiting: list[Batch] = []
    for batch in batches:
        chosen = [part[(-batch.rows.start) % stride :: stride].clone() for part in _tensors(batch)]
        waiting.append(type(batch)(batch.rows, *chosen))
        if sum(len(each.features) for each in waiting) >= len(batch.features):
            yield _join(waiting)
            waiting = []
    if any(len(each.features) for each in waiting):
        yield _join(waiting)


def join_batches(batches: Iterable[Batch], images: int = BLOCK_IMAGES) -> Iterator[Batch]:
    """Join batches until each holds so many images: few large matrix products take less time than many small ones.

    Args:
        batches: All images in order.
        images: The smallest size of a joined batch; the last one may be smaller.

    Returns:
        The same images in the same order, in larger batches.
    """
    waiting: list[Batch] = []
    for batch in batches:
        waiting.append(batch)
        if sum(len(each.features) for each in waiting) >= images:
            yield _join(waiting)
            waiting = []
    if waiting:
        yield _join(waiting)


def _tensors(batch: FeatureBatch) -> list[Tensor]:
    """Return the tensors of a batch, one row per image, in the order of its fields."""
    return [getattr(batch, field.name) for field in fields(batch)[1:]]


def _join(batches: list[Batch]) -> Batch:
    parts = zip(*map(_tensors, batches), strict=True)
    return type(batches[0])(slice(batches[0].rows.start, batches[-1].rows.stop), *map(torch.cat, parts))


@dataclass(frozen=True, slots=True)
class ShardReader:
    """Read the features of a run as often as a measurement needs them, in image order, without the unreadable images."""

    work: WorkFolder
    images: int
    """Number of images that were listed, readable or not."""
    stored_targets: Float[Tensor, "image clip"] | None
    """CLIP embeddings of the measured images if they come from a file, not from the shards."""
    labels: Int[Tensor, " image"]
    folds: Int[Tensor, " image"]
    device: torch.device

    def readable_rows(self) -> ReadableRows:
        """Separate the listed images into readable and unreadable ones."""
        rows, count = np.empty(self.images, np.int32), 0
        hashes: NDArray[np.int64] | None = np.empty(self.images, np.int64)
        failed: list[tuple[int, str]] = []
        turned: list[int] = []
        for shard in self._shards(CONTENT):
            place = slice(count, count + len(shard.rows))
            rows[place] = shard.rows
            if hashes is not None and len(shard.rows):
                content = shard.tensors.get(CONTENT)
                if content is None:  # stored features have none
                    hashes = None
                else:
                    hashes[place] = content
            count = place.stop
            failed += shard.failed
            turned += shard.turned
        return ReadableRows(rows[:count], failed, turned, None if hashes is None else originals(hashes[:count]))

    def columns(self, *names: str) -> Iterator[tuple[slice, list[NDArray[np.generic]]]]:
        """Read tensors that have one value per image.

        Args:
            names: Their names in the shards.

        Returns:
            Shard by shard the measured images that it holds, and the values of each name for them.
        """
        for rows, shard in self._shards_with_rows(*names):
            yield rows, [shard.tensors[name].numpy() for name in names]

    def batches(self, model: str) -> Iterator[PairedBatch]:
        """Read the features of one model and the CLIP embeddings of the same images.

        Memory that the consumer frees in the meantime is given back to the system.
        """
        for rows, shard in self._shards_with_rows(f"{model}/features", "clip"):
            targets = shard.tensors["clip"] if self.stored_targets is None else self.stored_targets[rows]
            yield PairedBatch(rows, *self._parts(model, rows, shard), targets.to(self.device))
            if rows.start // RETURNED_IMAGES < rows.stop // RETURNED_IMAGES:
                give_memory_back()
        give_memory_back()

    def features(self, model: str) -> Iterator[FeatureBatch]:
        """Read the features of one model alone."""
        for rows, shard in self._shards_with_rows(f"{model}/features"):
            yield FeatureBatch(rows, *self._parts(model, rows, shard))
            if rows.start // RETURNED_IMAGES < rows.stop // RETURNED_IMAGES:
                give_memory_back()
        give_memory_back()

    def map_rows(self, stride: int) -> Int[np.ndarray, " map_image"]:
        """Return the measured images whose maps are stored: those that are every stride-th of all listed images."""
        found = [
            rows.start + np.flatnonzero(shard.rows.numpy() % stride == 0) for rows, shard in self._shards_with_rows()
        ]
        return np.concatenate([np.empty(0, np.int64), *found]).astype(np.int32)

    def maps(self, model: str) -> Iterator[Float[np.ndarray, "image map_position channel"]]:
        """Read the stored maps of one model, in the order of `map_rows`."""
        for _, shard in self._shards_with_rows(f"{model}/maps"):
            yield shard.tensors[f"{model}/maps"].numpy()

    def targets(self, stride: int) -> Float[Tensor, "image clip"]:
        """Read the CLIP embeddings of every stride-th measured image."""
        if self.stored_targets is not None:
            return self.stored_targets[::stride].to(self.device)
        chosen, seen, count = torch.empty(0, 0), 0, 0
        for shard in self._shards("clip"):
            if len(shard.rows):
                part = shard.tensors["clip"][(-seen) % stride :: stride]
                if not count:
                    chosen = part.new_empty(-(-len(self.labels) // stride), part.shape[1], device=self.device)
                chosen[count : count + len(part)] = part
                seen, count = seen + len(shard.rows), count + len(part)
        return chosen

    def _parts(self, model: str, rows: slice, shard: Shard) -> tuple[Tensor, Tensor, Tensor]:
        features = shard.tensors[f"{model}/features"]
        return features.to(self.device), self.labels[rows].to(self.device), self.folds[rows].to(self.device)

    def _shards_with_rows(self, *names: str) -> Iterator[tuple[slice, Shard]]:
        """Yield each shard that has readable images, with the rows of these among the measured images."""
        start = 0
        for shard in self._shards(*names):
            if len(shard.rows):
                rows = slice(start, start + len(shard.rows))
                start = rows.stop
                yield rows, shard

    def _shards(self, *names: str) -> Iterator[Shard]:
        return self.work.shards(len(shard_rows(self.images)), *names)
