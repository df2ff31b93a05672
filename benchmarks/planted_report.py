"""Write the rows of the planted benchmark as Markdown tables and as one simple SVG."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from planted_world import Settings

Row = Mapping[str, str]

NOISE = {
    "feature_noise": "noise in features",
    "target_noise": "noise in CLIP embeddings",
    "images": "images per class",
}
"""Sweeps of the curve, and titles of their levels."""
NO_LEAK = {
    "quiet": "offset that moves no concept",
    "offset": "offset along a random direction",
}
LINES = {
    "auc": ("area under ROC", "#1b6ca8"),
    "spearman": ("rank correlation", "#c0392b"),
    "slope": ("AS over true", "#777"),
    "false_q": ("classes with a false q < .05", "#d98c00"),
}
_WIDTH, _HEIGHT, _LEFT, _TOP, _GAP = 280, 180, 44, 34, 36


@dataclass(frozen=True, slots=True)
class Level:
    """All seeds of one level of a sweep."""

    sweep: str
    level: float
    rows: Sequence[Row]

    def column(self, name: str) -> list[float]:
        """Return one figure of every seed."""
        return [float(row[name]) for row in self.rows]

    def mean(self, name: str) -> float:
        """Return the mean over seeds; NaN if a seed has no value."""
        return float(np.mean(self.column(name)))


def levels_of(rows: Iterable[Row], sweep: str) -> list[Level]:
    """Return the levels of a sweep, ascending."""
    groups: dict[float, list[Row]] = {}
    for row in rows:
        if row["sweep"] == sweep:
            groups.setdefault(float(row["level"]), []).append(row)
    return [Level(sweep, level, groups[level]) for level in sorted(groups)]


def tables(rows: Sequence[Row], documented: Settings) -> str:
    """Return all tables of docs/planted.md; rows at the documented settings are bold."""
    return "\n\n".join([_curve(rows, documented), _order(rows), _false_positives(rows)])


def _curve(rows: Sequence[Row], documented: Settings) -> str:
    head = [
        "",
        "area under ROC",
        "worst",
        "by AS",
        "found",
        "false",
        "rank correlation",
        "worst",
        "AS / true",
        "IS / true",
    ]
    lines, seeds = [], 0
    for sweep, title in NOISE.items():
        for level in levels_of(rows, sweep):
            seeds = len(level.rows)
            shift = level.mean("image_score") / level.mean("image_score_true")
            cells = [
                f"{title} {level.level:g}",
                f"{level.mean('auc'):.3f}",
                f"{min(level.column('auc')):.3f}",
                f"{level.mean('auc_score'):.3f}",
                _percent(level.mean("found")),
                _percent(level.mean("false_q")),
                f"{level.mean('spearman'):.3f}",
                f"{min(level.column('spearman')):.3f}",
            ]
            cells += [f"{level.mean('slope'):.2f}", f"{shift:.2f}"]
            lines.append([f"**{cell}**" for cell in cells] if level.level == getattr(documented, sweep) else cells)
    text = (
        f"{seeds} seeds a row; worst: of these; bold: the documented settings. Leaks are ranked by the absolute z of their "
        "class, in the column `by AS` by the absolute mean AS. Found: planted leaks with q < .05; false: classes in which "
        "anything else has."
    )
    return text + "\n\n" + _markdown(head, lines)


def _order(rows: Sequence[Row]) -> str:
    levels = levels_of(rows, "tilt")
    head = ["model: tilt", "AS of leaks", "true", "IS", "true", "area under ROC", "rank correlation"]
    columns = ("attribute_score", "attribute_score_true", "image_score", "image_score_true")
    lines = [
        [
            f"{level.level:g}°",
            *(f"{level.mean(name):.2f}°" for name in columns),
            *(f"{level.mean(name):.3f}" for name in ("auc", "spearman")),
        ]
        for level in levels
    ]
    seeds = len(levels[0].rows)
    right = {name: _count_ascending(levels, name) for name in columns}
    text = (
        f"Models in the true order: {right['attribute_score']} of {seeds} seeds by AS, {right['image_score']} of {seeds} "
        f"by IS (truth: {right['attribute_score_true']} and {right['image_score_true']} rise with the tilt)."
    )
    return _markdown(head, lines) + "\n\n" + text


def _count_ascending(levels: Sequence[Level], name: str) -> int:
    """Count the seeds in which a figure increases from each model to the next."""
    return int((np.diff([level.column(name) for level in levels], axis=0) > 0).all(axis=0).sum())


def _false_positives(rows: Sequence[Row]) -> str:
    head = [
        "nothing leaks",
        "largest AS of a class",
        "true",
        "z in its 5 % tail",
        "empirical p ≤ .05",
        "classes with a q < .05",
    ]
    lines = []
    for sweep, title in NO_LEAK.items():
        (level,) = levels_of(rows, sweep)
        rates = [level.mean(name) for name in ("false_z", "false_p", "false_q")]
        largest = [f"{level.mean(name):.2f}°" for name in ("largest_elsewhere", "largest_elsewhere_true")]
        lines.append([f"{title}, {len(level.rows)} seeds", *largest, *(_percent(rate) for rate in rates)])
    return _markdown(head, lines)


def _percent(rate: float) -> str:
    return f"{100 * rate:.1f} %"


def _markdown(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rule = ["---"] * len(head)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, rule, *lines))


def chart(rows: Sequence[Row], documented: Settings) -> str:
    """Draw the curve: one panel per sweep, levels evenly spaced, mean over seeds, a dashed line at the documented level."""
    width, height = len(NOISE) * (_WIDTH + _GAP) + _LEFT, _HEIGHT + _TOP + 70
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for number, (sweep, title) in enumerate(NOISE.items()):
        parts += _panel(_LEFT + number * (_WIDTH + _GAP), levels_of(rows, sweep), title, getattr(documented, sweep))
    for number, (title, colour) in enumerate(LINES.values()):
        x, y = _LEFT + number * 170, height - 14
        parts.append(f'<path d="M{x} {y - 4}h22" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<text x="{x + 28}" y="{y}">{escape(title)}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _panel(left: float, levels: Sequence[Level], title: str, documented: float) -> list[str]:
    step, low = _WIDTH / len(levels), _TOP + _HEIGHT
    xs = [left + step * (number + 0.5) for number in range(len(levels))]
    parts = [
        f'<text x="{left + _WIDTH / 2}" y="{_TOP - 14}" text-anchor="middle" font-weight="bold">{escape(title)}</text>'
    ]
    for value in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = low - value * _HEIGHT
        parts.append(f'<path d="M{left} {y:.1f}h{_WIDTH}" stroke="#ddd"/>')
        parts.append(f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>')
    for x, level in zip(xs, levels, strict=True):
        if level.level == documented:
            parts.append(f'<path d="M{x:.1f} {_TOP}v{_HEIGHT}" stroke="#aaa" stroke-dasharray="4 3"/>')
        parts.append(f'<text x="{x:.1f}" y="{low + 16}" text-anchor="middle">{level.level:g}</text>')
    for name, (_, colour) in LINES.items():
        places = [(x, low - level.mean(name) * _HEIGHT) for x, level in zip(xs, levels, strict=True)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{colour}"/>' for x, y in places]
    return parts
