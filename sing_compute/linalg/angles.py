"""Angles in degrees that stay exact where arccos is not."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

DEGREES = 180.0 / math.pi
STEEP_COSINE = 0.94
"""Above this |cosine| float32 arccos loses digits (about 20 degrees from 0 or 180): such pairs are computed by atan2."""


def unit(vectors: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
    """Vectors of length one; a zero vector has no direction and becomes NaN."""
    directions: Tensor = vectors / vectors.norm(dim=-1, keepdim=True)
    return directions


def paired_angle(left: Float[Tensor, "*batch dim"], right: Float[Tensor, "*batch dim"]) -> Float[Tensor, " *batch"]:
    """Angle of each pair of rows, in degrees [0, 180]; exactly 0 for equal rows, NaN where a row is zero.

    2 atan2(|x - y|, |x + y|) of unit vectors (Kahan): exact near 0 and 180 degrees too, in the rows' own precision.
    """
    x, y = unit(left), unit(right)
    return 2.0 * torch.atan2((x - y).norm(dim=-1), (x + y).norm(dim=-1)) * DEGREES


def cross_angle(
    left: Float[Tensor, "image clip"], right: Float[Tensor, "concept clip"]
) -> Float[Tensor, "image concept"]:
    """Angle of every row of `left` with every row of `right`, both of unit length, in degrees.

    One matrix product and arccos, in its place; pairs nearer than 20 degrees to 0 or 180 are computed again by atan2.
    """
    angles: Tensor = left @ right.T
    steep = (angles.abs() > STEEP_COSINE).nonzero()
    angles.acos_().mul_(DEGREES)
    if len(steep):
        rows, columns = steep.unbind(1)
        angles[rows, columns] = paired_angle(left[rows], right[columns])
    return angles
