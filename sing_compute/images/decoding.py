"""One decode of each image for all networks of a run. A broken image is reported, never fatal; a broken disk is."""

import copy
import hashlib
import io
import pickle
import signal
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from sing_compute.errors import ImagesError, SingError
from sing_compute.images.listing import ImageList

Transform = Callable[[Any], Tensor]
Item = tuple[int, list[Tensor] | str] | ImagesError
"""Row and tensors of an image, or row and the reason why it cannot be read; or why none can."""
READERS = 16
"""Images of a batch that are read at once, ahead of decoding: a slow disk answers many in the time of one."""
KILLED = ("DataLoader worker (pid", "Pin memory thread")
"""How torch begins to say that a worker process has died."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Decoded images in order: rows into the image list, one tensor per transform, and the images that failed."""

    rows: list[int]
    tensors: list[Tensor]
    failed: list[tuple[int, str]]

    def pin_memory(self) -> "Batch":
        """The batch in memory that a GPU can fetch from by itself; torch's loader calls this."""
        return Batch(self.rows, [tensor.pin_memory() for tensor in self.tensors], self.failed)


class DecodedImages(Dataset[Item]):
    """Each image once, as the tensors of all transforms, or as the reason why it cannot be read."""

    def __init__(self, images: ImageList, steps: "SharedSteps") -> None:
        self._images, self._steps = images, steps
        self._readers: ThreadPoolExecutor | None = (
            None  # threads do not survive a fork: made in the process that decodes
        )

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, row: int) -> Item:
        return self._decode(row, self._read(row))

    def __getitems__(self, rows: Sequence[int]) -> list[Item]:
        self._readers = self._readers or ThreadPoolExecutor(READERS)
        return [
            self._decode(row, content) for row, content in zip(rows, self._readers.map(self._read, rows), strict=True)
        ]

    def _read(self, row: int) -> bytes | Exception:
        try:
            return self._images.read(row)
        except Exception as error:  # raised again where its image is decoded
            return error

    def _decode(self, row: int, content: bytes | Exception) -> Item:
        try:
            if isinstance(content, Exception):
                raise content
            with Image.open(io.BytesIO(content)) as opened:
                image = opened.convert("RGB")
            return row, self._steps(image)
        except ImagesError as error:
            return error
        except UnidentifiedImageError:  # its own text names a place in memory
            return row, "cannot identify image file"
        except Exception as error:  # decoders raise many types; whatever it is, the image is skipped, the reason kept
            return row, (str(error).splitlines() or [type(error).__name__])[0]


def decode_batches(
    images: ImageList,
    transforms: Sequence[Transform],
    batches: Iterable[Sequence[int]],
    *,
    workers: int,
    pin: bool = False,
) -> Iterator[Batch]:
    """Decode the rows of each batch, ahead of use in `workers` processes (0: in this one); equal steps run once.

    Args:
        images: The list that rows are of.
        transforms: What makes a tensor of an image, one for each network.
        batches: Rows of each batch; read as they are needed, a few ahead.
        workers: Processes that read and decode.
        pin: Give tensors in pinned memory, for transfers to a GPU.

    Raises:
        ImagesError: The images' disk is gone, or a transform gives tensors of different sizes.
        SingError: A worker process was killed.
    """
    steps = SharedSteps(transforms)
    loader = DataLoader(
        DecodedImages(images, steps),
        batch_sampler=batches,  # type: ignore[arg-type]
        num_workers=workers,
        collate_fn=_collate,
        prefetch_factor=2 if workers else None,
        pin_memory=pin,
        worker_init_fn=_ignore_interrupts,
    )
    stream = _started(loader)
    try:
        while True:
            try:
                batch = next(stream, None)
            except (RuntimeError, ConnectionError, EOFError, FileNotFoundError) as error:
                if not workers or not _tells_death(error):
                    raise error.with_traceback(None) from None  # its frames would keep the processes, as would a cause
                batch = SingError(
                    "a process that decodes images was killed (out of memory?); finished work is kept, the same command "
                    "goes on, --workers 1 needs least memory"
                )
            if batch is None:
                return
            if isinstance(batch, SingError):
                raise batch
            yield Batch(batch.rows, [batch.tensors[slot] for slot in steps.slots] if batch.rows else [], batch.failed)
    finally:
        del stream  # and with it the processes


def _started(loader: DataLoader[Item]) -> Iterator[Batch | SingError]:
    """The loader at work. Torch's answer to the death of a worker is taken back: it raises wherever the run happens to be."""
    before = signal.getsignal(signal.SIGCHLD)
    stream = iter(loader)
    if signal.getsignal(signal.SIGCHLD) is not before:
        signal.signal(signal.SIGCHLD, before)
    return stream


