"""Opening a file at the place that was asked for, or where the user was last. No Textual: it runs beside the first frame."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sing_compute.errors import SingError
from sing_compute.store import Store
from sing_tui.filters import check
from sing_tui.link import arrangement_of, as_dict, from_dict, start_of
from sing_tui.place import FIRST_ARRANGEMENT, Place, find_place, open_table
from sing_tui.settings import State, file_key, read_state, write_state
from sing_tui.start import Level, Start
from sing_tui.view import Arrangement, View, arrange, column_named

if TYPE_CHECKING:
    from sing_tui.screens.table import TableScreen

HINT = "new here? Enter opens, Esc goes back, t finds, ? lists every key"


@dataclass(frozen=True, slots=True)
class Step:
    """One screen on the way to a place."""

    place: Place
    arrangement: Arrangement | None = None
    select: int | None = None
    """What the cursor stands on: a model, class, concept or image index."""
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """A file that was opened, and where to begin in it."""

    store: Store
    steps: tuple[Step, ...] = ()
    columns: Mapping[Level, tuple[str, ...]] = field(default_factory=dict)
    """Columns chosen for the table of a level."""
    picture: str | None = None
    hint: str = ""


def anew(path: Path) -> Opened:
    """The file that stands at a path now.

    Raises:
        SingError: It is no results file.
    """
    return Opened(Store(path))


def first(path: Path, start: Start, memory: Path | None) -> Opened:
    """The file, and the screens from its models to the place asked for; the last place where none was.

    Raises:
        SingError: It is no results file, or it does not hold what was asked for.
    """
    state = read_state(memory) if memory is not None else State(hint_seen=True)
    store = Store(path)
    hint = "" if state.hint_seen else HINT
    kept = from_dict(state.place(path)) if start.anywhere else None
    if kept is not None:
        try:
            steps, columns = _steps(store, kept)
            return Opened(store, steps, columns, kept.picture, hint)
        except SingError:
            pass  # the file has changed since
    steps, columns = _steps(store, start)
    return Opened(store, steps, columns, start.picture, hint)


def headless_view(store: Store, start: Start) -> tuple[View, tuple[str, ...] | None]:
    """The rows that a start asks for, in the order of the file unless it says another, and the columns; no screen.

    Of a picture it is the numbers that are drawn, for the row that the cursor would stand on.

    Raises:
        SingError: The file does not hold what was asked for.
    """
    place = find_place(store, start.wish)
    table = open_table(store, place)
    view = arrange(table, arrangement_of(table, start, Arrangement()))
    columns = tuple(column_named(table, name).name for name in start.columns) or None
    if start.picture is None:
        return view, columns
    from sing_tui.formats import UNICODE
    from sing_tui.gallery import exhibit

    figures = place.level == "models" and place.beside is not None
    row = None if figures or not len(view) else view.identity(min(start.row, len(view)) - 1)
    shown = exhibit(store, place.plain, start.picture, identity=row, glyphs=UNICODE)
    return arrange(shown.table, Arrangement()), None


def _steps(store: Store, start: Start) -> tuple[tuple[Step, ...], dict[Level, tuple[str, ...]]]:
    place = find_place(store, start.wish)
    wanted = FIRST_ARRANGEMENT[place.level]
    if start.sort is not None or start.filter or start.reverse or start.columns:
        table = open_table(store, place)  # a mistake in them ends the program with one line
        wanted = arrangement_of(table, start, wanted)
        if start.filter:
            check(table, start.filter)
        for name in start.columns:
            column_named(table, name)
    model = store.models.index(place.model) if place.model else None
    last = Step(place, wanted, line=max(0, start.row - 1))
    if place.level == "models" and place.class_index is None and place.beside is None:
        return (Step(Place(subset=place.subset), wanted, model, last.line),), _columns(place, start)
    steps = [Step(Place(), select=model), last]
    if place.class_index is not None:
        below = place.to("classes", model=place.model or store.model(None))
        steps.insert(-1, Step(below, select=place.class_index))
    return tuple(steps), _columns(place, start)


def _columns(place: Place, start: Start) -> dict[Level, tuple[str, ...]]:
    return {place.level: start.columns} if start.columns else {}


def remember(memory: Path, path: Path, screen: "TableScreen") -> None:
    """Keep the place of a screen for the next time."""
    store = screen.explorer.store
    if store is None or screen.view is None:
        return
    start = start_of(store, screen.place, screen.view, line=screen.table.cursor, columns=screen.chosen_columns)
    write_state(memory, State(hint_seen=True, places={file_key(path): as_dict(start)}))
