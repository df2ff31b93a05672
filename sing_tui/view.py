"""What a screen shows of a table: the rows that pass the filter, in the order of the sort. numpy alone, no Textual."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sing_compute.errors import SingError
from sing_compute.store import Column, Table
from sing_compute.store.sorting import sorting
from sing_tui.filters import matches
from sing_tui.search import Stop, aliases, contains
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

    def line_of(self, row: int) -> int | None:
        """The line on which a row of the table stands; None if the filter hides it."""
        found = np.flatnonzero(self.order == row)
        return int(found[0]) if len(found) else None

    def identity(self, line: int) -> int:
        """What stands on a line: the model, class, concept or image index."""
        row = int(self.order[line])
        return row if self.table.ids is None else int(self.table.ids[row])

    def line_of_identity(self, identity: int) -> int | None:
        """The line of a model, class, concept or image index; None if it is not shown."""
        ids = self.order if self.table.ids is None else self.table.ids[self.order]
        found = np.flatnonzero(ids == identity)
        return int(found[0]) if len(found) else None

    def matches(self, words: str, stop: Stop | None = None) -> Rows:
        """The lines with these words in a text column.

        Raises:
            Superseded: `stop` said that nobody waits for the answer any more.
        """
        return np.flatnonzero(contains(self.table, words, stop=stop)[self.order]).astype(np.int32)


def next_line(lines: Rows, line: int, step: int) -> int | None:
    """The next of these lines after (step 1) or before (step -1) another one, going round; None if there is none."""
    if not len(lines):
        return None
    if step > 0:
        ahead = lines[lines > line]
        return int(ahead[0] if len(ahead) else lines[0])
    behind = lines[lines < line]
    return int(behind[-1] if len(behind) else lines[-1])


def arrange(table: Table, wanted: Arrangement, stop: Stop | None = None) -> View:
    """The view of a table under an arrangement. A sort column that this table lacks leaves the order of the file.

    `image_score` also means the first of the columns `image_score.MODEL` that stand side by side, and the other way round.

    Equal values keep the order of the file (falling through a stored ranking they stand turned round), missing ones stand last.

    Raises:
        FilterError: The filter cannot be read.
        Superseded: `stop` said that nobody waits for this view any more.
    """
    mask = matches(table, wanted.filter, stop) if wanted.filter.strip() else None
    column = _sorted_by(table, wanted.sort) if wanted.sort else None
    rows = None if mask is None else np.flatnonzero(mask).astype(np.int32)
    if column is None:
        rows = np.arange(table.length, dtype=np.int32) if rows is None else rows
        return View(table, replace(wanted, sort="", descending=False), rows)
    wanted = replace(wanted, sort=column.name)
    if column.name in table.rankings:
        order = _ranked(table.rankings[column.name][()], column, descending=wanted.descending)
        if order is not None:
            return View(table, wanted, order if mask is None else order[mask[order]])
    keys = _keys(column)
    if rows is None:
        return View(table, wanted, sorting(keys, descending=wanted.descending))
    return View(table, wanted, rows[sorting(keys[rows], descending=wanted.descending)])


def _sorted_by(table: Table, name: str) -> Column | None:
    measure = name.partition(".")[0]
    exact = [column for column in table.columns if column.name == name]
    near = [column for column in table.columns if column.name.partition(".")[0] == measure]
    return next(iter(exact + near), None)


def column_named(table: Table, name: str) -> Column:
    """The column of that name or title.

    Raises:
        SingError: There is none.
    """
    known = {alias.lower(): column for alias, column in reversed(aliases(table).items())}
    column = known.get(name.strip().lower().replace(" ", "_"))
    if column is None:
        raise SingError(f"no column {name!r}; this table has: {', '.join(c.name for c in table.columns)}")
    return column


def first_direction(column: Column) -> bool:
    """Whether a column is first sorted falling: numbers are (largest first), text is not."""
    return not column.is_text


def _ranked(rising: Rows, column: Column, *, descending: bool) -> Rows | None:
    """The order that a stored ranking gives, equal values turned round where numbers fall; None if it is no order of the rows."""
    if len(rising) != len(column.values) or not len(rising) or rising.min() < 0 or rising.max() >= len(rising):
        return None
    seen = np.zeros(len(rising), dtype=bool)
    seen[rising] = True
    if not seen.all():
        return None
    if not descending:
        return rising
    low, high = 0, len(rising)  # the first missing value: they stand last
    while low < high:
        middle = (low + high) // 2
        missing = bool(np.isnan(column.values.take(rising[middle : middle + 1])[0]))
        low, high = (low, middle) if missing else (middle + 1, high)
    return rising[::-1] if low == len(rising) else np.concatenate([rising[:low][::-1], rising[low:]])


def _keys(column: Column) -> NDArray[Any]:
    """Numbers that sort like the column: text without regard to the case of ASCII letters."""
    values = column.values
    if values.names is not None and len(values.names):
        codes = values.codes()
        rank = np.unique(np.char.lower(values.names.astype(np.str_)), return_inverse=True)[1] + 1
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
