"""Check class x concept figures, and the spectrum of the null space against the translator and the texts."""

import math

import numpy as np
from numpy.typing import NDArray

from sing_compute.store.checks.class_figures import half_width
from sing_compute.store.checks.classifiers import Array, principal
from sing_compute.store.checks.look import Look
from sing_compute.store.checks.sing_images import ANGLE_NOISE
from sing_compute.store.constants import SIGNIFICANT, TOP_CONCEPTS

_DRAWS = 200
"""Random directions of the control (docs/method.md, significance)."""


def check_embeddings(look: Look) -> None:
    """Check that text embeddings are unit vectors."""
    for name in ("class_embeddings", "concept_embeddings"):
        lengths = np.linalg.norm(look.array(f"clip/{name}"), axis=1)
        look.check(np.abs(lengths - 1).max(initial=0) < 1e-5, f"clip/{name}: not of unit length")


def check_shifts(look: Look) -> None:
    """Check that mean AS is before minus after, |mean AS| <= mean |AS| <= mean IS, and the interval of mean AS."""
    names = (
        "angle_before",
        "angle_after",
        "attribute_score",
        "attribute_score_abs",
        "attribute_score_std",
    )
    before, after, score, absolute, spread = (look.array(f"concepts/{name}") for name in names)
    look.equal(
        "concepts/attribute_score",
        before.astype(np.float64) - after,
        "angle before minus angle after",
        absolute=ANGLE_NOISE,
    )
    limit = look.array("classes/image_score_mean")[0][:, None] + ANGLE_NOISE
    count = _defined(look)
    over = (absolute > limit) | (np.abs(score) > absolute + ANGLE_NOISE)
    look.check(
        not over.any(),
        f"concepts/attribute_score_abs: |mean AS| <= mean |AS| <= mean IS fails in {over.any(1).sum():,} classes",
    )
    look.equal(
        "concepts/attribute_score_half",
        half_width(count[:, None], spread.astype(np.float64)),
        "its standard deviation",
        relative=1e-3,
    )
    known, number = count[:, None] > 1, np.maximum(count[:, None], 1)
    square = spread.astype(np.float64) ** 2 * (number - 1) / number + score.astype(np.float64) ** 2  # mean of AS^2
    low = known & (np.sqrt(square) + ANGLE_NOISE < absolute)
    look.check(
        not low.any(), f"concepts/attribute_score_std: smaller than mean |AS| allows in {low.any(1).sum():,} classes"
    )
    far = known & (square > (_largest_by_class(look, "image_score")[:, None] + ANGLE_NOISE) * (absolute + ANGLE_NOISE))
    look.check(
        not far.any(),
        f"concepts/attribute_score_std: larger than mean |AS| and IS allow in {far.any(1).sum():,} classes",
    )
    there = (count > 0)[:, None]
    for name in (*names[:4], "attribute_score_centred", "control"):
        known = np.isfinite(look.array(f"concepts/{name}")) == there
        look.check(known.all(), f"concepts/{name}: known for other classes than those with images")
    over = (
        np.abs(look.array("concepts/attribute_score_centred"))
        > _mean_by_class(look, "image_score_centred")[:, None] + ANGLE_NOISE
    )
    look.check(
        not over.any(), f"concepts/attribute_score_centred: above the mean centred IS in {over.any(1).sum():,} classes"
    )


def _defined(look: Look) -> NDArray[np.int64]:
    """Return the number of images of each class whose scores have a value."""
    known = np.isfinite(look.array("images/image_score"))
    return np.bincount(look.array("/images/class")[known], minlength=len(look.array("/images/offsets")) - 1)


def _largest_by_class(look: Look, name: str) -> Array:
    found = np.zeros(len(look.array("/images/offsets")) - 1)
    np.fmax.at(found, look.array("/images/class"), look.wide(f"images/{name}"))
    return found


def _mean_by_class(look: Look, name: str) -> Array:
    values, labels = look.wide(f"images/{name}"), look.array("/images/class")
    known, classes = np.isfinite(values), len(look.array("/images/offsets")) - 1
    count = np.bincount(labels[known], minlength=classes)
    found = np.bincount(labels[known], values[known], classes)
    return np.asarray(np.where(count > 0, found / np.maximum(count, 1), np.nan))


