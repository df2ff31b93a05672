"""What a table is made of: columns of equal length over lazily read values. Building one reads nothing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sing_compute.errors import StoreError
from sing_compute.store import definition
from sing_compute.store.gate import Stored

Rows = NDArray[np.integer[Any]]
Cells = NDArray[Any]


class Source(Protocol):
    """Where cells come from: an array, a dataset, or a computation. Indexed by an array of rows or a slice."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the cells."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Any, /) -> Any: ...


@dataclass(frozen=True, eq=False, repr=False)
class Loaded:
    """Cells that are read or worked out together when one of them is first asked for, and kept."""

    length: int
    load: Callable[[], NDArray[Any]]

    @cached_property
    def cells(self) -> NDArray[Any]:
        """Every cell."""
        return self.load()

    @property
    def is_loaded(self) -> bool:
        """Whether asking for a cell costs nothing any more."""
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
    """Numbers that are worked out for the rows asked for (an array of rows or a slice), and forgotten."""

    length: int
    cells: Callable[[Any], NDArray[Any]]
    needs: tuple[Loaded, ...] = ()
    """What has to be loaded as a whole first."""

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
    """A run of stored or computed values, read by row; `names` turns stored indices into text, others into the empty text."""

    source: Source
    start: int = 0
    stop: int | None = None
    names: NDArray[Any] | None = None
    part: int | None = None
    """Which column of a two-axis dataset."""

    def __len__(self) -> int:
        return (len(self.source) if self.stop is None else self.stop) - self.start

    def take(self, rows: Rows) -> NDArray[Any]:
        """The values at these rows, in the order asked for."""
        return self._finish(self._read(rows + self.start))

    def all(self) -> NDArray[Any]:
        """Every value."""
        return self._finish(self._read(slice(self.start, self.start + len(self))))

    def codes(self) -> NDArray[Any]:
        """Every stored index into `names`; -1 for those that no name belongs to."""
        return self._known(self._read(slice(self.start, self.start + len(self))))

    @property
    def waits_for(self) -> tuple[Loaded, ...]:
        """What must be loaded as a whole before the first cell can be told; on a million rows that takes a tenth of a second."""
        source = self.source
        parts = source.needs if isinstance(source, Computed) else (source,) if isinstance(source, Loaded) else ()
        return tuple(part for part in parts if not part.is_loaded)

    def encoded(self, low: int, high: int) -> NDArray[Any]:
        """Text of rows low to high as bytes of fixed length: stored text is not decoded, which costs ten times its reading."""
        if isinstance(self.source, Stored) and self.names is None and self.part is None:
            return self.source.encoded(self.start + low, min(self.start + high, self.start + len(self)))
        cells = self.take(np.arange(low, min(high, len(self))))
        return np.char.encode(cells.astype(np.str_), "utf-8")

    def _read(self, rows: Any) -> NDArray[Any]:
        return np.asarray(self.source[rows] if self.part is None else self.source[rows, self.part])

    def _known(self, raw: NDArray[Any]) -> NDArray[Any]:
        return raw if self.names is None else np.where((raw >= 0) & (raw < len(self.names)), raw, -1)

    def _finish(self, raw: NDArray[Any]) -> NDArray[Any]:
        if self.names is None:
            return raw
        known, names = self._known(raw), self.names
        if len(raw) < len(names):
            return np.where(known >= 0, names[known], "").astype(object)
        return np.asarray(np.append(names.astype(object), "")[known])  # by reference: a long name costs its length once


@dataclass(frozen=True, slots=True)
class Bounds:
    """Names of the two columns that hold the ends of a 95 % interval, and what was resampled for it if not images."""

    low: str
    high: str
    over: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of an open table: `name` heads a CSV or DataFrame, `title` the screen; numbers carry their unit."""

    name: str
    title: str
    unit: str
    description: str
    values: Values
    interval: tuple[str, str] | None = None
    """Names of the columns that hold the ends of its first 95 % interval; the screen writes them beside the value."""
    format: str = "three digits"
    """How its numbers are written: a name in `definition.NUMBER_FORMATS`."""
    role: str = "value"
    """What it is in the table (`definition.Column.role`)."""
    intervals: tuple[Bounds, ...] = ()
    """All of its intervals."""
    spec: definition.Column | None = None
    """Its declaration; None for columns that the program makes."""
    side: int | None = None
    """In a comparison, the position of the item that it belongs to."""
    measured: str = ""
    """In a comparison, the name of the column that is compared."""

    @property
    def is_text(self) -> bool:
        """Return True if the cells are text."""
        return self.unit == "text"

    @property
    def measure(self) -> str:
        """Name of the column of the plain table that it shows."""
        return self.measured or self.name


@dataclass(frozen=True, slots=True)
class Table:
    """Columns of equal length.

    `ids` is what each row is: a position on the axis `axis` (None: the row number). `rankings` are stored ascending orders of all
    rows, by column name.
    """

    spec: definition.TableSpec
    columns: Sequence[Column]
    length: int
    ids: Rows | None = None
    rankings: dict[str, Stored] = field(default_factory=dict)
    axis: str = ""

    @property
    def kind(self) -> str:
        """Name of the declared table."""
        return self.spec.name

    def column(self, name: str) -> Column:
        """The column of that name.

        Raises:
            StoreError: There is none; the message lists those there are.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise StoreError(f"no column {name!r}; this table has: {', '.join(c.name for c in self.columns)}")


def text_column(name: str, title: str, description: str, values: Cells, *, role: str = "text") -> Column:
    """A column of text."""
    return Column(name, title, "text", description, Values(values), format="text", role=role)


def bounded(column: Column, ends: Sequence[Source], over: str = "") -> tuple[Bounds, list[Column]]:
    """The columns of an interval's two ends, lower first; `over` says what was resampled if not images."""
    found = []
    for end, side, cells in zip(("low", "high"), ("lower", "upper"), ends, strict=True):
        words = [part for part in (over, end) if part]
        text = f"{side} end of the 95 % interval{f' over {over}' if over else ''} of: {column.description}"
        name, title = "_".join([column.name, *words]), " ".join([column.title, *words])
        found.append(Column(name, title, column.unit, text, Values(cells), format=column.format, role="bound"))
    return Bounds(found[0].name, found[1].name, over), found
