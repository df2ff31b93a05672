"""Find directions by other methods in the features that EDDP looked at, and measure them in the same way."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from sing_compute.directions.influence import influence
from sing_compute.directions.naming import SignalNames, largest_logits
from sing_compute.directions.null_shares import null_share
from sing_compute.directions.pairs import DirectionPairs
from sing_compute.directions.rival_pairs import rival_pairs
from sing_compute.directions.rivals import RIVALS, pattern_cav
from sing_compute.directions.rivals import rival_directions as directions_of
from sing_compute.linalg.angles import unit
from sing_compute.linalg.null_space import HeadSplit
from sing_compute.process.progress import Progress
from sing_compute.questions.directions.inputs import DirectionInputs
from sing_compute.questions.directions.labelled import KnownConcepts
from sing_compute.store.text import clean

PATTERN_CAV = "Pattern-CAV"
MOST_CLASSES = 50
"""Most classes that stand for known concepts, those with most images first."""


@dataclass(frozen=True, slots=True)
class RivalDirections:
    """Directions of other methods, one after the other, with the figures of those of EDDP."""

    names: Sequence[str]
    methods: Sequence[str]
    share: Float64[Tensor, " rival"]
    images: Int64[Tensor, " rival"]
    most_moved: Int64[Tensor, " rival"]
    margin: Float64[Tensor, " rival"]
    likeness: Float64[Tensor, " rival"]
    words: SignalNames | None


def rival_directions(
    inputs: DirectionInputs,
    pairs: DirectionPairs,
    split: HeadSplit,
    progress: Progress,
    stop: Callable[[], None],
    *,
    known: KnownConcepts,
    named: Callable[[DirectionPairs], SignalNames | None],
    seed: int,
) -> RivalDirections:
    """Find as many directions by each other method as EDDP has, and by Pattern-CAV one for each known concept; measure them.

    Args:
        inputs: Features and head.
        pairs: The directions of EDDP; thresholds of the others are set so that they fire as often.
        split: Null space of the head.
        progress: Shows how far the work is.
        stop: Is called between methods; it raises an error to stop.
        known: Concepts for Pattern-CAV, the only method that sees labels.
        named: Names directions; gives None where nothing can be named.
        seed: Seed of all methods.
    """
    count, flat = len(pairs.thresholds), inputs.features.flatten(0, 1)
    found: list[DirectionPairs] = []
    names: list[str] = []
    methods: list[str] = []

    def add(method: str, directions: Tensor, labels: Sequence[str], *, signed: bool) -> None:
        found.append(rival_pairs(directions.double(), flat, pairs, signed=signed))
        names.extend(f"{method} {label}" for label in labels)
        methods.extend([method] * directions.shape[1])

    with progress.task("directions of other methods", len(RIVALS) + 1) as advance:
        for method, rival in RIVALS.items():
            directions = directions_of(method, flat, count, seed=seed)
            add(method, directions, list(map(str, range(directions.shape[1]))), signed=rival.signed)
            advance(1)
            stop()
        present = torch.from_numpy(known.present).repeat_interleave(inputs.positions, 0)
        add(PATTERN_CAV, pattern_cav(flat, present), known.names, signed=True)
        advance(1)
    every = DirectionPairs(
        torch.cat([each.filters for each in found], 1),
        torch.cat([each.thresholds for each in found]),
        torch.cat([each.signals for each in found], 1),
    )
    moved = influence(inputs.head, every, inputs.features.double(), pooled=inputs.pooled)
    margin = moved.margin[moved.steps.index(1.0)]
    most = margin.abs().nan_to_num(nan=-1.0).argmax(1)
    cosines = unit(every.signals.T).nan_to_num() @ unit(pairs.signals.T).nan_to_num().T
    return RivalDirections(
        names,
        methods,
        null_share(every.signals.T, split) if split.nullity else torch.full((len(names),), torch.nan).double(),
        (largest_logits(every, inputs.features) > 0).sum(0),
        most,
        margin.gather(1, most[:, None])[:, 0],
        cosines.abs().amax(1),
        named(every),
    )


def classes_as_concepts(inputs: DirectionInputs, names: Sequence[str]) -> KnownConcepts:
    """Return the classes of the images as concepts, those with most images first; one that all images have is left out.

    Args:
        inputs: The images.
        names: Names of all classes.
    """
    images = np.bincount(inputs.labels, minlength=len(names))
    order = np.argsort(-images, kind="stable")[:MOST_CLASSES]
    chosen = [k for k in order.tolist() if 0 < images[k] < len(inputs.labels)]
    present = inputs.labels[:, None] == np.array(chosen, dtype=np.int64)
    return KnownConcepts([clean(names[k]) for k in chosen], present)
