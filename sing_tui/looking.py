"""A look at one column, or at two against each other: which ones, their figures, and these as a table. No Textual."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sing_compute.errors import SingError
from sing_compute.store import Table
from sing_tui.column_bins import FEW
from sing_tui.column_figures import ColumnFigures, check_column, figures_of, figures_table
from sing_tui.column_pairs import ColumnPair, pair_of, pair_table
from sing_tui.count_columns import is_countable
from sing_tui.view import View, column_named

Figures = ColumnFigures | ColumnPair


@dataclass(frozen=True, slots=True)
class Looked:
    """One column, or a pair of them, and the scale of its histogram."""

    name: str
    across: str = ""
    """The column that a scatter draws from left to right; empty for a histogram."""
    logarithmic: bool = False
    bins: int = FEW
    """Most bins."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns, as the command line takes them."""
        return (self.name, self.across) if self.across else (self.name,)


def can_look(table: Table, name: str, *, pair: bool = False) -> bool:
    """Return True if a column has figures; with `pair`, if it can be drawn against another one."""
    try:
        _check(table, name, pair)
    except SingError:
        return False
    return True


def _check(table: Table, name: str, pair: bool) -> None:
    column = table.column(name)
    check_column(column)
    if pair and column.is_text:
        raise SingError(f"{column.title} is text: a scatter needs two columns of numbers")
    if not is_countable(column, table):
        raise SingError(f"{column.title} is another text in almost every row: there is nothing to count")


def looked_of(table: Table, names: Sequence[str]) -> Looked:
    """Find the columns that are looked at.

    Args:
        table: The table.
        names: One or two names or titles; of two, the second is drawn from left to right.

    Raises:
        SingError: There is no such column, or it has no figures.
    """
    if not 0 < len(names) < 3:
        raise SingError(f"--look takes one column, or two with a comma between them, not {len(names)}")
    found = [column_named(table, name).name for name in names]
    for name in found:
        _check(table, name, len(found) > 1)
    if len(set(found)) < len(found):
        raise SingError(f"--look names {found[0]} twice")
    return Looked(found[0], found[1] if len(found) > 1 else "")


def across_of(view: View, names: Sequence[str], name: str) -> str:
    """Choose the column against which another one is drawn: the one that is sorted by, or else the first of numbers.

    Args:
        view: The table.
        names: Names of its columns in the order of the screen.
        name: The other column.

    Raises:
        SingError: There is no second column of numbers.
    """
    others = [each for each in names if each != name and can_look(view.table, each, pair=True)]
    if not others:
        raise SingError("there is no second column of numbers")
    return view.arrangement.sort if view.arrangement.sort in others else others[0]


def look(view: View, looked: Looked) -> Figures:
    """Compute the figures of the rows of a view, and of all rows of its table.

    Args:
        view: The table with the rows that pass the filter.
        looked: The columns.

    Raises:
        SingError: A column has no figures.
    """
    mask = None
    if len(view) != view.table.length:
        mask = np.zeros(view.table.length, dtype=bool)
        mask[view.order] = True
    if looked.across:
        return pair_of(view.table, looked.across, looked.name, mask=mask)
    kept = view.arrangement.filter
    return figures_of(view.table, looked.name, mask=mask, filter=kept, logarithmic=looked.logarithmic, bins=looked.bins)


def look_table(found: Figures) -> Table:
    """Return figures as a table to export."""
    return figures_table(found) if isinstance(found, ColumnFigures) else pair_table(found)
