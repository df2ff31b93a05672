"""Features of all images under all networks of a run, into shards; and back out of them, batch by batch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sing_compute.concepts.open_clip_space import OpenClipSpace
from sing_compute.errors import ImagesError, SingError
from sing_compute.images.decoding import decode_batches
from sing_compute.models.classifier import Classifier
from sing_compute.pipeline.progress import Progress
from sing_compute.pipeline.shards import Shard, WorkFolder, shard_rows

PROBE_IMAGES = 4
"""Images of the first batch, on which heads are found and checked."""


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


@torch.inference_mode()
def attach_heads(classifiers: Sequence[Classifier], paths: Sequence[Path]) -> None:
    """Find and check every head on the first readable images.

    Raises:
        ImagesError: Not one image can be read.
        HeadError: A network has no head that explains its logits.
    """
    step = max(1, len(paths) // PROBE_IMAGES)
    order = [*range(0, len(paths), step), *range(len(paths))]
    batches = [order[start : start + PROBE_IMAGES] for start in range(0, len(order), PROBE_IMAGES)]
    reason = ""
    for batch in decode_batches(paths, [classifier.transform for classifier in classifiers], batches, workers=0):
        reason = reason or batch.failed[0][1] if batch.failed else reason
        if batch.rows:
            for classifier, tensor in zip(classifiers, batch.tensors, strict=True):
                classifier.attach(tensor)
            return
    raise ImagesError(f"none of the {len(paths)} images can be read; the first is {paths[0]}: {reason}")


@torch.inference_mode()
def extract(
    work: WorkFolder,
    classifiers: Sequence[Classifier],
    clip: OpenClipSpace | None,
    paths: Sequence[Path],
    *,
    device: torch.device,
    batch_size: int,
    workers: int,
    progress: Progress,
) -> None:
    """Run every image through every network once and keep what reaches each head; finished shards are not done again.

    Raises:
        SingError: A network gives features that are not finite.
    """
    todo = [(index, rows) for index, rows in enumerate(shard_rows(len(paths))) if not work.has(index)]
    if not todo:
        return
    batches = [list(rows[start : start + batch_size]) for _, rows in todo for start in range(0, len(rows), batch_size)]
    transforms = [classifier.transform for classifier in classifiers] + ([clip.transform] if clip else [])
    for classifier in classifiers:
        classifier.network.to(device).to(memory_format=torch.channels_last)
    if clip:
        clip.to(device)
    stream = decode_batches(paths, transforms, batches, workers=workers)
    with progress.task("features", sum(len(rows) for _, rows in todo)) as advance:
        for index, rows in todo:
            parts: dict[str, list[Tensor]] = {}
            kept: list[int] = []
            failed: list[tuple[int, str]] = []
            for _ in range(0, len(rows), batch_size):
                batch = next(stream)
                failed += batch.failed
                kept += batch.rows
                if batch.rows:
                    tensors = [tensor.to(device, memory_format=torch.channels_last) for tensor in batch.tensors]
                    for name, values in _embed(classifiers, clip, tensors, [paths[row] for row in batch.rows]):
                        parts.setdefault(name, []).append(values.cpu())
                advance(len(batch.rows) + len(batch.failed))
            joined = {name: torch.cat(pieces) for name, pieces in parts.items()}
            work.write(index, Shard(torch.tensor(kept, dtype=torch.int64), joined, failed))


def _embed(
    classifiers: Sequence[Classifier], clip: OpenClipSpace | None, tensors: Sequence[Tensor], paths: Sequence[Path]
) -> Iterator[tuple[str, Tensor]]:
    """Everything that is kept of one batch, by shard name."""
    for classifier, tensor in zip(classifiers, tensors, strict=False):
        features, logits = classifier(tensor)
        finite = features.isfinite().all(dim=1) & logits.isfinite().all(dim=1)
        if not finite.all():
            bad = paths[int((~finite).nonzero()[0])]
            raise SingError(
                f"{classifier.name} gives features that are not finite for {bad}; are these the right weights?"
            )
        confidence, prediction = logits.float().softmax(1).max(1)
        yield f"{classifier.name}/features", features
        yield f"{classifier.name}/prediction", prediction.int()
        yield f"{classifier.name}/confidence", confidence
    if clip is not None:
        yield "clip", clip.images(tensors[-1])


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
