"""The columns of a table on a screen: their two header lines, and the text of their cells."""

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sing_compute.errors import SingError
from sing_compute.formats import Glyphs, NumberFormat, fit
from sing_compute.store import Column
from sing_compute.store.columns import Loaded
from sing_tui.cell_colors import ColorScale, color_scale
from sing_tui.distributions import strip
from sing_tui.search import DISTRIBUTION
from sing_tui.view import View

AT_ONCE = 50_000
"""Tables up to so many rows are computed between two keys, larger ones in a thread while the screen goes on answering."""
_BLOCK = 32
_KEPT_BLOCKS = 512
GAP = "  "


@dataclass(frozen=True, slots=True)
class Layout:
    """One column on the screen."""

    column: Column
    number: NumberFormat | None
    """None for text."""
    title: tuple[str, str]
    """The title on two lines; the unit is on the second one."""
    width: int
    ends: tuple[Column, Column] | None = None
    """The columns of the 95 % interval that is written behind the value."""
    parts: tuple[int, int, int] = (0, 0, 0)
    """Cells for the value and for each end."""
    natural: int = 0
    """Cells that a text needs to be whole; 0 for numbers."""
    least: int = 0
    """Cells below which a text is never cut; 0 for numbers."""

    def holds(self, name: str) -> bool:
        """Return True if the column of that name is painted here."""
        return name == self.column.name or (self.ends is not None and name in (end.name for end in self.ends))

    def interval(self, low: float, high: float) -> str:
        """Write the interval of one row, as wide as in every other row; blank where there is none."""
        _, left, right = self.parts
        if self.number is None or low != low or high != high:
            return " " * (self.width - self.parts[0])
        return f" [{fit(self.number.write(low), left, right=True)} {fit(self.number.write(high), right, right=True)}]"

    def scaled(self, scale: str) -> str:
        """Write the second header line with a scale in the place of the unit; empty where it has no room."""
        unit = "" if self.number is None else self.number.unit
        text = f"{self.title[1].removesuffix(unit).rstrip()} {scale}".lstrip()
        return text if len(text) <= (self.width if self.ends is None else self.parts[0]) else ""

    def heading(self, y: int, marker: str, glyphs: Glyphs, scale: str = "") -> str:
        """Write one of the two header lines, with the mark of the sort if there is one.

        Args:
            y: 0 or 1.
            marker: The mark of the sort; empty for none.
            glyphs: The signs of the screen.
            scale: The scale of the column's colours: it takes the place of the unit where there is room.
        """
        text = (self.scaled(scale) if y == 1 and scale else "") or self.title[y]
        if y == 0:
            text = text + marker if self.number is None else marker + text
        if self.ends is None:
            return fit(text, self.width, glyphs, right=self.number is not None)
        suffix = " [95%]" if not y and self.parts[1] else ""  # no row has an interval: its room is left out
        return fit(fit(text, self.parts[0], glyphs, right=True) + suffix, self.width, glyphs)


class CellText:
    """The text of a view's cells, column by column and block by block; only blocks in sight are ever read."""

    def __init__(self, view: View, layouts: list[Layout], glyphs: Glyphs) -> None:
        self._view, self._layouts, self._glyphs = view, layouts, glyphs
        self._blocks: OrderedDict[tuple[int, int], list[str]] = OrderedDict()
        sources = [layout.column.values.source for layout in layouts]
        reads = [source.reads for source in sources if isinstance(source, Loaded)]
        self._is_slow = max([view.table.length, *reads]) > AT_ONCE
        self.problem = ""
        """Why cells could not be read, if some could not; they show a -."""
        self._scales: dict[int, ColorScale | None] = {}
        self._numbers: dict[tuple[int, int], NDArray[np.generic]] = {}
        self.waiting: list[Loaded] = []
        """Cells that have to be loaded as a whole before some can be painted; a thread does it, and these show three dots."""

    def scale(self, column: int) -> ColorScale | None:
        """Return the scale of the colours of a column; None where it has none, its heading has no room to name it, or it waits.

        The sides of a comparison have one scale, so that one colour is one value in all of them.
        """
        if column not in self._scales:
            sides = self._sides(column)
            shown = [self._layouts[side].column for side in sides]
            if any(each.is_text or (self._is_slow and each.values.waits_for) for each in shown):
                return None
            found = None
            try:
                known = [scale for each in shown if (scale := color_scale(each, self._glyphs)) is not None]
                found = max(known, key=lambda scale: scale.end, default=None)
            except SingError as error:
                self.problem = str(error)
            if found is not None and not any(self._layouts[side].scaled(found.text) for side in sides):
                found = None
            self._scales |= dict.fromkeys(sides, found)
        return self._scales[column]

    def _sides(self, column: int) -> list[int]:
        """Return the columns of one quantity in a comparison; of any other column itself."""
        own = self._layouts[column].column
        if own.side is None:
            return [column]
        others = enumerate(layout.column for layout in self._layouts)
        return [
            position
            for position, other in others
            if other.side is not None and (other.measured, other.role, other.unit) == (own.measured, own.role, own.unit)
        ]

    def level(self, column: int, line: int) -> int:
        """Return the step of colour of a cell that was written (`ColorScale.level`); 0 for none."""
        number, offset = divmod(line, _BLOCK)
        values, scale = self._numbers.get((column, number)), self.scale(column)
        return 0 if values is None or scale is None else scale.level(float(values[offset]))

    def value_width(self, column: int) -> int:
        """Return how many cells of a column are its value: the interval behind it has no colour."""
        layout = self._layouts[column]
        return layout.width if layout.ends is None else layout.parts[0]

    def cell(self, column: int, line: int) -> str:
        """Write one cell, as wide as its column."""
        number, offset = divmod(line, _BLOCK)
        waits = self._layouts[column].column.values.waits_for if self._is_slow else ()
        if waits:
            self.waiting += [part for part in waits if part not in self.waiting]
            return fit(self._glyphs.ellipsis, self._layouts[column].width, self._glyphs, right=True)
        block = self._blocks.get((column, number))
        if block is None:
            rows = self._view.order[number * _BLOCK : (number + 1) * _BLOCK]
            layout = self._layouts[column]
            try:
                values = layout.column.values.take(rows)
                block = self._format(layout, values)
                if layout.number is not None:
                    self._numbers[column, number] = values
                if layout.ends is not None:
                    ends = [end.values.take(rows).tolist() for end in layout.ends]
                    block = [text + layout.interval(*pair) for text, *pair in zip(block, *ends, strict=True)]
            except SingError as error:
                self.problem = str(error)
                block = [fit("-", layout.width, self._glyphs, right=layout.number is not None)] * len(rows)
            self._blocks[column, number] = block
            if len(self._blocks) > _KEPT_BLOCKS:
                gone, _ = self._blocks.popitem(last=False)
                self._numbers.pop(gone, None)
        return block[offset]

    def _format(self, layout: Layout, values: NDArray[np.generic]) -> list[str]:
        if layout.number is not None:
            width = layout.width if layout.ends is None else layout.parts[0]
            return [fit(layout.number.write(value), width, self._glyphs, right=True) for value in values.tolist()]
        if layout.column.format == DISTRIBUTION:
            return [fit(strip(str(value), self._glyphs), layout.width, self._glyphs) for value in values.tolist()]
        end = layout.column.format == "path"  # paths differ in their ends
        return [fit(self._glyphs.text(value), layout.width, self._glyphs, keep_end=end) for value in values.tolist()]
