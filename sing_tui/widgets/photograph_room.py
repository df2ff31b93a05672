"""How the page of a photograph shares its room: the photograph, the figures of its row, and rows of neighbours."""

from dataclasses import dataclass

ACROSS = 3
"""Neighbours in one row."""
_WIDE, _HIGH = 60, 8
"""Least cells across, and lines, for anything beside the photograph."""
_BESIDE = 34
"""Least cells across for figures and neighbours."""
_LARGEST = 0.6
"""Largest share of the width that the photograph takes."""
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
    def main_height(self) -> int:
        """Most lines of the photograph; its name is in the next one."""
        return self.height - 1 - (self.figure_lines if self.is_alone else 0)

    @property
    def figure_width(self) -> int:
        """Width of the figures."""
        return self.width if self.is_alone else self.width - self.main_width - 1

    @property
    def figure_lines(self) -> int:
        """Lines for the figures."""
        if self.is_alone:
            return min(self.figures, max(0, self.height // 3 - 2))
        height = self.small[1]
        return max(0, min(self.figures, self.height - self.rows * (height + 2 if height else ACROSS + 1)))

    @property
    def small(self) -> tuple[int, int]:
        """Width and height of a neighbour's drawing; no height where only names fit, no width where nothing does."""
        if self.is_alone or not self.rows:
            return 0, 0
        room = self.figure_width
        width = (room + 1) // ACROSS - 1
        natural = -(-width // 2) if self.ratio > 1 else round(width / max(self.ratio, 0.5) / 2)
        height = min(natural, (self.height - min(self.figures, _FIGURES)) // self.rows - 2)
        return (width, height) if width >= 6 and height >= 3 else (room, 0)
