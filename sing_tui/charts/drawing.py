"""Drawing any chart in the cells that there are: from letters, by plotext, or several side by side."""

from dataclasses import replace

from rich.text import Text

from sing_compute.charts.shapes import Curves, Lettered, Panels, Scatter, Shape
from sing_compute.formats import Glyphs, fit
from sing_tui.charts.plotext_charts import plotted_lines
from sing_tui.charts.text_charts import text_lines

_LEGEND = 22
"""Cells for the names of ellipses."""
_ROOM_FOR_LEGEND = 60
_PANEL = (32, 8)
"""From so many cells and lines on, a chart shares its room with another."""
_LEAST = (24, 6)
"""Cells and lines that a chart with two axes needs."""


def draw(shape: Shape, width: int, height: int, glyphs: Glyphs) -> list[Text]:
    """Draw a chart.

    Args:
        shape: The numbers to draw.
        width: Cells across that there are.
        height: Lines that there are.
        glyphs: The signs to draw with.

    Returns:
        Lines of at most that width; none where there is too little room, or no number that can be drawn.
    """
    if isinstance(shape, Lettered):
        return [Text(line, no_wrap=True) for line in text_lines(shape, width, height, glyphs)]
    if isinstance(shape, Panels):
        return _panels(shape, width, height, glyphs)
    if width < _LEAST[0] or height < _LEAST[1]:
        return []
    if isinstance(shape, Curves):
        return _under_legend(shape, width, min(height, max(18, width // 3)), glyphs)
    height = min(height, max(12, width // 3))
    if isinstance(shape, Scatter) and shape.others and width >= _ROOM_FOR_LEGEND:
        plot = plotted_lines(shape, width - _LEGEND - 2, height, glyphs)
        names = [Text(line, no_wrap=True) for line in _legend(shape, _LEGEND, height - 1, glyphs)]
        return _side_by_side([(plot, width - _LEGEND - 2), (names, _LEGEND)])
    if isinstance(shape, Scatter):
        shape = replace(shape, others=())  # letters without their names would say nothing
    return plotted_lines(shape, width, height, glyphs)


def _panels(shape: Panels, width: int, height: int, glyphs: Glyphs) -> list[Text]:
    count = len(shape.parts)
    if width >= count * (_PANEL[0] + 2):
        room = (width - 2 * (count - 1)) // count
        return _side_by_side([(draw(part, room, height, glyphs), room) for part in shape.parts])
    if height >= count * _PANEL[1]:
        return [line for part in shape.parts for line in draw(part, width, height // count, glyphs)]
    return draw(shape.parts[0], width, height, glyphs)


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


def _legend(shape: Scatter, width: int, height: int, glyphs: Glyphs) -> list[str]:
    """Return letter and name of each ellipse, by letter, the chosen one marked."""
    ellipses = shape.others if shape.ellipse is None else (shape.ellipse, *shape.others)
    lines = [
        f"{glyphs.right if one is shape.ellipse else ' '}{one.letter} {fit(glyphs.text(one.label), width - 3, glyphs)}"
        for one in sorted(ellipses, key=lambda one: (one.letter, one.label))
    ]
    if len(lines) <= height:
        return lines
    return [*lines[: height - 1], fit(f"{len(lines) - height + 1} more", width, glyphs)]


def _under_legend(shape: Curves, width: int, height: int, glyphs: Glyphs) -> list[Text]:
    names = "  ".join(f"{letter} {glyphs.text(name)}" for letter, name, _ in shape.series)
    head = [Text(fit(text, width, glyphs).rstrip(), no_wrap=True) for text in (glyphs.text(shape.y_label), names)]
    head = head if len(shape.series) > 1 else head[:1]
    lines = plotted_lines(shape, width, height - len(head), glyphs) if height - len(head) >= 5 else []
    return head + lines if lines else []
