"""From place to place: open a row, the other table, the next item, along an axis, and back."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from sing_compute.store.definition import TableSpec
from sing_compute.store.place import Key, Place
from sing_tui.session.arranging import arrange_as, clear_filter, close_body, show_details
from sing_tui.session.catalog import (
    Catalog,
    deeper,
    free_options,
    is_group,
    key_of,
    place_of,
    plural,
    position_of,
    row_axis,
    siblings,
    table_of,
    with_defaults,
)
from sing_tui.session.comparison import end_comparison, is_in_place
from sing_tui.session.files import came_joined, is_joined
from sing_tui.session.stack import enter, leave, move, same_rows, with_member
from sing_tui.session.state import CONTENTS, Identities, Refused, Session, arrangement_at, is_figures, row_under_cursor
from sing_tui.session.subsets import came_filtered, kept_arrangement, next_filtered_subset

Which = Literal["last", "first", "row"]
"""Which key of a place is stepped: the last that is no group, the first group, or that of the rows."""


def row_keys(session: Session, catalog: Catalog) -> dict[str, Key | None]:
    """Keys of the present place and of the row under the cursor."""
    place, identity = session.place, session.here.identity
    keys: dict[str, Key | None] = dict(place.keys)
    if identity is not None:
        axis = row_axis(place, catalog)
        keys[axis] = key_of(catalog, axis, identity, place)
    return keys


def open_row(session: Session, catalog: Catalog, *, wide: bool = False) -> Session:
    """Open the first table about the row under the cursor, or its details where there is none.

    Args:
        session: The present state.
        catalog: What the file holds.
        wide: True if there is room for details next to the table.

    Raises:
        Refused: The table needs an item that the place does not name, or there is no row.
    """
    place, identity = session.place, row_under_cursor(session)
    if place.table == CONTENTS:
        return enter(session, Place(catalog.items(CONTENTS, None)[identity]))
    spec = catalog.table(place.table)
    if is_figures(spec, place):
        return show_details(session, wide=wide)
    keys, tables = row_keys(session, catalog), deeper(catalog, spec)
    if place.along:
        row = position_of(catalog, spec.rows, place.key(spec.rows), place)
        if not tables:
            return enter(session, place_of(catalog, spec, keys), identity=row)
    if not tables:
        return show_details(session, wide=wide)
    return _opened(session, catalog, place_of(catalog, tables[0], keys))


def further_tables(catalog: Catalog, place: Place) -> list[TableSpec | None]:
    """The tables that Enter does not open, by their keys: further ones about the row, then others about the same items.

    Each keeps its number, so that a key always opens the same table: one that the file does not hold is None. The first is
    there for the key `i`, whatever the file holds.
    """
    spec = catalog.table(place.table)
    others = [*deeper(catalog, spec)[1:], *siblings(catalog, spec)]
    held = {table.name for table in catalog.tables()}
    return [*others[:1], *(table if table.name in held else None for table in others[1:])]


def second_table(catalog: Catalog, place: Place) -> TableSpec | None:
    """The table that the key `i` leads to; None if there is none."""
    return further_table(catalog, place, 0)


_NUMBERS = ("second", "third", "fourth")


def further_table(catalog: Catalog, place: Place, number: int) -> TableSpec | None:
    """The table with a number among the further ones, 0 for that of the key `i`; None if there is none."""
    return next(iter(further_tables(catalog, place)[number:]), None)


def open_further(session: Session, catalog: Catalog, number: int) -> Session:
    """Open a further table about the row, or put it in place of this one if it is about the same items.

    Args:
        session: The present state.
        catalog: What the file holds.
        number: Its number among `further_tables`.

    Raises:
        Refused: There is none, or it needs an item that the place does not name.
    """
    target = further_table(catalog, session.place, number)
    place, spec = session.place, catalog.table(session.place.table)
    if is_figures(spec, place):
        raise Refused(f"these are figures of {plural(catalog, spec.rows)}: go back and open one")
    if target is None:
        which = _NUMBERS[number] if number < len(_NUMBERS) else "further"
        raise Refused(f"{catalog.words(spec.name.replace('_', ' '))} lead to no {which} table")
    in_place = target.name in {table.name for table in siblings(catalog, spec)} and not place.along
    if in_place:
        there = place_of(catalog, target, dict(place.keys))
        moved, kept = move(session, catalog, there, identity=None), kept_arrangement(session, catalog, there)
        return moved if kept is None else arrange_as(moved, kept)
    row_under_cursor(session)
    return _opened(session, catalog, place_of(catalog, target, row_keys(session, catalog)))


def _opened(session: Session, catalog: Catalog, place: Place) -> Session:
    """Open a table; a subset that a table on the way shows holds there, too."""
    return enter(session, place, arrangement=kept_arrangement(session, catalog, place))


def open_second(session: Session, catalog: Catalog) -> Session:
    """Open the second table about the row, or put the other table about the same items in place of this one.

    Raises:
        Refused: There is none, or it needs an item that the place does not name.
    """
    return open_further(session, catalog, 0)


def stepped_axis(catalog: Catalog, place: Place, which: Which) -> str | None:
    """Axis whose next item a key shows in place; None where the table has no such axis.

    Args:
        catalog: What the file holds.
        place: Where the key is pressed.
        which: `last`: the last axis of the place that is no group. `first`: its first group, or its first axis where that is
            another one. `row`: the axis of the item that a place along another axis is about.
    """
    spec = catalog.table(place.table)
    if which == "row":
        return spec.rows if place.along else None
    free = free_options(catalog, spec)
    axes = [axis for axis in (*spec.within, *spec.options) if axis != place.along and axis not in free]
    plain = [axis for axis in axes if not is_group(catalog, axis)] or ([spec.rows] if place.along else [])
    plain = [axis for axis in plain if not is_group(catalog, axis)]
    last = plain[-1] if plain else None
    if which == "last":
        return last
    groups = [axis for axis in axes if is_group(catalog, axis)]
    return next((axis for axis in (*groups, *axes) if axis != last), None)


def step(session: Session, catalog: Catalog, which: Which, by: int) -> Session:
    """Show the next (by = 1) or previous (by = -1) item of an axis in place; filter and sort stay.

    Raises:
        Refused: The place names no item there, or there is no next one.
    """
    place = session.place
    axis = stepped_axis(catalog, place, which)
    if axis is None:
        raise Refused("there is nothing to step through here")
    if is_group(catalog, axis):
        return _next_member(session, catalog, axis, by)
    current, comparison = place.index(axis), place.comparison
    if current is None:
        raise Refused(f"this table is of all {plural(catalog, axis)}: there is no next {catalog.words(axis)}")
    others = comparison.items[1:] if comparison is not None and comparison.axis == axis else ()
    around = range(catalog.count(axis, place)) if which == "row" else neighbours(session, catalog, axis)
    new = _neighbour(around, current, by, others)
    if new is None:
        raise Refused(f"this is the {'last' if by > 0 else 'first'} {catalog.words(axis)}")
    if comparison is not None and comparison.axis == axis:
        comparison = replace(comparison, items=(new, *others))
    return _stepped(session, catalog, replace(place, comparison=comparison).at(**{axis: new}))


def _neighbour(around: Identities, current: int, by: int, others: Sequence[Key]) -> int | None:
    """The item before or behind another one in an order, leaving out others; None at its end."""
    items = around if isinstance(around, range) and not others else [int(k) for k in around if k not in others]
    at = (items.index(current) if current in items else -by) + by
    return items[at] if 0 <= at < len(items) else None


def _next_member(session: Session, catalog: Catalog, axis: str, by: int) -> Session:
    place, names = session.place, list(catalog.items(axis, None))
    current = place.key(axis)
    if current not in names:
        raise Refused(f"this table names no {catalog.words(axis)}")
    if len(names) == 1:
        raise Refused(f"this file holds one {catalog.words(axis)}")
    return _stepped(session, catalog, with_member(place, axis, names[(names.index(str(current)) + by) % len(names)]))


def _stepped(session: Session, catalog: Catalog, place: Place) -> Session:
    same = same_rows(session.place, place, catalog)
    return move(session, catalog, place, identity=session.here.identity if same else None)


def neighbours(session: Session, catalog: Catalog, axis: str) -> Identities:
    """Items of an axis in the order of its table below, where the present one is among its rows; else all that have rows."""
    place, below = session.place, session.below
    current = place.index(axis)
    if below is not None and row_axis(below.place, catalog) == axis:
        agree = all(place.key(name) in (None, key) for name, key in below.place.keys if name != axis)
        if agree and current in below.shown:
            known = catalog.count(axis, place) if is_joined(below.place) else None
            return below.shown if known is None else tuple(item for item in below.shown if item < known)
    spec = table_of(catalog, axis)
    if spec is not None:
        keys = with_defaults(catalog, spec.within, dict(place.keys), place)
        if all(keys.get(name) is not None for name in spec.within):
            kept = {name: keys[name] for name in spec.within}
            return catalog.rows(place_of(catalog, spec, kept))
    return range(catalog.count(axis, place))


def next_subset(session: Session, catalog: Catalog) -> Session:
    """Show the next item of an optional axis that has no table of its own, the next subset of images; or keep its rows.

    Raises:
        Refused: The table has no such axis, or its rows are filtered in another way.
    """
    place = session.place
    axes = free_options(catalog, catalog.table(place.table))
    if not axes:
        return next_filtered_subset(session, catalog)
    count = catalog.count(axes[0], place)
    new = ((place.index(axes[0]) or 0) + 1) % max(1, count)
    return _stepped(session, catalog, place.at(**{axes[0]: new or None}))


def along_axis(catalog: Catalog, place: Place) -> str | None:
    """Axis along which a row of this table can be shown: the last of its places, unless that owns the rows; None for none."""
    spec = catalog.table(place.table)
    if place.along or not spec.within:
        return place.along or None
    axis, rows = spec.within[-1], catalog.axis(spec.rows)
    return None if rows.parent == axis or "{" + axis + "}" in rows.field else axis


def go_along(session: Session, catalog: Catalog) -> Session:
    """Show the row under the cursor once for each item of the last axis of its place; there, the row's own table.

    Raises:
        Refused: The rows of this table are shown along no axis, or there is no row.
    """
    place = session.place
    axis = along_axis(catalog, place)
    if axis is None:
        raise Refused("the rows of this table belong to one place alone")
    row_under_cursor(session)
    spec, keys = catalog.table(place.table), row_keys(session, catalog)
    if place.along:
        row = position_of(catalog, spec.rows, place.key(spec.rows), place)
        return enter(session, place_of(catalog, spec, keys), identity=row)
    here = position_of(catalog, axis, place.key(axis), place)
    kept = {name: keys.get(name) for name in (*spec.within, spec.rows, *spec.options) if name != axis}
    return enter(session, Place.of(spec.name, along=axis, **kept), identity=here)


def go_to(session: Session, place: Place, select: int | None) -> Session:
    """Open the place of something that was found."""
    return enter(session, place, identity=select)


def back(session: Session, catalog: Catalog) -> Session:
    """Close one layer: the chart or the details, then the filter, the comparison, and last the table."""
    place = session.place
    if session.here.body != "table":
        return close_body(session)
    spec = catalog.table(place.table)
    if arrangement_at(session.here, spec).filter and not came_filtered(session, catalog):
        return clear_filter(session, catalog)
    if place.comparison is not None and is_in_place(catalog, place) and not came_joined(session):
        return end_comparison(session, catalog)
    return up(session, catalog)


def up(session: Session, catalog: Catalog) -> Session:
    """Go back to the table below, which follows where the user went.

    Raises:
        Refused: This is the first table.
    """
    if session.here.body != "table":
        return close_body(session)
    if session.is_lowest:
        raise Refused("this is the first table: Q quits")
    return leave(session, catalog)
