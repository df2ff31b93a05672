"""The columns of a table on a screen: their widths, their two header lines, and the text of their cells."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sing_compute.errors import SingError
from sing_compute.formats import Glyphs, NumberFormat, fit, number_format, widest
from sing_compute.store import Column
from sing_compute.store.columns import Loaded
from sing_tui.distributions import BINS, strip
from sing_tui.search import DISTRIBUTION
from sing_tui.view import View

AT_ONCE = 50_000
"""Tables up to so many rows are computed between two keys, larger ones in a thread while the screen goes on answering."""
_BLOCK = 32
_KEPT_BLOCKS = 512
_SAMPLE = 256
_NAME = 12
"""Cells for the name of a model or class over its column."""
_ROOMY = 100
_MOST = 12
"""Cells for one number: a damaged file may hold any."""
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

    def holds(self, name: str) -> bool:
        """Return True if the column of that name is painted here."""
        return name == self.column.name or (self.ends is not None and name in (end.name for end in self.ends))

    def interval(self, low: float, high: float) -> str:
        """Write the interval of one row, as wide as in every other row; blank where there is none."""
        _, left, right = self.parts
        if self.number is None or low != low or high != high:
            return " " * (self.width - self.parts[0])
        return f" [{fit(self.number.write(low), left, right=True)} {fit(self.number.write(high), right, right=True)}]"

    def heading(self, y: int, marker: str, glyphs: Glyphs) -> str:
        """Write one of the two header lines, with the mark of the sort if there is one."""
        text = self.title[y]
        if y == 0:
            text = text + marker if self.number is None else marker + text
        if self.ends is None:
            return fit(text, self.width, glyphs, right=self.number is not None)
        suffix = " [95%]" if not y and self.parts[1] else ""  # no row has an interval: its room is left out
        return fit(fit(text, self.parts[0], glyphs, right=True) + suffix, self.width, glyphs)


def lay_out(view: View, glyphs: Glyphs, room: int, chosen: tuple[str, ...] = ()) -> list[Layout]:
    """Find the widths of a table's columns.

    Args:
        view: The table.
        glyphs: The signs of the screen.
        room: Cells across; a column of text takes a share of them at most.
        chosen: Names of the columns that are painted in addition to the first; all where it is empty.

    Returns:
        The columns that are painted, in their order; the ends of an interval are with their value.

    Raises:
        SingError: Cells that a width depends on cannot be read.
    """
    known = {column.name: column for column in view.table.columns}
    ends = {name for column in view.table.columns for name in column.interval or ()}
    painted = [
        (position, column)
        for position, column in enumerate(view.table.columns)
        if column.name not in ends and (not chosen or not position or column.name in chosen)
    ]
    share = room // min(5, max(1, len(painted)))
    return [_layout(column, position, known, glyphs, room, share) for position, column in painted]


def _layout(
    column: Column, position: int, known: Mapping[str, Column], glyphs: Glyphs, room: int, share: int
) -> Layout:
    """Find the width of one column; `share` is the most that text takes of the room, in columns behind the first."""
    compared = column.side is not None
    number = None if column.is_text else number_format(column, glyphs)
    title = _two_lines(glyphs.text(column.title), "" if number is None else number.unit)
    if column.format == DISTRIBUTION:
        name, _, scale = glyphs.text(column.title).partition(" ")
        title = (name, scale + glyphs.degree)
        return Layout(column, None, title, max(BINS, *map(len, title)))
    heads = [min(len(part) + 1, _NAME if compared else 99) for part in title]
    if number is None:
        limit = max(12, min(40, room // 3 if position == 0 else share))
        return Layout(column, None, title, max(_text_width(column, limit, glyphs), *heads))
    if (
        column.interval is not None
        and set(column.interval) <= known.keys()
        and not (compared and room < _ROOMY)  # several values say more there than their intervals
    ):
        low, high = (known[name] for name in column.interval)
        value, *sides = (_measured(part, number) for part in (column, low, high))
        value = max(value, *heads)
        parts = (value, sides[0], sides[1]) if max(sides) > 1 else (value, 0, 0)
        width = value + (sum(sides) + 4 if max(sides) > 1 else 0)
        return Layout(column, number, title, width, (low, high), parts)
    needed = _measured(column, number) if column.format == "figure" else _number_width(column, number)
    return Layout(column, number, title, max(needed, *heads))


def _two_lines(title: str, unit: str) -> tuple[str, str]:
    if len(title) <= 9 or " " not in title:
        return (title, unit)
    first, _, rest = title.rpartition(" ")
    return (first, f"{rest} {unit}".rstrip())


def _number_width(column: Column, number: NumberFormat) -> int:
    source = column.values.source
    if isinstance(source, np.ndarray) and source.dtype.kind in "iu" and source.size:
        return len(number.write(int(source.max())))
    return number.width


def _measured(column: Column, number: NumberFormat) -> int:
    """Return how many cells the widest number needs: the largest, the smallest or the one nearest to zero."""
    values = column.values.all()
    values = values[np.isfinite(values) & (values != 0)]
    if not len(values):
        return 1
    extremes = values if len(values) <= _SAMPLE else (values.min(), values.max(), values[np.abs(values).argmin()])
    return min(_MOST, max(len(number.write(float(value))) for value in (*extremes, 0)))


def _text_width(column: Column, limit: int, glyphs: Glyphs) -> int:
    values = column.values
    texts = values.names if values.names is not None else values.take(np.arange(min(len(values), _SAMPLE)))
    return widest((glyphs.text(text) for text in texts[:_SAMPLE]), limit)


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
        self.waiting: list[Loaded] = []
        """Cells that have to be loaded as a whole before some can be painted; a thread does it, and these show three dots."""

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
                block = self._format(layout, layout.column.values.take(rows))
                if layout.ends is not None:
                    ends = [end.values.take(rows).tolist() for end in layout.ends]
                    block = [text + layout.interval(*pair) for text, *pair in zip(block, *ends, strict=True)]
            except SingError as error:
                self.problem = str(error)
                block = [fit("-", layout.width, self._glyphs, right=layout.number is not None)] * len(rows)
            self._blocks[column, number] = block
            if len(self._blocks) > _KEPT_BLOCKS:
                self._blocks.popitem(last=False)
        return block[offset]

    def _format(self, layout: Layout, values: NDArray[np.generic]) -> list[str]:
        if layout.number is not None:
            width = layout.width if layout.ends is None else layout.parts[0]
            return [fit(layout.number.write(value), width, self._glyphs, right=True) for value in values.tolist()]
        if layout.column.format == DISTRIBUTION:
            return [fit(strip(str(value), self._glyphs), layout.width, self._glyphs) for value in values.tolist()]
        end = layout.column.format == "path"  # paths differ in their ends
        return [fit(self._glyphs.text(value), layout.width, self._glyphs, keep_end=end) for value in values.tolist()]
