"""How far to trust each direction: is it found again in other restarts and in independent halves of the images?"""

from dataclasses import dataclass, fields
from functools import reduce
from operator import add

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor
from torch.nn.functional import normalize

from sing_compute.directions.alignment import LinearHead
from sing_compute.directions.labels import OverlapCounts
from sing_compute.directions.pairs import DirectionPairs
from sing_compute.directions.search import Restarts, Settings
from sing_compute.directions.signals import SignalSums

FOUND, DETECTOR, UNSTABLE, NOT_FOUND = "found", "detector only", "unstable", "not found"
FOUND_FROM, UNSTABLE_FROM = 0.88, 0.5
"""Least scores of directions that are called found and unstable: chosen on seeds 0 to 3 of benchmarks/direction_trust.py."""
AGAIN = 0.8
"""Least agreement of a direction that is found again."""
MISSED = 0.1
"""How much the constraints may be missed by in all."""
_PART = 1 << 12
"""Positions that are looked at together."""
_POSITIONS = 20_000
"""Most positions on which directions are compared."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How alike each direction and the direction most like it in each of several restarts are."""

    logits: Float64[Tensor, "restart direction"]
    """Correlation of the logits, which is the cosine of the filters in the metric of the features' covariance."""
    signals: Float64[Tensor, "restart direction"]
    """Cosine of the signal vectors."""
    positives: Float64[Tensor, "restart direction"]
    """Intersection over union of the positives."""
    detectors: Float64[Tensor, "restart direction"]
    """The smaller of correlation and IoU beyond chance, with the direction most like it in these two, whatever its signal vector.
    Beyond chance: 1 for the same positives, 0 for independent ones, and for detectors that fire everywhere."""

    @property
    def least(self) -> Float64[Tensor, "restart direction"]:
        """The smallest of the three, at least 0: what looks alike in one respect only is another direction."""
        return torch.stack([self.logits, self.signals, self.positives]).amin(0).clamp_min(0)


@dataclass(frozen=True, slots=True)
class Half:
    """Restarts that have seen one half of the images only."""

    images: Int64[Tensor, " some"]
    """Numbers of the images that they have seen."""
    restarts: Restarts


@dataclass(frozen=True, slots=True)
class Trust:
    """Signs of how far each direction of the best restart can be trusted."""

    others: Agreement
    """With each other restart on all images."""
    halves: Agreement
    """With the best restart of each half, on the images that it has not seen; a row is a half."""
    steady: Float64[Tensor, " direction"]
    """Cosine of the signal vectors among positives and among negatives: in the paper's model, both are the concept's own."""
    pinned: Float64[Tensor, " direction"]
    """Share of the filter that the alignment of uncertain regions can pin: see `pinned_share`."""
    kept: bool
    """The constraints, but for that on inactive detectors, are missed by `MISSED` or less in all. A dead detector misses that
    one, but the others beside it may be right."""
    score: Float64[Tensor, " direction"]
    """0 to 1: `steady` times the middle one of three agreements: with each half, and the best one with another restart."""
    detector: Float64[Tensor, " direction"]
    """0 to 1: the middle one of the three agreements of detectors alone."""
    states: tuple[str, ...]
    """`found`, `detector only` (its signal vector is not found), `unstable` or `not found`."""

    @property
    def again(self) -> Int64[Tensor, " direction"]:
        """Number of other restarts that have found each direction again."""
        return (self.others.least >= AGAIN).sum(0)


def measured_trust(
    features: Float[Tensor, "image position dim"],
    head: LinearHead,
    restarts: Restarts,
    halves: tuple[Half, Half],
    *,
    settings: Settings | None = None,
) -> Trust:
    """Measure how far to trust each direction of the best restart.

    Args:
        features: Raw features that the restarts were made on.
        head: The head behind them.
        restarts: Restarts on all images, two or more.
        halves: Restarts on two halves of them.
        settings: Those of the search, for its constraints.
    """
    best = restarts.best
    pairs = restarts.pairs(best)
    positions = _some_positions(features, torch.arange(len(features)))
    others = agreement(pairs, without(restarts, best), positions)
    apart = []
    for half in halves:
        seen = torch.zeros(len(features), dtype=torch.bool)
        seen[half.images.cpu()] = True
        unseen = _some_positions(features, (~seen).nonzero()[:, 0])
        apart.append(agreement(pairs, only(half.restarts, half.restarts.best), unseen))
    both = Agreement(*(torch.cat([getattr(each, part.name) for each in apart]) for part in fields(Agreement)))
    kept = bool((settings or Settings()).missed(restarts.losses, but="inactivity")[best] <= MISSED)
    signs = torch.cat([others.least.amax(0, keepdim=True), both.least])
    steady = _steadiness(pairs, positions)
    score = signs.median(0).values * steady.clamp_min(0)
    alone = torch.cat([others.detectors.amax(0, keepdim=True), both.detectors]).median(0).values.clamp_min(0)
    states = tuple(map(_state, score.tolist(), alone.tolist(), [kept] * len(score)))
    return Trust(others, both, steady, pinned_share(pairs.filters, head), kept, score, alone, states)


