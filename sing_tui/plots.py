"""The two pictures that plotext draws. It is imported with the first of them and not before."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.text import Text

from sing_tui.formats import Glyphs
from sing_tui.pictures import Bars, Histogram, Picture, Scatter, Strings, Violins, drawable

_TO_ASCII = str.maketrans("┌┐└┘├┤┬┴┼─│█▀▄▌▐·•", "+++++++++-|#########"[:18])


def draw(picture: Picture, width: int, height: int, glyphs: Glyphs) -> list[Text]:
    """The picture in so many cells; nothing where it cannot be told apart any more."""
    if isinstance(picture, Strings | Bars | Violins):
        return [Text(line, no_wrap=True) for line in picture.lines(width, height, glyphs)]
    if width < 24 or height < 6:
        return []
    height = min(height, max(12, width // 3))
    from textual_plotext.plot import Plot

    plot = Plot()
    plot.theme("clear")
    plot.plotsize(width, height)
    plot._set_size(width, height)
    plot.xaxes(True, False)
    plot.yaxes(True, False)
    if isinstance(picture, Scatter):
        _scatter(plot, picture, glyphs)
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
    plot.scatter(x, y, marker="." if glyphs.ascii_only else "braille", color="blue+")
    plot.scatter(*ellipse.T.tolist(), marker="o" if glyphs.ascii_only else "•", color="orange+")
    plot.scatter([float(picture.mean[0])], [float(picture.mean[1])], marker="+", color="red+")
    _ticks(plot.xticks, np.concatenate([picture.attribute_score[known], ellipse[:, 0]]), 6)
    _ticks(plot.yticks, np.concatenate([picture.image_score[known], ellipse[:, 1]]), 5)
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


def _ticks(place: Any, values: NDArray[np.floating], wanted: int) -> None:
    """Round numbers along an axis: steps of 1, 2 or 5 times a power of ten."""
    low, high = float(values.min()), float(values.max())
    rough = max(high - low, 1e-6) / wanted
    power = 10.0 ** np.floor(np.log10(rough))
    step = power * next(factor for factor in (1, 2, 5, 10) if factor * power >= rough)
    ticks = np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step
    decimals = max(0, -int(np.floor(np.log10(step))))
    place(ticks.tolist(), [f"{tick + 0.0:.{decimals}f}" for tick in ticks])
