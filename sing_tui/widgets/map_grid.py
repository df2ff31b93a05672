"""The picture of a map: two values in each cell by colour, names of rows at the left, and above it that of the column."""

import textwrap
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from sing_compute.charts.map_blocks import Values
from sing_compute.formats import Glyphs, fit
from sing_tui.maps.drawing import CURSOR, EMPTY, Codes, Line, Palette, codes_of, half_cells, signs, written
from sing_tui.maps.view import MapView
from sing_tui.maps.words import value_text
from sing_tui.session.map_window import NUMBERED, Pair

_NAMES = 16
"""Cells of the names of rows at most."""


class MapGrid(Widget):
    """A map; the screen tells it what to show and is told where it was clicked."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {"map-grid--text", "map-grid--key"}
    DEFAULT_CSS = """
    MapGrid { height: 1fr; background: $surface;
        & > .map-grid--text { background: $surface; color: $foreground; }
        & > .map-grid--key { background: $surface; color: $accent; text-style: bold; }
        &:ansi > .map-grid--text { background: ansi_default; color: ansi_default; }
        &:ansi > .map-grid--key { background: ansi_default; color: ansi_default; text-style: bold; }
    }
    """

    class Clicked(Message):
        """A place of the map was clicked: units down and across."""

        def __init__(self, unit: Pair) -> None:
            super().__init__()
            self.unit = unit

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__()
        self.glyphs = glyphs
        self.view: MapView | None = None
        self.palette: Palette | None = None
        """The colours; None where signs are painted."""
        self.note = ""
        self._pair: Pair = (0, 0)
        self._values: Values | None = None
        self._codes: Codes | None = None

    @property
    def names_width(self) -> int:
        """Cells of the names of rows, the space behind them included."""
        return min(_NAMES, self.size.width // 5) + 1 if self.size.width >= 40 else 1

    @property
    def units(self) -> int:
        """Units down in one cell."""
        return 1 if self.palette is None else 2

    @property
    def room(self) -> Pair:
        """Units that there is room for."""
        return max(1, self.size.height - 1) * self.units, max(1, self.size.width - self.names_width)

    def show(self, view: MapView | None, palette: Palette | None, note: str = "") -> None:
        """Show a view, or a note where there is none; only what differs from the last view is painted again.

        Args:
            view: The view.
            palette: The colours; None for signs.
            note: One line.
        """
        old, self.view, self.note = self.view, view, note
        repainted, self.palette = palette is not self.palette, palette
        if view is None or view.is_empty:
            self._values = None
            self.refresh()
            return
        new_pair = view.pair
        same = old is not None and self._codes is not None and old.shown is view.shown and (
            (old.window.level, old.window.first, old.window.room, old.strongest)
            == (view.window.level, view.window.first, view.window.room, view.strongest)
        )  # fmt: skip
        if not same or old is None or repainted:
            self._pair = new_pair
            self._values = view.values()
            self._codes = codes_of(self._values, view.shown.scale)
            self.refresh()
            return
        regions = [Region(0, 0, self.size.width, 1), *self._regions(old), *self._regions(view)]
        self._pair = new_pair
        self.refresh(*regions)

    def _regions(self, view: MapView) -> list[Region]:
        """Return what shows where the cursor is: its block, and the names beside it."""
        window, size = view.window, view.window.here.size
        top = (window.cursor[0] - window.first[0]) * size[0]
        left = (window.cursor[1] - window.first[1]) * size[1] + self.names_width
        first, last = top // self.units, (top + size[0] - 1) // self.units
        lines = last - first + 1
        return [Region(left, 1 + first, size[1], lines), Region(0, 1 + first, self.names_width, lines)]

    def render_line(self, y: int) -> Strip:
        """Paint one line (Textual asks for those that changed)."""
        width, text = self.size.width, self.get_component_rich_style("map-grid--text")
        view = self.view
        if view is None or self._codes is None or view.is_empty:
            lines = textwrap.wrap(self.glyphs.text(self.note), max(1, width - 2))
            note = lines[y] if y < len(lines) else ""
            return Strip([Segment(fit(f" {note}", width, self.glyphs), text)])
        line = self._pointer(view) if y == 0 else self._body(view, y - 1, text)
        return Strip(line).adjust_cell_length(width, text)

    def _pointer(self, view: MapView) -> Line:
        """Name the column under the cursor, above it."""
        key, glyphs = self.get_component_rich_style("map-grid--key"), self.glyphs
        window = view.window
        across = window.here.size[1]
        if across >= NUMBERED:
            return self._column_names(view, across)
        at = self.names_width + (window.cursor[1] - window.first[1]) * across + (across - 1) // 2
        name = glyphs.text(view.shown.columns.names[self._pair[1]])
        left, right = at, self.size.width - at - 2
        if right >= left or cell_len(name) <= right:
            return [Segment(" " * at, key), Segment(f"{glyphs.descending} {fit(name, max(0, right - 1), glyphs)}", key)]
        return [Segment(f"{fit(name, max(0, left - 1), glyphs, right=True)} {glyphs.descending}", key)]

    def _column_names(self, view: MapView, across: int) -> Line:
        """Name every column, that under the cursor in another colour."""
        text, key = (self.get_component_rich_style(f"map-grid--{part}") for part in ("text", "key"))
        window, found = view.window, [Segment(" " * self.names_width, text)]
        for block in range(window.seen[1]):
            index = view.in_block((window.cursor[0], block + window.first[1]))[1][0]
            name = fit(self.glyphs.text(view.shown.columns.names[index]), across - 1, self.glyphs)
            found.append(Segment(f"{name} ", key if block + window.first[1] == window.cursor[1] else text))
        return found

    def _body(self, view: MapView, line: int, text: Style) -> Line:
        units, size, window = self.units, view.window.here.size, view.window
        rows = [self._block_at(view, line * units + unit) for unit in range(units)]
        if rows[0] is None:
            return [Segment(" " * self.size.width, text)]
        found = self._row_name(view, line, rows, text)
        is_cursor = rows[0] == window.cursor[0] - window.first[0]
        if self._is_numbered(view, line) and self._values is not None and self._codes is not None:
            texts = [value_text(view.shown, float(value), self.glyphs) for value in self._values[rows[0]]]
            blocks = self._codes[rows[0]].tolist()
            if is_cursor:
                blocks[window.cursor[1] - window.first[1]] = CURSOR
            return [*found, *written(blocks, texts, size[1], self.palette, text)]
        codes = [self._row_of_codes(view, line * units + unit) for unit in range(units)]
        if self.palette is None:
            left = (window.cursor[1] - window.first[1]) * size[1]
            return [*found, *signs(codes[0], range(left, left + size[1]) if is_cursor else range(0), text)]
        return [*found, *half_cells(codes[0], codes[-1], self.palette)]

    def _is_numbered(self, view: MapView, line: int) -> bool:
        """Return True if the numbers of the blocks are written on a line: the middle one of these blocks."""
        tall, wide = view.window.here.size
        lines = tall // self.units
        return wide >= NUMBERED and tall % self.units == 0 and lines > 0 and line % lines == (lines - 1) // 2

    def _block_at(self, view: MapView, unit: int) -> int | None:
        """Return the block, counted from the first on the screen, that a unit belongs to; None below the map."""
        block = unit // view.window.here.size[0]
        return block if block < view.window.seen[0] else None

    def _row_of_codes(self, view: MapView, unit: int) -> list[int]:
        """Return the codes of one line of units, the cursor's frame among them."""
        window, block = view.window, self._block_at(view, unit)
        tall, wide = window.here.size
        width = window.seen[1] * wide
        if block is None or self._codes is None:
            return [EMPTY] * width
        codes: list[int] = self._codes[block].repeat(wide).tolist()
        if self.palette is not None and block == window.cursor[0] - window.first[0]:
            left = (window.cursor[1] - window.first[1]) * wide
            has_inside = wide > 2 if tall < 3 else wide > 2 or 0 < unit % tall < tall - 1
            is_edge = tall > 2 and unit % tall in (0, tall - 1)
            if is_edge or not has_inside:
                codes[left : left + wide] = [CURSOR] * wide
            elif wide > 2:
                codes[left] = codes[left + wide - 1] = CURSOR
        return codes

    def _row_name(self, view: MapView, line: int, rows: list[int | None], text: Style) -> Line:
        """Name the row of a line: the one under the cursor, else the first of the block; nothing where a block goes on."""
        window, width, glyphs = view.window, self.names_width, self.glyphs
        cursor = window.cursor[0] - window.first[0]
        begins = line * self.units % window.here.size[0] < self.units
        block = cursor if cursor in rows else rows[0]
        if not begins or block is None or width < 3:
            return [Segment(" " * width, text)]
        if block == cursor:
            name = glyphs.text(view.shown.rows.names[self._pair[0]])
            return [
                Segment(
                    f"{glyphs.right}{fit(name, width - 2, glyphs)} ", self.get_component_rich_style("map-grid--key")
                )
            ]
        first = view.in_block((block + window.first[0], 0))[0][0]
        return [Segment(f" {fit(glyphs.text(view.shown.rows.names[first]), width - 2, glyphs)} ", text)]

    def on_click(self, event: events.Click) -> None:
        """Say where the map was clicked; in a cell of two values, the upper one."""
        if self.view is not None and event.y > 0 and event.x >= self.names_width:
            self.post_message(self.Clicked(((event.y - 1) * self.units, event.x - self.names_width)))
