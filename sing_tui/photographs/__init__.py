"""Photographs: the image files of rows, found on this machine and drawn in a terminal. No Textual."""

from sing_compute.store.photographs import locate
from sing_tui.photographs.drawing import CELL, Colors, Line, half_cells, kitty, kitty_clear, sixel
from sing_tui.photographs.files import fitted, size_of
from sing_tui.photographs.terminal import Graphics, ask_terminal, graphics

__all__ = [
    "CELL",
    "Colors",
    "Graphics",
    "Line",
    "ask_terminal",
    "fitted",
    "graphics",
    "half_cells",
    "kitty",
    "kitty_clear",
    "locate",
    "sixel",
    "size_of",
]
