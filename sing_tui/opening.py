"""Opening a file at the place that was asked for, or where the user was last. No Textual: a thread runs it."""

from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from sing_compute.errors import SingError
from sing_compute.store import Store, Table
from sing_compute.store.text import clean
from sing_tui.filters import check
from sing_tui.link import arrangement_of, as_dict, columns_of, from_dict, start_of
from sing_tui.loading import TableRead, read_table
from sing_tui.session import Session
from sing_tui.session.arranging import arrangement, show_chart
from sing_tui.session.catalog import first_place, position_of
from sing_tui.session.counted import base_of, counted
from sing_tui.session.lookup import find_place
from sing_tui.session.marking import MOST
from sing_tui.session.route import route
from sing_tui.session.stack import enter
from sing_tui.session.state import Arrangement, arranged, arrangement_at, first_arrangement, rows_kind
from sing_tui.session.subsets import within_subset
from sing_tui.settings import State, file_key, read_state, write_state
from sing_tui.start import Start
from sing_tui.store_catalog import StoreCatalog
from sing_tui.view import View, arrange, column_named

HINT = "new here? Enter opens, Esc goes back, t finds, ? lists every key"


@dataclass(frozen=True, slots=True)
class Opened:
    """A file that was opened, and where to begin in it."""

    catalog: StoreCatalog
    session: Session
    first: TableRead
    """The table of that place."""
    hint: str = ""


def open_again(path: Path, photographs: Path | None = None, other: Path | None = None) -> StoreCatalog:
    """Open the file that is at a path now.

    Args:
        path: The results file.
        photographs: The user's folder of photographs on this machine.
        other: A second results file, which is compared with it.

    Raises:
        SingError: One of them is no results file.
    """
    if other is None:
        return StoreCatalog(Store(path), photographs)
    from sing_tui.pair_catalog import open_pair  # the first frame of one file does not wait for it

    return open_pair(path, other, photographs)


def open_first(
    path: Path, start: Start, memory: Path | None, photographs: Path | None = None, other: Path | None = None
) -> Opened:
    """Open a file at the place asked for; at the last place where none was.

    Args:
        path: The results file.
        start: What the command line asks for.
        memory: File of the remembered places; None to remember nothing.
        photographs: The user's folder of photographs on this machine.
        other: A second results file, which is compared with it; then no last place is taken up.

    Raises:
        SingError: It is no results file, or it does not hold what was asked for.
    """
    state = read_state(memory) if memory is not None else State(hint_seen=True)
    catalog = open_again(path, photographs, other)
    hint = warned(catalog) or ("" if state.hint_seen or other is not None else HINT)
    kept = from_dict(state.place(path)) if start.anywhere and other is None else None
    if kept is not None:
        try:
            session = session_of(catalog, kept)
            return _opened(catalog, with_outer(catalog, session, state.place(path).get("outer")), hint)
        except SingError:
            pass  # the file has changed since
    return _opened(catalog, session_of(catalog, start), hint)


def _opened(catalog: StoreCatalog, session: Session, hint: str) -> Opened:
    """Read the table of the place, so that the table's first frame has rows."""
    read = read_table(catalog, session.place, arrangement(session, catalog), lambda: False)
    return Opened(catalog, session, read or TableRead(None, ""), hint)


def warned(catalog: StoreCatalog) -> str:
    """Say which models of a file have warnings; empty if none has."""
    store = catalog.store
    names = [name for name in store.models if store.attributes(f"models/{name}").get("warnings")]
    if not names:
        return ""
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"warnings for {clean(names[0])}{more}: d on the models shows them"


