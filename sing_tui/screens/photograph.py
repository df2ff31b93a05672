"""The photograph of a row over the table, and those near to it; nothing is decoded before it is asked for."""

import os
import struct
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.screen import ModalScreen
from textual.strip import Strip
from textual.worker import get_current_worker

from sing_compute.formats import Glyphs
from sing_compute.store import Store, catalogue
from sing_compute.store.pictures import Picture, read_pair
from sing_compute.store.place import Place
from sing_compute.store.read import located
from sing_tui import photographs
from sing_tui.actions import Offer
from sing_tui.clipboard import through_tmux
from sing_tui.error_reporting import in_one_line
from sing_tui.photographs.pictures import angle_text, pairs_of_row, titles
from sing_tui.widgets.photographs import ACROSS, Neighbours, Photograph, Rendering, Shares
from sing_tui.widgets.text_lines import KeyLine

_COLORS: dict[str | None, photographs.Colors] = {
    "truecolor": "truecolor", "256": "256", "standard": "16", "windows": "16"
}  # fmt: skip
Rows = tuple[tuple[Rendering, ...], ...]


class PhotographScreen(ModalScreen[None]):
    """The photograph of a row, and photographs near to it where the file names some."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,P,enter,backspace,h", "dismiss", "close"),
        Binding("down,j", "step(1)", "next image"),
        Binding("up,k", "step(-1)", "previous image"),
        Binding("r", "pictures", "pictures of equivalent features"),
    ]
    DEFAULT_CSS = """
    PhotographScreen > Vertical { width: 100%; height: 100%; background: $surface; border: round $primary; }
    PhotographScreen.ascii > Vertical { border: ascii $primary; }
    PhotographScreen.low > Vertical { border: none; }
    """

    class Read(Message):
        """Photographs were decoded; without `near` the neighbours are still to come."""

        def __init__(
            self, wanted: tuple[int, Shares, int], main: Rendering, near: Rows, labels: Sequence[str] | None = None
        ) -> None:
            super().__init__()
            self.wanted, self.main, self.near, self.labels = wanted, main, near, labels

    def __init__(
        self, store: Store, place: Place, row: int, near: Sequence[tuple[str, str]] = (), *, glyphs: Glyphs,
        folder: Path | None = None, graphics: photographs.Graphics = "cells",
        step: Callable[[int], int | None] = lambda _: None,
    ) -> None:  # fmt: skip
        """Prepare the screen.

        Args:
            store: The open file.
            place: The table of the row.
            row: Position of the row on its axis.
            near: Title and dataset of each row of neighbours.
            glyphs: The signs of the screen.
            folder: Folder of the photographs on this machine.
            graphics: How they are drawn.
            step: Moves the table below by lines, and returns the row that it is on then; None at an end.
        """
        super().__init__(classes="ascii" if glyphs.ascii_only else "")
        self.store, self.place, self.row, self.near = store, place, row, near
        self.axis = catalogue.table(place.table).rows
        self.glyphs, self.folder, self.graphics, self.step = glyphs, folder, graphics, step
        self.room = Shares(0, 0)
        self.turn = int(place.table in ("pairs", "pictures"))
        """0: nearest images are shown; k: the pictures of pair k - 1 of the row."""
        self._tmux = "TMUX" in os.environ

    def compose(self) -> ComposeResult:
        """The parts, from top to bottom."""
        with Vertical():
            with Horizontal():
                yield Photograph(self.glyphs)
                yield Neighbours(self.glyphs)
            yield KeyLine(self.glyphs)

    @on(KeyLine.Clicked)
    async def key_clicked(self, message: KeyLine.Clicked) -> None:
        """Do what a clicked key does."""
        await self.run_action(message.action)

    def on_resize(self) -> None:
        """Share the new room and draw again."""
        low = self.size.height < 16
        self.set_class(low, "low")
        edge = 0 if low else 2
        self.room = Shares(self.size.width - edge, self.size.height - edge - 1)
        self.query_one(Photograph).styles.width = self.room.main_width
        near = self.query_one(Neighbours)
        near.room = self.room
        near.display = self.room.small[0] > 0
        self._clear()
        self.call_after_refresh(self.read)

    def on_screen_suspend(self) -> None:
        """Take the drawing away from under another screen."""
        self._clear()

    def on_screen_resume(self) -> None:
        """Put the drawing back."""
        self.call_after_refresh(self._draw)

    def on_unmount(self) -> None:
        """Take the drawing away."""
        self._clear()

    def action_step(self, lines: int) -> None:
        """Show the photograph some lines on."""
        row = self.step(lines)
        if row is not None and row != self.row:
            self.row = row
            self._clear()
            self.read()

    def action_pictures(self) -> None:
        """Show the pictures of the next pair of the image; behind the last one its nearest images again."""
        count = len(self._pairs(self.row))
        least = 0 if self.near else 1
        self.turn = least if self.turn >= count else self.turn + 1
        self._clear()
        self.read()

    def _pairs(self, row: int) -> list[int]:
        try:
            return pairs_of_row(self.store, self.place, row)
        except Exception:  # a damaged file: there are no pictures to show
            return []

    def read(self) -> None:
        """Read the photograph of the present row for the present size."""
        pictures = (Offer("r", "pictures", "pictures"),) if self._pairs(self.row) else ()
        steps = (Offer("j", "next", "step(1)"), Offer("k", "previous", "step(-1)"))
        self.query_one(KeyLine).offer((*steps, *pictures, Offer("esc", "close", "dismiss")))
        self._show(Rendering(note="reading ..."), ())
        colors = "none" if "NO_COLOR" in os.environ else _COLORS.get(self.app.console.color_system, "none")
        self._read(self.row, self.room, colors, self.turn)

    def _show(self, main: Rendering, near: Rows, labels: Sequence[str] | None = None) -> None:
        photograph, neighbours = self.query_one(Photograph), self.query_one(Neighbours)
        neighbours.labels = [title for title, _ in self.near] if labels is None else labels
        if photograph.rendering.sequence and main is not photograph.rendering:
            photograph.refresh()  # sixels are over blank lines and go only when these are painted again
        photograph.rendering, neighbours.rows = main, near
        photograph.repaint()
        neighbours.repaint()

    @work(thread=True, exclusive=True, group="photo", exit_on_error=False)
    def _read(self, row: int, shares: Shares, colors: photographs.Colors, turn: int) -> None:
        worker = get_current_worker()
        if worker.is_cancelled:
            return
        main = self._rendered(row, shares.main_width, shares.height - 1, colors, self.graphics)
        self.post_message(self.Read((row, shares, turn), main, ()))
        width, height = shares.small
        if not width:
            return
        pairs = self._pairs(row) if turn else []
        if pairs:
            labels, pictures = self._pictures(pairs[min(turn, len(pairs)) - 1], width, height, colors)
            self.post_message(self.Read((row, shares, turn), main, pictures, labels))
            return
        height = 0 if main.note else height  # where one photograph cannot be shown, the others are named
        rows = []
        for _, path in self.near:
            rendered = []
            for neighbour in self._neighbours(path, row):
                if worker.is_cancelled:
                    return
                rendered.append(self._rendered(neighbour, width, height, colors, "cells", brief=True))
            rows.append(tuple(rendered) or (Rendering("not computed"),))
        self.post_message(self.Read((row, shares, turn), main, tuple(rows)))

    def _file_name(self, row: int) -> str:
        """Return the name of a row's photograph.

        Raises:
            StoreError: The file is damaged.
        """
        return str(self.store.dataset(located(catalogue.axis(self.axis).labels, self.place))[row])

    def _neighbours(self, path: str, row: int) -> list[int]:
        try:
            return [int(found) for found in self.store.dataset(path)[row]][:ACROSS] if path in self.store else []
        except Exception:  # a damaged file: there are no neighbours to show
            return []

    def _rendered(
        self,
        row: int,
        width: int,
        height: int,
        colors: photographs.Colors,
        how: photographs.Graphics,
        *,
        brief: bool = False,
    ) -> Rendering:
        """Draw the photograph of a row; without height only its name. `brief`: a note without the path."""
        name = "-"
        try:
            name = self._file_name(row)
            if height < 1:
                return Rendering(name)
            path = photographs.locate(self.store, name, self.folder)
            if how == "kitty":
                return Rendering(name, sequence=photographs.kitty(path, width, height, tmux=self._tmux))
            if how == "sixel":
                return Rendering(name, sequence=photographs.sixel(path, width, height, _cell_pixels()))
            drawn = photographs.half_cells(path, width, height, colors=colors, ascii_only=self.glyphs.ascii_only)
            return Rendering(name, tuple(Strip(line, width) for line in drawn))
        except Exception as error:  # whatever a damaged file leads to is said in its place
            note = in_one_line(error)
            return Rendering(name, note=note.rpartition(name)[2].strip() or note if brief else note)

    def _pictures(self, pair: int, width: int, height: int, colors: photographs.Colors) -> tuple[tuple[str, str], Rows]:
        """Draw the pictures of a pair, those of T(f) in the first row; without height only their names."""
        try:
            found = read_pair(self.store, str(self.place.key("model")), pair)
        except Exception as error:  # whatever a damaged file leads to is said in its place
            return ("pictures", ""), ((Rendering(note=in_one_line(error)),), ())
        rows = [
            tuple(self._picture(each, width, height, colors) for each in pictures[:ACROSS])
            for pictures in (found.before, found.after)
        ]
        return titles(found, self.glyphs.degree), tuple(rows)

    def _picture(self, picture: Picture, width: int, height: int, colors: photographs.Colors) -> Rendering:
        name = picture.nearest or f"seed {picture.seed}: {angle_text(picture.back, self.glyphs.degree, digits=0)}"
        if height < 1:
            return Rendering(name)
        try:
            drawn = photographs.half_cells(
                picture.jpeg, width, height, colors=colors, ascii_only=self.glyphs.ascii_only
            )
            return Rendering(name, tuple(Strip(line, width) for line in drawn))
        except Exception as error:  # whatever a damaged file leads to is said in its place
            return Rendering(name, note=in_one_line(error))

    @on(Read)
    def show_read(self, message: Read) -> None:
        """Draw what was read, unless the user has gone on."""
        if message.wanted == (self.row, self.room, self.turn):
            self._show(message.main, message.near, message.labels)
            if not message.near:
                self.call_after_refresh(self._draw)

    def _draw(self) -> None:
        photograph = self.query_one(Photograph)
        if photograph.rendering.sequence and self.is_current:
            x, y = photograph.content_region.offset
            place = f"\x1b[{y + 1};{x + 1}H"
            place = through_tmux(place) if self._tmux else place
            self._write(f"\x1b7{place}{photograph.rendering.sequence}\x1b8")

    def _clear(self) -> None:
        if self.graphics == "kitty":
            self._write(photographs.kitty_clear(tmux=self._tmux))

    def _write(self, sequence: str) -> None:
        driver = self.app._driver
        if driver is not None:
            driver.write(sequence)
            driver.flush()


def _cell_pixels() -> tuple[int, int]:
    """Return width and height of a cell of this terminal in pixels."""
    import fcntl
    import termios

    try:
        answer = fcntl.ioctl(sys.__stderr__.fileno(), termios.TIOCGWINSZ, bytes(8))  # type: ignore[union-attr]
    except (OSError, ValueError, AttributeError):
        return photographs.CELL
    rows, columns, width, height = struct.unpack("HHHH", answer)
    return (width // columns, height // rows) if 0 < columns <= width and 0 < rows <= height else photographs.CELL
