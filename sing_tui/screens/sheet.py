"""A sheet of text over a table screen, to scroll through and close; a long one can be narrowed by typing."""

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static


class Sheet(ModalScreen[None]):
    """Text about the screen below; any of the keys that open such a sheet closes it, too."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,f1,x,h,backspace,enter", "dismiss", "close"),
        Binding("down,j", "scroll(1)", "down", show=False),
        Binding("up,k", "scroll(-1)", "up", show=False),
        Binding("pagedown,space,ctrl+f,ctrl+d", "scroll(10)", "page down", show=False),
        Binding("pageup,ctrl+b,ctrl+u", "scroll(-10)", "page up", show=False),
        Binding("home,g", "scroll(-9999)", "top", show=False),
        Binding("end,G", "scroll(9999)", "end", show=False),
    ]
    DEFAULT_CSS = """
    Sheet { align: center middle; }
    Sheet > VerticalScroll { width: 90%; max-width: 110; height: 90%; padding: 0 2; background: $surface;
        scrollbar-size: 0 0; border: round $primary; }
    Sheet.ascii > VerticalScroll { border: ascii $primary; }
    Sheet Static { width: 1fr; height: auto; }
    """

    def __init__(self, text: Text, *, ascii_only: bool) -> None:
        super().__init__(classes="ascii" if ascii_only else "")
        self.text = text

    def compose(self) -> ComposeResult:
        """The parts, from top to bottom."""
        with VerticalScroll():
            yield Static(self.text, markup=False)

    def action_scroll(self, lines: int) -> None:
        """Scroll by lines."""
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)
