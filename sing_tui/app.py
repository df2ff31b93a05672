"""The application: paints a first frame, then imports what it needs, opens the file, holds it, and watches it for changes."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

from textual import events, work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.filter import Monochrome, NoColor
from textual.screen import Screen
from textual.widgets import Static

from sing_compute.errors import SingError
from sing_tui.start import Start

if TYPE_CHECKING:
    from sing_compute.store import Store
    from sing_tui.finder import Finder
    from sing_tui.formats import Glyphs
    from sing_tui.live import Running
    from sing_tui.opening import Opened
    from sing_tui.screens.table import TableScreen

_NEVER_LATE = ("Q", "ctrl+q", "ctrl+c", "escape")
"""Keys that do not wait for a table."""
_HELD = 200
WATCH_SECONDS = 2.0
"""How often the file and a run that writes it are looked at."""


class Opening(Screen[None]):
    """The first frame: what is opened, before anything heavy is imported; and the wait for a file that is still computed."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("q,Q,ctrl+q,escape", "app.quit", "quit", show=False)]
    DEFAULT_CSS = """
    Opening { background: $background; }
    Opening #file { background: $panel; text-style: bold; height: 1; }
    Opening:ansi, Opening:ansi Static, Opening:ansi #file { background: ansi_default; color: ansi_default; }
    """

    def compose(self) -> ComposeResult:
        """The parts, from top to bottom."""
        name = self.app.path.name if isinstance(self.app, Explorer) else ""
        name = name if name.isprintable() and (name.isascii() or not self.ascii_only) else ascii(name)
        yield Static(f"  {name}", id="file", markup=False)
        yield Static(f"\n  opening {name} ...", id="note", markup=False)

    @property
    def ascii_only(self) -> bool:
        """Whether plain characters are wanted."""
        return isinstance(self.app, Explorer) and self.app.ascii_only

    def say(self, text: str) -> None:
        """Say what is waited for."""
        self.query_one("#note", Static).update(f"\n  {text}")


