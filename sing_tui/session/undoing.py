"""Undo changes of filter, sort and columns, one after another, at each table of its own."""

from dataclasses import replace

from sing_compute.store.place import Place
from sing_tui.session.arranging import arrange_as, arrangement
from sing_tui.session.catalog import Catalog
from sing_tui.session.state import Before, Refused, Session, rows_kind

_MOST = 100
"""Changes that can be undone."""


def remembering(old: Session, new: Session, catalog: Catalog) -> Session:
    """Return a new state that can be undone, if filter, sort or columns of the present table were changed.

    Args:
        old: The state before the change. While a filter is typed it is the one from which typing began that counts.
        new: The state after it.
        catalog: What the file holds.
    """
    kind, rows = _kind(new.place), rows_kind(new.place)
    if new.typing is not None or len(new.visits) != len(old.visits) or _kind(old.place) != kind:
        return new  # a comparison begins and ends with a sort of its own, which nobody chose
    if len(new.here.past) < len(old.here.past):
        return new  # this was an undo
    typing, here = old.typing, old.here
    typed = typing is not None and typing.purpose == "filter"
    before = typing.arrangement if typing is not None and typed else arrangement(old, catalog)
    if before == arrangement(new, catalog) and old.columns.get(rows, ()) == new.columns.get(rows, ()):
        return new
    identity, line = (typing.identity, typing.line) if typing is not None and typed else (here.identity, here.line)
    past = (*here.past, Before(kind, before, old.columns.get(rows, ()), identity, line))[-_MOST:]
    return new.now(replace(new.here, past=past))


def undo(session: Session) -> Session:
    """Go back to filter, sort and columns of before their last change here.

    Raises:
        Refused: Nothing was changed here.
    """
    kind, here = _kind(session.place), session.here
    at = next((at for at in reversed(range(len(here.past))) if here.past[at].kind == kind), None)
    if at is None:
        raise Refused("nothing to undo: filter, sort and columns are as this table was opened")
    before = here.past[at]
    kept = replace(here, past=(*here.past[:at], *here.past[at + 1 :]), identity=before.identity, line=before.line)
    restored = arrange_as(session.now(kept), before.arrangement)
    return replace(restored, columns={**session.columns, rows_kind(session.place): before.columns})


def _kind(place: Place) -> str:
    """Name of the kind of rows at a place, with what is compared: columns of one comparison are not in another."""
    return rows_kind(place) if place.comparison is None else f"{rows_kind(place)}, {place.comparison}"
