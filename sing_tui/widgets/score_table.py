"""The virtualised table: it formats the lines in sight and nothing else, and repaints the lines that changed and no others.

One segment per line and no scrollbars keep a frame small over a slow link. The first column stays; others move by whole columns.
"""

from collections.abc import Collection
from dataclasses import replace

from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.strip import Strip

from sing_compute.errors import SingError
from sing_compute.formats import UNICODE, Glyphs
from sing_compute.store import Column
from sing_tui.cell_colors import CellColors, cell_colors
from sing_tui.session.state import Arrangement
from sing_tui.view import View
from sing_tui.widgets.column_widths import lay_out
from sing_tui.widgets.columns import GAP, CellText, Layout
from sing_tui.widgets.table_header import NO_SCALES, ColumnCursor, Position, columns_in_sight, header_strip
from sing_tui.widgets.table_lines import colored_columns, line_strip, note_strip
from sing_tui.widgets.table_parts import TableParts
from sing_tui.widgets.thrifty_strip import ThriftyStrip

_WIDE = 100
"""Cells of the screen from which more columns have colours: each coloured cell costs bytes, and 80 cells are for slow links."""
_COLORED_NARROW, _COLORED_WIDE = 1, 6


class ScoreTable(TableParts, can_focus=True):
    """Lines of a `View`, a cursor line and a cursor column."""

    def __init__(self, glyphs: Glyphs = UNICODE) -> None:
        super().__init__()
        self.glyphs = glyphs
        self.view: View | None = None
        self.note = ""
        self.cursor = self.top = 0
        self._columns = ColumnCursor()
        self.marks: frozenset[int] = frozenset()
        """Identities of the marked rows."""
        self._chosen: tuple[str, ...] = ()
        self._layouts: list[Layout] = []
        self._text: CellText | None = None
        self._fitted = Size(0, 0)
        self.colored = True

    def show(
        self,
        view: View | None,
        *,
        line: int = 0,
        note: str = "",
        columns: tuple[str, ...] = (),
        position: Position | None = None,
        fresh: bool = False,
    ) -> None:
        """Put a view on the screen.

        Args:
            view: The table; None where there is nothing to show.
            line: Line for the cursor, from 0.
            note: One line that is shown where there are no rows.
            columns: Names of the columns to paint; all where it is empty.
            position: Where cursor and columns were when this table was last shown; `line` does not count then.
            fresh: True for a table that was just opened: the first lines and columns come into sight.
        """
        before, other = [layout.column.name for layout in self._layouts], view is not self.view
        again = self.view is None or view is None or view.table is not self.view.table or columns != self._chosen
        self.view, self.note, self._chosen = view, note, columns
        self._measure(again=again)
        same_columns = before == [layout.column.name for layout in self._layouts]
        if position is not None:
            self.top, self._columns = position.top, position.columns
        elif fresh or not same_columns:
            self._columns = ColumnCursor()
        self._settle_columns()
        self.cursor = max(0, min(line if position is None else position.cursor, self.lines - 1))
        if position is None and (fresh or (other and self.cursor < self.page)):
            self.top = 0  # the first lines are in sight wherever the cursor's line is near enough
        self._follow()
        self.refresh()
        self.post_message(self.Moved())

    @property
    def position(self) -> Position:
        """Cursor and columns as they are now."""
        return Position(self.cursor, self.top, self._columns)

    @property
    def column(self) -> int:
        """Position of the column under the cursor among those that are painted."""
        return self._columns.column

    @property
    def lines(self) -> int:
        """Lines of the view."""
        return 0 if self.view is None else len(self.view)

    @property
    def columns(self) -> list[Column]:
        """The columns that are painted; the ends of intervals are in the cells of their values."""
        return [layout.column for layout in self._layouts]

    @property
    def width_wanted(self) -> int:
        """Cells that all columns need."""
        return 1 + sum(layout.width + len(GAP) for layout in self._layouts)

    @property
    def header_height(self) -> int:
        """Two header lines, one on a very low screen."""
        return 2 if self._height >= 8 else 1

    @property
    def page(self) -> int:
        """Lines in sight."""
        return max(1, self._height - self.header_height)

    @property
    def _height(self) -> int:
        """Its height; behind details or a chart, which hide it, the last one."""
        return self.size.height or self._fitted.height

    def move(self, step: int) -> None:
        """Move the cursor by lines."""
        self.go(self.cursor + step)

    def go(self, line: int) -> None:
        """Put the cursor on a line, as near as there is one."""
        old, self.cursor = self.cursor, max(0, min(line, self.lines - 1))
        if self.cursor == old:
            return
        if self._follow():
            self.refresh()
        else:
            self.repaint(old)
            self.repaint(self.cursor)
        self.post_message(self.Moved())

    def turn(self, share: float) -> None:
        """Move screen and cursor by a share of a page."""
        step = int(self.page * share) or (1 if share > 0 else -1)
        self.top = max(0, min(self.top + step, self.lines - self.page))
        self.refresh()
        self.go(self.cursor + step)

    def move_column(self, step: int) -> None:
        """Move the column cursor; the other columns slide when it leaves the screen."""
        left = self._columns.left
        self._columns = self._columns.moved(step, self._layouts, self.size.width)
        if left != self._columns.left:
            self.refresh()
        else:
            self.refresh(Region(0, 0, self.size.width, self.header_height))

    def render_line(self, y: int) -> Strip:
        """Paint one line (Textual asks for those that changed)."""
        width = self.size.width
        if (self.view is None or not self.lines) and (y >= self.header_height or self.view is None):
            row = y - min(self.header_height, self.size.height - 1)
            return note_strip(self.note, row, width, self._style("row"), self.glyphs)
        if y < self.header_height:
            return self._header(y, width)
        line = self.top + y - self.header_height
        if line >= self.lines or self._text is None:
            return Strip.blank(width, self._style("row"))
        mark = self.glyphs.mark if self.marks and self.view.identity(line) in self.marks else " "
        shown, style = self.columns_in_sight(), self._style("cursor" if line == self.cursor else "row")
        colors = None if line == self.cursor else self.number_colors()
        colored = () if colors is None else self._colored_columns()
        strip = line_strip(self._text, line, shown, width, mark, style, self.glyphs, colors, colored)
        if self._text.problem:
            self.post_message(self.Failed(self._text.problem))
            self._text.problem = ""
        if self._text.waiting:
            self.post_message(self.Wanting(self._text.waiting))
            self._text.waiting = []
        return strip

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return the lines in few bytes."""
        self._fit()  # the first lines in a size are painted before `on_resize`
        return [ThriftyStrip(strip, strip.cell_length) for strip in super().render_lines(crop)]

    def number_colors(self) -> CellColors | None:
        """Return the colours behind numbers; None where none are wanted, or the terminal has too few."""
        wanted = self.colored and not self.app.no_color
        return cell_colors(self._style("row"), self.app.console.color_system) if wanted else None

    def _colored_columns(self) -> Collection[int]:
        most = _COLORED_NARROW if self.app.size.width < _WIDE else _COLORED_WIDE
        return () if self._text is None else colored_columns(self._text, self.columns_in_sight(), most)

    def color(self, *, wanted: bool) -> None:
        """Paint numbers with colours behind them where the terminal has enough, or without."""
        self.colored = wanted
        self.refresh()

    def _header(self, y: int, width: int) -> Strip:
        sort = Arrangement() if self.view is None else self.view.arrangement
        styles, scales, text = (self._style("header"), self._style("column")), NO_SCALES, self._text
        if text is not None and self.number_colors() is not None:
            known = ((column, text.scale(column)) for column in self._colored_columns())
            scales = {column: scale.text for column, scale in known if scale is not None}
        return header_strip(self._layouts, y, width, self._columns, sort, self.glyphs, styles, scales)

    def columns_in_sight(self) -> list[int]:
        """Return the positions of the columns in sight."""
        return columns_in_sight(self._layouts, self._columns.left, self.size.width)

    @property
    def names_in_sight(self) -> tuple[str, ...]:
        """Names of the columns in sight, with the ends of the intervals that are written behind their values."""
        shown = [self._layouts[position] for position in self.columns_in_sight()]
        return tuple(each.name for layout in shown for each in (layout.column, *(layout.ends or ())))

    def _settle_columns(self) -> None:
        sorted_by = Arrangement() if self.view is None else self.view.arrangement
        self._columns = self._columns.settled(self._layouts, self.size.width, sorted_by.sort)

    def _measure(self, *, again: bool = True) -> None:
        if self.view is None:
            self._layouts, self._text = [], None
        else:
            try:
                if again:
                    self._layouts = lay_out(self.view, self.glyphs, max(30, self.size.width or 80), self._chosen)
            except SingError as error:
                self.view, self.note, self._layouts, self._text = None, self.glyphs.text(error), [], None
                return
            self._text = CellText(self.view, self._layouts, self.glyphs)

    def mark(self, marks: Collection[int]) -> None:
        """Mark other rows; if only the row under the cursor changes, no other line is painted."""
        changed = set(self.marks) ^ set(marks)
        self.marks = frozenset(marks)
        if self.view is not None and self.lines and changed == {self.view.identity(self.cursor)}:
            self.repaint(self.cursor)
        else:
            self.refresh()

    def _follow(self) -> bool:
        """Bring the cursor into sight; return True if the screen had to move for it."""
        page = self.page if self._height else self.lines  # before a size is known, no line is out of sight
        top = max(0, min(max(self.top, self.cursor - page + 1), self.cursor, self.lines - page))
        moved, self.top = top != self.top, top
        return moved

    def repaint(self, line: int) -> None:
        """Paint one line again."""
        y = line - self.top + self.header_height
        if self.header_height <= y < self.size.height:
            self.refresh(Region(0, y, self.size.width, 1))

    def _style(self, part: str) -> Style:
        return self.get_component_rich_style(f"score-table--{part}")

    def on_resize(self) -> None:
        """Paint in the new size, unless that was done already."""
        if self._fit():
            self.refresh()

    def _fit(self) -> bool:
        """Fit what is painted to a new size; columns that fit again come back into sight. Return False for the same size."""
        if self._fitted == self.size:
            return False
        self._fitted = self.size
        self._measure()
        self._columns = replace(self._columns, left=1)
        self._settle_columns()
        self._follow()
        return True

    def on_click(self, event: events.Click) -> None:
        """Put the cursor where the mouse is; on a header, sort."""
        if event.y < self.header_height:
            used = 1
            for column in self.columns_in_sight():
                used += self._layouts[column].width + len(GAP)
                if event.x < used:
                    self.move_column(column - self.column)
                    self.post_message(self.SortAsked())
                    break
            return
        line = self.top + event.y - self.header_height
        if line < self.lines:
            self.go(line)
            if event.chain == 2:
                self.post_message(self.Chosen())

    def on_mouse_scroll_down(self) -> None:
        """Scroll with the wheel."""
        self.move(3)

    def on_mouse_scroll_up(self) -> None:
        """Scroll with the wheel."""
        self.move(-3)
