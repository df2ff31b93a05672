"""The part of a map on the screen and the block under its cursor: frozen values and functions of them, in plain Python."""

from dataclasses import dataclass, replace
from functools import lru_cache

Pair = tuple[int, int]
"""Something of the rows, and the same of the columns."""
TALLEST, WIDEST = 8, 12
"""Units that one block takes at most."""
NUMBERED = 9
"""Cells of a block in which its number can be written."""


@dataclass(frozen=True, slots=True)
class Level:
    """One step of the zoom. A unit is what one value can be painted on: half a cell, or a cell where signs are painted."""

    block: Pair
    """Rows and columns of the map in one block."""
    size: Pair
    """Units that a block takes, down and across."""

    @property
    def is_single(self) -> bool:
        """True if a block is one value."""
        return self.block == (1, 1)


@dataclass(frozen=True, slots=True)
class MapWindow:
    """The part of a map on the screen, and its cursor."""

    count: Pair
    """Rows and columns of the map."""
    room: Pair
    """Units on the screen, down and across."""
    level: int = 0
    """Zoom: 0 shows the whole map."""
    cursor: Pair = (0, 0)
    """Block under the cursor."""
    first: Pair = (0, 0)
    """Block in the upper left corner."""

    @property
    def levels(self) -> tuple[Level, ...]:
        """All steps of the zoom."""
        return levels(self.count, self.room)

    @property
    def here(self) -> Level:
        """The present step of the zoom."""
        known = self.levels
        return known[min(self.level, len(known) - 1)]

    @property
    def blocks(self) -> Pair:
        """Blocks of the whole map, down and across."""
        block = self.here.block
        return -(-self.count[0] // block[0]), -(-self.count[1] // block[1])

    @property
    def seen(self) -> Pair:
        """Blocks that fit on the screen, down and across."""
        size, blocks = self.here.size, self.blocks
        return min(blocks[0], max(1, self.room[0] // size[0])), min(blocks[1], max(1, self.room[1] // size[1]))

    def span(self, block: Pair) -> tuple[range, range]:
        """Return the rows and the columns of the map in a block."""
        size = self.here.block
        start = block[0] * size[0], block[1] * size[1]
        return (
            range(start[0], min(start[0] + size[0], self.count[0])),
            range(start[1], min(start[1] + size[1], self.count[1])),
        )


@lru_cache(maxsize=64)
def levels(count: Pair, room: Pair) -> tuple[Level, ...]:
    """List the steps of the zoom from the whole map to one value on several units.

    Args:
        count: Rows and columns of the map.
        room: Units on the screen.
    """
    block = _fitting(count[0], room[0]), _fitting(count[1], room[1])
    tall = _filling(count[0], room[0], TALLEST)
    size = tall if tall < 2 else tall // 2 * 2, _filling(count[1], room[1], WIDEST)  # a line holds two units
    found = [Level(block, size)]
    while block != (1, 1):
        block = (block[0] + 1) // 2, (block[1] + 1) // 2
        found.append(Level(block, size))
    while (larger := (max(size[0], min(2 * size[0], 2)), max(size[1], min(4 * size[1], WIDEST)))) != size:
        size = larger
        found.append(Level(block, size))
    return tuple(found)


def _fitting(count: int, room: int) -> int:
    return max(1, -(-count // max(1, room)))


def _filling(count: int, room: int, most: int) -> int:
    return max(1, min(most, room // max(1, count)))


def moved(window: MapWindow, down: int, across: int) -> MapWindow:
    """Return the window with the cursor moved by blocks; at an edge of the screen it moves on by half of what is seen."""
    return at_block(window, (window.cursor[0] + down, window.cursor[1] + across))


def at_block(window: MapWindow, block: Pair) -> MapWindow:
    """Return the window with the cursor on a block, or on the nearest one that there is, and this block in sight."""
    blocks, seen = window.blocks, window.seen
    cursor = _within(block[0], blocks[0]), _within(block[1], blocks[1])
    first = (
        _start(cursor[0], window.first[0], seen[0], blocks[0]),
        _start(cursor[1], window.first[1], seen[1], blocks[1]),
    )
    return replace(window, cursor=cursor, first=first)


def _within(position: int, count: int) -> int:
    return max(0, min(position, count - 1))


def _start(cursor: int, first: int, seen: int, count: int) -> int:
    first = max(0, min(first, count - seen))
    return first if first <= cursor < first + seen else max(0, min(cursor - seen // 2, count - seen))


def at_value(window: MapWindow, value: Pair) -> MapWindow:
    """Return the window with the cursor on the block that holds a value of the map, by its row and column."""
    block = window.here.block
    return at_block(window, (value[0] // block[0], value[1] // block[1]))


def zoomed(window: MapWindow, by: int, value: Pair) -> MapWindow:
    """Return the window some steps nearer (by > 0) or farther, with the cursor on the block that holds a value.

    Args:
        window: The window.
        by: Number of steps.
        value: Row and column of the value, in the order of the map.
    """
    level = _within(window.level + by, len(window.levels))
    return at_value(replace(window, level=level, first=(0, 0), cursor=(0, 0)), value)


def singled(window: MapWindow, value: Pair) -> MapWindow:
    """Return the window with the cursor on one value, near enough that a block holds no other one."""
    level = next(number for number, level in enumerate(window.levels) if level.is_single)
    return zoomed(window, max(0, level - window.level), value)


def resized(window: MapWindow, room: Pair, value: Pair) -> MapWindow:
    """Return the window in another room; the whole map stays whole, and a value stays under the cursor."""
    return zoomed(replace(window, room=room), 0, value)
