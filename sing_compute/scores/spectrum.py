"""Compute the semantic spectrum of a null space: how far its directions move CLIP space, and toward which concepts."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from sing_compute.linalg.angles import unit
from sing_compute.linalg.null_space import HeadSplit
from sing_compute.translator.ridge import AffineTranslator, RidgeSums


@dataclass(frozen=True, slots=True)
class Spectrum:
    """Null directions (modes), sorted by how far they move CLIP space, each with the concepts at its two ends (poles)."""

    singular_value: Float[Tensor, " mode"]
    """Singular values of A Pi_n, descending; as many as can be above zero: min(clip, nullity)."""
    toward: Int[Tensor, "mode pole"]
    """Concepts nearest to the direction, by index."""
    toward_cosine: Float[Tensor, "mode pole"]
    """Cosine of each with the direction."""
    away: Int[Tensor, "mode pole"]
    """Concepts nearest to the opposite direction, by index."""
    away_cosine: Float[Tensor, "mode pole"]
    """Cosine of each with the direction, the lowest first."""


def semantic_spectrum(
    translator: AffineTranslator,
    split: HeadSplit,
    concepts: Float[Tensor, "concept clip"],
    *,
    poles: int,
) -> Spectrum:
    """Decompose A Pi_n by an SVD, and name its left directions by the nearest concepts.

    A direction d is translated as A d, without the offset a, and compared with the concepts minus their mean. The SVD
    leaves its sign free; it is chosen so that the concept nearest to its line is in `toward`.

    Args:
        translator: Fitted on all images.
        split: The head's null space.
        concepts: Unit text embeddings.
        poles: Number of concepts at each end of a direction.
    """
    weight = translator.weight
    null = split.null_part(weight)
    left, values, _ = torch.linalg.svd(null, full_matrices=False)
    modes = min(len(weight), split.nullity)
    texts = unit((concepts - concepts.mean(0)).double())
    cosine = (left[:, :modes].T @ texts.T).nan_to_num(0.0)
    nearest = cosine.gather(1, cosine.abs().argmax(dim=1, keepdim=True))
    cosine = torch.where(nearest < 0, -cosine, cosine)
    named = min(poles, len(concepts))
    toward, away = cosine.topk(named, dim=1), cosine.topk(named, dim=1, largest=False)
    return Spectrum(values[:modes], toward.indices, toward.values, away.indices, away.values)


def null_shares(translator: AffineTranslator, split: HeadSplit, sums: RidgeSums) -> tuple[float, float]:
    """Measure how much of what a translator moves in CLIP space comes from the null space.

    Args:
        translator: Fitted on all images.
        split: The head's null space.
        sums: Sums over all images.

    Returns:
        ||A Pi_n||^2 / ||A||^2, the share of what it could move; and tr(A Pi_n S Pi_n A^T) / tr(A S A^T), S the features'
        covariance, the share of what it does move on these images.
    """
    weight = translator.weight
    null = split.null_part(weight)
    covariance = sums.feature_products - sums.count * torch.outer(sums.mean_feature, sums.mean_feature)

    def moved(matrix: Tensor) -> float:
        return float(((matrix @ covariance) * matrix).sum())

    return float(null.square().sum() / weight.square().sum()), moved(null) / moved(weight)
