"""Count the rows of a table by some of its columns, and open the rows behind one count."""

from dataclasses import replace

from sing_tui.session.arranging import arrangement
from sing_tui.session.catalog import Catalog
from sing_tui.session.counted import Counted, counted
from sing_tui.session.stack import enter
from sing_tui.session.state import CONTENTS, Refused, Session, first_arrangement, row_under_cursor


def may_count(session: Session) -> None:
    """Check that the rows of the present table can be counted.

    Raises:
        Refused: They are counts themselves, or the list of tables.
    """
    if isinstance(session.place, Counted):
        raise Refused("these rows are counts: Esc goes back, there C counts by other columns")
    if session.place.table == CONTENTS:
        raise Refused("this is the list of tables: open one, then count its rows")


def count_by(session: Session, catalog: Catalog, by: tuple[str, ...]) -> Session:
    """Open the counts of the rows that pass the present filter.

    Args:
        session: The present state.
        catalog: What the file holds.
        by: The columns, as `Counted.by`.

    Raises:
        Refused: The rows cannot be counted.
    """
    may_count(session)
    return enter(session, counted(session.place, arrangement(session, catalog).filter, by))


def open_counted(session: Session, catalog: Catalog) -> Session:
    """Open the table that is counted, with a filter that keeps exactly the rows of the count under the cursor.

    Raises:
        Refused: The rows are no counts, or there is no row.
    """
    place = session.place
    if not isinstance(place, Counted):
        raise Refused("these rows are no counts: C counts them")
    identity = row_under_cursor(session)
    wanted = first_arrangement(catalog.table(place.base.table), place.base)
    return enter(session, place.base, arrangement=replace(wanted, filter=catalog.condition(place, identity)))
