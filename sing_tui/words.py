"""Every number of one row in words: its value, how it is computed, what it means and does not mean, and where that is defined.

The texts are in the declarations of the columns (sing_compute/store/definitions/).
"""

import math
import textwrap
from dataclasses import dataclass

from rich.text import Text

from sing_compute.formats import Glyphs
from sing_compute.store import Column
from sing_compute.store.definition import Explanation
from sing_tui.view import View

_WIDTH = 64
"""Cells of a line: a sheet on 80 columns has room for it."""
_UNITS = {
    "1": "",
    "text": "",
    "degree": " degrees",
    "degree^2": " degrees squared",
    "count": " (a count)",
    "index": " (an index, from 0)",
}


@dataclass(frozen=True, slots=True)
class ColumnText:
    """One column of one row in words; parts that the column's declaration leaves out are empty."""

    column: Column
    value: str
    explanation: Explanation


def column_texts(view: View, line: int, items: str = "images") -> list[ColumnText]:
    """Say every column of a row in words; the ends of intervals are with their values.

    Args:
        view: The table as it is on the screen.
        line: Line of the view, from 0.
        items: What the file calls its images (`Noun.plural`).

    Returns:
        The columns in the order of the table.

    Raises:
        StoreError: The row cannot be read.
    """
    columns = {column.name: column for column in view.table.columns}
    row = view.order[line : line + 1]

    def number(name: str) -> float:
        return float(columns[name].values.take(row)[0])

    found = []
    for name, column in columns.items():
        if column.role == "bound":
            continue
        if column.is_text:
            text = str(column.values.take(row)[0]) or "-"
        else:
            text = _number(number(name)) + _UNITS.get(column.unit, f" {column.unit}")
            for bounds in column.intervals:
                if {bounds.low, bounds.high} <= columns.keys():
                    ends = [number(end) for end in (bounds.low, bounds.high)]
                    if not any(map(math.isnan, ends)):
                        over = bounds.over or items
                        text += f", 95% interval over {over} {_number(ends[0])} to {_number(ends[1])}"
        found.append(ColumnText(column, text, _explanation(column)))
    return found


def _explanation(column: Column) -> Explanation:
    """Return the words of a column's declaration; its description where it has none, or where it is part of a comparison."""
    if column.spec is not None and column.side is None and column.spec.explanation != Explanation():
        return column.spec.explanation
    return Explanation(meaning=column.description)


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


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.6g}"
