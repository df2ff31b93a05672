"""Compute angles in degrees, exact also near 0 and 180 where arccos is not."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

DEGREES = 180.0 / math.pi
"""Degrees of one radian."""
STEEP_COSINE = 0.94
"""Above this |cosine|, within about 20 degrees of 0 or 180, arccos in float32 loses digits: atan2 is used there."""


def unit(vectors: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
    """Scale vectors to length one.

    Args:
        vectors: One vector per row.

    Returns:
        Vectors of the same directions; NaN for a zero vector, which has no direction.
    """
    directions: Tensor = vectors / vectors.norm(dim=-1, keepdim=True)
    return directions


def paired_angle(left: Float[Tensor, "*batch dim"], right: Float[Tensor, "*batch dim"]) -> Float[Tensor, " *batch"]:
    """Return the angle between each row of `left` and the same row of `right`, in the rows' precision.

    The formula is 2 atan2(|x - y|, |x + y|) of unit vectors (Kahan), which is also exact near 0 and 180 degrees.

    Args:
        left: One vector per row.
        right: Vectors of the same shape.

    Returns:
        Angles in degrees, 0 to 180; exactly 0 for equal rows, NaN where a row is zero.
    """
    x, y = unit(left), unit(right)
    return 2.0 * torch.atan2((x - y).norm(dim=-1), (x + y).norm(dim=-1)) * DEGREES


def cross_angle(
    left: Float[Tensor, "image clip"], right: Float[Tensor, "concept clip"]
) -> Float[Tensor, "image concept"]:
    """Return the angle between every row of `left` and every row of `right`.

    It takes one matrix product and arccos in place; pairs within 20 degrees of 0 or 180 are computed again by atan2.

    Args:
        left: Unit vectors of images.
        right: Unit vectors of concepts.

    Returns:
        Angles in degrees, 0 to 180.
    """
    angles: Tensor = left @ right.T
    steep = (angles.abs() > STEEP_COSINE).nonzero()
    angles.acos_().mul_(DEGREES)
    if len(steep):
        rows, columns = steep.unbind(1)
        angles[rows, columns] = paired_angle(left[rows], right[columns])
    return angles
