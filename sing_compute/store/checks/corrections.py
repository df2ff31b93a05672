"""Check accuracies after a concept was taken out of the images on which its detector fires."""

import numpy as np
from numpy.typing import NDArray

from sing_compute.store.checks.classifiers import Array, subset_masks
from sing_compute.store.checks.look import Look

_GROUP = "directions/"
_TIED = 1e-7
"""Two largest logits that differ by less than this share of the spread are tied: rounding decides the prediction."""


def check_corrections(look: Look, value: Array, logits: Array, rows: NDArray[np.int64]) -> None:
    """Check the accuracy on the images of each subset: as they are, and moved along signal vector and filter.

    Args:
        look: One model.
        value: Features of all images of its directions, with one position each.
        logits: w . x - b of each of them.
        rows: Their rows in the file.
    """
    name = _GROUP + "corrections/"
    if not look.has(name + "before"):
        return
    weight, labels = look.array("head/weight"), look.array("/images/class")[rows]
    classes = value @ weight.T + look.array("head/bias")
    right = classes.argmax(1) == labels
    masks = np.array([np.ones(len(right), bool), right, ~right, *(mask[rows] for mask in subset_masks(look)[3:])])

    def accuracy(moved: Array) -> tuple[Array, Array]:
        """Return the accuracy on each subset, and the share of its images whose predictions are tied."""
        hits, tied = moved.argmax(1) == labels, np.zeros(len(moved), bool)
        if moved.shape[1] > 1:
            two = np.partition(moved, -2, axis=1)[:, -2:]
            tied = two[:, 1] - two[:, 0] < _TIED * np.ptp(moved, axis=1)
        count = masks.sum(1)
        shares = [
            np.divide(masks @ each.astype(np.float64), count, out=np.full(len(count), np.nan), where=count > 0)
            for each in (hits, tied)
        ]
        return shares[0], shares[1]

    found, room = accuracy(classes)
    look.equal(name + "before", found, "features/value and the head", absolute=np.nan_to_num(room) + 1e-6)
    signals, filters = look.array(_GROUP + "pairs/signal"), look.array(_GROUP + "pairs/filter")
    rest = look.array(_GROUP + "pairs/rest")
    for part, vectors in (("signal", signals), ("filter", filters)):
        every, rooms = (np.full((len(filters), len(masks)), np.nan) for _ in range(2))
        for direction in np.flatnonzero((signals != 0).any(1) & np.isfinite(rest)).tolist():
            excess = np.where(logits[:, direction] > 0, logits[:, direction] - rest[direction], 0.0)
            along = vectors[direction] / (filters[direction] @ vectors[direction])
            every[direction], rooms[direction] = accuracy(classes - excess[:, None] * (weight @ along))
        source = (
            f"features/value, the head and the {part} vectors" if part == "signal" else "features/value and the head"
        )
        look.equal(name + part, every, source, absolute=np.nan_to_num(rooms) + 1e-6)
