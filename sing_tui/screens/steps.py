"""Keys that change the session and nothing else, by the names in their bindings."""

from collections.abc import Callable
from dataclasses import dataclass

from sing_compute.store import Column
from sing_tui.session import Session
from sing_tui.session.arranging import (
    chart_name,
    clear_filter,
    mark,
    reverse_sort,
    show_chart,
    show_details,
    sort_also_by,
    sort_by,
    unmark,
    unsort,
)
from sing_tui.session.catalog import Catalog
from sing_tui.session.comparison import compare, join, next_measure
from sing_tui.session.counted import Counted
from sing_tui.session.counting import open_counted
from sing_tui.session.files import in_both, refuse_second_alone
from sing_tui.session.marking import mark_all, mark_range
from sing_tui.session.misclassified import misclassified
from sing_tui.session.moves import (
    Which,
    go_along,
    next_subset,
    open_further,
    open_row,
    open_second,
    step,
    up,
)
from sing_tui.session.state import row_under_cursor
from sing_tui.session.undoing import undo
from sing_tui.store_catalog import is_measure
from sing_tui.view import sortable


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The rest of what a step depends on."""

    catalog: Catalog
    column: Column | None
    """The column under the cursor."""
    wide: bool
    """True if there is room for details next to the table."""


Step = Callable[..., Session]
"""A function of the session, its surroundings, and the arguments in the binding."""


def _sort(session: Session, around: Surroundings, to_top: int = 1) -> Session:
    if around.column is None:
        return session
    column = sortable(around.column)
    return sort_by(session, around.catalog, column.name, is_text=column.is_text, to_top=bool(to_top))


def _also(session: Session, around: Surroundings) -> Session:
    if around.column is None:
        return session
    column = sortable(around.column)
    return sort_also_by(session, around.catalog, column.name, is_text=column.is_text)


def _join(session: Session, around: Surroundings) -> Session:
    column = around.column
    return join(session, around.catalog, "" if column is None or not is_measure(column) else column.name)


def _in_both(step: Step) -> Step:
    """The step; from a table of both files it leads to one of both."""
    return lambda session, around, *arguments: in_both(
        lambda session: step(session, around, *arguments), session, around.catalog
    )


def _open(session: Session, around: Surroundings) -> Session:
    if isinstance(session.place, Counted):
        return open_counted(session, around.catalog)
    return open_row(session, around.catalog, wide=around.wide)


def _compare(session: Session, around: Surroundings) -> Session:
    column = around.column
    measure = "" if column is None or not is_measure(column) else column.name
    return compare(session, around.catalog, measure)


def _neighbour(session: Session, around: Surroundings, which: Which, by: int) -> Session:
    return step(session, around.catalog, which, by)


def _measure(session: Session, around: Surroundings, by: int) -> Session:
    return next_measure(session, around.catalog, by)


def _details(session: Session, around: Surroundings) -> Session:
    _needs_row(session)
    return show_details(session, wide=around.wide)


def _needs_row(session: Session) -> None:
    """Refuse to fill the screen with what is about a row where there is none.

    Raises:
        Refused: The table has no row.
    """
    if session.here.body == "table":
        row_under_cursor(session)


def _chart(session: Session, around: Surroundings, chart: str | int) -> Session:
    _needs_row(session)
    name = chart if isinstance(chart, str) else chart_name(session, around.catalog, chart)
    if name:
        refuse_second_alone(session, around.catalog)
    return show_chart(session, name)


STEPS: dict[str, Step] = {
    "open": _in_both(_open),
    "second": _in_both(lambda session, around: open_second(session, around.catalog)),
    "first": _in_both(lambda session, around: open_second(session, around.catalog)),
    "further": _in_both(lambda session, around, number: open_further(session, around.catalog, number)),
    "along": _in_both(lambda session, around: go_along(session, around.catalog)),
    "neighbour": _neighbour,
    "subset": lambda session, around: next_subset(session, around.catalog),
    "up": lambda session, around: up(session, around.catalog),
    "compare": _compare,
    "files": _join,
    "measure": _measure,
    "sort": _sort,
    "also": _also,
    "reverse": lambda session, around: reverse_sort(session, around.catalog),
    "unsort": lambda session, around: unsort(session, around.catalog),
    "clear": lambda session, around: clear_filter(session, around.catalog),
    "details": _details,
    "chart": _chart,
    "mark": lambda session, around: mark(session),
    "mark_all": lambda session, around: mark_all(session),
    "mark_range": lambda session, around: mark_range(session),
    "unmark": lambda session, around: unmark(session),
    "undo": lambda session, around: undo(session),
    "misclassified": lambda session, around: misclassified(session, around.catalog),
}
"""By name: `step('open')` is the action of a key."""
