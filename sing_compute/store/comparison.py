"""Build tables that compare several items: the values of each, then differences to the first and changes of rank.

Columns are named `measure.side`, with `_low` and `_high` for an interval, `.difference` and `.rank_change`; sides are written in
ASCII letters, digits and _. Columns of many rows are read for the rows that are asked for; ranks are computed once, at first use.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from sing_compute.errors import StoreError
from sing_compute.store import catalogue
from sing_compute.store.columns import Bounds, Column, Computed, Loaded, Rows, Table, Values
from sing_compute.store.definition import TableSpec
from sing_compute.store.differences import difference, rank_change, ranks
from sing_compute.store.figures_table import Figures, figures_table
from sing_compute.store.place import Comparison, Key, Place
from sing_compute.store.read import Store
from sing_compute.store.stored import Stored
from sing_compute.store.table_building import plain_table
from sing_compute.store.text import one_line, store_error

_KEY = 40
"""Most characters of an item's name in the name of a column."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the compared items: its name in column names, its name in titles, and its table without comparison."""

    key: str
    label: str
    table: Table


def comparison_table(store: Store, place: Place) -> Table:
    """Open the comparison at a place: one column of its table for several items, or all figures of several rows.

    Rows are those of the first item; values that another lacks are NaN, its counts 0.

    Raises:
        StoreError: Fewer than two items, an unknown or repeated one, no such column, a column of text, or an item without it.
    """
    wanted = place.comparison
    if wanted is None:
        raise store_error("this place compares nothing")
    spec = catalogue.table(place.table)
    if spec.rows == wanted.axis and not wanted.measure:
        return _figures(store, place, wanted)
    if wanted.axis not in spec.within:
        words = store.noun.words
        raise store_error(f"{words(spec.name)} of several {words(catalogue.plural(wanted.axis))} cannot be compared")
    items = _several(store, wanted, place)
    labels = [one_line(store.label(wanted.axis, item, place)) for item in items]
    labels = [
        label if labels.count(label) == 1 else f"{label} {item}" for label, item in zip(labels, items, strict=True)
    ]
    tables = _same_rows(store, spec, place, wanted, items, labels)
    keys = column_keys(labels)
    return side_by_side([Side(*side) for side in zip(keys, labels, tables, strict=True)], wanted.measure)


def _several(store: Store, wanted: Comparison, place: Place) -> list[Key]:
    """Check the items of a comparison, and return them."""
    plural = store.noun.words(catalogue.plural(wanted.axis))
    if len(wanted.items) < 2:
        raise store_error(f"at least two {plural} are needed for a comparison")
    items = [_known_item(store, wanted.axis, item, place) for item in wanted.items]
    twice = next((item for item in items if items.count(item) > 1), None)
    if twice is not None:
        name = one_line(store.label(wanted.axis, twice, place))
        raise store_error(f"{name} is named twice among the {plural} to compare")
    return items


def _known_item(store: Store, axis: str, item: Key, place: Place) -> Key:
    if isinstance(item, str):
        return store.find(axis, item, place)
    count = store.count(axis, place)
    if not 0 <= item < count:
        raise store_error(f"no {store.noun.words(axis)} {item} in {store.path.name}; it holds 0 to {count - 1}")
    return item


def _same_rows(
    store: Store, spec: TableSpec, place: Place, wanted: Comparison, items: Sequence[Key], labels: Sequence[str]
) -> list[Table]:
    """Open the table of each item, with the rows of the first."""
    tables: list[Table] = []
    for item, label in zip(items, labels, strict=True):
        here = place.plain.at(**{wanted.axis: item})
        whole = with_measure(store, here, wanted.measure, label, every_row=bool(tables and spec.nonzero))
        if tables and spec.nonzero:
            rows = _ids(tables[0])
            columns = [replace(column, values=Values(column.values.take(rows))) for column in whole.columns]
            whole = replace(tables[0], columns=columns)
        if tables and not _rows_agree(spec, wanted.axis, tables[0], whole):
            raise store_error(f"the {store.noun.words(spec.name)} of {label} have other rows than those of {labels[0]}")
        tables.append(whole)
    return tables


def _rows_agree(spec: TableSpec, axis: str, first: Table, other: Table) -> bool:
    """Return True if two tables have the same rows; each item of the axis may have other rows."""
    if first.length != other.length:
        return False
    if f"{{{axis}}}" not in catalogue.axis(spec.rows).labels:
        return True
    return bool(np.array_equal(first.column(spec.label).values.all(), other.column(spec.label).values.all()))


