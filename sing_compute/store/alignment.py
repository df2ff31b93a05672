"""Give two tables the same rows: those of both, with an empty cell where one table lacks a row."""

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sing_compute.store.columns import Cells, Column, Computed, Rows, Table, Values
from sing_compute.store.matching import Matching


def aligned(first: Table, second: Table, matching: Matching, count: int) -> tuple[Table, Table]:
    """Give two tables the joined rows of a matching. Columns of indices are left out, because each file counts in its own way.

    Args:
        first: A table; its naming columns get the names of rows that only the second one has.
        second: The table of the other file, of the same kind.
        matching: Which rows belong together.
        count: Length of the axis in the first file. Identities of rows that only the second file has begin there, and follow
            their positions in the second file.

    Returns:
        Both tables, with NaN for numbers that a table lacks.
    """
    extra = matching.only_second
    ids = np.concatenate([ids_of(first), count + ids_of(second)[extra]])
    own = np.concatenate([np.arange(first.length, dtype=np.int32), np.full(len(extra), -1, np.int32)])
    other = np.concatenate([matching.rows, extra])
    named = {column.name: column for column in second.columns}
    found = []
    for table, rows in ((first, own), (second, other)):
        columns = []
        for number, column in enumerate(table.columns):
            if number and column.role == "index":
                continue
            if not column.is_text:
                columns.append(_with_rows(column, rows))
            elif column.name in named and table is first:
                columns.append(_stacked(column, named[column.name], own, other))
        found.append(replace(table, columns=columns, length=len(ids), ids=ids, rankings={}))
    return found[0], found[1]


def ids_of(table: Table) -> Rows:
    """Return the position of each row on its axis."""
    return np.arange(table.length) if table.ids is None else np.asarray(table.ids)


def _with_rows(column: Column, rows: NDArray[np.int32]) -> Column:
    """Return a column of numbers with other rows; -1 is a row without a value."""
    values = column.values
    source = Computed(len(rows), partial(_numbers, values, rows), values.waits_for)
    return replace(column, values=Values(source))


def _numbers(values: Values, rows: NDArray[np.int32], wanted: Any) -> Cells:
    chosen = rows[wanted]
    known = chosen >= 0
    cells = values.all()[chosen[known]] if isinstance(wanted, slice) else values.take(chosen[known])
    found = np.full(len(chosen), np.nan, np.result_type(cells.dtype, np.float32))
    found[known] = cells
    return found


def _stacked(column: Column, behind: Column, rows: NDArray[np.int32], other: NDArray[np.int32]) -> Column:
    """Return a column of names: those of the first table, and of the second one for rows that the first one lacks."""
    source = Computed(len(rows), partial(_names, column.values, behind.values, rows, other))
    return replace(column, values=Values(source))


def _names(first: Values, second: Values, rows: NDArray[np.int32], other: NDArray[np.int32], wanted: Any) -> Cells:
    own, behind = rows[wanted], other[wanted]
    known = own >= 0
    found = np.full(len(own), "", object)
    found[known] = first.take(own[known])
    found[~known] = second.take(behind[~known])
    return found
