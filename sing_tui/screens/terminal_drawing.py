"""Photographs that the terminal itself draws over a screen: Kitty's protocol and sixels, at places of the screen."""

import os
import struct
import sys
from typing import Any

from textual.app import App

from sing_tui import photographs
from sing_tui.clipboard import through_tmux

_COLORS: dict[str | None, photographs.Colors] = {
    "truecolor": "truecolor", "256": "256", "standard": "16", "windows": "16"
}  # fmt: skip


def terminal_colors(app: App[Any]) -> photographs.Colors:
    """Return the colours in which half-cells are drawn."""
    return "none" if "NO_COLOR" in os.environ else _COLORS.get(app.console.color_system, "none")


def cell_pixels() -> tuple[int, int]:
    """Return width and height of a cell of this terminal in pixels."""
    import fcntl
    import termios

    try:
        answer = fcntl.ioctl(sys.__stderr__.fileno(), termios.TIOCGWINSZ, bytes(8))  # type: ignore[union-attr]
    except (OSError, ValueError, AttributeError):
        return photographs.CELL
    rows, columns, width, height = struct.unpack("HHHH", answer)
    return (width // columns, height // rows) if 0 < columns <= width and 0 < rows <= height else photographs.CELL


class TerminalDrawing:
    """Writes the sequences of photographs to the terminal of an application."""

    def __init__(self, graphics: photographs.Graphics) -> None:
        self.graphics = graphics
        self.tmux = "TMUX" in os.environ

    def draw(self, app: App[Any], sequence: str, x: int, y: int) -> None:
        """Write a photograph at a cell of the screen, counted from 0."""
        place = f"\x1b[{y + 1};{x + 1}H"
        place = through_tmux(place) if self.tmux else place
        _write(app, f"\x1b7{place}{sequence}\x1b8")

    def clear(self, app: App[Any], count: int = 1) -> None:
        """Remove photographs 0 to `count` - 1 that Kitty's protocol drew; sixels go when cells are painted over them."""
        if self.graphics == "kitty":
            _write(app, photographs.kitty_clear(tmux=self.tmux, count=count))


def _write(app: App[Any], sequence: str) -> None:
    driver = app._driver
    if driver is not None:
        driver.write(sequence)
        driver.flush()
