"""Showing the table of a place, whatever the level: reading it off the main thread, arranging it, drawing what surrounds it."""

from typing import TYPE_CHECKING, Literal, cast

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.screen import Screen
from textual.timer import Timer

from sing_compute.errors import SingError
from sing_tui.details import Detail, detail_of
from sing_tui.filters import FilterError
from sing_tui.place import FIRST_ARRANGEMENT, Level, Place, class_title, open_table
from sing_tui.screens.spoken import in_one_line, spoken
from sing_tui.view import Arrangement, View, arrange
from sing_tui.widgets.detail import DetailPane, Mode
from sing_tui.widgets.lines import KeyLine, TextLine, TypingLine
from sing_tui.widgets.score_table import ScoreTable

if TYPE_CHECKING:
    from sing_tui.app import Explorer

WIDE = 100
"""From so many columns on the details stand beside the table."""
_DEBOUNCE = 0.08


class Page(Screen[Place]):
    """A table with its place above it, its state and keys below it, and details beside it. `TableScreen` adds the keys."""

    body: Literal["table", "detail", "plot"] = "table"
    """What fills the screen."""
    beside = True
    """Whether details stand beside the table where there is room."""

    DEFAULT_CSS = """
    Page { background: $background; layout: vertical; overflow: hidden; }
    Page #body { height: 1fr; }
    """

    class ViewRead(Message):
        """A table was read; `note` says why where it was not."""

        def __init__(self, place: Place, view: View | None, note: str, select: int | None) -> None:
            super().__init__()
            self.place, self.view, self.note, self.select = place, view, note, select

    class DetailRead(Message):
        """Details of a line were read."""

        def __init__(self, wanted: tuple[Place, View, int], detail: Detail) -> None:
            super().__init__()
            self.wanted, self.detail = wanted, detail

    def __init__(self, place: Place, *, arrangement: Arrangement | None = None, select: int | None = None) -> None:
        super().__init__()
        self.place = place
        self.arrangements: dict[Level, Arrangement] = dict(FIRST_ARRANGEMENT)
        if arrangement is not None:
            self.arrangements[place.level] = arrangement
        self.view: View | None = None
        self.select = select
        self.stale = False
        self.message = self.problem = self._note = ""
        self._timer: Timer | None = None

    @property
    def explorer(self) -> "Explorer":
        """The app this screen belongs to."""
        return cast("Explorer", self.app)

    @property
    def wide(self) -> bool:
        """Whether there is room for details beside the table."""
        return self.size.width >= WIDE

    @property
    def pane_mode(self) -> Mode:
        """What comes first in the details."""
        return "beside" if self.body == "table" else self.body

    @property
    def table(self) -> ScoreTable:
        """The table widget."""
        return self.query_one(ScoreTable)

    @property
    def arrangement(self) -> Arrangement:
        """Filter and sort at the present level."""
        return self.arrangements[self.place.level]

    def compose(self) -> ComposeResult:
        """The parts, from top to bottom."""
        glyphs = self.explorer.glyphs
        yield TextLine(glyphs, id="place", classes="place")
        with Horizontal(id="body"):
            yield ScoreTable(glyphs)
            yield DetailPane(glyphs)
        yield TypingLine(id="typing")
        yield TextLine(glyphs, id="status")
        yield KeyLine(glyphs, id="keys")

    def on_mount(self) -> None:
        """Start once the parts exist."""
        self.table.focus()
        self.draw_place()
        self.show_keys()
        if self.explorer.store is None:
            self.table.note = f"opening {self.explorer.glyphs.text(self.explorer.path.name)} ..."
        else:
            self.load(self.select)

    def on_resize(self) -> None:
        """Fit what is painted to the new size."""
        self.lay_out()

    def on_screen_resume(self) -> None:
        """Read the table again if the file was opened anew."""
        if self.stale and self.explorer.store is not None:
            self.load(self.identity)

    @property
    def identity(self) -> int | None:
        """The model, class, concept or image index under the cursor."""
        return self.view.identity(self.table.cursor) if self.view is not None and len(self.view) else None

    def load(self, select: int | None = None) -> None:
        """Read the table of the present place, then put the cursor on the item `select`."""
        self.stale = False
        self.draw_place()
        self._read_view(self.place, self.arrangement, select)

    @work(thread=True, exclusive=True, group="view")
    def _read_view(self, place: Place, wanted: Arrangement, select: int | None) -> None:
        store = self.explorer.store
        if store is None:
            return
        try:
            table = open_table(store, place)
            try:
                found, note = arrange(table, wanted), ""
            except FilterError as error:
                found = arrange(table, Arrangement("", wanted.sort, wanted.descending))
                note = f"filter dropped: {error}"
            except SingError as error:
                found, note = arrange(table, Arrangement()), f"in the order of the file: {error}"
            self.post_message(self.ViewRead(place, found, note, select))
        except Exception as error:  # a reader that dies takes the screen with it; a damaged file must not
            self.post_message(self.ViewRead(place, None, in_one_line(error), select))

    @on(ViewRead)
    def show_view(self, message: ViewRead) -> None:
        """Draw a table that was read, unless the user has gone on in the meantime."""
        if message.place != self.place:
            return
        self.view = message.view
        if message.view is None:
            self.table.show(None, note=self.explorer.glyphs.text(message.note))
        else:
            self.arrangements[self.place.level] = message.view.arrangement
            line = None if message.select is None else message.view.line_of_identity(message.select)
            self.table.show(message.view, line=line or 0, note="no rows")
            self._note = message.note
        self.lay_out()
        self.show_keys()

    @spoken
    def rearrange(self, wanted: Arrangement) -> None:
        """Filter and sort the table at hand anew; the cursor stays on its item.

        Raises:
            FilterError: The filter cannot be read; nothing has changed then.
        """
        if self.view is None:
            return
        old, line = self.view, self.table.cursor
        self.view = arrange(old.table, wanted)
        self.arrangements[self.place.level] = self.view.arrangement
        kept = self.view.line_of(int(old.order[line])) if len(old) else None
        self.table.show(self.view, line=line if kept is None else kept, note="no row passes the filter: Esc clears it")

    def lay_out(self) -> None:
        """Share the screen between table and details."""
        pane, table = self.query_one(DetailPane), self.table
        beside = self.body == "table" and self.wide and self.beside
        table.display = self.body == "table"
        pane.display = beside or self.body != "table"
        if beside:
            share = int(self.size.width * 0.4)
            pane.styles.width = max(share, min(self.size.width - table.width_wanted, int(self.size.width * 0.6)))
        else:
            pane.styles.width = "1fr"
        pane.show(pane.detail, mode=self.pane_mode)
        self.draw_status()
        self.want_detail()

    def show_keys(self) -> None:
        """The keys in the lowest line; a screen with keys says which."""

    def draw_place(self) -> None:
        """The line at the top: file, model, class, table."""
        explorer, place = self.explorer, self.place
        glyphs = explorer.glyphs
        parts = [explorer.path.name, place.model]
        if place.class_index is not None and explorer.store is not None:
            parts.append(class_title(explorer.store, place.class_index))
        level: str = place.level
        if level == "classes" and place.subset != "all":
            level = f"classes ({place.subset} images)"
        parts.append("all images" if level == "images" and place.class_index is None else level)
        crumbs = f" {glyphs.crumb} ".join(glyphs.text(part) for part in parts if part)
        self.query_one("#place", TextLine).write(crumbs, "file changed: R reads it again " if explorer.changed else "")

    def draw_status(self) -> None:
        """The line at the bottom: the row and how many there are, sort, filter; or what went wrong."""
        line, glyphs = self.query_one("#status", TextLine), self.explorer.glyphs
        line.set_class(bool(self.problem), "problem")
        if self.problem or self.message or self.view is None:
            line.write(glyphs.text(self.problem or self.message))
            return
        view = self.view
        parts = [f"{self.table.cursor + 1:,} of {len(view):,}" if len(view) else "no rows"]
        if self.query_one(TypingLine).purpose == "filter":
            parts = [f"{len(view):,} of {view.table.length:,} rows"]
        elif view.arrangement.filter:
            parts[0] += f" (filtered from {view.table.length:,})"
        if view.arrangement.sort:
            arrow = glyphs.falling if view.arrangement.descending else glyphs.rising
            parts.append(f"sort {view.table.column(view.arrangement.sort).title} {arrow}")
        if view.arrangement.filter:
            parts.append(f"filter {glyphs.text(view.arrangement.filter)}")
        line.write(f" {glyphs.dot} ".join(parts))

    def say(self, message: str) -> None:
        """Show a message in the status line until the cursor moves."""
        self.message = message
        self.draw_status()

    @on(ScoreTable.Moved)
    def moved(self) -> None:
        """Keep status and details up with the cursor."""
        self.message, self._note = self._note, ""
        self.draw_status()
        self.want_detail()

    @on(ScoreTable.Failed)
    def failed(self, message: ScoreTable.Failed) -> None:
        """Say why cells could not be read."""
        self.say(message.problem)

    def want_detail(self) -> None:
        """Read details soon, once the cursor rests: held keys stay cheap."""
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
        if not self.query_one(DetailPane).display:
            return
        if self.view is None or not len(self.view):
            self.query_one(DetailPane).show(None, mode=self.pane_mode)
            return
        self._timer = self.set_timer(_DEBOUNCE, self._read_detail_now)

    def _read_detail_now(self) -> None:
        self._timer = None
        if self.view is not None and len(self.view):
            self._read_detail(self.place, self.view, self.table.cursor)

    @work(thread=True, exclusive=True, group="detail")
    def _read_detail(self, place: Place, view: View, line: int) -> None:
        store = self.explorer.store
        if store is None:
            return
        try:
            detail = detail_of(store, place, view, line, self.explorer.glyphs)
        except Exception as error:
            detail = Detail("details", reading=in_one_line(error))
        self.post_message(self.DetailRead((place, view, line), detail))

    @on(DetailRead)
    def show_detail(self, message: DetailRead) -> None:
        """Draw details, unless the cursor has moved on."""
        place, view, line = message.wanted
        if place == self.place and view is self.view and line == self.table.cursor:
            self.query_one(DetailPane).show(message.detail, mode=self.pane_mode)
