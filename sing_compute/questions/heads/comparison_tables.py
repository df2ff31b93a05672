"""Make the tables that `heads effect` and `heads compare` print and write."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from sing_compute.pipeline.closing_table import align
from sing_compute.questions.answer_tables import Cells, number, write_csv
from sing_compute.questions.heads.comparing import LayerChange, TowerComparison
from sing_compute.questions.heads.effect import COLUMN, GROUP, OVERALL, WORST, Effect, EffectRow
from sing_compute.store.text import clean

_SHOWN = 24
"""Rows of groups or classes that are printed; the CSV file has all."""
_MOVED = 10
"""Vectors and new directions that are printed."""
_LEAST = 0.01
"""Share of its head's squared change from which a new direction is printed."""
_SAME = 1e-4
"""Factors nearer to 1 count as 1."""


def effect_text(effect: Effect) -> str:
    """Return the effect of an edit as a table: accuracies before and after, and those of the edits that it is compared with.

    Args:
        effect: The effect.
    """
    compared = any(len(row.random) for row in effect.rows)
    header = ["", "images", "before", "after", "change"]
    if compared:
        header += [f"{effect.vectors:,} random vectors", f"{effect.heads:,} whole head{'s' * (effect.heads != 1)}"]
    rows = [header]
    grouped = any(row.kind == GROUP for row in effect.rows)
    for kind in (OVERALL, WORST, GROUP, "class", COLUMN):
        chosen = [row for row in effect.rows if row.kind == kind]
        if kind == "class" and grouped and len(chosen) > _SHOWN:
            continue
        hidden = len(chosen) - _SHOWN
        if hidden > 0:  # those that lose most come first
            chosen = sorted(chosen, key=lambda row: row.found.change[0])[:_SHOWN]
        rows += [_printed(row, compared=compared) for row in chosen]
        if hidden > 0:
            rows.append([f"{hidden:,} more in --csv", *[""] * (len(header) - 1)])
    notes = ["95 % intervals: Wilson's of an accuracy; of a change and of the worst group by draws of paired outcomes."]
    if compared:
        draws = max(len(row.random) for row in effect.rows)
        notes.append(
            f"The edit changed {effect.vectors:,} of {effect.of:,} vectors. Random vectors have the same factors: mean of "
            f"{draws} draws (lowest to highest)."
        )
    return "\n".join([*align(rows), "", *notes])


def write_effect(path: Path, effect: Effect) -> int:
    """Write every accuracy as a row of a CSV file.

    Args:
        path: The file.
        effect: The effect.

    Returns:
        The number of rows.

    Raises:
        SingError: The file cannot be written.
    """

    def rows() -> Iterator[Cells]:
        for row in effect.rows:
            spread = (row.random.mean(), row.random.min(), row.random.max()) if len(row.random) else [np.nan] * 3
            found = row.found
            figures = [float(value) for value in (*found.before, *found.after, *found.change, *spread, row.heads)]
            yield row.kind, row.name, found.images, *figures

    ends = [f"{name}{end}" for name in ("before", "after", "change") for end in ("", "_low", "_high")]
    header = ("kind", "name", "images", *ends, "random_mean", "random_low", "random_high", "whole_heads")
    return write_csv(path, header, rows())


