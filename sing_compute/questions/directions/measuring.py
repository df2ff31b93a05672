"""Measure direction pairs of one classifier: where they fire, what the head reads of them, and what moves along them change."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int64
from torch import Tensor

from sing_compute.directions.counterfactuals import Counterfactuals, linear_counterfactuals
from sing_compute.directions.influence import Influence, influence, mean_strengths
from sing_compute.directions.naming import SignalNames, largest_logits
from sing_compute.directions.null_shares import NullShares, covariance_directions
from sing_compute.directions.pairs import DirectionPairs
from sing_compute.directions.permutation import InfluenceTest, permutation_test
from sing_compute.directions.rival_pairs import pattern_pairs
from sing_compute.process.progress import Progress
from sing_compute.questions.directions.correcting import Corrections, correct
from sing_compute.questions.directions.head_reading import (
    HeadReading,
    covariance_of,
    names_of,
    read_by_head,
    shares_of,
)
from sing_compute.questions.directions.inputs import DirectionInputs
from sing_compute.sith.naming import Dictionary

DRAWS = 2000
"""Directions drawn with the covariance of the features, with which null shares are compared."""
NAMED = 200
"""Those of them that are named, too."""
_PART = 1 << 16


@dataclass(frozen=True, slots=True)
class MeasuredDirections:
    """Figures of the direction pairs of one classifier."""

    logits: Float64[Tensor, "image direction"]
    """Largest logit of the positions of each image."""
    positives: Int64[Tensor, " direction"]
    """Positions at which each detector fires."""
    strength: Float64[Tensor, " direction"]
    rest: Float64[Tensor, " direction"]
    """Mean logit of the positions at which it does not fire; NaN if there are none."""
    class_images: Int64[np.ndarray, " class"]
    class_positives: Int64[np.ndarray, "direction class"]
    """Images of each class on which each detector fires."""
    patterns: DirectionPairs
    """The same detectors with the difference of the means of positives and others in the place of signal vectors."""
    reading: HeadReading
    pattern_shares: NullShares | None
    names: SignalNames | None
    pattern_names: SignalNames | None
    random: Float64[Tensor, "draw dim"]
    """Directions drawn with the covariance of the features, with which null shares and names are compared."""
    influence: Influence
    test: InfluenceTest
    flips: Float64[Tensor, "figure direction class"]
    """Share of images that some step leads to the class, median of these steps, and share that leaves the real range."""
    corrections: Corrections


def measure_directions(
    inputs: DirectionInputs,
    pairs: DirectionPairs,
    progress: Progress,
    stop: Callable[[], None],
    *,
    translator: Float64[Tensor, "clip dim"] | None,
    dictionary: Dictionary | None,
    size: int,
    subsets: Bool[np.ndarray, "subset image"],
    step: float | None,
    seed: int,
) -> MeasuredDirections:
    """Measure direction pairs on the images that they were found in.

    Args:
        inputs: Features and head.
        pairs: The direction pairs.
        progress: Shows how far the work is.
        stop: Is called between the steps; it raises an error to stop.
        translator: The matrix A of the model's translator; None gives no names.
        dictionary: The concepts of names; None gives no names.
        size: Number of concepts of a name.
        subsets: A mask of images for each subset that accuracies are given for.
        step: Length of the paper's correction, in the unit of the features; None leaves it out.
        seed: Seed of permutations and draws.
    """
    classes = len(inputs.head.bias)
    with progress.task("directions measured", 6) as advance:

        def done() -> None:
            advance(1)
            stop()

        covariance = covariance_of(inputs)
        random = covariance_directions(covariance, DRAWS, seed=seed)
        reading = read_by_head(inputs, pairs, covariance, random)
        patterns = pattern_pairs(pairs, inputs.features.flatten(0, 1))
        of_patterns = shares_of(inputs, patterns, reading.split, covariance, random)
        done()
        names, pattern_names = None, None
        if translator is not None and dictionary is not None:
            both = (pairs, patterns)
            names, pattern_names = (names_of(each, translator, random[:NAMED], dictionary, size) for each in both)
        done()
        features = inputs.features.double()
        moved = influence(inputs.head, pairs, features, pooled=inputs.pooled)
        done()
        test = permutation_test(inputs.head, pairs, features, pooled=inputs.pooled, seed=seed)
        done()
        steps = linear_counterfactuals(inputs.head, pairs, features, pooled=inputs.pooled)
        predicted = (inputs.pooled @ inputs.head.weight.T + inputs.head.bias).argmax(1)
        flips = _flips(steps, predicted, classes)
        done()
        positives, rest = _firing(pairs, inputs)
        corrections = correct(inputs, pairs, rest, subsets, stop=stop, step=step, seed=seed)
        done()
    logits = largest_logits(pairs, inputs.features)
    labels = torch.from_numpy(inputs.labels.astype(np.int64))
    fires = (logits > 0).double()
    own = torch.zeros(classes, len(labels), dtype=torch.float64)
    own[labels, torch.arange(len(labels))] = 1
    return MeasuredDirections(
        logits,
        positives,
        mean_strengths(pairs, features),
        rest,
        np.bincount(inputs.labels, minlength=classes),
        (own @ fires).T.round().long().numpy(),
        patterns,
        reading,
        of_patterns,
        names,
        pattern_names,
        random,
        moved,
        test,
        flips,
        corrections,
    )


def _firing(
    pairs: DirectionPairs, inputs: DirectionInputs
) -> tuple[Int64[Tensor, " direction"], Float64[Tensor, " direction"]]:
    """Count the positions at which each detector fires, and return the mean logit of the others."""
    positives = torch.zeros(len(pairs.thresholds), dtype=torch.int64)
    below = torch.zeros(len(pairs.thresholds), dtype=torch.float64)
    flat = inputs.features.flatten(0, 1)
    for part in torch.split(flat, _PART):
        logits = pairs.logits(part.double())
        positives += (logits > 0).sum(0)
        below += logits.clamp_max(0).sum(0)
    others = len(flat) - positives
    return positives, torch.where(others > 0, below / others.clamp_min(1), torch.nan)


def _flips(
    steps: Counterfactuals, predicted: Int64[Tensor, " image"], classes: int
) -> Float64[Tensor, "figure direction class"]:
    """Sum up counterfactuals by the class that they lead to."""
    directions = steps.reached.shape[1]
    found = torch.full((3, directions, classes), torch.nan, dtype=torch.float64)
    others = len(predicted) - torch.bincount(predicted, minlength=classes)
    sizes = steps.value.abs()
    for direction in range(directions):
        reached = torch.where(steps.changed[:, direction], steps.reached[:, direction], -1)
        for label in torch.unique(reached[reached >= 0]).tolist():
            there = reached == label
            found[1, direction, label] = sizes[there, direction].median()
            found[2, direction, label] = steps.outside[there, direction].double().mean()
        counts = torch.bincount(reached[reached >= 0], minlength=classes)
        found[0, direction] = torch.where(others > 0, counts / others.clamp_min(1), torch.nan)
    return found
