"""Charts drawn from letters alone: one line for each item, with its label, its number, and bars or lines of signs."""

from collections.abc import Callable
from typing import Any

import numpy as np
from rich.text import Text

from sing_compute.charts.shapes import Bars, Densities, Interval, IntervalBars, Lettered, Pairs, StackedBars, Violins
from sing_compute.formats import Glyphs, fit, named_format, widest
from sing_tui.charts.lettering import (
    NUMBER,
    axis,
    axis_end,
    can_draw,
    hill,
    is_interval,
    number,
    row_labels,
    rows_in_sight,
    split_at_zero,
)
from sing_tui.colors import ChartColors, painted


def text_lines(shape: Lettered, width: int, height: int, glyphs: Glyphs, colors: ChartColors) -> list[Text]:
    """Draw a chart from letters.

    Args:
        shape: The numbers to draw.
        width: Cells across that there are.
        height: Lines that there are.
        glyphs: The signs to draw with.
        colors: The colours to draw with.

    Returns:
        Lines of at most that width; none where there is too little room, or no number that can be drawn.
    """
    return _DRAW[type(shape)](shape, width, height, glyphs, colors)


def _pairs(shape: Pairs, width: int, height: int, glyphs: Glyphs, colors: ChartColors) -> list[Text]:
    rows = rows_in_sight(len(shape.labels), shape.chosen, height - 1)
    heads, used = row_labels(shape.labels, rows, shape.chosen, width, glyphs)
    room = width - used - 1
    numbers = [
        value for row in rows for value in (shape.first[row], shape.second[row]) if can_draw(value, shape.format)
    ]
    if room < 8 or not numbers:
        return []
    least, most = min([0.0, *numbers] if shape.from_zero else numbers), max(numbers)
    most = most if most > least else least + 1

    def at(value: float) -> int:
        return round((value - least) / (most - least) * (room - 1))

    names = [glyphs.text(name) for name in shape.ends]
    legend = f"{glyphs.before} {names[0]} {glyphs.after} {names[1]}"
    unit = named_format(shape.format, glyphs).unit
    ends = axis(axis_end(least, shape.format, glyphs), legend, f"{axis_end(most, shape.format, glyphs)}{unit}", room)
    signs = {glyphs.before: colors.item(0), glyphs.after: colors.item(1)}
    first = f"  {fit(glyphs.text(shape.name), used - 2, glyphs)} {ends}"
    lines = [painted(first, used, {} if shape.numbers else signs)]
    for row, head in zip(rows, heads, strict=True):
        cells = [" "] * room
        pair = shape.first[row], shape.second[row]
        if all(can_draw(value, shape.format) for value in pair):
            low, high = sorted(map(at, pair))
            cells[low : high + 1] = glyphs.stroke * (high - low + 1)
            cells[at(pair[0])] = glyphs.before
            cells[at(pair[1])] = glyphs.after
        own = dict.fromkeys(signs, colors.item(shape.numbers[row])) if shape.numbers else signs
        lines.append(painted(f"{head} {''.join(cells)}", len(head), own))
    return lines


def _bars(shape: Bars, width: int, height: int, glyphs: Glyphs, colors: ChartColors) -> list[Text]:
    rows = rows_in_sight(len(shape.labels), -1, height)
    heads, used = row_labels(shape.labels, rows, -1, width, glyphs)
    half = (width - used - NUMBER - 3) // 2
    most = max((abs(value) for value in shape.values if can_draw(value, shape.format)), default=0.0)
    if half < 3 or most == 0:
        return []
    lines = []
    for row, head in zip(rows, heads, strict=True):
        value = shape.values[row]
        bar = glyphs.bar * (round(abs(value) / most * half) if can_draw(value, shape.format) else 0)
        left, right = (bar, "") if value < 0 else ("", bar)
        text = f"{head} {number(value, shape.format, glyphs)} {left.rjust(half)}|{right.ljust(half)}"
        lines.append(painted(text[:width], len(head), {glyphs.bar: colors.item(int(value > 0))}))
    return lines


def _stacked(shape: StackedBars, width: int, height: int, glyphs: Glyphs, colors: ChartColors) -> list[Text]:
    rows = rows_in_sight(len(shape.labels), shape.chosen, height - 1)
    heads, used = row_labels(shape.labels, rows, shape.chosen, width, glyphs)
    half = (width - used - NUMBER - 3) // 2
    parts = [(shape.first[row], shape.second[row]) for row in rows]
    good = [pair for pair in parts if all(can_draw(value, shape.format) for value in pair)]
    most = max((abs(sum(side)) for pair in good for side in split_at_zero(pair)), default=0.0)
    if half < 3 or most == 0:
        return []
    signs = glyphs.bar, glyphs.density[4]
    names = [glyphs.text(name) for name in shape.ends]
    legend = fit(f"{signs[0]} {names[0]} {signs[1]} {names[1]}", 2 * half + 1, glyphs)
    own = dict(zip(signs, map(colors.item, (0, 1)), strict=True))
    lines = [painted(" " * (used + NUMBER + 2) + legend, 0, own)]
    for pair, head in zip(parts, heads, strict=True):
        bars = []
        for side in split_at_zero(pair if pair in good else (0.0, 0.0)):
            near = round(abs(side[0]) / most * half)
            bars.append(signs[0] * near + signs[1] * (round(abs(sum(side)) / most * half) - near))
        total = number(sum(pair), shape.format, glyphs)
        text = f"{head} {total} {bars[0][::-1].rjust(half)}|{bars[1].ljust(half)}"
        lines.append(painted(text[:width], len(head), own))
    return lines


