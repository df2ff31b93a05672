"""One decode of each image for all networks of a run. A broken image is reported, never fatal."""

import hashlib
import io
import pickle
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from sing_compute.errors import ImagesError

Transform = Callable[[Any], Tensor]


@dataclass(frozen=True, slots=True)
class Batch:
    """Decoded images in order: rows into the image list, one tensor per transform, and the images that failed."""

    rows: list[int]
    tensors: list[Tensor]
    failed: list[tuple[int, str]]


class DecodedImages(Dataset[tuple[int, list[Tensor] | str]]):
    """Each image once, as the tensors of all transforms, or as the reason why it cannot be read."""

    def __init__(self, paths: Sequence[Path], transforms: Sequence[Transform]) -> None:
        self._paths, self._transforms = paths, transforms

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: int) -> tuple[int, list[Tensor] | str]:
        try:
            with Image.open(self._paths[index]) as opened:
                image = opened.convert("RGB")
            return index, [transform(image) for transform in self._transforms]
        except Exception as error:  # decoders raise many types; whatever it is, the image is skipped, the reason kept
            return index, (str(error).splitlines() or [type(error).__name__])[0]


def decode_batches(
    paths: Sequence[Path], transforms: Sequence[Transform], batches: Sequence[Sequence[int]], *, workers: int
) -> Iterator[Batch]:
    """Decode the rows of each batch, ahead of use in `workers` processes (0: in this one); equal transforms run once.

    Raises:
        ImagesError: A transform gives tensors of different sizes.
    """
    distinct: dict[str | int, int] = {}
    keys = [transform_settings(transform) or id(transform) for transform in transforms]
    slots = [distinct.setdefault(key, len(distinct)) for key in keys]
    unique = [transforms[slots.index(slot)] for slot in range(len(distinct))]
    loader = DataLoader(
        DecodedImages(paths, unique),
        batch_sampler=[list(batch) for batch in batches],
        num_workers=workers,
        collate_fn=_collate,
        prefetch_factor=2 if workers else None,
        worker_init_fn=_ignore_interrupts,
    )
    for batch in loader:
        if isinstance(batch, ImagesError):
            raise batch
        yield Batch(batch.rows, [batch.tensors[slot] for slot in slots] if batch.rows else [], batch.failed)


def _ignore_interrupts(worker: int) -> None:
    """Ctrl-C on a terminal reaches every process of the run; when to stop is the main one's to decide."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


class _Settings(pickle.Pickler):
    """Pickles tensors by their values: torch's own way differs between equal ones."""

    def reducer_override(self, value: Any) -> Any:
        return (torch.tensor, (value.tolist(), value.dtype)) if isinstance(value, Tensor) else NotImplemented


def transform_settings(transform: Transform) -> str | None:
    """Equal for transforms of equal settings, which repr may hide or round; None where they cannot be told (a lambda)."""
    stream = io.BytesIO()
    try:
        _Settings(stream).dump(transform)
    except Exception:  # lambdas and local classes have no pickle, and say so by many types
        return None
    return hashlib.sha256(stream.getvalue()).hexdigest()


def _collate(items: list[tuple[int, list[Tensor] | str]]) -> Batch | ImagesError:
    """A batch; an error is handed over rather than raised, so that it keeps its one line on the way from a worker."""
    good = [(index, tensors) for index, tensors in items if not isinstance(tensors, str)]
    failed = [(index, reason) for index, reason in items if isinstance(reason, str)]
    for column in zip(*(tensors for _, tensors in good), strict=True):
        sizes = sorted({tuple(tensor.shape) for tensor in column})
        if len(sizes) > 1:
            return ImagesError(
                f"a transform gives tensors of several sizes ({sizes[0]}, {sizes[1]}); it must resize to one"
            )
    stacked = [torch.stack(column) for column in zip(*(tensors for _, tensors in good), strict=True)]
    return Batch([index for index, _ in good], stacked, failed)
