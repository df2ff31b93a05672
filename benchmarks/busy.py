"""Measure a run on an idle machine and beside other work, with several ways in which OpenMP's threads wait for each other.

`python benchmarks/busy.py` runs the command on drawn images and the demo's networks, by turns with every policy: first on the
idle machine, then beside three burning processes for each core. It prints a table and writes results/busy.csv and .md, in less
than 15 minutes on two cores. `--only idle` or `--only busy` measures one half; the other half of the table stays as it was.

A thread that has finished its share of a kernel waits for the others. While it spins, it takes the core from whoever holds up the
kernel, if there are more threads than cores; if it sleeps at once, waking it takes longer than a short kernel.
"""

import argparse
import csv
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from ratios import surroundings

RESULTS = Path(__file__).parent / "results"
ROOT = Path(__file__).resolve().parents[1]
IMAGES = 40
PER_CORE = 3
"""Burning processes for each core."""
LIMIT = 75.0
"""Seconds after which a run is ended; its time then counts as infinite."""
REPETITIONS = {"idle": 2, "busy": 1}
BEFORE = "as OpenMP has it (before)"
POLICIES: dict[str, dict[str, str]] = {
    BEFORE: {"GOMP_SPINCOUNT": "300000"},  # libgomp's own default
    "as sing-compute sets it": {},
    "GOMP_SPINCOUNT=10000": {"GOMP_SPINCOUNT": "10000"},
    "GOMP_SPINCOUNT=1000": {"GOMP_SPINCOUNT": "1000"},
    "OMP_WAIT_POLICY=passive": {"OMP_WAIT_POLICY": "passive"},
    "one thread": {"OMP_NUM_THREADS": "1", "GOMP_SPINCOUNT": "300000"},
}
"""Variables of each policy; all other variables of OpenMP are removed."""
BURN = "import os\nparent = os.getppid()\nwhile os.getppid() == parent:\n    for _ in range(10**6): pass"
"""Program that computes until the benchmark ends."""
CONDITIONS = ("idle", "busy")
KERNELS = "kernels, "
"""Begins the names of the conditions in which small kernels are timed alone."""
PROGRAM = """
import time
from sing_compute.openmp import settle_threads
settle_threads()
import torch
generator = torch.Generator().manual_seed(0)
square = torch.randn(128, 128, generator=generator, dtype=torch.float64)
line, wide = torch.randn(60_000, generator=generator), torch.randn(512, 256, generator=generator)
began, done = time.perf_counter(), 0
while time.perf_counter() - began < 5:
    square @ square, torch.sin(line) + line, (wide @ wide.T).softmax(1)
    done += 1
print((time.perf_counter() - began) * 1000 / done)
"""
"""Times kernels as they occur while a model is measured; prints the seconds of a thousand rounds of them."""
Times = dict[tuple[str, str], list[float]]
"""Seconds of each run, by condition and policy."""


