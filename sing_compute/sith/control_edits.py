"""Make edits that an edit is compared with: the same factors on vectors drawn at random, and on whole heads."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float


@dataclass(frozen=True, slots=True)
class WholeHeads:
    """Factors of an edit that scales whole heads, and how many."""

    factors: Float[np.ndarray, "layer head vector"]
    heads: int


def random_vectors(
    factors: Float[np.ndarray, "layer head vector"],
    real: Bool[np.ndarray, "layer head vector"],
    rng: np.random.Generator,
) -> Float[np.ndarray, "layer head vector"]:
    """Give the factors of an edit to vectors drawn at random from the layers that it could change.

    Args:
        factors: The edit.
        real: True for vectors above rounding.
        rng: Makes the draw.
    """
    drawn = np.ones_like(factors)
    drawn[real] = rng.permutation(factors[real])
    return drawn


def whole_heads(
    factors: Float[np.ndarray, "layer head vector"], real: Bool[np.ndarray, "layer head vector"]
) -> WholeHeads:
    """Scale whole heads by the mean factor of an edit: those with most of its vectors, and as many as hold about as many vectors.

    Args:
        factors: The edit.
        real: True for vectors above rounding.
    """
    changed = (factors != 1) & real
    counts, sizes = changed.sum(2), real.sum(2)
    wanted = int(changed.sum())
    order = np.argsort(-counts.flatten(), kind="stable")
    held = np.cumsum(sizes.flatten()[order])
    heads = int(np.abs(held - wanted).argmin()) + 1
    chosen = np.zeros(counts.size, dtype=bool)
    chosen[order[:heads]] = True
    factor = float(factors[changed].mean()) if wanted else 1.0
    inside = chosen.reshape(counts.shape)[..., None] & real
    return WholeHeads(np.where(inside, factor, 1.0), heads)
