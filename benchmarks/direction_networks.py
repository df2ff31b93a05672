"""Look for direction pairs in real networks: `python benchmarks/direction_networks.py`.

CIFAR-10 ResNets (pooled features and last maps of 500 test images, with stored CLIP embeddings) and MobileNetV2 on 750
photographs, from the assets that tests use. No CLIP with weights is among them, so the names of MobileNetV2 come from a CLIP of
random weights: they must be no better than chance. Each results file is made by `sing-compute`, and each search is made in a
process of its own, on one thread. Writes results/direction_networks.csv and .md (some fifteen CPU minutes).
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ratios import save_rows

from sing_compute.directions.settings import Settings
from sing_compute.process.progress import Progress
from sing_compute.questions.directions.finding import DirectionsQuestion, find_and_add
from sing_compute.store import Place, Store, open_table

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))
import roads

RESULTS = Path(__file__).parent / "results" / "direction_networks.csv"


@dataclass(frozen=True, slots=True)
class Search:
    """One search in one network."""

    model: str
    maps: bool
    count: int
    restarts: int = 4
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Of `Settings`, where they are not its own."""
    true_clip: bool = True
    """The names come from a CLIP that was trained."""


COLUMNS = (
    *(
        "network",
        "features",
        "restarts",
        "directions",
        "found",
        "detector only",
        "unstable",
        "not found (of these dead)",
        "largest trust",
    ),
    *("names (cosine, p)", "named with p ≤ .05", "null share of signals", "of differences", "by chance; nullity / dim"),
    *("unread", "largest margin moved", "CPU seconds", "memory, GB"),
)
SMALL = {"most_positions": 2048}
"""Of maps, a batch has 41 images, not 167."""
SEARCHES = (
    *(Search("resnet20", maps=False, count=count) for count in (6, 10, 16)),
    Search("resnet20", maps=True, count=10, settings=SMALL),
    Search("resnet56", maps=False, count=10),
    Search("resnet56", maps=True, count=10, settings=SMALL),
    Search("mobilenetv2", maps=False, count=10, restarts=2, true_clip=False),
)


@dataclass(frozen=True, slots=True)
class Found:
    """Figures of one search."""

    network: str
    features: str
    restarts: int
    """In all rounds."""
    images: int
    count: int
    found: int
    detector_only: int
    unstable: int
    not_found: int
    dead: int
    """Those of them whose detector fires on no image."""
    score: float
    """Largest trust."""
    names: str
    """First two words of the difference of each direction that is found, or else of the most trusted one, with cosine and p."""
    named: int
    """Directions whose name has p of .05 or less, by signal vector or difference."""
    signal_share: float
    """Median null share of the signal vectors."""
    difference_share: float
    chance: str
    """Median and 95 % interval of the null share of directions with the covariance of the features; nullity / dim."""
    unread: int
    margin: float
    """Largest change of a margin by a step of 1, in logits."""
    moved: str
    """Its class."""
    seconds: float
    """CPU seconds."""
    memory: float
    """Largest memory of the process, in GB."""
    true_clip: bool


def measured(path: Path, search: Search) -> Found:
    """Make one search in a results file, in this process."""
    begun = time.process_time()
    question = DirectionsQuestion(search.model, count=search.count, maps=search.maps, restarts=search.restarts)
    find_and_add(path, question, Progress(), settings=Settings(**search.settings))
    seconds, memory = time.process_time() - begun, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    with Store(path) as store:
        return read(store, search, seconds, memory)


def read(store: Store, search: Search, seconds: float, memory: float) -> Found:
    """Read what a search has found."""
    base = f"models/{search.model}/directions/"
    there = {
        column.name: column.values.all()
        for column in open_table(store, Place.of("directions", model=search.model)).columns
    }
    facts = store.scalars(f"{base}summary")
    states = [str(state) for state in there["trust"]]
    scores, p = store.array(f"{base}trust/score"), store.array(f"{base}names/pattern_p")
    cosines = store.array(f"{base}names/pattern_cosine")
    shown = [k for k, state in enumerate(states) if state == "found"] or [int(np.argmax(scores))]
    names = [
        f"{_first_words(str(there['difference_words'][k]))} ({cosines[k]:.2f}, p {p[k]:.2g})"
        for k in sorted(shown, key=lambda k: -scores[k])
    ]
    named = np.fmin(p, store.array(f"{base}names/p")) <= 0.05
    most = int(np.nanargmax(np.abs(there["margin"])))
    positions = int(facts["positions"])
    return Found(
        search.model,
        f"{positions} positions of the last map" if search.maps else "pooled",
        int(facts["restarts"]),
        int(facts["images"]),
        len(states),
        *(states.count(state) for state in ("found", "detector only", "unstable", "not found")),
        int((store.array(f"{base}pairs/images") == 0).sum()),
        float(scores.max()),
        "; ".join(names),
        int(named.sum()),
        *(float(np.nanmedian(store.array(f"{base}null/{part}share"))) for part in ("", "pattern_")),
        f"{facts['null_median']:.2f} ({facts['null_low']:.2f} to {facts['null_high']:.2f}); {facts['null_chance']:.2f}",
        int(store.array(f"{base}null/unread").sum()),
        float(there["margin"][most]),
        str(there["class"][most]),
        seconds,
        memory,
        search.true_clip,
    )


