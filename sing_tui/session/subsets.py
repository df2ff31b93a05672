"""Subsets of images hold on the way from classes to their images, as filters of the table of images."""

import re
from collections.abc import Mapping
from dataclasses import replace

from sing_compute.store.definition import Axis
from sing_compute.store.place import Key, Place
from sing_tui.filter_text import narrowed
from sing_tui.session.arranging import filter_by
from sing_tui.session.catalog import Catalog, free_options, row_axis
from sing_tui.session.counted import Counted
from sing_tui.session.state import Arrangement, Refused, Session, arrangement_at, first_arrangement, is_figures


def selecting_axis(catalog: Catalog, place: Place) -> Axis | None:
    """The axis whose items are subsets of the rows of a table, each with a filter; None where there is none."""
    spec = catalog.table(place.table)
    if place.along or is_figures(spec, place):
        return None
    for table in catalog.tables():
        for name in free_options(catalog, table):
            axis = catalog.axis(name)
            if axis.selects == spec.rows and axis.filter is not None:
                return axis
    return None


def subset_filters(catalog: Catalog, place: Place) -> dict[str, str]:
    """Filters of the subsets of a table's rows, by the names of the subsets; the first keeps all rows."""
    axis = selecting_axis(catalog, place)
    if axis is None or axis.filter is None:
        return {}
    return {str(name): axis.filter(str(name)) for name in catalog.items(axis.name, place)}


def subset_of(catalog: Catalog, place: Place, filter: str) -> str:
    """Name of the subset that a filter keeps; empty if it keeps none, or all rows."""
    if not filter:
        return ""
    return next((name for name, text in subset_filters(catalog, place).items() if text == filter), "")


def within_subset(catalog: Catalog, place: Place, items: Mapping[str, Key | None], filter: str) -> str:
    """The filter of a table whose command line names a subset of its rows: it keeps nothing else.

    Args:
        catalog: What the file holds.
        place: The table.
        items: The items that are named, by axis.
        filter: The filter that is asked for.
    """
    axis = selecting_axis(catalog, place)
    item = None if axis is None else items.get(axis.name)
    if axis is None or not item or place.key(axis.name) is not None:
        return filter
    kept = subset_filters(catalog, place).get(catalog.label(axis.name, item, place), "")
    return filter if not kept or keeps_only(filter, kept) else narrowed(filter, kept)


def keeps_only(filter: str, condition: str) -> bool:
    """Return True if a filter keeps nothing but what a condition does: it says so, and neither `or` nor `not` turns it round."""
    says = re.search(rf"(?<!\w){re.escape(condition)}(?!\w)", filter)
    return says is not None and re.search(r"\b(or|not)\b", filter.replace(condition, ""), re.IGNORECASE) is None


def kept_arrangement(session: Session, catalog: Catalog, place: Place) -> Arrangement | None:
    """Filter of a table that is opened, if a table on the way shows a subset of its rows; None if none does."""
    filters = subset_filters(catalog, place)
    axis = selecting_axis(catalog, place)
    if axis is None:
        return None
    for visit in reversed(session.visits):
        item: Key | None = visit.place.key(axis.name)
        if item:
            text = filters.get(catalog.label(axis.name, item, visit.place), "")
            return replace(first_arrangement(catalog.table(place.table), place), filter=text)
    return None


def came_filtered(session: Session, catalog: Catalog) -> bool:
    """Return True if the present filter is the one that the table was opened with."""
    below = session.below
    if below is not None and isinstance(below.place, Counted) and below.place.base == session.place:
        present = arrangement_at(session.here, catalog.table(session.place.table))
        return below.identity is not None and present.filter == catalog.condition(below.place, below.identity)
    before = replace(session, visits=session.visits[:-1])
    kept = kept_arrangement(before, catalog, session.place) if before.visits else None
    present = arrangement_at(session.here, catalog.table(session.place.table))
    return kept is not None and bool(kept.filter) and kept.filter == present.filter


def next_filtered_subset(session: Session, catalog: Catalog) -> Session:
    """Keep the rows of the next subset.

    Raises:
        Refused: The table has no subsets, or another filter is there.
    """
    place = session.place
    filters = list(subset_filters(catalog, place).values())
    if len(filters) < 2:
        raise Refused("this table has no subsets")
    present = arrangement_at(session.here, catalog.table(place.table)).filter
    if present and present not in filters:
        raise Refused(f"a filter is there: F clears it, then v keeps one subset of the {row_axis(place, catalog)}s")
    return filter_by(session, catalog, filters[(filters.index(present) + 1) % len(filters)])
