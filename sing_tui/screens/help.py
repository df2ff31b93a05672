"""Help: the keys of a table, how filters are written, and what each of its columns means.

What is typed narrows it, so that no letter moves here; the arrows scroll.
"""

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from sing_compute.formats import Glyphs
from sing_compute.store import Column
from sing_tui.actions import KeyHelp

_FILTER_HELP = (
    "cat                      a word in any text column",
    "Cat                      with a capital, case counts",
    "is > 20 and |as| < 3     numbers: + - * / | |, and or not, brackets",
    "class ~ ^cat             a regular expression; !~ without a match",
    "prediction != class      two columns",
    'class = "cat"            text that is; != is not',
    "is_centred > 3           columns by title or by name",
    "accuracy < 90%           shares also as percent",
)
Group = tuple[str, list[tuple[str, ...]]]
"""A heading and its entries; an entry is one line or more that stay together."""


def help_groups(keys: Sequence[KeyHelp], columns: Sequence[Column], glyphs: Glyphs) -> list[Group]:
    """List the keys, filters and columns of a table by headings.

    Args:
        keys: The keys that have a meaning there.
        columns: Its columns.
        glyphs: The signs of the screen.
    """
    groups: dict[str, list[tuple[str, ...]]] = {}
    for key in keys:
        groups.setdefault(key.group, []).append((f"  {key.keys:<13} {glyphs.text(key.text)}",))
    groups["filters"] = [(f"  {line}",) for line in _FILTER_HELP]
    for column in columns:
        unit = "" if column.unit in ("text", "1") else f" [{column.unit}]"
        title, description = glyphs.text(column.title), glyphs.text(column.description)
        entry = (f"  {title}  {glyphs.text(column.name)}{unit}", f"      {description}")
        groups.setdefault("columns", []).append(entry)
    return list(groups.items())


class HelpScreen(ModalScreen[None]):
    """The help of a table; what is typed narrows it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,f1,enter", "dismiss", "close"),
        Binding("down,ctrl+n", "scroll(1)", "down", show=False),
        Binding("up,ctrl+p", "scroll(-1)", "up", show=False),
        Binding("pagedown,ctrl+f", "scroll(10)", "page down", show=False),
        Binding("pageup,ctrl+b", "scroll(-10)", "page up", show=False),
    ]
    DEFAULT_CSS = """
    HelpScreen { align: center middle; }
    HelpScreen > Vertical { width: 90%; max-width: 110; height: 90%; padding: 0 1; background: $surface; border: round $primary; }
    HelpScreen.ascii > Vertical { border: ascii $primary; }
    HelpScreen Input, HelpScreen Input:focus { height: 1; border: none; padding: 0 1; background: $boost; }
    HelpScreen VerticalScroll { scrollbar-size: 0 0; height: 1fr; }
    HelpScreen Static { width: 1fr; height: auto; padding: 0 1; }
    """

    def __init__(self, table: str, groups: Sequence[Group], *, glyphs: Glyphs) -> None:
        """Prepare the screen.

        Args:
            table: Name of the table.
            groups: Its help (`help_groups`).
            glyphs: The signs of the screen.
        """
        super().__init__(classes="ascii" if glyphs.ascii_only else "")
        self.title_line = f"{glyphs.text(table)}: keys and columns; arrows scroll, Esc closes"
        self.groups = groups

    def compose(self) -> ComposeResult:
        """The parts, from top to bottom."""
        with Vertical():
            yield Input(placeholder="type to narrow", compact=True)
            with VerticalScroll(can_focus=False):
                yield Static(self.text(""), markup=False)

    def on_mount(self) -> None:
        """Start once the parts exist."""
        self.query_one(Input).cursor_blink = False

    def text(self, typed: str) -> Text:
        """The entries that hold every typed word."""
        words = typed.lower().split()
        text = Text(f"{self.title_line}\n", style="bold")
        for heading, entries in self.groups:
            kept = [entry for entry in entries if all(word in " ".join((heading, *entry)).lower() for word in words)]
            if kept:
                text.append(f"\n{heading}\n", style="bold")
                text.append("".join(f"{line}\n" for entry in kept for line in entry), style="not bold")
        return text

    @on(Input.Changed)
    def narrow(self, event: Input.Changed) -> None:
        """Keep what holds every typed word."""
        self.query_one(Static).update(self.text(event.value))
        self.query_one(VerticalScroll).scroll_home(animate=False)

    @on(Input.Submitted)
    def close(self) -> None:
        """Enter closes."""
        self.dismiss()

    def action_scroll(self, lines: int) -> None:
        """Scroll by lines."""
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)
