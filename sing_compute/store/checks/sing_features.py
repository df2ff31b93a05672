"""Check scores against the stored features: images by the fold translators, classes and translator by all images."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sing_compute.store.checks.classifiers import Array, principal
from sing_compute.store.checks.features import Features, features
from sing_compute.store.checks.look import Look
from sing_compute.store.constants import TOP_CONCEPTS

_ANGLES = 1e-3
"""Largest accepted difference of angles that are computed again, in degrees: translators are stored in float32."""


class Views(NamedTuple):
    """Stored features in CLIP space, each by the translator of its fold: the one that gives the stored scores."""

    fold: NDArray[np.int64]
    known: bool
    """True if every image's stored scores are those of its fold's translator, so that its fold is certain."""
    before: Array
    after: Array
    centred: Array


def check_scores(look: Look) -> None:
    """Check AS, IS, their centred forms, angles and null energies of each image whose features are stored."""
    found, seen = features(look), views(look)
    length = np.linalg.norm(found.value, axis=1)
    energy = np.linalg.norm(found.null, axis=1) / length
    mean_null = look.array("translator/mean_feature")[None] - principal(
        look, look.array("translator/mean_feature")[None]
    )
    texts = _texts(look, found.rows)
    wanted = {
        "attribute_score": angle(seen.before, texts) - angle(seen.after, texts),
        "image_score": angle(seen.before, seen.after),
        "attribute_score_centred": angle(seen.before, texts) - angle(seen.centred, texts),
        "image_score_centred": angle(seen.before, seen.centred),
        "class_angle": angle(seen.before, texts),
        "null_energy": energy,
        "null_energy_centred": np.linalg.norm(found.null - mean_null, axis=1) / length,
    }
    for name, values in wanted.items():
        room = 1e-5 if name.startswith("null") else _ANGLES
        stored = look.rows(f"images/{name}", found.rows)
        look.equal(f"images/{name}", values, "features/value and a fold translator", stored=stored, absolute=room)


def views(look: Look) -> Views:
    """Return the stored features in CLIP space."""
    return look.once("views", lambda: views_of(look, features(look)))


def _texts(look: Look, rows: NDArray[np.int64]) -> Array:
    labels = look.array("/images/class")[rows]
    return np.asarray(look.array("/clip/class_embeddings")[labels].astype(np.float64))


def views_of(look: Look, found: Features) -> Views:
    """Translate by each fold, and keep for each image the one whose AS, IS and class angle are nearest to the stored ones."""
    texts = _texts(look, found.rows)
    names = ("attribute_score", "image_score", "class_angle")
    stored = [look.rows(f"images/{name}", found.rows).astype(np.float64) for name in names]
    mean_null = look.array("translator/mean_feature")[None] - principal(
        look, look.array("translator/mean_feature")[None]
    )
    best = np.full(len(found.rows), np.inf)
    count = len(look.array("translator/fold_bias"))
    fold = np.zeros(len(best), np.int64)
    width = look.array("translator/fold_bias").shape[1]
    kept = np.empty((3, len(best), width))
    for number in range(count):
        matrix = look.rows("translator/fold_weight", np.array([number]))[0].astype(np.float64)
        before = found.value @ matrix.T + look.array("translator/fold_bias")[number]
        after = before - found.null @ matrix.T
        away = [
            np.abs(angle(before, texts) - angle(after, texts) - stored[0]),
            np.abs(angle(before, after) - stored[1]),
            np.abs(angle(before, texts) - stored[2]),
        ]
        total = np.nan_to_num(np.max(away, axis=0), nan=1e9)
        nearer = total < best
        best[nearer], fold[nearer] = total[nearer], number
        kept[0][nearer], kept[1][nearer] = before[nearer], after[nearer]
        kept[2][nearer] = after[nearer] + (mean_null @ matrix.T)
    return Views(fold, bool((best < _ANGLES).all()), *kept)


def check_top_concepts(look: Look) -> None:
    """Check the concepts of the largest |AS| of images whose features are stored."""
    found, seen = features(look), views(look)
    concepts = look.array("/clip/concept_embeddings").astype(np.float64)
    chosen = look.sample(len(found.rows), max(64, 2**22 // max(len(concepts), 1)), "images with their top concepts")
    before, after = _angles(seen.before[chosen], concepts), _angles(seen.after[chosen], concepts)
    score = before - after
    rows = found.rows[chosen]
    top, stored = look.rows("images/top_concept", rows).astype(np.int64), look.rows("images/top_concept_score", rows)
    wanted = np.where(top >= 0, np.take_along_axis(score, top.clip(0), 1), np.nan)
    look.equal(
        "images/top_concept_score", wanted, "features/value and concept_embeddings", stored=stored, absolute=_ANGLES
    )
    count = min(TOP_CONCEPTS, score.shape[1])
    largest = -np.sort(-np.abs(np.nan_to_num(score)), axis=1)[:, :count]
    look.equal(
        "images/top_concept",
        largest,
        "the largest |AS| (in degrees)",
        stored=np.abs(np.nan_to_num(wanted[:, :count])),
        absolute=_ANGLES,
    )


def check_concepts(look: Look) -> None:
    """Check mean angles and shifts of classes toward every concept, of classes all of whose features are stored."""
    found, seen = features(look), views(look)
    offsets, concepts = look.array("/images/offsets"), look.array("/clip/concept_embeddings").astype(np.float64)
    stored_rows = found.rows
    edges = np.searchsorted(stored_rows, offsets)
    whole = np.flatnonzero((np.diff(edges) == np.diff(offsets)) & (np.diff(offsets) > 0))
    if not len(whole):
        look.given(
            "the features of all images of a class are not kept: the shifts of classes toward concepts are checked in part"
        )
        return
    cells = int(np.diff(offsets)[whole].mean() * len(concepts)) + 1
    chosen = whole[look.sample(len(whole), max(3, 2**23 // cells), "classes with their concepts")]
    wanted: dict[str, list[Array]] = {}
    for label in chosen.tolist():
        rows = slice(edges[label], edges[label + 1])
        before, after, centred = (_angles(view[rows], concepts) for view in (seen.before, seen.after, seen.centred))
        valid = np.isfinite(before).all(1) & np.isfinite(after).all(1) & np.isfinite(centred).all(1)
        before, after, centred = before[valid], after[valid], centred[valid]
        score = before - after
        few = len(score) < 2
        for name, values in {
            "angle_before": before.mean(0),
            "angle_after": after.mean(0),
            "attribute_score": score.mean(0),
            "attribute_score_abs": np.abs(score).mean(0),
            "attribute_score_std": np.full(len(concepts), np.nan) if few else score.std(0, ddof=1),
            "attribute_score_centred": (before - centred).mean(0),
        }.items():
            wanted.setdefault(name, []).append(values)
    for name, rows_of in wanted.items():
        stored = look.rows(f"concepts/{name}", chosen)
        look.equal(
            f"concepts/{name}",
            np.stack(rows_of),
            "features/value and concept_embeddings",
            stored=stored,
            absolute=_ANGLES,
        )


def check_translator(look: Look) -> None:
    """Check translator, mean feature and the translator's quality against the features of all images and the fold translators."""
    found, seen = features(look), views(look)
    if not found.whole:
        look.given(
            "not the features of all images are looked at: translator, mean feature and quality are taken as given"
        )
        return
    clip = look.array("translator/bias")
    look.equal(
        "translator/mean_feature",
        found.value.mean(0),
        "features/value",
        relative=1e-4,
        absolute=1e-6 * float(np.abs(found.value).max()),
    )
    _check_zero_shot(look, seen)
    null = found.value - found.value.mean(0)
    weight = look.array("translator/weight")
    moved = null @ weight.T
    part = moved - principal(look, null) @ weight.T
    whole = float((moved**2).sum())
    look.equal(
        "summary/null_share_data",
        float((part**2).sum()) / whole if whole else math.nan,
        "features/value and the translator",
        relative=1e-3,
    )
    ridge = look.number("summary/lambda")
    if not math.isfinite(ridge):
        folds_alike = all(
            np.allclose(each, weight, rtol=1e-5, atol=1e-6) for each in look.array("translator/fold_weight")
        )
        look.check(folds_alike, "translator/fold_weight: not that of the translator, which was made elsewhere")
        return
    unit = float(((found.value - found.value.mean(0)) ** 2).sum()) / found.value.shape[1]
    look.equal("summary/lambda_relative", ridge / unit, "lambda and features/value", absolute=0, relative=1e-3)
    if seen.known:
        _check_normal_equations(look, seen, ridge, clip)
    else:
        look.given(
            "the folds of some images are unknown, as they have no scores: translator and quality are taken as given"
        )


