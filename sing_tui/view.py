"""A table as a screen shows it: the rows that pass the filter, in the order of the sort. No Textual."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sing_compute.errors import SingError
from sing_compute.store import Column, Table
from sing_compute.store.sorting import sorting
from sing_tui.filters import matches
from sing_tui.search import DISTRIBUTION, Stop, aliases, contains
from sing_tui.session.state import Arrangement

Rows = NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False, repr=False)  # Textual writes out what a thread is given
class View:
    """A table, an arrangement and the rows that follow from both: `order[i]` is the table's row on line i."""

    table: Table
    arrangement: Arrangement
    order: Rows

    def __len__(self) -> int:
        return len(self.order)

    @property
    def identities(self) -> NDArray[np.integer[Any]]:
        """Positions of all lines on the axis of the rows."""
        return self.order if self.table.ids is None else self.table.ids[self.order]

    def identity(self, line: int) -> int:
        """Position of a line's item on the axis of the rows."""
        row = int(self.order[line])
        return row if self.table.ids is None else int(self.table.ids[row])

    def line_of(self, identity: int) -> int | None:
        """Return the line of an item; None if it is not shown."""
        found = np.flatnonzero(self.identities == identity)
        return int(found[0]) if len(found) else None

    def rows_of(self, identities: Collection[int]) -> set[int]:
        """Row numbers of items in the table."""
        if self.table.ids is None:
            return set(identities)
        return {row for row, identity in enumerate(self.table.ids.tolist()) if identity in identities}

    def matches(self, words: str, stop: Stop | None = None) -> Rows:
        """Return the lines with these words in a text column.

        Raises:
            Superseded: `stop` returned True.
        """
        return np.flatnonzero(contains(self.table, words, stop=stop)[self.order]).astype(np.int32)


def next_line(lines: Rows, line: int, step: int) -> int | None:
    """Return the next of these lines after (step 1) or before (step -1) another one, going round; None if there is none."""
    if not len(lines):
        return None
    if step > 0:
        ahead = lines[lines > line]
        return int(ahead[0] if len(ahead) else lines[0])
    behind = lines[lines < line]
    return int(behind[-1] if len(behind) else lines[-1])


def arrange(table: Table, wanted: Arrangement, stop: Stop | None = None) -> View:
    """Filter and sort a table.

    A sort column that this table lacks means the first column that shows it in a comparison, and any column of another
    comparison for the first one that is compared here; else the rows keep the order of the file. Equal values keep that order
    (descending through a stored ranking it is reversed), missing ones come last. With a second column, rows that are equal in
    the first one are sorted by it; it is dropped where the table lacks it.

    Args:
        table: The table.
        wanted: Filter and sort.
        stop: Returns True once nobody waits for the view any more.

    Raises:
        FilterError: The filter cannot be read.
        Superseded: `stop` returned True.
    """
    mask = matches(table, wanted.filter, stop) if wanted.filter.strip() else None
    column = _sorted_by(table, wanted.sort) if wanted.sort else None
    rows = None if mask is None else np.flatnonzero(mask).astype(np.int32)
    if column is None:
        rows = np.arange(table.length, dtype=np.int32) if rows is None else rows
        return View(table, Arrangement(wanted.filter), rows)
    second = next((other for other in table.columns if other.name == wanted.then != column.name), None)
    if second is None:
        wanted = replace(wanted, then="", then_descending=False)
    wanted = replace(wanted, sort=column.name)
    if second is not None:
        keys = _keys(second)
        by_second = sorting(keys if rows is None else keys[rows], descending=wanted.then_descending)
        behind = by_second if rows is None else rows[by_second]
        del keys, by_second  # memory for the keys of the first column
        keys = _keys(column)
        return View(table, wanted, behind[sorting(keys[behind], descending=wanted.descending)])
    if column.name in table.rankings:
        order = _ranked(table.rankings[column.name][()], column, descending=wanted.descending)
        if order is not None:
            return View(table, wanted, order if mask is None else order[mask[order]])
    keys = _keys(column)
    if rows is None:
        return View(table, wanted, sorting(keys, descending=wanted.descending))
    return View(table, wanted, rows[sorting(keys[rows], descending=wanted.descending)])


def _sorted_by(table: Table, name: str) -> Column | None:
    exact = [column for column in table.columns if column.name == name]
    near = [column for column in table.columns if column.measure == name]
    compared = [column for column in table.columns if column.side is not None]
    return next(iter(exact + near + compared), None)


def column_named(table: Table, name: str) -> Column:
    """Find a column by its name or title.

    Raises:
        SingError: There is none.
    """
    known = {alias.lower(): column for alias, column in reversed(aliases(table).items())}
    column = known.get(name.strip().lower().replace(" ", "_"))
    if column is None:
        raise SingError(f"no column {name!r}; this table has: {', '.join(c.name for c in table.columns)}")
    return column


def sortable(column: Column) -> Column:
    """Return a column that rows can be sorted by.

    Raises:
        SingError: Its cells are distributions, which have no order.
    """
    if column.format == DISTRIBUTION:
        raise SingError(f"{column.title}: distributions have no order; sort by a column of numbers")
    return column


def first_direction(column: Column) -> bool:
    """Return True if a column is first sorted descending: numbers are, text is not."""
    return not column.is_text


def _ranked(ascending: Rows, column: Column, *, descending: bool) -> Rows | None:
    """Return the order that a stored ranking gives, equal values reversed where descending; None if it is no order."""
    if (
        len(ascending) != len(column.values)
        or not len(ascending)
        or ascending.min() < 0
        or ascending.max() >= len(ascending)
    ):
        return None
    seen = np.zeros(len(ascending), dtype=bool)
    seen[ascending] = True
    if not seen.all():
        return None
    if not descending:
        return ascending
    low, high = 0, len(ascending)  # the first missing value: they come last
    while low < high:
        middle = (low + high) // 2
        missing = bool(np.isnan(column.values.take(ascending[middle : middle + 1])[0]))
        low, high = (low, middle) if missing else (middle + 1, high)
    return ascending[::-1] if low == len(ascending) else np.concatenate([ascending[:low][::-1], ascending[low:]])


def _keys(column: Column) -> NDArray[Any]:
    """Return numbers that sort like the column: text without regard to the case of ASCII letters."""
    values = column.values
    if values.names is not None and len(values.names):
        codes = values.codes()
        rank = np.unique(np.char.lower(values.names.astype(np.str_)), return_inverse=True)[1].astype(np.int32) + 1
        return np.where(codes >= 0, rank[np.maximum(codes, 0)], 0)
    if not column.is_text:
        return values.all()
    texts = values.encoded(0, len(values))
    texts = np.frombuffer(texts.tobytes().lower(), dtype=texts.dtype)
    order = np.argsort(texts, kind="stable")
    new = np.ones(len(order), dtype=np.int32)
    new[:1], new[1:] = 0, texts[order[1:]] != texts[order[:-1]]
    ranks = np.empty(len(order), dtype=np.int32)
    ranks[order] = np.cumsum(new)
    return ranks
