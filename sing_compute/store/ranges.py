"""Ranges of stored values, as declarations write them behind the unit: `degree in 0..180 or nan`. Imports nothing."""

import math
from dataclasses import dataclass

ROUNDING = 1e-6
"""A stored float may lie this far outside its range, relative to the end of the range (at least 1): it was rounded."""
_OTHERS = ("nan", "inf")


@dataclass(frozen=True, slots=True)
class Range:
    """The values that a dataset may hold. Without ends every finite number is allowed."""

    low: float = -math.inf
    high: float = math.inf
    open_low: bool = False
    """True if the lower end itself is not allowed, as for a probability that is never 0."""
    nan: bool = False
    """True if NaN is allowed: an entry without a value."""
    infinite: bool = False
    """True if infinity is allowed."""
    texts: tuple[str, ...] = ()
    """The texts that are allowed; none: every text."""

    @property
    def words(self) -> str:
        """The range in words, for documentation and messages; empty if every finite value is allowed."""
        if self.texts:
            return f"one of {', '.join(self.texts)}"
        low, high = (f"{end:g}" for end in (self.low, self.high))
        start = f"above {low}" if self.open_low else f"from {low}"
        if math.isinf(self.low):
            ends = "" if math.isinf(self.high) else f"at most {high}"
        elif math.isinf(self.high):
            ends = start if self.open_low else f"{low} or more"
        else:
            ends = f"above {low} and at most {high}" if self.open_low else f"{start} to {high}"
        others = [word for word, allowed in zip(("NaN", "infinity"), (self.nan, self.infinite), strict=True) if allowed]
        return " or ".join([*([ends] if ends else []), *others])

    @classmethod
    def parse(cls, text: str) -> "Range":
        """Read a range: `LOW..HIGH` or `>LOW..HIGH`, where one end may be missing, or texts with `/` between them.

        Behind it may stand `or nan`, `or inf`.

        Raises:
            ValueError: The text is none of these.
        """
        first, *others = text.split(" or ")
        if first in _OTHERS:
            first, others = "..", [first, *others]
        if not set(others) <= set(_OTHERS):
            raise ValueError(f"no range: {text!r}")
        if ".." not in first:
            return cls(texts=tuple(first.split("/")))
        low, high = first.split("..")
        return cls(
            float(low.removeprefix(">") or -math.inf),
            float(high or math.inf),
            low.startswith(">"),
            "nan" in others,
            "inf" in others,
        )


EVERY_NUMBER = Range()
"""Every finite number."""


def split_unit(text: str) -> tuple[str, str, Range]:
    """Read the unit of a declared dataset: `UNIT`, `index of AXIS`, each with ` in RANGE`, or ` or nan` alone, behind it.

    Counts are 0 or more without saying so, indices of an axis -1 (no item) or more, other indices 0 or more.

    Returns:
        The unit that files hold, the axis of the indices or the empty text, and the range.
    """
    unit, separator, range_text = text.partition(" in ")
    if not separator:
        unit, separator, range_text = text.partition(" or ")
    unit, _, axis = unit.partition(" of ")
    if separator:
        return unit, axis, Range.parse(range_text)
    least = {"count": 0, "index": -1 if axis else 0}
    return unit, axis, Range(low=least.get(unit, -math.inf))