def make_inputs(folder: Path, images: int) -> list[str]:
    """Draw images in class folders, and return the options of the run."""
    from sing_compute.datafiles import data_path
    from sing_compute.demo.run import MODELS
    from sing_compute.demo.scenes import draw, drawing_seed, held_out_scenes

    scenes = held_out_scenes()
    stride = max(1, len(scenes) // images)
    for number, scene in list(enumerate(scenes))[::stride][:images]:
        path = folder / "images" / scene.shape / f"{number:04d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        draw(scene, seed=drawing_seed(number)).save(path)
    models = [part for name in MODELS for part in ("--model", f"{name}=local-dir:{data_path(f'demo/{name}')}")]
    clip = f"local-dir:{data_path('demo/clip')}"
    words = str(data_path("demo/concepts.tsv"))
    return [*models, "--images", str(folder / "images"), "--clip", clip, "--concepts", words, "--device", "cpu"]


def environment(policy: str) -> dict[str, str]:
    """Return the variables of a run under a policy."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_", "KMP_", "MKL_"))}
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    return kept | {"PYTHONPATH": path} | POLICIES[policy]


def run_once(command: Sequence[str], variables: Mapping[str, str], folder: Path) -> float:
    """Return the seconds of a run of the command; infinity if it was ended at the limit."""
    began = time.perf_counter()
    try:
        ended = subprocess.run(
            command, cwd=folder, env=dict(variables), capture_output=True, text=True, timeout=LIMIT, check=False
        )
    except subprocess.TimeoutExpired:
        return math.inf
    if ended.returncode:
        raise RuntimeError(f"the run ended with code {ended.returncode}:\n{ended.stderr[-2000:]}")
    return time.perf_counter() - began


def time_kernels(variables: Mapping[str, str]) -> float:
    """Return the seconds of a thousand rounds of small kernels."""
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=dict(variables), capture_output=True, text=True, check=True
    )
    return float(ended.stdout)


@contextmanager
def burning(count: int) -> Iterator[None]:
    """Keep so many processes computing while the block runs."""
    others = [subprocess.Popen([sys.executable, "-S", "-c", BURN]) for _ in range(count)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def measure(
    condition: str, burners: int, repetitions: int, run: Callable[[str], float], say: Callable[[str], None] = print
) -> dict[str, list[float]]:
    """Run every policy by turns under a condition, and return the seconds of each."""
    found: dict[str, list[float]] = {policy: [] for policy in POLICIES}
    with burning(burners if condition.endswith("busy") else 0):
        for _ in range(repetitions):
            for policy, times in found.items():
                times.append(run(policy))
                say(f"{condition}: {policy}: {times[-1]:.1f} s, load {os.getloadavg()[0]:.1f}")
    return found


def read(path: Path) -> Times:
    """Return the times of an earlier table; none if there is no such file."""
    found: Times = {}
    if path.exists():
        with open(path, newline="", encoding="utf-8") as source:
            for condition, policy, seconds in csv.reader(line for line in source if not line.startswith("#")):
                if condition != "condition":
                    found.setdefault((condition, policy), []).append(float(seconds))
    return found


def read_facts(path: Path) -> dict[str, str]:
    """Return what stands above an earlier table."""
    if not path.exists():
        return {}
    with open(path, newline="", encoding="utf-8") as source:
        return {row[0].removeprefix("# "): row[1] for row in csv.reader(source) if row[0].startswith("# ")}


def table(times: Times) -> list[tuple[str, ...]]:
    """Return the rows of the table: for each policy the shortest time under each condition, and its ratio to that of `BEFORE`."""
    columns = [prefix + condition for prefix in ("", KERNELS) for condition in CONDITIONS]
    rows = [("policy", *(cell for column in columns for cell in (column, "over before")))]
    for policy in POLICIES:
        cells = [policy]
        for column in columns:
            least, before = (min(times.get((column, name), [math.nan])) for name in (policy, BEFORE))
            cells += ["not measured", ""] if math.isnan(least) else [_seconds(least), _ratio(least, before)]
        rows.append(tuple(cells))
    return rows


def _ratio(value: float, before: float) -> str:
    if math.isinf(before):
        return "" if math.isinf(value) else f"less than {value / LIMIT:.2f}"
    return f"{value / before:.2f}"


def _seconds(value: float) -> str:
    return f"{value:.1f} s" if math.isfinite(value) else f"more than {LIMIT:.0f} s"


def write(path: Path, times: Times, facts: Mapping[str, str]) -> None:
    """Write all times as CSV, and the table as Markdown next to it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="", encoding="utf-8") as target:
        writer = csv.writer(target, lineterminator="\n")
        writer.writerows([f"# {key}", value] for key, value in facts.items())
        writer.writerow(("condition", "policy", "seconds"))
        writer.writerows((*key, f"{value:.2f}") for key, values in times.items() for value in values)
    rows = table(times)
    lines = ["# A busy machine, measured", "", *(f"- {key}: {value}" for key, value in facts.items()), ""]
    lines += ["| " + " | ".join(cells) + " |" for cells in [rows[0], ("---",) * len(rows[0]), *rows[1:]]]
    path.with_suffix(".md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=CONDITIONS, help="measure one half of the table")
    parser.add_argument("--kernels", action="store_true", help="time small kernels alone, without runs of the command")
    parser.add_argument("--images", type=int, default=IMAGES)
    parser.add_argument(
        "--repetitions", type=int, help="runs of each policy (3 on the idle machine, 1 on the busy one)"
    )
    parser.add_argument(
        "--output", type=Path, default=RESULTS, help="folder of the tables (default: benchmarks/results)"
    )
    cores = len(os.sched_getaffinity(0))
    parser.add_argument(
        "--burning",
        type=int,
        default=PER_CORE * cores,
        help="burning processes (3 for each core), beside what runs already",
    )
    options = parser.parse_args(arguments)
    path = options.output / "busy.csv"
    times, old = read(path), read_facts(path)
    load = os.getloadavg()[0]
    if options.only != "busy" and load > 0.5:
        print(f"the load of this machine is {load:.1f}: it is not idle", file=sys.stderr)
    facts = surroundings() | {"run": f"{options.images} images, the demo's networks and CLIP, {cores} cores"}
    facts |= {"kernels": "seconds of a thousand rounds of small matrix products, sines and softmax"}
    if options.only == "idle":
        facts |= {key: value for key, value in old.items() if key == "busy"}
    else:
        facts["busy"] = f"{options.burning} burning processes, beside a load of {load:.1f} at the beginning"
    with TemporaryDirectory() as name:
        folder = Path(name)
        command = [sys.executable, "-m", "sing_compute", *make_inputs(folder, options.images), "--fresh"]
        command += ["-o", str(folder / "out.h5")]

        def run(policy: str) -> float:
            return run_once(command, environment(policy), folder)

        def kernels(policy: str) -> float:
            return time_kernels(environment(policy))

        for condition in (options.only,) if options.only else CONDITIONS:
            repetitions = options.repetitions or REPETITIONS[condition]
            for name, call in ((KERNELS + condition, kernels), (condition, run)):
                if name == condition and options.kernels:
                    continue
                found = measure(name, options.burning, repetitions, call)
                times |= {(name, policy): values for policy, values in found.items()}
                write(path, times, facts)
    rows = table(times)
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    print(*("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows), sep="\n")


if __name__ == "__main__":
    main()
