"""Signal vectors: how features change with the strength of a concept (arXiv 2509.23926, section 3.3)."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64
from torch import Tensor

_TINY = 1e-12


def signal_vectors(
    features: Float[Tensor, "*group position dim"],
    filters: Float[Tensor, "*group restart dim direction"],
    logits: Float[Tensor, "*group restart direction position"],
) -> Float[Tensor, "*group restart dim direction"]:
    """Return cov(x, w . x) / var(w . x) over the positives of each detector, so that w . s = 1.

    Over all positions, the strengths of concepts that exclude each other are anticorrelated; within one concept they are not.

    Args:
        features: Feature vectors x; those around their mean give better rounding.
        filters: Filters w.
        logits: w . x - b; positives are where it is above 0.

    Returns:
        Signal vectors; zeros where a detector has fewer than two positives.
    """
    positive = (logits > 0).to(features.dtype)
    count = positive.sum(-1).clamp_min(1)
    mean = (positive * logits).sum(-1) / count
    centred = positive * (logits - mean[..., None])
    variance = (centred * centred).sum(-1) / count
    covariance = centred.flatten(-3, -2) @ features  # `centred` sums to 0, so the mean of x drops out
    scale = 1 / (count * (variance + _TINY))
    return (covariance.reshape(*count.shape, -1) * scale[..., None]).mT


@dataclass(slots=True)
class SignalSums:
    """The same from features that do not fit into memory, added up part by part, in float64."""

    count: Float64[Tensor, "restart direction"]
    logit: Float64[Tensor, "restart direction"]
    square: Float64[Tensor, "restart direction"]
    feature: Float64[Tensor, "restart direction dim"]
    product: Float64[Tensor, "restart direction dim"]

    @classmethod
    def empty(cls, filters: Float64[Tensor, "restart dim direction"]) -> "SignalSums":
        """Return sums of nothing, for these filters."""
        restarts, dim, directions = filters.shape
        few = torch.zeros(restarts, directions, dtype=torch.float64, device=filters.device)
        many = torch.zeros(restarts, directions, dim, dtype=torch.float64, device=filters.device)
        return cls(few, few.clone(), few.clone(), many, many.clone())

    def add(self, features: Float[Tensor, "position dim"], logits: Float[Tensor, "restart direction position"]) -> None:
        """Add positions.

        Args:
            features: Feature vectors around a fixed point.
            logits: w . x - b of each.
        """
        positive = (logits > 0).to(features.dtype)
        strength = positive * logits
        self.count += positive.sum(-1, dtype=torch.float64)
        self.logit += strength.sum(-1, dtype=torch.float64)
        self.square += (strength * logits).sum(-1, dtype=torch.float64)
        self.feature += positive @ features
        self.product += strength @ features

    def vectors(self) -> Float64[Tensor, "restart dim direction"]:
        """Return the signal vectors; zeros where a detector has no variance among its positives."""
        count = self.count.clamp_min(1)
        mean = self.logit / count
        variance = self.square / count - mean**2
        covariance = (self.product - mean[..., None] * self.feature) / count[..., None]
        return torch.where(variance[..., None] > _TINY, covariance / variance[..., None], 0.0).mT
