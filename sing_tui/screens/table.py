"""The table screen: it asks the session, has its tables read, and draws."""

from collections.abc import Callable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import Screen

from sing_compute.errors import SingError
from sing_compute.formats import Glyphs
from sing_compute.store.place import Place
from sing_tui.actions import footer
from sing_tui.error_reporting import in_one_line
from sing_tui.key_list import BINDINGS
from sing_tui.loading import TableRead
from sing_tui.screens.background import Background
from sing_tui.screens.dialogs import Dialogs
from sing_tui.screens.export_runner import ExportRunner
from sing_tui.screens.host import Host
from sing_tui.screens.search import Search
from sing_tui.screens.steps import STEPS, Surroundings
from sing_tui.screens.surface import Drawn
from sing_tui.screens.table_reading import TableReading
from sing_tui.session import Session
from sing_tui.session.moves import back
from sing_tui.session.names import breadcrumbs_of
from sing_tui.session.stack import leave_to
from sing_tui.session.state import Purpose, at_cursor, columns_at
from sing_tui.session.undoing import remembering
from sing_tui.store_catalog import StoreCatalog
from sing_tui.view import View
from sing_tui.widgets.score_table import ScoreTable
from sing_tui.widgets.table_frame import Movement, TableFrame
from sing_tui.widgets.text_lines import KeyLine, PlaceLine
from sing_tui.widgets.typing_line import TypingLine