def comparison_text(found: TowerComparison) -> str:
    """Return the comparison of two towers: each layer, the vectors that change most, and new directions in words.

    Args:
        found: The comparison.
    """
    rows = [["", "change", "by reweighting", "constant", "vectors with another factor"]]
    for layer in found.layers:
        heads = layer.heads
        size, change = float(heads.size.norm()), float(heads.change.norm())
        known = ~heads.factor.isnan()
        scaled = int(((heads.factor - 1).abs() > _SAME)[known].sum())
        cells = [number(change / size if size else np.nan, ".2%"), number(heads.explained, ".3f")]
        rows.append(
            [f"layer {layer.number}", *cells, number(layer.constant, ".2%"), f"{scaled:,} of {int(known.sum()):,}"]
        )
    lines = align(rows)
    moved = [
        (abs(factor - 1) * value, place, value, factor, angle)
        for layer in found.layers
        for place, value, factor, angle in _vectors(layer)
        if abs(factor - 1) > _SAME
    ]
    if moved:
        moved.sort(key=lambda each: -each[0])
        table = [["vector", "singular value", "factor", "turned by"]]
        for _, place, value, factor, angle in moved[:_MOVED]:
            name = "/".join(map(str, place))
            table.append(
                [name, f"{value:.3g}", f"{round(factor, 4) + 0.0:.4f}", number(angle, ".1f") + "°" * (angle == angle)]
            )
        lines += ["", f"{len(moved):,} vectors have another factor; those that change most:", *align(table)]
    shown = [new for new in found.new if new.share >= _LEAST][:_MOVED]
    if shown:
        lines += ["", "New directions, which no reweighting of the old vectors explains, the largest first:"]
    for new in shown:
        lines.append(
            f"  {new.layer}/{new.head}  singular value {new.value:.3g}, {new.share:.1%} of the change of its head"
        )
        for sign, words, cosine in zip("+-", new.words, new.cosine, strict=True):
            lines.append(f"    {sign} {words} (cosine {cosine:.2f})")
    if len(found.new) > len(shown):
        lines += ["", f"{len(found.new) - len(shown):,} smaller new directions are in --csv"]
    if not any(layer.heads.change.any() for layer in found.layers):
        lines += ["", "What the heads write is the same in both."]
    if found.others:
        count = len(found.others)
        lines += [
            "",
            f"{count:,} other tensor{'s' * (count > 1)} also differ{'s' * (count == 1)}, the first is {clean(found.others[0])}: "
            "the table is about what heads write, not about them",
        ]
    return "\n".join(lines)


def write_comparison(path: Path, found: TowerComparison) -> int:
    """Write a row for each vector of A and for each new direction.

    Args:
        path: The CSV file.
        found: The comparison.

    Returns:
        The number of rows.

    Raises:
        SingError: The file cannot be written.
    """

    def rows() -> Iterator[Cells]:
        for layer in found.layers:
            shares = layer.heads.reweighted.tolist()
            changes = (layer.heads.change / layer.heads.size).tolist()
            for place, *figures in _vectors(layer):
                yield "vector", *place, *figures, changes[place[1]], shares[place[1]], np.nan, "", ""
        for new in found.new:
            nothing = [np.nan] * 4
            yield "new", new.layer, new.head, new.number, new.value, *nothing, new.share, *new.words

    header = ("kind", "layer", "head", "number", "singular_value", "factor", "angle", "head_change", "head_reweighted")
    return write_csv(path, (*header, "share", "positive", "negative"), rows())


def _vectors(layer: LayerChange) -> Iterator[tuple[tuple[int, int, int], float, float, float]]:
    """Give the place, singular value, factor and angle of each vector of A that is above rounding."""
    heads = layer.heads
    known = ~heads.factor.isnan()
    columns = [each[known].tolist() for each in (heads.vectors.values, heads.factor, heads.angle)]
    for (head, vector), value, factor, angle in zip(known.nonzero().tolist(), *columns, strict=True):
        yield (layer.number, head, vector), value, factor, angle


def _printed(row: EffectRow, *, compared: bool) -> list[str]:
    found = row.found
    title = row.kind if row.kind in (OVERALL, WORST) else clean(row.name)
    cells = [title, f"{found.images:,}", _share(found.before), _share(found.after), _share(found.change, "+.3f")]
    if not compared:
        return cells
    random = "-"
    if len(row.random):
        random = f"{row.random.mean():.3f} ({row.random.min():.3f} to {row.random.max():.3f})"
    return [*cells, random, number(row.heads, ".3f")]


def _share(ends: Sequence[float], spec: str = ".3f") -> str:
    value, low, high = (number(end, spec) for end in ends)
    return value if low == "-" else f"{value} ({low} to {high})"
