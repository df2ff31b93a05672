"""Correct a shortcut where the truth is known: `python benchmarks/direction_correction.py [--seeds 80-89]`.

Worlds with the published concepts and distractors and two classes (arXiv 2509.23926, section 5.1). A third concept comes with
class 1 in 95 % of its training images and with class 0 in 5 %; in the test images it is in half of each class. The network learns
the shortcut. It is then corrected without training, by the direction pair that EDDP finds, by the true pair, along the filter
and along ten random directions. EDDP has eight restarts, and up to 24 where the best is not found twice; it is chosen without
labels. The detector of the third concept is the one with the largest IoU on the training images. Writes
results/direction_correction.csv and .md (about twenty minutes on one core).
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

import torch
from direction_pairs import least_cosine, overlaps
from direction_world import CONSTANT, World, trained_head, world
from ratios import save_rows
from torch import Tensor

from sing_compute.directions.automatic import find_trusted
from sing_compute.directions.interventions import GroupAccuracy, correction, correction_effect
from sing_compute.directions.pairs import DirectionPairs
from sing_compute.directions.settings import Settings
from sing_compute.directions.trust import FOUND

RESULTS = Path(__file__).parent / "results" / "direction_correction.csv"
GROUPS = ((0, 0), (0, 2), (1, 1), (1, 2))
"""Concepts of the two positions: class 0 without and with the third concept, class 1 without and with it."""
ROUNDS = 3
"""Most rounds of eight restarts."""
SHORTCUT = 2
TIED = 0.95
HELD_OUT = 1000
"""Added to a world's seed for the test images."""
WAYS = ("before", "found pair", "true pair", "filter", "random", "best random")
"""The best random direction is chosen in the test images: it says how far a lucky direction gets."""


@dataclass(frozen=True, slots=True)
class Corrected:
    """Accuracy in the test images of one world, corrected in one way; for random directions, the mean of all."""

    seed: int
    way: str
    worst: float
    """Accuracy of the worst of the four groups."""
    overall: float
    iou: float
    """IoU of the found detector with the third concept in the training images."""
    cosine: float
    """Cosine of the found signal vector with the third concept."""
    good: int
    """Restarts whose signal vectors all have a cosine above .9 with a planted concept of their own."""
    trust: str
    """Trust in the found direction."""


