"""The photograph of a row over the table with its figures, and those near to it; nothing is decoded before it is asked for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.worker import get_current_worker

from sing_compute.formats import Glyphs
from sing_compute.store import Store
from sing_compute.store.place import Place
from sing_tui import photographs
from sing_tui.actions import Offer
from sing_tui.captions import Figure
from sing_tui.screens.overlay import Overlay
from sing_tui.screens.photograph_reading import PhotographReader, Rows
from sing_tui.screens.terminal_drawing import TerminalDrawing, terminal_colors
from sing_tui.view import View
from sing_tui.widgets.photograph_room import Shares, share_room
from sing_tui.widgets.photographs import Neighbours, Photograph, Rendering
from sing_tui.widgets.text_lines import KeyLine


@dataclass(frozen=True, slots=True)
class Wanted:
    """A request to read one photograph: its row, the room for it, and the images near to it."""

    row: int
    width: int
    height: int
    turn: int
    """0: the nearest images; k: the pictures of pair k - 1 of the row."""


class PhotographScreen(Overlay[None]):
    """The photograph of a row, its figures, and photographs near to it where the file names some."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,P,enter,backspace,h", "dismiss", "close"),
        Binding("down,j", "step(1)", "next image"),
        Binding("up,k", "step(-1)", "previous image"),
        Binding("r", "pictures", "pictures of equivalent features"),
        Binding("Q,ctrl+q", "app.quit", "quit"),
    ]
    DEFAULT_CSS = """
    PhotographScreen > Vertical { width: 100%; height: 100%; background: $surface; border: round $primary; }
    PhotographScreen.ascii > Vertical { border: ascii $primary; }
    PhotographScreen.low > Vertical { border: none; }
    """

    class Read(Message):
        """Photographs were decoded; without `near` the neighbours are still to come."""

        def __init__(
            self,
            wanted: Wanted,
            room: Shares,
            main: Rendering,
            figures: Sequence[Figure] = (),
            near: Rows = (),
            labels: Sequence[str] | None = None,
        ) -> None:
            super().__init__()
            self.wanted, self.room, self.main, self.figures = wanted, room, main, figures
            self.near, self.labels = near, labels

    def __init__(
        self, store: Store, place: Place, row: int, near: Sequence[tuple[str, str]] = (), *, glyphs: Glyphs,
        view: View | None = None, folder: Path | None = None, graphics: photographs.Graphics = "cells",
        step: Callable[[int], int | None] = lambda _: None,
    ) -> None:  # fmt: skip
        """Prepare the screen.

        Args:
            store: The open file.
            place: The table of the row.
            row: Position of the row on its axis.
            near: Title and dataset of each row of neighbours.
            glyphs: The signs of the screen.
            view: The table, for the figures of the row; None for none.
            folder: Folder of the photographs on this machine.
            graphics: How they are drawn.
            step: Moves the table below by lines, and returns the row that it is on then; None at an end.
        """
        super().__init__(classes="ascii" if glyphs.ascii_only else "")
        self.terminal = TerminalDrawing(graphics)
        self.reader = PhotographReader(store, place, view, glyphs, folder, self.terminal)
        self.glyphs, self.near, self.step = glyphs, near, step
        self.wanted = Wanted(row, 0, 0, int(not near))

    @property
    def row(self) -> int:
        """Position of the present row on its axis."""
        return self.wanted.row

    def compose(self) -> ComposeResult:
        """The parts, from top to bottom."""
        with Vertical():
            with Horizontal():
                yield Photograph(self.glyphs)
                yield Neighbours(self.glyphs)
            yield KeyLine(self.glyphs)

    def on_resize(self) -> None:
        """Read again for the new room."""
        low = self.size.height < 16
        self.set_class(low, "low")
        edge = 0 if low else 2
        self.wanted = replace(self.wanted, width=self.size.width - edge, height=self.size.height - edge - 1)
        self._share(Shares(self.wanted.width, self.wanted.height))
        self.terminal.clear(self.app)
        self.call_after_refresh(self.read)

    def _share(self, room: Shares) -> None:
        """Give each part its room."""
        photograph, near = self.query_one(Photograph), self.query_one(Neighbours)
        if photograph.room != room:
            photograph.room = near.room = room
            photograph.styles.width = room.main_width
            near.display = not room.is_alone

    def on_screen_suspend(self) -> None:
        """Take the drawing away from under another screen."""
        self.terminal.clear(self.app)

    def on_screen_resume(self) -> None:
        """Put the drawing back."""
        self.call_after_refresh(self._draw)

    def on_unmount(self) -> None:
        """Take the drawing away."""
        self.terminal.clear(self.app)

    def action_step(self, lines: int) -> None:
        """Show the photograph some lines on."""
        row = self.step(lines)
        if row is not None and row != self.row:
            self.show_row(row)

    def show_row(self, row: int) -> None:
        """Show the photograph of another row."""
        self.wanted = replace(self.wanted, row=row)
        self.terminal.clear(self.app)
        self.read()

    def action_pictures(self) -> None:
        """Show the pictures of the next pair of the image; behind the last one its nearest images again."""
        turn, count = self.wanted.turn, len(self.reader.pairs(self.row))
        if not count:
            self.tell("no pictures of this row are in the file: sing-compute render draws them")
            return
        least = 0 if self.near else 1
        self.wanted = replace(self.wanted, turn=least if turn >= count else turn + 1)
        self.terminal.clear(self.app)
        self.read()

    def read(self) -> None:
        """Read the photograph of the present row for the present size."""
        if not self.is_open:
            return
        pictures = (Offer("r", "pictures", "pictures"),) if self.reader.pairs(self.row) else ()
        steps = (Offer("j", "next", "step(1)"), Offer("k", "previous", "step(-1)"))
        self.query_one(KeyLine).offer((*steps, *pictures, Offer("esc", "close", "dismiss")))
        self._show(Rendering(note="reading ..."), (), ())
        self._read(self.wanted, terminal_colors(self.app))

    def _show(
        self, main: Rendering, figures: Sequence[Figure], near: Rows, labels: Sequence[str] | None = None
    ) -> None:
        photograph, neighbours = self.query_one(Photograph), self.query_one(Neighbours)
        neighbours.labels = [title for title, _ in self.near] if labels is None else labels
        if photograph.rendering.sequence and main is not photograph.rendering:
            photograph.refresh()  # sixels are over blank lines and go only when these are painted again
        photograph.rendering, neighbours.rows = main, near
        photograph.figures = neighbours.figures = figures
        photograph.repaint()
        neighbours.repaint()

    @work(thread=True, exclusive=True, group="photo", exit_on_error=False)
    def _read(self, wanted: Wanted, colors: photographs.Colors) -> None:
        worker, reader, row = get_current_worker(), self.reader, wanted.row
        if worker.is_cancelled:
            return
        figures, pairs = reader.figures(row), reader.pairs(row) if wanted.turn else []
        near_rows = 2 if pairs else len(self.near)
        room = share_room(wanted.width, wanted.height, reader.ratio(row), figures, near_rows)
        main = reader.rendered(row, room.main_width, room.main_height, colors, self.terminal.graphics)
        self.post_message(self.Read(wanted, room, main, figures))
        width, height = room.small
        if not width:
            return
        if pairs:
            pair = pairs[min(wanted.turn, len(pairs)) - 1]
            labels, pictures = reader.pictures(pair, width, height, colors)
            self.post_message(self.Read(wanted, room, main, figures, pictures, labels))
            return
        height = 0 if main.note else height  # where one photograph cannot be shown, the others are named
        rows = []
        for _, path in self.near:
            rendered = []
            for neighbour in reader.neighbours(path, row):
                if worker.is_cancelled:
                    return
                rendered.append(reader.rendered(neighbour, width, height, colors, "cells", brief=True))
            rows.append(tuple(rendered) or (Rendering("not computed"),))
        self.post_message(self.Read(wanted, room, main, figures, tuple(rows)))

    @on(Read)
    def show_read(self, message: Read) -> None:
        """Draw what was read, unless the user has gone on."""
        if message.wanted == self.wanted and self.is_open:
            self._share(message.room)
            self._show(message.main, message.figures, message.near, message.labels)
            if not message.near:
                self.call_after_refresh(self._draw)

    def _draw(self) -> None:
        if not self.is_current:
            return
        photograph = self.query_one(Photograph)
        if photograph.rendering.sequence:
            self.terminal.draw(self.app, photograph.rendering.sequence, *photograph.content_region.offset)
