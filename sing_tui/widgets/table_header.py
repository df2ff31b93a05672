"""The columns in sight of a table and its header: the first column stays in place, the others move by whole columns."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from sing_compute.formats import Glyphs, fit
from sing_tui.session.state import Arrangement
from sing_tui.widgets.columns import GAP, Layout


@dataclass(frozen=True, slots=True)
class Position:
    """Line and column of the cursor, and the first line and column in sight."""

    cursor: int
    top: int
    column: int
    left: int


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


def left_for(layouts: Sequence[Layout], left: int, column: int, width: int) -> int:
    """Return the position of the first moving column that brings a column into sight; the arguments as above."""
    left = max(1, min(left, column)) if column else 1
    while column > 0 and column not in columns_in_sight(layouts, left, width) and left < column:
        left += 1
    return left


def header_strip(
    layouts: Sequence[Layout],
    shown: Sequence[int],
    y: int,
    width: int,
    *,
    column: int,
    left: int,
    sorted_by: Arrangement,
    glyphs: Glyphs,
    styles: tuple[Style, Style],
) -> Strip:
    """Paint one of the two header lines.

    Args:
        layouts: All columns.
        shown: Positions of those in sight.
        y: 0 or 1.
        width: Cells across.
        column: Position of the column under the cursor.
        left: Position of the first moving column.
        sorted_by: The sort, which has a mark.
        glyphs: The signs of the screen.
        styles: Of the titles, and of the title under the cursor.
    """
    plain, chosen = styles
    arrow = glyphs.descending if sorted_by.descending else glyphs.ascending
    segments = [Segment(" ", plain)]
    for position, number in enumerate(shown):
        layout = layouts[number]
        marker = arrow if layout.holds(sorted_by.sort) else ""
        if position:
            more = position == 1 and left > 1 and not y
            segments.append(Segment(glyphs.left.rjust(2) if more else GAP, plain))
        title = layout.heading(y, marker, glyphs)
        segments.append(Segment(title, chosen if number == column and not y else plain))
    used = sum(segment.cell_length for segment in segments)
    more = bool(shown) and shown[-1] < len(layouts) - 1 and y == 0
    rest = fit(glyphs.right if more else "", max(0, width - used), glyphs, right=True)
    return Strip(Segment.simplify([*segments, Segment(rest, plain)])).crop(0, width)
