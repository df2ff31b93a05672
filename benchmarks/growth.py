"""Measure how time and memory of measuring grow with images, classes, concepts and models: `python benchmarks/growth.py`.

One of them is doubled three times while the others stay; features are made up (memory.py), the code is that of a run. Writes
benchmarks/results/growth.csv and growth.md with the exponent b of cost ~ size^b, by least squares in logarithms. Needs Linux.
"""

import argparse
import csv
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import torch
from memory import RESULTS, Usage, World, usage_of

BASE = World(images=4_000, classes=50, concepts=250, models=1, dim=128, rank=32, clip=64)
DOUBLINGS = 3
AXES = ("images", "classes", "concepts", "models")


@dataclass(frozen=True, slots=True)
class Row:
    """Time and memory at one size of one axis, the smallest values of several runs."""

    axis: str
    size: int
    seconds: float
    anonymous: float
    """Largest anonymous memory, in MB."""


def best(world: World, repeats: int) -> Usage:
    """Run the same process several times and return the smallest values: other work on the machine only adds to them."""
    found = [asdict(usage_of(world)) for _ in range(repeats)]
    return Usage(**{name: min(each[name] for each in found) for name in found[0]})


def rows(base: World, doublings: int, repeats: int) -> list[Row]:
    """Measure every axis at every size; the base is measured once for all axes."""
    first, result = best(base, repeats), []
    for axis in AXES:
        for doubling in range(doublings + 1):
            size = getattr(base, axis) * 2**doubling
            found = best(replace(base, **{axis: size}), repeats) if doubling else first
            print(f"{axis} {size:,}: {found}", flush=True)
            result.append(Row(axis, size, round(found.seconds, 3), round(found.anonymous, 1)))
    return result


def exponent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """Return b of cost ~ size^b."""
    return float(np.polyfit(np.log(sizes), np.log(costs), 1)[0])


def write(found: Sequence[Row], base: World, repeats: int) -> None:
    """Write the table as CSV and as Markdown."""
    with (RESULTS / "growth.csv").open("w", newline="") as stream:
        table = csv.DictWriter(stream, list(asdict(found[0])), lineterminator="\n")
        table.writeheader()
        table.writerows(asdict(row) for row in found)
    lines = [
        "# Growth of time and memory",
        "",
        f"`python benchmarks/growth.py`: from {base.images:,} images, {base.classes} classes, {base.concepts} concepts and "
        f"{base.models} model, features of {base.dim} dimensions, a CLIP space of {base.clip}; {torch.get_num_threads()} "
        f"threads, the least of {repeats} runs. Each column doubles one of them; time over that of the first row, memory in MB. "
        "Exponents below 1 have a part that does not grow; some of the work is bounded at 20,000 images.",
        "",
        "| doubled | " + " | ".join(f"{axis}, time | {axis}, memory" for axis in AXES) + " |",
        "|---:|" + "---:|" * (2 * len(AXES)),
    ]
    parts = {axis: [row for row in found if row.axis == axis] for axis in AXES}
    for place in range(len(parts[AXES[0]])):
        cells = (
            f"{part[place].seconds / part[0].seconds:.2f} | {part[place].anonymous:.0f}" for part in parts.values()
        )
        lines.append(f"| {place} | " + " | ".join(cells) + " |")
    powers = []
    for part in parts.values():
        sizes = [row.size for row in part]
        powers += [exponent(sizes, [row.seconds for row in part]), exponent(sizes, [row.anonymous for row in part])]
    lines.append("| exponent | " + " | ".join(f"{power:z.2f}" for power in powers) + " |")
    (RESULTS / "growth.md").write_text("\n".join(lines) + "\n")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=1)
    given = parser.parse_args(arguments)
    write(rows(BASE, DOUBLINGS, given.repeats), BASE, given.repeats)


if __name__ == "__main__":
    main()
