"""Match the rows of two tables, and the items of two files, by code or name; items that cannot be told apart stay alone."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sing_compute.store.columns import Column, Table, Values
from sing_compute.store.stored import Stored

_PART = 2**16
"""Names that are read at a time."""


@dataclass(frozen=True, slots=True)
class Matching:
    """The rows of a second table beside those of a first one.

    The joined rows are those of the first table in their order, then those that only the second one has.
    """

    rows: NDArray[np.int32]
    """For each row of the first table the row of the second one; -1 for none."""
    only_second: NDArray[np.int32]
    """Rows that only the second table has, ascending."""
    repeated: int = 0
    """Number of rows of either table that are not matched, because several rows have their name."""

    @property
    def only_first(self) -> int:
        """Number of rows that only the first table has."""
        return int(np.count_nonzero(self.rows < 0))


def match_rows(first: Table, second: Table) -> Matching:
    """Match rows by their codes if both tables have unique ones, else by their names, else by all naming columns.

    Args:
        first: A table with its naming columns.
        second: The table of the other file, of the same kind.
    """
    for names in _ways(first, second):
        one, other = (_hashes([table.column(name).values for name in names]) for table in (first, second))
        if not _repeats(one).size and not _repeats(other).size:
            break
    return _match(one, other)


def _ways(first: Table, second: Table) -> list[tuple[str, ...]]:
    """Return the columns that may identify a row, the best first; the last ones are taken whether they do or not."""
    spec, known = first.spec, {column.name for column in second.columns}
    there = [column for column in first.columns if column.name in known]
    label = first.columns[0].name  # of a row along another axis it is not the column of the declaration
    whole = tuple(column.name for column in there if column.name in spec.naming and column.role != "index")
    codes = [(column.name,) for column in there if column.role == "code" and _is_full(column)]
    return [*codes, (label,), *([whole] if len(whole) > 1 and label in whole else [])]


def _is_full(column: Column) -> bool:
    return bool(column.is_text and (column.values.all() != "").all())


def _hashes(columns: Sequence[Values]) -> NDArray[np.int64]:
    """Return a hash of the names of each row: 8 bytes each, however long the names are."""
    length = len(columns[0])
    found = np.empty(length, np.int64)
    for start in range(0, length, _PART):
        parts = [values.encoded(start, start + _PART).tolist() for values in columns]
        several = zip(*parts, strict=True) if len(parts) > 1 else parts[0]
        found[start : start + _PART] = np.fromiter(map(hash, several), np.int64, len(parts[0]))
    return found


def _repeats(hashes: NDArray[np.int64]) -> NDArray[np.int64]:
    ordered = np.sort(hashes)
    return np.unique(ordered[1:][ordered[1:] == ordered[:-1]])


def _match(one: NDArray[np.int64], other: NDArray[np.int64]) -> Matching:
    rows, missing = np.full(len(one), -1, np.int32), np.ones(len(other), bool)
    order, there = np.argsort(one, kind="stable"), np.argsort(other, kind="stable")
    ordered, beside = one[order], other[there]
    if len(other):  # looked up in order: at random it takes ten times as long
        at = np.minimum(np.searchsorted(beside, ordered), len(other) - 1)
        rows[order] = np.where(beside[at] == ordered, there[at], -1)
    twice = np.union1d(_repeats(one), _repeats(other))
    alone = np.isin(one, twice) if len(twice) else np.zeros(len(one), bool)
    rows[alone] = -1
    missing[rows[rows >= 0]] = False
    repeated = int(np.count_nonzero(alone)) + (int(np.count_nonzero(np.isin(other, twice))) if len(twice) else 0)
    return Matching(rows, np.flatnonzero(missing).astype(np.int32), repeated)


def same_rows(length: int) -> Matching:
    """Return the matching of two tables whose rows are the same items in the same order."""
    return Matching(np.arange(length, dtype=np.int32), np.empty(0, np.int32))


def same_texts(first: Stored, second: Stored) -> bool:
    """Return True if two datasets of text hold the same texts in the same order; only a part of each is in memory."""
    if first.shape != second.shape:
        return False
    for at in range(0, len(first), _PART):
        one, other = first.encoded(at, at + _PART), second.encoded(at, at + _PART)
        same_bytes = one.dtype == other.dtype and one.tobytes() == other.tobytes()  # ten times as fast as text by text
        if not same_bytes and not (one == other).all():
            return False
    return True


def positions(texts: Stored, wanted: str) -> list[int]:
    """Return the positions of a text in a dataset; only a part of it is in memory."""
    sought = wanted.encode()
    found: list[int] = []
    for at in range(0, len(texts), _PART):
        found += (at + np.flatnonzero(texts.encoded(at, at + _PART) == sought)).tolist()
    return found
