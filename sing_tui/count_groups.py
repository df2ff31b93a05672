"""The groups into which one column divides the rows of a table: equal texts, equal numbers, or bins of a number."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sing_compute.errors import SingError
from sing_compute.store import Column, Table
from sing_compute.store.columns import Values
from sing_tui.search import aliases

Codes = NDArray[np.integer[Any]]
MOST_BINS = 10_000
MOST_TEXTS = 50_000
"""Rows up to which texts are compared that are stored with every row, not in a list of names."""
_FEW = 20
"""Different numbers that are counted one by one; more are counted in bins."""
_WIDTH = re.compile(r"(.+)/\s*(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?(%?)\s*")


class Grouping(Protocol):
    """The groups of one column, by their codes from 0."""

    def __len__(self) -> int:
        """Return the number of codes."""

    def codes(self, low: int, high: int) -> Codes:
        """Return the group of rows low to high, (row,)."""

    def columns(self, codes: Codes, taken: set[str]) -> list[Column]:
        """Return the columns that say which group each of some rows is; `taken` has the names that they may not have."""

    def condition(self, code: int) -> str:
        """Return the condition of a filter that exactly the rows of a group meet."""


@dataclass(frozen=True, slots=True, eq=False)
class TextGroups:
    """Rows of the same text."""

    column: Column
    texts: NDArray[np.str_]
    """The different texts, ascending."""
    of_name: NDArray[np.int32]
    """Group of each of the column's names, the last one for rows without a name; of each row where it has no names."""

    def __len__(self) -> int:
        return len(self.texts)

    def codes(self, low: int, high: int) -> Codes:
        """Return the group of rows."""
        if self.column.values.names is None:
            return self.of_name[low:high]
        names = _piece(self.column.values, low, high).codes()
        return np.asarray(self.of_name[names])  # -1 is the last

    def columns(self, codes: Codes, taken: set[str]) -> list[Column]:
        """Return the column of texts."""
        column = self.column
        role = "label" if column.role == "label" else "text"
        values = Values(codes, names=self.texts.astype(object))
        return [
            Column(
                _free(column.name, taken),
                column.title,
                "text",
                column.description,
                values,
                format=column.format,
                role=role,
            )
        ]

    def condition(self, code: int) -> str:
        """Return the condition of one text."""
        text, name = str(self.texts[code]), self.column.name
        plain = text.isprintable() and '"' not in text
        if plain and (text != text.lower() or sum(str(other).lower() == text for other in self.texts) == 1):
            return f'{name} = "{text}"'
        import regex

        pattern = regex.escape(text, special_only=True, literal_spaces=True).replace('"', r"\x22")
        return f'{name} ~ "\\A(?-i:{pattern})\\Z"'


@dataclass(frozen=True, slots=True, eq=False)
class NumberGroups:
    """Rows of the same number; the last code is that of rows without one."""

    column: Column
    numbers: NDArray[Any]
    """The different numbers, ascending."""

    def __len__(self) -> int:
        return len(self.numbers) + 1

    def codes(self, low: int, high: int) -> Codes:
        """Return the group of rows."""
        cells = _piece(self.column.values, low, high).all()
        found = np.searchsorted(self.numbers, cells)
        found[np.isnan(cells)] = len(self.numbers)
        return found

    def columns(self, codes: Codes, taken: set[str]) -> list[Column]:
        """Return the column of numbers."""
        known = self.numbers if not (codes == len(self.numbers)).any() else np.append(self.numbers, np.nan)
        return [
            replace(
                self.column,
                name=_free(self.column.name, taken),
                values=Values(known[codes]),
                interval=None,
                intervals=(),
            )
        ]

    def condition(self, code: int) -> str:
        """Return the condition of one number."""
        name = self.column.name
        if code == len(self.numbers):
            return f"not {name} = {name}"
        return f"{name} = {_number(float(str(self.numbers[code])), self.column)}"


