"""Tolerances of numbers, for the checks of several analyses."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Check = Callable[[Any, str], None]
"""Called as `check(good, problem)`: the result of one check, and the message if it failed."""
ANGLE_NOISE = 1e-2
"""Largest accepted difference of angles, in degrees: stored angles and translators are float32."""
ROUNDING = 1e-5
"""Largest accepted relative difference of numbers: a few times the rounding error of float32."""


def same(left: Any, right: Any) -> bool:
    """Return True if numbers agree to float32's precision; NaN agrees with NaN."""
    return bool(np.allclose(left, right, rtol=1e-4, atol=1e-5, equal_nan=True))


def finite(values: NDArray[Any]) -> NDArray[Any]:
    """Return the finite values."""
    found: NDArray[Any] = values[np.isfinite(values)]
    return found
