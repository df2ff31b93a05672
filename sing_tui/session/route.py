"""The visits from the first table of a file to a place, each with the cursor on the row that leads on."""

from collections.abc import Mapping

from sing_compute.store.definition import TableSpec
from sing_compute.store.place import Key, Place
from sing_tui.session.catalog import Catalog, first_place, place_of, position_of, reaches, with_defaults
from sing_tui.session.state import CONTENTS, Visit, is_figures


def route(catalog: Catalog, place: Place, keys: Mapping[str, Key | None] | None = None) -> tuple[Visit, ...]:
    """Return the visits to a place, the place itself last.

    Args:
        catalog: What the file holds.
        place: Where the way ends.
        keys: Further items that tables on the way are about, by axis.
    """
    spec = catalog.table(place.table)
    named: dict[str, Key | None] = {**(keys or {}), **dict(place.keys)}
    if is_figures(spec, place) and place.comparison is not None and place.comparison.axis == spec.rows:
        named[spec.rows] = place.comparison.items[0]
    visits = []
    tables = [table for table in catalog.tables() if _is_on_the_way(catalog, table, spec, place)]
    for table in sorted(tables, key=lambda table: len(table.within)):
        known = with_defaults(catalog, table.within, named, place)
        item = known.get(table.rows)
        if all(known.get(axis) is not None for axis in table.within) and (item is not None or not table.within):
            there = place_of(catalog, table, known)
            if there != place:
                visits.append(Visit(there, identity=position_of(catalog, table.rows, item, place)))
    first = first_place(catalog)
    visits.append(Visit(place))
    if first.table == CONTENTS and place != first:
        names = list(catalog.items(CONTENTS, None))
        root = visits[0].place.table
        visits.insert(0, Visit(first, identity=names.index(root) if root in names else None))
    return tuple(visits)


def _is_on_the_way(catalog: Catalog, table: TableSpec, spec: TableSpec, place: Place) -> bool:
    if table.name != spec.name:
        return reaches(catalog, table, spec.name)
    return bool(place.along) or is_figures(spec, place)
