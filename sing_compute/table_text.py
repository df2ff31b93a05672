"""Rows of a table as CSV or JSON, in full precision and a piece at a time: for the explorer's exports and for figures."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import IO, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from sing_compute.csv_cells import csv_cells
from sing_compute.errors import SingError
from sing_compute.store import Column, Table
from sing_compute.store.columns import Values
from sing_compute.store.stored import Stored
from sing_compute.store.text import clean, csv_text

Form = Literal["csv", "json"]
Progress = Callable[[int], None]

_READ = 2**16
"""Rows that are read at once: rows in the order of a sort are picked from the whole file each time."""
_WRITTEN = 2**12
"""Rows that are turned into text at once."""
_BLOCK = 2**21
"""Bytes of one column that rows are picked from at once."""


class Lines(Protocol):
    """Rows of a table in an order."""

    @property
    def table(self) -> Table:
        """The table."""

    @property
    def order(self) -> NDArray[np.int32]:
        """The table's row on each line."""

    def __len__(self) -> int:
        """Return the number of lines."""


@dataclass(frozen=True, slots=True, eq=False)
class WholeTable:
    """All rows of a table in its own order."""

    table: Table

    @property
    def order(self) -> NDArray[np.int32]:
        """The table's row on each line."""
        return np.arange(self.table.length, dtype=np.int32)

    def __len__(self) -> int:
        """Return the number of rows."""
        return self.table.length


class Cancelled(SingError):  # noqa: N818
    """The user stopped an export; no file was written."""


