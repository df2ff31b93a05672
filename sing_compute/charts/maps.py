"""Maps: one figure of every pair of two axes of a file (each class and each concept), as a matrix. No drawing.

The declarations of tables say what can be mapped: a table whose rows can be shown along another axis (`along_axes`), of which a
column is read from a dataset with both axes.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sing_compute.charts.map_blocks import Order, Values, by_strength, scale_of, strengths
from sing_compute.charts.shapes import largest
from sing_compute.errors import SingError
from sing_compute.store import FIELDS, Store, Table, catalogue
from sing_compute.store.columns import Column, Computed
from sing_compute.store.columns import Values as Cells
from sing_compute.store.definition import Column as Declared
from sing_compute.store.definition import TableSpec
from sing_compute.store.place import Place
from sing_compute.store.reading import RowReader
from sing_compute.store.table_building import plain_table, row_positions

MOST = 2**25
"""Values of a map at most: 128 MiB in memory."""
LONGEST = 2**16
"""Items along one side of a map at most: their names are in memory, too."""


@dataclass(frozen=True, slots=True)
class Side:
    """The items along one side of a map."""

    axis: str
    positions: Order
    """Position of each on its axis, ascending."""
    names: NDArray[np.str_]
    strength: Values
    """Largest magnitude of its values; NaN if it has none."""
    order: Order
    """The same items by descending strength, as indices into `positions`."""

    def __len__(self) -> int:
        return len(self.positions)

    def find(self, position: int) -> int | None:
        """Return the index of the item at a position of the axis; None if the map does not show it."""
        found = np.flatnonzero(self.positions == position)
        return int(found[0]) if len(found) else None


@dataclass(frozen=True, slots=True, eq=False, repr=False)  # Textual writes out what a thread is given
class ValueMap:
    """One figure of every pair of two items."""

    place: Place
    """The table, `along` the axis of the map's rows; it names neither a row nor a column."""
    column: Declared
    """The column that is mapped; its texts are of the file's items."""
    values: Values
    """(row, column) in the order of the file; NaN for a missing value."""
    rows: Side
    columns: Side
    unit: str
    signed: bool
    """True if the figure goes to both sides of zero."""
    scale: tuple[float, float]
    """The ends of the scale (`scale_of`)."""
    missing: int
    """Number of missing values."""


def mapped_columns(spec: TableSpec) -> tuple[Declared, ...]:
    """Return the columns of a table that a map can show; none if it has no second axis.

    Probabilities (p, q) are left out: of them the smallest are the important ones, and a block of a map shows the largest.

    Args:
        spec: The declared table.
    """
    found = []
    for axis in catalogue.along_axes(spec):
        if catalogue.axis(axis).group or catalogue.axis(spec.rows).group:
            continue
        for column in spec.columns:
            field = FIELDS.get(column.field)
            if field is None or field.of or field.dtype == "text" or not {axis, spec.rows} <= set(field.axes):
                continue
            limits = field.range
            is_probability = (limits.low, limits.high, field.unit) == (0, 1, "1") and column.format != "percent"
            if not is_probability:
                found.append(column)
    first = [column for column in found if column.name == spec.measure]
    return tuple(first + [column for column in found if column not in first])


def stored_columns(store: Store, place: Place) -> tuple[Declared, ...]:
    """Return the columns of `mapped_columns` that a file holds at a place of a map."""
    reader = RowReader(store, place, place.along)
    return tuple(
        column for column in mapped_columns(catalogue.table(place.table)) if reader.holds(column.field, column.at)
    )


