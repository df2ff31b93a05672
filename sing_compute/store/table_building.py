"""Build the table of a place, without comparison, from its declaration. Values are read when they are used."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from sing_compute.errors import StoreError
from sing_compute.store import catalogue, definition
from sing_compute.store.columns import Bounds, Cells, Column, Loaded, Source, Table, Values, bounded
from sing_compute.store.definition import TableSpec
from sing_compute.store.noun import Noun
from sing_compute.store.place import Place
from sing_compute.store.read import Store, located
from sing_compute.store.reading import RowReader, quiet
from sing_compute.store.stored import Stored
from sing_compute.store.text import store_error

NAMING = ("label", "index", "code")
"""Roles of columns that identify a row."""


def plain_table(store: Store, place: Place, *, only: Collection[str] | None = None, every_row: bool = False) -> Table:
    """Open the table of a place, or one of its rows along another axis. Columns that the file lacks are left out.

    Args:
        store: The results file.
        place: The table and its items; a comparison in it is ignored.
        only: Names of the columns to open in addition to names and positions; None for all. Each is read when it is used.
        every_row: Include rows with a count of zero.

    Raises:
        StoreError: The place lacks an item or names one that the file does not hold, or the file has no such table.
    """
    spec = catalogue.table(place.table)
    _check_items(store, spec, place)
    rows = _rows(store, spec, place, every_row=every_row)
    columns = _columns(spec, rows, only, lazy=bool(place.along))
    if place.along:
        columns = _order_along(store, spec, rows, columns)
    if only is None and all(column.role in (*NAMING, "text") for column in columns):
        raise _absent(store, spec, place)
    rankings = {} if rows.ids is not None or rows.start else _rankings(rows, spec, only)
    parent = catalogue.axis(rows.axis).parent
    whole = (
        not place.along and rows.ids is None and (rows.members is not None or (parent and place.key(parent) is None))
    )
    return Table(spec, columns, len(rows), None if whole else rows.positions, rankings, rows.axis)


def row_positions(store: Store, place: Place) -> Sequence[int]:
    """Return the positions of a table's rows on their axis, in the order of the file; no column is read.

    Args:
        store: The results file.
        place: The table and its items; a comparison in it is ignored.

    Raises:
        StoreError: The place lacks an item or names one that the file does not hold, or the file has no such table.
    """
    spec = catalogue.table(place.table)
    _check_items(store, spec, place)
    rows = _rows(store, spec, place, every_row=False)
    return range(len(rows)) if rows.members is not None else list(map(int, rows.positions))


def _check_items(store: Store, spec: TableSpec, place: Place) -> None:
    """Refuse a place that lacks an item, or names one that the file does not hold."""
    if place.along and place.along not in catalogue.along_axes(spec):
        raise store_error(f"{store.noun.words(spec.name)} cannot be shown along {place.along}")
    wanted = [axis for axis in spec.within if axis != place.along] + ([spec.rows] if place.along else [])
    for axis in wanted:
        if place.key(axis) is None:
            raise store_error(f"{store.noun.words(spec.name)} are shown for one {axis}: open one first")
    for axis, item in place.keys:
        if catalogue.axis(axis).group:
            store.find(axis, str(item))
    own = catalogue.axis(spec.rows)
    if spec.absent and own.owners and located(own.field, place) not in store:
        raise _absent(store, spec, place)
    for axis, item in place.keys:
        if not catalogue.axis(axis).group and isinstance(item, int):
            count = store.count(axis, place)
            if not 0 <= item < count:
                raise store_error(f"no {store.noun.words(axis)} {item} in {store.path.name}; it holds 0 to {count - 1}")


def _rows(store: Store, spec: TableSpec, place: Place, *, every_row: bool) -> RowReader:
    name = place.along or spec.rows
    axis = catalogue.axis(name)
    if axis.group:
        return RowReader(store, place, name, tuple(store.members(name)))
    owner = place.index(axis.parent) if axis.parent else None
    try:
        start, stop = 0, store.count(name, place)
    except StoreError as error:
        if spec in catalogue.tables(store):
            raise  # the file is damaged
        raise _absent(store, spec, place) from error
    if owner is not None:
        start, stop = map(int, store.runs(name, place)[owner : owner + 2])
    listed = catalogue.table_of_rows(name) if place.along else spec
    ids = None
    if listed is not None and listed.nonzero and not every_row:
        plain = replace(place, table=listed.name, along="")
        counts = RowReader(store, plain, name, start=start, stop=stop).cells(listed.nonzero)
        ids = np.flatnonzero(counts)
    elif place.along or every_row:
        ids = np.arange(start, stop)
    _check_measured(store, spec, place)
    return RowReader(store, place, name, ids=ids, start=start, stop=stop)


def _absent(store: Store, spec: TableSpec, place: Place) -> StoreError:
    """Return the error for a table that the file does not hold at a place."""
    where = place.name(spec.within[0]) if spec.within else store.path.name
    what = store.noun.words(spec.absent or spec.name)
    if "{unscored}" in what:
        what = what.replace("{unscored}", store.unscored(place.name("model")))
    return store_error(f"{where} has no {what}")


def _check_measured(store: Store, spec: TableSpec, place: Place) -> None:
    """Refuse a place within an item with a count of zero, because its rows have no values."""
    for axis in spec.within:
        listed = catalogue.table_of_rows(axis)
        position = place.index(axis)
        if listed is None or not listed.nonzero or position is None:
            continue
        path = located(listed.nonzero, place)
        if path in store and not store.dataset(path)[0][position]:
            name = store.label(axis, position, place)
            item, several = store.noun.singular, store.noun.words(spec.name)
            raise store_error(f"no {item} of {name} was measured, so its {several} have no values")


def _columns(spec: TableSpec, rows: RowReader, only: Collection[str] | None, *, lazy: bool) -> list[Column]:
    columns: list[Column] = []
    behind: list[Column] = []
    for declared in spec.columns:
        if only is not None and declared.name not in only and declared.role not in NAMING and declared.role != "text":
            continue
        if only is not None and declared.role == "text" and declared.name not in (*only, *spec.naming):
            continue
        values = _values(declared, rows, lazy=lazy)
        if values is None:
            continue
        column = _column(declared, values, rows.store.noun)
        bounds: list[Bounds] = []
        follow: list[Column] = []
        for interval in declared.intervals:
            ends = _ends(declared, interval, rows)
            if ends is None:
                continue
            if not lazy:
                ends = [end[slice(None)] for end in ends]
            found, both = bounded(column, ends, interval.over)
            (behind if interval.apart and bounds else follow).extend(both)
            bounds.append(found)
        if bounds:
            column = replace(column, interval=(bounds[0].low, bounds[0].high), intervals=tuple(bounds))
        columns += [column, *follow]
    return columns + behind


def _column(declared: definition.Column, values: Values, noun: Noun) -> Column:
    """Return an open column; its texts are of the file's items."""
    if not noun.is_image:
        declared = replace(
            declared,
            title=noun.words(declared.title),
            description=noun.words(declared.description),
            explanation=declared.explanation.reworded(noun.words),
        )
    field = catalogue.FIELDS.get(declared.field)
    unit = declared.unit or (field.unit if field else "text")
    if values.names is not None:
        unit = "text"
    text = declared.description or (field.description if field else _label_text(declared))
    text = noun.words(text)
    return Column(declared.name, declared.title, unit, text, values, None, declared.format, declared.role, (), declared)


