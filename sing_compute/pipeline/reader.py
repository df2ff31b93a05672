"""Features back out of the shards, batch by batch."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sing_compute.pipeline.shards import Shard, WorkFolder, shard_rows


@dataclass(frozen=True, slots=True)
class FeatureBatch:
    """Features of one model for a run of measured images, with what the scores need beside them."""

    rows: slice
    """Which measured images these are."""
    features: Tensor
    targets: Tensor
    labels: Tensor
    folds: Tensor

    def every(self, stride: int) -> "FeatureBatch":
        """Every stride-th of all images, those of this batch; its `rows` are meaningless."""
        parts = (self.features, self.targets, self.labels, self.folds)
        return FeatureBatch(self.rows, *(part[(-self.rows.start) % stride :: stride] for part in parts))


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

    def kept(self) -> tuple[NDArray[np.int64], list[tuple[int, str]]]:
        """Rows of the images that were read, and those that failed with the reason."""
        rows, failed = [], []
        for shard in self._shards():
            rows.append(shard.rows.numpy())
            failed += shard.failed
        return np.concatenate(rows), failed

    def column(self, name: str) -> NDArray[np.float64]:
        """One value per measured image, from all shards."""
        return np.concatenate([shard.tensors[name].numpy() for shard in self._shards(name) if len(shard.rows)])

    def batches(self, model: str) -> Iterator[FeatureBatch]:
        """The batches of one model."""
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

    def targets(self, stride: int) -> Tensor:
        """Embeddings of every stride-th measured image."""
        if self.stored_targets is not None:
            return self.stored_targets[::stride].to(self.device)
        parts, seen = [], 0
        for shard in self._shards("clip"):
            if len(shard.rows):
                parts.append(shard.tensors["clip"][(-seen) % stride :: stride])
                seen += len(shard.rows)
        return torch.cat(parts).to(self.device)

    def _shards(self, *names: str) -> Iterator[Shard]:
        return self.work.shards(len(shard_rows(self.images)), *names)