def read_map(store: Store, place: Place, name: str = "") -> ValueMap:
    """Read a map from a file.

    Args:
        store: The results file.
        place: The table, `along` the axis of the map's rows, with the items of its other axes.
        name: The column that is mapped; empty for the table's measure.

    Returns:
        The map.

    Raises:
        SingError: The file holds no such figures, or too many of them.
    """
    spec = catalogue.table(place.table)
    names = store.noun.words
    known = {column.name: column for column in stored_columns(store, place)}
    column = known.get(name) or (None if name else next(iter(known.values()), None))
    if column is None:
        plain_table(store, place.at(**{spec.rows: 0}))  # says why the place has no such table
        listed = ", ".join(known) or "none"
        raise SingError(f"{names(spec.name)} have no figure {name!r} that a map can show; there are: {listed}")
    field = FIELDS[column.field]
    count, width = store.count(place.along, place), store.count(spec.rows, place)
    if count * width > MOST or max(count, width) > LONGEST:
        most = f"it shows at most {MOST:,} of at most {LONGEST:,} items on a side"
        raise SingError(f"{count:,} x {width:,} values are too many for a map: {most}")
    rows = np.asarray(row_positions(store, place.at(**{spec.rows: 0})), dtype=np.int32)
    reader = RowReader(store, place, place.along, ids=None if len(rows) == count else rows, stop=count)
    cells = np.asarray(reader.cells(column.field, column.at))
    if field.axes.index(spec.rows) < field.axes.index(place.along):
        cells = cells.T
    values = np.ascontiguousarray(cells, dtype=np.float32)
    del cells
    limit = largest(column.format)
    if values.size and not -limit <= np.fmin.reduce(values, None) <= np.fmax.reduce(values, None) <= limit:
        values = np.where(np.abs(values) <= limit, values, np.float32(np.nan))  # no value of a kind that this can be
    signed = field.range.low < 0
    row_strength, column_strength = strengths(values)
    return ValueMap(
        place,
        replace(column, title=names(column.title), description=names(column.description or field.description)),
        values,
        _side(store, place, place.along, rows, row_strength),
        _side(store, place, spec.rows, np.arange(width, dtype=np.int32), column_strength),
        column.unit or field.unit,
        signed,
        scale_of(values, signed=signed),
        int(np.count_nonzero(np.isnan(values))),
    )


def _side(store: Store, place: Place, axis: str, positions: Order, strength: Values) -> Side:
    names = np.asarray(store.items(axis, place), dtype=np.str_)[positions]
    return Side(axis, positions, names, strength, by_strength(strength))


def map_table(store: Store, shown: ValueMap, rows: Order, columns: Order) -> Table:
    """Return a map as a table with one row for each pair, for exports; its cells are made when they are written.

    Args:
        store: The results file.
        shown: The map.
        rows: Indices of its rows, in the order of the export.
        columns: The same of its columns.
    """
    width, length = max(1, len(columns)), len(rows) * len(columns)
    made: list[Column] = []

    def add(name: str, unit: str, text: str, numbers: Picked, names: NDArray[np.str_] | None = None) -> None:
        source = Computed(length, lambda at: numbers(_numbered(at, length)))
        role, format = ("value", shown.column.format) if not unit else (unit, unit)
        made.append(Column(name, name, unit or shown.unit, text, Cells(source, names=names), format=format, role=role))

    for axis, key in shown.place.keys:
        name = np.array([store.label(axis, key, shown.place)], np.str_)
        add(axis, "text", f"{axis} of the map", np.zeros_like, name)
    sides: tuple[tuple[Side, Picked], ...] = (
        (shown.rows, lambda at: rows[at // width]),
        (shown.columns, lambda at: columns[at % width]),
    )
    for side, index in sides:
        add(side.axis, "text", f"name of the {side.axis}", index, side.names)
        where = side.positions
        add(f"{side.axis}_index", "index", f"position of the {side.axis}", lambda at, w=where, i=index: w[i(at)])  # type: ignore[misc]
    add(
        shown.column.name, "", shown.column.description, lambda at: shown.values[rows[at // width], columns[at % width]]
    )
    return Table(TableSpec("map", shown.columns.axis, (), made[0].name, ()), made, length, None, {}, shown.columns.axis)


Picked = Callable[[Order], NDArray[Any]]
"""Cells of the rows of an export, by their numbers."""


def _numbered(at: Any, length: int) -> Order:
    return np.arange(*at.indices(length)) if isinstance(at, slice) else np.asarray(at)