def tied_world(seed: int, *, images: int, tied: float) -> tuple[World, Tensor]:
    """Draw images of two classes, `images` each, with the third concept in a share `tied` of class 1 and 1 - `tied` of class 0.

    Returns:
        The world, with the two classes, and the group of each image.
    """
    counts = [round(images * share) for share in (tied, 1 - tied, 1 - tied, tied)]
    drawn = world(seed, images=max(counts), classes=GROUPS)
    kept = torch.cat([torch.arange(count) + number * max(counts) for number, count in enumerate(counts)])
    group = drawn.classes[kept]
    parts = {name: getattr(drawn, name)[kept] for name in ("features", "strengths", "present")}
    return replace(drawn, classes=group // 2, **parts), group


def true_pairs(drawn: World) -> DirectionPairs:
    """Return the planted pairs; detectors fire where a concept is present."""
    return DirectionPairs(drawn.dual, 2.5 + CONSTANT * drawn.dual.sum(0), drawn.concepts)


def measured(seed: int, *, settings: Settings, epochs: int = 600, images: int = 1500) -> Iterator[Corrected]:
    """Correct the network of one world in all ways."""
    drawn, _ = tied_world(seed, images=images, tied=TIED)
    test, groups = tied_world(seed + HELD_OUT, images=2000, tied=0.5)
    head = trained_head(drawn, epochs=epochs)
    search = find_trusted(drawn.features, head, drawn.concepts.shape[1], settings=settings, seed=seed, rounds=ROUNDS)
    restarts, found = search.restarts, search.pairs
    fires = found.logits(drawn.features.flatten(0, 1)) > 0
    iou = overlaps(fires, drawn.present.flatten(0, 1))[:, SHORTCUT]
    chosen = int(iou.argmax())
    cosine = float(torch.cosine_similarity(found.signals[:, chosen], drawn.concepts[:, SHORTCUT], dim=0))
    good = sum(least_cosine(signals, drawn.concepts) > 0.9 for signals in restarts.signals)
    ours, true = (
        correction_effect(head, correction(pairs, k, drawn.features), test.features, test.classes, groups, seed=seed)
        for pairs, k in ((found, chosen), (true_pairs(drawn), SHORTCUT))
    )
    best = max(ours.random, key=lambda one: one.worst)
    ways: dict[str, Sequence[GroupAccuracy]] = dict(
        zip(WAYS, ([ours.before], [ours.signal], [true.signal], [ours.filter], ours.random, [best]), strict=True)
    )
    for way, each in ways.items():
        worst, overall = fmean(one.worst for one in each), fmean(one.overall for one in each)
        yield Corrected(seed, way, worst, overall, float(iou[chosen]), cosine, good, search.trust.states[chosen])


def report(rows: Sequence[Corrected]) -> list[str]:
    """Return the table of worst groups, one world a line, and what the goals say, as Markdown."""
    lines = [
        "| seed | " + " | ".join(WAYS) + " | IoU | cosine | trust | good restarts |",
        "|---|" + "---|" * (len(WAYS) + 4),
    ]
    worlds = {seed: {row.way: row for row in rows if row.seed == seed} for seed in dict.fromkeys(r.seed for r in rows)}
    for seed, ways in worlds.items():
        any_ = ways["before"]
        parts = [
            *(f"{ways[way].worst:.3f}" for way in WAYS),
            f"{any_.iou:.3f}",
            f"{any_.cosine:.3f}",
            any_.trust,
            f"{any_.good}",
        ]
        lines.append(f"| {seed} | " + " | ".join(parts) + " |")
    for name, figure in (("mean, worst group", "worst"), ("mean, all images", "overall")):
        means = [fmean(getattr(ways[way], figure) for ways in worlds.values()) for way in WAYS]
        lines.append(f"| {name} | " + " | ".join(f"{mean:.3f}" for mean in means) + " | | | | |")
    goals = {
        "found pair at .84 or more": lambda w: w["found pair"].worst >= 0.84,
        "found pair at most .03 behind the true pair": lambda w: w["true pair"].worst - w["found pair"].worst <= 0.03,
        "filter behind the found pair": lambda w: w["filter"].worst < w["found pair"].worst,
        "random directions below no correction": lambda w: w["random"].worst < w["before"].worst,
    }
    every = list(worlds.values())
    some = [ways for ways in every if ways["before"].trust == FOUND]
    none = sum(not ways["before"].good for ways in every)
    lines += ["", f"In {none} of {len(every)} worlds, no restart of the search was good."]
    lines += ["", "| goal | worlds | worlds in which the direction is called found |", "|---|---|---|"]
    for name, holds in goals.items():
        shares = (f"{sum(map(holds, chosen))} of {len(chosen)}" for chosen in (every, some))
        lines.append("| " + " | ".join([name, *shares]) + " |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="80-89", help="worlds, first to last")
    parser.add_argument("-o", "--output", type=Path, default=RESULTS)
    given = parser.parse_args()
    first, _, last = given.seeds.partition("-")
    torch.set_num_threads(1)
    rows: list[Corrected] = []
    for seed in range(int(first), int(last or first) + 1):
        rows += measured(seed, settings=Settings())
        print("\n".join(report([row for row in rows if row.seed == seed])), flush=True)
    save(given.output, rows)


def save(path: Path, rows: Sequence[Corrected]) -> None:
    """Write the rows as CSV and the table as Markdown."""
    about = "Accuracy of the worst of four groups of test images (two classes, with and without the third concept)."
    save_rows(path, "Correction without training, where the truth is known", rows, [about, "", *report(rows)])


if __name__ == "__main__":
    main()
