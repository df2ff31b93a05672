"""Direction pairs: what reads a concept out of features, and what writes it in."""

from dataclasses import dataclass

from jaxtyping import Float64
from torch import Tensor


@dataclass(frozen=True, slots=True)
class DirectionPairs:
    """Filters with their thresholds and signal vectors, one of each for a direction."""

    filters: Float64[Tensor, "dim direction"]
    thresholds: Float64[Tensor, " direction"]
    """A detector fires where filter . x is above it."""
    signals: Float64[Tensor, "dim direction"]
    """filter . signal = 1; zeros for a detector without positives."""

    def logits(self, features: Float64[Tensor, "*batch dim"]) -> Float64[Tensor, "*batch direction"]:
        """Return filter . x - threshold: a detector fires where it is above 0, and 1 more is one signal vector more."""
        return features @ self.filters - self.thresholds
