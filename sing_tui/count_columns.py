"""The columns to count rows by, as people name them. No row is read."""

import re
from collections.abc import Sequence
from difflib import get_close_matches

from sing_compute.errors import SingError
from sing_compute.store import Column, Table
from sing_tui.search import DISTRIBUTION, aliases

MOST_TEXTS = 50_000
"""Rows up to which texts are compared that are stored with every row, not in a list of names."""
_WIDTH = re.compile(r"(.+)/\s*(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?(%?)\s*")


def columns_named(table: Table, by: Sequence[str]) -> list[tuple[Column, float | None]]:
    """Find the columns to count by, each with the width of its bins; None where none is given. No row is read.

    Args:
        table: The table.
        by: Each is a name as in filters, or `name/width`.

    Raises:
        SingError: There is no such column, or it cannot be counted by.
    """
    if not by:
        raise SingError(f"name one or more columns, with commas between them: {_countable(table)}")
    found = [_named(table, text) for text in by]
    names = [column.name for column, _ in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise SingError(f"{twice} is named twice")
    return found


def _named(table: Table, text: str) -> tuple[Column, float | None]:
    known = {name.lower(): column for name, column in reversed(aliases(table).items())}

    def column_of(name: str) -> Column | None:
        return known.get(name.strip().lower()) or known.get(name.strip().lower().replace(" ", "_"))

    column, width = column_of(text), None
    match = _WIDTH.fullmatch(text)
    if column is None and match:
        column, width = column_of(match.group(1)), float(match.group(2) + (match.group(3) or ""))
        if match.group(4):
            width /= 100
    if column is None:
        near = get_close_matches(text.strip().lower(), list(known), n=1)
        hint = f" (is {near[0]} meant?)" if near else ""
        raise SingError(f"no column {text.strip()!r}{hint}; there are: {_countable(table)}")
    if column.is_text and width is not None:
        raise SingError(f"{column.name} is text: only numbers have bins, as in {_example(table)}")
    if width is not None and match and match.group(4) and column.format != "percent":
        raise SingError(f"{column.name} is no share: give the width of its bins without %")
    if width is not None and column.format == "percent" and width > 1:
        raise SingError(f"{column.name} is a share of 1: write {column.name}/{width:g}% for bins of {width:g}%")
    if width == 0:
        raise SingError(f"the bins of {column.name} need a width above 0")
    if not is_countable(column, table):
        raise SingError(f"{column.name} is another text in almost every row; count by: {_countable(table)}")
    return column, width


def is_countable(column: Column, table: Table) -> bool:
    """Return True if rows can be counted by a column: text of a list of names, text of few rows, or numbers."""
    if column.format == DISTRIBUTION:
        return False
    names = column.values.names
    listed = names is not None and len(names) > 0
    return not column.is_text or listed or table.length <= MOST_TEXTS


def _countable(table: Table) -> str:
    return ", ".join(column.name for column in table.columns if is_countable(column, table) and column.role != "bound")


def _example(table: Table) -> str:
    name = next((column.name for column in table.columns if not column.is_text), "number")
    return f"{name}/5"
