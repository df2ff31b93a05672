"""Sums over the activations of detectors, with their gradient written out: few passes, each over parts that fit a cache.

Automatic differentiation would keep a dozen arrays of the size of all logits, and take several times as long as the products that
give the logits.
"""

from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

_PART = 1 << 16
"""Logits that are looked at together on a processor."""
_DEVICE_PART = 1 << 24
"""The same on a graphics card."""


def activation_sums(
    logits: Float[Tensor, "*restart direction position"], power: float
) -> tuple[Float[Tensor, "*restart position"], Float[Tensor, "*restart position"], Float[Tensor, "*restart direction"]]:
    """Return sums of activations y = sigmoid(logit) and of their shares q = y / sum y over detectors.

    Args:
        logits: w . x - b of each detector at each position, of any size: the sums are finite for all.
        power: Power of the activations in the third result.

    Returns:
        -sum q ln q at each position, in nats; -sum q ln y at each position, in nats; mean y^power of each detector.
    """
    restarts, directions, positions = logits.shape[:-2], logits.shape[-2], logits.shape[-1]
    entropy, distance, activity = _ActivationSums.apply(logits.reshape(-1, directions, positions), power)
    return (
        entropy.reshape(*restarts, positions),
        distance.reshape(*restarts, positions),
        activity.reshape(*restarts, directions),
    )


class _ActivationSums(torch.autograd.Function):
    """The sums for logits of (restart, direction, position).

    With l = ln y, m the largest l of a position, and d = l - m: total = sum e^d and spread = -sum d e^d / total are not negative;
    -sum q ln q = ln(total) + spread and -sum q ln y = spread - m.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, power: float) -> tuple[Tensor, Tensor, Tensor]:
        logs = torch.empty_like(logits)
        largest, total, spread = (logits.new_empty(len(logits), logits.shape[2]) for _ in range(3))
        activity = logits.new_zeros(logits.shape[:2])
        for restarts, positions in cache_parts(logits):
            own = _log_sigmoid(logits[restarts, :, positions])
            logs[restarts, :, positions] = own
            activity[restarts] += (power * own).exp_().sum(-1)
            most = own.amax(1)
            below = own.sub_(most[:, None])
            weights = below.exp()
            largest[restarts, positions], total[restarts, positions] = most, weights.sum(1)
            spread[restarts, positions] = weights.mul_(below).sum(1)
        spread.neg_().div_(total)
        ctx.save_for_backward(logs, largest, total, spread)
        ctx.power = power
        return total.log() + spread, spread - largest, activity / logits.shape[2]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_entropy: Tensor, of_distance: Tensor, of_activity: Tensor) -> tuple[Tensor, None]:
        logs, largest, total, spread = ctx.saved_tensors
        # d entropy / dl = -q (d + spread), d distance / dl = -q (1 + d + spread), d y^power / dl = power y^power
        slope = -(of_entropy + of_distance) / total
        rest = slope * spread - of_distance / total
        top = largest.exp()  # y = e^d e^m
        scale = of_activity[..., None] * (ctx.power / logs.shape[2])
        found = torch.empty_like(logs)
        for restarts, positions in cache_parts(logs):
            own = logs[restarts, :, positions]
            below = own - largest[restarts, None, positions]
            weights = below.exp()
            gradient = below.mul_(slope[restarts, None, positions]).add_(rest[restarts, None, positions]).mul_(weights)
            gradient.addcmul_((ctx.power * own).exp_(), scale[restarts].expand_as(own))
            off = weights.mul_(top[restarts, None, positions]).neg_().add_(1)
            torch.mul(gradient, off, out=found[restarts, :, positions])
        return found, None


def _log_sigmoid(logits: Tensor) -> Tensor:
    """Return ln sigmoid, exact to the rounding of 1, in half the time of torch's, which is exact for small values, too."""
    return logits.clamp_max(0) - logits.abs().neg_().exp_().add_(1).log_()


def cache_parts(values: Float[Tensor, "restart item position"]) -> Iterator[tuple[slice, slice]]:
    """Yield restarts and positions of parts that fit a cache and hold all items of a position.

    Args:
        values: Numbers of that shape, on the device of the work.
    """
    restarts, directions, positions = values.shape
    most = _PART if values.device.type == "cpu" else _DEVICE_PART
    width = max(1, min(positions, most // directions))
    height = max(1, most // (directions * width)) if width == positions else 1
    for restart in range(0, restarts, height):
        for position in range(0, positions, width):
            yield slice(restart, restart + height), slice(position, position + width)
