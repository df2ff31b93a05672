"""Check flips: the smallest steps along signal vectors that change the predictions of the images, found again in closed form."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sing_compute.store.checks.classifiers import Array
from sing_compute.store.checks.look import Look

_GROUP = "directions/"
_BEYOND = 1e-6
"""Share of a step that is added to it, as the writer does."""
_NO_EFFECT = 1e-9
"""A step that changes logits by less than this share of what it could change at most changes nothing."""
_CLOSE = 1e-6
"""Two steps that differ by less than this share are as long: rounding decides which class is reached."""
_OUTSIDE = (0.005, 0.995)
_CELLS = 2**22


class _Steps(NamedTuple):
    """The smallest step of each image along one signal vector."""

    step: Array
    reached: NDArray[np.int64]
    """Class that the step leads to; -1 without one."""
    doubtful: NDArray[np.bool_]
    """True where rounding decides."""


def check_flips(look: Look, value: Array, logits: Array) -> None:
    """Check shares of images that a step leads to a class, the median step, and the share of them outside real images.

    Args:
        look: One model.
        value: Features of all images of its directions, with one position each.
        logits: w . x - b of each of them.
    """
    name = _GROUP + "classes/"
    if not look.has(name + "flips"):
        return
    weight, bias = look.array("head/weight"), look.array("head/bias")
    classes = value @ weight.T + bias
    predicted = np.bincount(classes.argmax(1), minlength=len(bias))
    others = (len(value) - predicted).astype(np.float64)
    sigmoid = bool(look.fact("sigmoid", False, group="directions"))
    signals, strength = look.array(_GROUP + "pairs/signal"), look.array(_GROUP + "pairs/strength")
    shape = (len(signals), len(bias))
    flips, size, outside = (np.full(shape, np.nan) for _ in range(3))
    doubtful = np.zeros(len(signals))
    for direction, signal in enumerate(signals):
        found = _smallest(classes, weight, signal, sigmoid)
        doubtful[direction] = found.doubtful.sum()
        counts = np.bincount(found.reached[found.reached >= 0], minlength=len(bias))
        flips[direction] = np.divide(counts, others, out=np.full(len(bias), np.nan), where=others > 0)
        low, high = np.quantile(logits[:, direction], _OUTSIDE)
        moved = logits[:, direction] + found.step
        for label in np.unique(found.reached[found.reached >= 0]).tolist():
            there = found.reached == label
            steps = np.sort(np.abs(found.step[there] / strength[direction]))
            size[direction, label] = steps[(len(steps) - 1) // 2]
            outside[direction, label] = ((moved[there] < low) | (moved[there] > high)).mean()
    room = (doubtful[:, None] + 1e-6) / np.maximum(others, 1)
    source, clear = "features/value, the head and signal vectors", (doubtful == 0)[:, None]
    look.equal(name + "flips", flips, source, absolute=room)
    look.equal(name + "flip_step", size, source, relative=1e-4, where=clear)
    look.equal(name + "flip_outside", outside, source, where=clear)


def _smallest(classes: Array, weight: Array, signal: Array, sigmoid: bool) -> _Steps:
    parts = []
    height = max(1, _CELLS // classes.shape[1])
    gains = weight @ signal
    least = _NO_EFFECT * float(np.linalg.norm(weight, axis=1).max()) * float(np.linalg.norm(signal))
    for start in range(0, len(classes), height):
        logits = classes[start : start + height]
        lines = np.arange(len(logits))
        own = logits.argmax(1)
        gaps, rates = logits[lines, own][:, None] - logits, gains - gains[own][:, None]
        if sigmoid:
            gaps, rates = -logits, np.broadcast_to(gains, logits.shape)
        ways = np.divide(gaps, rates, out=np.full(gaps.shape, np.inf), where=np.abs(rates) > least)
        sizes = np.abs(ways)
        target = sizes.argmin(1)
        step = ways[lines, target] * (1 + _BEYOND)
        known = np.isfinite(step)
        after = logits + np.where(known, step, 0)[:, None] * gains
        changed = ((after > 0) != (logits > 0)).any(1) if sigmoid else after.argmax(1) != own
        nearest = np.partition(sizes, 1, axis=1)[:, :2] if sizes.shape[1] > 1 else np.c_[sizes, sizes + np.inf]
        doubtful = known & (~changed | (nearest[:, 1] <= nearest[:, 0] * (1 + _CLOSE)))
        parts.append(_Steps(step, np.where(known & changed, target, -1), doubtful))
    return _Steps(*(np.concatenate(part) for part in zip(*parts, strict=True)))
