"""The state of the explorer: a stack of visits, the columns chosen for each table, and what is being typed. Frozen."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal, Protocol

from sing_compute.errors import SingError
from sing_compute.store.definition import TableSpec
from sing_compute.store.place import Place
from sing_tui.session.counted import Counted

Body = Literal["table", "details", "chart"]
"""The part that fills the screen."""
Purpose = Literal["filter", "find", "count", "mark"]
CONTENTS = "contents"
"""The built-in table that lists the root tables of a file with several of them."""
FILES = "file"
"""Axis of the open files, where there are two (`session.files`)."""
_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Identities(Protocol):
    """Positions of rows on their axis, in some order: a tuple, a range or an array."""

    def __len__(self) -> int: ...

    def __contains__(self, item: object, /) -> bool: ...

    def __iter__(self) -> Iterator[Any]: ...


@dataclass(frozen=True, slots=True)
class Arrangement:
    """Filter and sort as the user asked for them; it outlives the table it was asked for."""

    filter: str = ""
    sort: str = ""
    """Name of the column sorted by; empty for the order of the file."""
    descending: bool = False
    then: str = ""
    """Name of a second column, by which rows are sorted that are equal in the first; empty for the order of the file."""
    then_descending: bool = False


class Refused(SingError):  # noqa: N818
    """A step that is not possible here; the message is one line for the user."""


@dataclass(frozen=True, slots=True)
class Before:
    """Filter, sort, columns and cursor of a table before one of the first three was changed."""

    kind: str
    """Kind of rows (`rows_kind`), and what is compared there."""
    arrangement: Arrangement
    columns: tuple[str, ...]
    identity: int | None
    line: int


@dataclass(frozen=True, slots=True)
class Visit:
    """One table on the way, and how the user left it."""

    place: Place
    arrangements: Mapping[str, Arrangement] = field(default_factory=lambda: _NOTHING)
    """Filter and sort by kind of rows (`rows_kind`), where they were changed."""
    identity: int | None = None
    """Position, on the axis of the rows, of the row under the cursor; None if nothing is known of it."""
    line: int = 0
    """Line of the cursor, from 0: it counts where the identity is not among the rows."""
    marks: tuple[int, ...] = ()
    """Identities of the marked rows, in the order in which they were marked."""
    body: Body = "table"
    chart: str = ""
    """The chart that fills the screen; empty for the chart of the row itself."""
    details: bool = True
    """True if details are drawn next to the table where there is room."""
    past: tuple[Before, ...] = ()
    """Earlier states of filter, sort and columns, to which `undo` goes back; the newest is the last."""
    plain: Arrangement | None = None
    """Filter and sort of the table from which a comparison in its place began; None without one."""
    dropped: str = ""
    """The filter that the comparison could not keep; it comes back when the comparison ends."""
    looked_for: str = ""
    """Words that were searched for last."""
    shown: Identities = field(default=(), compare=False, repr=False)
    """Identities on the lines of the table, in its order, as far as known: neighbours follow it."""


@dataclass(frozen=True, slots=True)
class Typing:
    """The purpose of the open typing line, and the state to return to when it is given up."""

    purpose: Purpose
    arrangement: Arrangement
    line: int
    identity: int | None
    chosen: int | None = None
    """The row on which a filter that is typed leaves the cursor (`chosen_row`); moving the cursor chooses another one."""


@dataclass(frozen=True, slots=True)
class Session:
    """Everything that the keys change."""

    visits: tuple[Visit, ...]
    """The way from the first table to the present one."""
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: _NOTHING)
    """Columns chosen by kind of rows (`rows_kind`); all where it is not named."""
    typing: Typing | None = None

    @property
    def here(self) -> Visit:
        """The present visit."""
        return self.visits[-1]

    @property
    def place(self) -> Place:
        """The present place."""
        return self.here.place

    @property
    def below(self) -> Visit | None:
        """The visit that the present one was opened from."""
        return self.visits[-2] if len(self.visits) > 1 else None

    @property
    def is_lowest(self) -> bool:
        """True at the first table with nothing over it: there is nothing to go back to, so `q` quits."""
        return self.here.body == "table" and self.below is None

    def now(self, visit: Visit) -> "Session":
        """The same session with another present visit."""
        return replace(self, visits=(*self.visits[:-1], visit))


def rows_kind(place: Place) -> str:
    """Name of the kind of rows at a place: rows of one kind share filter, sort and chosen columns."""
    if isinstance(place, Counted):
        return f"{rows_kind(place.base)} by {', '.join(place.by)}"
    return f"{place.table} along {place.along}" if place.along else place.table


def first_arrangement(spec: TableSpec, place: Place) -> Arrangement:
    """Filter and sort of a table that was not visited before."""
    if place.along or not spec.sort or _is_figures(spec, place):
        return Arrangement()
    ascending = spec.sort.startswith("+")
    return Arrangement(sort=spec.sort.removeprefix("+"), descending=not ascending)


def arrangement_at(visit: Visit, spec: TableSpec) -> Arrangement:
    """Filter and sort of a visit's table."""
    return visit.arrangements.get(rows_kind(visit.place)) or first_arrangement(spec, visit.place)


def arranged(visit: Visit, arrangement: Arrangement) -> Visit:
    """The visit with another filter and sort of its present table."""
    return replace(visit, arrangements={**visit.arrangements, rows_kind(visit.place): arrangement})


def columns_at(session: Session) -> tuple[str, ...]:
    """Names of the columns to paint here; empty for all, as in every comparison."""
    return () if session.place.comparison is not None else session.columns.get(rows_kind(session.place), ())


def _is_figures(spec: TableSpec, place: Place) -> bool:
    comparison = place.comparison
    return comparison is not None and (
        comparison.axis == spec.rows or (comparison.axis == FILES and not comparison.measure)
    )


def is_figures(spec: TableSpec, place: Place) -> bool:
    """Return True if the rows of a place are the figures of several items, one column for each of them."""
    return _is_figures(spec, place)


def chosen_row(visit: Visit) -> int | None:
    """Identity of the row that the cursor stays on among other rows or in another order; None on the first of several lines.

    Nobody chose that one: the cursor is there because a table begins there, and the new first lines are wanted.
    """
    return visit.identity if visit.line or len(visit.shown) == 1 else None


def row_under_cursor(session: Session) -> int:
    """Identity of the row under the cursor.

    Raises:
        Refused: The table has no row.
    """
    if session.here.identity is None:
        raise Refused("there is no row here")
    return session.here.identity


def at_cursor(session: Session, *, identity: int | None, line: int, shown: Identities | None = None) -> Session:
    """The same session with the cursor on another row.

    Args:
        session: The present state.
        identity: Position of the row on its axis; None if the table has no rows.
        line: Line of the cursor, from 0.
        shown: Identities on all lines, in their order; None if they are as they were.
    """
    here, typing = session.here, session.typing
    if typing is not None and shown is None and line != here.line:
        session = replace(session, typing=replace(typing, chosen=identity))
    return session.now(replace(here, identity=identity, line=line, shown=here.shown if shown is None else shown))
