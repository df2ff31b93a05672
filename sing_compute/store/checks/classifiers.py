"""Check the head and the predictions of a classifier: counts, accuracies, the spectrum of the head, its null space."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sing_compute.store.checks.look import Look

Array = NDArray[np.float64]
_EPS = {"float64": 2.0**-52, "float32": 2.0**-23, "float16": 2.0**-10, "bfloat16": 2.0**-7}
"""Rounding of each stored precision, relative."""
_SQUARES = 1e-4
"""A least singular value above this share of the largest is exact enough if it is computed from squares, ten times as fast."""


class Split(NamedTuple):
    """The matrix that was split: its singular values, descending, and its right singular vectors, one in each row."""

    values: Array
    rows: Array


def check_counts(look: Look) -> None:
    """Check counts and accuracies of the model and of each class and subset against the predictions."""
    labels, right = look.array("/images/class"), correct(look)
    images, hits = len(right), int(right.sum())
    look.equal("summary/images", images, "images/key", absolute=0, relative=0)
    look.equal("summary/correct", hits, "images/prediction", absolute=0, relative=0)
    look.equal("summary/accuracy", hits / max(images, 1), "images/prediction", absolute=1e-12)
    masks, classes = subset_masks(look), len(look.array("/images/offsets")) - 1
    count = np.stack([np.bincount(labels[mask], minlength=classes) for mask in masks])
    good = np.stack([np.bincount(labels[mask & right], minlength=classes) for mask in masks])
    look.equal("classes/count", count, "images/prediction and the groups", absolute=0, relative=0)
    share = np.divide(good, count, out=np.full(count.shape, np.nan), where=count > 0)
    look.equal("classes/accuracy", share, "images/prediction and the groups")


def correct(look: Look) -> NDArray[np.bool_]:
    """Return True for each image that is predicted correctly."""
    return look.once("correct", lambda: look.array("images/prediction") == look.array("/images/class"))


def subset_masks(look: Look) -> list[NDArray[np.bool_]]:
    """Return the images of each subset: all, predicted correctly, predicted incorrectly, each group of the user."""
    right = correct(look)
    groups = len(look.array("/groups/name")) if look.has("/groups/name", "/images/group") else 0
    return [np.ones(len(right), bool), right, ~right, *(look.array("/images/group") == k for k in range(groups))]


def check_head(look: Look) -> None:
    """Check singular values against the weight; rank, nullity, gap and tail against the singular values and the stated rule."""
    stored, dim = look.array("head/singular_values"), look.array("head/weight").shape[1]
    largest = float(stored[0]) if len(stored) else 0.0
    look.equal("head/singular_values", split(look).values, "head/weight", relative=1e-6, absolute=1e-9 * largest)
    rank, cutoff = (
        int((stored > look.number("summary/cutoff")).sum()),
        _cutoff(look, str(look.fact("null_space", "numerical"))),
    )
    look.equal("summary/cutoff", cutoff, "head/weight and the attributes null_space and stored_precision", absolute=0)
    look.equal("summary/rank", rank, "head/singular_values and the cutoff", absolute=0, relative=0)
    look.equal("summary/nullity", dim - rank, "the rank", absolute=0, relative=0)
    below = stored[rank] if rank < len(stored) else 0.0
    gap = stored[rank - 1] / below if rank > 0 and below > 0 else math.inf
    rough = rank < len(stored)  # what lies below the cutoff is rounding
    look.equal("summary/gap", gap, "head/singular_values", where=not rough or below > 1e-9 * largest)
    tail = stored[rank - 2] / stored[rank - 1] if rank > 1 else math.nan
    look.equal("summary/tail_ratio", tail, "head/singular_values")
    if str(look.fact("null_space", "numerical")) != "numerical":
        look.given(
            f"its null space is approximate by the attribute null_space ({look.fact('null_space')}), so predictions may change"
        )


def check_variants(look: Look) -> None:
    """Check rank and nullity by other rules for the null space, and the nullity of the softmax."""
    names, dim = look.texts("variants/name"), look.array("head/weight").shape[1]
    plain, centred = _plain_values(look), _centred_values(look)
    ranks = [_count(look, centred, "numerical") if name == "softmax" else _count(look, plain, name) for name in names]
    look.equal("variants/rank", ranks, "head/weight and the rule of its name", absolute=0, relative=0)
    look.equal(
        "variants/nullity", dim - np.array(ranks), "head/weight and the rule of its name", absolute=0, relative=0
    )
    nullity = dim - _count(look, centred, "numerical")
    look.equal("summary/nullity_softmax", nullity, "head/weight", absolute=0, relative=0)


def _count(look: Look, spectrum: Array, rule: str) -> int:
    """Return the number of singular values that count by a rule."""
    return int((spectrum > _cutoff(look, rule, spectrum)).sum())


def is_exact(look: Look) -> bool:
    """Return True if the null space is that of rounding, by whichever rule: then removing it changes no logit."""
    return _count(look, split(look).values, "numerical") == int(look.number("summary/rank"))


def split(look: Look) -> Split:
    """Return singular values and right singular vectors of the matrix that was split."""
    return look.once("split", lambda: _split(_matrix(look)))


def principal(look: Look, rows: Array) -> Array:
    """Return Pi_p of each row: its projection on the span of the head's rows that count."""
    basis = split(look).rows[: int(look.number("summary/rank"))]
    return np.asarray(rows @ basis.T @ basis)


