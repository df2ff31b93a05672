"""Match the directions of two models by the images on which they fire: feature spaces differ, images are the same."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int64
from torch import Tensor

from sing_compute.directions.labels import OverlapCounts

_TINY = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True, slots=True)
class BestMatches:
    """The direction of the other model that fires on the same images, for each direction of one model."""

    match: Int64[Tensor, " direction"]
    """Direction of the other model with the largest IoU, of equal ones the first; -1 if none shares an image."""
    iou: Float64[Tensor, " direction"]
    """IoU of the images on which the two fire; 0 without a match."""
    chance: Float64[Tensor, " direction"]
    """IoU of two detectors that fire as often as these and independently; NaN without a match."""
    p: Float64[Tensor, " direction"]
    """Probability of as many shared images by chance for any of the other model's directions: the hypergeometric tail of the
    match times their number (Bonferroni), at most 1; never 0. NaN without a match."""
    mutual: Bool[Tensor, " direction"]
    """True if the two are each other's best match."""


@dataclass(frozen=True, slots=True)
class MatchedDirections:
    """Directions of two models, matched both ways."""

    iou: Float64[Tensor, "first second"]
    """IoU of the images on which each pair of directions fires."""
    chance: Float64[Tensor, "first second"]
    """p q / (p + q - p q) for the shares p and q of the images on which they fire."""
    of_first: BestMatches
    """For each direction of the first model."""
    of_second: BestMatches


def match_directions(first: Bool[Tensor, "image first"], second: Bool[Tensor, "image second"]) -> MatchedDirections:
    """Match directions of two models by the images on which their detectors fire.

    Args:
        first: True where a detector of the first model fires on an image; of maps, at any position.
        second: The same of the second model, for the same images in the same order.
    """
    counts = OverlapCounts.of_images(first, second)
    turned = OverlapCounts(counts.both.T, counts.present, counts.fired, counts.total)
    best, best_of_second = _best(counts), _best(turned)
    return MatchedDirections(
        counts.iou,
        counts.chance,
        _matches(counts, best, best_of_second),
        _matches(turned, best_of_second, best),
    )


def _best(counts: OverlapCounts) -> Int64[Tensor, " direction"]:
    """Return the column with the largest IoU of each row; -1 where none is above 0."""
    iou = torch.cat([torch.zeros_like(counts.fired)[:, None], counts.iou], 1)  # the first of equal ones is no match
    return iou.argmax(1) - 1


def _matches(counts: OverlapCounts, best: Tensor, best_of_others: Tensor) -> BestMatches:
    from scipy.stats import hypergeom  # a second of imports, for whoever compares

    known = (best >= 0).nonzero()[:, 0]
    pair = known, best[known]
    both, fired, others = (
        each.cpu().numpy() for each in (counts.both[pair], counts.fired[known], counts.present[pair[1]])
    )
    tail = hypergeom.sf(both - 1, counts.total, fired, others) * counts.both.shape[1]
    p = torch.from_numpy(np.clip(tail, _TINY, 1)).to(counts.both)

    def whole(values: Tensor, filling: float) -> Tensor:
        return counts.both.new_full((len(best),), filling).index_put((known,), values)

    mutual = torch.zeros_like(best, dtype=torch.bool)
    mutual[known] = best_of_others[best[known]] == known
    return BestMatches(
        best, whole(counts.iou[pair], 0.0), whole(counts.chance[pair], torch.nan), whole(p, torch.nan), mutual
    )
