"""Photographs on a screen: one large, and rows of small ones under lines that say what they are."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from sing_compute.formats import Glyphs, fit

ACROSS = 3
"""Neighbours in one row."""


@dataclass(frozen=True, slots=True)
class Rendering:
    """One photograph on the screen: its name, and its drawing or a note where there is none."""

    name: str = ""
    strips: tuple[Strip, ...] = ()
    note: str = ""
    sequence: str = ""
    """Draws it over the screen where the terminal can do better than half-cells; `strips` is empty then."""


@dataclass(frozen=True, slots=True)
class Shares:
    """The shares of the room in cells: the photograph at the left, rows of neighbours at the right where there is room."""

    width: int
    height: int

    @property
    def main_width(self) -> int:
        """Width of the image, its name in the last line."""
        return self.width // 2 if self.width >= 60 and self.height >= 2 * (ACROSS + 1) else self.width

    @property
    def small(self) -> tuple[int, int]:
        """Width and height of a neighbour's drawing; no height where only names fit, no width where nothing does."""
        room = self.width - self.main_width - 1
        width, height = (room + 1) // ACROSS - 1, self.height // 2 - 2
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
        """Return what is painted, in lines of exactly this width."""
        raise NotImplementedError

    def repaint(self) -> None:
        """Paint the lines that have changed."""
        old, width = self._strips, self.size.width
        self._strips = self.lines(width, self.size.height)
        for y, (before, after) in enumerate(zip_longest(old or [], self._strips)):
            if before != after:
                self.refresh(Region(0, y, width, 1))

    def notify_style_update(self) -> None:
        """Paint again in the colours of another theme."""
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
        """Return the style of text or label."""
        return self.get_component_rich_style(f"canvas--{part}")

    def line(self, text: str, width: int, *, keep_end: bool = False) -> Strip:
        """Paint a line of plain text."""
        return Strip([Segment(fit(text, width, self.glyphs, keep_end=keep_end), self.style_of("label"))])

    def block(self, rendering: Rendering, width: int, height: int) -> list[Strip]:
        """Paint one photograph with its name under it, in exactly so many lines."""
        style = self.style_of("text")
        notes = textwrap.wrap(self.glyphs.text(rendering.note), max(1, width)) if rendering.note else []
        strips = [*rendering.strips, *(self.line(note, width) for note in notes)][: height - 1]
        if rendering.sequence:
            strips = [Strip.blank(width, style)] * (height - 1)
        name = fit(self.glyphs.text(rendering.name), width, self.glyphs, keep_end=True).strip()
        strips.append(Strip([Segment(name, self.style_of("label"))]))
        strips += [Strip.blank(width, style)] * (height - len(strips))
        return [_centred(strip.apply_style(style), width, style) for strip in strips]


class Photograph(Canvas):
    """The photograph of the row."""

    rendering = Rendering()

    def lines(self, width: int, height: int) -> list[Strip]:
        """Return the photograph and its name."""
        return self.block(self.rendering, width, height)


class Neighbours(Canvas):
    """Rows of photographs that are near to it, each under a line that says in what respect."""

    room = Shares(0, 0)
    labels: Sequence[str] = ()
    rows: tuple[tuple[Rendering, ...], ...] = ()

    def lines(self, width: int, height: int) -> list[Strip]:
        """Return the rows."""
        wide, high = self.room.small
        gap, strips = Strip([Segment(" ", self.style_of("text"))]), []
        for label, row in zip(self.labels, self.rows or ((Rendering(),) * ACROSS,) * len(self.labels), strict=True):
            strips.append(self.line(f" {label}", width))
            if high:
                blocks = [self.block(rendering, wide, high + 1) for rendering in row]
                joined = (
                    Strip.join([piece for part in parts for piece in (gap, part)])
                    for parts in zip(*blocks, strict=True)
                )
                strips += [line.adjust_cell_length(width, self.style_of("text")).simplify() for line in joined]
            else:
                strips += [self.line(f" {self.glyphs.text(rendering.name)}", width, keep_end=True) for rendering in row]
        return strips[:height]


def _centred(strip: Strip, width: int, style: Style) -> Strip:
    before = Segment(" " * max(0, (width - strip.cell_length) // 2), style)
    return Strip([before, *strip]).adjust_cell_length(width, style).simplify()
