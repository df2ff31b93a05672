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
    ids = np.concatenate([ids_of(first), count + ids_of(second)[extra]]).astype(np.int32)
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
                columns.append(_stacked(column, named[column.name], extra))
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
    cells = _cells(values, chosen[known], wanted)
    found = np.full(len(chosen), np.nan, np.result_type(cells.dtype, np.float32))
    found[known] = cells
    return found


def _cells(values: Values, rows: Rows, wanted: Any) -> Cells:
    most = isinstance(wanted, slice) and 4 * len(rows) > len(values)
    return values.all()[rows] if most else values.take(rows)


def _rows(wanted: Any, length: int) -> NDArray[np.int64]:
    """Return rows that are given as an array or a slice as an array."""
    return np.arange(*wanted.indices(length)) if isinstance(wanted, slice) else np.asarray(wanted, np.int64)


def _stacked(first: Column, second: Column, extra: NDArray[np.int32]) -> Column:
    """Return a column of names: those of the first table, then those of rows that the first one lacks."""
    one, other = first.values, second.values
    length = len(one) + len(extra)
    if one.names is None or other.names is None:
        return replace(first, values=Values(_Stacked(one, other, extra)))
    codes = partial(_codes, replace(one, names=None), replace(other, names=None), extra, len(one.names))
    names = np.append(one.names.astype(object), other.names.astype(object))
    return replace(first, values=Values(Computed(length, codes), names=names))


def _codes(one: Values, other: Values, extra: NDArray[np.int32], names: int, wanted: Any) -> Cells:
    """Return indices into the names of both files; those of the second one begin behind the first one's."""
    rows = _rows(wanted, len(one) + len(extra))
    own = rows < len(one)
    found = np.full(len(rows), -1, np.int64)
    raw = _cells(one, rows[own], wanted)
    found[own] = np.where((raw >= 0) & (raw < names), raw, -1)
    behind = other.take(extra[rows[~own] - len(one)])
    found[~own] = np.where(behind >= 0, behind + names, -1)
    return found


class _Stacked:
    """Texts of a first table, then of some rows of a second one; they can be read as bytes."""

    def __init__(self, first: Values, second: Values, extra: NDArray[np.int32]) -> None:
        self._first, self._second, self._extra = first, second, extra

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the cells."""
        return max((values.source.dtype for values in (self._first, self._second)), key=lambda dtype: dtype.itemsize)

    def __len__(self) -> int:
        return len(self._first) + len(self._extra)

    def __getitem__(self, wanted: Any, /) -> Cells:
        rows = _rows(wanted, len(self))
        own = rows < len(self._first)
        found = np.full(len(rows), "", object)
        found[own] = _cells(self._first, rows[own], wanted)
        found[~own] = self._second.take(self._extra[rows[~own] - len(self._first)])
        return found

    def encoded(self, start: int, stop: int) -> Cells:
        """Return rows start to stop as bytes of fixed length."""
        edge = len(self._first)
        behind = self._second.take(self._extra[max(0, start - edge) : max(0, stop - edge)])
        parts = [np.char.encode(behind.astype(np.str_), "utf-8")] if len(behind) else []
        if start < edge:
            parts.insert(0, self._first.encoded(start, min(stop, edge)))
        return np.concatenate(parts) if parts else np.empty(0, "S1")
