"""The table screen, as its parts see it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from textual.app import App

from sing_compute.formats import Glyphs
from sing_compute.store.place import Place
from sing_tui.actions import has_photographs
from sing_tui.screens.background import Background
from sing_tui.screens.host import Host
from sing_tui.session import Session
from sing_tui.session.names import rows_word
from sing_tui.session.state import Refused
from sing_tui.store_catalog import StoreCatalog
from sing_tui.view import View
from sing_tui.widgets.details_pane import Shown
from sing_tui.widgets.score_table import ScoreTable
from sing_tui.widgets.table_frame import TableFrame
from sing_tui.widgets.table_header import Position


@dataclass(slots=True, eq=False)
class Drawn:
    """A visit as it was drawn, to show it again without reading it."""

    place: Place | None = None
    view: View | None = None
    """The table that was read; None before, and where it could not be read."""
    position: Position | None = None
    """Cursor and columns at the time when another table was opened."""
    details: Shown | None = None


class Surface(Protocol):
    """The table screen."""

    host: Host
    session: Session
    background: Background
    frame: TableFrame
    drawn: list[Drawn]
    """Each visit as it was drawn; the last one is on the screen."""
    note: str
    """One line to show once the cursor moves."""

    @property
    def app(self) -> App[Any]:
        """The application."""

    @property
    def catalog(self) -> StoreCatalog:
        """The open file and its tables."""

    @property
    def glyphs(self) -> Glyphs:
        """The signs that are not letters."""

    @property
    def view(self) -> View | None:
        """The table of the present visit; None until it is read."""

    @property
    def table(self) -> ScoreTable:
        """The table widget."""

    @property
    def identity(self) -> int | None:
        """Position of the row under the cursor on its axis; None where there is none."""

    async def run_action(self, action: str) -> None:
        """Run an action as a binding writes it."""

    def sync(self) -> None:
        """Tell the session where the cursor is."""

    def act(self, step: Callable[[Session], Session]) -> None:
        """Take a step of the session, or say why it is refused."""

    def become(self, new: Session) -> None:
        """Draw another state."""

    def say(self, message: str) -> None:
        """Show a message in the status line until the cursor moves."""

    def busy(self, what: str) -> None:
        """Say what is being done."""

    def draw_place(self) -> None:
        """Draw the line at the top."""

    def draw_status(self) -> None:
        """Draw the line at the bottom."""

    def show_body(self) -> None:
        """Draw what fills the screen: table, details or a chart."""

    def lay_out(self) -> None:
        """Share the screen between table and details."""

    def show_keys(self) -> None:
        """Draw the line of keys."""


def rows_of(screen: Surface, otherwise: str) -> View:
    """Return the table of a screen, or refuse where it has no rows.

    Args:
        screen: The table screen.
        otherwise: What is said where there are no rows.

    Raises:
        Refused: There are no rows.
    """
    view = screen.view
    if view is None or not len(view):
        raise Refused(otherwise)
    return view


def needs_photographs(screen: Surface) -> None:
    """Refuse what only rows with image files have.

    Raises:
        Refused: The names of the rows are no paths of image files.
    """
    catalog, place = screen.catalog, screen.session.place
    if not has_photographs(place, catalog):
        where = f": open {catalog.words('images')} first" if catalog.has_photographs else ""
        raise Refused(f"{rows_word(catalog, place)} are no photographs{where}")
