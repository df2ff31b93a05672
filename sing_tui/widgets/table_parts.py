"""Styles and messages of the table widget."""

from typing import ClassVar

from textual.message import Message
from textual.widget import Widget

from sing_compute.store.columns import Loaded


class TableParts(Widget):
    """The base of the table widget: how its parts look, and what it says to its screen."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "score-table--header",
        "score-table--column",
        "score-table--cursor",
        "score-table--row",
    }
    DEFAULT_CSS = """
    TableParts { height: 1fr; width: 1fr; background: $background; color: $foreground;
        & > .score-table--row { background: $background; color: $foreground; }
        & > .score-table--header { background: $panel; color: $foreground; text-style: bold; }
        & > .score-table--column { background: $panel; color: $foreground; text-style: bold reverse; }
        & > .score-table--cursor { background: $primary; color: $background; text-style: bold; }
        &:ansi > .score-table--header { background: ansi_default; color: ansi_default; text-style: bold underline; }
        &:ansi > .score-table--column { background: ansi_default; color: ansi_default; text-style: bold reverse; }
        &:ansi > .score-table--cursor { background: ansi_default; color: ansi_default; text-style: reverse; }
    }
    """

    class Moved(Message):
        """The cursor is on another line."""

    class Chosen(Message):
        """The line under the cursor is to be opened."""

    class Failed(Message):
        """Cells could not be read."""

        def __init__(self, problem: str) -> None:
            super().__init__()
            self.problem = problem

    class Wanting(Message):
        """Cells in sight wait for values that take a while to load; whoever loads them repaints."""

        def __init__(self, parts: list[Loaded]) -> None:
            super().__init__()
            self.parts = parts

    class SortAsked(Message):
        """The header of the cursor column was clicked."""
