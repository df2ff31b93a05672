"""Correct networks that rely on a mark in drawn pictures: `python benchmarks/direction_marks.py [--seeds 10-19]`.

The paper's experiment with chess pieces (arXiv 2509.23926, section 5.4) in small: drawn circles, squares and stars; half of the
training images with stars have a mark in a corner. A small convolutional network with a map of 2 x 2 positions is trained on
them, and measured on new images without the mark (clean) and the same with it on all of them (marked). It is corrected along the
signal vector of the detector that fires on the mark, along the filter, and along ten random directions. The detector is the one
with the largest IoU with the mark among the training images. The step is fixed in them, too: to the mean of the detector's
negatives; the paper's step of 450 stands beside it. Writes results/direction_marks.csv and .md.
"""

import argparse
import functools
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np
import torch
from direction_pairs import overlaps
from ratios import save_rows
from scipy.stats import spearmanr, t
from torch import Tensor, nn

from sing_compute.demo.scenes import draw, random_scenes
from sing_compute.directions.alignment import LinearHead
from sing_compute.directions.interventions import (
    Correction,
    FixedStepCorrection,
    GroupAccuracy,
    correction,
    correction_effect,
    fixed_step_correction,
)
from sing_compute.directions.search import Settings, find_directions

RESULTS = Path(__file__).parent / "results" / "direction_marks.csv"
SHAPES = ("circle", "square", "star")
COUNT = 6
"""Directions, as in the paper."""
VARIANTS = ((2, 3), (2, 12), (3, COUNT))
"""Side of the map and number of directions, beside (2, COUNT): measured in fewer networks."""
WAYS = ("before", "signal", "filter", "random")
RULES = ("measured step", "step of 450")
BATCH = 128
SPLIT = 0.2
"""IoU with the mark from which a detector counts as one of those that share the mark."""


@dataclass(frozen=True, slots=True)
class Marked:
    """Accuracy of one network, corrected in one way; for random directions, the mean of all."""

    seed: int
    side: int
    count: int
    rule: str
    way: str
    clean: float
    marked: float
    iou: float
    """IoU of the detector's images with the marked ones among the training images."""
    sharing: int
    """Detectors that share the mark."""


@dataclass(frozen=True, slots=True)
class Drawings:
    """Images, (image, 3, 48, 48), with their classes and where the mark is."""

    images: Tensor
    classes: Tensor
    marked: Tensor


def with_mark(picture: np.ndarray) -> np.ndarray:
    """Return the picture with a white plate and dark bars on it, in a corner."""
    changed = picture.copy()
    changed[2:10, 2:20] = 250
    changed[4:8, 4:18:3] = 10
    return changed


def drawings(seed: int, images: int) -> tuple[Tensor, Tensor, Tensor]:
    """Draw images of each shape: without the mark, with it, and their classes."""
    plain, marked = [], []
    for number, shape in enumerate(SHAPES):
        for k, scene in enumerate(random_scenes(images, seed=seed + number, shape=shape)):
            picture = np.asarray(draw(scene, seed=seed * 1000 + number * 500 + k))
            plain.append(picture)
            marked.append(with_mark(picture))
    classes = torch.arange(len(SHAPES)).repeat_interleave(images)
    return _as_input(plain), _as_input(marked), classes


def training_set(seed: int, images: int) -> Drawings:
    """Draw the training images: every second star has the mark."""
    plain, marked, classes = drawings(seed, images)
    number = torch.arange(len(classes))
    has = (classes == SHAPES.index("star")) & (number % 2 == 0)
    return Drawings(torch.where(has[:, None, None, None], marked, plain), classes, has)


