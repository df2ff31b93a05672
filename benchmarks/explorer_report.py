"""Write the figures of the explorer's benchmark, and the machine that they were measured on, as table, CSV and Markdown."""

import csv
import datetime
import importlib.metadata
import math
import os
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

HEADER = ("what", "where", "measured", "unit", "goal", "met", "note")


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number; `goal` is the largest value that is good enough."""

    what: str
    where: str
    value: float
    unit: str
    goal: float = math.nan
    note: str = ""
    headline: bool = False
    """True if the figure is in the table on the screen, too; False if it is only in the CSV."""

    @property
    def met(self) -> str:
        if math.isnan(self.goal):
            return ""
        return "yes" if self.value <= self.goal else "NO"

    @property
    def row(self) -> tuple[str, ...]:
        goal = "" if math.isnan(self.goal) else f"{self.goal:g}"
        return self.what, self.where, _number(self.value), self.unit, goal, self.met, self.note


def spread(
    what: str, where: str, seconds: Sequence[float], goal: float = math.nan, *, headline: bool = False
) -> Figure:
    """Return the 95th percentile of times, in ms; median, longest time and count are in its note."""
    known = np.array([second for second in seconds if not math.isnan(second)]) * 1000
    if not len(known):
        return Figure(what, where, math.nan, "ms p95", goal, "no answer to any key", headline)
    note = f"p50 {np.median(known):.1f}, max {known.max():.1f}, n {len(known)}"
    return Figure(what, where, float(np.percentile(known, 95)), "ms p95", goal, note, headline)


def surroundings(store: Path, images: int) -> dict[str, str]:
    """Return date and machine of the measurement."""
    versions = {name: importlib.metadata.version(name) for name in ("textual", "numpy", "h5py")}
    return {
        "date": f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC",
        "machine": f"{_processor()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start",
        "software": f"Python {platform.python_version()}, " + ", ".join(f"{k} {v}" for k, v in versions.items()),
        "store": f"{store.name}, {store.stat().st_size / 1e9:.2f} GB, {images:,} images",
    }


def table(figures: Sequence[Figure]) -> Iterator[str]:
    """Yield the headlines as lines of text."""
    rows = [HEADER, *(figure.row for figure in figures if figure.headline)]
    widths = [max(len(row[k]) for row in rows) for k in range(len(HEADER))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def save(path: Path, figures: Sequence[Figure], facts: dict[str, str]) -> None:
    """Write all figures as CSV, and the headlines as Markdown next to it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="", encoding="utf-8") as target:
        writer = csv.writer(target, lineterminator="\n")
        writer.writerows([f"# {key}", value] for key, value in facts.items())
        writer.writerow(HEADER)
        writer.writerows(figure.row for figure in figures)
    rows = [HEADER, ("---",) * len(HEADER), *(figure.row for figure in figures if figure.headline)]
    lines = ["# The explorer, measured", ""]
    lines += [f"- {key}: {value}" for key, value in facts.items()] + [""]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    path.with_suffix(".md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _number(value: float) -> str:
    if math.isnan(value):
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
