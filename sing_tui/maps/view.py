"""A map as it is seen: its window, the order of its rows and columns, and the value under the cursor. Frozen; no Textual."""

from dataclasses import dataclass, replace

import numpy as np

from sing_compute.charts.map_blocks import Order, Values, blocks, largest_at
from sing_compute.charts.maps import Side, ValueMap
from sing_tui.session.map_window import MapWindow, Pair, at_block, at_value, moved, resized, singled, zoomed


@dataclass(frozen=True, slots=True)
class MapStart:
    """The first sight of a map: as it was left, at the pair that the table is about."""

    row: int | None = None
    column: int | None = None
    """Positions of two items on their axes; without both of them the cursor begins at the strongest pair."""
    figure: str = ""
    """Name of the column that is mapped; empty for the first."""
    level: int = 0
    strongest: bool = True


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class MapView:
    """A map, the part of it on the screen, and the order of its items."""

    shown: ValueMap
    window: MapWindow
    strongest: bool = True
    """True if the strongest rows and columns come first; else they are in the order of the file."""

    @classmethod
    def of(cls, shown: ValueMap, room: Pair, start: MapStart = MapStart()) -> "MapView":
        """Return a map in a room as it is first seen; without a start the whole one, the cursor on its strongest block."""
        view = cls(shown, MapWindow((len(shown.rows), len(shown.columns)), room), start.strongest)
        if view.is_empty:
            return view
        view = view.zoomed(start.level)
        positions = zip((shown.rows, shown.columns), (start.row, start.column), strict=True)
        row, column = (None if position is None else side.find(position) for side, position in positions)
        return view if row is None or column is None else view.near_pair(row, column)

    @property
    def left(self) -> MapStart:
        """The start that shows the map again as it is now."""
        row, column = self.pair
        at = int(self.shown.rows.positions[row]), int(self.shown.columns.positions[column])
        return MapStart(*at, self.shown.column.name, self.window.level, self.strongest)

    @property
    def is_empty(self) -> bool:
        """True if the map has no values."""
        return not all(self.window.count)

    @property
    def rows(self) -> Order:
        """Indices of the map's rows in the order of the screen."""
        return self._order(self.shown.rows)

    @property
    def columns(self) -> Order:
        """Indices of the map's columns in the order of the screen."""
        return self._order(self.shown.columns)

    def _order(self, side: Side) -> Order:
        return side.order if self.strongest else np.arange(len(side), dtype=np.int32)

    def in_block(self, block: Pair) -> tuple[Order, Order]:
        """Return the map's rows and columns in a block."""
        down, across = self.window.span(block)
        return self.rows[down.start : down.stop], self.columns[across.start : across.stop]

    @property
    def pair(self) -> Pair:
        """Row and column of the map under the cursor: those of the largest value of the block."""
        return largest_at(self.shown.values, *self.in_block(self.window.cursor))

    def values(self) -> Values:
        """Return what is on the screen, (block of rows, block of columns)."""
        window = self.window
        (top, left), (down, across) = window.first, window.seen
        block = window.here.block
        rows = self.rows[top * block[0] : (top + down) * block[0]]
        columns = self.columns[left * block[1] : (left + across) * block[1]]
        return blocks(self.shown.values, rows, columns, block)

    def moved(self, down: int, across: int) -> "MapView":
        """Return the view with the cursor moved by blocks."""
        return replace(self, window=moved(self.window, down, across))

    def at_block(self, block: Pair) -> "MapView":
        """Return the view with the cursor on a block."""
        return replace(self, window=at_block(self.window, block))

    def at_screen(self, unit: Pair) -> "MapView":
        """Return the view with the cursor on the block painted at a place of the screen, counted in units."""
        first, size = self.window.first, self.window.here.size
        return self.at_block((first[0] + unit[0] // size[0], first[1] + unit[1] // size[1]))

    def zoomed(self, by: int) -> "MapView":
        """Return the view some steps nearer or farther, the same value under the cursor."""
        return replace(self, window=zoomed(self.window, by, self._place(self.pair)))

    def resized(self, room: Pair) -> "MapView":
        """Return the view in another room, the same value under the cursor."""
        return replace(self, window=resized(self.window, room, self._place(self.pair)))

    def reordered(self) -> "MapView":
        """Return the view in the other order, the same value under the cursor."""
        pair = self.pair
        other = replace(self, strongest=not self.strongest)
        return replace(other, window=at_value(other.window, other._place(pair)))

    def of_figure(self, shown: ValueMap) -> "MapView":
        """Return the view of another figure of the same items, the same pair under the cursor."""
        pair = self.pair
        other = replace(self, shown=shown)
        return replace(other, window=at_value(other.window, other._place(pair)))

    def at_pair(self, row: int | None, column: int | None) -> "MapView":
        """Return the view with the cursor on a pair, near enough that it is alone in its block.

        Args:
            row: Row of the map; None for the row of the column's largest value.
            column: Column of the map; None for the column of the row's largest value.
        """
        every = np.arange(len(self.shown.rows)), np.arange(len(self.shown.columns))
        wanted = [each if item is None else np.array([item]) for each, item in zip(every, (row, column), strict=True)]
        pair = largest_at(self.shown.values, wanted[0], wanted[1])
        return replace(self, window=singled(self.window, self._place(pair)))

    def at_item(self, axis: str, position: int | None) -> "MapView | None":
        """Return the view at the largest value of one item of an axis, by its position there; None if it is not on the map."""
        sides = (self.shown.rows, self.shown.columns)
        found = [None if position is None or side.axis != axis else side.find(position) for side in sides]
        return None if found == [None, None] else self.at_pair(*found)

    def near_pair(self, row: int, column: int) -> "MapView":
        """Return the view with the cursor on the block of a pair, at the same zoom."""
        return replace(self, window=at_value(self.window, self._place((row, column))))

    def _place(self, pair: Pair) -> Pair:
        """Return where a pair of the map is in the order of the screen."""
        return int(np.flatnonzero(self.rows == pair[0])[0]), int(np.flatnonzero(self.columns == pair[1])[0])
