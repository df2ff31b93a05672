"""What a screen shows of a table: the rows that pass the filter, in the order of the sort. numpy alone, no Textual."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sing_compute.errors import SingError
from sing_compute.store import Column, Table
from sing_tui.filters import matches
from sing_tui.search import aliases, contains

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Arrangement:
    """Filter and sort as the user asked for them; it outlives the table it was asked for."""

    filter: str = ""
    sort: str = ""
    """Name of the column sorted by; empty for the order of the file."""
    descending: bool = False


@dataclass(frozen=True, slots=True)
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

    def find(self, words: str, line: int, step: int) -> int | None:
        """The next line after (step 1) or before (step -1) `line` with these words in a text column, going round."""
        lines = np.flatnonzero(contains(self.table, words)[self.order])
        if not len(lines):
            return None
        ahead = lines[lines > line] if step > 0 else lines[lines < line]
        if step > 0:
            return int(ahead[0] if len(ahead) else lines[0])
        return int(ahead[-1] if len(ahead) else lines[-1])


def arrange(table: Table, wanted: Arrangement) -> View:
    """The view of a table under an arrangement. A sort column that this table lacks leaves the order of the file.

    Raises:
        FilterError: The filter cannot be read.
    """
    mask = matches(table, wanted.filter) if wanted.filter.strip() else None
    column = next((column for column in table.columns if column.name == wanted.sort), None)
    if column is None:
        wanted = replace(wanted, sort="", descending=False)
        order = np.arange(table.length) if mask is None else np.flatnonzero(mask)
        return View(table, wanted, order.astype(np.int64))
    ranking = table.rankings.get(column.name)
    if ranking is not None:
        order = _stored_order(ranking[()], column.values.all(), wanted.descending)
        return View(table, wanted, order if mask is None else order[mask[order]])
    rows = np.arange(table.length) if mask is None else np.flatnonzero(mask)
    keys = _keys(column)[rows]
    return View(table, wanted, rows[np.argsort(-keys if wanted.descending else keys, kind="stable")].astype(np.int64))


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


def _keys(column: Column) -> NDArray[Any]:
    """Numbers that sort like the column: text without regard to case, NaN as NaN (numpy puts it last either way)."""
    values = column.values
    if values.names is not None and len(values.names):
        codes = values.codes()
        rank = np.unique(np.char.lower(values.names.astype(np.str_)), return_inverse=True)[1] + 1
        return np.where(codes >= 0, rank[np.maximum(codes, 0)], 0)
    cells = values.all()
    if cells.dtype.kind in "fi":
        return cells
    return np.unique(np.char.lower(cells.astype(np.str_)), return_inverse=True)[1]


def _stored_order(rising: NDArray[Any], values: NDArray[Any], descending: bool) -> Rows:
    """The order a stable sort would give, from the stored rising order, without sorting."""
    order = rising.astype(np.int64)
    inside = len(order) == len(values) and not (len(order) and (order.min() < 0 or order.max() >= len(values)))
    if not inside or (np.bincount(order, minlength=len(values)) != 1).any():
        raise SingError("the stored ranking does not fit its table; the file is damaged")
    if not descending:
        return order
    known = int(np.count_nonzero(~np.isnan(values)))
    order[:known] = order[:known][::-1]
    if known > 1:  # equal values now stand in reverse: turn each run of them round again
        sorted_values = values[order[:known]]
        starts = np.flatnonzero(np.r_[True, sorted_values[1:] != sorted_values[:-1]])
        ends = np.r_[starts[1:], known] - 1
        run = np.repeat(np.arange(len(starts)), ends - starts + 1)
        order[:known] = order[:known][starts[run] + ends[run] - np.arange(known)]
    return order
