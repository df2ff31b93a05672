"""Typing the columns that rows are counted by, and the number of rows that are marked."""

from collections.abc import Callable

from sing_compute.errors import SingError
from sing_tui.count_columns import columns_named
from sing_tui.error_reporting import in_one_line
from sing_tui.screens.surface import Surface
from sing_tui.session import Session
from sing_tui.session.arranging import arrangement
from sing_tui.session.counting import count_by, may_count
from sing_tui.session.marking import mark_top
from sing_tui.session.state import Purpose

SessionStep = Callable[[Session], Session]


class Asking:
    """Reads what is typed in one screen, says what is wrong with it, and makes a step of the session of it."""

    def __init__(self, screen: Surface) -> None:
        self.screen = screen

    def first_text(self, purpose: Purpose) -> str:
        """Return the text that the typing line begins with.

        Raises:
            Refused: Nothing can be typed for this purpose here.
        """
        screen = self.screen
        if purpose == "count":
            may_count(screen.session)
        return arrangement(screen.session, screen.catalog).filter if purpose == "filter" else ""

    def hint(self, purpose: Purpose) -> str:
        """Say what can be typed; empty for a filter and for words to find."""
        if purpose == "count":
            column = self._default()
            return "columns, as in class, prediction or is/5" + (f"; Enter alone: {column}" if column else "")
        if purpose == "mark":
            return "how many rows to mark, from the first line on"
        return ""

    def _marked(self, text: str, *, over: bool) -> SessionStep | None:
        typed = text.strip().replace(",", "")
        if not typed and not over:
            return None
        if not typed.isdecimal() or not int(typed):
            raise SingError("type how many rows to mark: a number above 0")
        return lambda session: mark_top(session, int(typed))

    def _default(self) -> str:
        """Return the name of the column under the cursor; empty if it cannot be counted by."""
        view, table = self.screen.view, self.screen.table
        if view is None or not table.columns:
            return ""
        name = table.columns[table.column].name
        try:
            columns_named(view.table, [name])
        except SingError:
            return ""
        return name

    def read(self, purpose: str, text: str, *, over: bool) -> SessionStep | None:
        """Read what is typed.

        Args:
            purpose: The purpose of the typing line.
            text: The text.
            over: True if it is to be taken as it is.

        Returns:
            The step to take; None where the user goes on typing.
        """
        screen = self.screen
        try:
            step = self._counted(text, over=over) if purpose == "count" else self._marked(text, over=over)
        except SingError as error:
            screen.frame.status.problem = screen.glyphs.text(in_one_line(error))
            step = None
        else:
            screen.frame.status.problem = ""
            if text:
                screen.frame.status.message = ""
        screen.draw_status()
        return step if over else None

    def _counted(self, text: str, *, over: bool) -> SessionStep | None:
        view = self.screen.view
        by = tuple(name.strip() for name in text.split(",") if name.strip())
        if view is None or (not by and not over):
            return None
        by = by or tuple(filter(None, [self._default()]))
        found = columns_named(view.table, by)
        names = tuple(
            column.name if width is None else f"{column.name}/{name.rpartition('/')[2].strip()}"
            for name, (column, width) in zip(by, found, strict=True)
        )
        return lambda session: count_by(session, self.screen.catalog, names)
