"""Check SING's figures of images and models: statistics computed again from the images, orders, limits of angles."""

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from sing_compute.store.checks.class_figures import ClassColumn
from sing_compute.store.checks.classifiers import Array, correct, subset_masks
from sing_compute.store.checks.look import Look
from sing_compute.store.constants import CURVE, NEIGHBOURS, RANKED

ANGLE_NOISE = 1e-2
"""Largest accepted difference of angles, in degrees: stored angles and translators are float32."""
MEDIANS = {
    "attribute_score": "attribute_score",
    "attribute_score_abs": "attribute_score",
    "attribute_score_centred_abs": "attribute_score_centred",
    "image_score": "image_score",
    "image_score_centred": "image_score_centred",
    "null_energy": "null_energy",
    "null_energy_centred": "null_energy_centred",
}
"""Figures of a model that are medians of an image column, or of its absolute values (`_abs`)."""
_MANY = 200_000
"""Images of which the figures of all subsets are quickly computed."""
LARGEST_SPREAD = 20_000
"""Figures along the path, controls and rules for the null space use at most as many images, evenly spread."""


def check_complete(look: Look) -> None:
    """Check that what belongs to scores is there, although a classifier without scores may lack it."""
    names: tuple[str, ...] = (
        "head/singular_values",
        "variants/name",
        "variants/rank",
        "variants/nullity",
        "variants/flips",
    )
    names += ("variants/logit_change_max", "variants/logit_change_mean")
    names += tuple(f"summary/{name}" for name in ("rank", "nullity", "nullity_softmax", "cutoff", "gap", "tail_ratio"))
    names += tuple(f"/comparison/{name}" for name in ("model", "class_order", "figure", "above", "value"))
    for name in names:
        look.check(look.has(name), f"{name}: missing, and the file has scores")
    look.check(
        look.item in look.texts("/comparison/model"), f"/comparison/model: {look.item} has scores and is missing"
    )


