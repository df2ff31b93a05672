"""Find planted direction pairs by EDDP and by its rivals: `python benchmarks/direction_pairs.py [--seeds 80-89]`.

The paper's experiment (arXiv 2509.23926, section 5.1): ten worlds, the best of eight restarts chosen without labels, measured on
images that were not used. Rivals are matched to the concepts in the most favourable way, and get the threshold with the
best IoU; EDDP uses its own. Writes results/direction_pairs.csv and .md (about five minutes on one core).
"""

import argparse
import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import torch
from direction_rivals import RIVALS
from direction_world import trained_head, world
from ratios import save_rows
from torch import Tensor

from sing_compute.directions.search import Settings, find_directions

RESULTS = Path(__file__).parent / "results" / "direction_pairs.csv"
HELD_OUT = 1000
"""Added to a world's seed for the images that are measured."""


@dataclass(frozen=True, slots=True)
class Found:
    """How well the directions of one method in one world match the planted ones."""

    method: str
    seed: int
    least_iou: float
    mean_iou: float
    least_cosine: float
    mean_cosine: float
    error: float
    """Root mean square error of the strengths, both around their mean; NaN for a method without filters."""
    good: float
    """Share of restarts whose cosines are all above .9; NaN for a method without restarts."""
    accuracy: float
    """Accuracy of the head on held-out images."""
    seconds: float


def measured(seed: int, *, settings: Settings, epochs: int = 600, images: int = 1000) -> Iterator[Found]:
    """Measure all methods in one world."""
    drawn, held_out = world(seed, images=images), world(seed + HELD_OUT, images=images)
    head = trained_head(drawn, epochs=epochs)
    answers = (held_out.features.mean(1) @ head.weight.T + head.bias).argmax(1)
    accuracy = float((answers == held_out.classes).double().mean())
    count = drawn.concepts.shape[1]
    begun = time.process_time()
    restarts = find_directions(drawn.features, head, count, settings=settings, seed=seed)
    seconds = time.process_time() - begun
    best = restarts.best
    logits = held_out.features.flatten(0, 1) @ restarts.filters[best] - restarts.thresholds[best]
    iou = overlaps(logits > 0, held_out.present.flatten(0, 1))
    order = best_order(iou)
    cosines = torch.cosine_similarity(restarts.signals[best][:, order], drawn.concepts, dim=0)
    lengths = restarts.signals[best].norm(dim=0)
    strengths = (logits * lengths)[:, order]  # filter . signal = 1, so a unit signal has 1 / length
    truth = held_out.strengths.flatten(0, 1)
    error = ((strengths - strengths.mean(0)) - (truth - truth.mean(0))).square().mean().sqrt()
    every = [least_cosine(signals, drawn.concepts) for signals in restarts.signals]
    good = fmean(each > 0.9 for each in every)
    own = iou[order, range(count)]
    yield Found("EDDP", seed, *_figures(own, cosines), float(error), good, accuracy, seconds)
    for name, rival in RIVALS.items():
        begun = time.process_time()
        found = rival(drawn, count, seed)
        seconds = time.process_time() - begun
        near = torch.cosine_similarity(found[:, :, None], drawn.concepts[:, None], dim=0)
        order = best_order(near.abs())
        signs = torch.sign(near[order, range(count)])
        chosen = found[:, order] * signs
        own = torch.stack(
            [
                best_overlap(held_out.features.flatten(0, 1) @ chosen[:, k], held_out.present.flatten(0, 1)[:, k])
                for k in range(count)
            ]
        )
        cosines = torch.cosine_similarity(chosen, drawn.concepts, dim=0)
        yield Found(name, seed, *_figures(own, cosines), float("nan"), float("nan"), accuracy, seconds)


def overlaps(fires: Tensor, present: Tensor) -> Tensor:
    """Return the IoU of each detector with each concept, (detector, concept)."""
    both = (fires[:, :, None] & present[:, None]).sum(0).double()
    return both / (fires[:, :, None] | present[:, None]).sum(0).clamp_min(1)


def best_overlap(scores: Tensor, present: Tensor) -> Tensor:
    """Return the IoU of scores above their best threshold."""
    order = scores.argsort(descending=True)
    hits = present[order].double().cumsum(0)
    fired = torch.arange(1, len(scores) + 1)
    return (hits / (fired + present.sum() - hits)).max()


def best_order(likeness: Tensor) -> list[int]:
    """Return for each concept a row of its own, so that the sum of the likenesses is largest."""
    rows, count = likeness.shape
    near = (
        likeness.topk(min(count, rows), 0).indices.unique().tolist()
    )  # the best rows of each are enough to choose from
    choices = itertools.permutations(near, count)
    return list(max(choices, key=lambda order: float(likeness[list(order), range(count)].sum())))


def least_cosine(signals: Tensor, concepts: Tensor) -> float:
    """Return the smallest cosine of the best matching."""
    near = torch.cosine_similarity(signals[:, :, None], concepts[:, None], dim=0)
    return float(near[best_order(near), range(concepts.shape[1])].min())


def _figures(iou: Tensor, cosines: Tensor) -> tuple[float, float, float, float]:
    return float(iou.min()), float(iou.mean()), float(cosines.min()), float(cosines.mean())


def report(found: Sequence[Found]) -> list[str]:
    """Return a table of the means over worlds, with the smallest value of any world, as Markdown."""
    lines = [
        "| method | IoU, mean | IoU, least | cosine, mean | cosine, least | error | good restarts | CPU seconds |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for method in dict.fromkeys(each.method for each in found):
        own = [each for each in found if each.method == method]
        mean = {
            name: fmean(getattr(each, name) for each in own)
            for name in ("mean_iou", "mean_cosine", "error", "good", "seconds")
        }
        least_iou, least_cosine = min(each.least_iou for each in own), min(each.least_cosine for each in own)
        parts = [
            *(f"{mean['mean_iou']:.3f}", f"{least_iou:.3f}", f"{mean['mean_cosine']:.3f}", f"{least_cosine:.3f}"),
            *(f"{mean['error']:.3f}", f"{mean['good']:.0%}", f"{mean['seconds']:.1f}"),
        ]
        lines.append("| " + " | ".join([method, *(part if "nan" not in part else "" for part in parts)]) + " |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="80-89", help="worlds, first to last")
    parser.add_argument("-o", "--output", type=Path, default=RESULTS)
    given = parser.parse_args()
    first, _, last = given.seeds.partition("-")
    torch.set_num_threads(1)
    found: list[Found] = []
    for seed in range(int(first), int(last or first) + 1):
        found += measured(seed, settings=Settings())
        print("\n".join(report([each for each in found if each.seed == seed])), flush=True)
    worlds = [each for each in found if each.method == "EDDP"]
    within = sum(each.least_iou >= 0.93 and each.least_cosine >= 0.95 and each.error <= 0.15 for each in worlds)
    summary = (
        f"{len(worlds)} worlds; accuracy of the head {fmean(each.accuracy for each in worlds):.1%}. In {within} of them, EDDP "
        "has every IoU of .93 or more, every cosine of .95 or more and an error of .15 or less."
    )
    lines = [*report(found), "", summary]
    print("\n".join(save_rows(given.output, "Planted direction pairs, found without labels", found, lines)))


if __name__ == "__main__":
    main()
