"""The stack of visits: open a table above another one, show another table in place, close it, and follow what was done there."""

from dataclasses import replace

from sing_compute.store.place import Key, Place
from sing_tui.session.catalog import Catalog, deeper, position_of, row_axis
from sing_tui.session.names import key_labels
from sing_tui.session.state import Arrangement, Session, Visit, arranged, is_figures


def enter(
    session: Session, place: Place, *, identity: int | None = None, arrangement: Arrangement | None = None
) -> Session:
    """Open a place above the present one.

    Args:
        session: The present state.
        place: The table to open.
        identity: The row for the cursor.
        arrangement: Filter and sort there; None for the first ones of the table.
    """
    visit = Visit(place, identity=identity)
    if arrangement is not None:
        visit = arranged(visit, arrangement)
    return replace(session, visits=(*session.visits, visit), typing=None)


def enter_as(session: Session, other: Session) -> Session:
    """Open the place of another session above the present one, with the filter, sort, columns and chart that it has there."""
    columns = {**session.columns, **other.columns}
    return replace(session, visits=(*session.visits, other.here), columns=columns, typing=None)


def move(session: Session, catalog: Catalog, place: Place, *, identity: int | None) -> Session:
    """Show another table in place, the cursor on an item; marks stay where the rows are the same things."""
    here = session.here
    marks = here.marks if same_rows(here.place, place, catalog) else ()
    return session.now(replace(here, place=place, identity=identity, line=0, marks=marks, shown=()))


def same_rows(one: Place, other: Place, catalog: Catalog) -> bool:
    """Return True if the rows of two places are the same kind of things, and an identity means the same in both."""
    if one.table != other.table or one.along != other.along:
        return False
    spec = catalog.table(one.table)
    if is_figures(spec, one) != is_figures(spec, other):
        return False
    parent = catalog.axis(row_axis(one, catalog)).parent
    return not parent or one.key(parent) == other.key(parent)


def with_member(place: Place, axis: str, name: Key) -> Place:
    """The same table of another member of a group; in a comparison of members, the others are compared with it."""
    comparison = place.comparison
    if comparison is not None and comparison.axis == axis:
        comparison = replace(comparison, items=(name, *(item for item in comparison.items if item != name)))
    return replace(place, comparison=comparison).at(**{axis: name})


def leave(session: Session, catalog: Catalog) -> Session:
    """Close the present table."""
    *rest, below, gone = session.visits
    return replace(session, visits=(*rest, follow(below, gone.place, catalog)), typing=None)


def leave_to(session: Session, catalog: Catalog, depth: int) -> Session:
    """Close tables until the place is about as many items as its line at the top names up to a step.

    Args:
        session: The present state.
        catalog: What the file holds.
        depth: Number of items: 0 for the first table of the file.
    """
    while len(session.visits) > 1 and (not depth or len(key_labels(catalog, session.place)) > depth):
        session = leave(session, catalog)
    return session.now(replace(session.here, body="table", chart=""))


def follow(visit: Visit, gone: Place, catalog: Catalog) -> Visit:
    """A visit after the place that was opened from it: it takes over that place's keys, and the row that leads there."""
    place = visit.place
    spec = catalog.table(place.table)
    about_rows = [table.name for table in deeper(catalog, spec)]
    opened_here = gone.table in about_rows or (bool(place.along) and gone.table == place.table)
    changed = place
    if opened_here and not gone.along:
        for axis in spec.within:
            there, here = gone.key(axis), place.key(axis)
            if there is not None and here is not None and there != here:
                changed = with_member(changed, axis, there)
    axis = row_axis(place, catalog)
    wanted = None if is_figures(spec, place) else position_of(catalog, axis, gone.key(axis), gone)
    if changed != place:
        return replace(visit, place=changed, identity=wanted, line=0, shown=())
    if wanted is None or (len(visit.shown) and wanted not in visit.shown):
        return visit
    return replace(visit, identity=wanted)
