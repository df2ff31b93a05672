"""The columns in sight of a table and its header: the first column stays in place, the others move by whole columns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from sing_compute.formats import Glyphs, fit
from sing_tui.session.state import Arrangement
from sing_tui.widgets.columns import GAP, Layout

NO_SCALES: Mapping[int, str] = MappingProxyType({})
"""No column has colours."""


@dataclass(frozen=True, slots=True)
class ColumnCursor:
    """The column under the cursor, and the first one in sight behind the one that stays in place."""

    column: int = 0
    left: int = 1
    chosen: bool = False
    """True if the user went to that column; else it follows the sort, and the first columns stay in sight."""

    def settled(self, layouts: Sequence[Layout], width: int, sort: str) -> "ColumnCursor":
        """Return it with its column in sight.

        Args:
            layouts: All columns.
            width: Cells across.
            sort: Name of the column by which the table is sorted.
        """
        if self.chosen:
            return replace(self, left=_left_for(layouts, self.left, self.column, width))
        by_sort = (k for k in columns_in_sight(layouts, 1, width) if layouts[k].holds(sort))
        return ColumnCursor(next(by_sort, 0))

    def moved(self, step: int, layouts: Sequence[Layout], width: int) -> "ColumnCursor":
        """Return it as many columns further as a step says; the other columns slide when it leaves the screen."""
        column = max(0, min(self.column + step, len(layouts) - 1))
        return replace(self, column=column, chosen=True).settled(layouts, width, "")


@dataclass(frozen=True, slots=True)
class Position:
    """Line and column of the cursor, and the first line in sight."""

    cursor: int
    top: int
    columns: ColumnCursor


def columns_in_sight(layouts: Sequence[Layout], left: int, width: int) -> list[int]:
    """Return the positions of the columns in sight.

    Args:
        layouts: All columns.
        left: Position of the first column behind the one that stays.
        width: Cells across.
    """
    if not layouts:
        return []
    used, shown = 1 + layouts[0].width, [0]
    for column in range(max(1, left), len(layouts)):
        used += len(GAP) + layouts[column].width
        if used > width:
            break
        shown.append(column)
    return shown


def _left_for(layouts: Sequence[Layout], left: int, column: int, width: int) -> int:
    """Return the position of the first moving column that brings a column into sight; the arguments as above."""
    left = max(1, min(left, column)) if column else 1
    while column > 0 and column not in columns_in_sight(layouts, left, width) and left < column:
        left += 1
    return left


def header_strip(
    layouts: Sequence[Layout],
    y: int,
    width: int,
    cursor: ColumnCursor,
    sorted_by: Arrangement,
    glyphs: Glyphs,
    styles: tuple[Style, Style],
    scales: Mapping[int, str] = NO_SCALES,
) -> Strip:
    """Paint one of the two header lines.

    Args:
        layouts: All columns.
        y: 0 or 1.
        width: Cells across.
        cursor: The column under the cursor and the first moving one.
        sorted_by: The sort, which has a mark.
        glyphs: The signs of the screen.
        styles: Of the titles, and of the title under the cursor.
        scales: The scales of the columns that have colours, by position.
    """
    plain, chosen = styles
    shown = columns_in_sight(layouts, cursor.left, width)
    arrow = glyphs.descending if sorted_by.descending else glyphs.ascending
    second = glyphs.descending if sorted_by.then_descending else glyphs.ascending
    segments = [Segment(" ", plain)]
    for position, number in enumerate(shown):
        layout = layouts[number]
        marker = arrow if layout.holds(sorted_by.sort) else ""
        if sorted_by.then and layout.holds(sorted_by.then):
            marker = second
        if position:
            more = position == 1 and cursor.left > 1 and not y
            segments.append(Segment(glyphs.left.rjust(2) if more else GAP, plain))
        title = layout.heading(y, marker, glyphs, scales.get(number, ""))
        segments.append(Segment(title, chosen if number == cursor.column and not y else plain))
    used = sum(segment.cell_length for segment in segments)
    more = bool(shown) and shown[-1] < len(layouts) - 1 and y == 0
    room = max(1 if more else 0, width - used)  # the sign that there are more columns stays in sight
    strip = Strip(Segment.simplify(segments)).crop(0, width - room)
    return Strip([*strip, Segment(fit(glyphs.right if more else "", room, glyphs, right=True), plain)])
