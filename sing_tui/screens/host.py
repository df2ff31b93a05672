"""The application, as the screens see it."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from sing_compute.formats import Glyphs
from sing_tui.start import Start
from sing_tui.store_catalog import StoreCatalog

if TYPE_CHECKING:
    from sing_tui.finder import Finder


class Host(Protocol):
    """The application around an open file."""

    start: Start
    """The requests of the command line."""
    path: Path
    """The results file."""
    other: Path | None
    """A second results file, which is compared with it."""
    images: Path | None
    """Folder of the photographs on this machine."""
    graphics: Literal["auto", "kitty", "sixel", "cells"]
    """The way in which photographs are drawn."""
    memory: Path | None
    """File of what is remembered; None where nothing is."""
    keys: dict[str, str]
    """The user's key map by action name."""

    @property
    def catalog(self) -> StoreCatalog:
        """The open file and its tables."""

    @property
    def glyphs(self) -> Glyphs:
        """The signs that are not letters."""

    @property
    def finder(self) -> "Finder":
        """Finds things in the open file by name."""

    def news(self) -> str:
        """Say what happens to the file, or how far the run is that writes it; empty for nothing."""

    def lost_file(self) -> str:
        """Say that the open file is no longer at its place; empty while it is."""

    def release_keys(self) -> None:
        """Let the keys take effect that waited for a table."""

    def read_again(self) -> None:
        """Open the file again."""
