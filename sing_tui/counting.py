"""Count the rows of a table that pass a filter, by names and numbers in its columns. No Textual.

Columns that hold positions in a list of names are counted by these positions, a piece at a time: no text of a row is read.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sing_compute.errors import SingError
from sing_compute.store import Column, Table
from sing_compute.store.columns import Loaded, Values
from sing_tui.count_groups import Grouping, groupings
from sing_tui.filter_text import narrowed
from sing_tui.filters import matches
from sing_tui.session.counted import COUNTS, COUNTS_SPEC

_PIECE = 2**18
"""Rows that are read at once."""
_SPACE = 2**22
"""Combinations of values up to which each one has a counter."""
_NO_MEAN = ("label", "code", "text", "index", "bound", "rank change")
"""Roles of columns whose mean says nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """Counts of the rows of a table."""

    table: Table
    filter: str
    groupings: Sequence[Grouping]
    codes: NDArray[np.int32]
    """Group of each grouping on each row of counts, (count, grouping)."""

    def condition(self, row: int) -> str:
        """Return the filter that keeps exactly the rows behind one count."""
        parts = [one.condition(int(code)) for one, code in zip(self.groupings, self.codes[row], strict=True)]
        return narrowed(self.filter, " and ".join(parts))


def count(table: Table, filter: str, by: Sequence[str]) -> Counts:
    """Count the rows that pass a filter.

    Args:
        table: The table.
        filter: The filter; empty for all rows.
        by: Columns: each is a name as in filters, or `name/width` for bins of a number.

    Returns:
        One row for each combination of values that some row has, in the order of the values: the values, how many rows have
        them, their share, and the mean of each column of numbers, which is computed when it is first used.

    Raises:
        SingError: The filter cannot be read, or a column cannot be counted by.
    """
    mask = matches(table, filter) if filter.strip() else None
    parts = groupings(table, by, mask)
    joint = _joint(table.length, parts, mask)
    groups, counts, group = _groups(joint, [len(part) for part in parts])
    del joint
    codes = np.stack(np.unravel_index(groups, [len(part) for part in parts]), axis=1).astype(np.int32)
    taken = {"count", "share"}
    columns = [column for at, part in enumerate(parts) for column in part.columns(codes[:, at], taken)]
    total = max(1, int(counts.sum()))
    count_spec, share_spec = COUNTS_SPEC.columns
    for spec, cells in ((count_spec, counts), (share_spec, counts / total)):
        columns.append(
            Column(
                spec.name, spec.title, spec.unit, spec.description, Values(cells), format=spec.format, role=spec.role
            )
        )
    columns += [
        _mean(column, group, mask, counts)
        for column in table.columns
        if not column.is_text and column.role not in _NO_MEAN
    ]
    return Counts(Table(COUNTS_SPEC, columns, len(groups), None, {}, COUNTS), filter, parts, codes)


def _joint(length: int, parts: Sequence[Grouping], mask: NDArray[np.bool_] | None) -> NDArray[np.integer[Any]]:
    """Return the combination of values of each row that passes."""
    few = math.prod(map(len, parts)) <= _SPACE
    joint: NDArray[np.integer[Any]] = np.empty(
        length if mask is None else np.count_nonzero(mask), dtype=np.int32 if few else np.int64
    )
    at = 0
    for low in range(0, length, _PIECE):
        high = min(low + _PIECE, length)
        found = parts[0].codes(low, high).astype(np.int64)
        for part in parts[1:]:
            found *= len(part)
            found += part.codes(low, high)
        if mask is not None:
            found = found[mask[low:high]]
        joint[at : at + len(found)] = found
        at += len(found)
    return joint


def _groups(
    joint: NDArray[np.integer[Any]], sizes: Sequence[int]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32]]:
    """Return the combinations that occur, ascending, how many rows have each, and the number of its combination for each row."""
    space = math.prod(sizes)
    if space >= 2**62:
        raise SingError("these columns have too many combinations of values: count by fewer of them")
    if space > _SPACE:
        groups, inverse, counts = np.unique(joint, return_inverse=True, return_counts=True)
        return groups, counts.astype(np.int64), inverse.astype(np.int32)
    every = np.zeros(space, dtype=np.int64)
    for low in range(0, len(joint), _PIECE):
        every += np.bincount(joint[low : low + _PIECE], minlength=space)
    groups = np.flatnonzero(every)
    number = np.zeros(space, dtype=np.int32)
    number[groups] = np.arange(len(groups), dtype=np.int32)
    return groups, every[groups], number[joint]


def _mean(
    column: Column, group: NDArray[np.int32], mask: NDArray[np.bool_] | None, counts: NDArray[np.int64]
) -> Column:
    """Return the column of the mean of a column of numbers; missing values are left out."""

    def compute() -> NDArray[Any]:
        sums, present = np.zeros(len(counts)), np.zeros(len(counts))
        values, at = column.values, 0
        for low in range(0, len(values), _PIECE):
            high = min(low + _PIECE, len(values))
            with np.errstate(invalid="ignore"):  # a file may hold signalling NaN
                cells = replace(values, start=values.start + low, stop=values.start + high).all().astype(np.float64)
            if mask is not None:
                cells = cells[mask[low:high]]
            of = group[at : at + len(cells)]
            at += len(cells)
            known = ~np.isnan(cells)
            if not known.all():
                of, cells = of[known], cells[known]
            sums += np.bincount(of, weights=cells, minlength=len(counts))
            present += np.bincount(of, minlength=len(counts))
        with np.errstate(all="ignore"):
            return sums / present

    text = f"mean of the rows of: {column.description}"
    format = "figure" if column.format in ("count", "index") else column.format
    role = "share" if column.role == "share" else "value"
    values = Values(Loaded(len(counts), compute, len(column.values)))
    return Column(f"mean_{column.name}", f"mean {column.title}", column.unit, text, values, format=format, role=role)
