"""Another version of the file in the place of the open one: places, cursor and marks follow their items by name."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from sing_compute.store.place import Key, Place
from sing_tui.session.catalog import Catalog, first_place, is_group
from sing_tui.session.counted import Counted
from sing_tui.session.state import FILES, Refused, Session, Visit


class Rows(Catalog, Protocol):
    """A catalog that knows the rows of its tables by name."""

    def row_names(self, place: Place, identities: Sequence[int]) -> list[str]:
        """Names of some rows of a table; empty for those that it does not have."""

    def rows_named(self, place: Place, names: Sequence[str]) -> list[int | None]:
        """Identities of the rows of these names; None where no row, or more than one, has the name."""


def follow_file(session: Session, before: Rows, now: Rows) -> tuple[Session, str]:
    """Return a session about the same items in another version of the file, whose rows may be others or elsewhere.

    A table about an item that is gone is closed, with those above it; marks of rows that are gone are cleared.

    Args:
        session: The state in the file of before.
        before: The file of before.
        now: The file that took its place.

    Returns:
        The state, and one line about what is gone; empty if nothing is.
    """
    visits: list[Visit] = []
    said = ""
    lost = 0
    for visit in session.visits:
        try:
            place = _place(visit.place, before, now)
        except Refused as error:
            said = str(error)
            break
        there = _rows(visit, place, before, now)
        lost += len(visit.marks) - len(there.marks)
        visits.append(there)
    if lost and not said:
        said = f"the file changed: {lost:,} marked {'row is' if lost == 1 else 'rows are'} gone"
    followed = replace(session, visits=tuple(visits) or (Visit(first_place(now)),))
    if followed.typing is not None:  # it goes back to the row under the cursor: the earlier one may be elsewhere
        row = followed.here.identity
        followed = replace(followed, typing=replace(followed.typing, identity=row, chosen=row, line=0))
    return followed, said


def _place(place: Place, before: Rows, now: Rows) -> Place:
    """Return the place of the same items.

    Raises:
        Refused: One of them is gone.
    """
    if isinstance(place, Counted):
        return replace(place, base=_place(place.base, before, now))
    keys = {axis: _key(axis, key, place, before, now) for axis, key in place.keys}
    comparison = place.comparison
    if comparison is not None and comparison.axis != FILES:
        first, *others = comparison.items
        items = [_key(comparison.axis, first, place, before, now)]
        for item in others:
            try:
                items.append(_key(comparison.axis, item, place, before, now))
            except Refused:
                continue
        comparison = replace(comparison, items=tuple(items)) if len(items) > 1 else None
    return replace(place, keys=tuple(keys.items()), comparison=comparison)


def _key(axis: str, key: Key, place: Place, before: Rows, now: Rows) -> Key:
    """Return the key of the same item."""
    if is_group(before, axis):
        if key in now.items(axis, None):
            return key
        raise Refused(f"the file changed: it holds no {now.words(axis)} {key} any more")
    name = before.label(axis, key, place)
    if now.label(axis, key, place) == name:
        return key
    names = list(now.items(axis, place))
    if names.count(name) == 1:
        return names.index(name)
    raise Refused(f"the file changed: it holds no {now.words(axis)} {name} any more")


def _rows(visit: Visit, place: Place, before: Rows, now: Rows) -> Visit:
    """Return a visit with the cursor and the marks on the same rows."""
    cursor = [] if visit.identity is None else [visit.identity]
    wanted = [*cursor, *visit.marks]
    names = before.row_names(visit.place, wanted)
    same = now.row_names(place, wanted)
    moved = [name for name, there in zip(names, same, strict=True) if name and name != there]
    found = dict(zip(moved, now.rows_named(place, moved), strict=True)) if moved else {}
    rows = [
        row if name and name == there else found.get(name) for row, name, there in zip(wanted, names, same, strict=True)
    ]
    identity, marks = (rows[0] if cursor else None), rows[len(cursor) :]
    past = tuple(replace(change, identity=None, line=0) for change in visit.past)
    kept = tuple(row for row in marks if row is not None)
    return replace(visit, place=place, identity=identity, marks=kept, past=past, shown=())