class Explorer(App[None]):
    """The terminal explorer of one results file.

    `images` is the folder of the photographs on this machine, `graphics` how they are drawn (photos.graphics), `keys` the
    user's key map by action name, `memory` where the last place is kept (nothing is remembered without it).
    """

    ENABLE_COMMAND_PALETTE = False
    """Textual's own palette paints signs that plain terminals lack; ours is `screens.palette`."""
    TITLE = "sing-tui"
    CSS = "Input:ansi > .input--cursor { text-style: reverse; }"
    """Where no colour shows the cursor of a typing line, this does."""

    def __init__(
        self,
        path: Path,
        start: Start | None = None,
        *,
        ascii_only: bool = False,
        theme: str | None = None,
        images: Path | None = None,
        graphics: Literal["auto", "kitty", "sixel", "cells"] = "auto",
        keys: Mapping[str, str] | None = None,
        memory: Path | None = None,
    ) -> None:
        super().__init__()
        self.path = path
        self.start = start or Start()
        self.ascii_only, self.images, self.graphics, self.memory = ascii_only, images, graphics, memory
        self.keys = dict(keys or {})
        self.store: Store | None = None
        self.failure: SingError | None = None
        """Why the file could not be shown at all; the command line reports it."""
        self.running: Running | None = None
        """The run that is writing this file."""
        self._opened: tuple[int, int] | None = None
        self._refused: tuple[int, int] | None = None
        self._held: list[events.Event] = []
        self._finder: tuple[Store, Finder] | None = None
        self.changed = False
        """Whether the file on disk is another one than the file that is open."""
        self.theme = theme or choose_theme(self.console.color_system, "NO_COLOR" in os.environ)

    @cached_property
    def glyphs(self) -> "Glyphs":
        """The signs that are not letters."""
        from sing_tui.formats import ASCII, UNICODE

        return ASCII if self.ascii_only else UNICODE

    def get_default_screen(self) -> Screen[Any]:
        """What is shown until the file is open."""
        return Opening()

    def watch_theme(self) -> None:
        """Without colours, send none where the theme is the terminal's own; Textual chooses by the theme it starts with."""
        if self.no_color:
            kept = [line_filter for line_filter in self._filters if not isinstance(line_filter, Monochrome | NoColor)]
            self._filters = [*kept, NoColor() if self.native_ansi_color else Monochrome()]

    def on_mount(self) -> None:
        """Start once the parts exist."""
        self.set_keymap(self.keys)
        self.call_after_refresh(self.open_file)
        self.set_interval(WATCH_SECONDS, self.look)
        if not self.is_headless and sys.platform != "win32":
            for number in (signal.SIGHUP, signal.SIGTERM):
                asyncio.get_running_loop().add_signal_handler(number, self.hang_up)

    def on_unmount(self) -> None:
        """Release the file."""
        if self.store is not None:
            self.store.close()

    @property
    def finder(self) -> "Finder":
        """What finds things in the open file by name; it reads the names once."""
        from sing_tui.finder import Finder

        if self.store is not None and (self._finder is None or self._finder[0] is not self.store):
            self._finder = (self.store, Finder(self.store))
        return cast("tuple[Store, Finder]", self._finder)[1]

    @property
    def tables(self) -> "list[TableScreen]":
        """The table screens, the lowest first."""
        if self.store is None:
            return []
        from sing_tui.screens.table import TableScreen

        return [screen for screen in self.screen_stack if isinstance(screen, TableScreen)]

    @work(thread=True, exclusive=True, group="open")
    def open_file(self, *, again: bool = False) -> None:
        """Open the file, or open it anew; on failure the first time there is nothing to show and the app ends."""
        if not self.path.exists() and not again:
            return  # sing-compute is at work on it: `look` opens it when it is there
        from sing_tui import opening

        try:
            stamp = _stamp(self.path)
            found = opening.first(self.path, self.start, self.memory) if not again else opening.anew(self.path)
        except Exception as error:  # whatever a damaged file leads to ends in one line
            self.call_from_thread(self._not_opened, error, again)
            return
        self._opened = stamp
        self.call_from_thread(self._show, found)

    def _not_opened(self, error: Exception, again: bool) -> None:
        if again and self.tables:
            self.tables[-1].say(str(error))
        else:
            self.failure = error if isinstance(error, SingError) else SingError(f"{self.path} cannot be read: {error}")
            self.exit(return_code=2)

    def _show(self, found: "Opened") -> None:
        """Take up a file that was opened; an earlier one stays open for readers still at work, until nothing refers to it."""
        from sing_tui.screens.table import TableScreen

        if not self.screen_stack:  # the app ended while the file was read
            return
        first = self.store is None
        self.store, self.changed = found.store, False
        if not first:
            tables = self.tables
            for screen in tables:
                screen.stale = True
            tables[-1].load(tables[-1].identity)
            return
        for step in found.steps:
            below = self.tables[-1:]
            screen = TableScreen(
                step.place, arrangement=step.arrangement, select=step.select, line=step.line, columns=found.columns
            )
            self.push_screen(screen, below[0].follow if below else None)
        if found.picture:
            self.call_after_refresh(self.tables[-1].action_exhibit, found.picture)
        if found.hint:
            self.tables[-1].note = found.hint

    @work(thread=True, exclusive=True, group="look")
    def look(self) -> None:
        """Look whether a run is writing this file, and whether another file stands in its place now."""
        from sing_tui.live import running

        now = running(self.path)
        stamp = _stamp(self.path)
        changed = self._opened is not None and stamp != self._opened
        self.call_from_thread(self._looked, now, changed)

    def _looked(self, now: "Running | None", changed: bool) -> None:
        moved = (now, changed) != (self.running, self.changed)
        self.running, self.changed = now, changed
        if not self.screen_stack:  # the app ended while its thread looked
            return
        if self.store is None:
            if self.path.exists() and self._opened is None:
                self.open_file()
            elif isinstance(self.screen, Opening):
                self.screen.say(self._waiting(now))
            return
        top = self.screen
        stamp = _stamp(self.path)
        if changed and stamp not in (None, self._refused) and top in self.tables and self.tables[-1].at_rest:
            self._refused = stamp  # until it was opened: a damaged file is complained of once
            self.open_file(again=True)
        elif moved and self.tables:
            self.tables[-1].draw_place()

    def _waiting(self, now: "Running | None") -> str:
        if now is None or now.stale:
            return f"{self.path.name} is not there yet and no run is at work on it; q leaves"
        return f"sing-compute is at work on {self.path.name}: {now.line(self.glyphs)}"

    async def on_event(self, event: events.Event) -> None:
        """Keys that come before a new table is there wait for it: over a slow link Enter and `f cat` arrive as one piece."""
        top = self.tables[-1:] if isinstance(event, events.Key) and event.key not in _NEVER_LATE else []
        if top and top[0] is self.screen and top[0].is_new and len(self._held) < _HELD:
            self._held.append(event)
        else:
            await super().on_event(event)

    def let_go(self) -> None:
        """The table is there: the keys that waited for it take effect."""
        held, self._held = self._held, []
        for event in held:
            self.post_message(event)

    def on_key(self, event: events.Key) -> None:
        """Letters typed ahead of the typing line still belong into it: over a slow link `/zebra` arrives as one piece."""
        screen = self.tables[-1:]
        if (
            screen
            and screen[0] is self.screen
            and event.is_printable
            and event.character
            and screen[0].type_ahead(event.character)
        ):
            event.prevent_default()

    def action_theme_named(self, name: str) -> None:
        """Change the theme, and keep it for the next time."""
        self.theme = name
        if self.memory is not None:
            from sing_tui.settings import State, write_state

            write_state(self.memory, State(theme=name))

    async def action_quit(self) -> None:
        """Leave, and remember the place; a running export is asked about first."""
        if self.tables and self.tables[-1].holds_back():
            return
        self.remember()
        self.exit()

    def hang_up(self) -> None:
        """The connection is cut, or the system ends the program: give up an export, keep the place, leave."""
        for screen in self.tables:
            screen.give_up_export()
        self.remember()
        self.exit()

    def remember(self) -> None:
        """Keep the place for the next time."""
        if self.memory is not None and self.tables:
            from sing_tui.opening import remember

            remember(self.memory, self.path, self.tables[-1])

    def action_help_quit(self) -> None:
        """Ctrl+C where no table takes it: say how to leave instead of leaving."""
        if self.tables:
            self.tables[-1].say("Q quits")


def choose_theme(color_system: str | None, no_color: bool) -> str:
    """The terminal's own colours where there are fewer than 256 or none are wanted; Textual's dark theme elsewhere."""
    return "ansi-dark" if no_color or color_system in (None, "standard") else "textual-dark"


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return (status.st_mtime_ns, status.st_ino)
