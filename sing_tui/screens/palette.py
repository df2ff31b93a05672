"""The palette: every command of a table by name, and the themes. Type to narrow, Enter runs.

A number goes to that line.
"""

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from sing_compute.formats import Glyphs
from sing_tui.actions import KeyHelp
from sing_tui.start import THEMES
from sing_tui.widgets.pick_list import PickList

_LINE = "line"
_WRITTEN = (
    ("figures", "draw the paper's figures of this file into a folder here"),
    ("report", "write a report on this file here, one page of HTML"),
)
Command = tuple[str, str]
"""One line of the list, and the action that it runs."""


def commands(
    keys: Sequence[KeyHelp], tables: Sequence[tuple[str, str]] = (), columns: Sequence[tuple[str, str]] = ()
) -> list[Command]:
    """List the commands of the palette, but for those that only move the cursor.

    Args:
        keys: The keys that have a meaning on the screen.
        tables: Tables that no key opens, each with its action.
        columns: Name and title of each column, to sort by.
    """
    found = [
        (f"{key.keys:<13} {key.text if key.name == key.text else f'{key.name}: {key.text}'}", key.action)
        for key in keys
        if key.name != "palette" and not key.action.startswith(("cursor('line'", "cursor('page'"))
    ]
    written = [(f"{'':13} {text}", f"show({name!r})") for name, text in _WRITTEN]
    opened = [(f"{'':13} open {name}", action) for name, action in tables]
    sorts = [(f"{'':13} sort by {name} ({title})", f"sort_by({name!r})") for name, title in columns]
    return [
        *found,
        *written,
        *opened,
        *sorts,
        *((f"{'':13} theme {name}", f"app.theme_named('{name}')") for name in THEMES),
    ]


class Palette(ModalScreen[str | None]):
    """A line to type in and the commands that match; dismissed with the action to run."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "close"),
        Binding("down,ctrl+n", "step(1)", "next", show=False),
        Binding("up,ctrl+p", "step(-1)", "previous", show=False),
    ]
    DEFAULT_CSS = """
    Palette { align: center top; }
    Palette > Vertical { width: 70; max-width: 95%; height: auto; max-height: 90%; margin-top: 1; padding: 0 1;
        background: $surface; border: round $primary; }
    Palette.ascii > Vertical { border: ascii $primary; }
    Palette Input, Palette Input:focus { height: 1; border: none; padding: 0 1; background: $boost; }
    """

    def __init__(self, commands: Sequence[Command], *, glyphs: Glyphs) -> None:
        super().__init__(classes="ascii" if glyphs.ascii_only else "")
        self.glyphs, self.commands = glyphs, commands

    def compose(self) -> ComposeResult:
        """The parts, from top to bottom."""
        with Vertical():
            yield Input(placeholder="a command, or the number of a line", compact=True)
            yield PickList(self.glyphs)

    def on_mount(self) -> None:
        """Start once the parts exist."""
        self.query_one(Input).cursor_blink = False
        self._narrow("")

    @on(Input.Changed)
    def narrow(self, event: Input.Changed) -> None:
        """Keep the commands that hold every typed word."""
        self._narrow(event.value)

    def _narrow(self, typed: str) -> None:
        words, line = typed.lower().split(), typed.strip()
        found = [
            (str(position), text)
            for position, (text, _) in enumerate(self.commands)
            if all(word in text.lower() for word in words)
        ]
        to_line = [(_LINE, f"{'':13} go to line {line}")] if line.isdecimal() else []
        self.query_one(PickList).fill([*to_line, *found], f"no command has these words: {line}")

    def action_step(self, by: int) -> None:
        """Move the highlight."""
        self.query_one(PickList).step(by)

    @on(Input.Submitted)
    @on(PickList.OptionSelected)
    def run(self) -> None:
        """Hand back the highlighted command."""
        chosen = self.query_one(PickList).chosen
        if chosen:
            self.dismiss(self.query_one(Input).value.strip() if chosen == _LINE else self.commands[int(chosen)][1])
