"""Check the accuracies of linear probes on either half of feature space: the classifiers are fitted again from the features."""

import numpy as np
from numpy.typing import NDArray

from sing_compute.store.checks.classifiers import Array, principal, split
from sing_compute.store.checks.features import features
from sing_compute.store.checks.look import Look
from sing_compute.store.checks.sing_features import views

_PENALTIES = (1e-4, 1e-2, 1.0)
"""Ridge penalties over trace / dimension of the half's covariance; the best accuracy out of fold is stored."""


def check_probes(look: Look) -> None:
    """Check the probes of classes, and of the user's groups, on Pi_n f and Pi_p f."""
    found, seen = features(look), views(look)
    if not (found.whole and seen.known):
        look.given("not the features of all images are looked at, with their folds: probes are taken as given")
        return
    rank = int(look.number("summary/rank"))
    lower = principal(look, found.value)
    halves = {
        "null": (found.value - lower, found.value.shape[1] - rank),
        "principal": (found.value @ split(look).rows[:rank].T, rank),
    }
    for labels, suffix in (("/images/class", ""), ("/images/group", "_group")):
        for half, (value, dim) in halves.items():
            name = f"summary/probe_{half}{suffix}"
            if look.has(labels, name):
                known = look.array(labels)
                wanted = _accuracy(value, dim, known.astype(np.int64), seen.fold)
                room = 1.5 / max(int((known >= 0).sum()), 1)
                look.equal(name, wanted, "features/value and the folds", absolute=room)


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
