"""Every number of one row in words: its value, how it is computed, what it means and does not mean, and where that is defined.

The texts are in the declarations of the columns (sing_compute/store/definitions/). The explorer and the report both use this.
"""

import math
from dataclasses import dataclass

import numpy as np

from sing_compute.store import Column, Table
from sing_compute.store.definition import Explanation

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


def row_texts(table: Table, row: int, items: str = "images") -> list[ColumnText]:
    """Say every column of a row in words; the ends of intervals are with their values.

    Args:
        table: The table.
        row: Row of the table, from 0.
        items: What the file calls its images (`Noun.plural`).

    Returns:
        The columns in the order of the table.

    Raises:
        StoreError: The row cannot be read.
    """
    columns = {column.name: column for column in table.columns}
    rows = np.array([row])

    def number(name: str) -> float:
        return float(columns[name].values.take(rows)[0])

    found = []
    for name, column in columns.items():
        if column.role == "bound":
            continue
        if column.is_text:
            text = str(column.values.take(rows)[0]) or "-"
        else:
            text = _number(number(name)) + _UNITS.get(column.unit, f" {column.unit}")
            for bounds in column.intervals:
                if {bounds.low, bounds.high} <= columns.keys():
                    ends = [number(end) for end in (bounds.low, bounds.high)]
                    if not any(map(math.isnan, ends)):
                        over = bounds.over or items
                        text += f", 95% interval over {over} {_number(ends[0])} to {_number(ends[1])}"
        found.append(ColumnText(column, text, explanation_of(column)))
    return found


def explanation_of(column: Column) -> Explanation:
    """Return the words of a column's declaration; its description where it has none, or where it is part of a comparison."""
    if column.spec is not None and column.side is None and column.spec.explanation != Explanation():
        return column.spec.explanation
    return Explanation(meaning=column.description)


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.6g}"
