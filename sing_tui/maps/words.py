"""The words of the lines around a map, and of its help."""

import math
from collections.abc import Callable

from sing_compute.charts.maps import ValueMap
from sing_compute.formats import Glyphs, named_format
from sing_tui.maps.drawing import Legend
from sing_tui.maps.view import MapView

Words = Callable[[str], str]
"""Says a declared text of what the file calls its images."""
HELP = """Each half of a cell is one value or, farther away, the value of the largest magnitude of a block, with its sign: a \
mean would hide one large value among small ones. Rows and columns are sorted by their largest magnitude, so the strongest are \
at the upper left; o shows the order of the file. The lines below name the pair under the cursor with its stored figures. \
A bright cell is large, not significant: q says that.

arrows, h j k l     move by one block
pgup pgdn, b w      move by half of what is seen, down or across
home end, g G       first and last column, first and last row
z + and Z -         nearer, farther: the same pair stays under the cursor
. ,                 next and previous figure
o                   strongest first, or the order of the file
t /                 find a name and go there
enter               open the table of the row, at the column's line
e                   export all values
esc q               back to the table
"""


def value_text(shown: ValueMap, value: float, glyphs: Glyphs) -> str:
    """Write one value of a map with its unit."""
    known = named_format(shown.column.format, glyphs)
    text = known.write(value)
    return text if text == "-" else text + (glyphs.degree if shown.unit == "degree" else known.unit)


def _said(shown: ValueMap, value: float, glyphs: Glyphs) -> str:
    """Write one value as its cell is written, or with an exponent where that would be 0 and it is not."""
    text = value_text(shown, value, glyphs)
    if value == 0 or not math.isfinite(value) or any(digit in text for digit in "123456789"):
        return text
    if shown.column.format == "percent":
        return f"{value * 100:.1e}%"
    return f"{value:{'+' if shown.signed else ''}.1e}{glyphs.degree if shown.unit == 'degree' else ''}"


def title(shown: ValueMap, words: Words) -> str:
    """Name a map: its figure and its two axes."""
    sides = f"{shown.rows.axis} x {shown.columns.axis}".replace("_", " ")
    return f"map of {shown.column.title}: {words(sides)}"


def legend_of(shown: ValueMap, glyphs: Glyphs) -> Legend:
    """Return what the line above a map says of its colours."""
    low, high = (_said(shown, end, glyphs) for end in shown.scale)
    return Legend(low, high, shown.signed, shown.missing)


def order_text(view: MapView) -> str:
    """Say in which order rows and columns are."""
    return "strongest first" if view.strongest else "order of the file"


def pair_text(view: MapView, words: Words, glyphs: Glyphs) -> str:
    """Name the pair under the cursor with its value, and the block of which this is the largest."""
    shown, (row, column) = view.shown, view.pair
    names = [
        _named(words(side.axis.replace("_", " ")), glyphs.text(side.names[index]))
        for side, index in ((shown.rows, row), (shown.columns, column))
    ]
    value = f"{shown.column.title} {_said(shown, float(shown.values[row, column]), glyphs)}"
    down, across = view.window.here.block
    block = [] if view.window.here.is_single else [f"the largest of {down} x {across}"]
    return f" {glyphs.dot} ".join([*names, value, *block])


def _named(axis: str, name: str) -> str:
    """Say what an item is, unless its name begins with that: `layer 3`."""
    return name if name.lower().startswith(f"{axis} ") else f"{axis} {name}"
