"""A table with what surrounds it: the place above it, its state and keys below it, and details next to it."""

from collections.abc import Callable
from typing import Literal

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.timer import Timer

from sing_compute.formats import Glyphs
from sing_tui.session.state import Body
from sing_tui.widgets.details_pane import DetailsPane, pane_mode
from sing_tui.widgets.score_table import ScoreTable
from sing_tui.widgets.text_lines import KeyLine, PlaceLine, StatusLine
from sing_tui.widgets.typing_line import TypingLine

WIDE = 100
"""From so many columns on there is room for details next to the table."""
_PATIENCE = 0.15
"""Seconds after which the frame says that something is at work."""


Movement = Literal["line", "page", "to", "column"]
"""Lines or pages by which the cursor moves, the line to which it goes (-1: the last), or columns."""


class TableFrame(Vertical):
    """The parts of a table screen."""

    DEFAULT_CSS = """
    TableFrame { background: $background; overflow: hidden;
        & #body { height: 1fr; }
    }
    """

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__()
        self.glyphs = glyphs
        self.table, self.pane = ScoreTable(glyphs), DetailsPane(glyphs)
        self.place, self.keys = PlaceLine(glyphs, id="place", classes="place"), KeyLine(glyphs, id="keys")
        self.typing, self.status = TypingLine(id="typing"), StatusLine(glyphs, id="status")
        self._patience: Timer | None = None

    def compose(self) -> ComposeResult:
        """Return the parts, from top to bottom."""
        yield self.place
        with Horizontal(id="body"):
            yield self.table
            yield self.pane
        yield self.typing
        yield self.status
        yield self.keys

    @property
    def wide(self) -> bool:
        """True if there is room for details next to the table."""
        return self.screen.size.width >= WIDE

    def share_room(self, body: Body, *, details: bool) -> None:
        """Share the room between table and details.

        Args:
            body: What fills the screen.
            details: True if details are wanted next to the table.
        """
        width = self.screen.size.width
        both = body == "table" and self.wide and details
        self.table.display = body == "table"
        self.pane.display = both or body != "table"
        if both:
            share = int(width * 0.4)
            self.pane.styles.width = max(share, min(width - self.table.width_wanted, int(width * 0.6)))
        else:
            self.pane.styles.width = "1fr"
        self.pane.set_mode(pane_mode(body))

    def move_cursor(self, kind: Movement, by: float, body: Body) -> None:
        """Move the cursor, or turn the pages of details where they fill the screen."""
        table = self.table
        if kind == "line":
            table.move(int(by))
        elif kind == "to":
            table.go(int(by) if by >= 0 else table.lines - 1)
        elif kind == "column":
            table.move_column(int(by))
        elif body == "details":
            self.pane.turn(by)
        else:
            table.turn(by)

    def at_work(self, say: Callable[[], None]) -> None:
        """Call a function that says what is being done, unless it is done soon."""
        self.done()
        self._patience = self.set_timer(_PATIENCE, say)

    def done(self) -> None:
        """End that message."""
        if self._patience is not None:
            self._patience.stop()
            self._patience = None
        if self.status.is_at_work:
            self.status.message = ""
