"""Check the accuracies of linear probes on either half of feature space: the classifiers are fitted again from the features."""

import hashlib

import numpy as np
from numpy.typing import NDArray

from sing_compute.store.checks.classifiers import Array, principal, split
from sing_compute.store.checks.features import features
from sing_compute.store.checks.look import Look

_FOLDS = 5
_PENALTIES = (1e-4, 1e-2, 1.0)
"""Ridge penalties over trace / dimension of the half's covariance; the best accuracy out of fold is stored."""


def check_probes(look: Look) -> None:
    """Check the probes of classes, and of the user's groups, on Pi_n f and Pi_p f."""
    found = features(look)
    if not found.whole:
        look.given("not the features of all images are looked at: probes are taken as given")
        return
    folds = _folds(look)
    rank = int(look.number("summary/rank"))
    lower = principal(look, found.value)
    halves = {
        "null": (found.value - lower, found.value.shape[1] - rank),
        "principal": (found.value @ split(look).rows[:rank].T, rank),
    }
    for labels, suffix in (("/images/class", ""), ("/images/group", "_group")):
        if not look.has(labels, f"summary/probe_null{suffix}", f"summary/probe_principal{suffix}"):
            continue
        known = look.array(labels).astype(np.int64)
        if len(np.unique(folds[known >= 0])) < 2:
            look.given("all its images with a label are in one fold: probes are taken as given")
            continue
        for half, (value, dim) in halves.items():
            wanted = _accuracy(value, dim, known, folds)
            room = 1.5 / int((known >= 0).sum())
            look.equal(f"summary/probe_{half}{suffix}", wanted, "features/value and the folds", absolute=room)


def _folds(look: Look) -> NDArray[np.int64]:
    """Return the fold of each image: the hash of its key, or of that of the image it is a copy of."""
    numbers = (
        int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest()) for key in look.texts("/images/key")
    )
    folds = np.array([number % _FOLDS for number in numbers], np.int64)
    if not look.has("/images/original"):
        return folds
    original = look.array("/images/original").astype(np.int64)
    return np.asarray(folds[np.where(original >= 0, original, np.arange(len(folds)))])


def _accuracy(value: Array, dim: int, labels: NDArray[np.int64], folds: NDArray[np.int64]) -> float:
    """Return the best accuracy out of fold of ridge classifiers of one-hot labels; labels below 0 are left out.

    Args:
        value: One half of each feature.
        dim: Dimensions of this half, at most as many as `value` has columns.
        labels: Label of each image.
        folds: Fold of each image.
    """
    kept = labels >= 0
    value, labels, folds = value[kept], labels[kept], folds[kept]
    hits = np.zeros(len(_PENALTIES))
    for fold in np.unique(folds):
        others, own = folds != fold, folds == fold
        mean = value[others].mean(0)
        centred = value[others] - mean
        inside = centred.T @ centred
        scale = max(float(np.trace(inside)) / max(dim, 1), np.finfo(np.float64).tiny)
        targets = np.eye(int(labels.max()) + 1)[labels[others]]
        cross, share = centred.T @ targets, targets.mean(0)
        for k, penalty in enumerate(_PENALTIES):
            weights = np.linalg.solve(inside + penalty * scale * np.eye(len(inside)), cross)
            said = ((value[own] - mean) @ weights + share).argmax(1)
            hits[k] += (said == labels[own]).sum()
    return float(hits.max() / max(len(labels), 1))
