"""Time peers in turn in one run; write their ratios, or any rows with a report, as CSV and Markdown."""

import csv
import datetime
import math
import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

HEADER = ("what", "size", "ratio", "goal", "met", "note")


@dataclass(frozen=True, slots=True)
class Ratio:
    """One measured ratio, and its goal: at least `least`, at most `most`."""

    what: str
    size: str
    value: float
    note: str = ""
    least: float = math.nan
    most: float = math.nan

    @property
    def row(self) -> tuple[str, ...]:
        goal = (
            f">= {self.least:g}" if self.least == self.least else f"<= {self.most:g}" if self.most == self.most else ""
        )
        met = not (self.value < self.least or self.value > self.most)
        return self.what, self.size, f"{self.value:.3g}", goal, ("yes" if met else "NO") if goal else "", self.note


def in_turn(peers: Mapping[str, Callable[[], object]], repetitions: int) -> dict[str, float]:
    """Return the shortest time of each peer, in seconds; they run in turn, so that a busy machine slows all of them."""
    least = dict.fromkeys(peers, math.inf)
    for _ in range(repetitions):
        for name, peer in peers.items():
            began = time.perf_counter()
            peer()
            least[name] = min(least[name], time.perf_counter() - began)
    return least


def table(ratios: Sequence[Ratio]) -> Iterator[str]:
    """Yield the table as lines of text."""
    rows = [HEADER, *(ratio.row for ratio in ratios)]
    widths = [max(len(row[k]) for row in rows) for k in range(len(HEADER))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def save_rows(path: Path, title: str, rows: Sequence[Any], lines: Sequence[str]) -> list[str]:
    """Write rows as CSV, and a report of them as Markdown next to it.

    Args:
        path: The CSV file.
        title: Title of the report.
        rows: Values of one dataclass, whose fields are the columns.
        lines: The report, below date and machine.

    Returns:
        All lines of the report.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as target:
        writer = csv.writer(target, lineterminator="\n")
        writer.writerow([part.name for part in fields(rows[0])])
        writer.writerows(astuple(row) for row in rows)
    facts = " · ".join(f"{name}: {value}" for name, value in surroundings().items())
    every = [f"# {title}", "", facts, "", *lines]
    path.with_suffix(".md").write_text("\n".join(every).rstrip() + "\n", encoding="utf-8")
    return every


def save(path: Path, title: str, ratios: Sequence[Ratio], facts: Mapping[str, str]) -> None:
    """Write the ratios as CSV, and as Markdown next to it; both begin with date and machine."""
    said = surroundings() | facts
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="", encoding="utf-8") as target:
        writer = csv.writer(target, lineterminator="\n")
        writer.writerows([f"# {key}", value] for key, value in said.items())
        writer.writerow(HEADER)
        writer.writerows(ratio.row for ratio in ratios)
    lines = [f"# {title}", "", *(f"- {key}: {value}" for key, value in said.items()), ""]
    rows = [HEADER, ("---",) * len(HEADER), *(ratio.row for ratio in ratios)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    path.with_suffix(".md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def surroundings() -> dict[str, str]:
    """Return date and machine of the measurement."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    processor = next(models, platform.machine())
    return {
        "date": f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC",
        "machine": f"{processor}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the end",
        "software": f"Python {platform.python_version()}, torch {version('torch')}, numpy {version('numpy')}",
    }
