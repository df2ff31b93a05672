"""Showing the table of a place, whatever the level: reading it off the main thread, and arranging it."""

from textual import on, work
from textual.message import Message

from sing_compute.errors import SingError
from sing_compute.store.columns import Loaded
from sing_tui.filters import FilterError
from sing_tui.place import Place, open_table
from sing_tui.screens.frame import Frame, overtaken
from sing_tui.screens.spoken import in_one_line, spoken
from sing_tui.search import Overtaken
from sing_tui.view import Arrangement, View, arrange
from sing_tui.widgets.columns import AT_ONCE
from sing_tui.widgets.lines import TypingLine
from sing_tui.widgets.score_table import ScoreTable

_IDLE = 0.5
"""Seconds after which nothing else is likely to be done."""


class Page(Frame):
    """A table that is read, sorted and filtered without the screen waiting for it."""

    class ViewRead(Message):
        """A table was read; `note` says why where it was not."""

        def __init__(self, place: Place, view: View | None, note: str, select: int | None) -> None:
            super().__init__()
            self.place, self.view, self.note, self.select = place, view, note, select

    class Arranged(Message):
        """The table at hand was sorted or filtered as `wanted`; the cursor goes to the row `kept`, where it is shown."""

        def __init__(self, wanted: Arrangement, view: View, line: int, kept: int | None) -> None:
            super().__init__()
            self.wanted, self.view, self.line, self.kept = wanted, view, line, kept

    class Failed(Message):
        """Work beside the screen came to nothing."""

        def __init__(self, problem: str) -> None:
            super().__init__()
            self.problem = problem

    def on_mount(self) -> None:
        """Start once the parts exist."""
        self.table.focus()
        self.draw_place()
        self.show_keys()
        self.load(self.select)
        if self.wide:  # pictures will stand beside the table
            self.set_timer(_IDLE, self._warm_up)

    def on_screen_resume(self) -> None:
        """Read the table again if the file was opened anew."""
        if self.stale:
            self.load(self.identity)

    @property
    def is_new(self) -> bool:
        """Whether the first table of this page is still being read."""
        return self.view is None and self._reading

    @property
    def at_rest(self) -> bool:
        """Whether the user is doing nothing that a new table would break off."""
        return not self.query_one(TypingLine).purpose

    def load(self, select: int | None = None) -> None:
        """Read the table of the present place, then put the cursor on the item `select`."""
        self.stale, self.select, self._reading = False, select, True
        self.at_work("reading")
        self._read_view(self.place, self.arrangement, select)

    @work(thread=True, exclusive=True, group="view")
    def _read_view(self, place: Place, wanted: Arrangement, select: int | None) -> None:
        stop = overtaken()
        try:
            table = open_table(self.store, place)
            try:
                found, note = arrange(table, wanted, stop), ""
            except Overtaken:
                return
            except FilterError as error:
                found = arrange(table, Arrangement("", wanted.sort, wanted.descending), stop)
                note = f"filter dropped: {error}"
            except SingError as error:
                found, note = arrange(table, Arrangement(), stop), f"in the order of the file: {error}"
            self.post_message(self.ViewRead(place, found, note, select))
        except Exception as error:  # a reader that dies takes the screen with it; a damaged file must not
            self.post_message(self.ViewRead(place, None, in_one_line(error), select))

    @on(ViewRead)
    def show_view(self, message: ViewRead) -> None:
        """Draw a table that was read, unless the user has gone on in the meantime."""
        if message.place != self.place:
            return
        self.done()
        self._reading = False
        self.draw_place()
        self.view, self._loading = message.view, []
        self._forget_marks()
        if message.view is None:
            self.table.show(None, note=self.glyphs.text(message.note))
        else:
            self.arrangements[self.place.level] = message.view.arrangement
            line = None if message.select is None else message.view.line_of_identity(message.select)
            line, self._line = self._line if line is None else line, None
            self.table.show(message.view, line=line or 0, note="no rows", columns=self.chosen_columns)
            self.note = message.note or self.note
        self.lay_out()
        self.show_keys()
        self.explorer.let_go()

    def _forget_marks(self) -> None:
        """Drop the marks where the rows are other things now: another level, or the images of another class."""
        place = self.place
        here = (
            place.level,
            place.beside is not None and place.level == "models",
            place.level == "images" and place.class_index,
        )
        if here != self._marked_at:
            self.marks, self._marked_at = set(), here
            self.table.marks = self.marks

    @spoken
    def rearrange(self, wanted: Arrangement, row: int | None = None) -> None:
        """Filter and sort the table at hand anew, a large one beside the screen; the cursor stays on its item, or goes to `row`.

        Raises:
            FilterError: The filter cannot be read; nothing has changed then.
        """
        if self.view is None:
            return
        self.arrangements[self.place.level] = wanted
        line = self.table.cursor
        if row is None and len(self.view):
            row = int(self.view.order[line])
        if self._reading:
            self.load(self.select)
        elif self.view.table.length <= AT_ONCE:
            self.show_arranged(self.Arranged(wanted, arrange(self.view.table, wanted), line, row))
        else:
            self.at_work("sorting" if wanted.filter == self.view.arrangement.filter else "filtering")
            self._arrange(self.view, wanted, line, row)

    @work(thread=True, exclusive=True, group="view")
    def _arrange(self, old: View, wanted: Arrangement, line: int, row: int | None) -> None:
        try:
            self.post_message(self.Arranged(wanted, arrange(old.table, wanted, overtaken()), line, row))
        except Overtaken:
            pass
        except Exception as error:
            self.post_message(self.Failed(in_one_line(error)))

    @on(Arranged)
    def show_arranged(self, message: Arranged) -> None:
        """Draw the table in its new order, unless another table stands there now or another order is wanted by now."""
        if self.view is None or message.view.table is not self.view.table or message.wanted is not self.arrangement:
            return
        self.view = message.view
        self.arrangements[self.place.level] = self.view.arrangement
        kept = None if message.kept is None else self.view.line_of(message.kept)
        line = message.line if kept is None else kept
        note = "no row passes the filter: Esc clears it"
        self.table.show(self.view, line=line, note=note, columns=self.chosen_columns)
        self.done()
        self.draw_status()

    @on(Failed)
    def work_failed(self, message: Failed) -> None:
        """Say why work beside the screen came to nothing; the table stays as it was."""
        if self.view is not None:
            self.arrangements[self.place.level] = self.view.arrangement
        self.done()
        self.say(message.problem)

    @on(ScoreTable.Wanting)
    def load_cells(self, message: ScoreTable.Wanting) -> None:
        """Load beside the screen what cells in sight wait for."""
        new = [part for part in message.parts if part not in self._loading]
        if new:
            self._loading += new
            self._load_cells(new)

    @work(thread=True, group="cells")
    def _load_cells(self, parts: list[Loaded]) -> None:
        try:
            for part in parts:
                part.cells  # noqa: B018
            self.app.call_from_thread(self.table.refresh)
        except Exception as error:
            self.post_message(self.Failed(in_one_line(error)))
