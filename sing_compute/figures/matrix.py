"""A matrix of numbers, rows against columns: how far images of each class are steered toward each class."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from sing_compute.charts.shapes import Numbers, drawable
from sing_compute.figures.labels import axis_label, cut, written
from sing_compute.figures.style import LIGHT, ROW, inches_wide

MOST = 20
"""Rows and columns at most."""
_NUMBERED = 6
"""Columns at most whose cells have room for numbers in a figure for a column; one for a page has room for twice as many."""
_LABEL = 1.0
"""Room of a label, inches."""


@dataclass(frozen=True, slots=True, eq=False)
class Matrix:
    """Numbers of pairs of items; at most `MOST` of each kind."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: Numbers
    """(row, column); NaN for none."""
    name: str
    row_name: str
    column_name: str
    format: str = "signed degrees"


def matrix_height(shape: Matrix) -> float:
    """Return the height of a matrix in inches."""
    return 1.9 + 1.15 * ROW * max(4, len(shape.rows))


def draw_matrix(shape: Matrix, figure: Figure | SubFigure) -> None:
    """Draw a cell for each number, lighter for larger ones, with the number in it where there is room."""
    axes = figure.subplots()
    values = np.where(drawable(shape.values, shape.format), shape.values, np.nan)
    axes.set_facecolor(LIGHT)
    cells = axes.pcolormesh(np.ma.masked_invalid(values), cmap="cividis")
    axes.invert_yaxis()
    axes.set_xticks(np.arange(len(shape.columns)) + 0.5, [cut(name, _LABEL) for name in shape.columns], rotation=90)
    axes.set_yticks(np.arange(len(shape.rows)) + 0.5, [cut(name, _LABEL) for name in shape.rows])
    axes.tick_params(length=0)
    axes.set_xlabel(shape.column_name)
    axes.set_ylabel(shape.row_name)
    for spine in axes.spines.values():
        spine.set_visible(False)
    if np.isfinite(values).any():
        where: dict[str, Any] = {"location": "right" if inches_wide(figure) > 5 else "top", "aspect": 30}
        bar = figure.colorbar(cells, ax=axes, fraction=0.04, pad=0.02, **where)
        bar.outline.set_visible(False)
        bar.set_label(axis_label(shape.name, shape.format))
    if len(shape.columns) <= _NUMBERED * (2 if inches_wide(figure) > 5 else 1):
        _write_numbers(axes, values, shape.format)


def _write_numbers(axes: Axes, values: Numbers, format: str) -> None:
    known = values[np.isfinite(values)]
    middle = (known.min() + known.max()) / 2 if len(known) else 0.0
    for row, column in np.ndindex(values.shape):
        value = float(values[row, column])
        text = written(value, format) if np.isfinite(value) else "–"
        colour = "black" if not np.isfinite(value) or value > middle else "white"
        axes.text(column + 0.5, row + 0.5, text, ha="center", va="center", color=colour, fontsize=6)
