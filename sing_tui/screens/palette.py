"""The palette: every command of a table by name, and the themes. Type to narrow, Enter runs.

A number goes to that line.
"""

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from sing_compute.formats import Glyphs
from sing_tui.actions import KeyHelp
from sing_tui.start import THEMES

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
    Palette OptionList, Palette OptionList:focus { height: auto; max-height: 16; border: none; padding: 0;
        background: $surface; scrollbar-size: 0 0; }
    """

    def __init__(self, commands: Sequence[Command], *, glyphs: Glyphs) -> None:
        super().__init__(classes="ascii" if glyphs.ascii_only else "")
        self.pointer, self.commands = glyphs.right, commands

    def compose(self) -> ComposeResult:
        """The parts, from top to bottom."""
        with Vertical():
            yield Input(placeholder="a command, or the number of a line", compact=True)
            yield OptionList()

    def on_mount(self) -> None:
        """Start once the parts exist."""
        self.query_one(Input).cursor_blink = False
        self.query_one(OptionList).can_focus = False
        self._narrow("")

    @on(Input.Changed)
    def narrow(self, event: Input.Changed) -> None:
        """Keep the commands that hold every typed word."""
        self._narrow(event.value)

    def _narrow(self, typed: str) -> None:
        words, options = typed.lower().split(), self.query_one(OptionList)
        options.clear_options()
        if typed.strip().isdecimal():
            options.add_option(Option(Content(f"  {'':13} go to line {typed.strip()}"), id=_LINE))
        for position, (text, _) in enumerate(self.commands):
            if all(word in text.lower() for word in words):
                options.add_option(Option(Content(f"  {text}"), id=str(position)))
        if not options.option_count:
            options.add_option(Option(Content(f"  no command has these words: {typed.strip()}"), disabled=True))
            return
        options.highlighted = 0

    def action_step(self, step: int) -> None:
        """Move the highlight."""
        options = self.query_one(OptionList)
        if options.option_count:
            options.highlighted = ((options.highlighted or 0) + step) % options.option_count

    @on(OptionList.OptionHighlighted)
    def point(self) -> None:
        """Put a sign before the command that Enter runs: not every terminal shows it by colour."""
        options = self.query_one(OptionList)
        for position, option in enumerate(options.options):
            sign = self.pointer if position == options.highlighted else " "
            if str(option.prompt)[:1] != sign:
                options.replace_option_prompt_at_index(position, Content(sign + str(option.prompt)[1:]))

    @on(Input.Submitted)
    @on(OptionList.OptionSelected)
    def run(self) -> None:
        """Hand back the highlighted command."""
        options = self.query_one(OptionList)
        if options.highlighted is None:
            return
        chosen = options.get_option_at_index(options.highlighted).id or "0"
        self.dismiss(self.query_one(Input).value.strip() if chosen == _LINE else self.commands[int(chosen)][1])
