"""Columns and tables: columns of equal length over values that are read when they are needed, not when a table is built."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sing_compute.errors import StoreError
from sing_compute.store import definition
from sing_compute.store.stored import Stored

Rows = NDArray[np.integer[Any]]
Cells = NDArray[Any]


class Source(Protocol):
    """Source of cells: an array, a dataset, or a computation. It is indexed by an array of rows or by a slice."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the cells."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Any, /) -> Any: ...


@dataclass(frozen=True, eq=False, repr=False)
class Loaded:
    """Cells that are all read or computed when one of them is first used, and then held in memory."""

    length: int
    load: Callable[[], NDArray[Any]]
    reads: int = 0
    """Number of rows that are read for them, where it is another one than their own number."""

    @cached_property
    def cells(self) -> NDArray[Any]:
        """All cells."""
        return self.load()

    @property
    def is_loaded(self) -> bool:
        """True if the cells are in memory already."""
        return "cells" in self.__dict__

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the cells."""
        return self.cells.dtype

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, rows: Any, /) -> NDArray[Any]:
        return np.asarray(self.cells[rows])


@dataclass(frozen=True, slots=True)
class Computed:
    """Numbers that are computed for the rows that are asked for (an array of rows or a slice), and not held in memory."""

    length: int
    cells: Callable[[Any], NDArray[Any]]
    needs: tuple[Loaded, ...] = ()
    """Cells that must be loaded first, all at once."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the cells."""
        return self.cells(np.zeros(0, dtype=np.int64)).dtype

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, rows: Any, /) -> NDArray[Any]:
        return self.cells(rows)


@dataclass(frozen=True, slots=True)
class Values:
    """Stored or computed values, read by row. With `names`, each index becomes a name; one without a name becomes empty text."""

    source: Source
    start: int = 0
    stop: int | None = None
    names: NDArray[Any] | None = None
    part: int | None = None
    """Column of a dataset with two axes; None for a dataset with one."""

    def __len__(self) -> int:
        return (len(self.source) if self.stop is None else self.stop) - self.start

    def take(self, rows: Rows) -> NDArray[Any]:
        """Return the values at these rows, in the order of `rows`."""
        return self._finish(self._read(rows + self.start))

    def all(self) -> NDArray[Any]:
        """Return all values."""
        return self._finish(self._read(slice(self.start, self.start + len(self))))

    def codes(self) -> NDArray[Any]:
        """Return all stored indices into `names`; -1 for those without a name."""
        return self._known(self._read(slice(self.start, self.start + len(self))))

    @property
    def waits_for(self) -> tuple[Loaded, ...]:
        """Cells that must be loaded before the first value can be read; for a million rows this takes a tenth of a second."""
        source = self.source
        parts = source.needs if isinstance(source, Computed) else (source,) if isinstance(source, Loaded) else ()
        return tuple(part for part in parts if not part.is_loaded)

    def encoded(self, low: int, high: int) -> NDArray[Any]:
        """Return text of rows low to high as bytes of fixed length, not decoded: decoding takes ten times as long as reading."""
        encoded = getattr(self.source, "encoded", None)
        if encoded is not None and self.names is None and self.part is None:
            return np.asarray(encoded(self.start + low, min(self.start + high, self.start + len(self))))
        cells = self.take(np.arange(low, min(high, len(self))))
        return np.char.encode(cells.astype(np.str_), "utf-8")

    def _read(self, rows: Any) -> NDArray[Any]:
        return np.asarray(self.source[rows] if self.part is None else self.source[rows, self.part])

    def _known(self, raw: NDArray[Any]) -> NDArray[Any]:
        if self.names is None:
            return raw
        known = np.where((raw >= 0) & (raw < len(self.names)), raw, -1)
        return known.astype(np.int64) if known.dtype.kind == "f" else known  # a missing cell makes indices float

    def _finish(self, raw: NDArray[Any]) -> NDArray[Any]:
        if self.names is None:
            return raw
        known, names = self._known(raw), self.names
        if len(raw) < len(names):
            return np.where(known >= 0, names[known], "").astype(object)
        return np.asarray(np.append(names.astype(object), "")[known])  # by reference: a long name is in memory once


@dataclass(frozen=True, slots=True)
class Bounds:
    """Names of the two columns with the ends of a 95 % interval, and the name of the resampled items if they are not images."""

    low: str
    high: str
    over: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of an open table: `name` is its heading in a CSV or DataFrame, `title` on the screen."""

    name: str
    title: str
    unit: str
    description: str
    values: Values
    interval: tuple[str, str] | None = None
    """Names of the columns with the ends of its first 95 % interval; the screen shows them next to the value."""
    format: str = "three digits"
    """Format of its numbers: a name in `definition.NUMBER_FORMATS`."""
    role: str = "value"
    """Role of the column in the table (`definition.Column.role`)."""
    intervals: tuple[Bounds, ...] = ()
    """All of its intervals."""
    spec: definition.Column | None = None
    """Its declaration; None for columns that the program makes."""
    side: int | None = None
    """Position of the item that the column belongs to, in a comparison."""
    measured: str = ""
    """Name of the column that is compared, in a comparison."""

    @property
    def is_text(self) -> bool:
        """True if the cells are text."""
        return self.unit == "text"

    @property
    def measure(self) -> str:
        """Name of the column in a table without comparison."""
        return self.measured or self.name


@dataclass(frozen=True, slots=True)
class Table:
    """Columns of equal length.

    `ids` has the position of each row on the axis `axis` (None: the row number). `rankings` are the stored ascending orders of
    all rows, by column name.
    """

    spec: definition.TableSpec
    columns: Sequence[Column]
    length: int
    ids: Rows | None = None
    rankings: dict[str, Stored] = field(default_factory=dict)
    axis: str = ""
    note: str = ""
    """One line on its rows that a reader must know; empty if there is none."""

    @property
    def kind(self) -> str:
        """Name of the declared table."""
        return self.spec.name

    def column(self, name: str) -> Column:
        """Return the column of this name.

        Raises:
            StoreError: There is none; the message lists all columns.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise StoreError(f"no column {name!r}; this table has: {', '.join(c.name for c in self.columns)}")


def text_column(name: str, title: str, description: str, values: Cells, *, role: str = "text") -> Column:
    """Return a column of text; arguments as the fields of `Column`."""
    return Column(name, title, "text", description, Values(values), format="text", role=role)


def bounded(column: Column, ends: Sequence[Source], over: str = "") -> tuple[Bounds, list[Column]]:
    """Return the columns of an interval's two ends, lower first.

    Args:
        column: The column that the interval belongs to.
        ends: Values of the lower and of the upper end.
        over: Name of the resampled items if they are not images.
    """
    found = []
    for end, side, cells in zip(("low", "high"), ("lower", "upper"), ends, strict=True):
        words = [part for part in (over, end) if part]
        text = f"{side} end of the 95 % interval{f' over {over}' if over else ''} of: {column.description}"
        name, title = "_".join([column.name, *words]), " ".join([column.title, *words])
        found.append(Column(name, title, column.unit, text, Values(cells), format=column.format, role="bound"))
    return Bounds(found[0].name, found[1].name, over), found