@dataclass(frozen=True, slots=True, eq=False)
class Bins:
    """Rows whose numbers are between the same two edges; below the first edge, above the last, and without a number."""

    column: Column
    edges: Sequence[str]
    """Ascending, as a filter says them."""
    values: NDArray[np.float64]
    """The same edges as numbers."""

    def __len__(self) -> int:
        return len(self.edges) + 2

    def codes(self, low: int, high: int) -> Codes:
        """Return the group of rows."""
        cells = _piece(self.column.values, low, high).all()
        cells = cells.astype(np.float64) if cells.dtype.kind in "iu" else cells
        found = np.searchsorted(self.values.astype(cells.dtype), cells, side="right")
        found[np.isnan(cells)] = len(self.edges) + 1
        return found

    def columns(self, codes: Codes, taken: set[str]) -> list[Column]:
        """Return the columns of the lower and of the upper edges."""
        lower = np.concatenate([[-np.inf], self.values, [np.nan]])
        upper = np.concatenate([self.values, [np.inf, np.nan]])
        found = []
        for end, word, edges in (("from", "at least", lower), ("to", "less than", upper)):
            found.append(
                replace(
                    self.column, name=_free(f"{self.column.name}_{end}", taken), title=f"{self.column.title} {end}",
                    description=f"{word}, of: {self.column.description}", values=Values(edges[codes]), role="value",
                    interval=None, intervals=(), spec=None,
                    format="figure" if self.column.format in ("count", "index") else self.column.format,
                )
            )  # fmt: skip
        return found

    def condition(self, code: int) -> str:
        """Return the condition of one bin."""
        name = self.column.name
        if code == len(self.edges) + 1:
            return f"not {name} = {name}"
        if code == 0:
            return f"{name} < {self.edges[0]}"
        lower = f"{name} >= {self.edges[code - 1]}"
        return lower if code == len(self.edges) else f"{lower} and {name} < {self.edges[code]}"


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
    if not _is_countable(column, table):
        raise SingError(f"{column.name} is another text in almost every row; count by: {_countable(table)}")
    return column, width


def _is_countable(column: Column, table: Table) -> bool:
    names = column.values.names
    listed = names is not None and len(names) > 0
    return not column.is_text or listed or table.length <= MOST_TEXTS


def _countable(table: Table) -> str:
    return ", ".join(column.name for column in table.columns if _is_countable(column, table) and column.role != "bound")


def _example(table: Table) -> str:
    name = next((column.name for column in table.columns if not column.is_text), "number")
    return f"{name}/5"


def groupings(table: Table, by: Sequence[str], mask: NDArray[np.bool_] | None) -> list[Grouping]:
    """Return the groups of columns.

    Args:
        table: The table.
        by: The columns, as `columns_named` takes them.
        mask: The rows that are counted: the edges of bins depend on them; None for all.

    Raises:
        SingError: There is no such column, or it cannot be counted by.
    """
    return [
        _texts(column) if column.is_text else _numbers(column, width, mask)
        for column, width in columns_named(table, by)
    ]


def _texts(column: Column) -> TextGroups:
    names = column.values.names
    if names is not None:
        texts, of_name = np.unique([*map(str, names), ""], return_inverse=True)
    else:
        texts, of_name = np.unique([str(cell) for cell in column.values.all()], return_inverse=True)
    return TextGroups(column, texts, of_name.astype(np.int32))


def _numbers(column: Column, width: float | None, mask: NDArray[np.bool_] | None) -> Grouping:
    cells = column.values.all()
    if mask is not None:
        cells = cells[mask]
    if width is None and len(np.unique(cells[:1000])) <= _FEW:
        different = np.unique(cells)
        different = different[~np.isnan(different)]
        if len(different) <= _FEW:
            return NumberGroups(column, different)
    finite = cells if cells.dtype.kind in "iu" else cells[np.isfinite(cells)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 0.0)
    step = width or _nice(high - low)
    first, last = math.floor(low / step), math.floor(high / step) + 1
    if last - first > MOST_BINS:
        raise SingError(f"{column.name}/{step:g} makes more than {MOST_BINS:,} bins: give a larger width")
    texts = [_number(k * step, column) for k in range(first, last + 1)]
    values = np.array([float(text.removesuffix("%")) / (100 if text.endswith("%") else 1) for text in texts])
    return Bins(column, texts, values)


def _nice(span: float) -> float:
    """Return 1, 2 or 5 times a power of ten, so that there are five to twelve bins."""
    if not span > 0:
        return 1.0
    rough = span / 10
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))


def _number(value: float, column: Column) -> str:
    """Write a number as a filter takes it, a share with %."""
    if column.format == "percent":
        return f"{value * 100:.10g}%"
    return f"{value:.10g}"


def _piece(values: Values, low: int, high: int) -> Values:
    return replace(values, start=values.start + low, stop=values.start + high)


def _free(name: str, taken: set[str]) -> str:
    """Return a name that no other column has, and take it."""
    while name in taken:
        name = f"by_{name}"
    taken.add(name)
    return name
