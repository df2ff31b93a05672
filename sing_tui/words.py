"""Every number of one row in words: its value, how it is computed, what it means and does not mean, and where that is defined.

The texts are in the declarations of the columns (sing_compute/store/definitions/).
"""

import textwrap
from dataclasses import replace

import numpy as np
from rich.text import Text

from sing_compute.formats import Glyphs
from sing_compute.number_words import ColumnText, row_texts
from sing_compute.store import Column
from sing_compute.store.columns import Values
from sing_tui.search import DISTRIBUTION
from sing_tui.view import View

_WIDTH = 64
"""Cells of a line: a sheet on 80 columns has room for it."""


def column_texts(view: View, line: int, items: str = "images") -> list[ColumnText]:
    """Say every column of a row in words, as `row_texts` does.

    Args:
        view: The table as it is on the screen.
        line: Line of the view, from 0.
        items: What the file calls its images (`Noun.plural`).
    """
    table = replace(view.table, columns=[_without_wait(column) for column in view.table.columns])
    return row_texts(table, int(view.order[line]), items)


def _without_wait(column: Column) -> Column:
    """Return the column; distributions that are not counted yet say so, because a key does not wait for a million rows."""
    if column.format != DISTRIBUTION or not column.values.waits_for:
        return column
    return replace(column, values=Values(np.broadcast_to(np.array("not counted yet"), len(column.values))))


def words_text(title: str, rows: list[ColumnText], glyphs: Glyphs) -> Text:
    """Write one paragraph for each column of a row.

    Args:
        title: The row's name.
        rows: Its columns, in the order in which they are written.
        glyphs: The signs of the screen.

    Returns:
        Lines that fit a sheet on a screen of 80 columns.
    """
    text = Text()
    text.append(glyphs.text(title), style="bold")
    text.append(" in words    j k scroll, Esc closes\n")
    for row in rows:
        words = row.explanation
        text.append(f"\n{glyphs.text(row.column.title)}", style="bold")
        text.append(f"  {row.column.name}\n" if row.column.name != row.column.title else "\n")
        for line in textwrap.wrap(row.value, _WIDTH):
            text.append(f"  {glyphs.text(line)}\n", style="bold")
        source = f"Defined: {words.source}" if words.source else ""
        for part in (words.formula and f"= {words.formula}", words.meaning, words.caution, source):
            for line in textwrap.wrap(part, _WIDTH):
                text.append(f"  {glyphs.text(line)}\n")
    return text
