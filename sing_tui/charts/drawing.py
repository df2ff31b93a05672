"""Drawing any chart in the cells that there are: from letters, by plotext, or several side by side."""

from dataclasses import replace

from rich.text import Text

from sing_compute.charts.shapes import Curves, Histogram, Lettered, Panels, Scatter, Shape
from sing_compute.formats import Glyphs, fit
from sing_tui.charts.plotext_charts import plotted_lines
from sing_tui.charts.text_charts import text_lines
from sing_tui.colors import PLAIN, ChartColors

_LEGEND = 22
"""Cells for the names of ellipses."""
_ROOM_FOR_LEGEND = 60
_PANEL = (32, 8)
"""From so many cells and lines on, a chart shares its room with another."""
_LEAST = (24, 6)
"""Cells and lines that a chart with two axes needs."""


def draw(shape: Shape, width: int, height: int, glyphs: Glyphs, colors: ChartColors = PLAIN) -> list[Text]:
    """Draw a chart.

    Args:
        shape: The numbers to draw.
        width: Cells across that there are.
        height: Lines that there are.
        glyphs: The signs to draw with.
        colors: The colours to draw with.

    Returns:
        Lines of at most that width; none where there is too little room, or no number that can be drawn.
    """
    if isinstance(shape, Lettered):
        return text_lines(shape, width, height, glyphs, colors)
    if isinstance(shape, Panels):
        return _panels(shape, width, height, glyphs, colors)
    if width < _LEAST[0] or height < _LEAST[1]:
        return []
    if isinstance(shape, Curves):
        return _under_legend(shape, width, min(height, max(18, width // 3)), glyphs, colors)
    height = min(height, max(12, width // 3))
    if isinstance(shape, Scatter) and shape.others and width >= _ROOM_FOR_LEGEND:
        plot = _under_label(shape, width - _LEGEND - 2, height, glyphs, colors)
        names = _legend(shape, _LEGEND, height - 1, glyphs, colors)
        return _side_by_side([(plot, width - _LEGEND - 2), (names, _LEGEND)])
    if isinstance(shape, Scatter):
        shape = replace(shape, others=())  # letters without their names would say nothing
    return _under_label(shape, width, height, glyphs, colors)


def _under_label(
    shape: Scatter | Histogram, width: int, height: int, glyphs: Glyphs, colors: ChartColors
) -> list[Text]:
    """Draw a chart with the name of its upright axis above that axis."""
    label = shape.y_label if isinstance(shape, Scatter) else shape.count_label
    lines = plotted_lines(shape, width, height - 1, glyphs, colors)
    return [Text(fit(glyphs.text(label), width, glyphs).rstrip(), no_wrap=True), *lines] if lines else []


def _panels(shape: Panels, width: int, height: int, glyphs: Glyphs, colors: ChartColors) -> list[Text]:
    count = len(shape.parts)
    if width >= count * (_PANEL[0] + 2):
        room = (width - 2 * (count - 1)) // count
        return _side_by_side([(draw(part, room, height, glyphs, colors), room) for part in shape.parts])
    if height >= count * _PANEL[1]:
        return [line for part in shape.parts for line in draw(part, width, height // count, glyphs, colors)]
    return draw(shape.parts[0], width, height, glyphs, colors)


def _side_by_side(columns: list[tuple[list[Text], int]]) -> list[Text]:
    """Join columns of lines, each with its width, two cells apart."""
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


def _legend(shape: Scatter, width: int, height: int, glyphs: Glyphs, colors: ChartColors) -> list[Text]:
    """Return letter and name of each ellipse in its colour, by letter, the chosen one marked."""
    ellipses = shape.others if shape.ellipse is None else (shape.ellipse, *shape.others)
    lines = []
    for one in sorted(ellipses, key=lambda one: (one.letter, one.label)):
        line = Text(glyphs.right if one is shape.ellipse else " ", no_wrap=True)
        line.append(f"{one.letter} {fit(glyphs.text(one.label), width - 3, glyphs)}", colors.item(one.number))
        lines.append(line)
    if len(lines) <= height:
        return lines
    return [*lines[: height - 1], Text(fit(f"{len(lines) - height + 1} more", width, glyphs), no_wrap=True)]


def _under_legend(shape: Curves, width: int, height: int, glyphs: Glyphs, colors: ChartColors) -> list[Text]:
    head = [Text(fit(glyphs.text(shape.y_label), width, glyphs).rstrip(), no_wrap=True)]
    if len(shape.series) > 1:
        names = Text(no_wrap=True)
        for k, (letter, name, _) in enumerate(shape.series):
            names.append("  " * bool(k)).append(f"{letter} {glyphs.text(name)}", colors.item(k))
        names.truncate(width, overflow="ellipsis")
        head.append(names)
    lines = plotted_lines(shape, width, height - len(head), glyphs, colors) if height - len(head) >= 5 else []
    return head + lines if lines else []
