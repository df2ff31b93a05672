"""A grid of small photographs with a caption below each; it paints what it is given and repaints what has changed."""

import textwrap
from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from sing_compute.formats import Glyphs, fit
from sing_tui.captions import Caption
from sing_tui.photographs.queue import Bounded
from sing_tui.view import View
from sing_tui.widgets.photographs import Rendering

_CAPTION = 2
"""Lines of a caption."""
_USUAL = 11
"""Lines of a photograph with its caption, unless the user wants another size."""
_LEAST = 5


@dataclass(frozen=True, slots=True)
class Grid:
    """Places of the photographs of one sheet on a screen."""

    width: int
    height: int
    rows: int
    """Rows of photographs."""

    @classmethod
    def of(cls, width: int, height: int, rows: int | None = None) -> "Grid":
        """Make a grid.

        Args:
            width: Cells across.
            height: Lines.
            rows: Rows that the user wants; None for the usual size of photographs.
        """
        wanted = round(height / _USUAL) if rows is None else rows
        return cls(width, height, max(1, min(wanted, height // _LEAST)))

    @property
    def cell_height(self) -> int:
        """Lines of a photograph with its caption."""
        return max(1, self.height // self.rows)

    @property
    def picture_height(self) -> int:
        """Lines of a photograph."""
        return max(1, self.cell_height - _CAPTION)

    @property
    def across(self) -> int:
        """Photographs in a row."""
        return max(1, self.width // (2 * self.picture_height + 2))

    @property
    def cell_width(self) -> int:
        """Cells across for a photograph with its two margins."""
        return max(1, self.width // self.across)

    @property
    def picture_width(self) -> int:
        """Cells across for a photograph."""
        return max(1, self.cell_width - 2)

    @property
    def count(self) -> int:
        """Photographs on a sheet."""
        return self.rows * self.across

    def sheet(self, line: int, lines: int) -> range:
        """Return the lines of a table of so many lines that are on one sheet with a line."""
        first = line // self.count * self.count
        return range(first, min(lines, first + self.count))

    def corner(self, line: int) -> tuple[int, int]:
        """Return the upper left cell of a line's place."""
        row, column = divmod(line % self.count, self.across)
        return column * self.cell_width, row * self.cell_height


class ContactSheet(Widget, can_focus=True):
    """One sheet of a view, a cursor on one photograph, and marks."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "contact-sheet--text", "contact-sheet--label", "contact-sheet--incorrect", "contact-sheet--cursor",
    }  # fmt: skip
    DEFAULT_CSS = """
    ContactSheet { height: 1fr; width: 1fr; background: $background; color: $foreground;
        & > .contact-sheet--text { background: $background; color: $foreground; }
        & > .contact-sheet--label { background: $background; color: $text-muted; }
        & > .contact-sheet--incorrect { background: $background; color: $text-error; text-style: bold; }
        & > .contact-sheet--cursor { background: $primary; color: $background; text-style: bold; }
        &:ansi > .contact-sheet--text, &:ansi > .contact-sheet--label { background: ansi_default; color: ansi_default; }
        &:ansi > .contact-sheet--incorrect { background: ansi_default; color: ansi_default; text-style: bold underline; }
        &:ansi > .contact-sheet--cursor { background: ansi_default; color: ansi_default; text-style: reverse; }
    }
    """

    class Clicked(Message):
        """A photograph was clicked."""

        def __init__(self, line: int, *, twice: bool) -> None:
            super().__init__()
            self.line, self.twice = line, twice

    def __init__(self, glyphs: Glyphs, view: View, line: int, marks: frozenset[int]) -> None:
        super().__init__()
        self.glyphs, self.view, self.cursor, self.marks = glyphs, view, line, marks
        self.grid = Grid(1, 1, 1)
        self.renderings: Bounded[Rendering] = Bounded()
        """Photographs by line, of at most two sheets; those that are not among them are on their way."""
        self.captions: Bounded[Caption] = Bounded()
        """Captions by line, of at most two sheets."""
        self._blocks: dict[int, list[Strip]] = {}

    @property
    def sheet(self) -> range:
        """Lines of the view that are on the screen."""
        return self.grid.sheet(self.cursor, len(self.view))

    def share(self, grid: Grid) -> None:
        """Take other places for the photographs."""
        if (grid.picture_width, grid.picture_height) != (self.grid.picture_width, self.grid.picture_height):
            self.renderings.clear()
        self.grid = grid
        self._blocks.clear()
        self.refresh()

    def keeps(self, line: int) -> bool:
        """Return True for the lines of this sheet and of the next one: only so many are kept, so others would displace these."""
        return self.sheet.start <= line < self.sheet.stop + self.grid.count

    def put(self, line: int, rendering: Rendering) -> None:
        """Show a photograph of this sheet, or keep one of the next; what was paged away is dropped."""
        if self.keeps(line):
            self.renderings.put(line, rendering, 2 * self.grid.count)
            self._changed(line, Region(0, 0, self.grid.cell_width, self.grid.picture_height))

    def caption(self, captions: dict[int, Caption]) -> None:
        """Show captions of this sheet, or keep those of the next; what was paged away is dropped."""
        for line, caption in captions.items():
            if self.keeps(line):
                self.captions.put(line, caption, 2 * self.grid.count)
                self._caption_changed(line)

    def mark(self, marks: Collection[int]) -> None:
        """Mark other rows."""
        changed = self.marks ^ frozenset(marks)
        self.marks = frozenset(marks)
        for line in self.sheet:
            if self.view.identity(line) in changed:
                self._caption_changed(line)

    def go(self, line: int) -> None:
        """Move the cursor; another sheet comes where it leaves this one."""
        old, sheet = self.cursor, self.sheet
        self.cursor = max(0, min(line, len(self.view) - 1))
        if self.sheet != sheet:
            self._blocks.clear()
            self.refresh()
        elif old != self.cursor:
            for each in (old, self.cursor):
                self._caption_changed(each)
                for x in (0, self.grid.cell_width - 1):
                    self._changed(each, Region(x, 0, 1, self.grid.cell_height))

    def _caption_changed(self, line: int) -> None:
        grid = self.grid
        self._changed(line, Region(0, grid.picture_height, grid.cell_width, grid.cell_height - grid.picture_height))

    def _changed(self, line: int, part: Region) -> None:
        """Paint a part of a line's place again, if it is on the screen."""
        if line in self.sheet:
            self._blocks.pop(line, None)
            self.refresh(part.translate(self.grid.corner(line)))

    def notify_style_update(self) -> None:
        """Paint again in the colours of another theme."""
        super().notify_style_update()
        self._blocks.clear()

    def render_line(self, y: int) -> Strip:
        """Paint one line (Textual asks for those that changed)."""
        grid, sheet, style = self.grid, self.sheet, self._style("text")
        row, part = divmod(y, grid.cell_height)
        first = sheet.start + row * grid.across
        if row >= grid.rows:
            return Strip.blank(self.size.width, style)
        parts = [self._block(line)[part] for line in range(first, min(first + grid.across, sheet.stop))]
        return Strip.join(parts).adjust_cell_length(self.size.width, style)

    def _block(self, line: int) -> list[Strip]:
        if line not in self._blocks:
            self._blocks[line] = self._painted(line)
        return self._blocks[line]

    def _painted(self, line: int) -> list[Strip]:
        """Paint a photograph with its caption and margins."""
        grid, text = self.grid, self._style("text")
        is_here = line == self.cursor
        margin = (
            Segment("|" if self.glyphs.ascii_only else "┃", self._style("cursor")) if is_here else Segment(" ", text)
        )
        inner = self._picture(self.renderings.get(line)) + self._caption(line)
        return [Strip([margin, *strip, margin], grid.picture_width + 2) for strip in inner[: grid.cell_height]]

    def _picture(self, rendering: Rendering | None) -> list[Strip]:
        """Paint a photograph in the middle of its place, or why there is none."""
        width, height, style = self.grid.picture_width, self.grid.picture_height, self._style("text")
        strips: list[Strip] = []
        if rendering is None:
            strips = [self._line(self.glyphs.ellipsis.center(width), "label")]
        elif rendering.note:
            words = textwrap.wrap(self.glyphs.text(f"{rendering.name} {rendering.note}"), width)
            strips = [self._line(word, "label") for word in words[:height]]
        else:
            strips = [_centred(strip, width, style) for strip in rendering.strips[:height]]
        above = (height - len(strips)) // 2
        blank = Strip.blank(width, style)
        return [blank] * above + strips + [blank] * (height - len(strips) - above)

    def _caption(self, line: int) -> list[Strip]:
        """Paint the caption of a photograph, with its mark; the prediction that is not the class has a sign of its own."""
        caption = self.captions.get(line) or Caption()
        mark = self.glyphs.mark + " " if self.view.identity(line) in self.marks else ""
        is_here = line == self.cursor
        style = "cursor" if is_here else "incorrect" if caption.true_class else "label"
        classes = self._middle(caption.classes(self.grid.picture_width, self.glyphs), is_here=False)
        score = self._middle(mark + caption.score, is_here=is_here)
        return [
            self._line(score, "cursor" if is_here else "text"),
            self._line(classes, style),
        ]

    def _middle(self, text: str, *, is_here: bool) -> str:
        is_here = is_here and cell_len(text) <= self.grid.picture_width - 4  # else the bars at the sides say it alone
        width = self.grid.picture_width - (4 if is_here else 0)
        fitted = fit(text, max(1, width), self.glyphs)
        blank = len(fitted) - len(fitted.rstrip())
        centred = " " * (blank // 2) + fitted[: len(fitted) - blank // 2]
        return f"{self.glyphs.right} {centred} {self.glyphs.left}" if is_here else centred

    def _line(self, text: str, part: str) -> Strip:
        return Strip([Segment(fit(text, self.grid.picture_width, self.glyphs), self._style(part))])

    def _style(self, part: str) -> Style:
        return self.get_component_rich_style(f"contact-sheet--{part}")

    def on_click(self, event: events.Click) -> None:
        """Put the cursor where the mouse is."""
        row, column = event.y // self.grid.cell_height, event.x // self.grid.cell_width
        line = self.sheet.start + row * self.grid.across + column
        if column < self.grid.across and row < self.grid.rows and line in self.sheet:
            self.post_message(self.Clicked(line, twice=event.chain == 2))


def _centred(strip: Strip, width: int, style: Style) -> Strip:
    """Put a line of a drawing into the middle; a style is added only where it is needed, since each new one costs time."""
    left = max(0, (width - strip.cell_length) // 2)
    right = max(0, width - strip.cell_length - left)
    middle = [
        segment
        if segment.style is not None and segment.style.bgcolor is not None
        else Segment(segment.text, style + segment.style)
        for segment in strip
    ]
    return Strip([Segment(" " * left, style), *middle, Segment(" " * right, style)], left + strip.cell_length + right)
