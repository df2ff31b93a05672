"""Comparisons: several items of one axis side by side, in one column or by their figures."""

from dataclasses import replace

from sing_compute.store.definition import TableSpec
from sing_compute.store.place import Comparison, Key, Place
from sing_tui.session.catalog import (
    Catalog,
    deeper,
    is_group,
    key_of,
    place_of,
    plural,
    reaches,
    row_axis,
)
from sing_tui.session.files import can_join, is_joined, joined, refuse_second_alone
from sing_tui.session.stack import enter, leave
from sing_tui.session.state import (
    FILES,
    Arrangement,
    Refused,
    Session,
    arranged,
    arrangement_at,
    is_figures,
    row_under_cursor,
)


def group_compared(catalog: Catalog, spec: TableSpec) -> str | None:
    """The axis that is compared in place: the first group that a table is within; None where it is within none."""
    return next((axis for axis in spec.within if is_group(catalog, axis)), None)


def is_in_place(catalog: Catalog, place: Place) -> bool:
    """Return True if a comparison took the place of its plain table; False if it was opened above another one."""
    spec, comparison = catalog.table(place.table), place.comparison
    if comparison is None or is_figures(spec, place):
        return False
    return comparison.axis in (FILES, group_compared(catalog, spec))


def items_to_compare(session: Session, catalog: Catalog, axis: str, first: Key) -> tuple[Key, ...]:
    """The items of an axis that were marked below, or all; `first` in front: the others are compared with it."""
    chosen: list[Key] = list(catalog.items(axis, None)) if is_group(catalog, axis) else []
    for visit in session.visits:
        place = visit.place
        plain = not place.along and place.comparison is None
        if plain and catalog.table(place.table).rows == axis and len(visit.marks) > 1:
            known = catalog.count(axis, place)
            chosen = [key_of(catalog, axis, mark, place) for mark in visit.marks if mark < known]
            break
    return (first, *(item for item in chosen if item != first))


def compare(session: Session, catalog: Catalog, column: str = "") -> Session:
    """Put the members of a group, or the marked rows by the table that they lead to, side by side; once more goes back.

    Where rows are marked exactly these are compared, and the first that was marked is the one that the others are compared with.

    Args:
        session: The present state.
        catalog: What the file holds.
        column: The column under the cursor, if it can be compared.

    Raises:
        Refused: There is nothing to compare here.
    """
    place, here = session.place, session.here
    if is_joined(place) and not place.along and not is_figures(catalog.table(place.table), place):
        return _figures_in_both(session, catalog)
    if place.comparison is not None:
        return end_comparison(session, catalog)
    spec, rows = catalog.table(place.table), row_axis(place, catalog)
    target = _table_of_rows(catalog, spec, place)
    if target is not None and len(here.marks) > 1:
        items: tuple[Key, ...] = here.marks
        keys = {**dict(place.keys), rows: items[0]}
        comparison = Comparison(rows, items, target.measure)
        return enter(session, replace(place_of(catalog, target, keys), comparison=comparison))
    axis = rows if is_group(catalog, rows) else group_compared(catalog, spec)
    if axis is None or catalog.count(axis, None) < 2:
        one = f"this file holds one {catalog.words(axis)}; " if axis is not None else ""
        raise Refused(f"{one}{_hint(catalog, spec)}")
    if place.along and is_group(catalog, place.along):
        word = plural(catalog, axis)
        raise Refused(f"here the {word} are rows of one table: go back to compare all their figures")
    if place.along:
        models = plural(catalog, axis)
        one, everywhere = catalog.words(spec.rows), plural(catalog, place.along)
        raise Refused(f"one {one} is shown in all {everywhere}: go back to compare {models}")
    if axis == rows:
        reference = here.marks[0] if len(here.marks) > 1 else row_under_cursor(session)
        first = key_of(catalog, axis, reference)
        figures = Comparison(axis, items_to_compare(session, catalog, axis, first), "")
        return enter(session, replace(place, comparison=figures))
    first_item = place.key(axis)
    if first_item is None:
        raise Refused(f"this table names no {catalog.words(axis)}")
    items = items_to_compare(session, catalog, axis, first_item)
    return _compared(session, catalog, Comparison(axis, items, column or spec.measure))


def _figures_in_both(session: Session, catalog: Catalog) -> Session:
    """Show all figures of the row under the cursor in both files."""
    place, identity = session.place, row_under_cursor(session)
    refuse_second_alone(session, catalog)
    rows = catalog.table(place.table).rows
    item = key_of(catalog, rows, identity, place)
    return enter(session, replace(place, comparison=Comparison(FILES, tuple(catalog.files), "")).at(**{rows: item}))


