"""Expand arcsin around a point in a power series, and find how many terms it needs."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from sing_compute.linalg.angles import DEGREES, STEEP_COSINE

SERIES_TERMS = 12
"""Most terms of a series; where more are needed, arcsin itself is computed."""
SERIES_ERROR = 1e-6 / DEGREES
"""Largest error of a series, in radians."""


def arcsine_series(at: Float[Tensor, "image concept"], terms: int) -> Float[Tensor, "term image concept"]:
    """Return the factors a_1, a_2, ... of arcsin(c + x) = arcsin(c) + sum a_n x^n.

    They follow from the equation (1 - y^2) g'' = y g' of g = arcsin.

    Args:
        at: Points c between -1 and 1, both excluded.
        terms: Number of factors.
    """
    width = 1 - at.square()
    factors = torch.empty(terms, *at.shape, dtype=at.dtype, device=at.device)
    factors[0] = width.rsqrt()
    for n in range(1, terms):
        factors[n] = (2 * n - 1) * n * at * factors[n - 1]
        if n > 1:
            factors[n] += (n - 1) ** 2 * factors[n - 2]
        factors[n] /= width * n * (n + 1)
    return factors


def series_terms(nearest: Float[Tensor, " image"], farthest: Float[Tensor, " image"]) -> Int[Tensor, " image"]:
    """Return the number of terms, at least 2, with which the series is exact to `SERIES_ERROR`.

    All a_n of |c| are positive and grow with |c|, so the terms left out are largest at the ends of both ranges: there they
    are arcsin(c + x) - arcsin(c) minus the terms used.

    Args:
        nearest: Largest |c| of each image.
        farthest: Largest |x| of each image.

    Returns:
        `SERIES_TERMS` + 1 where so many terms are not enough, or where |c| is too near to 1 for float32.
    """
    inside = (nearest <= STEEP_COSINE) & (nearest + farthest < 1)
    c, x = nearest.where(inside, 0.0), farthest.where(inside, 0.0)
    powers = x ** torch.arange(1, SERIES_TERMS + 1, dtype=x.dtype, device=x.device)[:, None]
    partial_sums = (arcsine_series(c[:, None], SERIES_TERMS)[..., 0] * powers).cumsum(dim=0)
    enough = 1 + ((c + x).asin() - c.asin() - partial_sums > SERIES_ERROR).sum(dim=0)
    return enough.clamp_min(2).where(inside, SERIES_TERMS + 1)