def _check_zero_shot(look: Look, seen: Views) -> None:
    texts, labels = look.wide("/clip/class_embeddings"), look.array("/images/class")
    room = 2.5 / len(labels)
    for name, view in (("translated", seen.before), ("equivalent", seen.after)):
        share = float(((view @ texts.T).argmax(1) == labels).mean())
        look.equal(f"summary/zero_shot_{name}", share, "features/value and class_embeddings", absolute=room)


def _check_normal_equations(look: Look, seen: Views, ridge: float, bias: Array) -> None:
    """Check that all translators solve the normal equations of one set of embeddings.

    Each equation gives the products of the embeddings that it was fitted on; those of the folds add up to the whole, once for
    each fold but one. So the embeddings, which no file keeps, are known in sums: the quality of the translator follows, too.
    """
    value, weight = features(look).value, look.array("translator/weight")
    used = np.unique(seen.fold)
    sums = [(len(part), part.sum(0), part.T @ part) for part in (value[seen.fold == k] for k in used)]
    total = (len(value), value.sum(0), value.T @ value)
    target_sum, products = _targets(weight, bias, total, ridge)
    folds_sum, folds_products, fold_targets = np.zeros_like(target_sum), np.zeros_like(products), []
    for k, part in zip(used, sums, strict=True):
        matrix = look.rows("translator/fold_weight", np.array([k]))[0].astype(np.float64)
        offset = look.array("translator/fold_bias")[k].astype(np.float64)
        rest = (total[0] - part[0], total[1] - part[1], total[2] - part[2])
        own_sum, own_products = _targets(matrix, offset, rest, ridge)
        folds_sum, folds_products = folds_sum + own_sum, folds_products + own_products
        fold_targets.append((part[0], target_sum - own_sum, own_sum / max(rest[0], 1)))
    times = len(used) - 1
    size = float(np.abs(target_sum).max()) + 1e-12
    look.equal(
        "translator/bias",
        times * target_sum / size,
        "the fold translators and features/value",
        stored=folds_sum / size,
        absolute=3e-5,
    )
    rows, columns = np.sqrt(np.square(products).mean(1)), np.sqrt(np.square(products).mean(0))
    columns = np.maximum(columns, 1e-3 * columns.max())  # a feature that hardly varies has nothing but rounding
    scale = np.outer(rows, columns) / np.sqrt(np.square(products).mean())
    look.equal(
        "translator/weight",
        times * products / scale,
        "the fold translators and features/value",
        stored=folds_products / scale,
        absolute=1e-3,
    )
    _check_quality(look, seen, fold_targets)