def _matrix(look: Look) -> Array:
    weight = look.array("head/weight")
    return weight - weight.mean(axis=0) if str(look.fact("invariance")) == "softmax" else weight


def _plain_values(look: Look) -> Array:
    """Return the singular values of the weight itself."""
    if str(look.fact("invariance")) != "softmax":
        return split(look).values
    return look.once("plain values", lambda: _split(look.array("head/weight")).values)


def _centred_values(look: Look) -> Array:
    """Return the singular values of the weight minus its mean over the classes."""
    if str(look.fact("invariance")) == "softmax":
        return split(look).values
    weight, rough = look.array("head/weight"), look.fact("stored_precision", "float32") != "float64"
    return look.once("centred values", lambda: _values(weight - weight.mean(axis=0), rough=rough))


def _values(matrix: Array, *, rough: bool) -> Array:
    """Return singular values; if they may be rough, those below 1e-8 of the largest may be off by as much."""
    if not rough:
        return np.asarray(np.linalg.svd(matrix, compute_uv=False))
    small = matrix if len(matrix) <= matrix.shape[1] else matrix.T
    return np.asarray(np.sqrt(np.linalg.eigvalsh(small @ small.T).clip(0))[::-1])


def _split(matrix: Array) -> Split:
    wide = len(matrix) <= matrix.shape[1]
    squares, vectors = np.linalg.eigh(matrix @ matrix.T if wide else matrix.T @ matrix)
    values = np.sqrt(squares.clip(0))[::-1]
    if not len(values) or values[-1] <= _SQUARES * values[0]:
        _, exact, rows = np.linalg.svd(matrix, full_matrices=False)
        return Split(exact, rows)
    vectors = vectors[:, ::-1]
    return Split(values, (vectors.T @ matrix) / values[:, None] if wide else vectors.T)


def _cutoff(look: Look, rule: str, spectrum: Array | None = None) -> float:
    """Return the singular value up to which values count as zero, by a rule of docs/method.md; NaN for an unknown one."""
    weight = look.array("head/weight")
    eps: float = _EPS.get(str(look.fact("stored_precision", "float32")), math.nan)
    largest = float(_plain_values(look)[0])
    spectrum = split(look).values if spectrum is None else spectrum
    cutoff: float = max(weight.shape) * eps * largest
    if eps > 1e-4:
        noise = eps / (2 * math.sqrt(3)) * math.sqrt(float(np.square(weight).mean()))
        cutoff = noise * (math.sqrt(weight.shape[0]) + math.sqrt(weight.shape[1]))
    kind, _, value = rule.partition("=")
    if kind == "numerical":
        return cutoff
    try:
        number = float(value)
    except ValueError:
        return math.nan
    if kind == "tol":
        return max(cutoff, number * float(spectrum[0]))
    lost = 1 - np.cumsum(spectrum**2) / np.square(spectrum).sum()
    counted = int((lost > 1 - number).sum()) + 1
    return max(cutoff, float(spectrum[counted])) if counted < len(spectrum) else cutoff
