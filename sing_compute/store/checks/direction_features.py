"""Check direction pairs against the stored features of their images: logits, vectors, means, and influence on the classes."""

import numpy as np
from numpy.typing import NDArray

from sing_compute.store.checks.classifiers import Array
from sing_compute.store.checks.corrections import check_corrections
from sing_compute.store.checks.counterfactuals import check_flips
from sing_compute.store.checks.direction_losses import check_losses
from sing_compute.store.checks.look import Look

_GROUP = "directions/"
_SAME = 1e-9
_MAPS = "its directions were found in spatial maps: logits, vectors and influence are taken as given"


def check_features(look: Look) -> None:
    """Check everything that one position for each image lets be computed again."""
    if look.number(_GROUP + "summary/positions") != 1:
        look.given(_MAPS)
        return
    rows = look.array(_GROUP + "images/row").astype(np.int64)
    kept = look.array("features/row")
    places = np.searchsorted(kept, rows).clip(0, len(kept) - 1)
    if not np.array_equal(kept[places], rows):
        look.check(False, f"{_GROUP}images/row: images whose features are not stored")
        return
    chosen = look.sample(
        len(rows), max(256, 2**22 // max(look.array("head/weight").shape[1], 1)), "images of directions"
    )
    value = look.rows("features/value", places[chosen]).astype(np.float64)
    filters, threshold = look.array(_GROUP + "pairs/filter"), look.array(_GROUP + "pairs/threshold")
    logits = value @ filters.T - threshold
    size = 1e-4 * (1 + np.abs(value) @ np.abs(filters).T / 100)
    stored = look.rows(_GROUP + "images/logit", chosen)
    near = np.abs(logits - stored) <= size + 1e-4 * np.abs(logits)
    look.check(
        near.all(),
        f"{_GROUP}images/logit: not w . x - b of the stored features for {int((~near).any(1).sum()):,} images",
    )
    if len(chosen) == len(rows):
        _check_vectors(look, value, logits, stored > 0)
        _check_influence(look, value)
        check_corrections(look, value, logits, rows)
        check_flips(look, value, logits)
        check_losses(look, value, logits)


def _check_vectors(look: Look, value: Array, logits: Array, fires: NDArray[np.bool_]) -> None:
    """Check signal vectors, patterns, mean logits and movements."""
    centred = value - value.mean(0)
    count = fires.sum(0)
    above = np.divide((logits * fires).sum(0), count, out=np.full(len(count), np.nan), where=count > 0)
    look.equal(_GROUP + "pairs/strength", above - logits.mean(0), "features/value", relative=1e-3, absolute=1e-4)
    others = len(fires) - count
    below = np.divide(np.minimum(logits, 0).sum(0), others, out=np.full(len(count), np.nan), where=others > 0)
    look.equal(_GROUP + "pairs/rest", below, "features/value", relative=1e-3, absolute=1e-4)
    signals = _vectors(centred, logits, fires)
    look.equal(
        _GROUP + "pairs/signal",
        signals,
        "features/value and filters",
        relative=1e-3,
        absolute=1e-4 * float(np.abs(signals).max(initial=0)),
    )
    opposite = _vectors(centred, logits, ~fires & (logits < 0))
    lengths = np.linalg.norm(signals, axis=1) * np.linalg.norm(opposite, axis=1)
    steady = np.divide((signals * opposite).sum(1), lengths, out=np.zeros(len(count)), where=lengths > 0)
    look.equal(_GROUP + "trust/steady", steady, "features/value and filters", absolute=1e-3, where=len(value) <= 20_000)
    total = centred.sum(0)
    sums = fires.T.astype(np.float64) @ centred
    difference = sums / count[:, None] - (total - sums) / others[:, None]
    read = (look.array(_GROUP + "pairs/filter") * difference).sum(1)
    known = (count > 0) & (others > 0) & (read > 0)
    pattern = np.where(known[:, None], difference / read[:, None], 0.0)
    look.equal(
        _GROUP + "pairs/pattern",
        pattern,
        "features/value and filters",
        relative=1e-3,
        absolute=1e-4 * float(np.abs(pattern).max(initial=0)),
    )
    if look.has(_GROUP + "null/movement"):
        moved = logits.std(0) * np.linalg.norm(look.array(_GROUP + "pairs/signal"), axis=1)
        stored = look.array(_GROUP + "null/movement")
        look.equal(
            _GROUP + "null/movement",
            moved,
            "features/value and signal vectors",
            relative=1e-3,
            where=np.isfinite(stored),
        )


def _vectors(centred: Array, logits: Array, chosen: NDArray[np.bool_]) -> Array:
    """Return cov(x, w . x) / var(w . x) over the chosen images of each direction; zeros where that has no variance."""
    count = np.maximum(chosen.sum(0), 1)
    mean = (logits * chosen).sum(0) / count
    away = (logits - mean) * chosen
    variance = (away**2).sum(0) / count
    found = (away.T @ centred) / count[:, None]
    return np.where(variance[:, None] > 1e-12, found / np.where(variance > 1e-12, variance, 1)[:, None], 0.0)


def _check_influence(look: Look, value: Array) -> None:
    """Check sensitivities, changes of probabilities and of margins along each signal vector, of a softmax head."""
    name = _GROUP + "classes/"
    if not look.has(name + "margin"):
        return
    weight, bias = look.array("head/weight"), look.array("head/bias")
    logits = value @ weight.T + bias
    strength, signals = look.array(_GROUP + "pairs/strength"), look.array(_GROUP + "pairs/signal")
    gains = (signals * np.nan_to_num(strength)[:, None]) @ weight.T
    stored = look.array(name + "change")
    shape = (*gains.shape, len(look.array(_GROUP + "steps/size")))
    score, change, margin = (np.full(shape, np.nan) for _ in range(3))
    before, other = _softmax(logits), _largest_other(logits).mean(0)
    for direction in np.flatnonzero(np.isfinite(strength)).tolist():
        for k, size in enumerate(look.array(_GROUP + "steps/size").tolist()):
            gain = size * gains[direction]
            after = _softmax(logits + gain)
            factor = np.exp(gain - gain.max())
            sums = (before @ factor).clip(np.finfo(np.float64).tiny)[:, None]
            rise, fall = (sums < factor * (1 - _SAME)).sum(0), (sums > factor * (1 + _SAME)).sum(0)
            score[direction, :, k] = (rise - fall) / len(logits)
            change[direction, :, k] = (after - before).mean(0)
            margin[direction, :, k] = gain - _largest_other(logits + gain).mean(0) + other
    if not np.allclose(stored, change, rtol=1e-2, atol=1e-4, equal_nan=True) and not np.allclose(
        stored.sum(1), 0, atol=1e-3
    ):
        look.given("its head may be one of sigmoids: the influence of directions is taken as given")
        return
    look.equal(name + "change", change, "features/value and the head", absolute=1e-5, relative=1e-3)
    look.equal(name + "margin", margin, "features/value and the head", absolute=1e-4, relative=1e-3)
    look.equal(name + "sensitivity", score, "features/value and the head", absolute=2.5 / len(value))


def _softmax(logits: Array) -> Array:
    shares = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=-1, keepdims=True))


def _largest_other(logits: Array) -> Array:
    """Return the largest logit of the other classes, (image, class)."""
    if logits.shape[1] < 2:
        return np.zeros_like(logits)
    ordered = np.argsort(-logits, axis=1)[:, :2]
    lines = np.arange(len(logits))
    found = np.repeat(logits[lines, ordered[:, 0]][:, None], logits.shape[1], 1)
    found[lines, ordered[:, 0]] = logits[lines, ordered[:, 1]]
    return found
