"""Features of all images under all networks of a run, into shards."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from sing_compute.concepts.open_clip_space import OpenClipSpace
from sing_compute.errors import ImagesError, SingError
from sing_compute.images.decoding import decode_batches
from sing_compute.models.classifier import Classifier
from sing_compute.pipeline.progress import Progress
from sing_compute.pipeline.shards import Shard, WorkFolder, shard_rows

PROBE_IMAGES = 4
"""Images of the first batch, on which heads are found and checked."""


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
