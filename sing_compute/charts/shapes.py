"""The shapes of charts: the numbers that are drawn and their names, without any drawing.

A shape writes its numbers in one format (`sing_compute.store.definition.NUMBER_FORMATS`). A results file may hold any number:
those that are no sensible value of the format are left out of a drawing (`drawable`).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.floating]
Interval = tuple[float, float]
"""Lower and upper end; NaN where there is none."""

_MOST_DEGREES = 360.0
_MOST = 1e30
"""Sizes up to these are drawn."""


def largest(format: str) -> float:
    """Return the size up to which numbers of a format are drawn."""
    return _MOST_DEGREES if format in ("degrees", "signed degrees") else _MOST


def drawable(values: Numbers, format: str = "degrees") -> NDArray[np.bool_]:
    """Return True for each number that can be drawn; by default, for angles and differences of angles in degrees.

    Args:
        values: Numbers of any shape.
        format: The format that they are written in.

    Returns:
        An array of the same shape.
    """
    return np.asarray(np.isfinite(values) & (np.abs(values) <= largest(format)), dtype=bool)


@dataclass(frozen=True, slots=True, eq=False)
class Ellipse:
    """The ellipse that holds 95 % of a normal distribution of two numbers."""

    letter: str
    """The letter that marks it."""
    label: str
    mean: Numbers
    """(2,): along x and y."""
    covariance: Numbers
    """(2, 2)."""
    number: int = 0
    """Position of the item in the file: an item has the same colour in all charts."""

    def points(self, count: int = 120) -> Numbers:
        """Return points on the ellipse, once round, in an array (count, 2)."""
        values, vectors = np.linalg.eigh(self.covariance)
        turn = np.linspace(0, 2 * np.pi, count)
        circle = np.stack([np.cos(turn), np.sin(turn)])
        radius = np.sqrt(np.maximum(values, 0) * -2 * np.log(0.05))  # chi-squared with two degrees of freedom
        return np.asarray((vectors @ (radius[:, None] * circle)).T + self.mean)


@dataclass(frozen=True, slots=True, eq=False)
class Scatter:
    """Two numbers of each of many items as dots, with an ellipse; other ellipses follow where there is room for their names."""

    x: Numbers
    y: Numbers
    x_label: str
    y_label: str
    ellipse: Ellipse | None = None
    others: tuple[Ellipse, ...] = ()
    format: str = "degrees"


@dataclass(frozen=True, slots=True, eq=False)
class Histogram:
    """The distribution of numbers as bars."""

    values: Numbers
    label: str
    count_label: str = "items"
    format: str = "degrees"


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Two numbers of each item, joined by a line: an angle before and after the removal of the null part."""

    labels: tuple[str, ...]
    first: tuple[float, ...]
    second: tuple[float, ...]
    chosen: int
    """The item under the cursor; -1 for none. The same in all shapes."""
    ends: tuple[str, str] = ("before", "after")
    """Names of the first and the second number."""
    name: str = ""
    """Name of both; it is written above the labels."""
    from_zero: bool = False
    format: str = "degrees"
    numbers: tuple[int, ...] = ()
    """Position of each item in the file, if its colour says which one it is; else the colours say which number is which."""


@dataclass(frozen=True, slots=True, eq=False)
class Bars:
    """A few signed numbers as bars to the left and to the right of zero."""

    labels: tuple[str, ...]
    values: tuple[float, ...]
    format: str = "signed degrees"


@dataclass(frozen=True, slots=True, eq=False)
class StackedBars:
    """Signed numbers that are the sum of two parts. Parts of one sign follow each other, others go to both sides of zero."""

    labels: tuple[str, ...]
    first: tuple[float, ...]
    second: tuple[float, ...]
    chosen: int
    ends: tuple[str, str]
    """Names of the parts."""
    format: str = "signed degrees"


@dataclass(frozen=True, slots=True, eq=False)
class IntervalBars:
    """Positive numbers as bars from zero, each with the ends of two 95 % intervals."""

    labels: tuple[str, ...]
    values: tuple[float, ...]
    intervals: tuple[Interval, ...]
    """Drawn as [ ] on the bar."""
    others: tuple[Interval, ...]
    """Drawn as ( ) below the bar, where there is room."""
    chosen: int
    name: str
    """Name of the numbers; it is written on the axis."""
    format: str = "any size"
    numbers: tuple[int, ...] = ()
    """Position of each item in the file, which gives its colour."""
    interval_names: tuple[str, str] = ("interval", "other interval")
    """Names of the two intervals, in legends."""


@dataclass(frozen=True, slots=True, eq=False)
class Violins:
    """Distributions, one on each line with an axis of its own, from their percentiles 0, 5, ... 100."""

    labels: tuple[str, ...]
    curves: tuple[Numbers, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Densities:
    """Distributions of many items, one on each line on a common axis, from their percentiles 0, 5, ... 100."""

    labels: tuple[str, ...]
    scores: tuple[tuple[str, Numbers], ...]
    """Name of a score and its percentiles (item, percentile); scores are drawn side by side where there is room."""
    chosen: int
    """The item under the cursor; with -1 items are taken evenly from the first to the last."""
    format: str = "signed degrees"
    formats: tuple[str, ...] = ()
    """Format of the numbers of each score; empty if all have that of the axis."""


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """Lines through points that share their x. Numbers of zero or less are left out of a logarithmic axis."""

    x: Numbers
    series: tuple[tuple[str, str, Numbers], ...]
    """Letter, name and numbers of each line."""
    x_label: str
    y_label: str
    logarithmic: bool = False
    level: float | None = None
    """A height at which a horizontal line is drawn."""


@dataclass(frozen=True, slots=True, eq=False)
class Panels:
    """Several charts: side by side where there is room, else below each other, else the first alone."""

    parts: tuple["Shape", ...]


Lettered = Pairs | Bars | StackedBars | IntervalBars | Violins | Densities
"""Shapes that are drawn from letters alone (text_charts.py)."""
Plotted = Scatter | Histogram | Curves
"""Shapes that plotext draws (plotext_charts.py)."""
Shape = Lettered | Plotted | Panels
