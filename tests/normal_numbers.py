"""Numbers of a normal distribution in double precision, for tests of directions."""

import torch
from torch import Tensor


def normal(draw: torch.Generator, *shape: int) -> Tensor:
    """Draw numbers of this shape."""
    return torch.randn(shape, generator=draw, dtype=torch.float64)
