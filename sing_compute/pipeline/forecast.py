"""Estimate time, memory and disk of a run (`--dry-run`), from its real images and networks and a short trial."""

import math
import resource
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from sing_compute.extraction.features import decode_for
from sing_compute.extraction.map_sampling import map_bytes
from sing_compute.extraction.networks import Networks
from sing_compute.extraction.settings import Settings
from sing_compute.extraction.shard_file import SHARD_IMAGES, shard_rows
from sing_compute.extraction.shards import WorkFolder
from sing_compute.extraction.streams import Streams
from sing_compute.measuring.fitting import FOLDS
from sing_compute.measuring.network_outputs import KEPT_BYTES
from sing_compute.pipeline.pilot import measuring_seconds
from sing_compute.pipeline.plan import Plan
from sing_compute.pipeline.preparation import Prepared, prepare, read_translators, resolve, text_inputs
from sing_compute.precision import keeping_weights
from sing_compute.process.progress import Progress
from sing_compute.process.ranks import Ranks
from sing_compute.process.tasks import duration_text
from sing_compute.scores.resampling import REPLICATES
from sing_compute.scores.statistics import MEDIANS
from sing_compute.store.catalogue import FIELDS, axes
from sing_compute.store.constants import SUBSETS

TIMED_IMAGES = 64
"""Images on which networks and decoding are timed."""
TIMES = 2
"""Passes by which each network is timed; the shortest counts, because the first pass prepares buffers and kernels."""
IMAGE_BYTES = 15
"""Bytes that a run holds in memory for each image, apart from its key."""
SQUARES = 16
"""Square matrices of the features' dimension, float64, that the translator's folds hold together."""


def forecast(plan: Plan, progress: Progress) -> list[list[str]]:
    """Estimate images, batches, time, memory and disk of a run.

    If several processes measure several models, each measures its part; the time is that of one process.

    Args:
        plan: The plan of the run.
        progress: Shows what is tried.

    Returns:
        Rows of a title and a text.

    Raises:
        SingError: As the run itself would.
    """
    with TemporaryDirectory(prefix="sing-") as folder:
        prepared = prepare(plan, WorkFolder(Path(folder) / "dry.h5", fresh=True), progress, Ranks())
    space, device = prepared.space, plan.device
    texts = text_inputs(plan, prepared, progress)
    translators = read_translators(plan, prepared.classifiers, texts, progress)
    clip = space.network if space else None
    networks = Networks(prepared.classifiers, clip, device, progress.say)
    settings = resolve(plan, prepared, texts, networks, progress)
    computing, decoding = measure_speed(networks, prepared, settings)
    networks.release()
    measuring = measuring_seconds(plan, prepared, texts, settings, translators, progress)
    images = len(prepared.images)
    batches = sum(-(-len(rows) // settings.batch_size) for rows in shard_rows(images))
    seconds = images * max(computing, decoding / max(1, plan.workers))
    if device.type == "cpu":  # both take turns on the same cores
        seconds = images * (computing + decoding / torch.get_num_threads())
    dims = {classifier.name: classifier.head[0].shape[1] for classifier in prepared.classifiers}
    sizes = {"image": images, "class": len(prepared.classes.names)}
    if texts:
        sizes |= {"concept": len(texts.vocabulary.names), "clip": texts.class_vectors.shape[1]}
    strides = prepared.map_strides(plan)
    maps = sum(-(-images // strides[c.name]) * map_bytes(c) for c in prepared.classifiers if c.name in strides)
    work = images * (sum(4 * dim + 8 for dim in dims.values()) + (4 * sizes["clip"] if clip else 0)) + maps
    keys = prepared.images.keys.arrays[0].nbytes
    store = keys + sum(_stored({**sizes, "dim": dim}, scored=texts is not None) for dim in dims.values()) + maps
    grows = images * IMAGE_BYTES + keys
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 + grows + SQUARES * 8 * max(dims.values()) ** 2
    free = shutil.disk_usage(plan.output.absolute().parent).free
    chosen = [f"{name} ({dim:,} features, {settings.precision[name]})" for name, dim in dims.items()]
    chosen += [f"CLIP ({sizes['clip']:,} dimensions, {settings.clip_precision})"] if clip else []
    afterwards = "for the scores" if texts else "to write them"
    decoders = f"{plan.workers} process{'es' if plan.workers > 1 else ''}" if plan.workers else "the same process"
    return [
        [
            "images",
            f"{images:,} of {sizes['class']:,} classes in {prepared.images.root or 'files of features'}",
        ],
        ["networks", f"{', '.join(chosen)}, on {device}"],
        ["batches", f"{batches:,} of up to {settings.batch_size} images; work is kept every {SHARD_IMAGES} images"],
        ["time", f"about {duration_text(seconds)} for the features, then {duration_text(measuring)} {afterwards}"],
        ["", f"networks {1e3 * computing:.1f} ms an image, decoding {1e3 * decoding:.1f} ms, in {decoders}"],
        ["memory", f"about {_size(memory)}, of which {_size(grows)} grow with the images"],
        ["disk", f"{_size(work)} of unfinished work and {_size(store)} of results; {_size(free)} are free"],
        *([["", "NOT ENOUGH: make room, or choose another -o"]] if work + store > free else []),
    ]


def measure_speed(networks: Networks, prepared: Prepared, settings: Settings) -> tuple[float, float]:
    """Measure how long networks and decoding take.

    Args:
        networks: All networks, on their device.
        prepared: The images.
        settings: Settings of the networks' arithmetic; its times are used if a trial has measured some.

    Returns:
        Seconds per image of all networks together, and of decoding in one process.
    """
    count = len(prepared.images)
    sample = prepared.images.take(np.arange(0, count, -(-count // TIMED_IMAGES)))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as in a decoding process
    start = time.monotonic()
    (batch,) = decode_for(sample, networks, [range(len(sample))], 0)
    decoding = (time.monotonic() - start) / len(sample)
    torch.set_num_threads(threads)
    if settings.seconds or not batch.rows:
        return settings.seconds, decoding
    networks.batch_size = settings.batch_size
    computing = 0.0
    with keeping_weights(networks.device), Streams(networks.streams) as streams:
        for network, tensor in zip(networks.all, batch.tensors, strict=True):
            ready, precision = networks.put(tensor), settings.of(network.name)
            computing += min(networks.run_timed(streams, network, ready, precision)[1] for _ in range(TIMES))
    return computing, decoding


def _stored(sizes: Mapping[str, int], *, scored: bool) -> int:
    """Return the bytes that the large arrays of one model take in the results file, without its maps."""
    known = {
        **{axis.name: axis.length for axis in axes() if axis.length},
        **sizes,
        "fold": FOLDS,
        "subset": len(SUBSETS),
        "replicate": REPLICATES,
        "figure": len(MEDIANS) + 2,
    }
    known |= {"class_figure": len(MEDIANS), "kept": min(sizes["image"], KEPT_BYTES // (4 * sizes["dim"]))}
    total = 0
    for path, field in FIELDS.items():
        written = path.startswith("models/") and (scored or field.level != "SCORED")
        if written and field.dtype != "text" and all(axis in known for axis in field.axes):
            total += np.dtype(field.dtype).itemsize * math.prod(known[axis] for axis in field.axes)
    return total


def _size(count: float) -> str:
    for unit in ("bytes", "KB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit in ("bytes", "KB", "MB") else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
