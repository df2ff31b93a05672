"""What stands beside a table about the row under the cursor: facts with their units, one sentence, and the paper's picture.

Reads one class of one image column at most, except for the models' scatter, which takes an even sample.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sing_compute.store import FIELDS, Store
from sing_compute.store.schema import SIGNIFICANT
from sing_tui.evidence import Fact, evidence
from sing_tui.formats import UNICODE, Glyphs, in_words, number_format, with_interval
from sing_tui.pictures import Bars, Histogram, Picture, Scatter, Strings, Violins, drawable
from sing_tui.place import Beside, Place, class_title
from sing_tui.view import View

_SAMPLE = 2000
_AROUND = 30
_FIRST = ("note", "significance_note", "tag")
"""What a model is, before any number."""
_ORIGIN = (
    "weights_file",
    "stored_precision",
    "precision",
    "lambda_choice",
    "invariance",
    "command",
    "written",
    "weights_sha256",
)
"""What is told first of where a model's numbers come from; the rest follows by name."""
_CLASS_FACTS = (
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


@dataclass(frozen=True, slots=True, eq=False)
class Detail:
    """Facts about one row; `reading` says in words what the picture shows."""

    title: str
    facts: tuple[Fact, ...] = ()
    reading: str = ""
    picture: Picture | None = None
    strip: Violins | None = None
    """A few lines above the picture."""


def detail_of(store: Store, place: Place, view: View, line: int, glyphs: Glyphs = UNICODE) -> Detail:
    """The details of the row on a line of a view.

    Raises:
        StoreError: The file lacks something that its schema promises.
    """
    identity = view.identity(line)
    if place.beside is not None:
        return _compared(store, place, place.beside, view, line, glyphs)
    if place.level == "models":
        return _model(store, view, line, glyphs)
    if place.level == "classes":
        return _class(store, place, view, line, identity, glyphs)
    if place.level == "concepts":
        return _concept(store, view, line, identity, glyphs)
    return _image(store, place, view, line, identity, glyphs)


def _compared(store: Store, place: Place, beside: Beside, view: View, line: int, glyphs: Glyphs) -> Detail:
    """What stands side by side in one row, as facts and as bars."""
    ends = {end for column in view.table.columns for end in column.interval or ()}
    numbers = [column for column in view.table.columns if not column.is_text and column.name not in ends]
    facts = _row(view, line, tuple(column.name for column in view.table.columns[1:]), glyphs, left_out=ends)
    row = view.order[line : line + 1]
    title = str(view.table.columns[0].values.take(row)[0])
    sides = [column for column in numbers if column.name.count(".") == 1]
    labels = [*beside.models, *(class_title(store, index) for index in beside.classes)]
    values = [float(column.values.take(row)[0]) for column in sides]
    known = [k for k, value in enumerate(values) if np.isfinite(value)]
    if len(labels) != len(sides) or not known:
        return Detail(title, tuple(facts))
    least, most = min(known, key=values.__getitem__), max(known, key=values.__getitem__)
    write = number_format(sides[0].name, sides[0].unit, glyphs).write
    reading = (
        f"Largest in {glyphs.text(labels[most])} ({write(values[most])}), smallest in {glyphs.text(labels[least])} "
        f"({write(values[least])}); the others against {glyphs.text(labels[0])}."
    )
    return Detail(title, tuple(facts), reading, Bars(tuple(labels), tuple(values)))


def _model(store: Store, view: View, line: int, glyphs: Glyphs) -> Detail:
    model = store.models[view.identity(line)]
    figures = store.summary(model)
    known = {column.name: column for column in view.table.columns}
    row = view.order[line : line + 1]

    def cell(name: str) -> float:
        return float(known[name].values.take(row)[0]) if name in known else np.nan

    def bounded(name: str) -> str:
        write = number_format(name, FIELDS[f"models/{{model}}/summary/{name}"].unit, glyphs).write
        parts = [tell(name)]
        for middle, over in (("", "images"), ("classes_", "classes")):
            low, high = cell(f"{name}_{middle}low"), cell(f"{name}_{middle}high")
            if low == low and high == high:
                parts.append(f"{over} [{write(low)} to {write(high)}]")
        return ", ".join(parts)

    def tell(name: str) -> str:
        known = FIELDS[f"models/{{model}}/summary/{name}"]
        return in_words(name, known.unit, figures.get(name, np.nan), glyphs)

    origin = store.attributes(f"models/{model}")
    facts: list[Fact] = [
        *((name, str(origin[name])) for name in _FIRST if name in origin),
        ("predicted right", f"{tell('accuracy')} of {tell('images')} images"),
        ("head", f"rank {tell('rank')}, nullity {tell('nullity')} (softmax {tell('nullity_softmax')})"),
        ("singular gap", f"{tell('gap')} (tail {tell('tail_ratio')})"),
    ]
    if "image_score" in figures:
        facts += [
            ("median AS", bounded("attribute_score")),
            ("median |AS|", bounded("attribute_score_abs")),
            ("median IS", bounded("image_score")),
            ("IS over |AS|", bounded("ratio_images")),
            ("over classes", bounded("ratio_classes")),
            ("null energy", bounded("null_energy")),
            ("image-specific", f"|AS| {tell('attribute_score_centred_abs')}, IS {tell('image_score_centred')}, "
                               f"energy {tell('null_energy_centred')}"),
            ("over control", f"|AS| {tell('attribute_score_abs_over_control')}, IS {tell('image_score_over_control')}"),
            ("flips", f"{tell('flips')} of {tell('images')} (0 wanted)"),
            ("logit change", f"at most {tell('logit_change_max')} of the spread"),
            ("cosine", f"{tell('cosine')} (mean embedding alone {tell('cosine_baseline')})"),
            ("zero-shot", f"z {tell('zero_shot_image')}, T(f) {tell('zero_shot_translated')}, "
                          f"T(f~) {tell('zero_shot_equivalent')}"),
            ("ridge lambda", f"{tell('lambda')} (relative {tell('lambda_relative')})"),
        ]  # fmt: skip
    facts += _lambda_path(store, model, figures, glyphs) + _class_order(store, model)
    facts += evidence(store, model, figures, glyphs)
    names = [*(name for name in _ORIGIN if name in origin), *(name for name in origin if name not in _ORIGIN)]
    facts += [(name, str(origin[name])) for name in names if name not in ("order", *_FIRST)]
    base = f"models/{model}/"
    drawn = ("images/attribute_score", "images/image_score", "summary/score_mean", "summary/score_covariance")
    if any(base + name not in store for name in drawn):
        return Detail(
            model, tuple(facts), "This head has no null space: nothing can be removed, so there are no scores."
        )
    count = len(store.dataset(base + "images/image_score"))
    step = max(1, -(-count // _SAMPLE))
    mean, covariance = store.array(base + "summary/score_mean"), store.array(base + "summary/score_covariance")
    with np.errstate(all="ignore"):
        spread = np.sqrt(np.diag(covariance))
        correlation = covariance[0, 1] / (spread[0] * spread[1]) if spread.all() else np.nan
    shown = "every image" if step == 1 else f"every {step}th image"
    reading = (
        f"AS {mean[0]:+.2f} (sd {spread[0]:.2f}) and IS {mean[1]:.2f} (sd {spread[1]:.2f}) degrees on average, "
        f"correlation {correlation:+.2f}; {shown} as a dot, + the mean, the ellipse holds 95% if normal."
    )
    scores = [store.dataset(base + f"images/{name}")[::step] for name in ("attribute_score", "image_score")]
    sane = drawable(mean).all() and (np.isfinite(covariance) & (np.abs(covariance) <= 360**2)).all()
    return Detail(model, tuple(facts), reading, Scatter(scores[0], scores[1], mean, covariance) if sane else None)


def _lambda_path(store: Store, model: str, figures: dict[str, float | int], glyphs: Glyphs) -> list[Fact]:
    base = f"models/{model}/translator/path_"
    chosen = figures.get("lambda")
    if base + "lambda" not in store or base + "image_score" not in store or not chosen or not 0 < chosen < np.inf:
        return []
    path, scores = store.array(base + "lambda"), store.array(base + "image_score")
    known = np.flatnonzero((path > 0) & np.isfinite(path))
    if not len(known):
        return []
    wanted = np.log10(chosen) + np.array([-1, 0, 1])
    near = [int(known[np.abs(np.log10(path[known]) - w).argmin()]) for w in wanted]
    write = number_format("lambda", "1", glyphs).write
    points = ", ".join(f"{scores[k]:.1f} at {write(path[k])}" for k in dict.fromkeys(near))
    return [("IS by lambda", points)]


def _class_order(store: Store, model: str) -> list[Fact]:
    if "comparison/class_order" not in store or "comparison/model" not in store:
        return []
    models = [str(name) for name in store.array("comparison/model")]
    if model not in models or len(models) < 2:
        return []
    row = store.array("comparison/class_order")[models.index(model)]
    others = sorted((-value, name) for name, value in zip(models, row, strict=True) if name != model and value == value)
    return (
        [("order of classes", ", ".join(f"{-value:+.2f} with {name}" for value, name in others[:3]))] if others else []
    )


def _row(
    view: View, line: int, names: tuple[str, ...], glyphs: Glyphs, *, left_out: Collection[str] = ()
) -> list[Fact]:
    """Cells of one row by column name, with units and intervals; columns that the table lacks are left out."""
    facts = []
    known = {column.name: column.values for column in view.table.columns}
    row = view.order[line : line + 1]
    for column in view.table.columns:
        if column.name in names and column.name not in left_out:
            value, ends = column.values.take(row)[0], (np.nan, np.nan)
            if column.interval is not None and set(column.interval) <= known.keys():
                low, high = (float(known[end].take(row)[0]) for end in column.interval)
                ends = (low, high)
            text = str(value) if column.is_text else with_interval(column.name, column.unit, float(value), ends, glyphs)
            mark = column.name == "significant"
            facts.append((f"q < {SIGNIFICANT:g}", "yes" if text else "no") if mark else (column.title, text))
    return facts


def _class(store: Store, place: Place, view: View, line: int, index: int, glyphs: Glyphs) -> Detail:
    facts: list[Fact] = [("prompt", str(store.dataset("classes/prompt")[index]))]
    facts += _row(view, line, ("index", "wnid", "count", "accuracy", *_CLASS_FACTS), glyphs)
    for title, name in (("AS", "attribute_score"), ("IS", "image_score")):
        parts = dict(_row(view, line, tuple(f"{name}_q{q}" for q in ("05", "25", "50", "75", "95")), glyphs))
        if parts:
            quantiles = (f"{title} 5%", f"{title} 25%", title, f"{title} 75%", f"{title} 95%")
            written = [parts.get(key, "-").split(" ")[0] for key in quantiles]
            facts.append((f"{title} 5 25 50 75 95%", " ".join(written)))
    name = str(store.class_names[index])
    values = _class_slice(store, place, index)
    if values is None or not len(values):
        return Detail(name, tuple(facts), "No scores for this class.")
    known = values[drawable(values)]
    nearer = float(np.mean(known > 0)) if len(known) else np.nan
    which = "" if place.subset == "all" else f" ({place.subset})"
    reading = (
        f"AS of {len(known):,} images{which}: {nearer:.0%} come nearer to the class prompt when the null part is removed "
        "(AS above 0), the others move away."
    )
    picture = Histogram(known, "AS, degrees") if len(known) > 1 else None
    return Detail(name, tuple(facts), reading, picture, _violins(store, place, index))


def _violins(store: Store, place: Place, index: int) -> Violins | None:
    """How AS and IS of all images of a class spread, from stored percentiles."""
    base = f"models/{place.model}/classes/"
    paths = {title: f"{base}{name}_curve" for title, name in (("AS", "attribute_score"), ("IS", "image_score"))}
    if place.subset != "all" or any(path not in store for path in paths.values()):
        return None
    curves = {title: store.dataset(path)[index] for title, path in paths.items()}
    good = all(drawable(curve).all() and (np.diff(curve) >= 0).all() for curve in curves.values())
    return Violins(tuple(curves), tuple(curves.values())) if good else None


def _class_slice(store: Store, place: Place, index: int) -> NDArray[np.floating] | None:
    path = f"models/{place.model}/images/attribute_score"
    if path not in store:
        return None
    rows = slice(int(store.offsets[index]), int(store.offsets[index + 1]))
    values: NDArray[np.floating] = store.dataset(path)[rows]
    if place.subset in ("right", "wrong"):
        right = store.dataset(f"models/{place.model}/images/prediction")[rows] == index
        return np.asarray(values[right if place.subset == "right" else ~right])
    if place.subset.startswith("group:") and "images/group" in store and "groups/name" in store:
        names = [str(name) for name in store.array("groups/name")]
        wanted = place.subset.removeprefix("group:")
        if wanted in names:
            return np.asarray(values[store.dataset("images/group")[rows] == names.index(wanted)])
    return values if place.subset == "all" else None


def _concept(store: Store, view: View, line: int, index: int, glyphs: Glyphs) -> Detail:
    facts: list[Fact] = [("prompt", str(store.dataset("concepts/prompt")[index]))]
    ends = {name for column in view.table.columns for name in column.interval or ()}
    facts += _row(view, line, tuple(c.name for c in view.table.columns[1:] if c.name not in ends), glyphs)
    title = str(store.concept_names[index])
    if not {"angle_before", "angle_after"} <= {column.name for column in view.table.columns}:
        return Detail(title, tuple(facts))
    low = max(0, line - _AROUND)
    rows = view.order[low : line + _AROUND + 1]
    labels = view.table.column("concept").values.take(rows)
    before, after = (view.table.column(name).values.take(rows) for name in ("angle_before", "angle_after"))
    shift = float(before[line - low]) - float(after[line - low])
    if not np.isfinite(shift):
        return Detail(title, tuple(facts))
    moved = "nearer to" if shift > 0 else "away from"
    reading = (
        f"Removing the null part moves the images {abs(shift):.2f} degrees {moved} this concept. "
        "Below: angles before and after, for the concepts around the cursor."
    )
    picture = Strings(tuple(map(str, labels)), tuple(map(float, before)), tuple(map(float, after)), line - low)
    return Detail(title, tuple(facts), reading, picture)


def _image(store: Store, place: Place, view: View, line: int, index: int, glyphs: Glyphs) -> Detail:
    names = tuple(column.name for column in view.table.columns[1:] if not column.name.startswith("top_concept"))
    facts = _row(view, line, names, glyphs)
    title = str(view.table.column("image").values.take(view.order[line : line + 1])[0])
    base = f"models/{place.model}/images/"
    for path, text in (("nearest_before", "near T(f)"), ("nearest_after", "near T(f~)")):
        if base + path in store:
            for neighbour in store.dataset(base + path)[index]:
                if 0 <= neighbour < store.offsets[-1]:
                    facts.append((text, str(store.dataset("images/key")[int(neighbour)])))
    if base + "top_concept" not in store or base + "top_concept_score" not in store:
        return Detail(title, tuple(facts))
    top, shifts = store.dataset(base + "top_concept")[index], store.dataset(base + "top_concept_score")[index]
    labels = tuple(str(store.concept_names[k]) if 0 <= k < len(store.concept_names) else "-" for k in top)
    reading = "Concepts that move most when the null part is removed: above 0 the image comes nearer to them (degrees)."
    return Detail(title, tuple(facts), reading, Bars(labels, tuple(map(float, shifts))))
