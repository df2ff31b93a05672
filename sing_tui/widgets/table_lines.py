"""One line of a table: its cells, with colours behind the numbers where they are wanted."""

import textwrap
from collections.abc import Collection, Sequence

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from sing_compute.formats import Glyphs, fit
from sing_tui.cell_colors import CellColors
from sing_tui.widgets.columns import GAP, CellText


def colored_columns(cells: CellText, shown: Sequence[int], most: int) -> frozenset[int]:
    """Return the positions of the columns that have colours: the first ones in sight that have a scale.

    Args:
        cells: The text of the cells.
        shown: Positions of the columns in sight.
        most: How many columns may have colours.
    """
    return frozenset([column for column in shown if cells.scale(column) is not None][:most])


def line_strip(
    cells: CellText, line: int, shown: Sequence[int], width: int, mark: str, base: Style, glyphs: Glyphs,
    colors: CellColors | None = None, colored: Collection[int] = (),
) -> Strip:  # fmt: skip
    """Paint one line.

    Args:
        cells: The text of the cells.
        line: Line of the table, from 0.
        shown: Positions of the columns in sight.
        width: Cells across.
        mark: The sign in front.
        base: Style of the line.
        glyphs: The signs of the screen.
        colors: Colours behind numbers; None for none.
        colored: Positions of the columns that have them.
    """
    texts = [cells.cell(column, line) for column in shown]
    if colors is None or not colored:
        return Strip([Segment(fit(mark + GAP.join(texts), width, glyphs), base)])
    parts: list[Segment] = []
    plain = mark
    for number, (column, text) in enumerate(zip(shown, texts, strict=True)):
        plain += GAP if number else ""
        scale, level = cells.scale(column), cells.level(column, line) if column in colored else 0
        if level and scale is not None:
            value = cells.value_width(column)
            parts += [Segment(plain, base), Segment(text[:value], colors.style(level, signed=scale.signed))]
            text, plain = text[value:], ""
        plain += text
    strip = Strip([*parts, Segment(plain, base)])
    room = width - strip.cell_length
    return strip.crop(0, width) if room < 0 else Strip([*parts, Segment(plain + " " * room, base)], width)


def note_strip(note: str, row: int, width: int, style: Style, glyphs: Glyphs) -> Strip:
    """Paint one line of the text that is shown where there are no rows.

    Args:
        note: The text.
        row: Line of it, from 0.
        width: Cells across.
        style: Style of the line.
        glyphs: The signs of the screen.
    """
    lines = textwrap.wrap(note, max(10, width - 2))
    return Strip([Segment(fit(" " + (lines[row] if 0 <= row < len(lines) else ""), width, glyphs), style)])
