"""Run all images of a run through all its networks, and write the features into shards."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain, tee
from types import MappingProxyType, TracebackType

import torch
from torch import Tensor

from sing_compute.errors import ImagesError, SingError
from sing_compute.extraction.networks import CLIP, Networks
from sing_compute.extraction.settings import Settings
from sing_compute.extraction.shard_file import CONTENT, Shard, shard_rows
from sing_compute.extraction.shards import WorkFolder
from sing_compute.extraction.streams import Streams
from sing_compute.images.decoding import TRANSFORM, Batch, decode_batches
from sing_compute.images.image_stamps import Stamp
from sing_compute.images.listing import ImageList
from sing_compute.models.classifier import Classifier
from sing_compute.precision import keeping_weights
from sing_compute.process.progress import Progress

PROBE_IMAGES = 4
"""Images of the first batch, on which heads are found and checked."""
TRANSFORM_TRIALS = 32
"""Images that can be read but have no tensor, without one that has, after which no further image is tried."""
DECODED = 64
"""Smallest number of images that a decoding process returns at once."""


@torch.inference_mode()
def attach_heads(classifiers: Sequence[Classifier], images: ImageList, *, map_side: int | None = None) -> None:
    """Find and check every head, and on request the last spatial map before it, on the first readable images.

    Args:
        classifiers: Networks whose heads are not known yet.
        images: All images of the run.
        map_side: Rows and columns of the stored positions of a map; None to store no maps.

    Raises:
        ImagesError: Not one image can be read, or a transform fails for all images that were tried.
        HeadError: A network is no function of one image, has no head that explains its logits, or no spatial map before it.
    """
    count = len(images)
    spread = range(0, count, max(1, count // PROBE_IMAGES))[:PROBE_IMAGES]
    batches = chain(
        [spread], (range(start, min(start + PROBE_IMAGES, count)) for start in range(0, count, PROBE_IMAGES))
    )
    reason = ""
    untransformed: dict[int, str] = {}
    for batch in decode_batches(images, [classifier.transform for classifier in classifiers], batches, workers=0):
        reason = reason or batch.failed[0][1] if batch.failed else reason
        untransformed |= {row: why for row, why in batch.failed if why.startswith(TRANSFORM)}
        if batch.rows:
            for classifier, tensor in zip(classifiers, batch.tensors, strict=True):
                classifier.attach(tensor, map_side=map_side)
            return
        if len(untransformed) >= TRANSFORM_TRIALS:
            break
    if untransformed:
        raise ImagesError(_transform_failure(classifiers, images, untransformed))
    raise ImagesError(f"none of the {count} images can be read; the first is {images.path(0)}: {reason}")


def _transform_failure(classifiers: Sequence[Classifier], images: ImageList, untransformed: Mapping[int, str]) -> str:
    """Name the network whose transform fails for these images, and the transform's own error."""
    row, why = next(iter(untransformed.items()))
    for classifier in classifiers:
        (batch,) = decode_batches(images, [classifier.transform], [[row]], workers=0)
        if batch.failed:
            of_network = batch.failed[0][1].replace(TRANSFORM, f"{TRANSFORM} of {classifier.name}", 1)
            return f"{of_network}; so it was for all {len(untransformed)} images that were tried"
    return f"{why}; so it was for all {len(untransformed)} images that were tried"


def decode_for(
    images: ImageList,
    networks: Networks,
    batches: Iterable[range],
    workers: int,
    say: Callable[[str], None] = lambda text: None,
) -> Iterator[Batch]:
    """Decode images under the transforms of all networks, in other processes while this one computes.

    Args:
        images: All images of the run.
        networks: Their transforms are applied to each image.
        batches: Rows of the images of each batch.
        workers: Processes that decode; 0 decodes in this one.
        say: Is called with one line if no such process can be started.

    Returns:
        Batches in the order of `batches`; each has one tensor (image, channel, row, column) per network.
    """
    transforms = [network.transform for network in networks.all]
    return decode_batches(images, transforms, batches, workers=workers, pin=networks.device.type == "cuda", say=say)


@dataclass(frozen=True, slots=True)
class _Piece:
    """Images that go through the networks at once, and the results of them."""

    shard: int
    rows: list[int]
    tensors: list[Tensor]
    failed: list[tuple[int, str]]
    turned: list[int]
    hashes: list[int]
    stamps: Mapping[int, Stamp]
    last: bool
    """True if this is the last piece of its shard."""
    found: dict[str, Tensor] = field(default_factory=dict)


