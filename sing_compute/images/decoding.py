"""Decode each image once for all networks of a run. A broken image is reported and skipped; a broken disk ends the run."""

import copy
import hashlib
import io
import pickle
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from jaxtyping import Shaped
from PIL import Image, UnidentifiedImageError
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, get_worker_info

from sing_compute.errors import ImagesError, SingError
from sing_compute.foreign_code import describe_error
from sing_compute.images.copies import content_hash
from sing_compute.images.image_bounds import ImageBounds, bounded
from sing_compute.images.listing import ImageList
from sing_compute.images.shared_memory import WAY_OUT, Sent, stacked, stacked_to_send
from sing_compute.images.workers import check_workers, ignore_interrupts, is_worker_death, started
from sing_compute.pixel_values import read_rgb
from sing_compute.transform_results import TransformResultError, image_tensor

Transform = Callable[[Any], Tensor]
Item = tuple[int, list[Tensor] | str, bool, int] | ImagesError
"""Row, tensors or why there are none, if EXIF says that it is not upright, content hash; or the error that ends the run."""
READERS = 16
"""Images of a batch that are read at once: a slow disk answers many requests in the time of one."""
TRANSFORM = "the transform"
"""Beginning of the reason why an image that can be read has no tensor."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Decoded images of one batch."""

    rows: list[int]
    """Row in the image list of each decoded image."""
    tensors: list[Shaped[Tensor, "image ..."]]
    """Decoded images (image, channel, height, width) of each transform; empty if none was decoded."""
    failed: list[tuple[int, str]]
    """Row of each image that cannot be decoded, and the reason."""
    turned: list[int] = field(default_factory=list)
    """Row of each decoded image whose EXIF orientation says that it is not stored upright; it is decoded as stored."""
    hashes: list[int] = field(default_factory=list)
    """Content hash of each decoded image; those of stored features are all 0."""

    def pin_memory(self) -> "Batch":
        """Return the batch in pinned memory, from which a GPU copies by itself; torch's loader calls this."""
        return replace(self, tensors=[tensor.pin_memory() for tensor in self.tensors])


class DecodedImages(Dataset[Item]):
    """The images of a list, each decoded once into the tensors of all transforms."""

    def __init__(self, images: ImageList, steps: "SharedSteps") -> None:
        self._images, self._steps = images, steps
        self._readers: ThreadPoolExecutor | None = None  # made in the worker process: threads do not survive a fork

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, row: int) -> Item:
        return self._decode(row, self._read(row))

    def __getitems__(self, rows: Sequence[int]) -> list[Item]:
        self._readers = self._readers or ThreadPoolExecutor(READERS)
        return [
            self._decode(row, content) for row, content in zip(rows, self._readers.map(self._read, rows), strict=True)
        ]

    def _read(self, row: int) -> bytes | Exception | None:
        if self._images.stored or self._images.items is not None:
            return b""
        try:
            return self._images.read(row, ahead=True)
        except Exception as error:  # it is raised again where this image is decoded
            return error

    def _decode(self, row: int, content: bytes | Exception | None) -> Item:
        try:
            if isinstance(content, Exception):
                raise content
            if self._images.stored:
                return row, self._steps(self._images.keys[row]), False, 0
            items = self._images.items
            content = self._images.read(row) if content is None else content
            image, turned = read_rgb(content, most=self._images.bounds.pixels) if items is None else items.image(row)
            same = content if items is None else image.tobytes()
            return row, self._transformed(image), turned, content_hash(same)
        except ImagesError as error:
            return error
        except UnidentifiedImageError:  # its text contains an address in memory
            return row, "cannot identify image file", False, 0
        except Exception as error:  # decoders raise many types; the image is skipped and the reason reported
            return row, (str(error).splitlines() or [type(error).__name__])[0], False, 0

    def _transformed(self, image: Image.Image) -> list[Tensor] | str:
        """Return the tensor of each transform; or the reason, which begins with `TRANSFORM`, why a transform fails."""
        try:
            return self._steps(image)
        except (ImagesError, MemoryError):
            raise
        except TransformResultError as error:
            return str(error)
        except Exception as error:  # a user's transform may raise anything; the image is skipped
            return f"{TRANSFORM} failed: {describe_error(error)}"


