"""Statistics, histogram and scatter of columns, drawn from letters."""

import numpy as np
from rich.text import Text

from sing_compute.formats import Glyphs, fit, named_format, number_format, widest
from sing_compute.store import Column
from sing_tui.charts.lettering import axis, rows_in_sight
from sing_tui.colors import ChartColors, painted
from sing_tui.column_figures import COUNTED, ColumnFigures, Facts
from sing_tui.column_pairs import ColumnPair, is_constant

_HEADINGS = {"lower quartile": "25%", "upper quartile": "75%", "minimum": "min", "maximum": "max",
             "standard deviation": "std"}  # fmt: skip
_SHADES = " ░▒▓█"
_DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])
"""Bit of each dot of a Braille character, (line, column)."""
_LEAST = 16
"""Cells that a chart needs across."""


def written(column: Column, value: float, glyphs: Glyphs) -> str:
    """Write a figure of a column as its cells are written, figures of whole numbers with the digits that they need."""
    if column.format in ("count", "index"):
        return named_format("figure", glyphs).write(value)
    return number_format(column, glyphs).write(value)


def facts_lines(found: ColumnFigures, width: int, glyphs: Glyphs) -> list[Text]:
    """Write the statistics: a heading, a line for the rows that pass, and one for all rows; in blocks where they are wide."""
    sets = [("pass", found.facts[0]), ("all", found.facts[1])] if found.is_filtered else [("", found.facts[0])]
    names = [name for name in found.facts[0] if name != "infinite" or any(facts[name] for _, facts in sets)]
    columns = [
        [_HEADINGS.get(name, name), *(_fact(found.column, facts, name, glyphs) for _, facts in sets)] for name in names
    ]
    lines, block, used = [], [["", *(word for word, _ in sets)]], 4 * found.is_filtered
    for column in columns:
        cells = max(map(len, column)) + 2
        if used + cells > width and len(block) > 1:
            lines += _block(block, width, glyphs)
            block, used = [block[0]], 4 * found.is_filtered
        block.append(column)
        used += cells
    return lines + _block(block, width, glyphs)


def _fact(column: Column, facts: Facts, name: str, glyphs: Glyphs) -> str:
    return f"{facts[name]:,.0f}" if name in COUNTED else written(column, facts[name], glyphs)


def _block(columns: list[list[str]], width: int, glyphs: Glyphs) -> list[Text]:
    head, *others = columns
    first = widest(head, 8)
    lines = []
    for y, name in enumerate(head):
        cells = (fit(column[y], widest(column, width), glyphs, right=True) for column in others)
        line = Text(
            fit("  ".join([*([fit(name, first, glyphs)] if first else []), *cells]), width, glyphs), no_wrap=True
        )
        if not y:
            line.stylize("bold")
        lines.append(line)
    return lines


