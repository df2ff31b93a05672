"""The groups into which one column divides the rows of a table: equal texts, equal numbers, or bins of a number."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sing_compute.errors import SingError
from sing_compute.store import Column, Table
from sing_compute.store.columns import Values
from sing_tui.count_columns import columns_named

Codes = NDArray[np.integer[Any]]
MOST_BINS = 10_000
_FEW = 20
"""Different numbers that are counted one by one; more are counted in bins."""


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
