"""Decode each image once for all networks of a run. A broken image is reported and skipped; a broken disk ends the run."""

import errno
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from jaxtyping import Shaped
from PIL import Image, UnidentifiedImageError
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, get_worker_info

from sing_compute.errors import ImagesError, SingError
from sing_compute.foreign_code import describe_error
from sing_compute.images.copies import content_hash
from sing_compute.images.image_stamps import UNREAD, Stamp, has_stamps, image_stamp
from sing_compute.images.listing import ImageList
from sing_compute.images.shared_memory import Sent, stacked, stacked_to_send
from sing_compute.images.transform_steps import SharedSteps, Transform
from sing_compute.images.workers import WorkerWatch, check_workers, ignore_interrupts, started, worker_failure
from sing_compute.pixel_values import read_rgb
from sing_compute.transform_results import TransformResultError

Item = tuple[int, list[Tensor] | str, bool, int, Stamp | None] | ImagesError
"""Row of an image, its tensors or the reason why it cannot be decoded, if EXIF says that it is not stored upright, its content
hash, and the state of its file; or the error that ends the run."""
NO_FILES = (errno.EMFILE, errno.ENFILE)
"""Error numbers of a process, or a machine, that has too many files open."""
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
    stamps: dict[int, Stamp] = field(default_factory=dict)
    """State of the file of each image by its row, decoded or not (`image_stamp`); empty if the images are no files."""

    def pin_memory(self) -> "Batch":
        """Return the batch in pinned memory, from which a GPU copies by itself; torch's loader calls this."""
        return replace(self, tensors=[tensor.pin_memory() for tensor in self.tensors])


class DecodedImages(Dataset[Item]):
    """The images of a list, each decoded once into the tensors of all transforms."""

    def __init__(self, images: ImageList, steps: "SharedSteps") -> None:
        self._images, self._steps = images, steps
        self._stamped = has_stamps(images)
        self._readers: ThreadPoolExecutor | None = None  # made in the worker process: threads do not survive a fork

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, row: int) -> Item:
        return self._decode(row, *self._read(row))

    def __getitems__(self, rows: Sequence[int]) -> list[Item]:
        self._readers = self._readers or ThreadPoolExecutor(READERS)
        return [self._decode(row, *read) for row, read in zip(rows, self._readers.map(self._read, rows), strict=True)]

    def _read(self, row: int) -> tuple[bytes | Exception | None, Stamp | None]:
        """Read the file of an image ahead, with its state; None for a large file, which is read when its turn comes."""
        stamp = None
        if not self._stamped:
            return b"", stamp
        try:
            stamp = image_stamp(self._images, row)  # before it is read: a stamp must not be newer than the image
            return self._images.read(row, ahead=True), stamp
        except Exception as error:  # it is raised again where this image is decoded
            return error, stamp

    def _decode(self, row: int, content: bytes | Exception | None, stamp: Stamp | None) -> Item:
        try:
            if isinstance(content, Exception):
                raise content
            if self._images.stored:
                return row, self._steps(self._images.keys[row]), False, 0, stamp
            items, bounds = self._images.items, self._images.bounds
            content = self._images.read(row) if content is None else content
            image, turned = read_rgb(content, most=bounds.pixels) if items is None else items.image(row, bounds)
            same = content if items is None else image.tobytes()
            return row, self._transformed(image), turned, content_hash(same), stamp
        except ImagesError as error:
            return error
        except UnidentifiedImageError:  # its text contains an address in memory
            return row, "cannot identify image file", False, 0, stamp
        except Exception as error:  # decoders raise many types; the image is skipped and the reason reported
            if isinstance(error, OSError) and error.errno in NO_FILES:  # this process lacks something, not the image
                return ImagesError(
                    f"{self._images.path(row)} cannot be opened: {error.strerror or error}; finished work is kept, the same "
                    "command goes on where more files may be open (ulimit -n)"
                )
            if isinstance(error, OSError) and error.errno is not None:  # no fault of the image's content
                stamp = stamp and UNREAD
            return row, (str(error).splitlines() or [type(error).__name__])[0], False, 0, stamp

    def _transformed(self, image: Image.Image) -> list[Tensor] | str:
        """Return the tensor of each transform; or the reason, which begins with `TRANSFORM`, why a transform fails."""
        try:
            return self._steps(image)
        except (ImagesError, MemoryError):
            raise
        except TransformResultError as error:
            return str(error)
        except (Exception, SystemExit) as error:  # a user's transform may raise anything; the image is skipped
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
        SingError: A worker process was killed, does nothing any more, or cannot hand images over.
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
    except OSError as error:  # /dev/shm is missing, full or read-only, or there may be no more processes or open files
        if not workers:
            raise
        cause = "ulimit -n" if error.errno in NO_FILES else "/dev/shm?"
        say(
            "images are decoded in the process of the run, more slowly: no other can be started "
            f"({error.strerror or error}; {cause})"
        )
        workers, stream = 0, started(loader(0))
    watch = WorkerWatch(stream)
    del stream  # the watch ends the workers
    try:
        while True:
            try:
                batch = watch.next_batch()
            except (RuntimeError, OSError, EOFError) as error:
                reason = worker_failure(error, watch) if workers else None
                if reason is None:
                    raise error.with_traceback(None) from None  # frames and cause would keep the workers alive
                batch = SingError(reason)
            if batch is None:
                return
            if isinstance(batch, SingError):
                raise batch
            yield replace(batch, tensors=[batch.tensors[slot] for slot in steps.slots] if batch.rows else [])
    finally:
        watch.end()


def _collate(items: list[Item]) -> Batch | Sent | SingError:
    """Make a batch of items, which a worker sends through shared memory.

    An error is returned, not raised: torch would add a worker's traceback to its one line.
    """
    good: list[tuple[int, list[Tensor]]] = []
    failed: list[tuple[int, str]] = []
    turned: list[int] = []
    hashes: list[int] = []
    stamps: dict[int, Stamp] = {}
    for item in items:
        if isinstance(item, ImagesError):
            return item
        row, tensors, is_stored_turned, content, stamp = item
        if stamp is not None:
            stamps[row] = stamp
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
        return Batch(rows, [stacked(column) for column in columns], failed, turned, hashes, stamps)
    try:
        return Sent(Batch, rows, [stacked_to_send(column) for column in columns], failed, turned, hashes, stamps)
    except SingError as error:
        return error