def trained_network(data: Drawings, *, side: int, steps: int, seed: int) -> tuple[nn.Sequential, LinearHead]:
    """Train five convolutions of 16 channels, the mean over positions and a linear head (Adam, rate .005)."""
    torch.manual_seed(seed)
    layers: list[nn.Module] = []
    for number in range(5):
        last = number == 4
        padding = 1 if last or side == 3 else 0
        layers += [nn.Conv2d(3 if number == 0 else 16, 16, 3, 1 if last else 2, padding), nn.ReLU()]
        layers += [] if last else [nn.Dropout(0.1)]
    body, head = nn.Sequential(*layers), nn.Linear(16, len(SHAPES))
    optimiser = torch.optim.Adam([*body.parameters(), *head.parameters()], lr=0.005)
    for _ in range(steps):
        some = torch.randperm(len(data.classes))[:BATCH]
        logits = head(body(data.images[some]).mean((2, 3)))
        optimiser.zero_grad()
        nn.functional.cross_entropy(logits, data.classes[some]).backward()
        optimiser.step()
    return body.eval(), LinearHead(head.weight.detach().double(), head.bias.detach().double())


@torch.no_grad()
def maps(body: nn.Sequential, images: Tensor) -> Tensor:
    """Return the last map of each image, (image, position, channel)."""
    return torch.cat([body(part) for part in images.split(256)]).flatten(2).mT.double()


@functools.lru_cache(maxsize=4)
def network(
    seed: int, side: int, images: int, tested: int, steps: int
) -> tuple[Drawings, LinearHead, dict[str, Tensor], Tensor]:
    """Train one network; return its training images, its head, maps of training, clean and marked images, and test classes."""
    data = training_set(10 + 7 * seed, images)
    plain, marked, classes = drawings(900 + 7 * seed, tested)
    body, head = trained_network(data, side=side, steps=steps, seed=seed)
    found = {"training": maps(body, data.images), "clean": maps(body, plain), "marked": maps(body, marked)}
    return data, head, found, classes


def measured(
    seed: int, *, side: int, count: int, settings: Settings, images: int = 300, tested: int = 100, steps: int = 420
) -> Iterator[Marked]:
    """Correct one network in all ways by both rules."""
    data, head, features, classes = network(seed, side, images, tested, steps)
    restarts = find_directions(features["training"], head, count, settings=settings, seed=seed)
    pairs = restarts.pairs(restarts.best)
    fires = pairs.logits(features["training"]) > 0
    iou = overlaps(fires.any(1), data.marked[:, None])[:, 0]
    iou[fires.all(0).all(0) | ~pairs.signals.any(0)] = 0  # without negatives or signal vector, nothing can be taken out
    chosen = int(iou.argmax())
    facts = float(iou[chosen]), int((iou >= SPLIT).sum())
    rules: tuple[Correction | FixedStepCorrection, ...] = (
        correction(pairs, chosen, features["training"]),
        fixed_step_correction(pairs, chosen),
    )
    for rule, corrected in zip(RULES, rules, strict=True):
        effects = [
            correction_effect(head, corrected, features[name], classes, torch.zeros_like(classes), seed=seed)
            for name in ("clean", "marked")
        ]
        for way in WAYS:
            clean, marked = (_overall(getattr(effect, way)) for effect in effects)
            yield Marked(seed, side, count, rule, way, clean, marked, *facts)


def measured_case(case: tuple[int, int, int]) -> list[Marked]:
    """Correct the network of one seed: seed, side of the map, number of directions."""
    seed, side, count = case
    return list(measured(seed, side=side, count=count, settings=Settings(most=1.5 / count)))


def interval(values: Sequence[float]) -> str:
    """Return the mean, and from three networks on the 95 % interval of Student's t over networks."""
    mean = fmean(values)
    if len(values) < 3:
        return f"{mean:.2f}"
    half = float(t.ppf(0.975, len(values) - 1)) * float(np.std(values, ddof=1)) / len(values) ** 0.5
    return f"{mean:.2f} ({mean - half:.2f} to {mean + half:.2f})"


