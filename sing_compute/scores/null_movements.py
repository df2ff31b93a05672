"""Find the null directions that move CLIP space farthest, and those along which the images of a class differ most."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64
from scipy.linalg import eigh
from torch import Tensor

from sing_compute.linalg.null_space import HeadSplit

FEWEST_IMAGES = 3
"""A class with fewer images has no principal directions: two points always lie on one line."""
_FLOAT32, _FLOAT64 = (torch.finfo(dtype).eps for dtype in (torch.float32, torch.float64))


@dataclass(frozen=True, slots=True)
class NullModes:
    """Null directions by how far a unit step along them moves CLIP space, the farthest first."""

    direction: Float64[Tensor, "mode dim"]
    """Unit vectors d of the null space; their signs are arbitrary."""
    singular_value: Float64[Tensor, " mode"]
    """|A d|: singular values of A Pi_n, descending. Those that are rounding are left out."""


@dataclass(frozen=True, slots=True)
class PrincipalDirections:
    """Null directions along which the images of one class differ most, the largest variance first."""

    direction: Float64[Tensor, "direction dim"]
    """Unit vectors d of the null space; their signs are arbitrary. Directions whose variance is rounding are left out."""
    share: Float64[Tensor, " direction"]
    """Variance along each over the variance of the whole null part, both within the class."""
    deviation: Float64[Tensor, " direction"]
    """Standard deviation of the images along each (divided by n), in the unit of the features."""


def null_modes(weight: Float[Tensor, "clip dim"], split: HeadSplit, count: int) -> NullModes:
    """Decompose A Pi_n: its right singular vectors are the null directions that CLIP could see move.

    Args:
        weight: A of the translator T(f) = A f + a.
        split: The null space of the head.
        count: Largest number of directions.
    """
    _, values, right = torch.linalg.svd(weight.double() @ split.null_basis.double().T, full_matrices=False)
    rounding = _FLOAT64 * max(weight.shape) * float(torch.linalg.matrix_norm(weight.double(), ord=2))
    kept = int((values[:count] > rounding).sum())
    return NullModes(right[:kept] @ split.null_basis.double(), values[:kept])


def principal_null_directions(
    features: Float[Tensor, "image dim"], split: HeadSplit, count: int
) -> PrincipalDirections:
    """Decompose the variance of Pi_n f over the images of one class.

    The null parts are centred by their mean over the class. The smaller of the two Gram matrices is decomposed, images x images
    or nullity x nullity, in float64, and only its largest eigenvalues are computed.

    Args:
        features: Features of the images of the class, as they enter the head, of any floating dtype.
        split: The null space of the head.
        count: Largest number of directions.

    Returns:
        At most `count` directions, fewer than the class has images; none if it has fewer than `FEWEST_IMAGES`. A variance that
        rounding of the features to float32 can cause is no direction.
    """
    images, basis = len(features), split.null_basis.double()
    centred = features.double() - features.double().mean(0)
    parts = centred @ basis.T
    many = images >= split.nullity
    gram = parts.T @ parts if many else parts @ parts.T
    size, total = len(gram), float(gram.trace())
    count = min(count, size, images - 1) if images >= FEWEST_IMAGES else 0
    rounding = max(_FLOAT32**2 * float(features.double().square().sum()), _FLOAT64 * size * total)
    if count < 1 or not total > rounding:
        return PrincipalDirections(basis[:0], parts.new_zeros(0), parts.new_zeros(0))
    found = eigh(gram.cpu().numpy(), subset_by_index=(size - count, size - 1))
    values, vectors = (torch.from_numpy(part.copy()).to(parts.device).flip(-1) for part in found)
    kept = values > rounding
    values, vectors = values[kept], vectors[:, kept]
    inside = vectors.T if many else vectors.T @ parts / values.sqrt()[:, None]
    inside = inside / inside.norm(dim=1, keepdim=True)
    return PrincipalDirections(inside @ basis, values / total, (values / images).sqrt())
