"""Shapes with a row for each item: pairs, bars, stacked bars, bars with intervals, violins."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.path import Path
from matplotlib.ticker import MaxNLocator

from sing_compute.charts.shapes import (
    Bars,
    Densities,
    Interval,
    IntervalBars,
    Numbers,
    Pairs,
    StackedBars,
    drawable,
)
from sing_compute.figures.labels import axis_label, cut, format_ticks, text_width, written
from sing_compute.figures.style import COLOURS, GREY, LIGHT, PALE, ROW, SIZE, inches_wide

Rows = Pairs | Bars | StackedBars | IntervalBars | Densities
MOST = {Densities: 20, Pairs: 24, StackedBars: 24, Bars: 24, IntervalBars: 40}
"""Rows drawn at most."""
_SQUARE = Path([(0.5, 1), (0, 1), (0, -1), (0.5, -1)], [Path.MOVETO, *[Path.LINETO] * 3])
_ROUND = Path([(0.5, 1), (-0.2, 0.5), (-0.2, -0.5), (0.5, -1)], [Path.MOVETO, *[Path.CURVE4] * 3])
"""Left ends of intervals."""
_NARROW = 1.4
"""Axes up to this width, inches, get few numbers."""
_RING, _DOT = 4.6, 3.0
"""Sizes of the two signs of a pair, points: where the numbers are equal, the ring is seen around the dot."""
_HANDLE = 0.35
"""Room of a sign and its gaps in a legend, inches."""
_PLACES = 101
"""Places at which the height of a distribution is drawn."""


def rows_drawn(shape: Rows) -> list[int]:
    """Return the rows that a figure shows: all, or those around the chosen one, or of distributions an even choice."""
    count, most = len(shape.labels), MOST[type(shape)]
    if count <= most:
        return list(range(count))
    if isinstance(shape, Densities):
        return [int(row) for row in np.linspace(0, count - 1, most).round()]
    low = max(0, min(getattr(shape, "chosen", -1) - most // 2, count - most))
    return list(range(low, low + most))


def panel_count(shape: Rows) -> int:
    """Return how many axes a shape needs side by side."""
    return len(shape.scores) if isinstance(shape, Densities) else 1


def rows_height(shape: Rows) -> float:
    """Return the height of a shape in inches."""
    return 0.62 + ROW * len(rows_drawn(shape)) * (1.3 if isinstance(shape, Densities) else 1.0)


def draw_rows(shape: Rows, panels: Sequence[Axes], room: float, *, labelled: bool = True) -> None:
    """Draw a shape with rows.

    Args:
        shape: The numbers.
        panels: As many axes as `panel_count` says.
        room: Room of the row labels, inches.
        labelled: False where a panel further left has the labels.
    """
    rows = rows_drawn(shape)
    labels = [cut(shape.labels[row], room) for row in rows]
    for number, axes in enumerate(panels):
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.set_yticks(range(len(rows)), labels if labelled and number == 0 else [""] * len(rows))
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.xaxis.set_major_locator(MaxNLocator(5 if _panel_width(axes) > _NARROW else 3, steps=[1, 2, 2.5, 5, 10]))
        axes.grid(axis="x")
        format_ticks(axes, "x", getattr(shape, "format", "any size"))
    _DRAW[type(shape)](shape, rows, panels)


def _finite(values: Sequence[float], rows: list[int], format: str) -> Numbers:
    """Return the numbers of these rows, NaN for those that cannot be drawn."""
    found = np.asarray(values, dtype=np.float64)[rows]
    return np.where(drawable(found, format), found, np.nan)


def _legend(axes: Axes, handles: list[Any]) -> None:
    """Put a legend above the rows, where no data are: in one line, or in two where the axes are narrow."""
    wanted = sum(_HANDLE + text_width(str(handle.get_label())) for handle in handles)
    columns = len(handles) if wanted < _panel_width(axes) else 1
    axes.legend(
        handles=handles, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=columns, borderaxespad=0.1, columnspacing=0.8,
        handletextpad=0.4, labelspacing=0.2, handlelength=1.4,
    )  # fmt: skip


def _panel_width(axes: Axes) -> float:
    """Return about how wide axes are that share the figure with others and with labels, in inches."""
    figure, place = axes.get_figure(), axes.get_subplotspec()
    columns = 1 if place is None else place.get_gridspec().ncols
    return 0.0 if figure is None else 0.62 * inches_wide(figure) / columns


def _numbers(axes: Axes, values: Numbers, format: str) -> None:
    """Write a number at the right end of each row."""
    for row, value in enumerate(values):
        axes.annotate(
            written(value, format) if np.isfinite(value) else "–",
            (1, row), (3, 0), xycoords=("axes fraction", "data"), textcoords="offset points", va="center", fontsize=SIZE,
            annotation_clip=False,
        )  # fmt: skip


def _pairs(shape: Pairs, rows: list[int], panels: Sequence[Axes]) -> None:
    axes, (colour, other) = panels[0], COLOURS[:2]
    first, second = (_finite(values, rows, shape.format) for values in (shape.first, shape.second))
    places = np.arange(len(rows))
    axes.hlines(places, first, second, color=GREY, lw=0.8, zorder=2)
    axes.plot(first, places, "o", ms=_RING, mfc="white", mec=other, mew=0.9, zorder=3, clip_on=False)
    axes.plot(second, places, "o", ms=_DOT, color=colour, zorder=4, clip_on=False)
    ends = [
        Line2D([], [], marker="o", ls="", ms=size, mfc=fill, mec=edge, label=cut(end, 1.1))
        for end, fill, edge, size in zip(shape.ends, ("white", colour), (other, colour), (_RING, _DOT), strict=True)
    ]
    _legend(axes, ends)
    if shape.from_zero:
        axes.set_xlim(left=0)
    axes.set_xlabel(axis_label(shape.name, shape.format))


def _bars(shape: Bars, rows: list[int], panels: Sequence[Axes]) -> None:
    values = _finite(shape.values, rows, shape.format)
    panels[0].barh(range(len(rows)), values, height=0.62, color=COLOURS[0])
    panels[0].axvline(0, color=GREY, lw=0.6)
    panels[0].set_xlabel(axis_label("", shape.format))
    _numbers(panels[0], values, shape.format)


def _stacked(shape: StackedBars, rows: list[int], panels: Sequence[Axes]) -> None:
    axes, places = panels[0], np.arange(len(rows))
    first, second = (_finite(values, rows, shape.format) for values in (shape.first, shape.second))
    known = np.isfinite(first) & np.isfinite(second)
    first, second = np.where(known, first, np.nan), np.where(known, second, np.nan)
    axes.barh(places, first, height=0.62, color=COLOURS[0])
    after = np.where(first * second > 0, first, 0.0)
    axes.barh(places, second, left=after, height=0.62, color=PALE[1], edgecolor=COLOURS[1], lw=0.5, hatch="/////")
    axes.axvline(0, color=GREY, lw=0.6)
    handles = [
        Patch(facecolor=COLOURS[0], label=cut(shape.ends[0], 1.1)),
        Patch(facecolor=PALE[1], edgecolor=COLOURS[1], hatch="/////", label=cut(shape.ends[1], 1.1)),
    ]
    _legend(axes, handles)
    axes.set_xlabel(axis_label("AS", shape.format))
    _numbers(axes, first + second, shape.format)


def _interval_bars(shape: IntervalBars, rows: list[int], panels: Sequence[Axes]) -> None:
    axes, places = panels[0], np.arange(len(rows))
    values = _finite(shape.values, rows, shape.format)
    axes.barh(places, values, height=0.62, color=PALE[0])
    axes.plot(values, places, "|", color=COLOURS[0], ms=7, mew=1.4)
    kinds = (
        (shape.intervals, _SQUARE, COLOURS[0], -0.14),
        (shape.others, _ROUND, COLOURS[1], 0.17),
    )
    handles, ends = [], []
    for (intervals, sign, colour, shift), name in zip(kinds, shape.interval_names, strict=True):
        ends += _intervals(axes, [intervals[row] for row in rows], places + shift, sign, colour)
        handles.append(
            Line2D([], [], color=colour, marker=sign, mfc="none", ms=5, ls="-", label=cut(f"95 % {name}", 1.4))
        )
    most = float(np.nanmax(values, initial=0.0))
    axes.set_xlim(0, 1.03 * max(most, min(2 * most, max(ends, default=most))) or 1.0)
    _legend(axes, handles)
    axes.set_xlabel(axis_label(shape.name, shape.format))
    _numbers(axes, values, shape.format)


def _intervals(axes: Axes, pairs: list[Interval], places: Numbers, sign: Path, colour: str) -> list[float]:
    """Draw intervals with their signs at both ends; return their upper ends."""
    known = [(low, high, at) for (low, high), at in zip(pairs, places, strict=True) if np.isfinite([low, high]).all()]
    if not known:
        return []
    lows, highs, at = map(np.array, zip(*known, strict=True))
    axes.hlines(at, lows, highs, color=colour, lw=0.8, zorder=3)
    mirrored = Path(np.asarray(sign.vertices) * [-1, 1], sign.codes)
    for ends, marker in ((lows, sign), (highs, mirrored)):
        axes.plot(ends, at, marker=marker, ls="", mfc="none", mec=colour, mew=0.9, ms=4, zorder=4)
    return [float(high) for high in highs]


def density(curve: Numbers) -> tuple[Numbers, Numbers]:
    """Return places and heights of a distribution from its percentiles 0, 5, ... 100.

    A height is the share of the items within a window around the place; between two percentiles they are spread evenly. The
    window is a quarter of the range from the 5th to the 95th percentile.

    Args:
        curve: The percentiles, ascending.

    Returns:
        Places from the smallest item to the largest, and heights, the largest of them 1.
    """
    shares = np.linspace(0, 1, len(curve))
    reach = max(float(curve[-2] - curve[1]), float(curve[-1] - curve[0]) / 100, 1e-6) / 8
    places = np.linspace(curve[0], curve[-1], _PLACES)
    heights = np.interp(places + reach, curve, shares) - np.interp(places - reach, curve, shares)
    return places, heights / heights.max()


def _densities(shape: Densities, rows: list[int], panels: Sequence[Axes]) -> None:
    for axes, (name, curves), colour, pale in zip(panels, shape.scores, COLOURS, PALE, strict=False):
        if float(curves[rows, 0].min()) < 0 < float(curves[rows, -1].max()):
            axes.axvline(0, color=GREY, lw=0.6, zorder=1)
        for place, row in enumerate(rows):
            curve = np.asarray(curves[row], dtype=np.float64)
            x, height = density(curve)
            axes.fill_between(x, place - 0.42 * height, place + 0.42 * height, color=pale, lw=0, zorder=2)
            axes.hlines(
                place, *np.interp([25, 75], np.linspace(0, 100, len(curve)), curve), color=colour, lw=1.6, zorder=3
            )
        middle = curves.shape[1] // 2
        axes.plot(curves[rows, middle], range(len(rows)), "|", color="black", ms=6.5, mew=1.1, zorder=4)
        axes.set_xlabel(axis_label(name, shape.format))
        for edge in np.arange(len(rows) - 1) + 0.5:
            axes.axhline(edge, color=LIGHT, lw=0.4, zorder=0)
        plain = shape.format == "signed degrees" and float(curves[rows, 0].min()) >= 0
        _numbers(axes, np.asarray(curves[rows, middle], dtype=np.float64), "degrees" if plain else shape.format)


_DRAW: dict[type, Callable[[Any, list[int], Sequence[Axes]], None]] = {
    Pairs: _pairs,
    Bars: _bars,
    StackedBars: _stacked,
    IntervalBars: _interval_bars,
    Densities: _densities,
}
