"""The contact sheet: the photographs of a view as a grid over its table; threads decode them, and no key waits for one."""

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message

from sing_compute.errors import SingError
from sing_tui import photographs
from sing_tui.actions import Offer
from sing_tui.captions import Caption, captions, class_columns
from sing_tui.error_reporting import in_one_line
from sing_tui.photographs.queue import DecodingQueue
from sing_tui.screens.overlay import Overlay
from sing_tui.screens.photograph_reading import PhotographReader
from sing_tui.screens.terminal_drawing import terminal_colors
from sing_tui.session import Session
from sing_tui.session.arranging import mark, unmark
from sing_tui.session.marking import mark_all, mark_range
from sing_tui.view import View
from sing_tui.widgets.contact_sheet import ContactSheet, Grid
from sing_tui.widgets.photographs import Rendering
from sing_tui.widgets.text_lines import KeyLine, PlaceLine, StatusLine

MarkStep = Callable[[Session], Session]
_MARKS: dict[str, MarkStep] = {"mark": mark, "mark_all": mark_all, "mark_range": mark_range, "unmark": unmark}
_KEYS = (
    Offer("enter", "photograph", "photograph"),
    Offer("space", "mark", "marks('mark')"),
    Offer("pgdn", "next sheet", "sheet(1.0)"),
    Offer("+ -", "size"),
    Offer("esc", "table", "dismiss"),
)


