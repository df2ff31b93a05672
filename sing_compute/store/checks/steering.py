"""Check stored steering: which cells are known, and AS of sampled pairs of classes computed again from the features."""

import math

import numpy as np
from numpy.typing import NDArray

from sing_compute.store.checks.classifiers import Array, principal
from sing_compute.store.checks.features import Features, features
from sing_compute.store.checks.look import Look
from sing_compute.store.checks.sing_features import Views, views, views_of

_GROUP = "steering/"
_ROOM = 2e-3
"""Largest accepted difference of mean and standard deviation, in degrees: they are stored in float32."""
_PAIRS, _TARGETS = 2**17, 64
"""Pairs of image and target, and targets of a class, that are computed again unless all are."""
_BLOCK = 2**22
"""Numbers of one block of vectors in memory."""
_UNDECIDED = 1e-6
"""Relative size of a denominator whose sign rounding decides: such an image may count as reached or not."""


def check_counts(look: Look) -> None:
    """Check that the steered images of each class are those whose features are stored."""
    wanted = np.diff(_edges(look))
    look.equal(f"{_GROUP}images", wanted, "features/row and images/offsets", absolute=0, relative=0)


def check_gaps(look: Look) -> None:
    """Check that mean and standard deviation are known just where one image, or two, have reached the angle."""
    images, unreachable = look.array(f"{_GROUP}images"), look.array(f"{_GROUP}unreachable")
    reached = images[:, None] - unreachable
    look.check((reached >= 0).all(), f"{_GROUP}unreachable: more than the images of the class")
    for name, least in (("attribute_score_mean", 1), ("attribute_score_std", 2)):
        known = np.isfinite(look.array(_GROUP + name))
        look.check(
            (known == (reached >= least)).all(), f"{_GROUP}{name}: known where too few images reach the angle, or not"
        )


def check_matrix(look: Look) -> None:
    """Check mean, standard deviation and unreachable images of sampled pairs of classes against the features."""
    turn = look.number(f"{_GROUP}angle")
    if not 0 < turn < 180:
        look.check(False, f"{_GROUP}angle: {turn:g} is not between 0 and 180 degrees")
        return
    texts, edges = look.wide("/clip/class_embeddings"), _edges(look)
    texts = texts / np.linalg.norm(texts, axis=1, keepdims=True)
    steered = np.flatnonzero(np.diff(edges))
    if not len(steered):
        return
    pairs = int(np.diff(edges)[steered].mean() * min(len(texts), _TARGETS)) + 1
    chosen = steered[look.sample(len(steered), max(3, _PAIRS // pairs), "classes with their steering")]
    targets = look.sample(len(texts), _TARGETS, "targets of steered classes")
    found, seen = _features(look, chosen, edges)
    if not seen.known:
        look.given("the folds of some images are unknown, as they have no scores: steering is taken as given")
        return
    score, doubtful = _scores(look, seen, texts[targets], math.radians(turn))
    first = np.searchsorted(found.rows, look.array("/images/offsets"))
    wanted: dict[str, list[Array]] = {
        name: [] for name in ("attribute_score_mean", "attribute_score_std", "unreachable")
    }
    sure = []
    for label in chosen.tolist():
        rows = slice(first[label], first[label + 1])
        reached = np.isfinite(score[rows])
        count = reached.sum(0)
        known = np.where(reached, score[rows], 0.0)
        mean = np.divide(known.sum(0), count, out=np.full(len(targets), np.nan), where=count > 0)
        squares = np.where(reached, (score[rows] - mean) ** 2, 0.0).sum(0)
        std = np.sqrt(np.divide(squares, count - 1, out=np.full(len(targets), np.nan), where=count > 1))
        for name, values in zip(wanted, (mean, std, len(reached) - count), strict=True):
            wanted[name].append(values)
        sure.append(~doubtful[rows].any(0))
    for name, values in wanted.items():
        stored = look.rows(_GROUP + name, chosen)[:, targets]
        room = 0 if name == "unreachable" else _ROOM
        source = "features/value, a fold translator and class_embeddings"
        look.equal(_GROUP + name, np.stack(values), source, stored=stored, absolute=room, where=np.stack(sure))


def _edges(look: Look) -> NDArray[np.int64]:
    """Return the entries of the stored features at which each class begins, and the end."""
    return np.searchsorted(look.array("features/row"), look.array("/images/offsets"))


def _features(look: Look, chosen: NDArray[np.int64], edges: NDArray[np.int64]) -> tuple[Features, Views]:
    """Return the stored features of some classes, and these in CLIP space."""
    rows = look.array("features/row").astype(np.int64)
    every = features(look)
    if len(every.rows) == len(rows):
        return every, views(look)
    place = np.concatenate([np.arange(edges[label], edges[label + 1]) for label in chosen.tolist()])
    value = look.rows("features/value", place).astype(np.float64)
    found = Features(False, rows[place], value, value - principal(look, value))
    return found, views_of(look, found)


def _scores(look: Look, seen: Views, texts: Array, turn: float) -> tuple[Array, NDArray[np.bool_]]:
    """Steer images toward texts by one step each, from the vectors themselves (docs/method.md, steering).

    Args:
        look: The model.
        seen: The images in CLIP space, each by the translator of its fold.
        texts: Unit vectors (target, clip).
        turn: The angle of the step, in radians.

    Returns:
        AS (image, target) in degrees, NaN where the angle is not reached; and True where rounding decides if it is.
    """
    score = np.full((len(seen.before), len(texts)), np.nan)
    doubtful = np.zeros(score.shape, bool)
    most = max(1, _BLOCK // texts.size)
    for number in np.unique(seen.fold):
        matrix = look.rows("translator/fold_weight", np.array([number]))[0].astype(np.float64)
        null = matrix - principal(look, matrix)
        gram = null @ null.T
        pulled_texts, scale = texts @ gram, float(np.linalg.norm(null))
        members = np.flatnonzero(seen.fold == number)
        for start in range(0, len(members), most):
            part = members[start : start + most]
            u = seen.before[part]
            length = np.linalg.norm(u, axis=1, keepdims=True)
            unit = (u / length)[:, None]
            along_text = (unit * texts).sum(-1, keepdims=True)
            across = texts - along_text * unit
            pulled = pulled_texts - along_text * (unit @ gram)
            seen_length = np.sqrt((across * pulled).sum(-1, keepdims=True).clip(0))
            with np.errstate(all="ignore"):
                moved = pulled / seen_length
                along = (moved * unit).sum(-1)
                beside = np.linalg.norm(moved - along[..., None] * unit, axis=-1)
                denominator = beside * math.cos(turn) - along * math.sin(turn)
                step = length * math.sin(turn) / denominator
                after = u[:, None] + step[..., None] * moved
                found = _angle(unit, texts) - _angle(after / np.linalg.norm(after, axis=-1, keepdims=True), texts)
            size = np.hypot(beside, along)
            doubtful[part] = (np.abs(denominator) <= _UNDECIDED * size) | ~np.isfinite(denominator)
            doubtful[part] |= seen_length[..., 0] <= _UNDECIDED * scale
            score[part] = np.where(denominator > 0, found, np.nan)
    return score, doubtful


def _angle(left: Array, right: Array) -> Array:
    """Return the angle of unit vectors, in degrees."""
    found = 2 * np.arctan2(np.linalg.norm(left - right, axis=-1), np.linalg.norm(left + right, axis=-1))
    return np.asarray(np.degrees(found))
