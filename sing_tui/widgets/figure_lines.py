"""Figures of one row in the room that there is: in aligned columns, or one behind the other where these do not fit."""

from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from sing_compute.formats import Glyphs, fit
from sing_tui.captions import Figure

_GAP = "  "
_MOST_COLUMNS = 5
Part = Literal["text", "label", "warning"]


def figure_lines(
    figures: Sequence[Figure], width: int, height: int, glyphs: Glyphs, style: Callable[[Part], Style]
) -> list[Strip]:
    """Paint figures in at most so many lines; the last line counts those that have no room.

    Args:
        figures: Titles and values.
        width: Cells across.
        height: Lines that there are.
        glyphs: The signs of the screen.
        style: Returns the style of a value, of a title, or of a value that is to be seen.
    """
    if width < 1 or height < 1 or not figures:
        return []
    found = _columns(figures, width, height)
    if found is not None:
        columns, widths = found
        return [_aligned(columns, widths, line, width, glyphs, style) for line in range(len(columns[0]))]
    return _flowing(figures, width, height, glyphs, style)


def figures_fit(figures: Sequence[Figure], width: int, height: int) -> bool:
    """Return True if there is room for all figures."""
    return _columns(figures, width, height) is not None or len(_flow(figures, width)) <= height


Columns = Sequence[Sequence[Figure]]
Widths = Sequence[tuple[int, int]]


def _columns(figures: Sequence[Figure], width: int, height: int) -> tuple[Columns, Widths] | None:
    """Share figures out to as few columns as fit, each with the widths of titles and values; None where none fit."""
    for count in range(1, _MOST_COLUMNS + 1):
        tall = -(-len(figures) // count)
        columns = [figures[start : start + tall] for start in range(0, len(figures), max(1, tall))]
        widths = [(_widest(each.title for each in side), _widest(each.value for each in side)) for side in columns]
        if tall <= height and sum(sum(pair) + 1 for pair in widths) + len(_GAP) * (len(columns) - 1) <= width:
            return columns, widths
    return None


def _widest(texts: Iterable[str]) -> int:
    return max(map(cell_len, texts), default=0)


def _aligned(
    columns: Columns,
    widths: Widths,
    line: int,
    width: int,
    glyphs: Glyphs,
    style: Callable[[Part], Style],
) -> Strip:
    """Paint one line of columns, the room that is left shared out between them."""
    spare = (width - sum(sum(pair) + 1 for pair in widths)) // len(columns)
    gap = max(len(_GAP), min(spare, 6))
    segments: list[Segment] = []
    for side, (title, value) in zip(columns, widths, strict=True):
        if segments:
            segments.append(Segment(" " * gap, style("text")))
        if line < len(side):
            figure = side[line]
            segments.append(Segment(fit(figure.title, title + 1, glyphs), style("label")))
            segments.append(Segment(fit(figure.value, value, glyphs), style("warning" if figure.incorrect else "text")))
    return Strip(segments).adjust_cell_length(width, style("text")).simplify()


def _flowing(
    figures: Sequence[Figure], width: int, height: int, glyphs: Glyphs, style: Callable[[Part], Style]
) -> list[Strip]:
    """Paint figures one behind the other; one that is longer than a line is cut."""
    lines = _flow(figures, width)
    hidden = sum(map(len, lines[height:]))
    if hidden:
        hidden += len(lines[height - 1])
        lines = lines[: height - 1]
    strips = []
    for line in lines:
        segments: list[Segment] = []
        for figure in line:
            segments.append(Segment(_GAP if segments else "", style("text")))
            segments.append(Segment(figure.title + " ", style("label")))
            segments.append(Segment(figure.value, style("warning" if figure.incorrect else "text")))
        strips.append(Strip(segments).adjust_cell_length(width, style("text")).simplify())
    if hidden:
        text = f"{glyphs.ellipsis} {hidden} more: d in the table"
        strips.append(Strip([Segment(fit(text, width, glyphs), style("label"))]))
    return strips


def _flow(figures: Sequence[Figure], width: int) -> list[list[Figure]]:
    """Share figures out to lines, as many to each as fit."""
    lines: list[list[Figure]] = [[]]
    used = 0
    for figure in figures:
        needed = cell_len(figure.title) + 1 + cell_len(figure.value)
        if lines[-1] and used + len(_GAP) + needed > width:
            lines.append([])
            used = 0
        used += needed + (len(_GAP) if lines[-1] else 0)
        lines[-1].append(figure)
    return lines
