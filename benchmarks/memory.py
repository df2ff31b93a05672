"""Measure the memory of measuring one model, from ten thousand images to a million: `python benchmarks/memory.py`.

The features are made up, shard by shard, and never stored; everything after them is the code of a run. Each size is measured in
a separate process, which is watched from outside. Writes benchmarks/results/memory.csv and memory.md. Needs Linux.
"""

import argparse
import csv
import json
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from planted import Quiet
from torch import Tensor, nn

from sing_compute.extraction.shard_file import SHARD_IMAGES, Shard
from sing_compute.extraction.shards import WorkFolder
from sing_compute.measuring.fitting import FOLDS
from sing_compute.measuring.network_outputs import keep_outputs
from sing_compute.measuring.reader import ShardReader
from sing_compute.measuring.sing import SharedInputs, SingMeasurement
from sing_compute.models.classifier import Classifier
from sing_compute.pipeline.store_sink import StoreSink
from sing_compute.store import replace_store

RESULTS = Path(__file__).resolve().parent / "results"
IMAGES = (10_000, 100_000, 1_000_000)
SAMPLE_SECONDS = 0.005
"""Seconds between two samples of a process's memory. The kernel's record of the largest value is used, too."""


@dataclass(frozen=True, slots=True)
class World:
    """Sizes of the measured data."""

    images: int
    classes: int = 200
    concepts: int = 100
    models: int = 1
    dim: int = 128
    rank: int = 64
    clip: int = 64


@dataclass(frozen=True, slots=True)
class Usage:
    """Time and memory of measuring a world."""

    seconds: float
    start: float
    """Anonymous memory before the first model is measured, in MB: libraries, labels, head."""
    anonymous: float
    """Largest anonymous memory that was seen, in MB."""
    resident: float
    """Largest resident memory, in MB: with mapped files, which are mostly libraries."""


