"""The first frame: what is opened, before anything heavy is imported; and the wait for a file that is still computed."""

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Static


class OpeningScreen(Screen[None]):
    """The file's name, and what is waited for."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("q,Q,ctrl+q,escape", "app.quit", "quit", show=False)]
    DEFAULT_CSS = """
    OpeningScreen { background: $background; }
    OpeningScreen #file { background: $panel; text-style: bold; height: 1; }
    OpeningScreen:ansi, OpeningScreen:ansi Static, OpeningScreen:ansi #file { background: ansi_default; color: ansi_default; }
    """

    def __init__(self, name: str, *, ascii_only: bool, shown: Callable[[], object]) -> None:
        """Prepare the screen.

        Args:
            name: Name of the file.
            ascii_only: True where the terminal takes plain characters alone.
            shown: Called once, when the first frame is painted.
        """
        super().__init__()
        self._shown: Callable[[], object] | None = shown
        self.file_name = name if name.isprintable() and (name.isascii() or not ascii_only) else ascii(name)

    def compose(self) -> ComposeResult:
        """Return the parts, from top to bottom."""
        yield Static(f"  {self.file_name}", id="file", markup=False)
        yield Static(f"\n  opening {self.file_name} ...", id="note", markup=False)

    def on_resize(self) -> None:
        """Textual says how large the screen is once it has painted it for the first time."""
        shown, self._shown = self._shown, None
        if shown is not None:
            shown()

    def say(self, text: str) -> None:
        """Say what is waited for."""
        self.query_one("#note", Static).update(f"\n  {text}")