def bar_lines(
    found: ColumnFigures, width: int, height: int, bar: int, glyphs: Glyphs, colors: ChartColors
) -> list[Text]:
    """Draw a histogram, a line for each bar under a heading: label, rows, share, and a bar; a mark for the share of all rows.

    Args:
        found: The figures.
        width: Cells across that there are.
        height: Lines that there are.
        bar: The chosen bar, which stays in sight.
        glyphs: The signs to draw with.
        colors: The colours to draw with.

    Returns:
        Lines of at most that width, that of a bar with its number as `bar` in its style's meta; none where there is too little
        room, or no bar.
    """
    bars = rows_in_sight(len(found), bar, height - 1)
    if not bars or height < 2 or width < _LEAST:
        return []
    labels = [glyphs.text(found.label(one)) or "-" for one in bars]
    used = widest(labels, width * 2 // 5)
    shares = found.shares
    most = max(float(shares[0].max()), float(shares[1].max()) if found.is_filtered else 0.0)
    counts = [f"{int(found.shown[one]):,}" for one in bars]
    parts = [("rows", counts), ("share", [f"{shares[0][one]:.1%}" for one in bars])]
    if found.is_filtered:
        parts.append(("of all", [f"{shares[1][one]:.1%}" for one in bars]))
    texts = [fit(label, used, glyphs, right=not found.column.is_text) for label in labels]
    heading = fit("", used, glyphs)
    for name, cells in parts:
        cell = widest([name, *cells], 12)
        heading += "  " + fit(name, cell, glyphs, right=True)
        texts = [f"{text}  {fit(value, cell, glyphs, right=True)}" for text, value in zip(texts, cells, strict=True)]
    room = width - len(heading) - 4
    own = {glyphs.bar: colors.item(0), glyphs.after: colors.item(1)}
    legend = f"{glyphs.bar} rows that pass  {glyphs.after} all rows" if found.is_filtered else ""
    lines = [painted(fit(f"  {heading}  {legend}", width, glyphs), len(heading) + 2, own)]
    lines[0].stylize("bold", 0, len(heading) + 2)
    for one, text in zip(bars, texts, strict=True):
        cells = [" "] * max(0, room)
        if room >= 3 and most > 0:
            cells[: _cells(shares[0][one], most, room)] = glyphs.bar * _cells(shares[0][one], most, room)
            if found.is_filtered and found.every[one]:
                cells[_cells(shares[1][one], most, room) - 1] = glyphs.after
        mark = glyphs.right if one == bar else " "
        line = painted(f"{mark} {text}  {''.join(cells)}", len(text) + 4, own)
        line.truncate(width)
        if one == bar:
            line.stylize("reverse", 2, len(text) + 2)
        line.apply_meta({"bar": one})
        lines.append(line)
    return lines


def _cells(share: float, most: float, room: int) -> int:
    """Return the cells of a bar; one at least where there is a row."""
    return max(round(share / most * room), int(share > 0))


def pair_line(pair: ColumnPair, width: int, glyphs: Glyphs) -> Text:
    """Write how two columns go together, and how many rows that is of."""
    r, rho = ("-" if value != value else f"{value:+.3f}" for value in (pair.pearson, pair.spearman))
    text = f"Pearson {r}   Spearman {rho}   {len(pair):,} row{'s' * (len(pair) != 1)}"
    if pair.left_out:
        text += f", {pair.left_out:,} left out (missing)"
    constant = [column.title for column, cells in zip((pair.x, pair.y), pair.points, strict=True) if is_constant(cells)]
    if len(pair) > 1 and constant:
        text += f": {glyphs.text(' and '.join(constant))} {'has' if len(constant) == 1 else 'have'} one value only"
    return Text(fit(text, width, glyphs), style="bold", no_wrap=True)


def scatter_lines(pair: ColumnPair, width: int, height: int, glyphs: Glyphs, colors: ChartColors) -> list[Text]:
    """Draw the rows of two columns: few as dots, many as shades, the darker the more rows; the scale of shades is logarithmic.

    Returns:
        Lines of at most that width; none where there is too little room, or no row.
    """
    if not len(pair) or width < _LEAST + 10 or height < 6:
        return []
    ends = [[float(end) for end in (values.min(), values.max())] for values in pair.points]
    sides = [written(pair.y, end, glyphs) for end in ends[1][::-1]]
    left = widest(sides, 12)
    across, lines_up = width - left - 2, height - 3
    dotted = not glyphs.ascii_only and len(pair) <= 2 * across * lines_up
    rows = _dots(pair, across, lines_up) if dotted else _shades(pair, across, lines_up, glyphs)
    scale = "" if dotted else "   (shades: rows in a cell, logarithmic)"
    upright, corner = ("|", "+") if glyphs.ascii_only else ("│", "└")
    lines = [Text(fit(glyphs.text(_named(pair.y, glyphs)) + scale, width, glyphs).rstrip(), no_wrap=True)]
    for y, row in enumerate(rows):
        side = sides[0] if not y else sides[1] if y == len(rows) - 1 else ""
        line = Text(f"{fit(side, left, glyphs, right=True)} {upright}")
        line.append(row, colors.item(0))
        line.no_wrap = True
        lines.append(line)
    lines.append(Text(" " * (left + 1) + corner + glyphs.stroke * across, no_wrap=True))
    low, high = (written(pair.x, end, glyphs) for end in ends[0])
    lines.append(Text(" " * (left + 2) + axis(low, glyphs.text(_named(pair.x, glyphs)), high, across), no_wrap=True))
    return lines


def _named(column: Column, glyphs: Glyphs) -> str:
    unit = number_format(column, glyphs).unit
    return f"{column.title} [{unit}]" if unit else column.title


def _dots(pair: ColumnPair, across: int, up: int) -> list[str]:
    there = pair.grid(2 * across, 4 * up).reshape(up, 4, across, 2) > 0
    bits = (there * _DOTS[None, :, None, :]).sum(axis=(1, 3))
    return ["".join(chr(0x2800 + bit) if bit else " " for bit in row) for row in bits.tolist()]


def _shades(pair: ColumnPair, across: int, up: int, glyphs: Glyphs) -> list[str]:
    counts = pair.grid(across, up)
    signs = glyphs.density if glyphs.ascii_only else _SHADES
    shades = np.log1p(counts)  # divided by its own largest, which gives exactly 1: `math.log1p` may round otherwise
    levels = np.ceil(shades / shades.max() * (len(signs) - 1)).astype(int)
    return ["".join(signs[level] for level in row) for row in levels.tolist()]
