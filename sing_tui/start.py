"""What the command line asks for, before anything is looked up in a file. Imports nothing heavy: the first frame waits for it."""

from dataclasses import dataclass, field
from typing import Literal

Level = Literal["models", "classes", "concepts", "images"]
LEVELS: tuple[Level, ...] = ("models", "classes", "concepts", "images")

THEMES = ("textual-dark", "textual-light", "nord", "gruvbox", "solarized-light", "ansi-dark", "ansi-light")
"""The themes that are offered; any other of Textual's would do, too."""


@dataclass(frozen=True, slots=True)
class Wish:
    """A table, in the words of the command line."""

    table: Level | None = None
    model: str | None = None
    class_name: str | None = None
    subset: str | None = None
    concept: str | None = None
    compare: str | None = None
    """A column to put models (or classes) side by side in; empty for the level's own."""
    with_models: tuple[str, ...] = ()
    with_classes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Start:
    """Where and how to begin."""

    wish: Wish = field(default_factory=Wish)
    filter: str = ""
    sort: str | None = None
    reverse: bool = False
    row: int = 1
    """Line of the view, from 1."""
    columns: tuple[str, ...] = ()
    """Columns to show; empty for all."""
    picture: str | None = None

    @property
    def anywhere(self) -> bool:
        """Whether the command line left the place open, so that the last one may be taken up."""
        return self == Start()
