"""Read a drawn figure in tests: its texts, where they are, and the numbers in its artists."""

from functools import cache
from itertools import combinations

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from sing_compute.figures.drawing import Drawable, draw
from sing_compute.figures.style import WIDTHS, settings


@cache
def drawn(shape: Drawable, width: str = "column") -> Figure:
    """A shape as a figure; that of a shape that several tests look at is drawn once."""
    with settings():
        figure = draw(shape, WIDTHS[width])
        FigureCanvasAgg(figure).draw()
    return figure


def texts_of(figure: Figure) -> list[Text]:
    """Texts that can be seen, those of ticks outside of the axes left out."""
    found = []
    for text in figure.findobj(Text):
        if (
            not text.get_text().strip()
            or not text.get_visible()
            or (text.axes is not None and not text.axes.get_visible())
        ):
            continue
        found.append(text)
    hidden = set()
    for axes in figure.findobj(lambda artist: hasattr(artist, "xaxis")):
        if not axes.axison:
            hidden |= {id(text) for axis in (axes.xaxis, axes.yaxis) for text in axis.findobj(Text)}
        for axis, (low, high) in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, sorted(axes.get_ylim()))):
            low, high = min(low, high), max(low, high)
            reach = 1e-9 * (abs(low) + abs(high))
            for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
                if not low - reach <= tick.get_loc() <= high + reach:
                    hidden |= {id(tick.label1), id(tick.label2)}
    return [text for text in found if id(text) not in hidden]


def faults(figure: Figure) -> list[str]:
    """Texts that leave the figure or overlap another text."""
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts_of(figure)]
    width, height = figure.canvas.get_width_height()
    outside = [
        f"{text!r} leaves the figure"
        for text, box in boxes
        if box.x0 < -1 or box.y0 < -1 or box.x1 > width + 1 or box.y1 > height + 1
    ]
    over = []
    for (one, a), (other, b) in combinations(boxes, 2):
        across = min(a.x1, b.x1) - max(a.x0, b.x0)
        along = min(a.y1, b.y1) - max(a.y0, b.y0)
        if across > 1 and along > 0.25 * min(a.height, b.height):
            over.append(f"{one!r} is over {other!r}")
    return outside + over