def report(rows: Sequence[Marked]) -> list[str]:
    """Return one table for each map and number of directions, as Markdown."""
    lines: list[str] = []
    for side, count in dict.fromkeys((row.side, row.count) for row in rows):
        own = [row for row in rows if (row.side, row.count) == (side, count)]
        before = {row.seed: row for row in own if row.way == "before"}
        iou, sharing = [row.iou for row in before.values()], [row.sharing for row in before.values()]
        lines += [
            f"## {count} directions, maps of {side} x {side}, {len(before)} networks",
            "",
            f"IoU of the chosen detector with the mark: {interval(iou)}, {min(iou):.2f} to {max(iou):.2f}. "
            f"Detectors with an IoU of {SPLIT:g} or more: {fmean(sharing):.1f} on average, {min(sharing)} to {max(sharing)}.",
            "",
            "| rule | along | clean | marked | change, clean | change, marked |",
            "|---|---|---|---|---|---|",
        ]
        for rule in RULES:
            for way in WAYS if rule == RULES[0] else WAYS[1:]:
                some = [row for row in own if (row.rule, row.way) == (rule, way)]
                cells = ["" if way == "before" else rule, "no correction" if way == "before" else way]
                cells += [interval([getattr(row, name) for row in some]) for name in ("clean", "marked")]
                for name in ("clean", "marked"):
                    changes = [getattr(row, name) - getattr(before[row.seed], name) for row in some]
                    cells.append("" if way == "before" else interval(changes))
                lines.append("| " + " | ".join(cells) + " |")
        gains = [row.marked - before[row.seed].marked for row in own if (row.rule, row.way) == (RULES[0], "signal")]
        lines += ["", *_causes(iou, sharing, gains, [row.marked for row in before.values()])]
    return lines


def _causes(iou: Sequence[float], sharing: Sequence[int], gains: Sequence[float], before: Sequence[float]) -> list[str]:
    if len(gains) < 4:
        return []
    causes = {
        "the detector's IoU": iou,
        "the number of detectors that share the mark": sharing,
        "marked accuracy before": before,
    }
    parts = []
    for name, values in causes.items():
        found = spearmanr(values, gains) if len(set(values)) > 1 else None
        parts.append(f"{name} {found.statistic:+.2f} (p = {found.pvalue:.2f})" if found else f"{name}: constant")
    return [
        f"Rank correlation over networks of the gain by the signal vector (measured step, marked) with {', '.join(parts)}.",
        "",
    ]


def _as_input(pictures: Sequence[np.ndarray]) -> Tensor:
    return (torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.25


def _overall(found: GroupAccuracy | tuple[GroupAccuracy, ...]) -> float:
    return fmean(one.overall for one in found) if isinstance(found, tuple) else found.overall


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="10-19", help="networks, first to last")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--variants", type=int, default=2, help="networks in which other maps and numbers are measured")
    parser.add_argument("-o", "--output", type=Path, default=RESULTS)
    given = parser.parse_args()
    first, _, last = given.seeds.partition("-")
    seeds = range(int(first), int(last or first) + 1)
    cases = [(seed, 2, COUNT) for seed in seeds]
    cases += [(seed, side, count) for seed in seeds[: given.variants] for side, count in VARIANTS]
    rows: list[Marked] = []
    with ProcessPoolExecutor(given.processes, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        for found in pool.map(measured_case, cases):
            print("\n".join([f"seed {found[0].seed}", *report(found)]), flush=True)
            rows += found
            save(given.output, rows)  # what is measured so far: it takes long


def save(path: Path, rows: Sequence[Marked]) -> None:
    """Write the rows as CSV and the tables as Markdown."""
    about = (
        "Accuracy on new pictures without the mark (clean) and with it on all of them (marked), with 95 % intervals over "
        "networks, or the mean alone for two networks. Detector and measured step are chosen in the training images alone."
    )
    save_rows(path, "Correction of networks that rely on a mark in drawn pictures", rows, [about, "", *report(rows)])


if __name__ == "__main__":
    main()