def with_measure(store: Store, place: Place, measure: str, label: str, *, every_row: bool = False) -> Table:
    """Open a table without comparison, with its naming columns and the compared column alone.

    Args:
        store: The results file.
        place: The table and its items.
        measure: Name of the compared column.
        label: What errors call the table.
        every_row: Include rows with a count of zero.

    Raises:
        StoreError: The table has no such column, or it is one of text.
    """
    table = plain_table(store, place, only=(measure,), every_row=every_row)
    if all(column.name != measure for column in table.columns):
        table = plain_table(store, place, every_row=every_row)
    try:
        column = table.column(measure)
    except StoreError as error:
        raise store_error(f"{label}: {error}") from error
    if column.is_text or column.role == "index":
        raise store_error(f"{measure} is a column of names, not of numbers; these are compared by numbers")
    return table


def _figures(store: Store, place: Place, wanted: Comparison) -> Table:
    """Transpose a table: one row per figure, one column per compared row, then differences to the first."""
    items = _several(store, wanted, place)
    table = plain_table(store, place.plain)
    rows = [_row_of(table, store, wanted.axis, item) for item in items]
    names = [store.label(wanted.axis, item, place) for item in items]
    parts = [Figures(name, key, table, row) for name, key, row in zip(names, column_keys(names), rows, strict=True)]
    return figures_table(parts, store.noun.words(wanted.axis))


def _row_of(table: Table, store: Store, axis: str, item: Key) -> int:
    if isinstance(item, str):
        return store.members(axis).index(item)
    return int(np.flatnonzero(_ids(table) == item)[0])


def _ids(table: Table) -> Rows:
    return np.arange(table.length) if table.ids is None else table.ids


def column_keys(labels: Sequence[str]) -> list[str]:
    """Make a unique name of each label, of ASCII letters, digits and _; case does not count, and other labels get a number."""
    keys: list[str] = []
    used: set[str] = set()
    for position, label in enumerate(labels, start=1):
        stem = re.sub("[^A-Za-z0-9]+", "_", label)[:_KEY].strip("_") or str(position)
        key, number = stem, 2
        while used & (forms := {f"{key}{end}".lower() for end in ("", "_low", "_high")}):
            key, number = f"{stem}_{number}", number + 1
        used |= forms
        keys.append(key)
    return keys


def side_by_side(sides: Sequence[Side], measure: str, *, of_common: bool = False) -> Table:
    """Build the table: naming columns of the first item, the compared column of all, differences, changes of rank.

    Args:
        sides: What is compared: tables with the same rows.
        measure: Name of the compared column.
        of_common: Rank only the rows that all sides have a value for.
    """
    plain = sides[0].table
    values: list[Column] = []
    differences: list[Column] = []
    changes: list[Column] = []
    orders: dict[str, Stored] = {}
    first = plain.column(measure)
    every = [side.table.column(measure).values for side in sides] if of_common else []
    first_ranks = Loaded(plain.length, partial(ranks, first.values, every))
    for position, side in enumerate(sides):
        column, ranking = side.table.column(measure), side.table.rankings.get(measure)
        name, title = f"{measure}.{side.key}", f"{column.title} {side.label}"
        own = replace(column, name=name, title=title, description=f"{side.label}: {column.description}")
        own = replace(own, side=position, measured=measure, interval=None, intervals=())
        ends: list[Column] = []
        if column.interval:
            bounds = Bounds(f"{name}_low", f"{name}_high")
            own = replace(own, interval=(bounds.low, bounds.high), intervals=(bounds,))
            for new, old in zip((bounds.low, bounds.high), column.interval, strict=True):
                end = side.table.column(old)
                text, heading = f"{side.label}: {end.description}", f"{end.title} {side.label}"
                ends.append(replace(end, name=new, title=heading, description=text, side=position, measured=measure))
        values += [own, *ends]
        if ranking is not None:
            orders[name] = ranking
        if position == 0:
            continue
        change = Computed(plain.length, partial(difference, column.values, first.values))
        text = f"{side.label} minus {sides[0].label}: {column.description}"
        made: Any = {"side": position, "measured": measure}
        differences.append(
            Column(
                f"{name}.difference",
                f"diff {title}",
                column.unit,
                text,
                Values(change),
                format=column.format,
                role="difference",
                **made,
            )
        )
        own_ranks = Loaded(plain.length, partial(ranks, column.values, every))
        moved = Computed(plain.length, partial(rank_change, first_ranks, own_ranks), (first_ranks, own_ranks))
        text = (
            f"places by which {side.label} ranks a row higher than {sides[0].label}; rank 1 is the largest value, "
            f"equal values share the smaller rank"
        )
        title, name = f"rank change {side.label}", f"{name}.rank_change"
        form: Any = {"format": "rank change", "role": "rank change"}
        changes.append(Column(name, title, "count", text, Values(moved), **form, **made))
    naming = [plain.column(name) for name in plain.spec.naming if any(c.name == name for c in plain.columns)]
    return replace(plain, columns=[*naming, *values, *differences, *changes], rankings=orders)
