"""Charts of one model, or of all of them: scores, ratios, perturbations, singular values, common and image-specific part."""

from string import ascii_letters, ascii_lowercase, ascii_uppercase

import numpy as np

from sing_compute.charts.registry import Chart
from sing_compute.charts.shapes import Curves, Ellipse, IntervalBars, Pairs, Panels, Scatter, drawable
from sing_compute.charts.sing.subject import Cells, ScoreSubject, chart_table, number, stored
from sing_compute.errors import SingError
from sing_compute.formats import named_format
from sing_compute.store import FIELDS, Store
from sing_compute.store.constants import CHOSEN

_SAMPLE = 2000
"""Images, or points of a curve, drawn at most."""
_NEAR = 1e3
"""A cut further below the singular values than this is mentioned in words alone: it would press them flat."""
_KINDS, _LENGTHS = 8, 40
"""Perturbations drawn at most."""


def scatter(about: ScoreSubject) -> Chart:
    """Show AS and IS of images of one model, and the ellipse of every model."""
    about.require(
        "scores", "images/attribute_score", "images/image_score", "summary/score_mean", "summary/score_covariance"
    )
    store = about.store
    ellipses = {}
    letters = dict(zip(store.models, ascii_uppercase + ascii_lowercase, strict=False))
    letters.setdefault(about.model, "+")
    for model, letter in letters.items():
        base = f"models/{model}/summary/score_"
        if base + "mean" in store and base + "covariance" in store:
            mean, covariance = store.array(base + "mean"), store.array(base + "covariance")
            sane = drawable(mean).all() and (np.abs(covariance) <= 360**2).all()
            if sane and np.allclose(covariance, covariance.T, atol=1e-6):
                ellipses[model] = Ellipse(letter, model, mean, covariance, store.models.index(model))
    if about.model not in ellipses:
        raise SingError(f"this file holds no ellipse of {about.model}: it has fewer than two scores, or damaged ones")
    own = ellipses[about.model]
    others = tuple(one for model, one in ellipses.items() if model != about.model)
    base = f"models/{about.model}/images/"
    count = len(store.dataset(base + "image_score"))
    step = max(1, -(-count // _SAMPLE))
    dots = [store.dataset(base + name)[::step] for name in ("attribute_score", "image_score")]
    spread = np.sqrt(np.maximum(np.diag(own.covariance), 0))
    correlation = own.covariance[0, 1] / (spread[0] * spread[1]) if spread.all() else np.nan
    place = 1 + sum(one.mean[1] > own.mean[1] for one in others)
    dot = about.noun.with_article if step == 1 else f"one {about.noun.singular} in {step:,}"
    among = f"; number {place} of {len(ellipses)} models by mean IS" if others else ""
    reading = (
        f"{about.brief(about.model)} ({own.letter}): AS {own.mean[0]:+.2f} (sd {spread[0]:.2f}) and IS {own.mean[1]:.2f} "
        f"(sd {spread[1]:.2f}) degrees on average, correlation {number(correlation, '+.2f')}{among}. "
        f"A dot is {dot}; an ellipse holds 95% of its model if normal."
    )
    rows = list(ellipses.values())
    covariances = np.stack([one.covariance for one in rows])
    means = np.stack([one.mean for one in rows])
    table = chart_table(
        "models",
        ("model", "text", "model of this file", [one.label for one in rows]),
        ("letter", "text", "letter in the chart", [one.letter for one in rows]),
        ("attribute_score_mean", "degree", "mean AS over images", means[:, 0]),
        ("image_score_mean", "degree", "mean IS over images", means[:, 1]),
        ("attribute_score_variance", "degree^2", "variance of AS over images", covariances[:, 0, 0]),
        ("image_score_variance", "degree^2", "variance of IS over images", covariances[:, 1, 1]),
        ("covariance", "degree^2", "covariance of AS and IS over images", covariances[:, 0, 1]),
    )
    shape = Scatter(dots[0], dots[1], "AS, degrees", "IS, degrees", own, others)
    return Chart(f"AS and IS of {about.model}", reading, shape, table)


def ratios(about: ScoreSubject) -> Chart:
    """Show IS/|AS| of every model, largest first."""
    store = about.store
    found: list[tuple[float, str, tuple[float, float], tuple[float, float]]] = []
    for model in store.models:
        if f"models/{model}/summary/ratio_images" in store:
            value = float(store.array(f"models/{model}/summary/ratio_images"))
            found.append((value, model, _interval(store, model, "images"), _interval(store, model, "classes")))
    found.sort(key=lambda row: (-row[0] if np.isfinite(row[0]) else np.inf, row[1]))
    if not any(np.isfinite(row[0]) for row in found):
        raise SingError(
            f"this file holds no IS/|AS|: no model has scores ({about.model}: {store.unscored(about.model)})"
        )
    values, models = tuple(row[0] for row in found), tuple(row[1] for row in found)
    images, classes = tuple(row[2] for row in found), tuple(row[3] for row in found)
    chosen = models.index(about.model) if about.model in models else -1
    write = named_format("any size", about.glyphs).write
    reading = f"{about.brief(models[0])} has the highest IS/|AS|, {write(values[0])}. "
    if chosen >= 0:
        reading = (
            f"{about.brief(about.model)} is number {chosen + 1} of {len(models)} by IS/|AS|, {write(values[chosen])}"
        )
        for over, pair in (("images", images[chosen]), ("classes", classes[chosen])):
            if np.isfinite(pair).all():
                reading += f", over {about.noun.words(over)} {write(pair[0])} to {write(pair[1])}"
        lower = [pair[1] for pair in images[chosen + 1 :] if np.isfinite(pair).all()]
        known = bool(lower) and bool(np.isfinite(images[chosen]).all())
        clear = sum(end < images[chosen][0] for end in lower)
        reading += f"; {_separated(clear, len(lower))}. " if known else ". "
    reading += about.noun.words(
        "[ ] 95% interval over images, ( ) over classes. High: images move far, but hardly toward or from their class."
    )
    table = chart_table(
        "models",
        ("model", "text", "model of this file", models),
        ("ratio_images", "1", FIELDS["models/{model}/summary/ratio_images"].description, values),
        *(
            (
                f"ratio_images_{over}{end}",
                "1",
                f"{side} end of the 95 % interval over {what}",
                [pair[k] for pair in pairs],
            )
            for over, what, pairs in (("", "images", images), ("classes_", "classes", classes))
            for k, (end, side) in enumerate((("low", "lower"), ("high", "upper")))
        ),
    )
    names = (about.noun.words("over images"), "over classes")
    numbers = tuple(map(store.models.index, models))
    shape = IntervalBars(models, values, images, classes, chosen, "IS/|AS|", interval_names=names, numbers=numbers)
    return Chart("IS over |AS|, sorted", reading, shape, table)


def _separated(clear: int, rest: int) -> str:
    """Say how many of the models with a lower value have an interval that ends below that of the model."""
    if clear == rest:
        return (
            "all intervals of lower models end below its own" if rest > 1 else "the interval below ends below its own"
        )
    if not clear:
        return (
            "the intervals of all lower models overlap its own" if rest > 1 else "the interval below overlaps its own"
        )
    return f"the intervals of {rest - clear} of the {rest} lower models overlap its own"


def _interval(store: Store, model: str, over: str) -> tuple[float, float]:
    base = f"models/{model}/bootstrap/"
    if base + "figure" not in store or base + f"{over}_interval" not in store:
        return np.nan, np.nan
    which = np.flatnonzero(store.array(base + "figure") == "ratio_images")
    bounds = store.array(base + f"{over}_interval")
    bounds = bounds[CHOSEN] if bounds.ndim == 3 else bounds
    return (float(bounds[which[0], 0]), float(bounds[which[0], 1])) if len(which) else (np.nan, np.nan)


def validation(about: ScoreSubject) -> Chart:
    """Show logit change and flips against the length of a perturbation, for each kind (SING, Fig. 9)."""
    names = ("logit_change", "perturbation_flips")
    about.require("perturbations", "controls/perturbation", "controls/length", *(f"controls/{name}" for name in names))
    kinds = [str(kind) for kind in about.store.array(f"models/{about.model}/controls/perturbation")]
    length, change, flips = (about.array(f"controls/{name}") for name in ("length", *names))
    kinds, length, change, flips = kinds[:_KINDS], length[:_LENGTHS], *(c[:_KINDS, :_LENGTHS] for c in (change, flips))
    if not (np.isfinite(length).any() and change.size and np.isfinite(change).any()):
        raise SingError(f"this file holds no perturbations of {about.model} that can be drawn")
    letters = _initials(kinds)
    last = int(np.nanargmax(np.where(np.isfinite(length), length, -np.inf)))
    write = named_format("any size", about.glyphs).write
    parts = [
        f"{about.brief(kind)} {write(change[k, last])} and {number(flips[k, last], '.1%')} flips"
        for k, kind in enumerate(kinds)
    ]
    reading = (
        f"Logit change over the logit spread, and share of predictions that change, at {write(length[last])} times the null "
        f"part's length: {'; '.join(parts)}. The null space should stay at 0."
    )
    table = chart_table(
        "perturbations",
        (
            "perturbation",
            "text",
            FIELDS["models/{model}/controls/perturbation"].description,
            np.repeat(kinds, len(length)),
        ),
        stored("controls/length", np.tile(length, len(kinds))),
        stored("controls/logit_change", change.ravel()),
        stored("controls/perturbation_flips", flips.ravel()),
    )
    titles = ("logit change / spread", f"flips, % of {about.noun.plural}")
    curves = [
        Curves(length, tuple(zip(letters, kinds, values, strict=True)), "length / null part", title)
        for title, values in zip(titles, (change, flips * 100), strict=True)
    ]
    return Chart(f"Perturbations of one length: {about.model}", reading, Panels(tuple(curves)), table)


def _initials(names: list[str]) -> list[str]:
    """Choose a letter for each name: its own first letter where these differ."""
    firsts = [name[:1] for name in names]
    plain = all(first.isascii() and first.isalpha() for first in firsts)
    return firsts if plain and len(set(firsts)) == len(firsts) else list(ascii_letters[: len(names)])


def spectrum(about: ScoreSubject) -> Chart:
    """Show singular values of the head with the cut of its rank, and those of the null space seen through the translator."""
    about.require("singular values", "head/singular_values", "summary/cutoff", "summary/gap", "summary/nullity")
    head, cutoff = about.array("head/singular_values"), float(about.array("summary/cutoff"))
    gap, nullity = (float(about.array(f"summary/{name}")) for name in ("gap", "nullity"))
    known = head[np.isfinite(head)]
    if not (known > 0).any():
        raise SingError(f"this file holds no singular value of {about.model} above 0")
    write = named_format("any size", about.glyphs).write
    above = int(np.count_nonzero(known > cutoff))
    least = float(known[known > cutoff].min()) if above else np.nan
    reading = (
        f"{above:,} of {len(head):,} singular values of the head lie above the cut at {write(cutoff)}, from "
        f"{write(known.max())} to {write(least)} (gap {write(gap)}); {int(nullity):,} directions are null. "
    )
    near = 0 < cutoff < np.inf and (above < len(known) or least < cutoff * _NEAR)
    shown = np.where(head > 0, np.maximum(head, cutoff / 100 if near else 0), np.nan)
    panels = [_descending(shown, "singular value of the head" + ", - the cut" * near, cutoff if near else None)]
    null = about.array("spectrum/singular_value") if about.holds("spectrum/singular_value") else np.zeros(0)
    finite = null[np.isfinite(null) & (np.abs(null) < 1e100)]
    if (finite > 0).any():
        energy = np.cumsum(finite**2) / np.sum(finite**2)
        half, most = (int(np.searchsorted(energy, share)) + 1 for share in (0.5, 0.9))
        reading += (
            f"The null space moves CLIP space along {len(null):,} directions: the first {half:,} make half of that movement, "
            f"the first {most:,} nine tenths."
        )
        panels.append(_descending(np.where(null > 0, null, np.nan), "of the null space in CLIP"))
    count = max(len(head), len(null))
    table = chart_table(
        "spectrum",
        ("index", "count", "position, 1 the largest", np.arange(1, count + 1)),
        stored("head/singular_values", np.append(head, np.full(count - len(head), np.nan))),
        stored("spectrum/singular_value", np.append(null, np.full(count - len(null), np.nan))),
    )
    return Chart(f"Singular values: {about.model}", reading, Panels(tuple(panels)), table)


def _descending(values: Cells, title: str, level: float | None = None) -> Curves:
    step = max(1, -(-len(values) // _SAMPLE))
    x = np.arange(1.0, len(values) + 1)[::step]
    return Curves(x, (("o", title, values[::step]),), "position", title, logarithmic=True, level=level)


def model_parts(about: ScoreSubject) -> Chart:
    """Show |AS| and IS of every model for the whole null part and for its image-specific part alone."""
    names = ("attribute_score_abs", "attribute_score_centred_abs", "image_score", "image_score_centred")
    about.require("image-specific parts", *(f"summary/{name}" for name in names))
    models = [m for m in about.store.models if all(f"models/{m}/summary/{name}" in about.store for name in names)]
    cells = np.array(
        [[about.store.array(f"models/{model}/summary/{name}") for model in models] for name in names], dtype=np.float64
    )
    cells[~drawable(cells)] = np.nan
    chosen = models.index(about.model)
    own = [number(float(value), ".2f") for value in cells[:, chosen]]
    share = number(float(cells[3, chosen] / cells[2, chosen]), ".0%")
    signs, noun = (about.glyphs.before, about.glyphs.after), about.noun
    reading = (
        f"{about.brief(about.model)}: removing only what is specific to each {noun.singular} leaves IS {own[3]} of {own[2]} "
        f"degrees ({share}) and |AS| {own[1]} of {own[0]}; the rest comes from what all {noun.plural} share. Medians over "
        f"{noun.plural}: {signs[0]} whole null part, {signs[1]} {noun.singular}-specific part alone."
    )
    panels = [
        Pairs(
            tuple(models),
            tuple(whole.tolist()),
            tuple(part.tolist()),
            chosen,
            ("whole", "specific"),
            name,
            True,
            numbers=tuple(map(about.store.models.index, models)),
        )
        for name, whole, part in (("|AS|", *cells[:2]), ("IS", *cells[2:]))
    ]
    table = chart_table(
        "models",
        ("model", "text", "model of this file", models),
        *(stored(f"summary/{name}", values) for name, values in zip(names, cells, strict=True)),
    )
    return Chart(noun.words("Common and image-specific part of every model"), reading, Panels(tuple(panels)), table)