def check_significance(look: Look) -> None:
    """Check q and the number of significant pairs against z, z against the control, and p against z."""
    z, empirical = (look.wide(f"concepts/{name}") for name in ("z", "p_empirical"))
    p = _normal_tail(z)
    wanted = np.stack([false_discovery(row) for row in p])
    look.equal("concepts/q", wanted, "z by Benjamini and Hochberg", absolute=1e-30, relative=2e-3)
    significant = int((look.array("concepts/q") < SIGNIFICANT).sum())
    look.equal("summary/significant", significant, "concepts/q", absolute=0, relative=0)
    score, control = look.wide("concepts/attribute_score"), look.wide("concepts/control")
    turned = (np.abs(score) > control + ANGLE_NOISE) & (np.sign(z) != np.sign(score)) & np.isfinite(z)
    look.check(not turned.any(), f"concepts/z: has another sign than the shift in {turned.sum():,} pairs")
    small = np.abs(z) * control * 15 + ANGLE_NOISE < np.abs(score) - control
    look.check(not small.any(), f"concepts/z: too small for shift and control in {small.sum():,} pairs")
    known = np.isfinite(z)
    look.check(
        (known == np.isfinite(empirical)).all(), "concepts/p_empirical: known where z is not, or the other way round"
    )
    unexplained = ~known & (control > 1e-6) & np.isfinite(score)
    look.check(
        not unexplained.any(), f"concepts/z: missing in {unexplained.sum():,} pairs whose shift and control are known"
    )
    draws = empirical * (_DRAWS + 1)
    uneven = known & ((np.abs(draws - np.round(draws)) > 1e-3) | (draws < 0.999))
    look.check(not uneven.any(), f"concepts/p_empirical: no number of {_DRAWS} draws in {uneven.sum():,} pairs")
    room = 0.12 + 6 * np.sqrt(p * (1 - p) / _DRAWS)  # draws from a sphere have shorter tails than the normal ones
    apart = known & (np.abs(p - empirical) > room)
    look.check(not apart.any(), f"concepts/p_empirical: far from the tail of z in {apart.sum():,} pairs")


def _normal_tail(z: Array) -> Array:
    """Return the two-sided tail of the normal distribution beyond each z."""
    from scipy.special import erfc

    return np.asarray(erfc(np.abs(z) / math.sqrt(2)))


def false_discovery(p: Array) -> Array:
    """Return q of one row by Benjamini and Hochberg (1995); NaN is left out."""
    found = np.full(len(p), np.nan)
    known = np.flatnonzero(np.isfinite(p))
    order = known[np.argsort(p[known])]
    steps = p[order] * len(known) / np.arange(1, len(known) + 1)
    found[order] = np.minimum(np.minimum.accumulate(steps[::-1])[::-1], 1)
    return found


def check_spectrum(look: Look) -> None:
    """Check the spectrum of the translator's null part, its share, and the concepts at the poles of each direction."""
    weight = look.array("translator/weight")
    null = weight - principal(look, weight)
    squares, left = np.linalg.eigh(
        null @ null.T
    )  # ten times as fast as an SVD, and exact enough for the tolerance below
    wanted, left = np.sqrt(squares.clip(0))[::-1], left[:, ::-1]
    scale = float(np.abs(weight).max(initial=0.0))
    modes = min(len(weight), int(look.number("summary/nullity")))
    look.equal("spectrum/singular_value", wanted[:modes], "A Pi_n", relative=1e-5, absolute=1e-6 * max(scale, 1e-300))
    whole = float((weight**2).sum())
    look.equal(
        "summary/null_share", float((null**2).sum()) / whole if whole else math.nan, "translator/weight and the head"
    )
    _check_poles(look, left[:, :modes], wanted[:modes])


def _check_poles(look: Look, left: Array, values: Array) -> None:
    """Check poles against the concepts' cosines with each direction; directions of close singular values are left out."""
    texts = look.wide("/clip/concept_embeddings")
    centred = texts - texts.mean(axis=0)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    centred = np.divide(centred, lengths, out=np.zeros_like(centred), where=lengths > 0)
    cosine = left.T @ centred.T
    nearest = np.take_along_axis(cosine, np.abs(cosine).argmax(1)[:, None], 1)
    cosine = np.where(nearest < 0, -cosine, cosine)
    gaps = np.abs(np.diff(values)) / max(float(values[0]) if len(values) else 1, 1e-300)
    alone = np.minimum(np.append(gaps, 1), np.insert(gaps, 0, 1)) > 1e-5
    best = np.sort(np.abs(cosine), axis=1)[:, -2:]
    clear = alone & (values > 1e-6 * values[:1]) & ((best[:, -1] - best[:, 0] > 1e-6) | (cosine.shape[1] < 2))
    count = min(TOP_CONCEPTS, cosine.shape[1])
    for name, sign in (("toward", 1), ("away", -1)):
        picks = look.array(f"spectrum/{name}")
        full = (picks >= 0).sum(axis=1) == count
        look.check(full.all(), f"spectrum/{name}: other numbers of concepts than {count}")
        found = np.where(picks >= 0, np.take_along_axis(cosine, picks.clip(0).astype(np.int64), 1), np.nan)
        line = f"A Pi_n and the concepts' embeddings at {name}"
        look.equal(f"spectrum/{name}_cosine", found, line, absolute=2e-5, where=clear[:, None])
        wanted = sign * -np.sort(-sign * cosine, axis=1)[:, :count]
        look.equal(
            f"spectrum/{name}",
            wanted,
            "the nearest concepts (cosines)",
            stored=found[:, :count],
            absolute=1e-3,
            where=clear[:, None],
        )
