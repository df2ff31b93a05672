"""Photographs over the table screen: the page of one, and the contact sheet of all; the table below follows both."""

import os
from collections.abc import Callable

from sing_compute.errors import SingError
from sing_tui.error_reporting import in_one_line
from sing_tui.screens.surface import Surface, needs_photographs, rows_of
from sing_tui.session import Session
from sing_tui.session.files import is_joined, refuse_second_alone
from sing_tui.session.names import breadcrumbs_of
from sing_tui.session.state import Refused


class Photographs:
    """Keys that show the photographs of one table screen."""

    def __init__(self, screen: Surface) -> None:
        self.screen = screen
        self.opens: dict[str, Callable[[], None]] = {
            "photograph": self._photograph,
            "contact sheet": self._contact_sheet,
        }

    def _photograph(self, closed: Callable[[int], None] = lambda _: None) -> None:
        """Open the page of the row under the cursor; `closed` is called with the line of the table when it is closed."""
        from sing_tui.photographs import graphics
        from sing_tui.screens.photograph import PhotographScreen

        screen, host = self.screen, self.screen.host
        needs_photographs(screen)
        refuse_second_alone(screen.session, screen.catalog)
        if screen.identity is None or screen.view is None:
            return
        photograph = PhotographScreen(
            screen.catalog.store,
            screen.session.place,
            screen.identity,
            screen.catalog.neighbours(screen.session.place),
            glyphs=screen.glyphs,
            view=screen.view,
            folder=host.images,
            graphics=graphics(os.environ) if host.graphics == "auto" else host.graphics,
            step=self._next_row,
        )
        screen.app.push_screen(photograph, lambda _: closed(screen.table.cursor))

    def _next_row(self, by: int) -> int | None:
        """Move the table under a photograph by lines; return the row that its cursor is on then, None at an end."""
        table = self.screen.table
        line = table.cursor + by
        if not 0 <= line < table.lines:
            return None
        table.go(line)
        return self.screen.identity

    def _contact_sheet(self) -> None:
        from sing_tui.photographs import graphics
        from sing_tui.screens.contact_sheet import ContactSheetScreen
        from sing_tui.screens.photograph_reading import PhotographReader
        from sing_tui.screens.terminal_drawing import TerminalDrawing

        screen, host = self.screen, self.screen.host
        needs_photographs(screen)
        if is_joined(screen.session.place):
            raise Refused("the contact sheet is of one file: B shows the first one alone")
        view = rows_of(screen, "there are no photographs here")
        terminal = TerminalDrawing(graphics(os.environ) if host.graphics == "auto" else host.graphics)
        place = screen.session.place
        reader = PhotographReader(screen.catalog.store, place, view, screen.glyphs, host.images, terminal)
        sheet = ContactSheetScreen(
            reader,
            view,
            screen.table.cursor,
            frozenset(screen.session.here.marks),
            steps=(screen.catalog.title(place), *breadcrumbs_of(screen.session, screen.catalog)),
            go=screen.table.go,
            mark=self._mark,
            photograph=self._photograph,
        )
        screen.app.push_screen(sheet)

    def _mark(self, step: Callable[[Session], Session]) -> tuple[frozenset[int], str]:
        """Change the marks of the table; return all of them, and why a change is refused."""
        screen, problem = self.screen, ""
        screen.sync()
        try:
            screen.become(step(screen.session))
        except SingError as error:
            problem = in_one_line(error)
        return frozenset(screen.session.here.marks), problem