class Simulated(WorkFolder):
    """Shards of a made-up model; each is made again whenever it is read."""

    def __init__(self, world: World, labels: Tensor, head: nn.Linear, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        self._world, self._labels, self._head, self._seed = world, labels, head, seed
        self._centres = torch.randn(world.classes, world.dim, generator=generator)
        self._map = torch.randn(world.dim, world.clip, generator=generator) / world.dim**0.5

    def read(self, index: int, *names: str) -> Shard:
        """Return one shard with the tensors of these names."""
        rows = torch.arange(index * SHARD_IMAGES, min((index + 1) * SHARD_IMAGES, self._world.images))
        generator = torch.Generator().manual_seed(self._seed * 10**9 + index)
        features = torch.randn(len(rows), self._world.dim, generator=generator) + self._centres[self._labels[rows]] + 1
        noise = torch.randn(len(rows), self._world.clip, generator=generator)
        tensors = {}
        for name in names:
            if name == "clip":
                tensors[name] = torch.nn.functional.normalize(features @ self._map + noise / 2)
            elif name.endswith("/features"):
                tensors[name] = features
            else:
                confidence, prediction = self._head(features).softmax(1).max(1)
                tensors[name] = prediction.int() if name.endswith("/prediction") else confidence
        return Shard(rows, tensors, [])


@torch.inference_mode()
def measure(world: World, folder: Path) -> float:
    """Measure a made-up world with the code of a run; return the anonymous memory before that, in MB."""
    generator = torch.Generator().manual_seed(0)
    offsets = -(-torch.arange(world.classes + 1) * world.images // world.classes)
    labels = torch.arange(world.classes, dtype=torch.int32).repeat_interleave(offsets.diff())
    folds = torch.randint(FOLDS, (world.images,), generator=generator, dtype=torch.int8)
    texts = torch.nn.functional.normalize(
        torch.randn(world.classes + world.concepts, world.clip, generator=generator), dim=1
    )
    edges, classes = offsets.numpy(), labels.numpy()
    names = [f"class {index}" for index in range(world.classes)]
    shared = SharedInputs(edges, classes, {}, texts[: world.classes], texts[world.classes :])
    start = memory("self")["RssAnon"]
    with replace_store(folder / "results.h5", scratch=folder) as writer:
        for seed in range(world.models):
            head = nn.Linear(world.dim, world.classes)
            left = torch.randn(world.classes, world.rank, generator=generator)
            head.weight.copy_(left @ torch.randn(world.rank, world.dim, generator=generator) / world.dim)
            classifier = Classifier(f"model{seed}", head, lambda feature: feature, {})
            classifier.attach(torch.randn(4, world.dim, generator=generator))
            work = Simulated(world, labels, head, seed)
            reader = ShardReader(work, world.images, None, labels, folds, torch.device("cpu"))
            sink = StoreSink(writer).model(classifier.name, images=world.images, classes=world.classes)
            correct, _ = keep_outputs(classifier, reader, classes, edges, [], sink, Quiet(), names=names)
            measurement = SingMeasurement(classifier, reader, shared, invariance="logits", ridge=None, seed=0)
            measurement.run(correct, sink, Quiet())
    return start


def memory(process: int | str) -> dict[str, float]:
    """Return the kernel's figures of a process's memory, in MB; none for a process that has ended."""
    lines = (line.split() for line in Path(f"/proc/{process}/status").read_text().splitlines())
    return {words[0].strip(":"): int(words[1]) / 1024 for words in lines if words[-1] == "kB"}


def usage_of(world: World, *, script: str = __file__) -> Usage:
    """Measure a world in a separate process, and watch its memory."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, script, "--one", json.dumps(asdict(world)), "--folder", folder]
        most = 0.0
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            while process.poll() is None:
                most = max(most, memory(process.pid).get("RssAnon", 0.0))
                time.sleep(SAMPLE_SECONDS)
            assert process.stdout is not None
            answer = process.stdout.read()
    if process.returncode:
        raise SystemExit(f"measuring {world} failed with code {process.returncode}")
    found = json.loads(answer)
    return Usage(found["seconds"], found["start"], most, found["resident"])


def one(world: World, folder: Path) -> None:
    """Measure a world in this process, which another one watches."""
    start = time.perf_counter()
    before = measure(world, folder)
    answer = {"seconds": time.perf_counter() - start, "start": before, "resident": memory("self")["VmHWM"]}
    print(json.dumps(answer))


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, nargs="+", default=IMAGES)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.one:
        one(World(**json.loads(given.one)), given.folder)
        return
    rows = []
    for images in given.images:
        world = replace(World(images=given.images[0]), images=images)
        found = usage_of(world)
        print(f"{images:,} images: {found}", flush=True)
        rows.append({"images": images} | {name: round(value, 1) for name, value in asdict(found).items()})
    write(rows)


def write(rows: list[dict[str, float]]) -> None:
    """Write the table as CSV and as Markdown, with the growth over the smallest size."""
    first = rows[0]
    for row in rows:
        row["growth"] = round(row["anonymous"] / first["anonymous"] - 1, 4)
        more = row["images"] - first["images"]
        row["bytes_an_image"] = round((row["anonymous"] - first["anonymous"]) * 2**20 / more, 1) if more else 0.0
    with (RESULTS / "memory.csv").open("w", newline="") as stream:
        table = csv.DictWriter(stream, list(first), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
    world = World(0)
    lines = [
        "# Memory of measuring one model",
        "",
        f"`python benchmarks/memory.py`: made-up features of {world.dim} dimensions, a CLIP space of {world.clip}, "
        f"{world.classes:,} classes, {world.concepts} concepts; {platform.machine()}, {torch.get_num_threads()} threads, "
        f"torch {torch.__version__}. Anonymous memory, the most seen; resident memory includes mapped libraries.",
        "",
        "| images | seconds | before, MB | anonymous, MB | resident, MB | growth | bytes an image |",
        "|---:|---:|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {row['images']:,.0f} | {row['seconds']:.0f} | {row['start']:.0f} | {row['anonymous']:.0f} "
        f"| {row['resident']:.0f} | {row['growth']:+.1%} | {row['bytes_an_image']:.0f} |"
        for row in rows
    ]
    (RESULTS / "memory.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
