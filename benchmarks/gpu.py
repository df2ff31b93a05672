"""Check and measure everything that a graphics card does, by one command in under 6 minutes, with nothing to download.

`python benchmarks/gpu.py` draws images and networks with random weights, and writes results/gpu-CARD.md after each part:

- tests: the tests that need a card;
- ResNet-50, ViT-L/14: `extract` in every precision, against the bare forward pass and against decoding alone, with its memory;
- precision: the change of AS and IS in degrees, by each precision;
- out of memory: a batch that does not fit is halved, and the features stay the same;
- two processes: two on one card write the same file as one;
- measuring: translator and scores on the card and on the processor, with the largest difference of the results.

Each part runs in a process of its own: one that fails, crashes or takes too long becomes a row with the reason, and the others
go on. `--device cpu --small` is the same without a card, on tiny networks; the tests run it.
"""

import argparse
import importlib.metadata
import json
import multiprocessing
import os
import re
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from ratios import surroundings

RESULTS = Path(__file__).parent / "results"
SECONDS = 340.0
"""Time for all parts; a part that begins later has only the rest of it."""
VERSIONS = ("torchvision", "timm", "open_clip_torch", "h5py", "jaxtyping")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    what: str
    size: str
    value: str
    note: str = ""

    @property
    def cells(self) -> tuple[str, ...]:
        return self.what, self.size, self.value, self.note