def session_of(catalog: StoreCatalog, start: Start) -> Session:
    """Return the session that a start asks for, with the visits on the way to its place.

    Raises:
        SingError: The file does not hold what was asked for.
    """
    if start.look:
        from sing_tui.looking import looked_of  # the first rows do not wait for it

        session = session_of(catalog, replace(start, look=()))
        looked_of(catalog.open(session.place), start.look)  # a mistake in it ends the program with one line
        return session
    if start.count_by:
        return _counting(catalog, start)
    place, named = find_place(catalog, start.wish)
    start = replace(start, filter=within_subset(catalog, place, named, start.filter))
    wanted = first_arrangement(catalog.table(place.table), place)
    if start.sort is not None or start.filter or start.reverse or start.columns:
        table = catalog.open(place)  # a mistake in them ends the program with one line
        wanted = arrangement_of(table, start, wanted)
        if start.filter:
            check(table, start.filter)
        start = replace(start, columns=columns_of(table, start))
    visits = route(catalog, place, named)
    rows = catalog.table(place.table).rows
    row = position_of(catalog, rows, named.get(rows), place) if place == first_place(catalog) else None
    last = arranged(replace(visits[-1], line=max(0, start.row - 1), identity=row), wanted)
    if start.top:
        last = replace(last, marks=_first_rows(catalog.open(place), wanted, start.top))
    columns = {rows_kind(place): start.columns} if start.columns else {}
    session = Session((*visits[:-1], last), columns)
    if start.chart is None:
        return session
    charts = catalog.table(place.table).charts
    if start.chart not in charts:
        raise SingError(f"no chart {start.chart!r}; there are: {', '.join(charts) or 'none'}")
    return show_chart(session, start.chart)


def _counting(catalog: StoreCatalog, start: Start) -> Session:
    """Return the session that counts rows, above the table of these rows."""
    if start.chart is not None:
        raise SingError("--count-by and --chart do not go together")
    session = session_of(catalog, Start(start.wish, start.filter))
    place = counted(session.place, start.filter, start.count_by)
    table = catalog.open(place)
    wanted = arrangement_of(table, start, first_arrangement(table.spec, place))
    if start.having:
        check(table, start.having)
    columns = columns_of(table, start)
    session = enter(session, place, arrangement=wanted)
    marks = _first_rows(table, wanted, start.top) if start.top else ()
    session = session.now(replace(session.here, line=max(0, start.row - 1), marks=marks))
    return replace(session, columns={**session.columns, rows_kind(place): columns}) if columns else session


def _first_rows(table: Table, wanted: Arrangement, count: int) -> tuple[int, ...]:
    """Return the first rows of a table in an order, to be marked."""
    if count > MOST:
        raise SingError(f"--top {count:,}: at most {MOST:,} rows are marked on a screen")
    return tuple(map(int, arrange(table, wanted).identities[:count]))


def remember(memory: Path, path: Path, catalog: StoreCatalog, session: Session, view: View) -> None:
    """Keep the place of a session for the next time."""
    specs = [catalog.table(base_of(visit.place).table) for visit in session.visits]
    outer = [
        {"kind": kind, "columns": ",".join(session.columns.get(kind, ())), **asdict(arrangement_at(visit, specs[i]))}
        for i, visit in enumerate(session.visits[:-1])
        if (kind := rows_kind(visit.place)) in visit.arrangements or kind in session.columns
    ]
    kept = {**as_dict(start_of(catalog, session, view)), "outer": outer}
    write_state(memory, State(hint_seen=True, places={file_key(path): kept}))


def with_outer(catalog: StoreCatalog, session: Session, kept: object) -> Session:
    """Return a session whose outer tables are filtered and sorted as they were, as far as the file still lets them be.

    Args:
        catalog: The open file.
        session: The session at the remembered place.
        kept: What is remembered of the outer tables, from outside.
    """
    entries = [entry for entry in kept if isinstance(entry, dict)] if isinstance(kept, list) else []
    visits, columns = list(session.visits), dict(session.columns)
    for entry in entries:
        at = next((i for i, visit in enumerate(visits[:-1]) if rows_kind(visit.place) == entry.get("kind")), None)
        if at is None:
            continue
        try:
            wanted = Arrangement(**{each.name: entry[each.name] for each in fields(Arrangement)})
            names = tuple(filter(None, entry["columns"].split(",")))
            if not all(isinstance(text, str) for text in (wanted.filter, wanted.sort, wanted.then)):
                continue
            table = catalog.open(visits[at].place)
            check(table, wanted.filter)
            for name in filter(None, (wanted.sort, wanted.then, *names)):
                column_named(table, name)
        except (SingError, AttributeError, KeyError, TypeError):
            continue  # the file has changed since, or what is remembered was changed by hand
        visits[at] = arranged(visits[at], wanted)
        if names:
            columns.setdefault(str(entry["kind"]), names)
    return replace(session, visits=tuple(visits), columns=columns)