def _first_words(mix: str) -> str:
    return ", ".join(word.rpartition(" ")[0] for word in mix.split(", ")[:2])


def files(folder: Path) -> Iterator[tuple[str, bool, Path]]:
    """Make the results files by the public command; yield model, maps and path of each."""
    (folder / "cifar").mkdir()
    source = Path(roads.__file__).with_name("cifar_nets.py")
    (folder / "cifar" / "cifar_nets.py").write_text(source.read_text())
    options = [*roads.cifar_road(folder / "cifar"), *roads.cifar_models("resnet20", "resnet56")]
    for maps in (False, True):
        path = folder / "cifar" / ("maps.h5" if maps else "pooled.h5")
        _compute([*options, *["--maps"] * maps, "-o", path.name], path.parent)
        yield "resnet20", maps, path
        yield "resnet56", maps, path
    model, clip = roads.mobilenet_folder(folder / "mobilenet"), roads.clip_folder(folder / "clip")
    photos = ["--images", str(roads.ASSETS / "imagenet_photos"), "-o", "photos.h5"]
    _compute(["--model", f"mobilenetv2={model}", "--clip", clip, *photos], folder)
    yield "mobilenetv2", False, folder / "photos.h5"


def _compute(options: Sequence[str], folder: Path) -> None:
    subprocess.run([sys.executable, "-m", "sing_compute", *options], cwd=folder, check=True, stdout=subprocess.DEVNULL)


def in_another_process(path: Path, search: Search) -> Found:
    """Search in a new process, whose memory nothing else has raised."""
    command = [sys.executable, __file__, "--one", json.dumps([str(path), asdict(search)])]
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return Found(**json.loads(run.stdout))


def report(rows: Sequence[Found]) -> list[str]:
    """Return the table as Markdown, and what was seen, computed from it."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    for row in rows:
        names = row.names if row.true_clip else f"random CLIP: {row.names}"
        cells: tuple[object, ...] = (
            *(row.network, row.features, row.restarts, row.count, row.found, row.detector_only),
            str(row.unstable),
            f"{row.not_found} ({row.dead})",
            f"{row.score:.2f}",
            names,
            row.named,
            *(f"{row.signal_share:.2f}", f"{row.difference_share:.2f}", row.chance, row.unread),
            f"{row.moved} {row.margin:+.1f}",
            *(f"{row.seconds:.0f}", f"{row.memory:.2f}"),
        )
        lines.append("| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |")
    return [*lines, "", *_seen(rows)]


def _seen(rows: Sequence[Found]) -> Iterator[str]:
    directions, found = sum(row.count for row in rows), sum(row.found for row in rows)
    yield (
        f"{found} of {directions} directions are found, {sum(row.detector_only for row in rows)} as detectors only, "
        f"{sum(row.unstable for row in rows)} are unstable, and {sum(row.dead for row in rows)} fire on no image."
    )
    for clip, rest in ((True, "trained"), (False, "random")):
        own = [row for row in rows if row.true_clip is clip]
        living = sum(row.count - row.dead for row in own)
        if living:
            named = sum(row.named for row in own)
            yield (
                f"With a {rest} CLIP, {named} of {living} directions that fire have a name that one in twenty random directions "
                f"reaches or fewer, by signal vector or difference: by chance up to {2 * 0.05 * living:.1f}."
            )
    above = sum(row.signal_share > float(row.chance.split(" ")[0]) for row in rows)
    yield (
        f"The median null share of the signal vectors lies above that of random directions in {above} of {len(rows)} searches; "
        f"{sum(row.unread for row in rows)} of all directions are called unread by the head."
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--one", type=json.loads, help="make one search in this process: [file, search] as JSON; print JSON"
    )
    parser.add_argument("-o", "--output", type=Path, default=RESULTS)
    given = parser.parse_args(arguments)
    if given.one:
        torch.set_num_threads(1)
        print(json.dumps(asdict(measured(Path(given.one[0]), Search(**given.one[1])))))
        return
    rows: list[Found] = []
    with tempfile.TemporaryDirectory() as folder:
        for model, maps, path in files(Path(folder)):
            for search in SEARCHES:
                if (search.model, search.maps) == (model, maps):
                    rows.append(in_another_process(path, search))
                    write(given.output, rows)
    print("\n".join(report(rows)))


def write(output: Path, rows: Sequence[Found]) -> None:
    """Write the table of the searches that are finished as CSV and Markdown."""
    save_rows(output, "Direction pairs of real networks", rows, report(rows))


if __name__ == "__main__":
    main()