@dataclass(frozen=True, slots=True)
class Setting:
    """Settings that all parts share."""

    folder: Path
    """Folder for files; removed at the end."""
    device_name: str
    small: bool

    @property
    def device(self) -> torch.device:
        return torch.device(self.device_name)

    @property
    def on_card(self) -> bool:
        return self.device.type == "cuda"


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the benchmark, which may take so many seconds at most."""

    name: str
    rows: Callable[[Setting], Iterator[Row]]
    seconds: float


def run_part(part: Part, setting: Setting, seconds: float) -> list[Row]:
    """Run a part in a process of its own, and return its rows; what goes wrong is its last row.

    Args:
        part: The part.
        setting: Is handed to it.
        seconds: Time after which it is killed, with all processes that it has started.
    """
    file = setting.folder / f"{re.sub('[^a-z0-9]+', '-', part.name.lower())}.jsonl"
    file.write_text("")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # this process has no threads that a fork could miss
        process = multiprocessing.get_context("fork").Process(target=_work, args=(part, setting, file))
        process.start()
    process.join(max(1.0, seconds))
    late = process.is_alive()
    if late:
        assert process.pid is not None
        for kill in (os.killpg, os.kill):
            try:
                kill(process.pid, signal.SIGKILL)
            except ProcessLookupError:  # it has ended, or has not made its group yet
                continue
    process.join()
    rows = [Row(**json.loads(line)) for line in file.read_text(encoding="utf-8").splitlines()]
    if late:
        rows.append(Row(part.name, "", "stopped", f"not finished after {seconds:.0f} s"))
    elif process.exitcode:
        rows.append(Row(part.name, "", "failed", f"its process ended with code {process.exitcode}"))
    return rows


def _work(part: Part, setting: Setting, file: Path) -> None:
    """Run a part in this process, and write each row as soon as it is known."""
    os.setpgid(0, 0)
    # Threads that a library has started before the fork are not in this process; one thread starts none.
    torch.set_num_threads(1 if setting.small else len(os.sched_getaffinity(0)))
    code = 0
    with file.open("a", encoding="utf-8") as target:

        def put(row: Row) -> None:
            target.write(json.dumps(asdict(row)) + "\n")
            target.flush()

        try:
            for row in part.rows(setting):
                put(row)
        except BaseException as error:  # whatever it is, the other parts go on
            traceback.print_exc()
            reason = (str(error).splitlines() or [""])[0]
            put(Row(part.name, "", "failed", f"{type(error).__name__}: {reason}"))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def run_parts(parts: Sequence[Part], setting: Setting, seconds: float, save: Callable[[list[Row]], None]) -> list[Row]:
    """Run all parts within a time.

    Args:
        parts: In the order in which they run.
        setting: Is handed to each.
        seconds: Time for all together.
        save: Is called with all rows after each part.

    Returns:
        All rows; a part for which no time is left has one that says so.
    """
    began, rows = time.monotonic(), list[Row]()
    for part in parts:
        left = seconds - (time.monotonic() - began)
        if left < 5:
            rows.append(Row(part.name, "", "left out", f"the {seconds:.0f} s of all parts are used up"))
        else:
            start = time.monotonic()
            rows += run_part(part, setting, min(part.seconds, left))
            took = time.monotonic() - start
            rows.append(Row("time of this part", part.name, f"{took:.1f} s"))
        save(rows)
    return rows


def write(path: Path, rows: Sequence[Row], facts: Mapping[str, str]) -> None:
    """Write the table as Markdown, with date and versions."""
    header = ("what", "size", "value", "note")
    lines = [f"# Graphics card, measured: {facts['card']}", "", *(f"- {key}: {value}" for key, value in facts.items())]
    cells = [header, ("---",) * len(header), *(row.cells for row in rows)]
    lines += ["", *("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in cells)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def card_facts(setting: Setting) -> Iterator[Row]:
    """Give the name of the card and the versions of its software."""
    if not setting.on_card:
        yield Row("card", "", "none: the processor")
        return
    properties = torch.cuda.get_device_properties(setting.device)
    yield Row("card", "", properties.name)
    yield Row("memory of the card", "", f"{properties.total_memory / 1e9:.0f} GB")
    yield Row("CUDA", "", f"{torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}")


def facts_of(rows: Sequence[Row]) -> dict[str, str]:
    """Return what is written above the table."""
    found = {row.what: f"{row.value} {row.note}".strip() for row in rows}
    versions = []
    for name in VERSIONS:
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            versions.append(f"{name} is not installed")
    said = {"card": found.get("card", "unknown")} | found | surroundings()
    return said | {"software": f"{said['software']}, {', '.join(versions)}"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run everything, and return 0 if each part ended well."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", help="cuda (the default), or cpu to try this script without a card")
    parser.add_argument("--small", action="store_true", help="tiny networks and few images: shows that it works")
    parser.add_argument(
        "--output", type=Path, default=RESULTS, help="folder of the table (default: benchmarks/results)"
    )
    parser.add_argument("--seconds", type=float, default=SECONDS, help=f"time for all parts (default: {SECONDS:.0f})")
    parser.add_argument("--only", default="", help="names of parts, with commas; all by default")
    options = parser.parse_args(arguments)
    if options.device != "cpu":
        os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "1"  # a question for cards must not start CUDA before the forks
    from gpu_parts import PARTS, draw_images

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # no threads before the forks
    try:
        with TemporaryDirectory() as name:
            setting = Setting(Path(name), options.device, options.small)
            card = run_part(Part("card", card_facts, 60), setting, 60)
            facts = facts_of(card)
            path = options.output / f"gpu-{re.sub('[^a-z0-9]+', '-', facts['card'].lower()).strip('-')}.md"
            chosen = [part for part in PARTS if not options.only or part.name in options.only.split(",")]
            begun = [row for row in card if row.value in ("failed", "stopped")]

            def save(rows: list[Row]) -> None:
                write(path, [*begun, *rows], facts)
                for row in rows[shown[0] :]:
                    print("  ".join(cell for cell in row.cells if cell), flush=True)
                shown[0] = len(rows)

            shown = [0]
            rows = run_parts([Part("images", draw_images, 60), *chosen], setting, options.seconds, save)
    finally:
        torch.set_num_threads(threads)
    print(f"{path} is written", flush=True)
    return int(any(row.value in ("failed", "stopped", "left out") for row in [*begun, *rows]))


if __name__ == "__main__":
    sys.exit(main())
