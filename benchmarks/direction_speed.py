"""Time the steps of a search for 200 directions in half a million pixels, and its memory: `python benchmarks/direction_speed.py`.

Each precision is measured in a process of its own, on one thread. Before each step, the bare products of the step's shapes are
timed; ratios are of the shortest turns, in CPU seconds, so that other work on the machine counts little. The search goes through
both phases with a few steps each, and then over all pixels, in all images and two halves, as the command does. Writes
results/direction_speed.csv and .md (some six CPU minutes, 4 GB of memory).
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, get_args

import torch
from ratios import Ratio, save, table

from sing_compute.allocator import keeping_memory
from sing_compute.directions.alignment import LinearHead
from sing_compute.directions.search import Settings, find_in_subsets

RESULTS = Path(__file__).parent / "results" / "direction_speed.csv"
Precision = Literal["double", "single"]
CLASSES = 10
PHASES = ("orthogonal filters", "filters and signals")


@dataclass(frozen=True, slots=True)
class Size:
    """Sizes of a search."""

    images: int = 10_204
    positions: int = 49
    dim: int = 512
    count: int = 200
    restarts: int = 8
    steps: int = 2
    """Steps of each phase."""

    def __str__(self) -> str:
        pixels = self.images * self.positions
        return f"{pixels:,} pixels x {self.dim}, {self.count} directions, {self.restarts} restarts"


@dataclass(frozen=True, slots=True)
class Measured:
    """Times of one precision, in CPU seconds, and memory in GB."""

    steps: Mapping[str, float]
    """Shortest step of each phase."""
    products: Mapping[str, float]
    """Shortest time of the bare products of such a step."""
    at_start: float
    """Memory with the features alone."""
    peak: float


def measured(size: Size, precision: Precision) -> Measured:
    """Measure a search in this process.

    Args:
        size: Sizes.
        precision: Arithmetic of the products.
    """
    draw = torch.Generator().manual_seed(0)
    features = torch.randn(size.images, size.positions, size.dim, generator=draw)
    head = LinearHead(torch.randn(CLASSES, size.dim, generator=draw).double(), torch.zeros(CLASSES).double())
    settings = Settings(restarts=size.restarts, first_steps=size.steps, joint_steps=size.steps, precision=precision)
    at_start = _gigabytes()
    batches = (settings.first_batch, settings.joint_batch)
    images = [min(batch, size.images, settings.most_positions // size.positions) for batch in batches]
    least: dict[str, dict[str, float]] = {"steps": {}, "products": {}}
    begun, step = 0.0, 0

    def note(what: str, phase: str, seconds: float) -> None:
        least[what][phase] = min(seconds, least[what].get(phase, seconds))

    def before() -> None:
        """Is called before each step: end the clock of the step before, then time the products, then begin."""
        nonlocal begun, step
        if step % size.steps:
            note("steps", PHASES[step // size.steps], time.process_time() - begun)
        phase = step // size.steps
        seconds = _products(
            size, images[phase] * size.positions, torch.float32 if precision == "single" else torch.float64
        )
        note("products", PHASES[phase], (phase + 1) * seconds)
        step, begun = step + 1, time.process_time()

    def after(phase: str, at: int, losses: Mapping[str, float]) -> None:
        note("steps", phase, time.process_time() - begun)

    everything = torch.arange(size.images)
    with keeping_memory():
        find_in_subsets(
            *(features, head, size.count, [everything, *everything.tensor_split(2)]),
            settings=settings,
            stop=before,
            report=after,
        )
    return Measured(least["steps"], least["products"], at_start, _gigabytes())


def _products(size: Size, positions: int, dtype: torch.dtype) -> float:
    """Time the products of filters and features, forward and backward, for three subsets of the images.

    The joint phase has them twice: its signal vectors are such a product, too.
    """
    rows = torch.ones(3, size.restarts * size.count, size.dim, dtype=dtype)
    features = torch.ones(3, positions, size.dim, dtype=dtype)
    begun = time.process_time()
    logits = rows @ features.mT
    rows = logits @ features
    return time.process_time() - begun


def _gigabytes() -> float:
    """Return the largest memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def ratios_of(size: Size, precision: str, found: Measured) -> list[Ratio]:
    """Return the measured ratios, and the memory, with their goals."""
    rows = [
        Ratio(
            f"step of '{phase}' / its products, {precision}",
            str(size),
            found.steps[phase] / found.products[phase],
            f"{found.steps[phase]:.2f} and {found.products[phase]:.2f} CPU seconds",
            most=2,
        )
        for phase in PHASES
    ]
    note = f"{found.at_start:.2f} GB before the search: features and libraries"
    return [*rows, Ratio(f"largest memory in GB, {precision}", str(size), found.peak, note, most=8)]


def in_another_process(size: Size, precision: str) -> Measured:
    """Measure in a new process, whose memory nothing else has raised."""
    command = [sys.executable, __file__, "--one", precision, "--size", json.dumps(asdict(size))]
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return Measured(**json.loads(run.stdout))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=json.loads, default={}, help="sizes as JSON, such as '{\"images\": 1000}'")
    parser.add_argument("--one", choices=get_args(Precision), help="measure one precision in this process; print JSON")
    parser.add_argument("-o", "--output", type=Path, default=RESULTS)
    given = parser.parse_args(arguments)
    size = Size(**given.size)
    if given.one:
        torch.set_num_threads(1)
        print(json.dumps(asdict(measured(size, given.one))))
        return
    rows = [row for each in get_args(Precision) for row in ratios_of(size, each, in_another_process(size, each))]
    print("\n".join(table(rows)))
    facts = {
        "search": f"{size.steps} steps of each phase, in all images and two halves at once, then over all pixels; one thread",
        "features": "float32, drawn at random",
    }
    save(given.output, "A large search for directions: time of a step, and memory", rows, facts)


if __name__ == "__main__":
    main()
