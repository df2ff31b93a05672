"""Shapes with two axes of numbers: dots with ellipses, histograms, curves; and distributions with an axis each."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from matplotlib.ticker import LogLocator, MaxNLocator

from sing_compute.charts.shapes import Curves, Ellipse, Histogram, Scatter, Violins, drawable
from sing_compute.figures.labels import axis_label, cut, format_ticks, label_text, text_width
from sing_compute.figures.rows import density
from sing_compute.figures.style import COLOURS, DASHES, GREY, PALE, inches_wide

DOTS = 600
"""Dots drawn at most."""
_BINS = 40


def look(number: int) -> tuple[str, str]:
    """Return colour and dashes of a line by its number; the first 28 differ, neighbours in both."""
    return COLOURS[number % len(COLOURS)], DASHES[number % len(DASHES)]


def dot_step(shape: Scatter) -> int:
    """Return k where one in k dots is drawn."""
    known = drawable(shape.x, shape.format) & drawable(shape.y, shape.format)
    return max(1, -(-int(np.count_nonzero(known)) // DOTS))


def draw_scatter(shape: Scatter, figure: Figure | SubFigure) -> None:
    """Draw dots of one item's pairs, the ellipse of each item, and a legend beside or below them."""
    axes = figure.subplots()
    known = np.flatnonzero(drawable(shape.x, shape.format) & drawable(shape.y, shape.format))
    step = dot_step(shape)
    order = sorted((one for one in (shape.ellipse, *shape.others) if one is not None), key=lambda one: one.letter)
    if len(known):
        own = next((number for number, one in enumerate(order) if one is shape.ellipse), 0)
        dots = known[::step]
        axes.plot(shape.x[dots], shape.y[dots], "o", ms=1.4, mew=0, color=look(own)[0], alpha=0.4, zorder=1)
    for number, one in enumerate(order):
        colour, dashes = look(number)
        axes.plot(*one.points().T, ls=dashes, color=colour, lw=1.0, zorder=3)
        axes.plot(*one.mean[:, None], marker="+", ls="", color=colour, ms=4, mew=0.9, zorder=4)
    if axes.get_xlim()[0] < 0 < axes.get_xlim()[1]:
        axes.axvline(0, color=GREY, lw=0.5, zorder=0)
    for place, number in zip(_letter_places(axes, order), range(len(order)), strict=True):
        axes.annotate(
            label_text(order[number].letter),
            place,
            ha="center",
            va="center",
            fontweight="bold",
            color=look(number)[0],
            zorder=5,
            path_effects=[withStroke(linewidth=1.6, foreground="white")],
        )
    axes.set_xlabel(label_text(shape.x_label))
    axes.set_ylabel(label_text(shape.y_label))
    _ellipse_names(figure, order)


def _letter_places(axes: Axes, ellipses: list[Ellipse]) -> list[tuple[float, float]]:
    """Return a point of each outline for its letter, each as far from the earlier ones as possible."""
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    scale, wanted = np.array([right - left, high - low]), np.array([0.5, 2.0])
    found: list[tuple[float, float]] = []
    for one in ellipses:
        points = one.points(72)
        apart = np.full(len(points), np.inf)
        for place in found or [tuple(np.array([left, low]) + wanted * scale)]:
            apart = np.minimum(apart, np.linalg.norm((points - place) / scale, axis=1))
        x, y = points[int(apart.argmax() if found else apart.argmin())]
        found.append((float(x), float(y)))
    return found


def _ellipse_names(figure: Figure | SubFigure, ellipses: list[Ellipse]) -> None:
    """Name the ellipses outside of the axes: at the right of a wide figure, below a narrow one in two columns."""
    wide = inches_wide(figure) > 5
    room = 0.3 * inches_wide(figure) if wide else 1.15
    handles = []
    for number, one in enumerate(ellipses):
        colour, dashes = look(number)
        handles.append(Line2D([], [], color=colour, ls=dashes, label=cut(f"{one.letter}  {one.label}", room)))
    if wide:
        figure.legend(handles=handles, loc="outside right upper", handlelength=1.8)
    else:
        figure.legend(
            handles=handles, loc="outside lower left", ncols=2, columnspacing=0.8, handlelength=1.8, labelspacing=0.3
        )