def _label_text(declared: definition.Column) -> str:
    return declared.explanation.meaning or declared.title


def _values(declared: definition.Column, rows: RowReader, *, lazy: bool) -> Values | None:
    """Return the cells of a declared column; None if the file does not hold them."""
    if declared.derived is not None:
        return _derived(declared, rows, lazy=lazy)
    if declared.field:
        if not all(rows.holds(path, declared.at) for path in catalogue.sources(declared)):
            return None
        if rows.place.along and not rows.varies(declared.field):
            return _constant(declared, rows)
        values = rows.values(declared.field, declared.at)
        return _read_if_few(declared, values, rows, lazy=lazy)
    if declared.role == "index":
        on_axis = rows.axis == catalogue.table(rows.place.table).rows
        position = rows.place.index(catalogue.table(rows.place.table).rows)
        return Values(rows.positions if on_axis else np.full(len(rows), position or 0))
    if rows.axis != catalogue.table(rows.place.table).rows:
        return _constant(declared, rows)
    axis = catalogue.axis(rows.axis)
    if rows.members is None and axis.parent and rows.ids is None:  # names of many rows are read when they are used
        return Values(rows.store.dataset(located(axis.labels, rows.place)), rows.start, rows.stop)
    return Values(rows.names)


def _read_if_few(declared: definition.Column, values: Values, rows: RowReader, *, lazy: bool) -> Values:
    """Read the values at once if they are few, so that a later change of the file does not change the table."""
    stored = isinstance(values.source, Stored)
    if rows.members is None and (lazy or stored):
        return values
    cells = replace(values, names=None).all()
    if rows.members is not None and not catalogue.FIELDS[declared.field].axes and cells.dtype.kind in "iuf":
        cells = cells.astype(np.int64 if cells.dtype.kind in "iu" else np.float64)
    return Values(cells, names=values.names)


