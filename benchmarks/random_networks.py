"""Make networks with random weights behave like trained ones: no layer of zeros, no path that is switched off."""

import torch
from torch import nn

SWITCHED_OFF = 1e-3
"""Scales of a residual path at or below this (LayerScale begins at 1e-6 or 1e-5) let almost nothing of the path through."""


@torch.no_grad()
def fill_constants(network: nn.Module, seed: int = 0) -> int:
    """Draw every parameter that was initialised to zeros, and every scale that switches a path off.

    Many networks begin with a head of zeros, with biases of zeros or with residual paths that are scaled by zero. All their
    logits are equal then, and a bias that is forgotten is not noticed.

    Args:
        network: It is changed.
        seed: Seed of the drawn values.

    Returns:
        The number of parameters that were drawn.
    """
    draw = torch.Generator().manual_seed(seed)
    filled = 0
    for parameter in network.parameters():
        if not parameter.is_floating_point() or not parameter.numel():
            continue
        largest = float(parameter.abs().max())
        if largest > SWITCHED_OFF:
            continue
        values = torch.randn(parameter.shape, generator=draw)
        # A matrix keeps the size of what it reads; a vector (a bias or a scale) stays below the other values.
        scale = parameter[0].numel() ** -0.5 if parameter.ndim > 1 else 0.1
        parameter.copy_(values * scale)
        filled += 1
    return filled


@torch.no_grad()
def settle_statistics(network: nn.Module, images: torch.Tensor) -> None:
    """Fit the running statistics of batch norms on images, and leave the network in evaluation mode.

    Args:
        network: It is changed.
        images: (image, channel, height, width).
    """
    norms = [module for module in network.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    before = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
        norm.train()
    try:
        network(images)
    finally:
        for norm, momentum in zip(norms, before, strict=True):
            norm.momentum = momentum
        network.eval()
