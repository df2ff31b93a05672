"""Attack the programs: `python tests/attack --minutes 10 --seed 0 [deaths errno stores inputs terminal]`.

Runs are killed at each of their file operations, disks fail, results files and inputs are made by an adversary, and every text
that reaches a terminal is hostile. Prints a table of what was tried and what failed; `--report NAME` adds it to what other seeds
have given (benchmarks/results/NAME.csv and .md). Everything follows from the seed; `--only PART:NUMBER` repeats one attempt.
"""

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")]))
os.environ.setdefault("OMP_NUM_THREADS", "1")

import deaths  # noqa: E402
import hostile_inputs  # noqa: E402
import hostile_terminal  # noqa: E402
import mutated_stores  # noqa: E402
import report  # noqa: E402
from attempts import Attempt  # noqa: E402
from forked import Runs  # noqa: E402

RESULTS = HERE.parents[1] / "benchmarks" / "results"
MANY = 10**9
PARTS: dict[str, tuple[float, str]] = {
    "deaths": (0.3, "a run is killed at one of its file operations; the same command again"),
    "errno": (0.3, "a file operation of a run fails, once or from then on; the same command again"),
    "stores": (
        0.8,
        "changed results files, read by every verb and every export; some on a screen and by the slow verbs",
    ),
    "inputs": (0.3, "hostile images, archives, tables, embeddings, vocabularies, weights, configurations"),
    "terminal": (0.3, "files whose every text is hostile, in a pseudo-terminal: verbs and keys of the explorer"),
}
"""Share of the time of two processors, and what is tried."""


def attempts(part: str, runs: Runs, seed: int, numbers: range, folder: Path) -> Iterator[Attempt]:
    """Begin a part."""
    started: dict[str, Callable[[], Iterator[Attempt]]] = {
        "deaths": lambda: deaths.attack("deaths", deaths.World(runs, folder, seed), numbers),
        "errno": lambda: deaths.attack("errno", deaths.World(runs, folder, seed), numbers),
        "stores": partial(mutated_stores.attack, seed, numbers),
        "inputs": partial(hostile_inputs.attack, runs, seed, numbers, folder),
        "terminal": partial(hostile_terminal.attack, runs, seed, numbers, folder),
    }
    return started[part]()


def carried_out(part: str, seed: int, numbers: range, seconds: float) -> list[Attempt]:
    """Go on with a part until its numbers or its time are at an end; print what failed at once."""
    found: list[Attempt] = []
    end = time.monotonic() + seconds
    with tempfile.TemporaryDirectory(prefix="attack-") as folder, Runs() as runs:
        stream = attempts(part, runs, seed, numbers, Path(folder) / "place")
        try:
            for attempt in stream:
                found.append(attempt)
                if attempt.problem:
                    print(f"FAILED {part}:{attempt.number} {attempt.kind}: {attempt.problem}", flush=True)
                    print(f"  again: python tests/attack --seed {seed} --only {part}:{attempt.number}", flush=True)
                if time.monotonic() > end:
                    break
        finally:
            stream.close()
    return found


def main() -> int:
    """Carry out the parts, two at a time; return 1 if anything failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", metavar="PART:NUMBER", help="repeat one attempt")
    parser.add_argument("--report", metavar="NAME", help="add to benchmarks/results/NAME.csv and .md")
    given = parser.parse_args()
    commit = report.commit()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    numbers, parts = range(MANY), given.parts or list(PARTS)
    if given.only:
        part, _, number = given.only.partition(":")
        parts, numbers = [part], range(int(number), int(number) + 1)
    if given.report and given.only:
        parser.error("--report adds whole parts, not one attempt")
    if unknown := set(parts) - set(PARTS):
        parser.error(f"no part {unknown.pop()!r}; there are {', '.join(PARTS)}")
    whole = sum(PARTS[part][0] for part in parts)
    share = 60 * given.minutes * min(2, len(parts)) / whole
    with ThreadPoolExecutor(2) as pool:  # the work is in child processes
        order = sorted(parts, key=lambda part: -PARTS[part][0])
        begun = [pool.submit(carried_out, part, given.seed, numbers, share * PARTS[part][0]) for part in order]
        found = [attempt for each in begun for attempt in each.result()]
    rows = report.counted(found, given.seed, commit)
    print(report.table(rows, PARTS))
    if given.report:
        report.add(RESULTS / f"{given.report}.csv", rows, PARTS)
    return any(attempt.problem for attempt in found)


if __name__ == "__main__":
    sys.exit(main())