def scatter_height(shape: Scatter, width: float) -> float:
    """Return the height of a scatter plot in inches; width in inches."""
    names = len(shape.others) + 1
    if width > 5:
        return max(3.4, 0.4 + 0.16 * names)
    return 2.75 + 0.14 * -(-names // 2)


def draw_histogram(shape: Histogram, axes: Axes) -> None:
    """Draw a distribution as bars of equal width."""
    values = shape.values[drawable(shape.values, shape.format)]
    if len(values):
        axes.hist(
            values, bins=min(_BINS, max(5, int(np.sqrt(len(values))))), color=PALE[0], edgecolor=COLOURS[0], lw=0.5
        )
    axes.set_xlabel(axis_label(shape.label, shape.format))
    axes.set_ylabel(label_text(shape.count_label))
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    format_ticks(axes, "x", shape.format)


def draw_curves(shape: Curves, axes: Axes) -> None:
    """Draw lines through points, each with a marker and dashes of its own."""
    few = len(shape.x) <= 40
    for number, (_, name, values) in enumerate(shape.series):
        good = drawable(shape.x, "any size") & drawable(values, "any size")
        good &= (values > 0) if shape.logarithmic else True
        colour, dashes = look(number)
        marker = "osD^v<>p"[number % 8] if few else ""
        axes.plot(
            shape.x[good], values[good], ls=dashes, marker=marker,
            color=colour, label=cut(name, 1.3), ms=3, mfc="white", clip_on=not good.any(), zorder=3 + number,
        )  # fmt: skip
    if shape.level is not None and np.isfinite(shape.level):
        axes.axhline(shape.level, color=GREY, lw=0.8, ls="--", zorder=2)
    if shape.logarithmic:
        axes.set_yscale("log")
        low, high = axes.get_ylim()
        fine = LogLocator(subs=(1, 2, 5) if high < 100 * low else (1,), numticks=7)
        axes.yaxis.set_major_locator(MaxNLocator(5) if high < 4 * low else fine)
        format_ticks(axes, "y", "any size", logarithmic=True)
    else:
        axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
        if not any(np.any(values[np.isfinite(values)]) for _, _, values in shape.series):
            axes.set_ylim(-0.05, 1.0)  # lines at 0 alone: there is nothing below it
        axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=bool(np.all(shape.x == np.floor(shape.x)))))
    axes.grid(axis="y")
    axes.set_xlabel(label_text(shape.x_label))
    axes.set_ylabel(cut(shape.y_label, 1.9))


def curve_names(figure: Figure | SubFigure, panels: list[Axes]) -> None:
    """Name the lines of all panels once, above them, where they have more than one."""
    handles, labels = panels[0].get_legend_handles_labels()
    if len(handles) > 1:
        room = inches_wide(figure) - 0.3
        widest = 0.45 + max(map(text_width, labels))
        figure.legend(
            handles,
            labels,
            loc="outside upper left",
            ncols=max(1, min(len(labels), int(room / widest))),
            columnspacing=1.0,
        )


def draw_violins(shape: Violins, panels: list[Axes], room: float) -> None:
    """Draw distributions, each on an axis of its own."""
    for axes, label, curve in zip(panels, shape.labels, shape.curves, strict=True):
        x, height = density(np.asarray(curve, dtype=np.float64))
        axes.fill_between(x, -height, height, color=PALE[0], lw=0)
        axes.plot(curve[len(curve) // 2], 0, "|", color="black", ms=9)
        axes.set_yticks([0], [cut(label, room)])
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
