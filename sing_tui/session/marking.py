"""Mark many rows at once: all that pass the filter, from the last mark to the cursor, or the first lines."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import islice

from sing_tui.session.state import Refused, Session

MOST = 100_000
"""Rows that may be marked: each mark is a number in memory, and more are exported without marks."""


def mark_all(session: Session) -> Session:
    """Mark every row that passes the filter; if all of them are marked already, unmark them.

    Raises:
        Refused: There is none, or there are too many.
    """
    shown = session.here.shown
    _check(len(shown))
    known = set(session.here.marks)
    if all(int(row) in known for row in shown):
        gone = {int(row) for row in shown}
        return session.now(replace(session.here, marks=tuple(mark for mark in session.here.marks if mark not in gone)))
    return _marked(session, shown)


def mark_range(session: Session) -> Session:
    """Mark the rows from the one that was marked last to the cursor.

    Raises:
        Refused: No row in the table is marked, or there are too many between.
    """
    here = session.here
    lines = list(map(int, here.shown)) if here.marks else []
    if not here.marks or here.marks[-1] not in lines:
        raise Refused("mark the first row of the range with the space bar, then go to its last row")
    first, last = lines.index(here.marks[-1]), here.line
    _check(abs(last - first) + 1)
    step = 1 if last >= first else -1
    return _marked(session, lines[first + step :: step][: abs(last - first)])


def mark_top(session: Session, count: int) -> Session:
    """Mark the first rows in the order of the table, and these alone.

    Args:
        session: The present state.
        count: How many.

    Raises:
        Refused: The table has fewer rows, or there are too many.
    """
    shown = session.here.shown
    _check(count if len(shown) else 0)
    if count > len(shown):
        raise Refused(f"there are {len(shown):,} rows: A marks all of them")
    return _marked(session.now(replace(session.here, marks=())), islice(shown, count))


def marks_of_top(session: Session) -> int | None:
    """Return of how many first rows the marks are; 0 where nothing is marked, None where other rows are."""
    marks, shown = session.here.marks, session.here.shown
    return len(marks) if set(marks) == set(map(int, islice(shown, len(marks)))) else None


def _marked(session: Session, rows: Iterable[int]) -> Session:
    marks = tuple(dict.fromkeys([*session.here.marks, *(int(row) for row in rows)]))
    _check(len(marks))
    return session.now(replace(session.here, marks=marks))


def _check(count: int) -> None:
    if not count:
        raise Refused("there are no rows to mark")
    if count > MOST:
        raise Refused(
            f"{count:,} rows are more than the {MOST:,} that can be marked: e exports the rows shown without marks"
        )
