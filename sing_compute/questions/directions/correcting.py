"""Take the concept of each direction out of all images on which its detector fires, and see what the predictions become."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float64
from torch import Tensor

from sing_compute.directions.interventions import DRAWS, Correction, fixed_step_correction, random_vectors
from sing_compute.directions.pairs import DirectionPairs
from sing_compute.questions.directions.inputs import DirectionInputs

_POSITIONS = 1 << 16
"""Most positions that are moved at once."""


@dataclass(frozen=True, slots=True)
class Corrections:
    """Accuracy on the images of each subset before and after; NaN for a direction whose concept cannot be taken out."""

    before: Float64[Tensor, " subset"]
    signal: Float64[Tensor, "direction subset"]
    filter: Float64[Tensor, "direction subset"]
    random: Float64[Tensor, "direction subset"]
    """Mean over random directions."""
    fixed: Float64[Tensor, "direction subset"] | None
    """By the paper's rule, a step of fixed length; None if no length is given."""


def correct(
    inputs: DirectionInputs,
    pairs: DirectionPairs,
    rest: Float64[Tensor, " direction"],
    subsets: Bool[np.ndarray, "subset image"],
    *,
    stop: Callable[[], None],
    step: float | None = None,
    seed: int = 0,
    draws: int = DRAWS,
) -> Corrections:
    """Bring every positive of each detector to the mean logit of its negatives, along signal vector, filter and random vectors.

    Args:
        inputs: Features and head.
        pairs: The direction pairs.
        rest: Mean logit of the positions at which each detector does not fire; NaN if there are none.
        subsets: Images of each subset.
        stop: Is called after each direction; it raises an error to stop.
        step: Length of the paper's step, in the unit of the features; None leaves its rule out.
        seed: Seed of the random vectors.
        draws: Number of random vectors.
    """
    masks = torch.from_numpy(subsets.astype(np.float64))
    labels = torch.from_numpy(inputs.labels.astype(np.int64))
    randoms = random_vectors(len(pairs.filters), draws, seed=seed)
    found = torch.full((4, len(pairs.thresholds), len(masks)), torch.nan, dtype=torch.float64)

    def accuracy(pooled: Tensor) -> Tensor:
        hits = ((pooled @ inputs.head.weight.T + inputs.head.bias).argmax(1) == labels).double()
        shares: Tensor = (masks @ hits) / masks.sum(1)
        return shares

    for direction in range(len(pairs.thresholds)):
        filter_, signal = pairs.filters[:, direction], pairs.signals[:, direction]
        if signal.any() and rest[direction].isfinite():
            plan = Correction(filter_, float(pairs.thresholds[direction]), float(rest[direction]), signal)
            excess = _excess(inputs, plan)
            along = [plan.moving_along(vector).along for vector in (signal, filter_, *randoms)]
            every = torch.stack([accuracy(inputs.pooled - excess[:, None] * each) for each in along])
            found[0, direction], found[1, direction], found[2, direction] = every[0], every[1], every[2:].mean(0)
            if step is not None:
                found[3, direction] = accuracy(_fixed_step(inputs, pairs, direction, step))
        stop()
    signal, filter_, random, fixed = found
    return Corrections(accuracy(inputs.pooled), signal, filter_, random, None if step is None else fixed)


def _fixed_step(
    inputs: DirectionInputs, pairs: DirectionPairs, direction: int, length: float
) -> Float64[Tensor, "image dim"]:
    """Return the feature that the head reads of each image, corrected by the paper's rule."""
    rule = fixed_step_correction(pairs, direction, length=length)
    parts = (part.double() for part in torch.split(inputs.features, max(1, _POSITIONS // inputs.positions)))
    return inputs.pooled + torch.cat([(rule(part) - part).mean(1) for part in parts])


def _excess(inputs: DirectionInputs, plan: Correction) -> Float64[Tensor, " image"]:
    """Return by how many units of its logit a detector is brought down in each image, as mean over the positions."""
    size = max(1, _POSITIONS // inputs.positions)
    parts = []
    for part in torch.split(inputs.features, size):
        logits = part.double() @ plan.filter - plan.threshold
        parts.append(torch.where(logits > 0, logits - plan.target, 0.0).mean(1))
    return torch.cat(parts)
