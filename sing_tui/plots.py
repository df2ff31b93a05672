"""Pictures as lines of a terminal: letters as they are, the others by plotext. It is imported with the first of them."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.text import Text

from sing_tui.formats import Glyphs, fit, number_format
from sing_tui.pictures import Curves, Histogram, Lettered, Panels, Picture, Scatter, drawable

_TO_ASCII = str.maketrans("┌┐└┘├┤┬┴┼─│█▀▄▌▐·•", "+++++++++-|#########"[:18])
_COLOURS = ("cyan+", "magenta+", "green+", "red+", "cyan", "magenta", "green", "red")
_LEGEND = 22
"""Cells for the names of ellipses."""
_ROOM_FOR_LEGEND = 60
_PANEL = (32, 8)
"""From so many cells on, and so many lines, a picture shares its room with another."""
_HUGE = 1e30


def draw(picture: Picture, width: int, height: int, glyphs: Glyphs) -> list[Text]:
    """The picture in so many cells; nothing where it cannot be told apart any more."""
    if isinstance(picture, Lettered):
        return [Text(line, no_wrap=True) for line in picture.lines(width, height, glyphs)]
    if isinstance(picture, Panels):
        return _panels(picture, width, height, glyphs)
    if width < 24 or height < 6:
        return []
    if isinstance(picture, Curves):
        return _under_legend(picture, width, min(height, max(18, width // 3)), glyphs)
    height = min(height, max(12, width // 3))
    if isinstance(picture, Scatter) and picture.others and width >= _ROOM_FOR_LEGEND:
        plot = _plotted(picture, width - _LEGEND - 2, height, glyphs)
        names = [Text(line, no_wrap=True) for line in picture.legend(_LEGEND, height - 1, glyphs)]
        return _beside([(plot, width - _LEGEND - 2), (names, _LEGEND)])
    if isinstance(picture, Scatter):
        picture = replace(picture, others=())  # letters without their names would say nothing
    return _plotted(picture, width, height, glyphs)


def _panels(picture: Panels, width: int, height: int, glyphs: Glyphs) -> list[Text]:
    count = len(picture.parts)
    if width >= count * (_PANEL[0] + 2):
        room = (width - 2 * (count - 1)) // count
        return _beside([(draw(part, room, height, glyphs), room) for part in picture.parts])
    if height >= count * _PANEL[1]:
        return [line for part in picture.parts for line in draw(part, width, height // count, glyphs)]
    return draw(picture.parts[0], width, height, glyphs)


def _beside(columns: list[tuple[list[Text], int]]) -> list[Text]:
    """Columns of lines, each with its width, two cells apart."""
    joined = []
    for y in range(max(len(lines) for lines, _ in columns)):
        line = Text(no_wrap=True)
        for k, (lines, width) in enumerate(columns):
            cell = lines[y] if y < len(lines) else Text()
            line.append_text(cell)
            if k + 1 < len(columns):
                line.append(" " * (width - cell.cell_len + 2))
        joined.append(line)
    return joined


def _under_legend(picture: Curves, width: int, height: int, glyphs: Glyphs) -> list[Text]:
    names = "  ".join(f"{letter} {glyphs.text(name)}" for letter, name, _ in picture.series)
    head = [Text(fit(text, width, glyphs).rstrip(), no_wrap=True) for text in (picture.y_label, names)]
    head = head if len(picture.series) > 1 else head[:1]
    lines = _plotted(picture, width, height - len(head), glyphs) if height - len(head) >= 5 else []
    return head + lines if lines else []


def _plotted(picture: Scatter | Histogram | Curves, width: int, height: int, glyphs: Glyphs) -> list[Text]:
    from textual_plotext.plot import Plot

    plot = Plot()
    plot.theme("clear")
    plot.plotsize(width, height)
    plot._set_size(width, height)
    plot.xaxes(True, False)
    plot.yaxes(True, False)
    if isinstance(picture, Scatter):
        _scatter(plot, picture, glyphs)
    elif isinstance(picture, Curves):
        if not _curves(plot, picture, glyphs):
            return []
    else:
        _histogram(plot, picture, glyphs)
    built = plot.build()
    if glyphs.ascii_only:
        built = built.translate(_TO_ASCII).encode("ascii", "replace").decode()
    return Text.from_ansi(built, no_wrap=True).split("\n")[:height]


def _scatter(plot: Any, picture: Scatter, glyphs: Glyphs) -> None:
    known = drawable(picture.attribute_score) & drawable(picture.image_score)
    x, y = picture.attribute_score[known].tolist(), picture.image_score[known].tolist()
    ellipse = picture.ellipse()
    outlines = [other.points() for other in picture.others]
    plot.scatter(x, y, marker="." if glyphs.ascii_only else "braille", color="blue+")
    for k, outline in enumerate(outlines):
        plot.scatter(
            *outline.T.tolist(), marker="," if glyphs.ascii_only else "braille", color=_COLOURS[k % len(_COLOURS)]
        )
    plot.scatter(*ellipse.T.tolist(), marker="o" if glyphs.ascii_only else "•", color="orange+")
    for k, (other, outline) in enumerate(zip(picture.others, outlines, strict=True)):
        at = np.stack([other.mean, outline[k * len(outline) // len(outlines)]])
        plot.scatter(*at.T.tolist(), marker=other.letter, color=_COLOURS[k % len(_COLOURS)])
    plot.scatter([float(picture.mean[0])], [float(picture.mean[1])], marker=picture.letter, color="red+")
    drawn = np.concatenate([ellipse, *outlines])
    _ticks(plot.xticks, np.concatenate([picture.attribute_score[known], drawn[:, 0]]), 6)
    _ticks(plot.yticks, np.concatenate([picture.image_score[known], drawn[:, 1]]), 5)
    plot.xlabel("AS, degrees")
    plot.ylabel("IS, degrees")


def _histogram(plot: Any, picture: Histogram, glyphs: Glyphs) -> None:
    values = picture.values[drawable(picture.values)].astype(np.float64)
    bins = int(np.clip(np.sqrt(len(values)) * 1.5, 6, 40))
    middle, half = (values.min() + values.max()) / 2, (values.max() - values.min()) / 2
    ends = (middle - half, middle + half) if half > 1e-6 else (middle - 0.5, middle + 0.5)
    counts, edges = np.histogram(values, bins, ends)
    middles = (edges[1:] + edges[:-1]) / 2
    plot.bar(middles.tolist(), counts.tolist(), width=1, color="blue+", marker="#" if glyphs.ascii_only else "sd")
    _ticks(plot.xticks, values, 6)
    _ticks(plot.yticks, np.array([0, counts.max()]), 4)
    plot.xlabel(picture.label)
    plot.ylabel("images")


def _curves(plot: Any, picture: Curves, glyphs: Glyphs) -> bool:
    """Whether there was a point to draw."""
    height = np.log10 if picture.logarithmic else np.asarray
    drawn = []
    for k, (letter, _, values) in enumerate(picture.series):
        known = (np.abs(values) < _HUGE) & (np.abs(picture.x) < _HUGE) & ((values > 0) if picture.logarithmic else True)
        if not known.any():
            continue
        x, y = picture.x[known], height(values[known])
        drawn.append(y)
        if len(x) > 1:
            marker = "." if glyphs.ascii_only else "braille"
            plot.plot(x.tolist(), y.tolist(), marker=marker, color=_COLOURS[k % len(_COLOURS)])
        if len(x) <= 12:
            plot.scatter(x.tolist(), y.tolist(), marker=letter, color=_COLOURS[k % len(_COLOURS)])
    if not drawn:
        return False
    if picture.level is not None and abs(picture.level) < _HUGE and (picture.level > 0 or not picture.logarithmic):
        x = picture.x[np.abs(picture.x) < _HUGE]
        ends = [float(x.min()), float(x.max())]
        drawn.append(height(np.full(2, picture.level)))
        plot.plot(ends, drawn[-1].tolist(), marker="-", color="red+")
    everything = np.concatenate(drawn)
    _ticks(plot.xticks, picture.x[np.abs(picture.x) < _HUGE], 5)
    if picture.logarithmic:
        _powers(plot.yticks, float(everything.min()), float(everything.max()))
    else:
        _ticks(plot.yticks, everything, 4)
    plot.xlabel(picture.x_label)
    return True


def _powers(place: Any, low: float, high: float) -> None:
    """Powers of ten along a logarithmic axis, or round numbers where it holds less than two."""
    powers = np.arange(np.ceil(low), np.floor(high) + 1)
    if len(powers) > 1:
        powers = powers[:: -(-len(powers) // 6)]
        place(powers.tolist(), [f"{10.0**power:g}" for power in powers])
        return
    values, _ = _round_numbers(10.0**low, 10.0**high, 4)
    values = values[values > 0]
    write = number_format("ratio", "1").write
    place(np.log10(values).tolist(), [write(value) for value in values.tolist()])


def _ticks(place: Any, values: NDArray[np.floating], wanted: int) -> None:
    """Round numbers along an axis."""
    ticks, decimals = _round_numbers(float(values.min()), float(values.max()), wanted)
    place(ticks.tolist(), [f"{tick + 0.0:.{decimals}f}" for tick in ticks])


def _round_numbers(low: float, high: float, wanted: int) -> tuple[NDArray[np.float64], int]:
    """Steps of 1, 2 or 5 times a power of ten, and how many decimals they need."""
    rough = max(high - low, 1e-6) / wanted
    power = 10.0 ** np.floor(np.log10(rough))
    step = power * next(factor for factor in (1, 2, 5, 10) if factor * power >= rough)
    ticks = np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step
    return ticks, max(0, -int(np.floor(np.log10(step))))
