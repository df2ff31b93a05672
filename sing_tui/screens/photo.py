"""One image over the table, and beside it the images nearest to its T(f) and T(f~); nothing is decoded before it is asked for."""

import os
import struct
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.geometry import Region
from textual.message import Message
from textual.screen import ModalScreen
from textual.strip import Strip
from textual.widget import Widget
from textual.worker import get_current_worker

from sing_compute.store import Store
from sing_tui import photos
from sing_tui.clipboard import through_tmux
from sing_tui.formats import Glyphs, fit
from sing_tui.screens.spoken import in_one_line
from sing_tui.widgets.lines import KeyLine

NEAREST = (
    ("nearest_before", "nearest to T(f), null part kept"),
    ("nearest_after", "nearest to T(f~), null part removed"),
)
_ACROSS = 3
"""Neighbours that stand beside each other."""
_COLORS: dict[str | None, photos.Colors] = {"truecolor": "truecolor", "256": "256", "standard": "16", "windows": "16"}


@dataclass(frozen=True, slots=True)
class Shown:
    """One image on the screen: what stands under it, and its drawing or a note where there is none."""

    name: str = ""
    strips: tuple[Strip, ...] = ()
    note: str = ""
    sequence: str = ""
    """What draws it over the screen where the terminal can do better than half-cells; `strips` is empty then."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How the room is shared, in cells: the image at the left, two rows of neighbours at the right where there is room."""

    width: int
    height: int

    @property
    def main_width(self) -> int:
        """Width of the image, its name in the last line."""
        return self.width // 2 if self.width >= 60 and self.height >= 2 * (_ACROSS + 1) else self.width

    @property
    def small(self) -> tuple[int, int]:
        """Width and height of a neighbour's drawing; no height where only names fit, no width where nothing does."""
        room = self.width - self.main_width - 1
        width, height = (room + 1) // _ACROSS - 1, self.height // 2 - 2
        return (0, 0) if room < 1 else (width, height) if width >= 6 and height >= 3 else (room, 0)


