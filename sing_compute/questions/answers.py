"""What the verbs print and write: aligned tables, and CSV files that no spreadsheet takes for formulas."""

import csv
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sing_compute.atomic_write import replacing
from sing_compute.errors import SingError
from sing_compute.measuring.comparison import COMPARED
from sing_compute.pipeline.report import aligned, fitting
from sing_compute.questions.agreement import BESIDE, Agreement, Figures
from sing_compute.questions.explaining import Explanation
from sing_compute.questions.steering import SteeredImages, SteeringMatrix, Target
from sing_compute.store import Store
from sing_compute.store.schema import SIGNIFICANT
from sing_compute.store.text import clean, csv_text

TITLES = {"attribute_score_abs": "|AS|", "image_score": "IS", "ratio_images": "IS/|AS|"}
BESIDE_TITLES = (
    ("nullity", ".0f"),
    ("null energy", ".2f"),
    ("|AS|/control", ".2f"),
    ("IS/control", ".2f"),
    ("relative lambda", ".2g"),
)
"""Heads and number formats of `BESIDE`."""
Cells = Iterable[str | float | int]


def number(value: float, spec: str) -> str:
    """A number, or a dash where there is none."""
    return format(value, spec) if math.isfinite(value) else "-"


def added_table(store: Store, new: Sequence[str]) -> str:
    """For each new concept and model: the class with the largest |mean AS|, its figures, and how many are significant."""
    rows = [["concept", "model", "class", "AS", "q", f"classes with q < {SIGNIFICANT}"]]
    places = [[str(name) for name in store.concept_names].index(name) for name in new]
    for model in store.models:
        base = f"models/{model}/concepts/"
        if f"{base}q" not in store:
            continue
        for place, concept in zip(places, new, strict=True):
            score, q = (store.dataset(base + name)[:, place] for name in ("attribute_score", "q"))
            best = int(np.nan_to_num(np.abs(score)).argmax())
            name = clean(str(store.class_names[best]))
            significant = str(int((q < SIGNIFICANT).sum()))
            rows.append([concept, clean(model), name, number(score[best], "+.2f"), number(q[best], ".3f"), significant])
    return "\n".join(aligned(rows))


def explanation_text(found: Explanation, path: Path) -> str:
    """One photograph as one model sees it, in degrees."""
    lines = [f"{found.model}: {path}", f"  prediction   {found.prediction} ({found.confidence:.1%})"]
    scores = found.scores
    if scores is None:
        return "\n".join([*lines, "  its head has no null space: it ignores nothing", ""])
    medians = number(scores.class_attribute_score, "+.2f"), number(scores.class_image_score, ".2f")
    lines += [
        f"  null energy  {number(scores.null_energy, '.3f')}",
        f"  AS           {number(scores.attribute_score, '+.2f')} degrees (median of the class {medians[0]})",
        f"  IS           {number(scores.image_score, '.2f')} degrees (median of the class {medians[1]})",
        "",
    ]
    rows = [["concept", "AS", "mean AS of the class", "q"]]
    for shift in scores.shifts:
        mean, q = number(shift.class_mean, "+.2f"), number(shift.q, ".3f")
        rows.append([shift.concept, number(shift.attribute_score, "+.2f"), mean, q])
    lines += [f"  {line}" for line in aligned(rows)]
    if not scores.before:
        return "\n".join([*lines, "", "  no features are kept in the file, so no nearest images", ""])
    lines += [
        "",
        f"  nearest of {scores.compared:,} kept images, by the cosine of their T(f), translator of all images",
    ]
    for title, neighbours in (("T(f)", scores.before), ("T(f~)", scores.after)):
        for each in neighbours:
            lines.append(f"  {title:<5}  {each.cosine:.3f}  {each.key} ({each.class_name})")
            title = ""
    return "\n".join([*lines, ""])