def _interval_bars(shape: IntervalBars, width: int, height: int, glyphs: Glyphs, colors: ChartColors) -> list[Text]:
    """Draw a line for each bar, and a second one for its other interval where all of them fit."""
    twice = 2 * len(shape.labels) + 1 <= height and any(map(is_interval, shape.others))
    rows = rows_in_sight(len(shape.labels), shape.chosen, height - 1)
    heads, used = row_labels(shape.labels, rows, shape.chosen, width, glyphs)
    room = width - used - 11
    values = [shape.values[row] for row in rows if np.isfinite(shape.values[row])]
    if room < 8 or not values or max(values) <= 0:
        return []
    most = max(values)
    pairs = (pair for row in rows for pair in (shape.intervals[row], shape.others[row])[: 1 + twice])
    ends = [pair[1] for pair in pairs if is_interval(pair)]
    most = max(most, min(2 * most, max(ends, default=most)))
    write = named_format(shape.format, glyphs).write

    def at(value: float) -> int:
        return round(max(0.0, min(value / most, 1.0)) * (room - 1))

    def draw_interval(cells: list[str], pair: Interval, signs: str) -> None:
        if is_interval(pair):
            low, high = map(at, pair)
            cells[low : high + 1] = glyphs.stroke * (high - low + 1)
            cells[low], cells[high] = signs[0], signs[1] if pair[1] <= most else glyphs.right

    lines = [Text(" " * (used + 11) + axis("0", glyphs.text(shape.name), write(most), room), no_wrap=True)]
    for row, head in zip(rows, heads, strict=True):
        cells, under, value = [" "] * room, [" "] * room, shape.values[row]
        if np.isfinite(value):
            cells[: at(value) + 1] = glyphs.bar * (at(value) + 1)
        draw_interval(cells, shape.intervals[row], "[]")
        if np.isfinite(value):
            cells[at(value)] = glyphs.after
        own = colors.item(shape.numbers[row] if shape.numbers else 0)
        text = f"{head} {fit(write(value), 9, glyphs, right=True)} {''.join(cells)}"
        lines.append(painted(text, len(head), {glyphs.bar: own}))
        if twice:
            draw_interval(under, shape.others[row], "()")
            lines.append(Text(" " * (used + 11) + "".join(under), no_wrap=True))
    return lines


def _violins(shape: Violins, width: int, height: int, glyphs: Glyphs, colors: ChartColors) -> list[Text]:
    labels = [glyphs.text(label) for label in shape.labels]
    label_width = widest(labels, min(24, width * 2 // 5))
    room = width - label_width - 19
    if room < 12 or height < len(shape.labels):
        return []
    lines = []
    for label, curve in zip(labels, shape.curves, strict=True):
        low, high = float(curve[0]), float(curve[-1])
        ends = [f"{end:+8.2f}" if low < 0 else f"{end:8.2f}" for end in (low, high)]
        text = f"{fit(label, label_width, glyphs)} {ends[0]} {hill(curve, low, high, room, glyphs)} {ends[1]}"
        lines.append(painted(text, label_width + 10, dict.fromkeys(glyphs.density[1:], colors.item(0))))
    return lines


def _densities(shape: Densities, width: int, height: int, glyphs: Glyphs, colors: ChartColors) -> list[Text]:
    """Draw an axis for each score, then a line for each item: label, median, density."""
    rows = rows_in_sight(len(shape.labels), shape.chosen, height - 1, spread=True)
    heads, used = row_labels(shape.labels, rows, shape.chosen, width, glyphs)
    lines = [Text(head, no_wrap=True) for head in heads]
    scores = shape.scores[: max(1, (width - used) // 36)]
    room = (width - used) // len(scores) - NUMBER - 2
    if room < 8 or not rows:
        return []
    unit, top = named_format(shape.format, glyphs).unit, " " * used
    formats = shape.formats or (shape.format,) * len(scores)
    for (name, curves), format in zip(scores, formats, strict=False):
        low, high = float(curves[rows, 0].min()), float(curves[rows, -1].max())
        high = high if high > low else low + 1
        ends = [axis_end(end, shape.format, glyphs) for end in (low, high)]
        top += " " * (NUMBER + 2) + axis(ends[0], glyphs.text(name), ends[1] + unit, room)
        for k, row in enumerate(rows):
            median = float(curves[row, curves.shape[1] // 2])
            text = f" {number(median, format, glyphs)} {hill(curves[row], low, high, room, glyphs)}"
            lines[k].append_text(painted(text, NUMBER + 2, dict.fromkeys(glyphs.density[1:], colors.item(0))))
    return [Text(top, no_wrap=True), *lines]


_DRAW: dict[type, Callable[[Any, int, int, Glyphs, ChartColors], list[Text]]] = {
    Pairs: _pairs,
    Bars: _bars,
    StackedBars: _stacked,
    IntervalBars: _interval_bars,
    Violins: _violins,
    Densities: _densities,
}