def _tells_death(error: Exception) -> bool:
    """Whether a worker has died, rather than met with an error; a connection breaks where it dies while it hands over."""
    told = str(error)
    return told.startswith(KILLED) if isinstance(error, RuntimeError) else not told.startswith("Caught ")


def _ignore_interrupts(worker: int) -> None:
    """Ctrl-C on a terminal, or its end, reaches every process of the run; when to stop is the main one's to decide."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


@dataclass(slots=True)
class _Step:
    """One step of some transforms, and the steps that follow it in each of them."""

    run: Callable[[Any], Any]
    then: dict[Hashable, "_Step"] = field(default_factory=dict)
    slot: int | None = None
    """Place of what it gives among the results, if a transform ends here."""


class SharedSteps:
    """Transforms as a tree of steps: those that begin several transforms alike run once for all of them."""

    def __init__(self, transforms: Sequence[Transform]) -> None:
        self._first: dict[Hashable, _Step] = {}
        self.slots: list[int] = []
        """Where each transform's tensor stands among the results; equal transforms share one."""
        for transform in transforms:
            then = self._first
            for run in _steps(transform):
                step = then.setdefault(transform_settings(run) or id(run), _Step(run))
                then = step.then
            if step.slot is None:
                step.slot = len(set(self.slots))
            self.slots.append(step.slot)

    def __call__(self, image: Image.Image) -> list[Tensor]:
        """What every distinct transform makes of an image, each as if it had run alone."""
        results: dict[int, Tensor] = {}
        _follow(self._first, image, results, kept=False)
        return [results[slot] for slot in range(len(results))]


def _steps(transform: Transform) -> list[Callable[[Any], Any]]:
    """The steps of torchvision's Compose, of either version; any other transform is one step."""
    kind = type(transform)
    if kind.__name__ != "Compose" or not kind.__module__.startswith("torchvision.transforms"):
        return [transform]
    return [step for part in transform.transforms for step in _steps(part)] or [transform]  # type: ignore[attr-defined]


def _follow(steps: dict[Hashable, _Step], value: Any, results: dict[int, Tensor], *, kept: bool) -> None:
    """Run all steps on a value. A step may change what it is given, so all but the last user of a value get a copy."""
    for left, step in zip(range(len(steps) - 1, -1, -1), steps.values(), strict=True):
        made = step.run(_copied(value) if left or kept else value)
        if step.slot is not None:
            results[step.slot] = made
        _follow(step.then, made, results, kept=step.slot is not None)


def _copied(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.clone()
    return value.copy() if isinstance(value, Image.Image) else copy.deepcopy(value)


class _Settings(pickle.Pickler):
    """Pickles tensors by their values: torch's own way differs between equal ones."""

    def reducer_override(self, value: Any) -> Any:
        return (torch.tensor, (value.tolist(), value.dtype)) if isinstance(value, Tensor) else NotImplemented


def transform_settings(transform: Callable[[Any], Any]) -> str | None:
    """Equal for transforms of equal settings, which repr may hide or round; None where they cannot be told (a lambda)."""
    stream = io.BytesIO()
    try:
        _Settings(stream).dump(transform)
    except Exception:  # lambdas and local classes have no pickle, and say so by many types
        return None
    return hashlib.sha256(stream.getvalue()).hexdigest()


def _collate(items: list[Item]) -> Batch | ImagesError:
    """A batch; an error is handed over rather than raised, so that it keeps its one line on the way from a worker."""
    good: list[tuple[int, list[Tensor]]] = []
    failed: list[tuple[int, str]] = []
    for item in items:
        if isinstance(item, ImagesError):
            return item
        row, tensors = item
        if isinstance(tensors, str):
            failed.append((row, tensors))
        else:
            good.append((row, tensors))
    for column in zip(*(tensors for _, tensors in good), strict=True):
        sizes = sorted({tuple(tensor.shape) for tensor in column})
        if len(sizes) > 1:
            return ImagesError(
                f"a transform gives tensors of several sizes ({sizes[0]}, {sizes[1]}); it must resize to one"
            )
    stacked = [_stacked(column) for column in zip(*(tensors for _, tensors in good), strict=True)]
    return Batch([row for row, _ in good], stacked, failed)


def _stacked(tensors: Sequence[Tensor]) -> Tensor:
    """One tensor, of images with its channels last, as networks will want it: another pass over it there costs more."""
    first, shape = tensors[0], (len(tensors), *tensors[0].shape)
    layout = torch.channels_last if first.ndim == 3 else torch.contiguous_format
    return torch.stack(tuple(tensors), out=torch.empty(shape, dtype=first.dtype, memory_format=layout))
