"""Details of a class, of a concept and of an image. They read one class of one column of the images at most."""

import numpy as np
from numpy.typing import NDArray

from sing_compute.charts.shapes import Bars, Histogram, Pairs, Violins, drawable
from sing_compute.formats import number_format
from sing_compute.store.constants import SIGNIFICANT, SUBSETS
from sing_tui.details import Detail, Fact, Row

_AROUND = 30
"""Concepts in the chart above and below the one under the cursor."""
_CLASS_FACTS = (
    "index",
    "wnid",
    "count",
    "accuracy",
    "ratio",
    "attribute_score_q50",
    "attribute_score_abs_q50",
    "image_score_q50",
    "attribute_score_abs_control",
    "image_score_control",
    "attribute_score_abs_over_control",
    "image_score_over_control",
    "null_energy_mean",
)
_QUANTILES = ("05", "25", "50", "75", "95")
_SCORES = (("AS", "attribute_score"), ("IS", "image_score"))
_MARK = "significant"
_TOP = ("top_concept", "top_concept_score")
_CORRECT, _INCORRECT = 1, 2
"""Positions of these subsets; the groups of the user follow."""


def class_detail(row: Row) -> Detail:
    """Make the details of a class: its scores and controls, and the distribution of AS over its images."""
    index = int(row.key)
    facts = [*_prompt(row, "classes/prompt", index), *_leak(row), *row.facts(_CLASS_FACTS)]
    facts += [fact for title, name in _SCORES for fact in _quantiles(row, title, name)]
    name = row.store.label("class", index)
    values = _scores_of_class(row, index)
    if values is None or not len(values):
        return Detail(name, tuple(facts), "No scores for this class.")
    known = values[drawable(values)]
    nearer = float(np.mean(known > 0)) if len(known) else np.nan
    subset = _subset(row)
    which = f" ({row.store.label('subset', subset)})" if subset else ""
    reading = (
        f"AS of {len(known):,} {row.store.noun.plural}{which}: {nearer:.0%} come nearer to the class prompt when the null "
        "part is removed (AS above 0), the others move away."
    )
    shape = Histogram(known, "AS, degrees", row.store.noun.plural) if len(known) > 1 else None
    return Detail(name, tuple(facts), reading, shape, _violins(row, index))


def _prompt(row: Row, path: str, index: int) -> list[Fact]:
    return [("prompt", str(row.store.dataset(path)[index]))] if path in row.store else []


def _leak(row: Row) -> list[Fact]:
    """Say the largest concept shift of the class, and by which concept."""
    size, concept, mark = (row.columns.get(name) for name in ("leak", "leak_concept", "leak_significant"))
    if size is None or concept is None or not np.isfinite(row.number(size)):
        return []
    sign = " *" if mark is not None and row.cell(mark) else ""
    return [
        (size.title, f"{number_format(size, row.glyphs).write(row.number(size))} degrees by {row.cell(concept)}{sign}")
    ]


def _quantiles(row: Row, title: str, score: str) -> list[Fact]:
    """Write five percentiles of a score in one fact; none where the table has none of them."""
    columns = [row.columns.get(f"{score}_q{quantile}") for quantile in _QUANTILES]
    if not any(columns):
        return []
    texts = ("-" if c is None else number_format(c, row.glyphs).write(row.number(c)) for c in columns)
    return [(f"{title} 5 25 50 75 95%", " ".join(texts))]


def _subset(row: Row) -> int:
    return row.place.index("subset") or 0


def _violins(row: Row, index: int) -> Violins | None:
    """Show the distributions of AS and IS of all images of a class, from stored percentiles."""
    base = f"models/{row.place.name('model')}/classes/"
    paths = {title: f"{base}{name}_curve" for title, name in _SCORES}
    if _subset(row) or any(path not in row.store for path in paths.values()):
        return None
    curves = {title: row.store.dataset(path)[index] for title, path in paths.items()}
    good = all(drawable(curve).all() and (np.diff(curve) >= 0).all() for curve in curves.values())
    return Violins(tuple(curves), tuple(curves.values())) if good else None


def _scores_of_class(row: Row, index: int) -> NDArray[np.floating] | None:
    """Read AS of the images of a class that are in the subset of the place; None where the file does not hold them."""
    store, base, subset = row.store, f"models/{row.place.name('model')}/images/", _subset(row)
    if base + "attribute_score" not in store:
        return None
    images = slice(int(store.offsets[index]), int(store.offsets[index + 1]))
    values: NDArray[np.floating] = store.dataset(base + "attribute_score")[images]
    if subset in (_CORRECT, _INCORRECT):
        correct = store.dataset(base + "prediction")[images] == index
        return np.asarray(values[correct if subset == _CORRECT else ~correct])
    if subset and "images/group" in store:
        return np.asarray(values[store.dataset("images/group")[images] == subset - len(SUBSETS)])
    return None if subset else values


def concept_detail(row: Row) -> Detail:
    """Make the details of a concept: its figures, and angles before and after for the concepts around it."""
    index, table = int(row.key), row.view.table
    facts = _prompt(row, "concepts/prompt", index)
    for column in table.columns[1:]:
        if column.name == _MARK:
            facts.append((f"q < {SIGNIFICANT:g}", row.fact(column)[1]))
        elif column.role != "bound":
            facts.append(row.fact(column))
    title = row.store.label("concept", index)
    if not {"angle_before", "angle_after"} <= row.columns.keys():
        return Detail(title, tuple(facts))
    first = max(0, row.line - _AROUND)
    rows = row.view.order[first : row.line + _AROUND + 1]
    labels, before, after = (
        table.column(name).values.take(rows) for name in ("concept", "angle_before", "angle_after")
    )
    here = row.line - first
    shift = float(before[here]) - float(after[here])
    if not np.isfinite(shift):
        return Detail(title, tuple(facts))
    moved = "nearer to" if shift > 0 else "away from"
    reading = (
        f"Removing the null part moves the {row.store.noun.plural} {abs(shift):.2f} degrees {moved} this concept. "
        "Below: angles before and after, for the concepts around the cursor."
    )
    shape = Pairs(tuple(map(str, labels)), tuple(map(float, before)), tuple(map(float, after)), here)
    return Detail(title, tuple(facts), reading, shape)


def image_detail(row: Row) -> Detail:
    """Make the details of an image: its figures, the images nearest to it, and the concepts that move most."""
    store, index = row.store, int(row.key)
    facts = row.facts([column.name for column in row.view.table.columns[1:] if column.name not in _TOP])
    base = f"models/{row.place.name('model')}/images/"
    for name, text in (("nearest_before", "near T(f)"), ("nearest_after", "near T(f~)")):
        if base + name in store:
            nearest = (int(image) for image in store.dataset(base + name)[index])
            facts += [(text, store.label("image", image)) for image in nearest if 0 <= image < store.offsets[-1]]
    if any(base + name not in store for name in _TOP):
        return Detail(row.title, tuple(facts))
    concepts, shifts = (store.dataset(base + name)[index] for name in _TOP)
    labels = tuple(store.label("concept", int(concept)) for concept in concepts)
    item = store.noun.singular
    reading = (
        f"Concepts that move most when the null part is removed: above 0 the {item} comes nearer to them (degrees)."
    )
    return Detail(row.title, tuple(facts), reading, Bars(labels, tuple(map(float, shifts))))