def extract(
    work: WorkFolder,
    networks: Networks,
    images: ImageList,
    settings: Settings,
    shards: Sequence[int],
    *,
    workers: int,
    progress: Progress,
    title: str = "features",
    map_strides: Mapping[str, int] = MappingProxyType({}),
) -> None:
    """Run the images of these shards through every network once, and store the features that reach each head.

    While some images are computed, the next are decoded and the last shard is written. Afterwards `networks.batch_size` is
    the size that did fit into memory.

    Args:
        work: The folder that the shards are written into.
        networks: All networks, on their device.
        images: All images of the run.
        settings: Precision and batch size.
        shards: Numbers of the shards to make.
        workers: Processes that decode images.
        progress: Shows how far the pass is.
        title: Title of the task that `progress` shows.
        map_strides: For each network k: the map of every k-th image is stored.

    Raises:
        SingError: A network gives features that are not finite, or memory or disk is full.
        ImagesError: The images' disk does not exist any more.
    """
    networks.batch_size = settings.batch_size

    def run_through(piece: _Piece) -> _Piece:
        found: dict[str, Tensor] = {}
        for network, tensor in zip(networks.all, piece.tensors, strict=bool(piece.rows)):
            found |= networks.run(network, networks.put(tensor), settings.of(network.name))
        for name, stride in map_strides.items():
            if f"{name}/maps" in found:
                found[f"{name}/maps"] = found[f"{name}/maps"][[row % stride == 0 for row in piece.rows]]
        return replace(piece, tensors=[], found=found)

    ranges = shard_rows(len(images))
    total = sum(len(ranges[index]) for index in shards)
    done: list[_Piece] = []
    with (
        progress.task(title, total) as advance,
        keeping_weights(networks.device),
        _Saver(work) as saver,
        Streams(networks.streams) as streams,
    ):
        pieces = _pieces(work, networks, images, [(index, ranges[index]) for index in shards], workers, progress.say)
        for piece in streams.map(partial(run_through, piece) for piece in pieces):
            done.append(piece)
            advance(len(piece.rows) + len(piece.failed))
            if piece.last:
                saver.put(piece.shard, _join(done, images, map_strides))
                done = []


def _pieces(
    work: WorkFolder,
    networks: Networks,
    images: ImageList,
    shards: Sequence[tuple[int, range]],
    workers: int,
    say: Callable[[str], None],
) -> Iterator[_Piece]:
    """Yield the decoded images of the shards in order, in pieces of the batch size at the time each piece is made."""
    step = max(DECODED, networks.batch_size)
    # Two readers of one sequence of parts: the decoding processes are a few parts ahead.
    parts, ahead = tee(
        (index, rows[start : start + step], rows) for index, rows in shards for start in range(0, len(rows), step)
    )
    stream = decode_for(images, networks, (rows for _, rows, _ in ahead), workers, say)
    for index, rows, all_rows in parts:
        batch = _next(stream, work)
        size = networks.batch_size
        starts = range(0, max(1, len(batch.rows)), size)
        for start in starts:
            cut = slice(start, start + size)
            tensors = [tensor[cut] for tensor in batch.tensors]
            ends = start == starts[-1]
            last = ends and rows[-1] == all_rows[-1]
            failed, turned, stamps = (batch.failed, batch.turned, batch.stamps) if ends else ([], [], {})
            yield _Piece(index, batch.rows[cut], tensors, failed, turned, batch.hashes[cut], stamps, last)


def _next(stream: Iterator[Batch], work: WorkFolder) -> Batch:
    """Return the next batch. A signal that ended the decoding processes, too, is reported as a signal, not as their error."""
    try:
        return next(stream)
    except SingError:
        work.leave_if_asked()
        raise


def _join(pieces: Sequence[_Piece], images: ImageList, map_strides: Mapping[str, int]) -> Shard:
    """Join the pieces of a shard."""
    rows = [row for piece in pieces for row in piece.rows]
    names = dict.fromkeys(name for piece in pieces for name in piece.found)
    joined = {name: torch.cat([piece.found[name] for piece in pieces if piece.rows]) for name in names}
    strides = {f"{name}/maps": stride for name, stride in map_strides.items()}
    for name, values in joined.items():
        stride = strides.get(name, 1)
        _check_finite(name, values, images, [row for row in rows if row % stride == 0])
    tensors = {name: values.cpu() for name, values in joined.items()}
    failed = [failure for piece in pieces for failure in piece.failed]
    turned = [row for piece in pieces for row in piece.turned]
    if not images.stored:
        hashes = [content for piece in pieces for content in piece.hashes]
        tensors[CONTENT] = torch.tensor(hashes, dtype=torch.int64)
    return Shard(torch.tensor(rows, dtype=torch.int64), tensors, failed, turned, _stamps(pieces))


def _stamps(pieces: Sequence[_Piece]) -> Tensor | None:
    """Return the stamps of all images of a shard, read or not, in the order of the list; None if they have none."""
    found = {row: stamp for piece in pieces for row, stamp in piece.stamps.items()}
    return torch.tensor([found[row] for row in sorted(found)], dtype=torch.int64) if found else None


class _Saver:
    """Write finished shards in another thread, one at a time, while the next one is computed."""

    def __init__(self, work: WorkFolder) -> None:
        self._work, self._pool = work, ThreadPoolExecutor(1)
        self._last: Future[None] | None = None

    def __enter__(self) -> "_Saver":
        return self

    def put(self, index: int, shard: Shard) -> None:
        """Start to write a shard; an error of the shard before it is raised here."""
        self._wait()
        self._last = self._pool.submit(self._work.write, index, shard)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown()
        if kind is None:
            self._wait()

    def _wait(self) -> None:
        if self._last is not None:
            self._last.result()


def _check_finite(name: str, values: Tensor, images: ImageList, rows: Sequence[int]) -> None:
    """Refuse features, maps, embeddings or logits (whose confidence is then NaN) of these images that are not finite."""
    if not values.is_floating_point() or values.isfinite().all():
        return
    bad = images.path(rows[int((~values.reshape(len(rows), -1).isfinite().all(dim=1)).nonzero()[0])])
    if name == CLIP:
        raise SingError(
            f"the CLIP network gives embeddings that are not finite for {bad}; are these the right weights?"
        )
    raise SingError(
        f"{name.rpartition('/')[0]} gives features that are not finite for {bad}; are these the right weights?"
    )
