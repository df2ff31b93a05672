"""Signal vectors: how features change with the strength of a concept (arXiv 2509.23926, section 3.3)."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Float64
from torch import Tensor
from torch.autograd.function import once_differentiable

_TINY = 1e-12
_PART = 1 << 20
"""Logits that are looked at together."""


def signal_vectors(
    features: Float[Tensor, "*group position dim"],
    filters: Float[Tensor, "*group restart dim direction"],
    logits: Float[Tensor, "*group restart direction position"],
) -> Float[Tensor, "*group restart dim direction"]:
    """Return cov(x, w . x) / var(w . x) over the positives of each detector, so that w . s = 1.

    Over all positions, the strengths of concepts that exclude each other are anticorrelated; within one concept they are not.

    Args:
        features: Feature vectors x; those around their mean give better rounding. They get no gradient.
        filters: Filters w.
        logits: w . x - b; positives are where it is above 0.

    Returns:
        Signal vectors; zeros where a detector has fewer than two positives.
    """
    *groups, positions, dim = features.shape
    flat = logits.reshape(math.prod(groups), -1, *logits.shape[-2:])
    found: Tensor = _SignalVectors.apply(features.reshape(-1, positions, dim), flat)
    return found.reshape(*logits.shape[:-1], dim).mT


class _SignalVectors(torch.autograd.Function):
    """Signal vectors in rows, (group, restart, direction, dim), with their gradient written out: two products and few passes.

    With c = w . x minus its mean over the n positives, and 0 elsewhere: s = sum c x / sum c^2.
    """

    @staticmethod
    def forward(ctx: Any, features: Tensor, logits: Tensor) -> Tensor:
        found = logits.new_empty(*logits.shape[:-1], features.shape[-1])
        count, mean, scale = (torch.empty_like(logits[..., 0]) for _ in range(3))
        for group, restarts in _parts(logits):
            own = logits[group, restarts]
            positive = (own > 0).to(own.dtype)
            number = positive.sum(-1).clamp_min(1)
            middle = own.clamp_min(0).sum(-1) / number
            centred = (own - middle[..., None]).mul_(positive)
            variance = torch.linalg.vector_norm(centred, dim=-1).square() / number
            scale[group, restarts] = 1 / (number * (variance + _TINY))
            covariance = centred @ features[group]  # `centred` sums to 0, so the mean of x drops out
            found[group, restarts] = covariance.mul_(scale[group, restarts, :, None])
            count[group, restarts], mean[group, restarts] = number, middle
        ctx.save_for_backward(features, logits, count, mean, scale, found)
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_signals: Tensor) -> tuple[None, Tensor]:
        features, logits, count, mean, scale, signals = ctx.saved_tensors
        found = torch.empty_like(logits)
        outer = of_signals * scale[..., None]
        # from the variance: -2 c (gradient . s) / sum c^2; what is centred passes on no mean
        slope = -2 * (outer * signals).sum(-1)
        for group, restarts in _parts(logits):
            own, gradient = logits[group, restarts], found[group, restarts]
            torch.mm(outer[group, restarts].flatten(0, 1), features[group].mT, out=gradient.flatten(0, 1))
            positive = (own > 0).to(own.dtype)
            middle = gradient.mul_(positive).sum(-1) / count[group, restarts]
            steep = slope[group, restarts]
            gradient.addcmul_(own, steep[..., None]).sub_((middle + steep * mean[group, restarts])[..., None])
            gradient.mul_(positive)
        return None, found


def _parts(logits: Tensor) -> Iterator[tuple[int, slice]]:
    """Yield a group and some of its restarts, of logits (group, restart, direction, position)."""
    height = max(1, _PART // logits[0, 0].numel())
    for group in range(len(logits)):
        for restart in range(0, logits.shape[1], height):
            yield group, slice(restart, restart + height)


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