def _constant(declared: definition.Column, rows: RowReader) -> Values | None:
    """Return a column with one cell repeated in every row: the name of the row that is shown along another axis."""
    place, spec = rows.place, catalogue.table(rows.place.table)
    if rows.members is None or declared.role not in NAMING:
        return None
    position = place.key(spec.rows)
    if position is None:
        return None
    if declared.field:
        text = str(rows.store.dataset(located(declared.field, place))[position])
    else:
        text = rows.store.label(spec.rows, position, place)
    return Values(np.full(len(rows), text))


def _derived(declared: definition.Column, rows: RowReader, *, lazy: bool) -> Values | None:
    paths = catalogue.sources(declared)
    if not all(rows.holds(path) for path in paths):
        return None
    if rows.members is None and not any(rows.varies(path) for path in paths):
        return None

    @cache
    def compute() -> Any:
        cells = [rows.cells(need) if "/" in need else rows.names for need in declared.needs]
        with np.errstate(all="ignore"):
            return declared.derived(*cells)  # type: ignore[misc]

    if rows.members is None and lazy:
        return Values(Loaded(len(rows), compute))
    found = compute()
    return None if found is None else Values(np.asarray(found))


def _ends(declared: definition.Column, interval: definition.Interval, rows: RowReader) -> list[Source] | None:
    """Return the cells of an interval's lower and upper end; None if the file does not hold them."""
    if interval.half:
        if not rows.holds(interval.half):
            return None

        def end(sign: int) -> Cells:
            return np.asarray(rows.cells(declared.field) + sign * rows.cells(interval.half))

        return [Loaded(len(rows), quiet(lambda sign=sign: end(sign))) for sign in (-1, 1)]  # type: ignore[misc]
    found = rows.pairs(interval.field, interval.at, of=declared.field)
    return None if found is None else [found[0], found[1]]


def _rankings(rows: RowReader, spec: TableSpec, only: Collection[str] | None) -> dict[str, Stored]:
    """Return the stored ascending orders of all rows, by column."""
    if rows.members is not None or rows.place.along:
        return {}
    if rows.stop != rows.store.count(rows.axis, rows.place):
        return {}
    wanted: Mapping[str, str] = {
        column.name: located(column.ranking, rows.place)
        for column in spec.columns
        if column.ranking and (only is None or column.name in only)
    }
    return {name: rows.store.dataset(path) for name, path in wanted.items() if path in rows.store}


def _order_along(store: Store, spec: TableSpec, rows: RowReader, columns: list[Column]) -> list[Column]:
    """Order the columns of a row along an axis: names of the axis' items, then figures, then names of the row itself."""
    listed = catalogue.table_of_rows(rows.axis)
    naming: list[Column] = []
    if listed is not None:
        there = replace(rows.place, table=listed.name, along="")
        reader = replace(rows, place=there)
        own = [column for column in listed.columns if column.role in NAMING]
        found = [(column, _values(column, reader, lazy=False)) for column in own]
        naming = [_column(column, values, store.noun) for column, values in found if values is not None]
    figures = [column for column in columns if column.role not in NAMING]
    if rows.members is None:
        figures = [c for c in figures if c.spec is None or c.spec.derived or rows.varies(c.spec.field)]
        return [*naming, *figures]
    return [*naming, *figures, *(column for column in columns if column.role in NAMING)]