def _table_of_rows(catalog: Catalog, spec: TableSpec, place: Place) -> TableSpec | None:
    """The table by which marked rows are compared; None where its rows cannot be."""
    if is_group(catalog, row_axis(place, catalog)):
        return None
    if place.along:
        return spec
    tables = deeper(catalog, spec)
    return tables[0] if tables else None


def _hint(catalog: Catalog, spec: TableSpec) -> str:
    """Say where rows can be marked to compare them, near a table."""
    for table in catalog.tables():
        near = table.name == spec.name or reaches(catalog, table, spec.name) or reaches(catalog, spec, table.name)
        if near and not is_group(catalog, table.rows) and deeper(catalog, table):
            rows, below = catalog.words(table.name), catalog.words(deeper(catalog, table)[0].name)
            return f"mark two {rows} (space) to compare their {below}"
    return "its rows cannot be compared"


def _compared(session: Session, catalog: Catalog, comparison: Comparison) -> Session:
    """Compare in place; a table that is sorted is sorted by what is compared."""
    here = session.here
    present = arrangement_at(here, catalog.table(here.place.table))
    plain = present if here.place.comparison is None else here.plain
    here = arranged(here, _sorted_by(present, comparison.measure))
    return session.now(replace(here, place=replace(here.place, comparison=comparison), plain=plain, line=0, shown=()))


def _sorted_by(present: Arrangement, measure: str) -> Arrangement:
    return replace(present, sort=measure if present.sort else "")


def end_comparison(session: Session, catalog: Catalog) -> Session:
    """Go back to the plain table; a comparison that was opened above another table closes.

    A sort that nobody changed in the comparison is as before it, and a filter that it could not keep is there again.
    """
    here, place = session.here, session.place
    if not is_in_place(catalog, place):
        return leave(session.now(replace(here, place=place.plain)), catalog)
    spec = catalog.table(place.table)
    present = arrangement_at(here, spec)
    measure, plain = "" if place.comparison is None else place.comparison.measure, here.plain
    if plain is not None and present == replace(_sorted_by(plain, measure), filter=present.filter):
        present = replace(plain, filter=present.filter)
    elif measure and present.sort and present.sort not in (spec.label, *spec.naming):
        present = replace(present, sort=measure)
    here = arranged(here, replace(present, filter=present.filter or here.dropped))
    if is_joined(place):  # marks of rows that only the second file has are gone
        known = catalog.count(row_axis(place, catalog), place)
        here = replace(here, marks=tuple(mark for mark in here.marks if mark < known))
    return session.now(replace(here, place=place.plain, plain=None, dropped="", line=0, shown=()))


def join(session: Session, catalog: Catalog, column: str = "") -> Session:
    """Show the present table in both open files side by side; once more shows it in the first file alone.

    Args:
        session: The present state.
        catalog: What the files hold.
        column: The column under the cursor, if it can be compared.

    Raises:
        Refused: One file is open, or this place is of one file.
    """
    place = session.place
    if len(catalog.files) < 2:
        raise Refused("one file is open: sing-tui A.h5 B.h5 shows the same table of two files")
    if is_joined(place):
        return end_comparison(session, catalog)
    if place.comparison is not None:
        raise Refused("= ends this comparison; then B shows the table in both files")
    if not can_join(catalog, place):
        raise Refused("this list is of one file: Esc or Enter leads to a table that both files have")
    there = joined(catalog, place, column)
    return session if there.comparison is None else _compared(session, catalog, there.comparison)


def next_measure(session: Session, catalog: Catalog, by: int) -> Session:
    """Compare in the next (by = 1) or previous (by = -1) column of the plain table that can be compared.

    Raises:
        Refused: Nothing is compared here, or all figures are.
    """
    place, comparison = session.place, session.place.comparison
    spec = catalog.table(place.table)
    if comparison is None:
        axis = group_compared(catalog, spec) or spec.rows
        raise Refused(f"nothing is compared here: = puts {plural(catalog, axis)} side by side")
    if is_figures(spec, place):
        raise Refused(f"all figures of these {plural(catalog, spec.rows)} are here already")
    names = list(catalog.measures(place if is_joined(place) else place.plain))
    at = (names.index(comparison.measure) + by) % len(names) if comparison.measure in names else 0
    return _compared(session, catalog, replace(comparison, measure=names[at]))