def _targets(weight: Array, bias: Array, sums: tuple[int, Array, Array], ridge: float) -> tuple[Array, Array]:
    """Return sum and products with the features of the embeddings that a translator was fitted on."""
    count, total, products = sums
    return weight @ total + bias * count, weight @ products + np.outer(bias, total) + ridge * weight


def _check_quality(look: Look, seen: Views, folds: list[tuple[int, Array, Array]]) -> None:
    """Check mse, R^2 and the baseline cosine: unit embeddings are known by their cosines with T(f) and by their sums."""
    images = len(seen.before)
    lengths, cosine = np.linalg.norm(seen.before, axis=1), look.wide("images/cosine")
    residual = float((lengths**2 + 1 - 2 * lengths * cosine).mean())
    look.equal(
        "summary/mse", residual / seen.before.shape[1], "features/value and images/cosine", absolute=1e-9, relative=2e-4
    )
    variance = sum(count * (float(mean @ mean) + 1) - 2 * float(mean @ total) for count, total, mean in folds) / images
    look.equal(
        "summary/r_squared",
        1 - residual / variance if variance else math.nan,
        "the translators and images/cosine",
        absolute=2e-5,
    )
    baseline = sum(float(mean @ total) / max(float(np.linalg.norm(mean)), 1e-12) for _, total, mean in folds) / images
    look.equal("summary/cosine_baseline", baseline, "the translators and features/value", absolute=2e-5)


def angle(left: Array, right: Array) -> Array:
    """Return the angle of each pair of rows, in degrees."""
    x, y = (part / np.linalg.norm(part, axis=1, keepdims=True) for part in (left, right))
    found: Array = np.degrees(2 * np.arctan2(np.linalg.norm(x - y, axis=1), np.linalg.norm(x + y, axis=1)))
    return found


def _angles(rows: Array, texts: Array) -> Array:
    """Return the angles of every row to every text, in degrees."""
    units = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    units_texts = texts / np.linalg.norm(texts, axis=1, keepdims=True)
    return np.asarray(np.degrees(np.arccos((units @ units_texts.T).clip(-1, 1))))
