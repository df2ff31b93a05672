"""The look of figures: their sizes in print, fonts, and colours that colour-blind eyes and grey prints keep apart."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import matplotlib
from matplotlib.figure import Figure, SubFigure
from matplotlib.font_manager import fontManager
from matplotlib.layout_engine import ConstrainedLayoutEngine

INCH = 25.4
"""Millimetres."""
WIDTHS = {"column": 84.0, "page": 174.0}
"""Widths of a column and of a page, mm."""
SIZE = 7.0
"""Size of all text, points; the line of a row is `ROW` high."""
ROW = 0.165
"""Height of a row, inches."""
TALLEST = 230 / INCH
"""Height of a figure at most, inches."""
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""Okabe and Ito's colours; the first two differ for every eye and in grey."""
PALE = ("#a9cfe6", "#f3c9ac")
"""The first two, for areas under lines and text."""
DASHES = ("-", "--", ":", "-.")
GREY, LIGHT = "#555555", "#dddddd"
_OTHER_SCRIPTS = ("Noto Sans CJK JP", "Noto Sans CJK SC", "Noto Sans JP", "Droid Sans Fallback", "Unifont", "Noto Sans")
"""Fonts for letters that DejaVu Sans lacks, where they are installed."""
_SETTINGS: dict[Any, Any] = {
    "font.size": SIZE,
    "axes.titlesize": SIZE,
    "axes.labelsize": SIZE,
    "xtick.labelsize": SIZE,
    "ytick.labelsize": SIZE,
    "legend.fontsize": SIZE,
    "legend.frameon": False,
    "legend.handlelength": 2.2,
    "axes.linewidth": 0.6,
    "axes.edgecolor": GREY,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,
    "axes.formatter.use_mathtext": False,
    "axes.unicode_minus": True,
    "grid.color": LIGHT,
    "grid.linewidth": 0.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": "black",
    "ytick.labelcolor": "black",
    "lines.linewidth": 1.0,
    "lines.markersize": 3.5,
    "hatch.linewidth": 0.5,
    "text.parse_math": False,  # names of a file may hold $
    "text.usetex": False,
    "pdf.fonttype": 42,
    "ps.fonttype": 42,
    "svg.fonttype": "path",
    "svg.hashsalt": "sing",
    "figure.constrained_layout.use": False,
}


@cache
def _families() -> list[str]:
    installed = set(fontManager.get_font_names())
    return ["DejaVu Sans", *(name for name in _OTHER_SCRIPTS if name in installed)]


@contextmanager
def settings() -> Iterator[None]:
    """Use the settings of figures within a `with` block, whatever those of the user are; letters without a font become boxes."""
    log = logging.getLogger("matplotlib.font_manager")
    level = log.level
    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from font")
        log.setLevel(logging.ERROR)  # it would say which fonts have no bold letters
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_SETTINGS | {"font.family": _families()})
        try:
            yield
        finally:
            log.setLevel(level)


def inches_wide(figure: Figure | SubFigure) -> float:
    """Return the width of a figure, or of a part of one, in inches."""
    return float(figure.bbox.width / figure.dpi)


def new_figure(width: float, height: float) -> Figure:
    """Make an empty figure whose parts make room for each other.

    Args:
        width: Millimetres.
        height: Inches; at most `TALLEST` is used.

    Returns:
        The figure.
    """
    room = ConstrainedLayoutEngine(w_pad=0.03, h_pad=0.03, wspace=0.04, hspace=0.04)
    return Figure(figsize=(width / INCH, min(height, TALLEST)), layout=room)
