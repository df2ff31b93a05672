"""Misclassified items: the rows of a declared table in which truth and prediction differ, and their pairs, counted."""

from dataclasses import replace

from sing_compute.store.definition import TableSpec
from sing_compute.store.place import Place
from sing_tui.filter_text import narrowed
from sing_tui.session.arranging import arrangement
from sing_tui.session.catalog import Catalog, place_of, plural
from sing_tui.session.counted import Counted, counted
from sing_tui.session.files import refuse_second_alone
from sing_tui.session.moves import row_keys
from sing_tui.session.stack import enter
from sing_tui.session.state import Refused, Session, first_arrangement, is_figures
from sing_tui.session.subsets import keeps_only


def predicted_table(catalog: Catalog, place: Place) -> TableSpec | None:
    """The table whose rows have a true and a predicted class, if a place leads to it or is it; None if there is none."""
    here = catalog.table(place.table)
    if isinstance(place, Counted) or is_figures(here, place):
        return None
    if here.confused:
        return here
    known = {*(axis for axis, _ in place.keys), here.rows}
    return next((spec for spec in catalog.tables() if spec.confused and set(spec.within) <= known), None)


def misclassified(session: Session, catalog: Catalog) -> Session:
    """Open the misclassified items of the row under the cursor; on a table of items, count their pairs of classes.

    Raises:
        Refused: Nothing here has a true and a predicted class.
    """
    place, here = session.place, catalog.table(session.place.table)
    spec = predicted_table(catalog, place)
    if spec is None:
        said = "these are counts: Enter opens their rows" if isinstance(place, Counted) else "nothing here is predicted"
        raise Refused(said)
    truth, answer = spec.confused or ("", "")
    errors = f"{answer} != {truth}"
    if spec is here:
        present = arrangement(session, catalog).filter
        if present and place.comparison is not None:
            raise Refused("this filter is about what is side by side: F clears it, or = goes back to the plain table")
        if session.here.identity is None and errors == present:
            raise Refused(f"there are no misclassified {plural(catalog, spec.rows)} here to count")
        wanted = present if keeps_only(present, errors) else narrowed(present, errors)
        return enter(session, counted(replace(place, comparison=None), wanted, (truth, answer)))
    if session.here.identity is None:
        raise Refused(f"there is no row here whose {plural(catalog, spec.rows)} could be opened")
    refuse_second_alone(session, catalog)
    there = place_of(catalog, spec, row_keys(session, catalog))
    return enter(session, there, arrangement=replace(first_arrangement(spec, there), filter=errors))
