"""Measure how long the explorer keeps its user waiting, how much it sends to the terminal, and how much memory it takes.

`python benchmarks/explorer.py STORE.h5` drives the real sing-tui in a pseudo-terminal, next to an empty Textual app, Textual's
DataTable and VisiData, prints a table and writes results/explorer.csv and .md. A full-size store: benchmarks/full_store.py.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))  # for terminal.py

from explorer_facts import facts_of
from explorer_jobs import jobs
from explorer_keys import every_key, movements, next_class, sorts, starts
from explorer_peers import data_table, equip, memory_of_empty, visidata
from explorer_report import Figure, save, surroundings, table
from explorer_session import SIZES, Bench, isolated
from explorer_weight import csv_headless, csv_here, line_bytes, memory

from sing_compute.errors import SingError

RESULTS = Path(__file__).parent / "results" / "explorer.csv"
PARTS: dict[str, Callable[[Bench], Iterator[Figure]]] = {
    "starts": starts,
    "movements": movements,
    "keys": every_key,
    "sorts": sorts,
    "classes": next_class,
    "jobs": jobs,
    "bytes": line_bytes,
    "memory": memory,
    "csv": csv_headless,
    "export": csv_here,
}


def measure_part(name: str, part: Callable[[], Iterator[Figure]]) -> Iterator[Figure]:
    """Yield the figures of a part; if it cannot be measured, yield one figure with the reason."""
    began = time.perf_counter()
    try:
        yield from part()
    except (TimeoutError, OSError, SingError, LookupError, ValueError) as error:
        yield Figure(
            f"{name}: not measured", "", float("nan"), "", 0, f"{type(error).__name__}: {error}"[:300], headline=True
        )
    print(f"{name}: {time.perf_counter() - began:.0f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=RESULTS)
    parser.add_argument("--quick", action="store_true", help="fewer repetitions, fewer keys, no VisiData")
    parser.add_argument(
        "--only", choices=[*PARTS, "peers"], action="append", help="measure this part (may be repeated)"
    )
    parser.add_argument(
        "--scratch", type=Path, help="folder for the peers' environment, kept; otherwise made and removed"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="explorer-") as folder:
        scratch = Path(folder)
        facts = facts_of(options.store.resolve())
        said = surroundings(options.store, facts.images)
        bench = Bench(facts, scratch, options.quick, memory_of_empty(scratch), isolated(scratch))
        said["empty Textual app"] = f"{bench.size_of_empty / 1e6:.0f} MB resident"
        figures: list[Figure] = []
        for name in (name for name in PARTS if not options.only or name in options.only):
            figures += measure_part(name, partial(PARTS[name], bench))
        if not options.only or "peers" in options.only:
            for size in SIZES:
                figures += measure_part("DataTable", partial(data_table, scratch, size))
            if not options.quick:
                home = equip(options.scratch or scratch)
                figures += measure_part("VisiData", partial(visidata, home, scratch, facts.values("image_score")))
    print("\n".join([*(f"{key}: {value}" for key, value in said.items()), "", *table(figures)]))
    if not options.only or options.output != RESULTS:
        save(options.output, figures, said)


if __name__ == "__main__":
    main()
