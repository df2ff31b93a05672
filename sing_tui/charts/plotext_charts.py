"""Charts with two axes, drawn by plotext. It is imported with the first of them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.text import Text

from sing_compute.charts.shapes import Curves, Ellipse, Histogram, Numbers, Plotted, Scatter, drawable, largest
from sing_compute.formats import Glyphs, named_format
from sing_tui.colors import ChartColors

_TO_ASCII = str.maketrans("┌┐└┘├┤┬┴┼─│█▀▄▌▐·•", "+++++++++-|#########"[:18])
_APART = 0.05
"""Letters whose places differ by less than this share of the chart would hide each other."""
_FEW_POINTS = 12
"""Curves of up to so many points have a letter at each point."""


def plotted_lines(shape: Plotted, width: int, height: int, glyphs: Glyphs, colors: ChartColors) -> list[Text]:
    """Draw a chart with two axes.

    Args:
        shape: The numbers to draw.
        width: Cells across that there are.
        height: Lines that there are.
        glyphs: The signs to draw with.
        colors: The colours to draw with.

    Returns:
        Lines of at most that width; none where no number can be drawn.
    """
    from textual_plotext.plot import Plot

    plot = Plot()
    plot.theme("clear")
    plot.plotsize(width, height)
    plot._set_size(width, height)
    plot.xaxes(True, False)
    plot.yaxes(True, False)
    if isinstance(shape, Scatter):
        has_points = _add_scatter(plot, shape, glyphs, colors)
    elif isinstance(shape, Curves):
        has_points = _add_curves(plot, shape, glyphs, colors)
    else:
        has_points = _add_histogram(plot, shape, glyphs, colors)
    if not has_points:
        return []
    built = plot.build()
    if glyphs.ascii_only:
        built = built.translate(_TO_ASCII).encode("ascii", "replace").decode()
    lines = Text.from_ansi(built, no_wrap=True).split("\n")[:height]
    for line in lines:
        line.truncate(width)  # plotext counts characters of a label, not cells
    return list(lines)


def _add_scatter(plot: Any, shape: Scatter, glyphs: Glyphs, colors: ChartColors) -> bool:
    """Add dots, outlines and letters to a plot; return True if there was a point to draw."""
    dots, outline = "." if glyphs.ascii_only else "braille", "o" if glyphs.ascii_only else "•"
    known = drawable(shape.x, shape.format) & drawable(shape.y, shape.format)
    ellipses = shape.others if shape.ellipse is None else (*shape.others, shape.ellipse)
    outlines = [one.points() for one in ellipses]
    points = np.stack([shape.x[known], shape.y[known]], axis=1)
    own = 0 if shape.ellipse is None else shape.ellipse.number
    plot.scatter(*points.T.tolist(), marker=dots, color=_plotext_color(colors.item(own)))
    for one, line in zip(ellipses, outlines, strict=True):
        thin = "," if glyphs.ascii_only else "braille"
        marker = outline if one is shape.ellipse else thin
        plot.scatter(*line.T.tolist(), marker=marker, color=_plotext_color(colors.item(one.number)))
    _add_letters(plot, ellipses, outlines, colors)
    everything = np.concatenate([points, *outlines])
    if not len(everything):
        return False
    _ticks(plot.xticks, everything[:, 0], 6)
    _ticks(plot.yticks, everything[:, 1], 5)
    plot.xlabel(glyphs.text(shape.x_label))
    return True


def _add_letters(plot: Any, ellipses: Sequence[Ellipse], outlines: Sequence[Numbers], colors: ChartColors) -> None:
    """Mark each ellipse by its letter: at its mean, or on its outline where an earlier letter is too near to the mean."""
    if not ellipses:
        return
    size = np.ptp(np.concatenate(outlines), axis=0)
    placed: list[Numbers] = []
    for k, (ellipse, outline) in reversed(list(enumerate(zip(ellipses, outlines, strict=True)))):
        at = ellipse.mean
        if any((np.abs(at - other) < _APART * size).all() for other in placed):
            at = outline[k * len(outline) // len(outlines)]
        placed.append(at)
        plot.scatter(*at[:, None].tolist(), marker=ellipse.letter, color=_plotext_color(colors.item(ellipse.number)))


def _plotext_color(color: str) -> Any:
    """Return a colour as plotext takes it: red, green and blue, or a name of its own."""
    if color.startswith("#"):
        return tuple(int(color[k : k + 2], 16) for k in (1, 3, 5))
    return {"": "default", "yellow": "orange"}.get(color, color)


def _add_histogram(plot: Any, shape: Histogram, glyphs: Glyphs, colors: ChartColors) -> bool:
    values = shape.values[drawable(shape.values, shape.format)].astype(np.float64)
    if not len(values):
        return False
    bins = int(np.clip(np.sqrt(len(values)) * 1.5, 6, 40))
    middle, half = (values.min() + values.max()) / 2, (values.max() - values.min()) / 2
    ends = (middle - half, middle + half) if half > 1e-6 else (middle - 0.5, middle + 0.5)
    counts, edges = np.histogram(values, bins, ends)
    middles = (edges[1:] + edges[:-1]) / 2
    plot.bar(
        middles.tolist(),
        counts.tolist(),
        width=1,
        color=_plotext_color(colors.item(0)),
        marker="#" if glyphs.ascii_only else "sd",
    )
    _ticks(plot.xticks, values, 6)
    _ticks(plot.yticks, np.array([0, counts.max()]), 4)
    plot.xlabel(glyphs.text(shape.label))
    return True


def _add_curves(plot: Any, shape: Curves, glyphs: Glyphs, colors: ChartColors) -> bool:
    """Add curves to a plot; return True if there was a point to draw."""
    height = np.log10 if shape.logarithmic else np.asarray
    most = largest("any size")
    heights: list[NDArray[Any]] = []
    for k, (letter, _, values) in enumerate(shape.series):
        known = (np.abs(values) < most) & (np.abs(shape.x) < most) & ((values > 0) if shape.logarithmic else True)
        if not known.any():
            continue
        x, y = shape.x[known], height(values[known])
        heights.append(y)
        color = _plotext_color(colors.item(k))
        if len(x) > 1:
            marker = "." if glyphs.ascii_only else "braille"
            plot.plot(x.tolist(), y.tolist(), marker=marker, color=color)
        if len(x) <= _FEW_POINTS:
            plot.scatter(x.tolist(), y.tolist(), marker=letter, color=color)
    if not heights:
        return False
    across = shape.x[np.abs(shape.x) < most]
    if shape.level is not None and abs(shape.level) < most and (shape.level > 0 or not shape.logarithmic):
        heights.append(height(np.full(2, shape.level)))
        plot.plot([float(across.min()), float(across.max())], heights[-1].tolist(), marker="-", color="default")
    everything = np.concatenate(heights)
    _ticks(plot.xticks, across, 5)
    if shape.logarithmic:
        _powers(plot.yticks, float(everything.min()), float(everything.max()))
    else:
        _ticks(plot.yticks, everything, 4)
    plot.xlabel(glyphs.text(shape.x_label))
    return True


def _powers(set_ticks: Any, low: float, high: float) -> None:
    """Put powers of ten on a logarithmic axis, or round numbers where it holds fewer than two."""
    powers = np.arange(np.ceil(low), np.floor(high) + 1)
    if len(powers) > 1:
        powers = powers[:: -(-len(powers) // 6)]
        set_ticks(powers.tolist(), [f"{10.0**power:g}" for power in powers])
        return
    values, _ = _round_numbers(10.0**low, 10.0**high, 4)
    values = values[values > 0]
    write = named_format("any size").write
    set_ticks(np.log10(values).tolist(), [write(value) for value in values.tolist()])


def _ticks(set_ticks: Any, values: NDArray[np.floating], wanted: int) -> None:
    """Put round numbers on an axis."""
    ticks, decimals = _round_numbers(float(values.min()), float(values.max()), wanted)
    set_ticks(ticks.tolist(), [f"{tick + 0.0:.{decimals}f}" for tick in ticks])


def _round_numbers(low: float, high: float, wanted: int) -> tuple[NDArray[np.float64], int]:
    """Return steps of 1, 2 or 5 times a power of ten, and how many decimals they need."""
    rough = max(high - low, 1e-6) / wanted
    power = 10.0 ** np.floor(np.log10(rough))
    step = power * next(factor for factor in (1, 2, 5, 10) if factor * power >= rough)
    ticks = np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step
    return ticks, max(0, -int(np.floor(np.log10(step))))