def write_rows(
    lines: Lines,
    target: IO[str],
    *,
    form: Form = "csv",
    columns: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> int:
    """Write rows of a table to an open text file.

    CSV has a line of names first. JSON is a list of objects, one a line. NaN is an empty cell or null.

    Args:
        lines: The rows, in their order.
        target: The file.
        form: The format.
        columns: Names of the columns to write; all for None.
        progress: Called with the number of rows written so far; it may raise `Cancelled`.

    Returns:
        The number of rows.

    Raises:
        SingError: No column is chosen, or the table lacks one, or the file that is read is damaged.
    """
    return write_tables([lines], target, form=form, columns=columns, progress=progress)


def write_tables(
    tables: Sequence[Lines],
    target: IO[str],
    *,
    form: Form = "csv",
    columns: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> int:
    """Write the rows of several tables with the same columns one after the other, as `write_rows` writes those of one."""
    opening = _csv_lines if form == "csv" else _json_lines
    begin, join, end = opening([column.name for column in _chosen(tables[0].table, columns)])
    target.write(begin)
    count = 0
    for lines in tables:
        count += _write_pieces(lines, target, join, form, columns, progress, count)
    target.write(end)
    return count


def _write_pieces(
    lines: Lines,
    target: IO[str],
    join: "Join",
    form: Form,
    columns: Sequence[str] | None,
    progress: Progress | None,
    before: int,
) -> int:
    """Write the rows of one table, of which so many rows were written before; return their number."""
    writers = [_Writer.of(column.values, form) for column in _chosen(lines.table, columns)]
    step = max(_WRITTEN, min(_READ, _BLOCK * 16 // max(writer.bytes_per_row for writer in writers)))
    for low in range(0, len(lines), step):
        rows = lines.order[low : low + step].astype(np.int64)
        read = [writer.read(rows) for writer in writers]
        for start in range(0, len(rows), _WRITTEN):
            cells = [writer.cells(part[start : start + _WRITTEN]) for writer, part in zip(writers, read, strict=True)]
            target.write(join(cells, before + low + start == 0))
            if progress is not None:
                progress(before + low + min(start + _WRITTEN, len(rows)))
    return len(lines)


def _chosen(table: Table, columns: Sequence[str] | None) -> Sequence[Column]:
    if columns is not None and not columns:
        raise SingError("no column is chosen; choose one at least")
    return table.columns if columns is None else [table.column(name) for name in columns]


Join = Callable[[list[list[str]], bool], str]
"""Makes the lines of a piece from its cells, column by column; the second argument is True for the first piece."""


def _csv_lines(names: list[str]) -> tuple[str, Join, str]:
    """Return the beginning of a CSV file, the function that writes a piece, and its end."""

    def join(cells: list[list[str]], first: bool) -> str:
        if len(cells) == 1:  # readers skip a line that is quite empty
            cells = [[cell or '""' for cell in cells[0]]]
        return "\n".join(map(",".join, zip(*cells, strict=True))) + "\n"

    return ",".join(map(_csv_cell, names)) + "\n", join, ""


def _json_lines(names: list[str]) -> tuple[str, Join, str]:
    """Return the beginning of a JSON file, the function that writes a piece, and its end."""
    template = "{" + ", ".join(json.dumps(name, ensure_ascii=False).replace("%", "%%") + ": %s" for name in names) + "}"

    def join(cells: list[list[str]], first: bool) -> str:
        return ("\n" if first else ",\n") + ",\n".join([template % row for row in zip(*cells, strict=True)])

    return "[", join, "\n]\n"


def _csv_cell(text: str) -> str:
    harmless = csv_text(text)
    return '"' + harmless.replace('"', '""') + '"' if "," in harmless or '"' in harmless else harmless


def _json_cell(text: str) -> str:
    return json.dumps(clean(text), ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class _Writer:
    """One column on its way to text: numbers, stored indices into names, or text."""

    values: Values
    form: Form
    cell: Callable[[str], str]
    names: NDArray[np.object_] | None
    """Cells of the names that stored indices point to, and behind them the one of no name."""

    @classmethod
    def of(cls, values: Values, form: Form) -> "_Writer":
        cell = _csv_cell if form == "csv" else _json_cell
        if values.names is None:
            return cls(values, form, cell, None)
        names = np.empty(len(values.names) + 1, np.object_)
        names[:] = [*(cell(str(name)) for name in values.names), cell("")]
        return cls(values, form, cell, names)

    @property
    def bytes_per_row(self) -> int:
        source = self.values.source
        cells = int(np.prod(source.shape[1:])) if isinstance(source, Stored) else 1
        return max(1, source.dtype.itemsize * cells)

    def read(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Read numbers, indices or text of these rows, in their order; stored text as bytes."""
        values, source = replace(self.values, names=None), self.values.source
        if isinstance(source, np.ndarray):
            return values.take(rows)
        low, high = int(rows.min()), int(rows.max()) + 1
        if values.start + high > len(source):
            raise SingError(f"a column ends at row {len(source):,} of {values.start + high:,}; the file is damaged")
        found: NDArray[Any] | None = None
        step = max(1, _BLOCK // self.bytes_per_row)
        for first in range(low, high, step):
            last = min(first + step, high)
            here = np.flatnonzero((rows >= first) & (rows < last))
            if len(here):
                stored_text = isinstance(source, Stored) and source.dtype.kind == "S"
                part = replace(values, start=values.start + first, stop=values.start + last)
                block = values.encoded(first, last) if stored_text else part.all()
                found = np.empty(len(rows), block.dtype) if found is None else found
                found[here] = block[rows[here] - first]
        return np.empty(0) if found is None else found

    def cells(self, read: NDArray[Any]) -> list[str]:
        """Turn values that were read into the text of the file."""
        if self.names is not None:
            known = (read >= 0) & (read < len(self.names) - 1)
            texts: list[str] = self.names[np.where(known, read, len(self.names) - 1)].tolist()
            return texts
        if read.dtype.kind == "S":
            return _stored_text(read, self.form, self.cell)
        if read.dtype.kind not in "fiu":
            return [self.cell(str(text)) for text in read]
        numbers = csv_cells(read)
        finite = self.form == "csv" or np.isfinite(read).all()
        return numbers if finite else [_JSON_NUMBERS.get(text, text) for text in numbers]


_JSON_NUMBERS = {"": "null", "inf": '"inf"', "-inf": '"-inf"'}
_NOT_PLAIN = {
    form: np.array([(byte < 32 and byte != 0) or byte >= 127 or byte in held for byte in range(256)])
    for form, held in (("csv", b',";'), ("json", b'"\\'))
}
"""Bytes that keep a text from being written unchanged: text that is not ASCII is looked at character by character."""
_NOT_FIRST = np.array([byte in b"=+-@ " for byte in range(256)])


def _stored_text(read: NDArray[Any], form: Form, cell: Callable[[str], str]) -> list[str]:
    """Turn text in bytes into cells: those with nothing suspicious in them, which are nearly all, together."""
    encoded = read.tolist()
    letters = np.ascontiguousarray(read).view(np.uint8).reshape(len(read), read.dtype.itemsize)
    suspicious: NDArray[np.bool_] = np.any(_NOT_PLAIN[form][letters], axis=1)
    if form == "csv":
        suspicious |= _NOT_FIRST[letters[:, 0]]
    if b"\0" in b"\n".join(encoded):
        suspicious[:] = True
    awkward = np.flatnonzero(suspicious).tolist()
    written = [cell(encoded[row].decode("utf-8", "replace")) for row in awkward]
    for row in awkward:
        encoded[row] = b""
    texts = b"\n".join(encoded).decode("ascii").split("\n")
    if form == "json":
        texts = ['"' + text + '"' for text in texts]
    for row, text in zip(awkward, written, strict=True):
        texts[row] = text
    return texts
