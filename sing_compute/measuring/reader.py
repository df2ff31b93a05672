"""Features back out of the shards, batch by batch."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sing_compute.allocator import give_memory_back
from sing_compute.extraction.shards import Shard, WorkFolder, shard_rows

BLOCK_IMAGES = 1024
"""Images whose products are formed at once."""
RETURNED_IMAGES = 4096
"""Images between two times that free memory is given back: seldom enough to cost nothing, often enough that it does not creep."""


@dataclass(frozen=True, slots=True)
class FeatureBatch:
    """Features of one model for a run of measured images, with what the scores need beside them."""

    rows: slice
    """Which measured images these are."""
    features: Tensor
    targets: Tensor
    labels: Tensor
    folds: Tensor


def spread(batches: Iterable[FeatureBatch], stride: int) -> Iterator[FeatureBatch]:
    """Every stride-th of all images, in batches about as large as those that are read; their `rows` are meaningless.

    The same number of batches comes of the chosen images, however many lie between them.
    """
    if stride == 1:
        yield from batches
        return
    waiting: list[FeatureBatch] = []
    for batch in batches:
        parts = (batch.features, batch.targets, batch.labels, batch.folds)
        chosen = (part[(-batch.rows.start) % stride :: stride].clone() for part in parts)
        waiting.append(FeatureBatch(batch.rows, *chosen))
        if sum(len(each.features) for each in waiting) >= len(batch.features):
            yield _join(waiting)
            waiting = []
    if any(len(each.features) for each in waiting):
        yield _join(waiting)


def joined(batches: Iterable[FeatureBatch], images: int = BLOCK_IMAGES) -> Iterator[FeatureBatch]:
    """Batches put together until they hold that many images: few large products take less time than many small ones."""
    waiting: list[FeatureBatch] = []
    for batch in batches:
        waiting.append(batch)
        if sum(len(each.features) for each in waiting) >= images:
            yield _join(waiting)
            waiting = []
    if waiting:
        yield _join(waiting)


def _join(batches: list[FeatureBatch]) -> FeatureBatch:
    parts = zip(*((each.features, each.targets, each.labels, each.folds) for each in batches), strict=True)
    return FeatureBatch(slice(batches[0].rows.start, batches[-1].rows.stop), *map(torch.cat, parts))


@dataclass(frozen=True, slots=True)
class ShardReader:
    """Features read back from the shards as often as a measurement needs them, in image order, unreadable images left out."""

    work: WorkFolder
    images: int
    """How many images were listed, readable or not."""
    stored_targets: Tensor | None
    """Embeddings of the measured images where they come from a file rather than the shards."""
    labels: Tensor
    folds: Tensor
    device: torch.device

    def kept(self) -> tuple[NDArray[np.int32], list[tuple[int, str]]]:
        """Rows of the images that were read, and those that failed with the reason."""
        rows, count = np.empty(self.images, np.int32), 0
        failed: list[tuple[int, str]] = []
        for shard in self._shards():
            rows[count : count + len(shard.rows)] = shard.rows
            count += len(shard.rows)
            failed += shard.failed
        return rows[:count], failed

    def columns(self, *names: str) -> Iterator[tuple[slice, list[NDArray[np.float64]]]]:
        """What shards hold one value of per image, by these names, and which measured images it is of."""
        start = 0
        for shard in self._shards(*names):
            if len(shard.rows):
                rows = slice(start, start + len(shard.rows))
                start = rows.stop
                yield rows, [shard.tensors[name].numpy() for name in names]

    def batches(self, model: str) -> Iterator[FeatureBatch]:
        """The batches of one model; what those that go through them free goes back to the system."""
        start = 0
        for shard in self._shards(f"{model}/features", "clip"):
            if not len(shard.rows):
                continue
            rows = slice(start, start + len(shard.rows))
            start = rows.stop
            targets = shard.tensors["clip"] if self.stored_targets is None else self.stored_targets[rows]
            yield FeatureBatch(
                rows,
                shard.tensors[f"{model}/features"].to(self.device),
                targets.to(self.device),
                self.labels[rows].to(self.device),
                self.folds[rows].to(self.device),
            )
            if rows.start // RETURNED_IMAGES < rows.stop // RETURNED_IMAGES:
                give_memory_back()
        give_memory_back()

    def targets(self, stride: int) -> Tensor:
        """Embeddings of every stride-th measured image."""
        if self.stored_targets is not None:
            return self.stored_targets[::stride].to(self.device)
        chosen, seen, count = torch.empty(0), 0, 0
        for shard in self._shards("clip"):
            if len(shard.rows):
                part = shard.tensors["clip"][(-seen) % stride :: stride]
                if not count:
                    chosen = part.new_empty(-(-len(self.labels) // stride), part.shape[1], device=self.device)
                chosen[count : count + len(part)] = part
                seen, count = seen + len(shard.rows), count + len(part)
        return chosen

    def _shards(self, *names: str) -> Iterator[Shard]:
        return self.work.shards(len(shard_rows(self.images)), *names)