class TableScreen(Screen[None]):
    """Any table of a file, with all its keys (listed in `key_list`)."""

    BINDINGS: ClassVar[list[BindingType]] = [*BINDINGS]

    def __init__(self, host: Host, session: Session, first: TableRead, *, note: str = "") -> None:
        """Prepare the screen.

        Args:
            host: The application.
            session: Where to begin.
            first: The table of that place.
            note: One line to show at first.
        """
        super().__init__()
        self.host, self.session, self.note = host, session, note
        self.frame = TableFrame(host.glyphs)
        self.drawn = [Drawn() for _ in session.visits]
        self.reading, self.search = TableReading(self, first), Search(self)
        self.background = Background(self, self.reading.failed)
        self.export_runner = ExportRunner(self.background, self.say, self.call_later)
        self.dialogs = Dialogs(self, self.export_runner)
        self._status_of: tuple[View | None, int] = (None, -1)

    def compose(self) -> ComposeResult:
        """Return the parts."""
        yield self.frame

    def on_mount(self) -> None:
        """Start once the parts exist."""
        self.table.focus()
        self.draw_place()
        self.show_keys()
        self.reading.show_first()
        self.background.warm_up(self.catalog, lambda: not self.reading.under_way, charts=self.frame.wide)

    def on_resize(self) -> None:
        """Fit what is painted to the new size."""
        self.reading.resized()

    @property
    def catalog(self) -> StoreCatalog:
        """The open file and its tables."""
        return self.host.catalog

    @property
    def glyphs(self) -> Glyphs:
        """The signs that are not letters."""
        return self.host.glyphs

    @property
    def place(self) -> Place:
        """The table that is shown, or on its way."""
        return self.session.place

    @property
    def view(self) -> View | None:
        """The table of the present visit; None until it is read."""
        return self.drawn[-1].view

    @property
    def table(self) -> ScoreTable:
        """The table widget."""
        return self.frame.table

    @property
    def identity(self) -> int | None:
        """Position of the row under the cursor on its axis; None where there is none."""
        view = self.view
        return view.identity(self.table.cursor) if view is not None and len(view) and view is self.table.view else None

    def sync(self) -> None:
        """Tell the session where the cursor is."""
        if self.view is not None and self.view is self.table.view and not self.reading.is_behind:
            self.session = at_cursor(self.session, identity=self.identity, line=self.table.cursor)

    def act(self, step: Callable[[Session], Session]) -> None:
        """Take a step of the session, or say why it is refused; what is being typed is taken first: a click can do so."""
        self.search.take()
        self.sync()
        try:
            new = remembering(self.session, step(self.session), self.catalog)
        except SingError as error:
            self.say(in_one_line(error))
        else:
            self.frame.status.forget()
            self.become(new)

    def become(self, new: Session) -> None:
        """Draw another state: what has changed, and nothing else."""
        old, self.session, here, before = self.session, new, new.here, self.session.here
        if len(new.visits) > len(old.visits):
            self.drawn[-1].position, self.drawn[-1].details = self.table.position, self.frame.pane.shown
            self.drawn.append(Drawn())
            self.reading.read()
        elif len(new.visits) < len(old.visits):
            self.drawn.pop()
            self.reading.show_again(before.place)
        elif here.place != before.place:
            self.reading.read()
        else:
            if here.arrangements != before.arrangements or columns_at(new) != columns_at(old):
                self.reading.arrange()
                self.draw_place()  # it names the subset that a filter keeps
            elif here.identity != before.identity or here.line != before.line:
                self.table.go(here.line)
            if here.marks != before.marks:
                self.table.mark(here.marks)
                self.draw_status()
            if (here.body, here.chart, here.details) != (before.body, before.chart, before.details):
                if before.body != "table" and here.body == "chart":
                    self.frame.pane.show(None, mode="chart")
                self.show_body()

    def show_body(self) -> None:
        """Draw what fills the screen: table, details or a chart."""
        self.lay_out()
        self.show_keys()
        if self.session.here.body == "table":
            self.table.focus()

    def lay_out(self) -> None:
        """Share the screen between table and details."""
        here = self.session.here
        self.frame.share_room(here.body, details=here.details)
        self.draw_status()
        self.reading.want_details()

    def draw_place(self) -> None:
        """Draw the line at the top: file, items and table; and at the right what happens to the file."""
        steps = [self.catalog.title(self.place), *breadcrumbs_of(self.session, self.catalog)]
        self.frame.place.show(steps, self.host.news())

    def draw_status(self) -> None:
        """Draw the line at the bottom."""
        typing, here = self.session.typing, self.session.here
        counting = typing is not None and typing.purpose == "filter"
        self.frame.status.show(
            self.view, self.table.cursor, len(here.marks), counting=counting, named=here.body != "table"
        )

    def show_keys(self) -> None:
        """Offer the most useful keys in the lowest line."""
        self.frame.keys.offer(footer(self.session, self.catalog, self.host.keys))

    def busy(self, what: str) -> None:
        """Say what is being done: it takes a while."""
        self.draw_place()
        self.say(f"{what} ...")

    def say(self, message: str) -> None:
        """Show a message in the status line until the cursor moves or a step is taken."""
        self.frame.status.message, self._status_of = message, (self.view, self.table.cursor)
        self.draw_status()

    @on(ScoreTable.Moved)
    def moved(self) -> None:
        """Keep status and details up with the cursor."""
        if self.view is self.table.view:
            self._status_follows()
            self.reading.want_details()

    def _status_follows(self) -> None:
        """Draw the status of the line under the cursor; keys call it, so that one frame shows both."""
        if self._status_of != (self.view, self.table.cursor) or self.note:
            self._status_of = (self.view, self.table.cursor)
            self.frame.status.message, self.note = self.note, ""
        self.draw_status()

    @on(ScoreTable.Failed)
    def cells_failed(self, message: ScoreTable.Failed) -> None:
        """Say why cells could not be read."""
        self.say(message.problem)

    @on(ScoreTable.Wanting)
    def cells_wanted(self, message: ScoreTable.Wanting) -> None:
        """Load what cells in sight wait for."""
        self.reading.load_cells(message.parts)

    @on(TypingLine.Typed)
    def typed(self, message: TypingLine.Typed) -> None:
        """Filter or find with every letter."""
        self.search.typed(message)

    @on(ScoreTable.Chosen)
    def row_chosen(self) -> None:
        """Open the row that was clicked twice."""
        self.action_step("open")

    @on(ScoreTable.SortAsked)
    def header_clicked(self) -> None:
        """Sort by the column whose header was clicked."""
        self.action_step("sort")

    @on(KeyLine.Clicked)
    async def key_clicked(self, message: KeyLine.Clicked) -> None:
        """Do what a clicked key does."""
        await self.run_action(message.action)

    @on(PlaceLine.StepChosen)
    def step_clicked(self, message: PlaceLine.StepChosen) -> None:
        """Go back to the table about a clicked item."""
        self.act(lambda session: leave_to(session, self.catalog, message.number))

    def action_step(self, name: str, what: str | int | None = None, by: int | None = None) -> None:
        """Take a step of the session (`steps.STEPS`); Textual counts the arguments of actions, so they are named here."""
        columns = self.table.columns
        around = Surroundings(self.catalog, columns[self.table.column] if columns else None, self.frame.wide)
        self.act(lambda session: STEPS[name](session, around, *(each for each in (what, by) if each is not None)))

    def action_sort_by(self, name: str) -> None:
        """Sort by a column of this name, wherever the cursor is."""
        columns = [column.name for column in self.table.columns]
        if name in columns:
            self.table.move_column(columns.index(name) - self.table.column)
            self.action_step("sort")

    def action_next_row(self, by: int) -> None:
        """Show the next or previous item that the rows are about in place; else go to the next or previous line."""
        if self.place.along:
            self.action_step("neighbour", "row", by)
        else:
            self.action_cursor("line", by)

    def action_mark(self) -> None:
        """Mark or unmark the row, and step down."""
        self.action_step("mark")
        self.action_cursor("line", 1)

    def action_back(self) -> None:
        """Close one layer: what is typed, the chart, the filter, the comparison, then the table."""
        if self.session.typing is not None:
            self.search.give_up()
        else:
            self.act(lambda session: back(session, self.catalog))

    async def action_leave(self) -> None:
        """Go back to the table below; at the first one, quit."""
        if self.session.is_lowest:
            await self.app.action_quit()
        else:
            self.action_step("up")

    def action_cursor(self, kind: Movement, by: float) -> None:
        """Move the cursor by lines, pages or columns, or to a line; pages of details where they fill the screen."""
        self.frame.move_cursor(kind, by, self.session.here.body)
        if kind != "column":
            self._status_follows()

    def action_type(self, purpose: Purpose) -> None:
        """Open the line in which a filter or words to find are typed."""
        self.search.start(purpose)

    def action_again(self, by: int) -> None:
        """Go to the next or previous match."""
        self.search.again(by)

    def action_show(self, name: str) -> None:
        """Open something over the table, or take something away from it."""
        self.dialogs.show(name)
