"""Places on the page of a photograph: of the photograph itself, the figures of its row, and rows of neighbours."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sing_tui.captions import Figure
from sing_tui.widgets.figure_lines import figures_fit

ACROSS = 3
"""Neighbours in one row."""
_WIDE, _HIGH = 60, 8
"""Least cells across, and lines, for anything beside the photograph."""
_BESIDE = 34
"""Least cells across for figures and neighbours."""
_LARGEST = 0.6
"""Largest share of the width that the photograph takes."""
_GIVEN = 2
"""Lines that a wide photograph gives to figures below it."""
_FIGURES = 7
"""Lines of figures for which neighbours get smaller."""


@dataclass(frozen=True, slots=True)
class Shares:
    """The shares of the room in cells: the photograph at the left; at the right figures over rows of neighbours."""

    width: int
    height: int
    ratio: float = 1.0
    """Width of the photograph over its height, in pixels."""
    figures: int = 0
    """Number of figures of the row."""
    rows: int = 2
    """Rows of neighbours."""
    below: int = 0
    """Lines of figures below a wide photograph; 0 if they are at the right."""

    @property
    def is_alone(self) -> bool:
        """True if there is no room beside the photograph: figures are below it then."""
        return self.width < _WIDE or self.height < _HIGH

    @property
    def main_width(self) -> int:
        """Width of the photograph."""
        if self.is_alone:
            return self.width
        most = min(self.width - _BESIDE - 1, int(self.width * _LARGEST))
        return max(min(self.width // 4, most), min(most, round(2 * (self.height - 1) * self.ratio)))

    @property
    def are_below(self) -> bool:
        """True if the figures are below the photograph."""
        return self.below > 0 or self.is_alone

    @property
    def main_height(self) -> int:
        """Most lines of the photograph; its name is in the next one."""
        return self.height - 1 - (self.figure_lines if self.are_below else 0)

    @property
    def beside(self) -> int:
        """Cells across at the right of the photograph, without its margin."""
        return 0 if self.is_alone else self.width - self.main_width - 1

    @property
    def figure_width(self) -> int:
        """Width of the figures."""
        return self.main_width if self.are_below else self.beside

    @property
    def figure_lines(self) -> int:
        """Lines for the figures."""
        if self.is_alone:
            return min(self.figures, max(0, self.height // 3 - 2))
        if self.below:
            return self.below
        height = self.small[1]
        return max(0, min(self.figures, self.height - self.rows * (height + 2 if height else ACROSS + 1)))

    @property
    def small(self) -> tuple[int, int]:
        """Width and height of a neighbour's drawing; no height where only names fit, no width where nothing does."""
        if self.is_alone or not self.rows:
            return 0, 0
        room = self.beside
        width = (room + 1) // ACROSS - 1
        natural = -(-width // 2) if self.ratio > 1 else round(width / max(self.ratio, 0.5) / 2)
        height = min(natural, (self.height - (0 if self.below else min(self.figures, _FIGURES))) // self.rows - 2)
        return (width, height) if width >= 6 and height >= 3 else (room, 0)


def share_room(width: int, height: int, ratio: float, figures: Sequence[Figure], rows: int) -> Shares:
    """Share the room; figures that have none at the right go below a wide photograph.

    Args:
        width: Cells across.
        height: Lines.
        ratio: Width of the photograph over its height, in pixels.
        figures: The figures of the row.
        rows: Rows of neighbours.
    """
    shares = Shares(width, height, ratio, len(figures), rows)
    if shares.is_alone or figures_fit(figures, shares.figure_width, shares.figure_lines):
        return shares
    free = height - 1 - math.ceil(shares.main_width / ratio / 2) + _GIVEN
    needed = (lines for lines in range(1, free + 1) if figures_fit(figures, shares.main_width, lines))
    return replace(shares, below=next(needed, 0))
