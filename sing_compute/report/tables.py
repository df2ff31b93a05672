"""A table of the file as a table of the page: its first columns and rows as the explorer writes them, numbers in full, too."""

import io
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from sing_compute.csv_cells import csv_cells
from sing_compute.errors import SingError
from sing_compute.formats import UNICODE, fit, number_format
from sing_compute.report.glossary import Entry, Glossary
from sing_compute.store import Column, Table
from sing_compute.store.place import Key
from sing_compute.store.text import clean
from sing_compute.table_text import WholeTable, write_rows

COLUMNS = 12
"""Columns of a table at most; its CSV file has all of them."""
_LETTERS = 160
"""Letters of a text in a cell at most; the CSV file has all of it."""
ROWS = 25
"""Rows of a table at most."""
_BRIEF, _LONG = 16, 40
"""Letters of the longest text of a column: up to the first it is never broken, from the second on the column is wide."""
_CSV = 60_000
"""Bytes of the CSV file of a table that is kept in the page, at most."""
_CELLS = 20_000
"""Cells of such a table at most: of a larger one the text is not even made."""


@dataclass(frozen=True, slots=True)
class Heading:
    """The head of one column."""

    title: str
    unit: str
    numeric: bool
    entry: Entry
    sort: str = ""
    """ascending, descending, or empty."""
    room: str = ""
    """Class of the style of a text's cells: `brief` where all of them fit in a line, `long` where they are lists."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: its text, and of a number its full precision and its interval."""

    text: str
    value: str = ""
    interval: str = ""


@dataclass(frozen=True, slots=True)
class PageTable:
    """One table of the page."""

    id: str
    caption: str
    headings: Sequence[Heading]
    rows: Sequence[Sequence[Cell]]
    note: str
    """A sentence that says how much is left out, or empty."""
    command: str
    """The command that writes all of it as CSV."""
    csv: str = ""
    """The same as a data URI, where it is small."""
    csv_name: str = ""


@dataclass(slots=True)
class TableMaker:
    """Makes the tables of one page, and collects the words of their columns."""

    file: str
    """Name of the results file."""
    glossary: Glossary = field(default_factory=Glossary)
    _made: int = 0

    def make(
        self,
        table: Table,
        caption: str,
        command: str,
        *,
        order: Sequence[int] | None = None,
        names: Sequence[str] = (),
        rows: int = ROWS,
        most: int = COLUMNS,
        sort: str = "",
        ascending: bool = False,
    ) -> PageTable:
        """Return a table of the page.

        Args:
            table: The table.
            caption: Its caption.
            command: The command that writes all of it.
            order: Its rows in the order in which they are shown; None for all, in their own order.
            names: Columns to show; without, the first ones. Those that the table lacks are left out.
            rows: Rows to show at most.
            most: Columns to show at most where `names` has none.
            sort: The column that gave the order, the largest number first.
            ascending: True if its smallest number is first.
        """
        self._made += 1
        order = range(table.length) if order is None else order
        shown = np.asarray(list(order[:rows]), dtype=np.int64)
        plain = [column for column in table.columns if column.role != "bound"]
        known = {column.name: column for column in plain}
        columns = [known[name] for name in names if name in known] or plain[:most]
        cells = [column_cells(table, column, shown) for column in columns]
        found = PageTable(
            f"table-{self._made}",
            caption,
            [self._heading(*each, sort, ascending) for each in zip(columns, cells, strict=True)],
            list(zip(*cells, strict=True)),
            _left_out(len(shown), len(order), len(columns), len(plain)),
            command,
        )
        if table.length * len(table.columns) > _CELLS:
            return found
        return _with_csv(found, table)

    def _heading(self, column: Column, cells: Sequence[Cell], sort: str, ascending: bool) -> Heading:
        unit = "" if column.is_text else number_format(column).unit
        sorted_as = ("ascending" if ascending else "descending") if column.name == sort else ""
        longest = max((len(cell.text) for cell in cells), default=0) if column.is_text else 0
        room = "" if not column.is_text else "brief" if longest <= _BRIEF else "long" if longest >= _LONG else ""
        return Heading(column.title, unit, not column.is_text, self.glossary.entry(column), sorted_as, room)


def column_cells(table: Table, column: Column, rows: NDArray[np.int64]) -> list[Cell]:
    """Return cells of a column, numbers as the explorer writes them, with their first 95 % interval."""
    values = column.values.take(rows)
    if column.is_text:
        return [Cell(fit(UNICODE.text(value), _LETTERS).rstrip()) for value in values]
    write = number_format(column).write
    full = csv_cells(np.asarray(values))
    ends = [""] * len(rows)
    known = {each.name: each for each in table.columns}
    if column.interval is not None and set(column.interval) <= known.keys():
        low, high = (known[name].values.take(rows) for name in column.interval)
        ends = [
            f"{write(float(a))} to {write(float(b))}" if np.isfinite(a) and np.isfinite(b) else ""
            for a, b in zip(low, high, strict=True)
        ]
    texts = [write(float(value)) for value in values]
    return [Cell(text, value, end) for text, value, end in zip(texts, full, ends, strict=True)]


def _left_out(rows: int, of_rows: int, columns: int, of_columns: int) -> str:
    parts = []
    if rows < of_rows:
        parts.append(f"{rows:,} of {of_rows:,} rows")
    if columns < of_columns:
        parts.append(f"{columns} of {of_columns} columns")
    return f"Shown are {' and '.join(parts)}." if parts else ""


def _with_csv(found: PageTable, table: Table) -> PageTable:
    stream = io.StringIO()
    try:
        write_rows(WholeTable(table), stream)
    except SingError:
        return found
    text = stream.getvalue()
    if len(text.encode()) > _CSV:
        return found
    return replace(found, csv="data:text/csv;charset=utf-8," + quote(text), csv_name=f"{found.id}.csv")


def explorer_command(file: str, table: str, keys: Mapping[str, Key]) -> str:
    """Return the command that exports a whole table.

    Args:
        file: Name of the results file.
        table: Name of the declared table.
        keys: The item of each axis of its place.
    """
    words = ["sing-tui", file, "--table", table]
    for axis, item in keys.items():
        text = clean(str(item))
        words += [f"--{axis}={text}"] if axis in ("model", "class") else ["--at", f"{axis}={text}"]
    return shlex.join([*words, "--csv", f"{table}.csv"])