class Canvas(Widget):
    """Paints lines; only those that changed go over the wire."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {"canvas--text", "canvas--label"}
    DEFAULT_CSS = """
    Canvas { height: 1fr; width: 1fr; background: $surface; color: $foreground;
        & > .canvas--text { background: $surface; color: $foreground; }
        & > .canvas--label { background: $surface; color: $text-muted; }
        &:ansi > .canvas--text, &:ansi > .canvas--label { background: ansi_default; color: ansi_default; }
    }
    """

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__()
        self.glyphs = glyphs
        self._strips: list[Strip] | None = None

    def lines(self, width: int, height: int) -> list[Strip]:
        """What is painted, in lines of exactly this width."""
        raise NotImplementedError

    def repaint(self) -> None:
        """Paint the lines that are no longer what they were."""
        old, width = self._strips, self.size.width
        self._strips = self.lines(width, self.size.height)
        for y, (before, after) in enumerate(zip_longest(old or [], self._strips)):
            if before != after:
                self.refresh(Region(0, y, width, 1))

    def notify_style_update(self) -> None:
        """Paint anew in the colours of another theme."""
        super().notify_style_update()
        self._strips = None

    def on_resize(self) -> None:
        """Fit what is painted to the new size."""
        self._strips = None

    def render_line(self, y: int) -> Strip:
        """Paint one line (Textual asks for those that changed)."""
        if self._strips is None:
            self._strips = self.lines(self.size.width, self.size.height)
        return self._strips[y] if y < len(self._strips) else Strip.blank(self.size.width, self.style_of("text"))

    def style_of(self, part: str) -> Style:
        """The style of text or label."""
        return self.get_component_rich_style(f"canvas--{part}")

    def line(self, text: str, width: int, *, keep_end: bool = False) -> Strip:
        """A line of plain text."""
        return Strip([Segment(fit(text, width, self.glyphs, keep_end=keep_end), self.style_of("label"))])

    def block(self, shown: Shown, width: int, height: int) -> list[Strip]:
        """One image with its name under it, in exactly so many lines."""
        style = self.style_of("text")
        notes = textwrap.wrap(self.glyphs.text(shown.note), max(1, width)) if shown.note else []
        strips = [*shown.strips, *(self.line(note, width) for note in notes)][: height - 1]
        if shown.sequence:
            strips = [Strip.blank(width, style)] * (height - 1)
        name = fit(self.glyphs.text(shown.name), width, self.glyphs, keep_end=True).strip()
        strips.append(Strip([Segment(name, self.style_of("label"))]))
        strips += [Strip.blank(width, style)] * (height - len(strips))
        return [_centred(strip.apply_style(style), width, style) for strip in strips]


class Picture(Canvas):
    """The image of the row."""

    shown = Shown()

    def lines(self, width: int, height: int) -> list[Strip]:
        """The image and its name."""
        return self.block(self.shown, width, height)


class Nearest(Canvas):
    """The images nearest to it, before and after its null part is removed."""

    room = Layout(0, 0)
    shown: tuple[tuple[Shown, ...], ...] = ()

    def lines(self, width: int, height: int) -> list[Strip]:
        """Two rows of images, each under a line that says what they are near to."""
        wide, high = self.room.small
        gap, strips = Strip([Segment(" ", self.style_of("text"))]), []
        for (_, label), row in zip(NEAREST, self.shown or ((Shown(),) * _ACROSS,) * len(NEAREST), strict=True):
            strips.append(self.line(f" {label}", width))
            if high:
                blocks = [self.block(shown, wide, high + 1) for shown in row]
                joined = (
                    Strip.join([piece for part in parts for piece in (gap, part)])
                    for parts in zip(*blocks, strict=True)
                )
                strips += [line.adjust_cell_length(width, self.style_of("text")).simplify() for line in joined]
            else:
                strips += [self.line(f" {self.glyphs.text(shown.name)}", width, keep_end=True) for shown in row]
        return strips[:height]


def _centred(strip: Strip, width: int, style: Style) -> Strip:
    before = Segment(" " * max(0, (width - strip.cell_length) // 2), style)
    return Strip([before, *strip]).adjust_cell_length(width, style).simplify()


class PhotoScreen(ModalScreen[None]):
    """The image of a row; `step` moves the table below by lines and gives the row that it then stands on, None at an end."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,P,enter,backspace,h", "dismiss", "close"),
        Binding("down,j", "step(1)", "next image"),
        Binding("up,k", "step(-1)", "previous image"),
    ]
    DEFAULT_CSS = """
    PhotoScreen > Vertical { width: 100%; height: 100%; background: $surface; border: round $primary; }
    PhotoScreen.ascii > Vertical { border: ascii $primary; }
    PhotoScreen.low > Vertical { border: none; }
    """

    class Read(Message):
        """Images were decoded; without `near` the neighbours are still to come."""

        def __init__(self, wanted: tuple[int, Layout], main: Shown, near: tuple[tuple[Shown, ...], ...]) -> None:
            super().__init__()
            self.wanted, self.main, self.near = wanted, main, near

    def __init__(
        self, store: Store, model: str, row: int, *, glyphs: Glyphs, folder: Path | None = None,
        graphics: photos.Graphics = "cells", step: Callable[[int], int | None] = lambda _: None,
    ) -> None:  # fmt: skip
        super().__init__(classes="ascii" if glyphs.ascii_only else "")
        self.store, self.model, self.row = store, model, row
        self.glyphs, self.folder, self.graphics, self.step = glyphs, folder, graphics, step
        self.room = Layout(0, 0)
        self._tmux = "TMUX" in os.environ

    def compose(self) -> ComposeResult:
        """The parts, from top to bottom."""
        with Vertical():
            with Horizontal():
                yield Picture(self.glyphs)
                yield Nearest(self.glyphs)
            keys = KeyLine(self.glyphs)
            keys.keys = (("j", "next"), ("k", "previous"), ("esc", "close"))
            yield keys

    def on_resize(self) -> None:
        """Share the new room and draw anew."""
        low = self.size.height < 16
        self.set_class(low, "low")
        edge = 0 if low else 2
        self.room = Layout(self.size.width - edge, self.size.height - edge - 1)
        self.query_one(Picture).styles.width = self.room.main_width
        near = self.query_one(Nearest)
        near.room, near.display = self.room, self.room.small[0] > 0
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
        """Show the image some lines on."""
        row = self.step(lines)
        if row is not None and row != self.row:
            self.row = row
            self._clear()
            self.read()

    def read(self) -> None:
        """Read the image of the present row for the present size."""
        self._show(Shown(note="reading ..."), ())
        colors = "none" if "NO_COLOR" in os.environ else _COLORS.get(self.app.console.color_system, "none")
        self._read(self.row, self.room, colors)

    def _show(self, main: Shown, near: tuple[tuple[Shown, ...], ...]) -> None:
        picture, nearest = self.query_one(Picture), self.query_one(Nearest)
        if picture.shown.sequence and main is not picture.shown:
            picture.refresh()  # sixels lie on blank lines and go only when these are painted again
        picture.shown, nearest.shown = main, near
        picture.repaint()
        nearest.repaint()

    @work(thread=True, exclusive=True, group="photo", exit_on_error=False)
    def _read(self, row: int, layout: Layout, colors: photos.Colors) -> None:
        worker = get_current_worker()
        if worker.is_cancelled:
            return
        main = self._shown(row, layout.main_width, layout.height - 1, colors, self.graphics)
        self.post_message(self.Read((row, layout), main, ()))
        width, height = layout.small
        if not width:
            return
        height = 0 if main.note else height  # where one image cannot be shown, the others are named
        near = []
        for name, _ in NEAREST:
            shown = []
            for neighbour in self._neighbours(name, row):
                if worker.is_cancelled:
                    return
                shown.append(self._shown(neighbour, width, height, colors, "cells", brief=True))
            near.append(tuple(shown) or (Shown("not computed"),))
        self.post_message(self.Read((row, layout), main, tuple(near)))

    def _neighbours(self, name: str, row: int) -> list[int]:
        path = f"models/{self.model}/images/{name}"
        try:
            return [int(found) for found in self.store.dataset(path)[row]][:_ACROSS] if path in self.store else []
        except Exception:  # a damaged file: there are no neighbours to show
            return []

    def _shown(
        self, row: int, width: int, height: int, colors: photos.Colors, how: photos.Graphics, *, brief: bool = False
    ) -> Shown:
        """An image by its row; without height only its name. `brief`: a note without the path."""
        name = "-"
        try:
            name = str(self.store.dataset("images/key")[row])
            if height < 1:
                return Shown(name)
            path = photos.locate(self.store, name, self.folder)
            if how == "kitty":
                return Shown(name, sequence=photos.kitty(path, width, height, tmux=self._tmux))
            if how == "sixel":
                return Shown(name, sequence=photos.sixel(path, width, height, _cell_pixels()))
            strips = photos.cells(path, width, height, colors=colors, ascii_only=self.glyphs.ascii_only)
            return Shown(name, tuple(strips))
        except Exception as error:  # whatever a damaged file leads to is said in its place
            note = in_one_line(error)
            return Shown(name, note=note.rpartition(name)[2].strip() or note if brief else note)

    @on(Read)
    def show_read(self, message: Read) -> None:
        """Draw what was read, unless the user has gone on."""
        if message.wanted == (self.row, self.room):
            self._show(message.main, message.near)
            if not message.near:
                self.call_after_refresh(self._draw)

    def _draw(self) -> None:
        picture = self.query_one(Picture)
        if picture.shown.sequence and self.is_current:
            x, y = picture.content_region.offset
            place = f"\x1b[{y + 1};{x + 1}H"
            place = through_tmux(place) if self._tmux else place
            self._write(f"\x1b7{place}{picture.shown.sequence}\x1b8")

    def _clear(self) -> None:
        if self.graphics == "kitty":
            self._write(photos.kitty_clear(tmux=self._tmux))

    def _write(self, sequence: str) -> None:
        driver = self.app._driver
        if driver is not None:
            driver.write(sequence)
            driver.flush()


def _cell_pixels() -> tuple[int, int]:
    """Width and height of a cell of this terminal in pixels."""
    import fcntl
    import termios

    try:
        answer = fcntl.ioctl(sys.__stderr__.fileno(), termios.TIOCGWINSZ, bytes(8))  # type: ignore[union-attr]
    except (OSError, ValueError, AttributeError):
        return photos.CELL
    rows, columns, width, height = struct.unpack("HHHH", answer)
    return (width // columns, height // rows) if 0 < columns <= width and 0 < rows <= height else photos.CELL
