"""The lines around a table: where one is, how the table is arranged, which keys there are, and the line for typing."""

from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Input

from sing_tui.formats import UNICODE, Glyphs, fit


class TextLine(Widget):
    """One line of plain text, never read as markup; painted again only when it changes."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {"text-line--text", "text-line--key"}
    DEFAULT_CSS = """
    TextLine { height: 1; width: 1fr; background: $panel; color: $foreground;
        & > .text-line--text { background: $panel; color: $foreground; }
        & > .text-line--key { background: $panel; color: $accent; text-style: bold; }
        &:ansi > .text-line--text { background: ansi_default; color: ansi_default; }
        &:ansi > .text-line--key { background: ansi_default; color: ansi_default; text-style: bold; }
        &.place > .text-line--text { text-style: bold; }
        &.problem > .text-line--text { color: $text-error; text-style: bold; }
    }
    """

    def __init__(self, glyphs: Glyphs = UNICODE, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.glyphs = glyphs
        self.left = self.right = ""

    def write(self, left: str, right: str = "") -> None:
        """Show text at the left and, where there is room, at the right."""
        if (left, right) != (self.left, self.right):
            used = max(cell_len(left), cell_len(self.left)) + 1
            part = not right and not self.right and not self.has_class("place") and 0 < used < self.size.width
            self.left, self.right = left, right
            self.refresh(*([Region(0, 0, used, 1)] if part else []))  # blanks cost bytes too

    def render_line(self, y: int) -> Strip:
        """Paint one line (Textual asks for those that changed)."""
        width = self.size.width
        style = self.get_component_rich_style("text-line--text")
        right = self.right if self.right and cell_len(self.left) + cell_len(self.right) + 4 <= width else ""
        ends = self.has_class("place")  # the end of a place says most
        left = fit(" " + self.left, max(0, width - cell_len(right) - 1), self.glyphs, keep_end=ends)
        return Strip([Segment(fit(left + right, width, self.glyphs), style)])


class KeyLine(TextLine):
    """The most useful keys of the screen: six on 80 columns, more where there is room. The last one, help, always stays."""

    keys: tuple[tuple[str, str], ...] = ()

    def offer(self, keys: tuple[tuple[str, str], ...]) -> None:
        """Show pairs of key and what it does, most useful first, help last."""
        if keys != self.keys:
            self.keys = keys
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """Paint one line (Textual asks for those that changed)."""
        width = self.size.width
        text, key = self.get_component_rich_style("text-line--text"), self.get_component_rich_style("text-line--key")
        *others, last = self.keys or (("?", "help"),)
        room = width - _width(last)
        fitting: list[tuple[str, str]] = []
        for pair in others[: 5 if width < 100 else None]:
            if _width(pair) > room:
                break
            room -= _width(pair)
            fitting.append(pair)
        segments = []
        for name, does in (*fitting, last):
            segments += [Segment(f" {name}", key), Segment(f" {does} ", text)]
        return Strip(segments).adjust_cell_length(width, text)


def _width(pair: tuple[str, str]) -> int:
    return cell_len(pair[0]) + cell_len(pair[1]) + 3


_PURPOSE = 9
"""Cells before the text that is typed."""


class TypingLine(Horizontal):
    """The line in which a filter, a search or a file name is typed; hidden until it is asked for."""

    DEFAULT_CSS = """
    TypingLine { height: 1; display: none; background: $boost;
        & > TextLine { width: 9; }
        & > Input, & > Input:focus { width: 1fr; height: 1; border: none; padding: 0; background: $boost; }
    }
    """

    purpose = ""
    """What the typed text is for; empty while the line is hidden."""

    def compose(self) -> ComposeResult:
        """The parts, from top to bottom."""
        yield TextLine()
        field = Input(compact=True, select_on_focus=False)
        field.cursor_blink = False
        yield field

    def ask(self, purpose: str, value: str = "") -> None:
        """Show the line with a text to go on from."""
        self.query_one(TextLine).write(purpose)
        field = self.query_one(Input)
        with field.prevent(Input.Changed):
            field.value = value
        field.cursor_position = len(value)
        self.display = True
        self.purpose = purpose
        self.screen.set_focus(field)  # at once: what is typed next must not go to the table

    def column_of(self, position: int) -> int:
        """The column of the screen in which a character of the typed text stands."""
        field = self.query_one(Input)
        return max(field.region.x, _PURPOSE) + cell_len(field.value[:position]) - int(field.scroll_offset.x)

    def type_ahead(self, character: str) -> bool:
        """Add a letter that was sent before the line had the focus; whether the line is open."""
        if self.purpose:
            self.query_one(Input).insert_text_at_cursor(character)
        return bool(self.purpose)

    def close(self) -> None:
        """Hide the line."""
        self.purpose, self.display = "", False
