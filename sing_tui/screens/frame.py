"""What surrounds a table: its place above it, its state and keys below it, and details beside it, read off the main thread."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Literal, cast

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.screen import Screen
from textual.timer import Timer
from textual.worker import get_current_worker

from sing_compute.store import Store
from sing_compute.store.columns import CLASSES, CONCEPTS, IMAGES, Loaded
from sing_tui.details import Detail, detail_of
from sing_tui.formats import Glyphs
from sing_tui.place import FIRST_ARRANGEMENT, Place, class_title, concept_title
from sing_tui.screens.spoken import in_one_line
from sing_tui.start import Level
from sing_tui.view import Arrangement, View
from sing_tui.widgets.detail import DetailPane, Mode, Painted
from sing_tui.widgets.lines import KeyLine, TextLine, TypingLine
from sing_tui.widgets.score_table import ScoreTable

if TYPE_CHECKING:
    from sing_tui.app import Explorer

WIDE = 100
"""From so many columns on the details stand beside the table."""
_DEBOUNCE = 0.08
_PATIENCE = 0.15
"""Seconds after which the screen says that it is at work."""
_TITLES = dict(CLASSES + CONCEPTS + IMAGES)
Wanted = tuple[Place, View, int, str | None, Mode]
"""What details are read for: the table, the line, the picture, and what comes first."""


class Frame(Screen[Place]):
    """The parts of a table screen and what they show; `Page` reads the table, `TableScreen` adds the keys."""

    body: Literal["table", "detail", "plot"] = "table"
    """What fills the screen."""
    beside = True
    """Whether details stand beside the table where there is room."""
    picture: str | None = None
    """The picture of the gallery that fills the screen; None for the row's own."""

    DEFAULT_CSS = """
    Frame { background: $background; layout: vertical; overflow: hidden; }
    Frame #body { height: 1fr; }
    """

    class DetailRead(Message):
        """Details of a line were read."""

        def __init__(self, wanted: Wanted, detail: Detail, painted: Painted) -> None:
            super().__init__()
            self.wanted, self.detail, self.painted = wanted, detail, painted

    def __init__(
        self,
        place: Place,
        *,
        arrangement: Arrangement | None = None,
        select: int | None = None,
        line: int | None = None,
        columns: Mapping[Level, tuple[str, ...]] | None = None,
    ) -> None:
        super().__init__()
        self.place = place
        self.arrangements: dict[Level, Arrangement] = dict(FIRST_ARRANGEMENT)
        if arrangement is not None:
            self.arrangements[place.level] = arrangement
        self.columns: dict[Level, tuple[str, ...]] = dict(columns or {})
        """Names of the columns that were chosen for a level; all where it is not named."""
        self.view: View | None = None
        self.select, self._line = select, line
        self.marks: set[int] = set()
        """Models, classes, concepts or images that were marked."""
        self._marked_at: tuple[object, ...] = ()
        self.stale = False
        self.message = self.problem = self.note = ""
        self._loading: list[Loaded] = []
        self._status_of: tuple[View | None, int] = (None, -1)
        self._reading = False
        """Whether the table of another place is on its way."""
        self._timer: Timer | None = None
        self._patience: Timer | None = None

    @property
    def explorer(self) -> "Explorer":
        """The app this screen belongs to."""
        return cast("Explorer", self.app)

    @property
    def store(self) -> Store:
        """The file, which is open before there is a page."""
        return cast("Store", self.explorer.store)

    @property
    def glyphs(self) -> Glyphs:
        """The signs that are not letters."""
        return self.explorer.glyphs

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
        glyphs = self.glyphs
        yield TextLine(glyphs, id="place", classes="place")
        with Horizontal(id="body"):
            yield ScoreTable(glyphs)
            yield DetailPane(glyphs)
        yield TypingLine(id="typing")
        yield TextLine(glyphs, id="status")
        yield KeyLine(glyphs, id="keys")

    @work(thread=True, group="warm up")
    def _warm_up(self) -> None:
        """Import what draws pictures before the first one is asked for."""
        import textual_plotext.plot  # noqa: F401

    def on_resize(self) -> None:
        """Fit what is painted to the new size."""
        self.lay_out()

    @property
    def subject(self) -> int | None:
        """What the pictures are about; figures of models are about none of them."""
        return None if self.place.level == "models" and self.place.beside is not None else self.identity

    @property
    def identity(self) -> int | None:
        """The model, class, concept or image index under the cursor."""
        return self.view.identity(self.table.cursor) if self.view is not None and len(self.view) else None

    @property
    def chosen_columns(self) -> tuple[str, ...]:
        """The columns to paint; empty for all, as in tables that stand side by side."""
        return () if self.place.beside is not None else self.columns.get(self.place.level, ())

    def at_work(self, what: str) -> None:
        """Say soon what is being done, unless it is done by then."""
        self.done()
        self._patience = self.set_timer(_PATIENCE, partial(self._still_at_work, what))

    def _still_at_work(self, what: str) -> None:
        self.draw_place()
        self.say(f"{what} ...")

    def done(self) -> None:
        """What was being done is done."""
        if self._patience is not None:
            self._patience.stop()
            self._patience = None
        if self.message.endswith(" ..."):
            self.message = ""

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
        """The line at the top: file, model, class, table; and at the right what happens to the file."""
        explorer, place = self.explorer, self.place
        parts = [explorer.path.name, place.model]
        if place.concept is not None:
            parts.append(concept_title(self.store, place.concept))
        if place.class_index is not None:
            parts.append(class_title(self.store, place.class_index))
        parts.append(_title(place))
        crumbs = f" {self.glyphs.crumb} ".join(self.glyphs.text(part) for part in parts if part)
        right = ""
        if explorer.changed:
            right = "file changed: R reads it again " if explorer.path.exists() else "file is gone "
        if explorer.running is not None:
            right = f"sing-compute: {explorer.running.line(self.glyphs)} "
        self.query_one("#place", TextLine).write(crumbs, right)

    def draw_status(self) -> None:
        """The line at the bottom: the row and how many there are, sort, filter; or what went wrong."""
        line, glyphs = self.query_one("#status", TextLine), self.glyphs
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
        if self.marks:
            parts.append(f"{len(self.marks):,} marked")
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
        self.status_follows()
        self.want_detail()

    def status_follows(self) -> None:
        """Draw the status of the line the cursor stands on; called by a key itself, so that one frame shows both."""
        if self._status_of != (self.view, self.table.cursor) or self.note:
            self._status_of = (self.view, self.table.cursor)
            self.message, self.note = self.note, ""
        self.draw_status()

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
            wanted = (self.place, self.view, self.table.cursor, self.picture, self.pane_mode)
            self._read_detail(self.query_one(DetailPane), wanted, self.subject)

    @work(thread=True, exclusive=True, group="detail")
    def _read_detail(self, pane: DetailPane, wanted: Wanted, subject: int | None) -> None:
        place, view, line, picture, mode = wanted
        try:
            if picture is None:
                detail = detail_of(self.store, place, view, line, self.glyphs)
            else:
                from sing_tui.gallery import exhibit

                shown = exhibit(self.store, place.plain, picture, identity=subject, glyphs=self.glyphs)
                detail = Detail(shown.title, reading=shown.reading, picture=shown.picture)
        except Exception as error:
            detail = Detail("details", reading=in_one_line(error))
        if not get_current_worker().is_cancelled and pane.is_attached:
            self.post_message(self.DetailRead(wanted, detail, pane.paint(detail, mode)))

    @on(DetailRead)
    def show_detail(self, message: DetailRead) -> None:
        """Draw details, unless the cursor has moved on."""
        if message.wanted == (self.place, self.view, self.table.cursor, self.picture, self.pane_mode):
            self.query_one(DetailPane).show(message.detail, mode=self.pane_mode, painted=message.painted)


def _title(place: Place) -> str:
    """What table a place shows, in a few words."""
    level: str = place.level
    beside = place.beside
    if beside is not None:
        count = len(beside.models) or len(beside.classes)
        of = f"of {count} {'models' if beside.models else 'classes'}"
        return f"{_TITLES.get(beside.measure, beside.measure)} {of}, by {level}" if beside.measure else f"figures {of}"
    if level == "images" and place.class_index is None:
        return "all images"
    shown = f" ({place.subset} images)" if level in ("classes", "models") and place.subset != "all" else ""
    return level + shown


def overtaken() -> Callable[[], bool]:
    """Whether the work of this thread is wanted no more."""
    worker = get_current_worker()
    return lambda: worker.is_cancelled
