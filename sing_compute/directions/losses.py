"""The losses of EDDP's detectors. A detector fires where sigmoid(w . x - b) > 1/2; w is its filter, b its threshold.

Each loss gives one number for each restart. Logarithms have base 2, so a loss is in bits where it is an entropy.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from sing_compute.directions.activations import activation_sums

GAMMA = 1.1
"""Power of activations in the losses on how often a detector fires."""
_TINY = 1e-12


def self_weighted_mean(values: Float[Tensor, "*batch item"]) -> Float[Tensor, "*batch"]:
    """Return the mean over the last axis, each value weighted by its own fourth power (the paper's nu): a soft maximum.

    Equal values give that value; one value among zeros gives that value, too.

    Args:
        values: Numbers of at least 0.
    """
    squares = values * values
    weights = squares * squares
    return (weights * values).sum(-1) / (weights.sum(-1) + _TINY)


def entropies(
    logits: Float[Tensor, "*restart direction position"],
) -> Float[Tensor, "*restart position"]:
    """Return how many detectors share each position, as the entropy of their activations: 0 for one, log2 I for all alike.

    Args:
        logits: w . x - b of each detector.
    """
    return activation_sums(logits, GAMMA)[0] / math.log(2)


def detector_losses(
    logits: Float[Tensor, "*restart direction position"], *, least: float = 1.0, most: float = 0.5
) -> dict[str, Float[Tensor, "*restart"]]:
    """Return the losses that see the detectors alone (arXiv 2509.23926, section 3).

    Args:
        logits: w . x - b of each detector at each position.
        least: Mean activation below which a detector is inactive, times the number of detectors (the paper's tau).
        most: Mean activation above which a detector is excessively active (the paper's rho).

    Returns:
        `sparsity`: mean entropy of a position, 0 to log2 I. `sparsity bound`: its self-weighted mean. `activation`: how far the
        detectors that share a position are from 1. `inactivity`: mean share by which detectors fall short of `least`, 0 to 1.
        `excess`: self-weighted share by which they exceed `most`, 0 to 1.
    """
    entropy, distance, activity = activation_sums(logits, GAMMA)
    entropy = entropy / math.log(2)
    least = least / logits.shape[-2]
    return {
        "sparsity": entropy.mean(-1),
        "sparsity bound": self_weighted_mean(entropy + _TINY),
        "activation": distance.mean(-1) / math.log(2),
        "inactivity": (torch.relu(least - activity) / least).mean(-1),
        "excess": self_weighted_mean(torch.relu(activity - most) / (1 - most) + _TINY),
    }


def overlap(
    filters: Float[Tensor, "*restart dim direction"], signals: Float[Tensor, "*restart dim direction"]
) -> Float[Tensor, "*restart"]:
    """Return how much filters read of other concepts' signals: root mean square of cosines off the diagonal, over all pairs.

    Args:
        filters: Filters w, of any length.
        signals: Signal vectors s, of any length.
    """
    cosines = _unit(filters).mT @ _unit(signals)
    off = cosines * (1 - torch.eye(cosines.shape[-1], dtype=cosines.dtype, device=cosines.device))
    return (off.square().mean((-1, -2)) + _TINY).sqrt()


def _unit(vectors: Tensor) -> Tensor:
    return torch.nn.functional.normalize(vectors, dim=-2)
