"""The pictures of the paper: what they hold, and how those that letters can draw are drawn. `plots` draws the others."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sing_tui.formats import Glyphs, fit, number_format
from sing_tui.lettering import axis, can_draw, hill, known, names, sides, signed, window


@dataclass(frozen=True, slots=True, eq=False)
class Ellipse:
    """The ellipse that holds 95 % of a normal distribution of (AS, IS) in degrees, and the letter that stands for it."""

    letter: str
    label: str
    mean: NDArray[np.floating]
    covariance: NDArray[np.floating]

    def points(self, count: int = 120) -> NDArray[np.floating]:
        """Points (AS, IS) on it, once round."""
        values, vectors = np.linalg.eigh(self.covariance)
        turn = np.linspace(0, 2 * np.pi, count)
        circle = np.stack([np.cos(turn), np.sin(turn)])
        radius = np.sqrt(np.maximum(values, 0) * -2 * np.log(0.05))  # chi-squared with two degrees of freedom
        return np.asarray((vectors @ (radius[:, None] * circle)).T + self.mean)


@dataclass(frozen=True, slots=True, eq=False)
class Scatter:
    """AS and IS of images, with the ellipse of their covariance; `others` stand beside it where there is room for names."""

    attribute_score: NDArray[np.floating]
    image_score: NDArray[np.floating]
    mean: NDArray[np.floating]
    covariance: NDArray[np.floating]
    letter: str = "+"
    label: str = ""
    others: tuple[Ellipse, ...] = ()

    def ellipse(self) -> NDArray[np.floating]:
        """Points (AS, IS) of the ellipse of these images."""
        return Ellipse(self.letter, self.label, self.mean, self.covariance).points()

    def legend(self, width: int, height: int, glyphs: Glyphs) -> list[str]:
        """Letter and name of each ellipse, by letter; the chosen one marked."""
        named = sorted([(self.letter, self.label), *((one.letter, one.label) for one in self.others)])
        lines = [
            f"{glyphs.right if letter == self.letter else ' '}{letter} {fit(glyphs.text(label), width - 3, glyphs)}"
            for letter, label in named
        ]
        if len(lines) <= height:
            return lines
        return [*lines[: height - 1], fit(f"{len(lines) - height + 1} more", width, glyphs)]


@dataclass(frozen=True, slots=True, eq=False)
class Histogram:
    """How the values of one score spread."""

    values: NDArray[np.floating]
    label: str


@dataclass(frozen=True, slots=True, eq=False)
class Strings:
    """Two angles of each concept (or model), such as before and after the removal; `chosen` is the one under the cursor."""

    labels: tuple[str, ...]
    before: tuple[float, ...]
    after: tuple[float, ...]
    chosen: int
    ends: tuple[str, str] = ("before", "after")
    name: str = ""
    """What the angles are of; it stands above the labels."""
    from_zero: bool = False

    def lines(self, width: int, height: int, glyphs: Glyphs) -> list[str]:
        """The string plot: one concept a line, from the first angle to the second."""
        rows = window(len(self.labels), self.chosen, height - 1)
        heads, taken = names(self.labels, rows, self.chosen, width, glyphs)
        room = width - taken - 1
        angles = [angle for row in rows for angle in (self.before[row], self.after[row]) if can_draw(angle)]
        if room < 8 or not angles:
            return []
        least, most = min([0.0, *angles] if self.from_zero else angles), max(angles)
        most = most if most > least else least + 1

        def at(angle: float) -> int:
            return round((angle - least) / (most - least) * (room - 1))

        legend = f"{glyphs.before} {self.ends[0]} {glyphs.after} {self.ends[1]}"
        ends = axis(f"{least:.1f}", legend, f"{most:.1f}{glyphs.degree}", room)
        lines = [f"  {fit(self.name, taken - 2, glyphs)} {ends}"]
        for row, head in zip(rows, heads, strict=True):
            cells = [" "] * room
            before, after = self.before[row], self.after[row]
            if can_draw(before) and can_draw(after):
                first, last = sorted((at(before), at(after)))
                cells[first : last + 1] = glyphs.stroke * (last - first + 1)
                cells[at(before)] = glyphs.before
                cells[at(after)] = glyphs.after
            lines.append(f"{head} {''.join(cells)}")
        return lines


@dataclass(frozen=True, slots=True, eq=False)
class Bars:
    """A few signed numbers as bars left and right of zero."""

    labels: tuple[str, ...]
    values: tuple[float, ...]

    def lines(self, width: int, height: int, glyphs: Glyphs) -> list[str]:
        """One bar a line, with its name and number."""
        rows = window(len(self.labels), -1, height)
        heads, taken = names(self.labels, rows, -1, width, glyphs)
        half = (width - taken - 10) // 2
        most = max((abs(value) for value in self.values if can_draw(value)), default=0.0)
        if half < 3 or most == 0:
            return []
        lines = []
        for row, head in zip(rows, heads, strict=True):
            value = self.values[row]
            bar = glyphs.bar * (round(abs(value) / most * half) if can_draw(value) else 0)
            left, right = (bar, "") if value < 0 else ("", bar)
            lines.append(f"{head} {signed(value)} {left.rjust(half)}|{right.ljust(half)}")
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
            ends = [f"{end:+8.2f}" if low < 0 else f"{end:8.2f}" for end in (low, high)]
            lines.append(f"{label:<{label_width}} {ends[0]} {hill(curve, low, high, room, glyphs)} {ends[1]}")
        return lines


@dataclass(frozen=True, slots=True, eq=False)
class Densities:
    """Distributions of many classes from their percentiles 0, 5, ... 100, a line each, on one axis; | at the median."""

    labels: tuple[str, ...]
    scores: tuple[tuple[str, NDArray[np.floating]], ...]
    """Name of a score and its percentiles (class, percent) in degrees; as many scores side by side as there is room for."""
    chosen: int
    """The class under the cursor; -1 for none: then classes are taken evenly from first to last."""

    def lines(self, width: int, height: int, glyphs: Glyphs) -> list[str]:
        """An axis for each score, then a line for each class: name, median, density."""
        rows = window(len(self.labels), self.chosen, height - 1, spread=True)
        lines, taken = names(self.labels, rows, self.chosen, width, glyphs)
        scores = self.scores[: max(1, (width - taken) // 36)]
        room = (width - taken) // len(scores) - 9
        if room < 8 or not rows:
            return []
        top = " " * taken
        for name, curves in scores:
            low, high = float(curves[rows, 0].min()), float(curves[rows, -1].max())
            high = high if high > low else low + 1
            top += " " * 9 + axis(f"{low:.1f}", name, f"{high:.1f}{glyphs.degree}", room)
            for k, row in enumerate(rows):
                median = float(curves[row, curves.shape[1] // 2])
                lines[k] += f" {signed(median)} {hill(curves[row], low, high, room, glyphs)}"
        return [top, *lines]


@dataclass(frozen=True, slots=True, eq=False)
class Ratios:
    """Ratios as bars from zero, with the ends of two 95 % intervals each: over images [ ] and over classes ( )."""

    labels: tuple[str, ...]
    values: tuple[float, ...]
    images: tuple[tuple[float, float], ...]
    classes: tuple[tuple[float, float], ...]
    chosen: int

    def lines(self, width: int, height: int, glyphs: Glyphs) -> list[str]:
        """A line for each ratio, and a second one for its interval over classes where all of them fit."""
        twice = 2 * len(self.labels) + 1 <= height and any(known(ends) for ends in self.classes)
        rows = window(len(self.labels), self.chosen, height - 1)
        heads, taken = names(self.labels, rows, self.chosen, width, glyphs)
        room = width - taken - 11
        values = [self.values[row] for row in rows if np.isfinite(self.values[row])]
        if room < 8 or not values or max(values) <= 0:
            return []
        most = max(values)
        ends = [pair[1] for row in rows for pair in (self.images[row], self.classes[row])[: 1 + twice] if known(pair)]
        most = max(most, min(2 * most, max(ends, default=most)))
        write = number_format("ratio", "1", glyphs).write

        def at(value: float) -> int:
            return round(max(0.0, min(value / most, 1.0)) * (room - 1))

        def whisker(cells: list[str], pair: tuple[float, float], signs: str) -> None:
            if known(pair):
                low, high = map(at, pair)
                cells[low : high + 1] = glyphs.stroke * (high - low + 1)
                cells[low], cells[high] = signs[0], signs[1] if pair[1] <= most else glyphs.right

        lines = [" " * (taken + 11) + axis("0", "IS/|AS|", write(most), room)]
        for row, head in zip(rows, heads, strict=True):
            cells, under, value = [" "] * room, [" "] * room, self.values[row]
            if np.isfinite(value):
                cells[: at(value) + 1] = glyphs.bar * (at(value) + 1)
            whisker(cells, self.images[row], "[]")
            if np.isfinite(value):
                cells[at(value)] = glyphs.after
            lines.append(f"{head} {fit(write(value), 9, glyphs, right=True)} {''.join(cells)}")
            if twice:
                whisker(under, self.classes[row], "()")
                lines.append(" " * (taken + 11) + "".join(under))
        return lines


@dataclass(frozen=True, slots=True, eq=False)
class Stacked:
    """Signed numbers that are the sum of two parts; parts of one sign stand behind each other, others on both sides of zero."""

    labels: tuple[str, ...]
    first: tuple[float, ...]
    second: tuple[float, ...]
    chosen: int
    ends: tuple[str, str]
    """Names of the parts."""

    def lines(self, width: int, height: int, glyphs: Glyphs) -> list[str]:
        """A line for each sum, with its name and number."""
        rows = window(len(self.labels), self.chosen, height - 1)
        heads, taken = names(self.labels, rows, self.chosen, width, glyphs)
        half = (width - taken - 10) // 2
        parts = [(self.first[row], self.second[row]) for row in rows]
        good = [pair for pair in parts if can_draw(pair[0]) and can_draw(pair[1])]
        most = max((abs(sum(side)) for pair in good for side in sides(pair)), default=0.0)
        if half < 3 or most == 0:
            return []
        signs = glyphs.bar, glyphs.density[4]
        legend = fit(f"{signs[0]} {self.ends[0]} {signs[1]} {self.ends[1]}", 2 * half + 1, glyphs)
        lines = [" " * (taken + 9) + legend]
        for pair, head in zip(parts, heads, strict=True):
            bars = []
            for side in sides(pair if pair in good else (0.0, 0.0)):
                near = round(abs(side[0]) / most * half)
                bars.append(signs[0] * near + signs[1] * (round(abs(sum(side)) / most * half) - near))
            lines.append(f"{head} {signed(sum(pair))} {bars[0][::-1].rjust(half)}|{bars[1].ljust(half)}")
        return lines


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """Lines through points that share their x; one letter each. Values at or below zero have no place on a logarithmic axis."""

    x: NDArray[np.floating]
    series: tuple[tuple[str, str, NDArray[np.floating]], ...]
    """Letter, name and values."""
    x_label: str
    y_label: str
    logarithmic: bool = False
    level: float | None = None
    """A height to draw a line at."""


@dataclass(frozen=True, slots=True, eq=False)
class Panels:
    """Pictures side by side where there is room, else below each other, else the first alone."""

    parts: tuple["Picture", ...]


def drawable(values: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Which of these can be angles in degrees, or differences of two; a file may hold anything."""
    return np.asarray(np.isfinite(values) & (np.abs(values) <= 360), dtype=bool)


Lettered = Strings | Bars | Violins | Densities | Ratios | Stacked
"""Pictures that know their lines."""
Picture = Lettered | Scatter | Histogram | Curves | Panels
