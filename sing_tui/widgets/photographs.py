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
from sing_tui.captions import Figure
from sing_tui.widgets.figure_lines import Part, figure_lines
from sing_tui.widgets.photograph_room import ACROSS, Shares


@dataclass(frozen=True, slots=True)
class Rendering:
    """One photograph on the screen: its name, and its drawing or a note where there is none."""

    name: str = ""
    strips: tuple[Strip, ...] = ()
    note: str = ""
    sequence: str = ""
    """Draws it over the screen where the terminal can do better than half-cells; `strips` is empty then."""
    width: int = 0
    """Cells across that the drawing of `sequence` takes."""


class Canvas(Widget):
    """Paints lines; only those that changed go over the wire."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {"canvas--text", "canvas--label", "canvas--warning"}
    DEFAULT_CSS = """
    Canvas { height: 1fr; width: 1fr; background: $surface; color: $foreground;
        & > .canvas--text { background: $surface; color: $foreground; }
        & > .canvas--label { background: $surface; color: $text-muted; }
        & > .canvas--warning { background: $surface; color: $text-error; text-style: bold; }
        &:ansi > .canvas--text, &:ansi > .canvas--label { background: ansi_default; color: ansi_default; }
        &:ansi > .canvas--warning { background: ansi_default; color: ansi_default; text-style: bold underline; }
    }
    """

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__()
        self.glyphs = glyphs
        self._strips: list[Strip] | None = None
        self._painted_size = self.size

    def lines(self, width: int, height: int) -> list[Strip]:
        """Return what is painted, in lines of exactly this width."""
        raise NotImplementedError

    def repaint(self) -> None:
        """Paint the lines that have changed."""
        old, width = self._strips, self.size.width
        self._strips, self._painted_size = self.lines(width, self.size.height), self.size
        for y, (before, after) in enumerate(zip_longest(old or [], self._strips)):
            if before != after:
                self.refresh(Region(0, y, width, 1))

    def notify_style_update(self) -> None:
        """Paint again in the colours of another theme."""
        super().notify_style_update()
        self._strips = None

    def render_line(self, y: int) -> Strip:
        """Paint one line (Textual asks for those that changed)."""
        if self._strips is None or self._painted_size != self.size:
            self._strips, self._painted_size = self.lines(self.size.width, self.size.height), self.size
        return self._strips[y] if y < len(self._strips) else Strip.blank(self.size.width, self.style_of("text"))

    def style_of(self, part: Part) -> Style:
        """Return the style of text, label or warning."""
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
    """The photograph of the row; its figures below it where there is no room beside it."""

    rendering = Rendering()
    room = Shares(0, 0)
    figures: Sequence[Figure] = ()

    def lines(self, width: int, height: int) -> list[Strip]:
        """Return the photograph, its name, and figures."""
        room = self.room
        below = room.figure_lines if room.are_below else 0
        painted = figure_lines(self.figures, width, below, self.glyphs, self.style_of)
        return [*self.block(self.rendering, width, height - below), *painted]


class Neighbours(Canvas):
    """The figures of the row, and rows of photographs that are near to it, each under a line that says in what respect."""

    room = Shares(0, 0)
    figures: Sequence[Figure] = ()
    labels: Sequence[str] = ()
    rows: tuple[tuple[Rendering, ...], ...] = ()

    def lines(self, width: int, height: int) -> list[Strip]:
        """Return the figures and the rows."""
        wide, high = self.room.small
        gap = Strip([Segment(" ", self.style_of("text"))])
        lines = 0 if self.room.are_below else self.room.figure_lines
        strips = figure_lines(self.figures, width - 1, lines, self.glyphs, self.style_of)
        strips = [Strip.join([gap, line]) for line in strips]
        spare = height - len(strips) - self.room.rows * (high + 2) if high else 0
        for label, row in zip(self.labels, self.rows or ((Rendering(),) * ACROSS,) * len(self.labels), strict=True):
            if spare > 0 and strips:
                strips.append(Strip.blank(width, self.style_of("text")))
                spare -= 1
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
