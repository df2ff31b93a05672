"""Details of a model: its head, scores and evidence, where its numbers come from, and AS and IS of its images as dots."""

import numpy as np

from sing_compute.charts.shapes import Ellipse, Scatter, drawable
from sing_compute.formats import named_format
from sing_compute.store import Store, catalogue
from sing_compute.store.leaks import largest_leak
from sing_tui.analyses.sing.evidence import evidence
from sing_tui.details import Detail, Fact, Row

_SAMPLE = 2000
"""Images drawn at most."""
_FIRST = ("warnings", "note", "significance_note", "tag")
"""Attributes that say what the model is; they come before any number."""
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
"""Attributes that come first of those that say where a model's numbers come from; the others follow by name."""
_NOT_SHOWN = ("order",)


class _Figures:
    """The figures of a model in words."""

    def __init__(self, row: Row, model: str) -> None:
        self.row, self.model, self.noun = row, model, row.store.noun
        self.values = row.store.summary(model)
        self.declared = {column.name: column for column in catalogue.table("models").columns}

    def text(self, name: str) -> str:
        """Write one figure with its unit."""
        known = self.declared[name].format
        text = named_format(known, self.row.glyphs).write(self.values.get(name, np.nan))
        return f"{text} degrees" if known in ("degrees", "signed degrees") and text != "-" else text

    def bounded(self, name: str) -> str:
        """Write one figure with its unit and all of its intervals."""
        write = named_format(self.declared[name].format, self.row.glyphs).write
        parts = [self.text(name)]
        column = self.row.columns.get(name)
        for bounds in () if column is None else column.intervals:
            low, high = self.row.ends(bounds.low, bounds.high)
            if low == low and high == high:
                over = bounds.over or self.noun.plural
                parts.append(f"{over} [{write(low)} to {write(high)}]")
        return ", ".join(parts)


def model_detail(row: Row) -> Detail:
    """Make the details of a model."""
    store, model = row.store, str(row.key)
    figures = _Figures(row, model)
    origin = store.attributes(f"models/{model}")
    facts = [(name, str(origin[name])) for name in _FIRST if name in origin]
    facts += _head(figures)
    if "image_score" in figures.values:
        facts += _scores(figures)
    facts += _lambda_path(row, model, figures) + _class_order(store, model)
    facts += evidence(store, model, figures.values, row.glyphs)
    names = [*(name for name in _ORIGIN if name in origin), *(name for name in origin if name not in _ORIGIN)]
    facts += [(name, str(origin[name])) for name in names if name not in (*_FIRST, *_NOT_SHOWN)]
    return _with_dots(row, model, facts)


def _head(figures: _Figures) -> list[Fact]:
    text = figures.text
    return [
        ("correct", f"{text('accuracy')} of {text('images')} {figures.noun.plural}"),
        ("head", f"rank {text('rank')}, nullity {text('nullity')} (softmax {text('nullity_softmax')})"),
        ("singular gap", f"{text('gap')} (tail {text('tail_ratio')})"),
    ]


def _scores(figures: _Figures) -> list[Fact]:
    text, bounded = figures.text, figures.bounded
    centred = f"|AS| {text('attribute_score_centred_abs')}, IS {text('image_score_centred')}"
    translated = f"T(f) {text('zero_shot_translated')}, T(f~) {text('zero_shot_equivalent')}"
    return [
        *_leak(figures),
        ("median AS", bounded("attribute_score")),
        ("median |AS|", bounded("attribute_score_abs")),
        ("median IS", bounded("image_score")),
        ("IS over |AS|", bounded("ratio_images")),
        ("over classes", bounded("ratio_classes")),
        ("null energy", bounded("null_energy")),
        (figures.noun.words("image-specific"), f"{centred}, energy {text('null_energy_centred')}"),
        ("over control", f"|AS| {text('attribute_score_abs_over_control')}, IS {text('image_score_over_control')}"),
        ("flips", f"{text('flips')} of {text('images')} (0 wanted)"),
        ("logit change", f"at most {text('logit_change_max')} of the spread"),
        ("cosine", f"{text('cosine')} (mean embedding alone {text('cosine_baseline')})"),
        ("zero-shot", f"z {text('zero_shot_image')}, {translated}"),
        ("ridge lambda", f"{text('lambda')} (relative {text('lambda_relative')})"),
    ]


