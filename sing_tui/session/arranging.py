"""Changes on the spot: sort, filter, columns, marks, and what fills the screen."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from sing_tui.session.catalog import Catalog
from sing_tui.session.state import (
    Arrangement,
    Purpose,
    Refused,
    Session,
    Typing,
    arranged,
    arrangement_at,
    chosen_row,
    columns_at,
    row_under_cursor,
    rows_kind,
)


def arrangement(session: Session, catalog: Catalog) -> Arrangement:
    """Filter and sort of the present table."""
    return arrangement_at(session.here, catalog.table(session.place.table))


def arrange_as(session: Session, wanted: Arrangement) -> Session:
    """Filter and sort the present table in another way."""
    return session.now(arranged(session.here, wanted))


def shown_as(session: Session, catalog: Catalog, shown: Arrangement) -> Session:
    """The state after a table was read: filtered and sorted as far as they fit it.

    Args:
        session: The present state.
        catalog: What the file holds.
        shown: Filter and sort of the table that was read.
    """
    wanted = arrangement(session, catalog).filter
    found = arrange_as(session, shown)
    dropped = wanted and not shown.filter and session.place.comparison is not None
    return found.now(replace(found.here, dropped=wanted)) if dropped else found


def sort_by(session: Session, catalog: Catalog, column: str, *, is_text: bool, to_top: bool = True) -> Session:
    """Sort by a column: numbers first descending, text ascending; the column that is sorted by is reversed.

    A second column stays only where the first one stays.

    Args:
        session: The present state.
        catalog: What the file holds.
        column: The column's name.
        is_text: True if its cells are text.
        to_top: True to go to the first row, so that the largest is seen; False to stay on the row.
    """
    present = arrangement(session, catalog)
    descending = not present.descending if present.sort == column else not is_text
    wanted = replace(present, sort=column, descending=descending)
    if present.sort != column:
        wanted = replace(wanted, then="", then_descending=False)
    found = arrange_as(session, wanted)
    return at_top(found) if to_top else found


def sort_also_by(session: Session, catalog: Catalog, column: str, *, is_text: bool) -> Session:
    """Sort rows that are equal in the column that is sorted by, by another one; once more reverses it.

    Args:
        session: The present state.
        catalog: What the file holds.
        column: The second column's name.
        is_text: True if its cells are text.
    """
    present = arrangement(session, catalog)
    if present.sort in ("", column):
        return sort_by(session, catalog, column, is_text=is_text)
    descending = not present.then_descending if present.then == column else not is_text
    return at_top(arrange_as(session, replace(present, then=column, then_descending=descending)))


def at_top(session: Session) -> Session:
    """Put the cursor on the first line, whatever row that is."""
    return session.now(replace(session.here, identity=None, line=0))


def reverse_sort(session: Session, catalog: Catalog) -> Session:
    """Reverse the sort.

    Raises:
        Refused: Nothing is sorted.
    """
    present = arrangement(session, catalog)
    if not present.sort:
        raise Refused("nothing is sorted: choose a column with the arrow keys, then s")
    turned = replace(present, descending=not present.descending)
    if present.then:
        turned = replace(turned, then_descending=not present.then_descending)
    return at_top(arrange_as(session, turned))


def unsort(session: Session, catalog: Catalog) -> Session:
    """Show the rows in the order of the file; the filter stays.

    Raises:
        Refused: They are shown in that order.
    """
    present = arrangement(session, catalog)
    if not present.sort:
        raise Refused("nothing is sorted: the rows are in the order of the file")
    return arrange_as(session, Arrangement(present.filter))


def filter_by(session: Session, catalog: Catalog, text: str) -> Session:
    """Keep the rows that pass another filter; the sort stays.

    The cursor stays on the row that was chosen (`chosen_row`), else it goes to the first line. With every letter of a filter that
    is being typed this is the row of before, or the one that the cursor was moved to: those that half a filter keeps were not
    chosen.
    """
    typing, here, present = session.typing, session.here, arrangement(session, catalog)
    if typing is None and text.strip() == present.filter:
        return session
    kept = replace(here, identity=chosen_row(here) if typing is None else typing.chosen, line=0)
    return arrange_as(session.now(kept), replace(present, filter=text.strip()))


def clear_filter(session: Session, catalog: Catalog) -> Session:
    """Show all rows.

    Raises:
        Refused: There is no filter.
    """
    if not arrangement(session, catalog).filter:
        raise Refused("there is no filter: f begins one")
    return filter_by(session, catalog, "")


def choosable_columns(session: Session, every: Sequence[str]) -> tuple[str, ...]:
    """Names of the columns that are painted, among those that can be chosen.

    Raises:
        Refused: In a comparison all columns are painted.
    """
    if session.place.comparison is not None:
        raise Refused("these columns are compared side by side: = goes back to the plain table")
    return columns_at(session) or tuple(every)


def choose_columns(session: Session, names: Collection[str], every: Sequence[str]) -> Session:
    """Paint these columns of the present kind of rows, and no others."""
    chosen = () if set(names) >= set(every) else tuple(name for name in every if name in names)
    return replace(session, columns={**session.columns, rows_kind(session.place): chosen})


def mark(session: Session) -> Session:
    """Mark the row under the cursor, or no longer.

    Raises:
        Refused: There is no row.
    """
    here, row = session.here, row_under_cursor(session)
    others = tuple(mark for mark in here.marks if mark != row)
    return session.now(replace(here, marks=others if len(others) < len(here.marks) else (*others, row)))


def unmark(session: Session) -> Session:
    """Clear all marks.

    Raises:
        Refused: Nothing is marked.
    """
    if not session.here.marks:
        raise Refused("nothing is marked: the space bar marks a row")
    return session.now(replace(session.here, marks=()))


def show_details(session: Session, *, wide: bool) -> Session:
    """Step through the ways to see details: next to the table, alone, not at all; alone or not where there is no room.

    Args:
        session: The present state.
        wide: True if there is room for details next to the table.
    """
    here = session.here
    if not wide:
        return session.now(replace(here, body="table" if here.body == "details" else "details", chart=""))
    if here.body == "details":
        return session.now(replace(here, body="table", details=False))
    if here.details and here.body == "table":
        return session.now(replace(here, body="details"))
    return session.now(replace(here, body="table", chart="", details=True))


def show_chart(session: Session, name: str) -> Session:
    """Fill the screen with a chart (empty: the chart of the row itself); the one that is there closes."""
    here = session.here
    if here.body == "chart" and here.chart == name:
        return close_body(session)
    return session.now(replace(here, body="chart", chart=name))


def chart_name(session: Session, catalog: Catalog, number: int) -> str:
    """Name of the chart on a number key.

    Raises:
        Refused: This table has fewer charts.
    """
    charts = catalog.table(session.place.table).charts
    if not 0 < number <= len(charts):
        raise Refused(f"this table has no chart {number}")
    return charts[number - 1]


def close_body(session: Session) -> Session:
    """Fill the screen with the table."""
    return session.now(replace(session.here, body="table", chart=""))


def start_typing(session: Session, catalog: Catalog, purpose: Purpose) -> Session:
    """Open the typing line; the present filter and cursor are what giving up returns to."""
    here = session.here
    present = arrangement(session, catalog)
    return replace(session, typing=Typing(purpose, present, here.line, here.identity, chosen_row(here)))


def stop_typing(session: Session) -> Session:
    """Close the typing line; what was typed stays."""
    return replace(session, typing=None)


def give_up_typing(session: Session) -> Session:
    """Close the typing line, and go back to filter and cursor of before."""
    typing = session.typing
    if typing is None:
        return session
    back = arrange_as(session, typing.arrangement) if typing.purpose == "filter" else session
    return replace(back.now(replace(back.here, identity=typing.identity, line=typing.line)), typing=None)


def look_for(session: Session, words: str) -> Session:
    """Remember the words that are searched for."""
    return session.now(replace(session.here, looked_for=words.strip()))


def words_to_find(session: Session) -> str:
    """The words that were searched for last.

    Raises:
        Refused: Nothing was searched for.
    """
    if not session.here.looked_for:
        raise Refused("nothing was looked for yet: / starts")
    return session.here.looked_for
