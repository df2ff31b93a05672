"""Export and clipboard of a screen: rows written to files, text copied to the terminal."""

import os
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import TYPE_CHECKING

from textual.app import App

from sing_compute.formats import Glyphs
from sing_tui.screens.background import Background
from sing_tui.screens.overlay import Overlay
from sing_tui.search import Stop
from sing_tui.view import View

if TYPE_CHECKING:
    from sing_tui.exporting import Export, ExportWanted


class ExportRunner:
    """The running export of a screen, and its way to the clipboard."""

    def __init__(self, background: Background, say: Callable[[str], None], later: Callable[..., bool]) -> None:
        """Prepare for a screen.

        Args:
            background: Runs what takes a while.
            say: Shows one line on the screen.
            later: Calls a function with arguments on the screen; threads may call it.
        """
        self._background, self._shows, self._later = background, say, later
        self._export: Export | None = None
        self._asked_to_quit = False

    @property
    def writing(self) -> str:
        """Name of the file that is being written; empty for none."""
        return "" if self._export is None else self._export.name

    def say(self, text: str) -> None:
        """Show one line on the table, and on what is over it."""
        self._shows(text)
        for screen in self._background.stack:
            if isinstance(screen, Overlay):
                screen.tell(text)

    def write(
        self,
        view: View,
        wanted: "ExportWanted",
        columns: Sequence[str],
        marks: Collection[int],
        glyphs: Glyphs,
        after: Callable[[int], str] | None = None,
    ) -> None:
        """Start an export.

        Args:
            view: The table.
            wanted: What to write, and where.
            columns: Names of the columns to write; all where it is empty.
            marks: Identities of the marked rows.
            glyphs: The signs of the screen.
            after: Called in the thread once the file is written (`exporting.Export`).
        """
        from sing_tui.exporting import Export, scoped

        rows = scoped(view, wanted.scope, view.rows_of(marks) if wanted.scope == "marked" else ())
        self._export = Export(rows, wanted, columns or None, after)
        self._asked_to_quit = False
        self.say(f"writing {glyphs.text(wanted.path)} ...")
        self._background.run("export", partial(self._run, self._export), self._over, exclusive=False)

    def _run(self, export: "Export", stop: Stop) -> str:
        return export.run(self._post)

    def _post(self, text: str) -> None:
        """Report from a thread."""
        self._later(self._report, text)

    def _report(self, text: str) -> None:
        if self._export is not None and not self._asked_to_quit:  # the question stays until it is answered
            self.say(text)

    def _over(self, text: str) -> None:
        self._export = None
        self.say(text)

    def cancel(self) -> bool:
        """Stop a running export, nothing of it stays; return False where none runs."""
        if self._export is not None:
            self._export.cancel()
        return self._export is not None

    def holds_back(self) -> bool:
        """Return True if quitting would break off an export about which the user has not been asked yet; ask then."""
        if self._export is None or self._asked_to_quit:
            self.cancel()
            return False
        self._asked_to_quit = True
        self.say(f"{self.writing} is being written: quit once more to give it up")
        return True

    def copy(self, text: Callable[[], str], app: App[None]) -> None:
        """Send text to the clipboard of the user's own machine, and say on which way.

        Args:
            text: Returns the text; a thread calls it, because some cells take a while.
            app: The application.
        """
        driver = app._driver
        write = driver.write if driver is not None else lambda text: None
        self._background.run("copy", partial(_copy, text, write), self._copied, exclusive=False)

    def _copied(self, text: str) -> None:
        if not self._asked_to_quit:
            self.say(text)


def _copy(text: Callable[[], str], write: Callable[[str], None], stop: Stop) -> str:
    from sing_tui.clipboard import copy
    from sing_tui.settings import state_path

    return copy(text(), write=write, environ=os.environ, folder=state_path(os.environ).parent)
