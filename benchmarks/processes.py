"""Measure how much faster two processes on two cores are than one process on one core.

`python benchmarks/processes.py` runs the command itself, alone on core 0 and under torchrun on cores 0 and 1, one thread each, on
a ResNet-50 with random weights and stored embeddings, prints a table and writes results/processes.csv and .md. The files that
the runs write must hold the same numbers.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import h5py
import numpy as np
from extraction import draw_photographs
from ratios import Ratio, save, table

RESULTS = Path(__file__).parent / "results" / "processes.csv"
NETWORK = """
import timm, torch

def resnet50():
    torch.manual_seed(0)
    return timm.create_model("resnet50", num_classes=2)
"""
CLIP_DIM = 128


@dataclass(frozen=True, slots=True)
class Duration:
    """Seconds of a run, and of its features alone (of rank 0, which has the largest part)."""

    whole: float
    features: float


def write_inputs(folder: Path, images: int) -> list[str]:
    """Write photographs, embeddings and a network; return the options of the run."""
    draw_photographs(folder / "images", images)
    keys = sorted(path.relative_to(folder / "images").as_posix() for path in (folder / "images").rglob("*.jpg"))
    rng = np.random.default_rng(0)
    words = ["class0", "class1", *(f"concept {number}" for number in range(20))]
    for name, texts in (("images", keys), ("words", words)):
        np.savez(folder / f"{name}.npz", keys=np.array(texts), embeddings=rng.normal(size=(len(texts), CLIP_DIM)))
    (folder / "classes.txt").write_text("class0\nclass1\n")
    (folder / "nets.py").write_text(NETWORK)
    return [
        *("--model", "nets:resnet50", "--images", "images", "--class-names", "classes.txt", "--precision", "float32"),
        *("--image-embeddings", "images.npz", "--concept-embeddings", "words.npz"),
    ]


def run(folder: Path, options: list[str], processes: int) -> Duration:
    """Run once with this number of processes, each on one core."""
    output = folder / f"{processes}.h5"
    for path in folder.glob(f"{processes}.h5*"):
        path.unlink()
    launcher = (
        ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)] if processes > 1 else []
    )
    command = [sys.executable, *launcher, "-m", "sing_compute", *options, "-o", output.name]
    began = time.perf_counter()
    subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        preexec_fn=lambda: os.sched_setaffinity(0, range(processes)),
        check=True,
        capture_output=True,
    )
    whole = time.perf_counter() - began
    done = re.search(r" features[^:\n]*: [\d,]+ of [\d,]+ in ([\d.]+) s", (folder / f"{processes}.h5.log").read_text())
    assert done
    return Duration(whole, float(done[1]))


def same(left: Path, right: Path) -> bool:
    """Return True if two results files hold the same bytes."""
    found: list[bool] = []
    with h5py.File(left) as one, h5py.File(right) as two:
        one.visititems(
            lambda name, item: (
                found.append(item[()].tobytes() == two[name][()].tobytes()) if isinstance(item, h5py.Dataset) else None
            )
        )
    return all(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer images, once; writes nothing")
    options = parser.parse_args()
    images, repetitions = (512, 1) if options.quick else (1024, 1)
    if len(os.sched_getaffinity(0)) < 2:
        parser.error("needs two cores")
    best: dict[int, Duration] = {}
    with TemporaryDirectory() as name:
        folder = Path(name)
        arguments = write_inputs(folder, images)
        for _ in range(repetitions):
            for processes in (1, 2):
                duration = run(folder, arguments, processes)
                least = best.get(processes, duration)
                best[processes] = Duration(min(least.whole, duration.whole), min(least.features, duration.features))
        equal = same(folder / "1.h5", folder / "2.h5")
    one, two = best[1], best[2]
    size = f"ResNet-50, {images:,} images"
    ratios = [
        Ratio("features, 2 processes on 2 cores over 1 on 1", size, one.features / two.features,
              f"{one.features:.1f} s over {two.features:.1f} s", least=1.8),
        Ratio("the whole run, start and measuring included", size, one.whole / two.whole,
              f"{one.whole:.1f} s over {two.whole:.1f} s"),
    ]  # fmt: skip
    facts = {"the two files hold the same numbers": json.dumps(equal)}
    print(*table(ratios), *(f"{key}: {value}" for key, value in facts.items()), sep="\n")
    if not options.quick:
        save(RESULTS, "Processes, measured", ratios, facts)


if __name__ == "__main__":
    main()
