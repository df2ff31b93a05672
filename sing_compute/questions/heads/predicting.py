"""Classify images by texts with two CLIPs and with variants of the first one, in one pass over the images."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor, nn

from sing_compute.concepts.open_clip_space import OpenClipSpace
from sing_compute.errors import ConceptsError, ImagesError
from sing_compute.images.decoding import decode_batches
from sing_compute.images.listing import ImageList
from sing_compute.pipeline.devices import default_workers
from sing_compute.process.progress import Progress
from sing_compute.sith.editing import scale_vectors

_BATCH = 64
Patch = Mapping[str, Tensor]
"""Weights of an image tower that a variant has in the place of the tower's own, by name."""


@dataclass(frozen=True, slots=True)
class Predictions:
    """The nearest text of each image that could be read."""

    rows: Int64[np.ndarray, " image"]
    """Their rows in the list of images."""
    nearest: Int64[np.ndarray, "network question image"]
    """Index of the nearest text of each question; the networks are before, after, and the variants."""


def patch_of(visual: nn.Module, factors: Mapping[int, Float64[Tensor, "head rank"]]) -> dict[str, Tensor]:
    """Return the weights that an edit changes, without changing the tower.

    Args:
        visual: The image tower, on the CPU.
        factors: As for `scale_vectors`.
    """
    edited = copy.deepcopy(visual)
    scale_vectors(edited, factors)
    own = visual.state_dict()
    return {name: tensor.clone() for name, tensor in edited.state_dict().items() if not torch.equal(tensor, own[name])}


def predict(
    images: ImageList,
    before: OpenClipSpace,
    after: OpenClipSpace,
    variants: Sequence[Patch],
    texts: Sequence[Sequence[Sequence[str]]],
    progress: Progress,
    *,
    device: torch.device,
) -> Predictions:
    """Find the nearest text of each question for each image, by each network.

    Args:
        images: The images.
        before: The first CLIP, on the device.
        after: The second CLIP, on the device.
        variants: Weights of variants of the first one.
        texts: For each question the texts of its answers, several for an answer whose embeddings are averaged.
        progress: Is told how far the work is.
        device: Device of both.

    Raises:
        ImagesError: No image can be read.
        ConceptsError: An embedding is not finite: a weight is not.
    """
    vectors = [
        [_known(space, space.texts(answers, device=device)).to(device) for answers in texts]
        for space in (before, after)
    ]
    patches = [{name: tensor.to(device) for name, tensor in patch.items()} for patch in variants]
    batches = [range(start, min(start + _BATCH, len(images))) for start in range(0, len(images), _BATCH)]
    workers = default_workers(device) if len(images) > 4 * _BATCH else 0
    rows: list[int] = []
    found: list[Tensor] = []
    transforms = [before.transform, after.transform]
    failed = 0
    with progress.task("images", len(images)) as advance:
        for batch in decode_batches(images, transforms, batches, workers=workers, say=progress.say):
            failed += len(batch.failed)
            advance(len(batch.rows) + len(batch.failed))
            if not batch.rows:
                continue
            rows += batch.rows
            first, second = (tensor.to(device) for tensor in batch.tensors)
            own, others = _known(before, before.images(first)), _known(after, after.images(second))
            answers = [_nearest(own, vectors[0]), _nearest(others, vectors[1])]
            for patch in patches:
                with _wearing(before.visual, patch):
                    answers.append(_nearest(before.images(first), vectors[0]))
            found.append(torch.stack(answers))
    if failed:
        progress.say(f"{failed:,} of {len(images):,} images could not be read")
    if not rows:
        raise ImagesError("--images: no image could be read")
    return Predictions(np.array(rows), torch.cat(found, 2).numpy())


def _known(space: OpenClipSpace, vectors: Tensor) -> Tensor:
    if not vectors.isfinite().all():
        raise ConceptsError(
            f"{space.provenance['tag']} gives embeddings that are not finite: a weight is NaN or infinite"
        )
    return vectors


def _nearest(vectors: Float[Tensor, "image clip"], questions: Sequence[Tensor]) -> Int64[Tensor, "question image"]:
    return torch.stack([(vectors @ answers.T).argmax(1) for answers in questions]).cpu()


@contextmanager
def _wearing(visual: nn.Module, patch: Patch) -> Iterator[None]:
    """Give a tower other weights for the `with` block."""
    state = visual.state_dict()
    own = {name: state[name].clone() for name in patch}
    try:
        with torch.no_grad():
            for name, tensor in patch.items():
                state[name].copy_(tensor)
        yield
    finally:
        with torch.no_grad():
            for name, tensor in own.items():
                state[name].copy_(tensor)
