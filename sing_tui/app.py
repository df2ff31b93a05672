"""The application: opens the file after the first frame is painted, holds it, and chooses the theme."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from textual import events, work
from textual.app import App

from sing_compute.errors import SingError
from sing_compute.store import Store
from sing_tui.formats import ASCII, UNICODE
from sing_tui.place import FIRST_ARRANGEMENT, Place, Wish, find_place, open_table
from sing_tui.screens.table import TableScreen
from sing_tui.view import Arrangement, arrange, column_named, first_direction


@dataclass(frozen=True, slots=True)
class Start:
    """Where and how the command line wants to begin."""

    wish: Wish = field(default_factory=Wish)
    filter: str = ""
    sort: str | None = None
    reverse: bool = False


class Explorer(App[None]):
    """The terminal explorer of one results file."""

    ENABLE_COMMAND_PALETTE = False
    """Textual's own palette paints signs that plain terminals lack; ours is `screens.palette`."""
    TITLE = "sing-tui"

    def __init__(self, path: Path, start: Start | None = None, *, ascii_only: bool = False) -> None:
        super().__init__()
        self.path = path
        self.start = start or Start()
        self.glyphs = ASCII if ascii_only else UNICODE
        self.store: Store | None = None
        self.failure: SingError | None = None
        """Why the file could not be shown at all; the command line reports it."""
        self._opened: tuple[int, int] | None = None
        self.theme = choose_theme(self.console.color_system, "NO_COLOR" in os.environ)

    def on_mount(self) -> None:
        """Start once the parts exist."""
        self.push_screen(TableScreen(Place()))
        self.call_after_refresh(self.open_file)

    def on_unmount(self) -> None:
        """Release the file."""
        if self.store is not None:
            self.store.close()

    @property
    def changed(self) -> bool:
        """Whether the file on disk is another one than the file that is open."""
        return self._opened is not None and self._opened != _stamp(self.path)

    @work(thread=True, exclusive=True, group="open")
    def open_file(self, *, again: bool = False) -> None:
        """Open the file, or open it anew; on failure the first time there is nothing to show and the app ends."""
        try:
            stamp = _stamp(self.path)
            store = Store(self.path)
            place, arrangement = (None, None) if again else _first_place(store, self.start)
        except Exception as error:  # whatever a damaged file leads to ends in one line
            self.call_from_thread(self._not_opened, error, again)
            return
        self._opened = stamp
        self.call_from_thread(self._show, store, place, arrangement)

    def _not_opened(self, error: Exception, again: bool) -> None:
        if again and isinstance(self.screen, TableScreen):
            self.screen.say(str(error))
        else:
            self.failure = error if isinstance(error, SingError) else SingError(f"{self.path} cannot be read: {error}")
            self.exit(return_code=2)

    def _show(self, store: Store, place: Place | None, arrangement: Arrangement | None) -> None:
        self.store = store  # an earlier one stays open for readers still at work, until nothing refers to it
        tables = [screen for screen in self.screen_stack if isinstance(screen, TableScreen)]
        if place is None or arrangement is None:
            for screen in tables:
                screen.stale = True
            tables[-1].load(tables[-1].identity)
            return
        root = tables[0]
        if place.level == "models":
            root.arrangements["models"] = arrangement
        root.load(store.models.index(place.model) if place.model else None)
        steps = [] if place.level == "models" else [place]
        if place.class_index is not None:
            steps.insert(0, place.to("classes"))
        for below, step in zip([root, *steps], steps, strict=False):
            last = step is place
            screen = TableScreen(
                step, arrangement=arrangement if last else None, select=None if last else place.class_index
            )
            self.push_screen(screen, self.screen.follow if isinstance(self.screen, TableScreen) and below else None)

    def on_key(self, event: events.Key) -> None:
        """Letters typed ahead of the typing line still belong into it: over a slow link `/zebra` arrives as one piece."""
        screen = self.screen
        if (
            isinstance(screen, TableScreen)
            and event.is_printable
            and event.character
            and screen.type_ahead(event.character)
        ):
            event.prevent_default()

    def action_theme_named(self, name: str) -> None:
        """Change the theme."""
        self.theme = name

    def action_help_quit(self) -> None:
        """Ctrl+C: say how to leave instead of leaving."""
        if isinstance(self.screen, TableScreen):
            self.screen.say("Q quits")


def choose_theme(color_system: str | None, no_color: bool) -> str:
    """The terminal's own colours where there are fewer than 256 or none are wanted; Textual's dark theme elsewhere."""
    return "ansi-dark" if no_color or color_system in (None, "standard") else "textual-dark"


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return (status.st_mtime_ns, status.st_ino)


def _first_place(store: Store, start: Start) -> tuple[Place, Arrangement]:
    """Look up what the command line asked for, so that a mistake there ends the program with one line."""
    place = find_place(store, start.wish)
    wanted = FIRST_ARRANGEMENT[place.level]
    if start.sort is None and not start.filter and not start.reverse:
        return place, wanted
    table = open_table(store, place)
    if start.sort is not None:
        column = column_named(table, start.sort)
        wanted = Arrangement("", column.name, first_direction(column))
    wanted = Arrangement(start.filter, wanted.sort, wanted.descending != start.reverse and bool(wanted.sort))
    return place, arrange(table, wanted).arrangement
