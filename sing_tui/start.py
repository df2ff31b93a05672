"""The requests of a command line, before anything is looked up in a file. Imports nothing heavy: the first frame waits for it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sing_compute.errors import SingError

THEMES = ("textual-dark", "textual-light", "nord", "gruvbox", "solarized-light", "ansi-dark", "ansi-light")
"""The themes that are offered; any other of Textual's would do, too."""
ALIASES = ("model", "class", "subset", "concept")
"""Axes with an option of their own: `--class cat` is `--at class=cat`."""
WITH_ALIASES = ("model", "class")
"""Axes with an option of their own for what is compared: `--with-class dog` is `--with class=dog`."""


@dataclass(frozen=True, slots=True)
class Wish:
    """A table, in the words of the command line."""

    table: str | None = None
    at: tuple[str, ...] = ()
    """Items that the table is about, each as `axis=item`."""
    compare: str | None = None
    """The column to compare in; empty for the one that the table declares."""
    others: tuple[str, ...] = ()
    """Items that are compared with the first, each as `axis=item`; all of a group where none is named."""

    @classmethod
    def of(cls, table: str | None = None, items: Mapping[str, str] | None = None, compare: str | None = None) -> "Wish":
        """A table of these items by axis."""
        return cls(table, tuple(f"{axis}={item}" for axis, item in (items or {}).items()), compare)


@dataclass(frozen=True, slots=True)
class Start:
    """The place and the state to begin with."""

    wish: Wish = field(default_factory=Wish)
    filter: str = ""
    sort: str | None = None
    reverse: bool = False
    row: int = 1
    """Line of the view, from 1."""
    columns: tuple[str, ...] = ()
    """Columns to show; empty for all."""
    chart: str | None = None
    count_by: tuple[str, ...] = ()
    """Columns to count the rows by that pass the filter; empty to show the rows themselves."""
    having: str = ""
    """Filter of the counts."""
    look: tuple[str, ...] = ()
    """A column to look at, or two of which the second is drawn from left to right."""
    top: int = 0
    """The first rows: the only ones that are written, and marked on a screen; 0 for all, and for no marks."""

    @property
    def anywhere(self) -> bool:
        """True if the command line left the place open, so that the last one may be taken up."""
        return self == Start()


def parted(text: str) -> tuple[str, str]:
    """Axis and item of `axis=item`."""
    axis, _, item = text.partition("=")
    return axis, item


def option(axis: str, item: str = "") -> str:
    """The option that names an item of an axis, with the item where one is given."""
    if axis in ALIASES:
        return f"--{axis} {item}" if item else f"--{axis}"
    return f"--at {axis}={item}" if item else f"--at {axis}"


def named_once(items: tuple[str, ...]) -> tuple[str, ...]:
    """Return items, each `axis=item`, if each axis is named once.

    Raises:
        SingError: An axis is named twice.
    """
    axes = [parted(text)[0] for text in items]
    twice = next((axis for axis in axes if axes.count(axis) > 1), None)
    if twice is not None:
        raise SingError(f"{twice} is named twice, by {option(twice)} or --at: name it once")
    return items


def takes_unicode(environment: Mapping[str, str], encoding: str | None) -> bool:
    """Return True if the locale is one of UTF-8. Python writes UTF-8 in the C locale, too, where terminals may not read it.

    Args:
        environment: The environment of the process.
        encoding: The encoding of what it prints, which counts where the environment says nothing.
    """
    locale = next((environment[name] for name in ("LC_ALL", "LC_CTYPE", "LANG") if environment.get(name)), "")
    return "utf" in (locale or encoding or "").lower()


def choose_theme(color_system: str | None, no_color: bool) -> str:
    """Choose the terminal's own colours where there are fewer than 256 or none are wanted; Textual's dark theme elsewhere."""
    return "ansi-dark" if no_color or color_system in (None, "standard") else "textual-dark"
