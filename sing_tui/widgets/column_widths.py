"""The widths of a table's columns: the figures that matter are in sight, and no text is cut beside free cells."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from sing_compute.formats import Glyphs, NumberFormat, number_format, widest
from sing_compute.store import Column
from sing_tui.distributions import BINS
from sing_tui.search import DISTRIBUTION
from sing_tui.view import View
from sing_tui.widgets.columns import GAP, Layout

HEADLINE = 3
"""Figures of a table that are in sight at 80 cells: the first ones."""
_LABEL, _TEXT = 12, 6
"""Least cells for the name of a row, and for another text."""
_WHOLE = 60
"""Cells that a text takes at most where there is room."""
_SAMPLE = 256
_NAME = 12
"""Cells for the name of a model or class over its column."""
_ROOMY = 100
_MOST = 12
"""Cells for one number: a damaged file may hold any."""


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
    layouts = [_layout(column, position, known, glyphs, room, share) for position, column in painted]
    return _fitted(layouts, room)


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
        limit = max(_LABEL, min(40, room // 3 if position == 0 else share))
        natural = max(_text_width(column, _WHOLE, glyphs), *heads)
        least = max(_TEXT if position else _LABEL, *heads)
        return Layout(column, None, title, min(natural, max(limit, *heads)), natural=natural, least=min(least, natural))
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


def _fitted(layouts: list[Layout], room: int) -> list[Layout]:
    """Make texts narrower until the headline figures are in sight, then wider where cells are left empty beside a cut text.

    Args:
        layouts: All columns; each text is as wide as its share of the room.
        room: Cells across.
    """
    for figures in range(HEADLINE, 0, -1):
        narrow = _narrowed(layouts, _until(layouts, figures), room)
        if narrow is not None:
            layouts = narrow
            break
    return _widened(layouts, room)


def _until(layouts: list[Layout], figures: int) -> int:
    """Return how many columns there are up to the last of so many figures; where there are fewer, so many columns."""
    found = 0
    for position, layout in enumerate(layouts):
        found += layout.number is not None and layout.column.role in ("value", "share", "difference")
        if found == figures:
            return position + 1
    return min(figures, len(layouts))


def _used(layouts: list[Layout], count: int) -> int:
    """Return the cells of the first columns, the mark in front and the sign of further ones behind."""
    return (
        1 + sum(layout.width for layout in layouts[:count]) + len(GAP) * (count - 1) + len(GAP) * (count < len(layouts))
    )


def _narrowed(layouts: list[Layout], count: int, room: int) -> list[Layout] | None:
    """Return the columns with the first ones in sight, the widest texts cut most; None if they have no room even so."""
    found = list(layouts)
    while _used(found, count) > room:
        texts = [position for position in range(count) if found[position].width > found[position].least > 0]
        if not texts:
            return None
        widest = max(texts, key=lambda position: found[position].width)
        found[widest] = replace(found[widest], width=found[widest].width - 1)
    return found


def _widened(layouts: list[Layout], room: int) -> list[Layout]:
    """Return the columns with the cells that are left given to the texts in sight that are cut."""
    found = list(layouts)
    count = next((n for n in range(len(found), 1, -1) if _used(found, n) <= room), 1)
    free = room - _used(found, count)
    while free > 0:
        cut = [position for position in range(count) if found[position].width < found[position].natural]
        if not cut:
            break
        narrowest = min(cut, key=lambda position: found[position].width)
        found[narrowest] = replace(found[narrowest], width=found[narrowest].width + 1)
        free -= 1
    return found
