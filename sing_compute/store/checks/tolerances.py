"""What checks of several analyses share."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Check = Callable[[Any, str], None]
"""`check(good, problem)`: one check and what to say if it failed."""
ANGLE_NOISE = 1e-2
"""Degrees: stored angles and translators are float32."""
ROUNDING = 1e-5
"""Relative: what float32 leaves of a number, with some to spare."""


def same(left: Any, right: Any) -> bool:
    """Return True if numbers agree to float32's precision; NaN agrees with NaN."""
    return bool(np.allclose(left, right, rtol=1e-4, atol=1e-5, equal_nan=True))


def finite(values: NDArray[Any]) -> NDArray[Any]:
    """The finite ones of some values."""
    kept: NDArray[Any] = values[np.isfinite(values)]
    return kept
