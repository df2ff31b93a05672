"""The pictures of a level: what they hold, and the two that are drawn from letters alone. `plots` draws the other two."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sing_tui.formats import Glyphs, fit


@dataclass(frozen=True, slots=True, eq=False)
class Scatter:
    """AS and IS of images, with the ellipse of their covariance."""

    attribute_score: NDArray[np.floating]
    image_score: NDArray[np.floating]
    mean: NDArray[np.floating]
    covariance: NDArray[np.floating]

    def ellipse(self, points: int = 120) -> NDArray[np.floating]:
        """Points (AS, IS) of the ellipse that holds 95 % of a normal distribution with this covariance."""
        values, vectors = np.linalg.eigh(self.covariance)
        turn = np.linspace(0, 2 * np.pi, points)
        circle = np.stack([np.cos(turn), np.sin(turn)])
        radius = np.sqrt(np.maximum(values, 0) * -2 * np.log(0.05))  # chi-squared with two degrees of freedom
        return np.asarray((vectors @ (radius[:, None] * circle)).T + self.mean)


@dataclass(frozen=True, slots=True, eq=False)
class Histogram:
    """How the values of one score spread."""

    values: NDArray[np.floating]
    label: str


@dataclass(frozen=True, slots=True, eq=False)
class Strings:
    """Angle before and after the removal for some concepts; `chosen` is the one under the cursor."""

    labels: tuple[str, ...]
    before: tuple[float, ...]
    after: tuple[float, ...]
    chosen: int

    def lines(self, width: int, height: int, glyphs: Glyphs) -> list[str]:
        """The string plot: one concept a line, from the angle before to the angle after."""
        shown = max(1, height - 1)
        low = max(0, min(self.chosen - shown // 2, len(self.labels) - shown))
        rows = range(low, min(low + shown, len(self.labels)))
        label_width = max(8, min(24, width // 3))
        room = width - label_width - 3
        angles = [angle for row in rows for angle in (self.before[row], self.after[row]) if np.isfinite(angle)]
        if room < 8 or not angles:
            return []
        least, most = min(angles), max(angles)
        most = most if most > least else least + 1

        def at(angle: float) -> int:
            return round((angle - least) / (most - least) * (room - 1))

        ends = f"{least:.1f}", f"{most:.1f}{glyphs.degree}"
        legend = f"{glyphs.before} before {glyphs.after} after"
        gap = max(1, room - len(ends[0]) - len(ends[1]))
        lines = [
            " " * (label_width + 3) + ends[0] + (legend.center(gap) if gap > len(legend) + 1 else " " * gap) + ends[1]
        ]
        for row in rows:
            cells = [" "] * room
            before, after = self.before[row], self.after[row]
            if np.isfinite(before) and np.isfinite(after):
                first, last = sorted((at(before), at(after)))
                cells[first : last + 1] = glyphs.stroke * (last - first + 1)
                cells[at(before)] = glyphs.before
                cells[at(after)] = glyphs.after
            mark = glyphs.right if row == self.chosen else " "
            lines.append(f"{mark} {fit(glyphs.text(self.labels[row]), label_width, glyphs)} {''.join(cells)}")
        return lines


@dataclass(frozen=True, slots=True, eq=False)
class Bars:
    """A few signed numbers as bars left and right of zero."""

    labels: tuple[str, ...]
    values: tuple[float, ...]

    def lines(self, width: int, height: int, glyphs: Glyphs) -> list[str]:
        """One bar a line, with its name and number."""
        label_width = max(8, min(24, width // 3))
        half = (width - label_width - 12) // 2
        most = max((abs(value) for value in self.values if np.isfinite(value)), default=0.0)
        if half < 3 or most == 0:
            return []
        lines = []
        for label, value in list(zip(self.labels, self.values, strict=True))[:height]:
            length = round(abs(value) / most * half) if np.isfinite(value) else 0
            left = (glyphs.bar * length if value < 0 else "").rjust(half)
            right = (glyphs.bar * length if value > 0 else "").ljust(half)
            name = fit(glyphs.text(label), label_width, glyphs)
            lines.append(f"  {name} {value:+7.2f} {left}|{right}")
        return lines


@dataclass(frozen=True, slots=True, eq=False)
class Violins:
    """Distributions from their percentiles 0, 5, ... 100: one line each, as high as values are dense, | at the median."""

    labels: tuple[str, ...]
    curves: tuple[NDArray[np.floating], ...]

    def lines(self, width: int, height: int, glyphs: Glyphs) -> list[str]:
        """One distribution a line, between its least and its largest value."""
        label_width = max(map(len, self.labels))
        room = width - label_width - 19
        if room < 12 or height < len(self.labels):
            return []
        lines = []
        for label, curve in zip(self.labels, self.curves, strict=True):
            low, high = float(curve[0]), float(curve[-1])
            cells = _density(np.asarray(curve, dtype=np.float64), room)
            signs = [glyphs.density[round(share * (len(glyphs.density) - 1))] for share in cells]
            if high > low:
                middle = float(curve[len(curve) // 2])
                signs[min(room - 1, int((middle - low) / (high - low) * room))] = "|"
            lines.append(f"{label:<{label_width}} {low:+8.2f} {''.join(signs)} {high:+8.2f}")
        return lines


def _density(curve: NDArray[np.float64], cells: int) -> NDArray[np.float64]:
    """Share of values in each cell between the ends of a curve of percentiles, over the largest such share."""
    edges = np.linspace(curve[0], curve[-1], cells + 1)
    rising = curve + np.arange(len(curve)) * 1e-9 * max(1.0, float(np.abs(curve).max()))  # equal percentiles: steps
    held = np.diff(np.interp(edges, rising, np.linspace(0, 1, len(curve))))
    return held / held.max() if held.max() > 0 else np.zeros(cells)


def drawable(values: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Which of these can be angles in degrees, or differences of two; a file may hold anything."""
    return np.asarray(np.isfinite(values) & (np.abs(values) <= 360), dtype=bool)


Picture = Scatter | Histogram | Strings | Bars | Violins
