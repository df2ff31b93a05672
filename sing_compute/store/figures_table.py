"""Transpose rows of tables: one row for each figure, one column for each item that is compared."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sing_compute.store.columns import Bounds, Column, Table, Values, text_column
from sing_compute.store.text import store_error

FIGURES = "figure"
"""Axis of the rows of a transposed table: each row is one figure of the items."""


@dataclass(frozen=True, slots=True)
class Figures:
    """One of the compared items: its name, its name in column names, and its row in a table without comparison."""

    label: str
    key: str
    table: Table
    row: int

    def cells(self, names: Sequence[str]) -> NDArray[np.float64]:
        """Return its figures with the ends of their first intervals, (value or end, figure); NaN for those that it lacks."""
        known = {column.name: column for column in self.table.columns if not column.is_text}
        found = np.full((3, len(names)), np.nan)
        for at, name in enumerate(names):
            if name in known:
                parts = (name, *(known[name].interval or ()))
                found[: len(parts), at] = [known[part].values.take(np.array([self.row]))[0] for part in parts]
        return found


def figures_table(items: Sequence[Figures], noun: str) -> Table:
    """Build the table: one row per figure, one column per item, then differences to the first item.

    Column `name` holds the figure's column in the plain table.

    Args:
        items: What is compared.
        noun: What the items are called: model.

    Raises:
        StoreError: Their tables have no figures.
    """
    columns_of = {column.name: column for item in reversed(items) for column in reversed(item.table.columns)}
    order = dict.fromkeys(column.name for item in items for column in item.table.columns)
    figures = [c for c in map(columns_of.__getitem__, order) if not c.is_text and c.role != "bound"]
    first = items[0].table
    if not figures:
        raise store_error(f"rows of {first.spec.name} have no figures to compare")
    names = [column.name for column in figures]
    title = f"title in the {noun} table"
    columns = [
        text_column("figure", "figure", title, np.array([c.title for c in figures], np.str_), role="label"),
        text_column("unit", "unit", "unit of the row", np.array([c.unit for c in figures], np.str_)),
    ]
    differences: list[Column] = []
    reference = items[0].cells(names)[0]
    for side, item in enumerate(items):
        name, text = f"value.{item.key}", f"figure of {item.label}, in the unit of its row"
        value, low, high = item.cells(names)
        shared: Any = {"format": "figure", "side": side, "measured": "value"}
        bounds = Bounds(f"{name}_low", f"{name}_high")
        pair = (bounds.low, bounds.high)
        columns.append(Column(name, item.label, "1", text, Values(value), pair, intervals=(bounds,), **shared))
        for end, title, cells in ((bounds.low, "low", low), (bounds.high, "high", high)):
            words = f"{'lower' if title == 'low' else 'upper'} end of the 95 % interval of: {text}"
            columns.append(Column(end, f"{item.label} {title}", "1", words, Values(cells), role="bound", **shared))
        if side:
            with np.errstate(all="ignore"):
                change = Values(value - reference)
            text = f"figure of {item.label} minus that of {items[0].label}, in the unit of its row"
            differences.append(
                Column(f"{name}.difference", f"diff {item.label}", "1", text, change, role="difference", **shared)
            )
    source = text_column("name", "name", f"column of the {noun} table", np.array(names, np.str_))
    spec = replace(first.spec, rows=FIGURES, label="figure", naming=("figure",))
    return Table(spec, [*columns, *differences, source], len(figures), np.arange(len(figures)), axis=FIGURES)
