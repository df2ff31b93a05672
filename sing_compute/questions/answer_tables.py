"""Make the tables that the verbs print, and CSV files in which no spreadsheet finds a formula."""

import csv
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from sing_compute.atomic_write import text_file
from sing_compute.errors import SingError
from sing_compute.measuring.comparison import ORDERING_FIGURES
from sing_compute.pipeline.closing_table import align, fit_width
from sing_compute.questions.agreement import CONTEXT_FIGURES, Agreement, Figures
from sing_compute.questions.explaining import Explanation
from sing_compute.questions.steering import SteeredImages, SteeringMatrix, Target
from sing_compute.store import Store
from sing_compute.store.constants import SIGNIFICANT
from sing_compute.store.noun import IMAGE, Noun
from sing_compute.store.text import clean, csv_text

TITLES = {"attribute_score_abs": "|AS|", "image_score": "IS", "ratio_images": "IS/|AS|"}
CONTEXT_TITLES = (
    ("nullity", ".0f"),
    ("null energy", ".2f"),
    ("|AS|/control", ".2f"),
    ("IS/control", ".2f"),
    ("relative lambda", ".2g"),
)
"""Column titles and number formats of `CONTEXT_FIGURES`."""
Cells = Iterable[str | float | int]
"""One row of a CSV file."""


def number(value: float, spec: str) -> str:
    """Format a number; return a dash if it is not finite."""
    return format(value, spec) if math.isfinite(value) else "-"


def added_table(store: Store, new: Sequence[str]) -> str:
    """List for each new concept and model the class with the largest |mean AS|, its figures, and how many are significant.

    Args:
        store: The results file, with the new concepts.
        new: Their names.
    """
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
            figures = number(float(score[best]), "+.2f"), number(float(q[best]), ".3f")
            rows.append([concept, clean(model), name, *figures, significant])
    return "\n".join(align(rows))


def explanation_text(found: Explanation, path: Path) -> str:
    """Describe the answer of one model about one photograph; angles in degrees.

    Args:
        found: The answer of the model.
        path: The photograph.
    """
    lines = [f"{found.model}: {path}", f"  prediction   {found.prediction} ({found.confidence:.1%})"]
    scores = found.scores
    if scores is None:
        return "\n".join([*lines, f"  {found.unscored}", ""])
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
    lines += [f"  {line}" for line in align(rows)]
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


def steering_table(
    found: Sequence[SteeredImages], source: str, target: Target, angle: float, noun: Noun = IMAGE
) -> str:
    """List for each model AS toward the target (SING, Table 1), and what the step changes in the logits.

    Args:
        found: The steered images of each model.
        source: Name of the class whose images were steered.
        target: The text that they were steered toward.
        angle: Image Score of the step, in degrees.
        noun: What the file calls its images.
    """
    header = ["model", noun.plural, "AS toward it", "IS", "IS/AS", "unreachable", "flips", "logit change"]
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
        f"AS: mean +- standard deviation over {noun.plural}, in degrees; out-of-fold translators.",
        "flips: predictions that change (0 wanted); logit change: the largest, over the mean spread of the logits.",
    )
    return "\n".join([*align(rows), "", *notes])


def write_steered(path: Path, found: Sequence[SteeredImages]) -> int:
    """Write one row per model and image; cells of images that cannot reach the angle are empty.

    Args:
        path: The CSV file.
        found: The steered images of each model.

    Returns:
        The number of rows.

    Raises:
        SingError: The file cannot be written.
    """
    names = ("attribute_score", "image_score", "step", "flipped", "logit_change")

    def rows() -> Iterator[Cells]:
        for each in found:
            for key, *values in zip(each.keys, *(getattr(each, name).tolist() for name in names), strict=True):
                yield each.model, key, *values

    return write_csv(path, ("model", "image", *names), rows())


def write_matrix(path: Path, found: SteeringMatrix, classes: Sequence[str]) -> int:
    """Write one row per pair of classes, the first of which has images.

    Args:
        path: The CSV file.
        found: Every class steered toward every class.
        classes: Their names.

    Returns:
        The number of rows.

    Raises:
        SingError: The file cannot be written.
    """
    names = [clean(name) for name in classes]

    def rows() -> Iterator[Cells]:
        for source in np.flatnonzero(found.images).tolist():
            for target, name in enumerate(names):
                place = (source, target)
                figures = (float(found.mean[place]), float(found.std[place]))
                yield names[source], name, *figures, int(found.images[source]), int(found.unreachable[place])

    header = ("from", "to", "attribute_score_mean", "attribute_score_std", "images", "unreachable")
    return write_csv(path, header, rows())


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Cells]) -> int:
    """Write a table in one step: numbers in full, nothing for NaN, and text that begins no formula.

    Args:
        path: The CSV file.
        header: Names of the columns.
        rows: Their cells.

    Returns:
        The number of rows.

    Raises:
        SingError: The file cannot be written.
    """
    count = 0
    try:
        with text_file(path, durable=False) as stream:
            writer = csv.writer(stream)
            writer.writerow(header)
            for row in rows:
                writer.writerow([_cell(value) for value in row])
                count += 1
    except OSError as error:
        raise SingError(f"cannot write {path}: {error.strerror or error}") from error
    return count


def _cell(value: str | float | int) -> str:
    if isinstance(value, str):
        return csv_text(value)
    return "" if isinstance(value, float) and math.isnan(value) else repr(value)


def agreement_text(found: Agreement, noun: Noun = IMAGE) -> str:
    """List for each figure every model's value, interval and rank in both files, and how far the orders agree.

    Args:
        found: The comparison of two files, which are called A and B.
        noun: What the files call their images.
    """
    lines = []
    for place, figure in enumerate(ORDERING_FIGURES):
        title, digits = TITLES[figure], ".1f" if figure.startswith("ratio") else ".2f"
        rows = [[title, "in A", "rank", "in B", "rank", "order of classes"]]
        for row, (model, pair) in enumerate(zip(found.models, found.figures, strict=True)):
            cells = [clean(model)]
            for file, each in enumerate(pair):
                cells += [_figure(each, place, digits), str(found.ranks[file, place, row])]
            rows.append([*cells, number(found.class_order[row, place], "+.3f")])
        lines += [*align(rows), f"order of models: {number(found.model_order[place], '+.3f')}", ""]
    rows = [["read with any ranking", *(f"{title} {file}" for title, _ in CONTEXT_TITLES for file in "AB")]]
    for model, pair in zip(found.models, found.figures, strict=True):
        formats = zip(CONTEXT_FIGURES, CONTEXT_TITLES, strict=True)
        rows.append([clean(model), *(number(each.context[name], spec) for name, (_, spec) in formats for each in pair)])
    lines += [*fit_width(rows), ""]
    lines.append(
        f"Medians over {noun.plural} with 95 % intervals, in degrees (IS/|AS| without unit); rank 1 is the smallest."
    )
    lines.append("Orders: Spearman correlation between the files; of the classes by their medians.")
    if found.left_out:
        lines.append(f"Not in both files, or without scores: {', '.join(found.left_out)}")
    return "\n".join(lines)


def _figure(figures: Figures, place: int, digits: str) -> str:
    low, high = (number(end, digits) for end in figures.interval[place])
    return f"{number(figures.value[place], digits)} [{low}, {high}]"
