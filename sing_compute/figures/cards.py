"""Directions in words: a name, how strong each is, and the concepts toward which its two poles lead."""

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from sing_compute.charts.shapes import drawable
from sing_compute.figures.labels import cut, cut_list, text_width, written
from sing_compute.figures.style import COLOURS, GREY, LIGHT, PALE

MOST = 8
"""Directions drawn at most."""
_LINE = 0.155
"""Height of a line, inches."""


@dataclass(frozen=True, slots=True, eq=False)
class Cards:
    """Directions with the words of both poles, the strongest first."""

    labels: tuple[str, ...]
    values: tuple[float, ...]
    poles: tuple[tuple[str, str], ...]
    """Words of the positive and of the negative pole."""
    name: str
    """Name of the values."""
    format: str = "any size"


def cards_height(shape: Cards) -> float:
    """Return the height of the cards in inches."""
    return 0.1 + _LINE * (1 + 3.5 * min(MOST, len(shape.labels)))


def draw_cards(shape: Cards, axes: Axes, width: float) -> None:
    """Draw directions one below the other: name, bar and number in one line, then a line for each pole.

    Args:
        shape: The directions.
        axes: The axes; they get no frame.
        width: Width of the axes, inches.
    """
    count = min(MOST, len(shape.labels))
    height = 1 + 3.5 * count
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.axis("off")
    names = [cut(label, 0.3 * width) for label in shape.labels[:count]]
    numbers = [written(value, shape.format) for value in shape.values[:count]]
    left = max(map(text_width, names), default=0) + 0.1
    right = width - max([text_width(number) for number in numbers], default=0.0) - 0.08
    values = np.asarray(shape.values[:count], dtype=np.float64)
    most = float(np.max(values[drawable(values, shape.format)], initial=0.0)) or 1.0
    axes.text(width, 0.55, cut(shape.name, 0.6 * width), ha="right", va="center", color=GREY)
    for k, (name, number, value) in enumerate(zip(names, numbers, values, strict=True)):
        top = 1 + 3.5 * k
        if k:
            axes.plot([0, width], [top - 0.2] * 2, color=LIGHT, lw=0.5)
        axes.text(0, top + 0.5, name, va="center", fontweight="bold")
        axes.text(width, top + 0.5, number, va="center", ha="right")
        if drawable(values[k], shape.format) and value > 0:
            size = (right - left) * value / most
            axes.add_patch(Rectangle((left, top + 0.2), size, 0.6, facecolor=PALE[0], edgecolor="none"))
        for line, (sign, colour, words) in enumerate(zip("+−", COLOURS, shape.poles[k], strict=False)):
            axes.text(0.02, top + 1.5 + line, sign, va="center", color=colour, fontweight="bold")
            axes.text(0.14, top + 1.5 + line, cut_list(words or "–", width - 0.16), va="center")
    for text in axes.texts:  # they are cut to the width, and the axes keep it
        text.set_in_layout(False)
