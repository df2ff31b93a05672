"""Centre and unit of features, and the directions in which they do not vary."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from sing_compute.errors import DirectionsError

REFERENCE = 1.51
"""Root mean square deviation per effective dimension in the published world, in which rates and bounds were chosen."""
NEGLIGIBLE = 1e-10
"""Variance, as a share of the largest one, at or below which features do not vary along a direction."""
_PART = 1 << 16
"""Positions that are added up at once."""


@dataclass(frozen=True, slots=True)
class FeatureSpace:
    """Features around their mean, divided by one number: starts, rates and bounds then mean the same for every network."""

    centre: Float64[Tensor, " dim"]
    unit: float
    """Raw units in one unit of the search."""
    constant: Float64[Tensor, "dim nullity"]
    """Orthonormal basis of the directions in which features do not vary."""

    def scaled(self, features: Float[Tensor, "*batch dim"], dtype: torch.dtype) -> Float[Tensor, "*batch dim"]:
        """Return features in the unit of the search.

        Args:
            features: Raw features.
            dtype: Precision of the result.
        """
        return (features.to(dtype) - self.centre.to(dtype)) / self.unit

    def without_constant(
        self, filters: Float64[Tensor, "*batch dim direction"]
    ) -> Float64[Tensor, "*batch dim direction"]:
        """Return filters without their part along constant directions, which changes no difference of logits.

        Args:
            filters: Filters, one in a column.
        """
        return filters - self.constant @ (self.constant.mT @ filters)


def feature_space(features: Float[Tensor, "image position dim"]) -> FeatureSpace:
    """Find mean, unit and constant directions of features.

    The unit is the root mean square deviation per effective dimension, sqrt(tr C / r) with r = (tr C)^2 / tr C^2, brought
    to the value of the published world.

    Args:
        features: Raw features at all positions.

    Raises:
        DirectionsError: A feature is not finite, or all are equal.
    """
    flat = features.flatten(0, 1)
    parts = torch.split(flat, _PART)
    centre: Tensor = torch.stack([part.double().sum(0) for part in parts]).sum(0) / len(flat)
    covariance = torch.zeros(len(centre), len(centre), dtype=torch.float64, device=features.device)
    for part in parts:
        centred = part.double() - centre
        covariance += centred.mT @ centred / len(flat)
    if not torch.isfinite(covariance).all():
        raise DirectionsError("some features are not finite; directions need finite ones")
    variances, vectors = torch.linalg.eigh(covariance)
    if float(variances[-1]) <= torch.finfo(torch.float64).eps * float(centre.square().sum()):
        raise DirectionsError("all features are equal; there are no directions to find")
    unit = float((variances.square().sum() / variances.sum()).sqrt()) / REFERENCE
    return FeatureSpace(centre, unit, vectors[:, variances <= NEGLIGIBLE * variances[-1]])