def decode_batches(
    images: ImageList,
    transforms: Sequence[Transform],
    batches: Iterable[Sequence[int]],
    *,
    workers: int,
    pin: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> Iterator[Batch]:
    """Decode the images of each batch, ahead of use; steps that several transforms begin with run once.

    Args:
        images: The list of images.
        transforms: One for each network: makes a tensor (channel, height, width) of a PIL image.
        batches: Rows of the images of each batch; read when needed, a few batches ahead.
        workers: Processes that read and decode; 0 decodes in this process.
        pin: Give tensors in pinned memory, for copies to a GPU.
        say: Is called with one line if the system allows no workers, so that this process decodes.

    Raises:
        ImagesError: The images' disk does not exist any more, or a transform gives tensors of different sizes.
        SingError: A worker process was killed.
    """
    steps = SharedSteps(transforms, images.bounds)

    def loader(workers: int) -> DataLoader[Item]:
        return DataLoader(
            DecodedImages(images, steps),
            batch_sampler=batches,  # type: ignore[arg-type]
            num_workers=workers,
            collate_fn=_collate,
            prefetch_factor=2 if workers else None,
            pin_memory=pin,
            worker_init_fn=ignore_interrupts,
        )

    try:
        check_workers(workers)
        stream = started(loader(workers))
    except OSError as error:  # /dev/shm is missing, full or read-only, or there may be no more processes
        if not workers:
            raise
        say(
            f"images are decoded in the process of the run, more slowly: no other can be started ({error.strerror}; /dev/shm?)"
        )
        workers, stream = 0, started(loader(0))
    try:
        while True:
            try:
                batch = next(stream, None)
            except (RuntimeError, ConnectionError, EOFError, FileNotFoundError) as error:
                if not workers or not is_worker_death(error):
                    raise error.with_traceback(None) from None  # frames and cause would keep the workers alive
                batch = SingError(f"a process that decodes images was killed (out of memory?); {WAY_OUT}")
            if batch is None:
                return
            if isinstance(batch, SingError):
                raise batch
            yield replace(batch, tensors=[batch.tensors[slot] for slot in steps.slots] if batch.rows else [])
    finally:
        del stream  # this ends the workers


@dataclass(slots=True)
class _Step:
    """One step that some transforms share, and the steps that follow it in each of them."""

    run: Callable[[Any], Any]
    then: dict[Hashable, "_Step"] = field(default_factory=dict)
    slot: int | None = None
    """Index of its result among all results, if a transform ends here."""


class SharedSteps:
    """A tree of the steps of all transforms: first steps that several transforms share run once."""

    def __init__(self, transforms: Sequence[Transform], bounds: ImageBounds) -> None:
        """Build the tree.

        Args:
            transforms: One for each network.
            bounds: Bounds on the images, also after they were resized.
        """
        self._first: dict[Hashable, _Step] = {}
        self.slots: list[int] = []
        """Index of each transform's tensor among the results; equal transforms share one."""
        for transform in transforms:
            then = self._first
            for run in _steps(transform):
                step = then.setdefault(transform_settings(run) or id(run), _Step(bounded(run, bounds)))
                then = step.then
            if step.slot is None:
                step.slot = len(set(self.slots))
            self.slots.append(step.slot)

    def __call__(self, image: Image.Image | str) -> list[Tensor]:
        """Return the tensor of every distinct transform, each as if it had run alone.

        Args:
            image: The image, or the key of a stored feature.
        """
        results: dict[int, Tensor] = {}
        _run_steps(self._first, image, results, reused=False)
        return [results[slot] for slot in range(len(results))]


def _steps(transform: Transform) -> list[Callable[[Any], Any]]:
    """Return the steps of torchvision's Compose, of either version; any other transform is one step."""
    kind = type(transform)
    if kind.__name__ != "Compose" or not kind.__module__.startswith("torchvision.transforms"):
        return [transform]
    return [step for part in transform.transforms for step in _steps(part)] or [transform]  # type: ignore[attr-defined]


def _run_steps(steps: dict[Hashable, _Step], value: Any, results: dict[int, Tensor], *, reused: bool) -> None:
    """Run all steps on a value. A step may change its input, so each but the last user of a value gets a copy."""
    for left, step in zip(range(len(steps) - 1, -1, -1), steps.values(), strict=True):
        made = step.run(_copy(value) if left or reused else value)
        if step.slot is not None:
            results[step.slot] = image_tensor(made)
        _run_steps(step.then, made, results, reused=step.slot is not None)


def _copy(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.clone()
    return value.copy() if isinstance(value, Image.Image) else copy.deepcopy(value)


class _Settings(pickle.Pickler):
    """Pickle tensors by their values: torch's own pickles of equal tensors differ."""

    def reducer_override(self, value: Any) -> Any:
        return (torch.tensor, (value.tolist(), value.dtype)) if isinstance(value, Tensor) else NotImplemented


def transform_settings(transform: Callable[[Any], Any]) -> str | None:
    """Return a fingerprint of a transform's settings, which its repr may hide or round.

    Args:
        transform: Any transform, or one step of it.

    Returns:
        The same text for transforms of equal settings; None where the settings cannot be read, as of a lambda.
    """
    stream = io.BytesIO()
    try:
        _Settings(stream).dump(transform)
    except Exception:  # lambdas and local classes cannot be pickled; the types of error differ
        return None
    return hashlib.sha256(stream.getvalue()).hexdigest()


def _collate(items: list[Item]) -> Batch | Sent | SingError:
    """Make a batch of items, which a worker sends through shared memory.

    An error is returned, not raised: torch would add a worker's traceback to its one line.
    """
    good: list[tuple[int, list[Tensor]]] = []
    failed: list[tuple[int, str]] = []
    turned: list[int] = []
    hashes: list[int] = []
    for item in items:
        if isinstance(item, ImagesError):
            return item
        row, tensors, is_stored_turned, content = item
        if isinstance(tensors, str):
            failed.append((row, tensors))
        else:
            good.append((row, tensors))
            hashes.append(content)
            if is_stored_turned:
                turned.append(row)
    for column in zip(*(tensors for _, tensors in good), strict=True):
        sizes = sorted({tuple(tensor.shape) for tensor in column})
        if len(sizes) > 1:
            return ImagesError(
                f"a transform gives tensors of several sizes ({sizes[0]}, {sizes[1]}); it must resize to one"
            )
    columns = list(zip(*(tensors for _, tensors in good), strict=True))
    rows = [row for row, _ in good]
    if get_worker_info() is None:
        return Batch(rows, [stacked(column) for column in columns], failed, turned, hashes)
    try:
        return Sent(Batch, rows, [stacked_to_send(column) for column in columns], failed, turned, hashes)
    except SingError as error:
        return error