def check_limits(look: Look) -> None:
    """Check that no |AS| exceeds its IS: the triangle inequality on the sphere, for all images and their top concepts."""
    image = look.array("images/image_score") + ANGLE_NOISE
    for name, limit in (("attribute_score", "image_score"), ("attribute_score_centred", "image_score_centred")):
        over = np.abs(look.array(f"images/{name}")) > look.array(f"images/{limit}") + ANGLE_NOISE
        look.check(not over.any(), f"images/{name}: |AS| exceeds IS in {over.sum():,} images")
    score, top = np.abs(look.array("images/top_concept_score")), look.array("images/top_concept")
    over = score.max(axis=1) > image
    look.check(not over.any(), f"images/top_concept_score: a top concept's |AS| exceeds IS in {over.sum():,} images")
    fall = np.diff(score, axis=1) > ANGLE_NOISE
    look.check(not fall.any(), f"images/top_concept_score: not the largest first in {fall.any(1).sum():,} images")
    twice = _repeated(top)
    look.check(not twice, f"images/top_concept: a concept twice in {twice:,} images")
    named = np.isfinite(look.array("images/image_score"))[:, None] & (top >= 0)
    look.check(
        (np.isfinite(score) == named).all(),
        "images/top_concept_score: known for other concepts than those of top_concept",
    )
    stride = -(-len(image) // LARGEST_SPREAD)
    for name in ("images/nearest_before", "images/nearest_after"):
        near = look.array(name)
        twice = _repeated(near)
        look.check(not twice, f"{name}: an image twice in {twice:,} rows")
        wanted = min(NEIGHBOURS, -(-len(image) // stride))
        short = (near >= 0).sum(axis=1)
        look.check(np.isin(short, (0, wanted)).all(), f"{name}: other numbers of images than {wanted}")
        if stride > 1:
            look.check(
                not (near[near >= 0] % stride).any(), f"{name}: images that are not among those that were searched"
            )


def _repeated(rows: NDArray[np.integer]) -> int:
    """Return the number of rows that have one index, which is no -1, twice."""
    twice = np.zeros(len(rows), bool)
    for left, right in combinations(range(rows.shape[1]), 2):
        twice |= (rows[:, left] == rows[:, right]) & (rows[:, left] >= 0)
    return int(twice.sum())


def check_rankings(look: Look) -> None:
    """Check that rankings are orders of all images: ascending, equal values in the order of their rows, NaN last."""
    for name in RANKED:
        order, values = look.array(f"rankings/{name}"), look.array(f"images/{name}")
        seen = np.zeros(len(values), bool)
        seen[order[(order >= 0) & (order < len(values))]] = True
        look.check(seen.all() and len(order) == len(values), f"rankings/{name}: not an order of all images")
        if not seen.all():
            continue
        ordered = values[order]
        steps = np.diff(ordered)
        known = np.isfinite(ordered)
        good = (steps[known[1:]] >= 0).all() and (known[:-1] | ~known[1:]).all()
        good &= (np.diff(order)[(steps == 0) | ~known[:-1]] > 0).all()
        look.check(good, f"rankings/{name}: not ascending")


def check_summary(look: Look) -> None:
    """Check medians, ratios, means and covariance of the model by computing them again from the images."""
    for figure, column in MEDIANS.items():
        look.equal(f"summary/{figure}", spread_or_all(look, column, figure)[0], f"images/{column}")
    for labels, figure in (("/images/class", "summary/probe_chance"), ("/images/group", "summary/probe_chance_group")):
        if look.has(labels, figure):
            known = look.array(labels)[look.array(labels) >= 0]
            look.equal(figure, np.bincount(known).max(initial=0) / max(len(known), 1), labels[1:], absolute=1e-9)
    score, shift = look.wide("images/attribute_score"), look.wide("images/image_score")
    middle = look.number("summary/attribute_score_abs")
    ratio = look.number("summary/image_score") / middle if middle > 0 else np.nan
    look.equal("summary/ratio_images", ratio, "the medians of IS and |AS|")
    look.equal("summary/ratio_classes", _median(look.wide("classes/ratio")[0]), "classes/ratio")
    both = np.isfinite(score) & np.isfinite(shift)
    look.equal("summary/undefined", int((~both).sum()), "the scores of images", absolute=0, relative=0)
    pair = np.stack([score[both], shift[both]])
    count = pair.shape[1]
    undefined = np.full((2, 2), np.nan)
    look.equal("summary/score_mean", pair.mean(axis=1) if count else undefined[0], "the scores of images")
    covariance = np.cov(pair) if count > 1 else undefined
    look.equal("summary/score_covariance", covariance, "the scores of images", relative=1e-4)
    look.equal("summary/cosine", float(np.nanmean(look.wide("images/cosine"))), "images/cosine")


def _median(values: Array) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else float("nan")


def columns(look: Look) -> dict[str, ClassColumn]:
    """Return the image columns by which classes are described, each sorted within its classes, made when they are asked for."""
    offsets, names = look.array("/images/offsets"), dict.fromkeys(MEDIANS.values())
    return look.once("columns", lambda: {name: ClassColumn(look.array(f"images/{name}"), offsets) for name in names})


def check_classes(look: Look) -> None:
    """Check every figure of every class and subset by computing it again from the images."""
    masks, chosen = subset_masks(look), chosen_subsets(look)
    for name, column in columns(look).items():
        found: dict[str, list[Array]] = {}
        for mask in (masks[row] for row in chosen):
            for figure, values in column.figures(name, mask).items():
                found.setdefault(figure, []).append(values)
        for figure, rows in found.items():
            stored = look.array(f"classes/{figure}")[chosen]
            look.equal(f"classes/{figure}", np.stack(rows), f"images/{name}", stored=stored, absolute=2e-5)
    below = look.wide("classes/attribute_score_abs_q50")
    ratio = np.divide(look.wide("classes/image_score_q50"), below, out=np.full(below.shape, np.nan), where=below > 0)
    look.equal("classes/ratio", ratio, "the medians of IS and |AS|", relative=1e-4)


def chosen_subsets(look: Look) -> NDArray[np.int64]:
    """Return the subsets whose class figures are computed again: all of them, or the first and the last of many images."""
    masks = subset_masks(look)
    few = len(masks) if len(masks[0]) <= _MANY else 2
    return look.once("subsets", lambda: look.sample(len(masks), few, "subsets of images, for the figures of classes"))


def check_curves(look: Look) -> None:
    """Check the percentiles of each class for its distribution."""
    everything = np.ones(len(correct(look)), bool)
    for name in ("attribute_score", "image_score"):
        column = columns(look)[name]
        curve = column.quantiles(np.array(CURVE) / 100, everything)
        look.equal(f"classes/{name}_curve", curve, f"images/{name}", absolute=2e-5)


def spread_or_all(look: Look, name: str, figure: str) -> list[float]:
    """Return the median of an image column over all images, and over those that are evenly spread among many."""
    return look.once(("medians", figure), lambda: _spread_or_all(look, name, figure))


def _spread_or_all(look: Look, name: str, figure: str) -> list[float]:
    values = look.wide(f"images/{name}")
    values = np.abs(values) if figure.endswith("_abs") else values
    stride = -(-len(values) // LARGEST_SPREAD)
    return [_median(values), *([_median(values[::stride])] if stride > 1 else [])]