class ContactSheetScreen(Overlay[None]):
    """Sheets of photographs in the order of the table; the keys of the table move the cursor and mark."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,O,backspace", "dismiss", "table"),
        Binding("enter,P", "photograph", "photograph"),
        Binding("right,l", "move(1)", "next image"),
        Binding("left,h", "move(-1)", "previous image"),
        Binding("down,j", "row(1)", "next row"),
        Binding("up,k", "row(-1)", "previous row"),
        Binding("pagedown,ctrl+f", "sheet(1.0)", "next sheet"),
        Binding("pageup,ctrl+b", "sheet(-1.0)", "previous sheet"),
        Binding("ctrl+d", "sheet(0.5)", "half a sheet down"),
        Binding("ctrl+u", "sheet(-0.5)", "half a sheet up"),
        Binding("home,g", "end(0)", "first image"),
        Binding("end,G", "end(-1)", "last image"),
        Binding("space", "marks('mark')", "mark"),
        Binding("A", "marks('mark_all')", "mark all"),
        Binding("V", "marks('mark_range')", "mark from the last mark to here"),
        Binding("u", "marks('unmark')", "clear all marks"),
        Binding("plus", "size(-1)", "larger"),
        Binding("minus", "size(1)", "smaller"),
        Binding("Q,ctrl+q", "quit", "quit"),
    ]
    DEFAULT_CSS = "ContactSheetScreen { background: $background; layout: vertical; }"

    class Captioned(Message):
        """The captions of a sheet were read."""

        def __init__(self, captions: dict[int, Caption]) -> None:
            super().__init__()
            self.captions = captions

    class Decoded(Message):
        """A photograph was decoded for a grid, or it is known why it cannot be shown."""

        def __init__(self, grid: Grid, line: int, rendering: Rendering) -> None:
            super().__init__()
            self.grid, self.line, self.rendering = grid, line, rendering

    def __init__(
        self, reader: PhotographReader, view: View, line: int, marks: frozenset[int], *, steps: Sequence[str],
        go: Callable[[int], None], mark: Callable[[MarkStep], tuple[frozenset[int], str]],
        photograph: Callable[[Callable[[int], None]], None],
    ) -> None:  # fmt: skip
        """Prepare the screen.

        Args:
            reader: Draws the photographs of the rows.
            view: The table.
            line: Line of its cursor.
            marks: Identities of the marked rows.
            steps: Names of the way to the table.
            go: Moves the cursor of the table below.
            mark: Takes a step that marks in the table below; returns all marks, and why the step is refused.
            photograph: Opens the page of the row under the table's cursor; its argument is called when the page is closed.
        """
        super().__init__()
        self.glyphs = reader.glyphs
        self.reader, self.steps, self.go_below, self.mark_below, self.open_page = reader, steps, go, mark, photograph
        self.contact_sheet = ContactSheet(reader.glyphs, view, line, marks)
        self.place, self.status = PlaceLine(reader.glyphs, classes="place"), StatusLine(reader.glyphs)
        self._rows: int | None = None
        self._queue = DecodingQueue()
        self._drawn: tuple[Grid, range] | None = None
        """The sheet whose photographs were asked for."""

    def compose(self) -> ComposeResult:
        """The parts, from top to bottom."""
        yield self.place
        yield self.contact_sheet
        yield self.status
        yield KeyLine(self.reader.glyphs)

    def on_mount(self) -> None:
        """Say where this is."""
        self.contact_sheet.focus()
        legend = f"! prediction {self.reader.glyphs.arrow} class: incorrect "
        self.place.show(self.steps, legend if class_columns(self.view.table.columns) else "")
        self.query_one(KeyLine).offer(_KEYS)

    @on(events.Resize)
    def share(self) -> None:
        """Fit the sheet to the room and decode what is on it."""
        self._clear()
        grid = Grid.of(self.size.width, max(1, self.size.height - 3), self._rows)
        self.contact_sheet.share(grid)
        self._show()

    def on_unmount(self) -> None:
        """Decode no more, and take the drawings away."""
        self._queue.want(())
        self._clear()

    def on_screen_suspend(self) -> None:
        """Take the drawings away from under another screen."""
        self._clear()

    def on_screen_resume(self) -> None:
        """Put the drawings back."""
        self.call_after_refresh(self._draw_all)

    @property
    def view(self) -> View:
        """The table."""
        return self.contact_sheet.view

    def _show(self) -> None:
        """Draw the status of the cursor; where another sheet is in sight, decode what it lacks, then the sheet behind it."""
        sheet = self.contact_sheet
        try:
            self.status.show(self.view, sheet.cursor, len(sheet.marks), counting=False, named=True)
        except SingError as error:  # a damaged file: its names cannot be read
            self.status.write(self.reader.glyphs.text(in_one_line(error)))
        now = (sheet.grid, sheet.sheet)
        if now == self._drawn:
            return
        self._drawn = now
        lines = sheet.sheet
        behind = range(lines.stop, min(lines.stop + sheet.grid.count, len(self.view)))
        wanted = [line for line in (*lines, *behind) if sheet.renderings.get(line) is None]
        uncaptioned = [line for line in lines if sheet.captions.get(line) is None]
        if uncaptioned:
            self.run_worker(
                lambda: self._read_captions(uncaptioned), thread=True, group="captions", exit_on_error=False
            )
        colors = terminal_colors(self.app)
        for _ in range(self._queue.want(wanted)):
            self.run_worker(lambda: self._decode(colors), thread=True, group="sheet", exit_on_error=False)
        self.call_after_refresh(self._draw_all)

    def _read_captions(self, lines: Sequence[int]) -> None:
        found = captions(self.view, lines, self.reader.glyphs)
        self.post_message(self.Captioned(dict(zip(lines, found, strict=True))))

    def _decode(self, colors: photographs.Colors) -> None:
        """Decode what waits, in a thread."""
        while (line := self._queue.take()) is not None:
            grid = self.contact_sheet.grid
            rendering = self.reader.rendered(
                self.view.identity(line),
                grid.picture_width,
                grid.picture_height,
                colors,
                self.reader.terminal.graphics,
                brief=True,
                number=line % grid.count,
                stored=True,
            )
            self.post_message(self.Decoded(grid, line, rendering))

    @on(Captioned)
    def show_captions(self, message: Captioned) -> None:
        """Draw captions."""
        self.contact_sheet.caption(message.captions)

    @on(Decoded)
    def show_decoded(self, message: Decoded) -> None:
        """Draw a photograph, unless the grid is another one by now."""
        if message.grid == self.contact_sheet.grid:
            self.contact_sheet.put(message.line, message.rendering)
            if message.rendering.sequence:
                self.call_after_refresh(self._draw, message.line)

    def _draw_all(self) -> None:
        for line in self.contact_sheet.sheet:
            self._draw(line)

    def _draw(self, line: int) -> None:
        """Let the terminal draw a photograph in the middle of its place."""
        sheet = self.contact_sheet
        rendering = sheet.renderings.get(line) if line in sheet.sheet else None
        if rendering is not None and rendering.sequence and self.is_current:
            x, y = sheet.content_region.offset + sheet.grid.corner(line)
            self.reader.terminal.draw(
                self.app, rendering.sequence, x + 1 + (sheet.grid.picture_width - rendering.width) // 2, y
            )

    def _clear(self) -> None:
        self.reader.terminal.clear(self.app, self.contact_sheet.grid.count)

    def _go(self, line: int) -> None:
        sheet = self.contact_sheet
        before = sheet.sheet
        sheet.go(line)
        if sheet.sheet != before:
            self._clear()
        self.status.message = ""
        self._show()

    def action_move(self, by: int) -> None:
        """Go to the next or previous photograph."""
        self._go(self.contact_sheet.cursor + by)

    def action_row(self, by: int) -> None:
        """Go a row down or up; beyond the last line of the table the cursor stays."""
        sheet = self.contact_sheet
        line = sheet.cursor + by * sheet.grid.across
        if 0 <= line < len(self.view):
            self._go(line)
        elif by > 0 and sheet.cursor // sheet.grid.across < (len(self.view) - 1) // sheet.grid.across:
            self._go(len(self.view) - 1)  # a last row that does not reach so far

    def action_sheet(self, share: float) -> None:
        """Turn sheets, or half of one."""
        grid = self.contact_sheet.grid
        rows = int(grid.rows * share) or (1 if share > 0 else -1)
        self._go(self.contact_sheet.cursor + rows * grid.across)

    def action_end(self, line: int) -> None:
        """Go to the first or last photograph."""
        self._go(line if line >= 0 else len(self.view) - 1)

    def action_size(self, rows: int) -> None:
        """Draw more, smaller photographs, or fewer, larger ones."""
        grid = self.contact_sheet.grid
        wanted = Grid.of(grid.width, grid.height, grid.rows + rows)
        if wanted != grid:
            self._rows = wanted.rows
            self.share()

    def action_marks(self, name: str) -> None:
        """Change the marks of the table, its cursor on this row; after a mark of one row go to the next."""
        self.go_below(self.contact_sheet.cursor)
        marks, problem = self.mark_below(_MARKS[name])
        self.contact_sheet.mark(marks)
        self._go(self.contact_sheet.cursor + (name == "mark"))
        self.status.message = problem
        self._show()

    def action_photograph(self) -> None:
        """Open the page of the photograph; the cursor is where that page is left."""
        self.go_below(self.contact_sheet.cursor)
        self.open_page(self._go)

    async def action_dismiss(self, result: None = None) -> None:
        """Return to the table, its cursor on this row."""
        self.go_below(self.contact_sheet.cursor)
        await super().action_dismiss(result)

    async def action_quit(self) -> None:
        """Leave the program from this row."""
        self.go_below(self.contact_sheet.cursor)
        await self.app.action_quit()

    @on(ContactSheet.Clicked)
    def photograph_clicked(self, message: ContactSheet.Clicked) -> None:
        """Go to a photograph that was clicked; open the one that was clicked twice."""
        self._go(message.line)
        if message.twice:
            self.action_photograph()

    @on(events.MouseScrollDown)
    @on(events.MouseScrollUp)
    def wheel_turned(self, event: events.MouseScrollDown | events.MouseScrollUp) -> None:
        """Go to another row with the wheel."""
        self.action_row(1 if isinstance(event, events.MouseScrollDown) else -1)