def _leak(figures: _Figures) -> list[Fact]:
    """Say which class leaks most, and by which concept."""
    found = largest_leak(figures.row.store, figures.model)
    if found is None:
        return []
    write = named_format("degrees", figures.row.glyphs).write
    return [("largest leak", f"{found.name} by {found.concept}, {write(found.size)} degrees{' *' * found.significant}")]


def _lambda_path(row: Row, model: str, figures: _Figures) -> list[Fact]:
    """Say IS at about a tenth of the chosen penalty, at the chosen one and at ten times it."""
    base = f"models/{model}/translator/path_"
    chosen = figures.values.get("lambda")
    if any(base + name not in row.store for name in ("lambda", "image_score")) or not chosen or not 0 < chosen < np.inf:
        return []
    path, scores = row.store.array(base + "lambda"), row.store.array(base + "image_score")
    known = np.flatnonzero((path > 0) & np.isfinite(path))
    if not len(known):
        return []
    wanted = np.log10(chosen) + np.array([-1, 0, 1])
    near = [int(known[np.abs(np.log10(path[known]) - w).argmin()]) for w in wanted]
    write = named_format("any size", row.glyphs).write
    return [("IS by lambda", ", ".join(f"{scores[k]:.1f} at {write(path[k])}" for k in dict.fromkeys(near)))]


def _class_order(store: Store, model: str) -> list[Fact]:
    """Say which three models order the classes most like this one."""
    if "comparison/class_order" not in store or "comparison/model" not in store:
        return []
    models = [str(name) for name in store.array("comparison/model")]
    if model not in models or len(models) < 2:
        return []
    correlations = store.array("comparison/class_order")[models.index(model)]
    pairs = zip(models, correlations, strict=True)
    others = sorted((-value, name) for name, value in pairs if name != model and value == value)
    text = ", ".join(f"{-value:+.2f} with {name}" for value, name in others[:3])
    return [("order of classes", text)] if others else []


def _with_dots(row: Row, model: str, facts: list[Fact]) -> Detail:
    """Add AS and IS of the images, an even sample of many, with the ellipse of all."""
    store, base = row.store, f"models/{model}/"
    names = ("images/attribute_score", "images/image_score", "summary/score_mean", "summary/score_covariance")
    if any(base + name not in store for name in names):
        reading = f"There are no scores: {store.unscored(model)}."
        return Detail(model, tuple(facts), reading)
    count = len(store.dataset(base + "images/image_score"))
    step = max(1, -(-count // _SAMPLE))
    mean, covariance = store.array(base + "summary/score_mean"), store.array(base + "summary/score_covariance")
    with np.errstate(all="ignore"):
        spread = np.sqrt(np.diag(covariance))
        correlation = covariance[0, 1] / (spread[0] * spread[1]) if spread.all() else np.nan
    item = store.noun.singular
    dots = f"every {item}" if step == 1 else f"one {item} in {step:,}"
    reading = (
        f"AS {mean[0]:+.2f} (sd {spread[0]:.2f}) and IS {mean[1]:.2f} (sd {spread[1]:.2f}) degrees on average, "
        f"correlation {correlation:+.2f}; {dots} as a dot, + the mean, the ellipse holds 95% if normal."
    )
    scores = [store.dataset(base + name)[::step] for name in names[:2]]
    if not (drawable(mean).all() and (np.isfinite(covariance) & (np.abs(covariance) <= 360**2)).all()):
        return Detail(model, tuple(facts), reading)
    shape = Scatter(scores[0], scores[1], "AS, degrees", "IS, degrees", Ellipse("+", model, mean, covariance))
    return Detail(model, tuple(facts), reading, shape)
