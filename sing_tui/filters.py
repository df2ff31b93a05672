"""The filter language: `is > 20 and abs(as) < 3`, `class ~ cat`, or plain words looked for in every text column.

A filter becomes a function of the table's columns to a mask; nothing of its text is ever executed.
"""

from dataclasses import replace

import numpy as np

from sing_compute.store import Table
from sing_tui.filter_parser import evaluate
from sing_tui.filter_reader import FilterError
from sing_tui.filter_text import is_expression
from sing_tui.search import Mask, Stop, aliases, contains

__all__ = ["FilterError", "check", "matches"]


def matches(table: Table, text: str, stop: Stop | None = None) -> Mask:
    """Find the rows that pass a filter.

    Args:
        table: The table.
        text: The filter.
        stop: Asked again and again whether to give up.

    Returns:
        True for each row that passes, (row,).

    Raises:
        FilterError: The filter cannot be read; the message says where and why.
        Superseded: `stop` returned True.
    """
    return _read(table, text, stop)[0]


def _read(table: Table, text: str, stop: Stop | None) -> tuple[Mask, tuple[str, ...]]:
    """Return the rows that pass a filter, and how parts of it were understood that could be meant otherwise."""
    if not text.strip():
        return np.ones(table.length, dtype=bool), ()
    if not is_expression(text):
        column = aliases(table).get(text.strip().lower())
        if column is not None and not column.is_text:
            name = text.strip()
            raise FilterError(
                f'compare {name} with something, as in {name} > 3; the word itself would be "{name}"', len(text)
            )
        return contains(table, text, stop=stop), ()
    try:
        with np.errstate(all="ignore"):
            return evaluate(table, text.rstrip(), stop)
    except RecursionError:
        raise FilterError("too many brackets", 0) from None


def check(table: Table, text: str) -> tuple[str, ...]:
    """Read a filter without reading any row of the table.

    Args:
        table: The table.
        text: The filter.

    Returns:
        One line for each part that could be meant otherwise: how it was understood.

    Raises:
        FilterError: The filter cannot be read.
    """
    empty = [replace(column, values=replace(column.values, stop=column.values.start)) for column in table.columns]
    return _read(replace(table, columns=empty, length=0), text, None)[1]