def steering_table(found: Sequence[SteeredImages], source: str, target: Target, angle: float) -> str:
    """One row per model: AS toward the target as Table 1 prints it, and what the step does to the logits."""
    header = ["model", "images", "AS toward it", "IS", "IS/AS", "unreachable", "flips", "logit change"]
    rows = [header]
    for each in found:
        summary = each.summary
        reached = summary.count > 0
        ratio = angle / summary.mean if summary.mean > 0 else math.nan
        rows.append(
            [
                each.model,
                str(summary.count + summary.unreachable),
                f"{number(summary.mean, '+.2f')} +- {number(summary.std, '.2f')}",
                number(float(each.image_score.nanmean()), ".2f"),
                number(ratio, ".2f"),
                str(summary.unreachable),
                str(int(each.flipped.nansum())) if reached else "-",
                number(float(each.logit_change.nan_to_num(-1.0).max()), ".1e") if reached else "-",
            ]
        )
    notes = (
        f"{source}, steered toward the {target.kind} {target.text!r} by {angle:g} degrees of IS within the null space.",
        "AS: mean +- standard deviation over images, in degrees; out-of-fold translators.",
        "flips: predictions that change (0 wanted); logit change: the largest, over the mean spread of the logits.",
    )
    return "\n".join([*aligned(rows), "", *notes])


def write_steered(path: Path, found: Sequence[SteeredImages]) -> int:
    """A row per model and image, unreachable ones empty; gives the number of rows.

    Raises:
        SingError: The file cannot be written.
    """
    names = ("attribute_score", "image_score", "step", "flipped", "logit_change")

    def rows() -> Iterator[Cells]:
        for each in found:
            for key, *values in zip(each.keys, *(getattr(each, name).tolist() for name in names), strict=True):
                yield each.model, key, *values

    return write_csv(path, ("model", "image", *names), rows())


def write_matrix(path: Path, found: SteeringMatrix, classes: NDArray[np.object_]) -> int:
    """A row per pair of classes, the first with images; gives the number of rows.

    Raises:
        SingError: The file cannot be written.
    """
    names = [clean(str(name)) for name in classes]

    def rows() -> Iterator[Cells]:
        for source in np.flatnonzero(found.images).tolist():
            for target, name in enumerate(names):
                place = (source, target)
                figures = (float(found.mean[place]), float(found.std[place]))
                yield names[source], name, *figures, int(found.images[source]), int(found.unreachable[place])

    header = ("from", "to", "attribute_score_mean", "attribute_score_std", "images", "unreachable")
    return write_csv(path, header, rows())


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Cells]) -> int:
    """Write a table in one step: numbers in full, nothing for NaN, text that begins no formula; gives the number of rows.

    Raises:
        SingError: The file cannot be written.
    """
    count = 0
    try:
        with replacing(path, durable=False) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(header)
            for row in rows:
                writer.writerow([_cell(value) for value in row])
                count += 1
    except OSError as error:
        raise SingError(f"cannot write {path}: {error.strerror}") from error
    return count


def _cell(value: str | float | int) -> str:
    if isinstance(value, str):
        return csv_text(value)
    return "" if isinstance(value, float) and math.isnan(value) else repr(value)


def agreement_text(found: Agreement) -> str:
    """One block per figure: each model's value, interval and rank in both files, and how far the orders agree."""
    lines = []
    for place, figure in enumerate(COMPARED):
        title, digits = TITLES[figure], ".1f" if figure.startswith("ratio") else ".2f"
        rows = [[title, "in A", "rank", "in B", "rank", "order of classes"]]
        for row, (model, pair) in enumerate(zip(found.models, found.figures, strict=True)):
            cells = [clean(model)]
            for file, each in enumerate(pair):
                cells += [_figure(each, place, digits), str(found.ranks[file, place, row])]
            rows.append([*cells, number(found.class_order[row, place], "+.3f")])
        lines += [*aligned(rows), f"order of models: {number(found.model_order[place], '+.3f')}", ""]
    rows = [["beside any ranking", *(f"{title} {file}" for title, _ in BESIDE_TITLES for file in "AB")]]
    for model, pair in zip(found.models, found.figures, strict=True):
        formats = zip(BESIDE, BESIDE_TITLES, strict=True)
        rows.append([clean(model), *(number(each.beside[name], spec) for name, (_, spec) in formats for each in pair)])
    lines += [*fitting(rows), ""]
    lines.append("Medians over images with 95 % intervals, in degrees (IS/|AS| without unit); rank 1 is the smallest.")
    lines.append("Orders: Spearman correlation between the files; of the classes by their medians.")
    if found.left_out:
        lines.append(f"Not in both files, or without scores: {', '.join(found.left_out)}")
    return "\n".join(lines)


def _figure(figures: Figures, place: int, digits: str) -> str:
    low, high = (number(end, digits) for end in figures.interval[place])
    return f"{number(figures.value[place], digits)} [{low}, {high}]"
