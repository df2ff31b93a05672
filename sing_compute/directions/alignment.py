"""Uncertainty region alignment: move features to where every detector is undecided, and ask the head how sure it still is."""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Float64
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import log_softmax, logsigmoid, normalize

from sing_compute.directions.activations import cache_parts


@dataclass(frozen=True, slots=True)
class LinearHead:
    """The part of a network behind the features: the mean over positions, then logits = A x + a."""

    weight: Float64[Tensor, "class dim"]
    bias: Float64[Tensor, " class"]
    sigmoid: bool = False
    """Classes do not exclude each other: each has a probability of its own."""

    def entropy(self, logits: Float64[Tensor, "*batch class"]) -> Float64[Tensor, "*batch"]:
        """Return the entropy of the predictions in nats: of the classes, or the mean over those of single classes.

        The paper has softmax heads only; for sigmoid heads this is ours.
        """
        if self.sigmoid:
            on, off = logsigmoid(logits), logsigmoid(-logits)
            each: Tensor = on.exp() * on + off.exp() * off
            return -each.mean(-1)
        logs: Tensor = log_softmax(logits, -1)
        return -(logs.exp() * logs).sum(-1)


def least_move(filters: Float64[Tensor, "*batch dim direction"]) -> Float64[Tensor, "*batch dim direction"]:
    """Return the pseudo-inverse of the filters' transpose: the shortest move that changes each detector's logit by 1."""
    return filters @ _inverse(filters.mT @ filters)


def signal_move(
    filters: Float64[Tensor, "*batch dim direction"], signals: Float64[Tensor, "*batch dim direction"]
) -> Float64[Tensor, "*batch dim direction"]:
    """Return moves within the span of the signal vectors, of which each changes one detector's logit by 1.

    Args:
        filters: Filters w.
        signals: Signal vectors s; their lengths do not matter. One of length 0 moves nothing.
    """
    directions = normalize(signals, dim=-2)
    return directions @ _inverse(filters.mT @ directions)


def moved(
    features: Float64[Tensor, "position dim"],
    filters: Float64[Tensor, "restart dim direction"],
    thresholds: Float64[Tensor, "restart direction"],
    move: Float64[Tensor, "restart dim direction"],
) -> Float64[Tensor, "restart position dim"]:
    """Return features moved onto all hyperplanes w . x = b at once, if `move` is one of the two above.

    Args:
        features: Feature vectors.
        filters: Filters w.
        thresholds: Thresholds b.
        move: Columns that change one logit by 1 each.
    """
    return features - (features @ filters - thresholds[:, None]) @ move.mT


def certainty(
    head: LinearHead,
    still: Float64[Tensor, "*group image class"],
    residuals: Float[Tensor, "*group restart direction image"],
    move: Float64[Tensor, "*group restart dim direction"],
) -> Float64[Tensor, "*group restart"]:
    """Return minus the mean entropy of the head's predictions for moved features, -log K to 0 (the paper's L_uur and L_cur).

    The move is linear, so that the mean over the positions can be moved in the place of each of them.

    Args:
        head: The head.
        still: Logits of each image as it is.
        residuals: Mean over the positions of an image of w . x - b, times the share of the way that each is moved.
        move: As for `moved`.
    """
    move_of_logits = torch.einsum("kd,...di->...ki", -head.weight, move)
    logits = (move_of_logits @ residuals.to(head.weight.dtype)).add_(still.mT[..., None, :, :])
    if head.sigmoid:
        return -head.entropy(logits.mT).mean(-1)
    entropies: Tensor = _Entropies.apply(logits.flatten(0, -3))
    return -entropies.mean(-1).reshape(logits.shape[:-2])


class _Entropies(torch.autograd.Function):
    """Entropies of softmax of logits (restart, class, image), with their gradient written out: -p (ln p + entropy)."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor) -> Tensor:
        whole, found = (logits.new_empty(len(logits), logits.shape[2]) for _ in range(2))
        for restarts, images in cache_parts(logits):
            own = logits[restarts, :, images]
            largest = own.amax(1)
            below = own - largest[:, None]
            shares = below.exp()
            total = shares.sum(1)
            found[restarts, images] = total.log() - shares.mul_(below).sum(1) / total
            whole[restarts, images] = largest.add_(total.log_())
        ctx.save_for_backward(logits, whole, found)
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_entropies: Tensor) -> Tensor:
        logits, whole, entropies = ctx.saved_tensors
        found = torch.empty_like(logits)
        for restarts, images in cache_parts(logits):
            logs = logits[restarts, :, images] - whole[restarts, None, images]
            shares = logs.exp().mul_(of_entropies[restarts, None, images])
            torch.mul(logs.add_(entropies[restarts, None, images]).neg_(), shares, out=found[restarts, :, images])
        return found


def _inverse(products: Tensor) -> Tensor:
    """Inverse of square matrices, in which a direction without any product with the others is left out.

    Several times as fast as the pseudo-inverse, which takes over where a matrix is singular.
    """
    nothing = (products == 0).all(-2)
    inverse: Tensor
    inverse, failed = torch.linalg.inv_ex(products + torch.diag_embed(nothing.to(products.dtype)))
    return torch.linalg.pinv(products) if failed.any() else inverse
