"""Two open files: the same place of both side by side is a comparison along an axis of its own, that of the files."""

from collections.abc import Callable
from dataclasses import replace

from sing_compute.store.definition import Axis
from sing_compute.store.place import Comparison, Place
from sing_tui.session.catalog import Catalog, row_axis
from sing_tui.session.counted import Counted
from sing_tui.session.state import CONTENTS, FILES, Refused, Session, is_figures

FILES_AXIS = Axis(FILES, "the open files", group="files")
"""A catalog of two files has this axis; no file declares it."""


def is_joined(place: Place) -> bool:
    """Return True if a place is shown in both files."""
    return place.comparison is not None and place.comparison.axis == FILES


def can_join(catalog: Catalog, place: Place) -> bool:
    """Return True if a place can be shown in both files."""
    built_in = place.table == CONTENTS or isinstance(place, Counted)
    return len(catalog.files) > 1 and not built_in and place.comparison is None


def joined(catalog: Catalog, place: Place, column: str = "") -> Place:
    """Return a plain place, shown in both files.

    Args:
        catalog: What the files hold.
        place: The place.
        column: The column to compare in; empty for the one that the table declares, or else its first number.

    Raises:
        SingError: No column is declared, and one of the files does not hold the place.
    """
    files = tuple(catalog.files)
    column = column or catalog.table(place.table).measure
    if not column:
        column = next(iter(catalog.measures(replace(place, comparison=Comparison(FILES, files, "")))), "")
    return replace(place, comparison=Comparison(FILES, files, column))


def in_both(step: Callable[[Session], Session], session: Session, catalog: Catalog) -> Session:
    """Take a step into another table; from a table of both files it leads to one of both.

    Raises:
        Refused: The row under the cursor is in the second file alone.
    """
    if not is_figures(catalog.table(session.place.table), session.place):
        refuse_second_alone(session, catalog)
    return carried(session, step(session), catalog)


def refuse_second_alone(session: Session, catalog: Catalog) -> None:
    """Refuse to go into a row that the first file lacks.

    Raises:
        Refused: The row under the cursor is in the second file alone.
    """
    place, identity = session.place, session.here.identity
    if is_joined(place) and identity is not None and identity >= catalog.count(row_axis(place, catalog), place):
        raise Refused(f"this row is in {catalog.files[1]} alone: open that file by itself to go on")


def carried(old: Session, new: Session, catalog: Catalog) -> Session:
    """The new session; where the old one showed both files, and a table was opened, it shows both files, too."""
    opened = len(new.visits) >= len(old.visits) and new.place != old.place
    if not opened or not (is_joined(old.place) or old.place.table == CONTENTS) or not can_join(catalog, new.place):
        return new
    return new.now(replace(new.here, place=joined(catalog, new.place)))


def came_joined(session: Session) -> bool:
    """Return True if a table of both files was opened from another one, or from the list of tables."""
    below = session.below
    return below is not None and is_joined(session.place) and (is_joined(below.place) or below.place.table == CONTENTS)
