"""Draw any shape of a chart as a figure of a given width."""

import numpy as np
from matplotlib.figure import Figure, SubFigure

from sing_compute.charts.shapes import Curves, Histogram, Panels, Scatter, Shape, Violins
from sing_compute.figures.cards import MOST as MOST_CARDS
from sing_compute.figures.cards import Cards, cards_height, draw_cards
from sing_compute.figures.labels import label_room
from sing_compute.figures.matrix import Matrix, draw_matrix, matrix_height
from sing_compute.figures.picture_rows import PictureRows, draw_pictures, pictures_height, rows_that_fit
from sing_compute.figures.plots import (
    curve_names,
    dot_step,
    draw_curves,
    draw_histogram,
    draw_scatter,
    draw_violins,
    scatter_height,
)
from sing_compute.figures.rows import Rows, draw_rows, panel_count, rows_drawn, rows_height
from sing_compute.figures.style import INCH, WIDTHS, new_figure

Drawable = Shape | Cards | Matrix | PictureRows
_DIGITS = 6
"""Digits of the place of axes, as a share of the figure: a ten-thousandth of a millimetre."""
_PLOT = 1.9
"""Height of a plot of curves or bars, inches."""
_WIDE = 5.0
"""Figures wider than this, inches, show plots side by side."""


def draw(shape: Drawable, width: float) -> Figure:
    """Draw a shape and give every part its room. It must be called, and its figure be written, within `style.settings()`.

    Args:
        shape: The numbers.
        width: Width of the figure, mm.

    Returns:
        The figure.
    """
    figure = _draw(shape, width)
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
        for axes in figure.axes:  # the solver's last digits differ from one time to the next, and so would files
            axes.set_position(np.round(axes.get_position(original=True).bounds, _DIGITS))
    figure.set_layout_engine("none")  # each file that is written would find the same room again
    return figure


def _draw(shape: Drawable, width: float) -> Figure:
    parts = shape.parts if isinstance(shape, Panels) else (shape,)
    inches = width / INCH
    if len(parts) == 1:
        return _draw_one(parts[0], width)
    if all(isinstance(part, Rows) for part in parts) and len({part.labels for part in parts}) == 1:  # type: ignore[union-attr]
        return _draw_table(parts, width)  # type: ignore[arg-type]
    if all(isinstance(part, Curves | Histogram) for part in parts):
        return _draw_plots(parts, width)  # type: ignore[arg-type]
    figure = new_figure(width, sum(_height(part, inches) for part in parts))
    below = figure.subfigures(len(parts), 1, squeeze=False, height_ratios=[_height(part, inches) for part in parts])
    for part, place in zip(parts, below[:, 0], strict=True):
        _draw_into(part, place, inches)
    return figure


def left_out(shape: Drawable | None) -> str:
    """Return a sentence about what of a shape is not drawn; empty if all of it is."""
    first = shape.parts[0] if isinstance(shape, Panels) and shape.parts else shape
    if isinstance(first, Scatter):
        step = dot_step(first)
        return f" Of the dots one in {step} is drawn." if step > 1 else ""
    if isinstance(first, PictureRows):
        count, page = len(first.rows), rows_that_fit(first, WIDTHS["page"] / INCH)
        return f" A page has room for {page} of {count} rows." if page < count else ""
    if not isinstance(first, Rows | Cards):
        return ""
    count = min(MOST_CARDS, len(first.labels)) if isinstance(first, Cards) else len(rows_drawn(first))
    return f" Drawn are {count} of {len(first.labels):,} rows." if count < len(first.labels) else ""


def _draw_one(shape: Drawable, width: float) -> Figure:
    figure = new_figure(width, _height(shape, width / INCH))
    _draw_into(shape, figure, width / INCH)
    return figure


def _height(shape: Drawable, width: float) -> float:
    """Return the height of one shape in inches."""
    if isinstance(shape, Scatter):
        return scatter_height(shape, width)
    if isinstance(shape, Rows):
        return rows_height(shape)
    if isinstance(shape, Cards):
        return cards_height(shape)
    if isinstance(shape, Matrix):
        return matrix_height(shape)
    if isinstance(shape, PictureRows):
        return pictures_height(shape, width)
    if isinstance(shape, Violins):
        return 0.5 * len(shape.labels) + 0.1
    if isinstance(shape, Panels):
        return sum(_height(part, width) for part in shape.parts)
    return _PLOT


def _draw_into(shape: Drawable, figure: Figure | SubFigure, width: float) -> None:
    """Draw one shape into an empty figure, or a part of one; width in inches."""
    if isinstance(shape, Scatter):
        draw_scatter(shape, figure)
    elif isinstance(shape, Rows):
        panels = figure.subplots(1, panel_count(shape), squeeze=False)[0]
        share = 0.45 if len(panels) == 1 else 0.36
        draw_rows(shape, panels, label_room([shape.labels[row] for row in rows_drawn(shape)], width, share))
    elif isinstance(shape, Cards):
        draw_cards(shape, figure.subplots(), width - 0.08)
    elif isinstance(shape, Matrix):
        draw_matrix(shape, figure)
    elif isinstance(shape, PictureRows):
        draw_pictures(shape, figure)
    elif isinstance(shape, Violins):
        panels = figure.subplots(len(shape.labels), 1, squeeze=False)[:, 0]
        draw_violins(shape, list(panels), label_room(list(shape.labels), width, 0.36))
    elif isinstance(shape, Panels):
        for part, place in zip(shape.parts, figure.subfigures(len(shape.parts), 1, squeeze=False)[:, 0], strict=True):
            _draw_into(part, place, width)
    else:
        axes = figure.subplots()
        (draw_curves if isinstance(shape, Curves) else draw_histogram)(shape, axes)  # type: ignore[arg-type]
        curve_names(figure, [axes])


def _draw_table(parts: tuple[Rows, ...], width: float) -> Figure:
    """Draw shapes with the same rows side by side; the labels are written once."""
    figure = new_figure(width, max(map(rows_height, parts)))
    counts = [panel_count(part) for part in parts]
    panels = figure.subplots(1, sum(counts), squeeze=False)[0]
    room = label_room([parts[0].labels[row] for row in rows_drawn(parts[0])], width / INCH, 0.3)
    for number, (part, count) in enumerate(zip(parts, counts, strict=True)):
        first = sum(counts[:number])
        draw_rows(part, panels[first : first + count], room, labelled=number == 0)
    return figure


def _draw_plots(parts: tuple[Curves | Histogram, ...], width: float) -> Figure:
    """Draw plots side by side where the figure is wide, else below each other."""
    wide = width / INCH > _WIDE
    figure = new_figure(width, 0.3 + (_PLOT + 0.3 if wide else _PLOT * len(parts)))
    panels = list(figure.subplots(*((1, len(parts)) if wide else (len(parts), 1)), squeeze=False).ravel())
    for part, axes in zip(parts, panels, strict=True):
        (draw_curves if isinstance(part, Curves) else draw_histogram)(part, axes)  # type: ignore[arg-type]
    curve_names(figure, panels)
    return figure