def found_twice(restarts: Restarts, features: Float[Tensor, "image position dim"]) -> bool:
    """Return True if one other restart has found nine in ten of the best restart's living directions again.

    Args:
        restarts: Restarts on all images, two or more.
        features: Raw features.
    """
    best = restarts.best
    positions = _some_positions(features, torch.arange(len(features)))
    living = restarts.signals[best].any(0)
    again = (agreement(restarts.pairs(best), restarts, positions).least >= AGAIN)[:, living].double().mean(1)
    again[best] = 0
    return bool((again >= 0.9).any())


def only(restarts: Restarts, number: int) -> Restarts:
    """Return one restart.

    Args:
        restarts: The restarts.
        number: Its number.
    """
    return _chosen(restarts, torch.tensor([number]))


def without(restarts: Restarts, number: int) -> Restarts:
    """Return all restarts but one.

    Args:
        restarts: The restarts.
        number: Number of the one that is left out.
    """
    return _chosen(restarts, torch.tensor([each for each in range(len(restarts.objective)) if each != number]))


def _chosen(restarts: Restarts, numbers: Tensor) -> Restarts:
    numbers = numbers.long().to(restarts.objective.device)
    values = {part.name: getattr(restarts, part.name)[numbers] for part in fields(Restarts) if part.name != "losses"}
    return Restarts(**values, losses={name: value[numbers] for name, value in restarts.losses.items()})


def _steadiness(pairs: DirectionPairs, positions: Tensor) -> Tensor:
    """Cosine of each signal vector and the one among the negatives."""
    sums = [SignalSums.empty(pairs.filters[None]) for _ in range(2)]
    centre = positions.mean(0, dtype=torch.float64)
    for part in torch.split(positions.double(), _PART):
        logits = pairs.logits(part).mT[None]
        sums[0].add(part - centre, logits)
        sums[1].add(part - centre, -logits)  # positives of the opposite filter, whose vector is the opposite one
    above, below = (each.vectors()[0] for each in sums)
    return -torch.cosine_similarity(above, below, dim=0)


def _state(score: float, detector: float, kept: bool) -> str:
    if kept and score >= FOUND_FROM:
        return FOUND
    if kept and detector >= FOUND_FROM:
        return DETECTOR
    return NOT_FOUND if score < UNSTABLE_FROM else UNSTABLE


def _some_positions(features: Tensor, images: Tensor) -> Tensor:
    """All positions of evenly spread images, up to `_POSITIONS` of them, (position, dim)."""
    most = max(1, _POSITIONS // features.shape[1])
    every = torch.linspace(0, len(images) - 1, min(most, len(images))).round().long()
    return features[images[every].to(features.device)].flatten(0, 1)


def agreement(pairs: DirectionPairs, others: Restarts, features: Float[Tensor, "position dim"]) -> Agreement:
    """Match each direction with the direction of each restart that is most like it.

    Args:
        pairs: The directions.
        others: The restarts.
        features: Raw features on which positives and logits are compared.
    """
    restarts, _, count = others.filters.shape
    flat = DirectionPairs(
        others.filters.transpose(0, 1).flatten(1),
        others.thresholds.flatten(),
        others.signals.transpose(0, 1).flatten(1),
    )
    centre = features.mean(0, dtype=torch.float64)
    sums = torch.zeros(3, pairs.filters.shape[1], restarts * count, dtype=torch.float64, device=features.device)
    fired: list[OverlapCounts] = []
    for part in torch.split(features, _PART):
        own, other = pairs.logits(part.double()), flat.logits(part.double())
        fired.append(OverlapCounts.of_images(own > 0, other > 0))
        own, other = own - pairs.logits(centre), other - flat.logits(centre)
        sums[0] += own.mT @ other
        sums[1] += own.square().sum(0)[:, None]
        sums[2] += other.square().sum(0)
    counts = reduce(add, fired)
    tiny = torch.finfo(torch.float64).tiny
    logits = sums[0] / (sums[1] * sums[2]).sqrt().clamp_min(tiny)
    signals = normalize(pairs.signals, dim=0).mT @ normalize(flat.signals, dim=0)
    found = torch.stack([logits, signals, counts.iou]).reshape(3, -1, restarts, count)
    best = found.amin(0).argmax(-1)
    logits, signals, positives = found.gather(-1, best.expand(3, *best.shape)[..., None])[..., 0].mT
    beyond = torch.where(counts.chance < 1, (counts.iou - counts.chance) / (1 - counts.chance).clamp_min(tiny), 0.0)
    alone = torch.minimum(found[0], beyond.reshape(found[0].shape)).amax(-1).T
    return Agreement(logits, signals, positives, alone)


def pinned_share(filters: Float64[Tensor, "dim direction"], head: LinearHead) -> Float64[Tensor, " direction"]:
    """Return the share of each filter's squared length that lies in the span of differences between the head's rows.

    The alignment of uncertain regions sees no more of a filter than that: classes - 1 dimensions of softmax heads.

    Args:
        filters: Filters.
        head: The head. Of a sigmoid head, the span of the rows themselves counts.
    """
    weight = head.weight.double()
    rows = weight if head.sigmoid else weight - weight.mean(0)
    _, spectrum, basis = torch.linalg.svd(rows, full_matrices=False)
    basis = basis[spectrum > spectrum.max() * max(rows.shape) * torch.finfo(torch.float64).eps]
    parts: Tensor = basis @ normalize(filters, dim=0)
    return parts.square().sum(0)
