"""The application: paints a first frame, then imports what it needs, opens the file, holds it, and watches it for changes."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from textual import events, work
from textual.app import App
from textual.binding import Binding, BindingType
from textual.driver import Driver
from textual.filter import Monochrome, NoColor
from textual.screen import Screen

from sing_compute.errors import SingError
from sing_tui.colors import READABLE_CSS, readable_theme
from sing_tui.file_stamps import Stamp, stamp_of
from sing_tui.frames_once import FramesOnce, frames_once
from sing_tui.held_keys import HeldKeys
from sing_tui.leaving import AbandonedThreads
from sing_tui.screens.opening import OpeningScreen
from sing_tui.start import Start, choose_theme

if TYPE_CHECKING:
    from sing_compute.formats import Glyphs
    from sing_compute.store import Store
    from sing_tui.finder import Finder
    from sing_tui.opening import Opened
    from sing_tui.run_progress import RunProgress
    from sing_tui.screens.table import TableScreen
    from sing_tui.store_catalog import StoreCatalog

FILE_CHANGED = "file changed"
WATCH_SECONDS = 2.0
"""Seconds between two looks at the file and at a run that writes it."""


class Explorer(App[None]):
    """The terminal explorer of one results file."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+z", "suspend_process", show=False, priority=True, id="suspend")
    ]
    """With priority: screens over the table take no keys of the application otherwise."""
    ENABLE_COMMAND_PALETTE = False
    """Textual's own palette paints signs that plain terminals lack; ours is `screens.palette`."""
    TITLE = "sing-tui"
    CSS = READABLE_CSS

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
        other: Path | None = None,
    ) -> None:
        """Prepare the application.

        Args:
            path: The results file.
            start: Where to begin.
            ascii_only: True where the terminal takes plain characters alone.
            theme: Name of a theme; None for one that suits the terminal.
            images: Folder of the photographs on this machine.
            graphics: How photographs are drawn (`photographs.graphics`).
            keys: The user's key map by action name.
            memory: File in which the last place is kept; nothing is remembered without it.
            other: A second results file, which is compared with it; then no place is remembered.
        """
        self.path, self.other, self.ascii_only = path, other, ascii_only
        super().__init__()
        # The explorer has neither; with them each screen that opens is laid out and painted once more.
        self._disable_notifications = self._disable_tooltips = True
        self.start = start or Start()
        self.images, self.graphics, self.memory = images, graphics, memory
        self.keys = dict(keys or {})
        self.file: StoreCatalog | None = None
        self.page: TableScreen | None = None
        """The table screen, once the file is open."""
        self.failure: SingError | None = None
        """The error because of which the file cannot be shown; the command line reports it."""
        self.running: RunProgress | None = None
        """The run that is writing this file."""
        self.changed = False
        """True if the file on disk is another one than the file that is open."""
        self._opened: Stamp | None = None
        self._refused: Stamp | None = None
        self._held = HeldKeys(self.post_message)
        self._finder: tuple[Store, Finder] | None = None
        self.theme = theme or choose_theme(self.console.color_system, "NO_COLOR" in os.environ)

    @cached_property
    def glyphs(self) -> "Glyphs":
        """The signs that are not letters."""
        from sing_compute.formats import ASCII, UNICODE

        return ASCII if self.ascii_only else UNICODE

    @property
    def catalog(self) -> "StoreCatalog":
        """The open file and its tables; there is a table screen only once it is open."""
        if self.file is None:
            raise RuntimeError("no file is open yet")
        return self.file

    def get_default_screen(self) -> Screen[Any]:
        """Return what is shown until the file is open."""
        return OpeningScreen(self.path.name, ascii_only=self.ascii_only, shown=self.open_file)

    def get_driver_class(self) -> type[Driver]:
        """Return Textual's driver for this terminal, but one that sends no frame twice in a row."""
        kind = super().get_driver_class()
        return kind if sys.platform == "win32" else frames_once(kind)  # there Textual writes a frame in pieces

    def get_css_variables(self) -> dict[str, str]:
        """Return the colours of the theme, readable ones for text."""
        return readable_theme(super().get_css_variables())

    def watch_theme(self) -> None:
        """Without colours, send none where the theme is the terminal's own; Textual chooses by the theme it starts with."""
        if self.no_color:
            kept = [line_filter for line_filter in self._filters if not isinstance(line_filter, Monochrome | NoColor)]
            self._filters = [*kept, NoColor() if self.native_ansi_color else Monochrome()]

    def on_mount(self) -> None:
        """Start once the parts exist."""
        self.set_keymap(self.keys)
        self.set_interval(WATCH_SECONDS, self.look)
        if not self.is_headless and sys.platform != "win32":
            asyncio.get_running_loop().set_default_executor(AbandonedThreads())
            for number in (signal.SIGHUP, signal.SIGTERM):
                asyncio.get_running_loop().add_signal_handler(number, self.hang_up)

    def on_unmount(self) -> None:
        """Release the file."""
        if self.file is not None:
            self.file.close()

    @property
    def finder(self) -> "Finder":
        """Finds things in the open file by name; it reads the names once."""
        from sing_tui.finder import Finder

        store = self.catalog.store
        if self._finder is None or self._finder[0] is not store:
            self._finder = (store, Finder(store))
        return self._finder[1]

    @work(thread=True, exclusive=True, group="open")
    def open_file(self, *, again: bool = False) -> None:
        """Open the file, or open it again; on failure the first time there is nothing to show and the app ends."""
        if not self.path.exists() and not again:
            return  # sing-compute is at work on it: `look` opens it when it is there
        from sing_tui.opening import Opened, open_again, open_first

        try:
            stamp = stamp_of(self.path, self.other)
            first = None if again else open_first(self.path, self.start, self.memory, self.images, self.other)
            found: Opened | StoreCatalog = first or open_again(self.path, self.images, self.other)
        except Exception as error:  # whatever a damaged file leads to ends in one line
            self.call_from_thread(self._not_opened, error, again)
            return
        self._opened = stamp
        self.call_from_thread(self._show if isinstance(found, Opened) else self._take, found)

    def read_again(self) -> None:
        """Open the file again."""
        self.open_file(again=True)

    def _not_opened(self, error: Exception, again: bool) -> None:
        if again and self.page is not None:
            self.page.say(str(error))
        else:
            self.failure = error if isinstance(error, SingError) else SingError(f"{self.path} cannot be read: {error}")
            self.exit(return_code=2)

    def _show(self, found: "Opened") -> None:
        """Show the table of a file that was opened."""
        from sing_tui.screens.table import TableScreen

        if not self.screen_stack:  # the app ended while the file was read
            return
        self.file, self.changed = found.catalog, False
        self.page = TableScreen(self, found.session, found.first, note=found.hint)
        self.push_screen(self.page)

    def _take(self, catalog: "StoreCatalog") -> None:
        """Take up a file that was opened again; the earlier one stays open for threads still at work, until nothing needs it."""
        if self.screen_stack and self.page is not None:
            before, self.file, self.changed = self.catalog, catalog, False
            self.page.reading.take_file(before)

    @work(thread=True, exclusive=True, group="look")
    def look(self) -> None:
        """Look for a run that is writing this file, and for another file in its place."""
        from sing_tui.run_progress import read_progress

        opened = self._opened
        now, stamp = read_progress(self.path), stamp_of(self.path, self.other)
        self.call_from_thread(self._looked, now, opened, opened is not None and stamp != opened)

    def _looked(self, now: "RunProgress | None", opened: object, changed: bool) -> None:
        changed = changed if opened == self._opened else self.changed  # a late answer may be about an earlier file
        moved = (now, changed) != (self.running, self.changed)
        self.running, self.changed = now, changed
        if not self.screen_stack:  # the app ended while its thread looked
            return
        page = self.page
        if page is None:
            if self.path.exists() and self._opened is None:
                self.open_file()
            elif isinstance(self.screen, OpeningScreen):
                from sing_tui.run_progress import waiting_line

                self.screen.say(waiting_line(self.path.name, now, self.glyphs))
            return
        stamp = stamp_of(self.path, self.other)
        if changed and stamp not in (None, self._refused) and self.screen is page and page.session.typing is None:
            self._refused = stamp  # until it was opened: a damaged file is complained of once
            self.open_file(again=True)
        elif moved:
            page.draw_place()
            page.dialogs.say_changed()

    def news(self) -> str:
        """Say what happens to the file, or how far the run is that writes it; empty for nothing."""
        if self.running is not None:
            return f"sing-compute: {self.running.line(self.glyphs)} "
        lost = self.lost_file()
        return f"{lost}: R reads it again " if lost == FILE_CHANGED else f"{lost} " if lost else ""

    def lost_file(self) -> str:
        """Say that the open file is no longer at its place; empty while it is."""
        gone = [f"{path.name} is gone" for path in (self.path, self.other) if path is not None and not path.exists()]
        return next(iter(gone), FILE_CHANGED) if self.changed else ""

    async def on_event(self, event: events.Event) -> None:
        """Take an event, but let keys wait for the rows that they are about."""
        if isinstance(event, events.Resize) and isinstance(self._driver, FramesOnce):
            self._driver.forget()  # also in the same size: programs that hold a session ask so for all of the screen
        front = self.screen_stack[-1] if self.screen_stack else None  # at the end there is none
        if not self._held.take(event, self.page, front, opening=self.page is None and self.path.exists()):
            await super().on_event(event)

    def release_keys(self) -> None:
        """Let the keys take effect that waited for a table."""
        self._held.release()

    def on_key(self, event: events.Key) -> None:
        """Keys typed ahead of the typing line or of a screen belong to it: over a slow link `/zebra` arrives as one piece."""
        if self._held.take_ahead(event, self.page, self.screen_stack):
            event.prevent_default()

    def action_theme_named(self, name: str) -> None:
        """Change the theme, and keep it for the next time."""
        self.theme = name
        if self.memory is not None:
            from sing_tui.settings import State, write_state

            write_state(self.memory, State(theme=name))

    async def action_quit(self) -> None:
        """Leave, and remember the place; a running export is asked about first."""
        if self.page is not None and self.page.export_runner.holds_back():
            return
        self.remember()
        self.exit()

    def hang_up(self) -> None:
        """The connection is cut, or the system ends the program: give up an export, keep the place, leave."""
        if self.page is not None:
            self.page.export_runner.cancel()
        self.remember()
        self.exit()

    def remember(self) -> None:
        """Keep the place for the next time."""
        page = self.page
        if self.memory is not None and self.other is None and page is not None and page.view is not None:
            from sing_tui.opening import remember

            page.sync()
            remember(self.memory, self.path, self.catalog, page.session, page.view)

    def action_help_quit(self) -> None:
        """Ctrl+C where no table takes it: cancel a running export, or say how to leave instead of leaving."""
        if self.page is not None and not self.page.export_runner.cancel():
            self.page.export_runner.say("Q quits")
