"""The map of two axes: the table whose figures are mapped from here, and the way from a pair of items to its row."""

from dataclasses import replace

from sing_compute.store.definition import TableSpec
from sing_compute.store.place import Key, Place
from sing_tui.session.catalog import Catalog, opened, row_axis
from sing_tui.session.counted import Counted
from sing_tui.session.moves import along_axis, row_keys
from sing_tui.session.stack import enter
from sing_tui.session.state import CONTENTS, Refused, Session, is_figures


def mapped_table(catalog: Catalog, place: Place) -> TableSpec | None:
    """Return the table that a map shows here: this one, or the nearest one that it leads to; None if there is none."""
    if place.table == CONTENTS or isinstance(place, Counted):
        return None
    held = {spec.name for spec in catalog.tables()}
    waiting, seen = [catalog.table(place.table)], {place.table}
    known = {*dict(place.keys), row_axis(place, catalog)}
    while waiting:
        spec = waiting.pop(0)
        axis = along_axis(catalog, Place(spec.name))
        if axis is not None and catalog.is_mapped(spec) and set(spec.within) - {axis} <= known:
            return spec
        further = [table for table in opened(catalog, spec) if table.name in held and table.name not in seen]
        waiting += further
        seen |= {table.name for table in further}
    return None


def map_place(session: Session, catalog: Catalog) -> Place:
    """Return the place of the map, `along` the axis of its rows, for the items of the present place and row.

    Raises:
        Refused: No table that is reached from here has figures of two axes.
    """
    spec = mapped_table(catalog, session.place)
    if spec is None or is_figures(catalog.table(session.place.table), session.place):
        if not any(map(catalog.is_mapped, catalog.tables())):
            raise Refused("a map needs figures of pairs, as of class and concept: this file has none")
        raise Refused("a map needs figures of pairs: open a model or its classes first")
    keys, axis = row_keys(session, catalog), along_axis(catalog, Place(spec.name)) or ""
    kept = {name: keys.get(name) for name in (*spec.within, *spec.options) if name != axis}
    if any(kept.get(name) is None for name in spec.within if name != axis):
        raise Refused("a map needs a row: there is none here")
    return Place.of(spec.name, along=axis, **kept)


def start_of_map(session: Session, catalog: Catalog, place: Place) -> tuple[Key | None, Key | None]:
    """Return the items of the map's rows and columns that the present place and row are about; None where they name none."""
    keys = row_keys(session, catalog)
    return keys.get(place.along), keys.get(catalog.table(place.table).rows)


def open_pair(session: Session, catalog: Catalog, place: Place, row: int, column: int) -> Session:
    """Open the table of one item of a map's rows, the cursor on one item of its columns.

    Args:
        session: The present state.
        catalog: What the file holds.
        place: Place of the map.
        row: Position of the item of the rows on its axis.
        column: The same of the columns.
    """
    there = replace(place, along="").at(**{place.along: row})
    return enter(session, there, identity=column)
