"""Check what follows from the stored features and the head: predictions, confidences, and what removing the null part changes."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sing_compute.store.checks.classifiers import Array, is_exact, principal, split
from sing_compute.store.checks.look import Look

LOGIT_NOISE = 1e-4
"""Largest change of a logit, over the logit spread, that rounding in float32 causes when only the null part changes."""
_CELLS = 2**20
_FEWEST = 256


class Features(NamedTuple):
    """Stored features of some images."""

    whole: bool
    """True if these are the features of all images of the file."""
    rows: NDArray[np.int64]
    """Rows of the images, ascending."""
    value: Array
    null: Array
    """Pi_n f of each."""


def features(look: Look) -> Features:
    """Read stored features: all of them, or those of as many images as are quickly computed with."""
    return look.once("features", lambda: _read(look))


def _read(look: Look) -> Features:
    rows = look.array("features/row").astype(np.int64)
    dim = look.store.dataset(look.path("features/value")).shape[1]
    chosen = look.sample(len(rows), max(_FEWEST, _CELLS // max(dim, 1)), "stored features")
    values = look.rows("features/value", chosen).astype(np.float64)
    whole = len(chosen) == len(look.array("/images/class"))
    null = values - principal(look, values) if look.has("summary/rank") else np.zeros_like(values)
    return Features(whole, rows[chosen], values, null)


def check_rows(look: Look) -> None:
    """Check that stored features are those of ascending rows."""
    for name in ("features/row", "maps/image", "maps/position"):
        if look.has(name):
            look.check((np.diff(look.array(name)) > 0).all(), f"{name}: not ascending rows of images")


def check_predictions(look: Look) -> None:
    """Check that stored features give the stored predictions and confidences."""
    found = features(look)
    logits = found.value @ look.array("head/weight").T + look.array("head/bias")
    stored, spread = look.rows("images/prediction", found.rows).astype(np.int64), np.ptp(logits, axis=1)
    shortfall = logits.max(axis=1) - logits[np.arange(len(logits)), stored]
    exact = str(look.fact("precision", "float32")) in ("float32", "float64")
    room = LOGIT_NOISE if exact else 0.05
    many = int((shortfall > room * spread).sum())
    look.check(not many, f"features/value: other predictions than images/prediction for {many:,} images")
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    wanted = shares[np.arange(len(logits)), stored] / shares.sum(axis=1)
    look.equal(
        "images/confidence",
        wanted,
        "features/value and the head",
        stored=look.rows("images/confidence", found.rows),
        absolute=1e-6 + 5e-3 * wanted * (1 - wanted) if exact else 0.1,
    )


def check_variants(look: Look) -> None:
    """Check the flips and logit changes of other rules for the null space."""
    found, whole = features(look), split(look)
    if not found.whole or len(found.rows) > 20_000:
        look.given("the features of all images are not kept: flips and logit changes are taken as given")
        return
    softmax = str(look.fact("invariance")) == "softmax"
    names, ranks = look.texts("variants/name"), look.array("variants/rank")
    changes = []
    for name, rank in zip(names, ranks.tolist(), strict=True):
        rows = whole.rows if (name == "softmax") == softmax else _other_rows(look, softmax)
        changes.append(
            removal(look, found.value - found.value @ rows[:rank].T @ rows[:rank], centred=name == "softmax")
        )
    _compare(look, "variants", np.array(changes), len(found.rows))


def _other_rows(look: Look, softmax: bool) -> Array:
    """Return right singular vectors of the weight if the softmax was split, else of the weight minus its mean."""
    weight = look.array("head/weight")
    matrix = weight if softmax else weight - weight.mean(axis=0)
    return look.once("other rows", lambda: np.linalg.svd(matrix, full_matrices=False)[2])


def removal(look: Look, null: Array, *, centred: bool) -> tuple[float, float, float, float, int]:
    """Return what removing a part of each feature changes.

    Returns:
        Predictions that change; the largest and the mean change of a logit, over the logit spread; the logit spread; predictions
        that rounding may change.
    """
    value, weight = features(look).value, look.array("head/weight")
    before = value @ weight.T + look.array("head/bias")
    change = null @ weight.T
    after = before - change
    flips = float((before.argmax(1) != after.argmax(1)).sum())
    spread = float(np.ptp(before, axis=1).mean())
    ties = sum(int((np.diff(np.sort(part, axis=1)[:, -2:], axis=1) < 1e-5 * spread).sum()) for part in (before, after))
    if centred:
        change = change - change.mean(axis=1, keepdims=True)
    if not spread > 0:
        return flips, np.nan, np.nan, spread, ties
    return flips, float(np.abs(change).max()) / spread, float(np.abs(change).mean()) / spread, spread, ties


def _compare(look: Look, group: str, changes: Array, images: int) -> None:
    look.equal(
        f"{group}/flips",
        changes[:, 0] / images,
        "features/value and the head",
        absolute=(changes[:, 4] + 0.5) / images,
        relative=0,
    )
    for column, name in ((1, "logit_change_max"), (2, "logit_change_mean")):
        look.equal(f"{group}/{name}", changes[:, column], "features/value and the head", absolute=1e-6, relative=1e-3)


def check_equivalence(look: Look) -> None:
    """Check flips and logit changes of the null space that was used: against the features, or that they are only rounding."""
    if is_exact(look):
        flips, largest = look.number("summary/flips"), look.number("summary/logit_change_max")
        look.check(flips == 0, f"summary/flips: {flips:g} predictions change under null removal")
        look.check(not largest >= LOGIT_NOISE, f"summary/logit_change_max: {largest:.1e}")
    mean = look.number("summary/logit_change_mean")
    look.check(
        not mean > look.number("summary/logit_change_max"), "summary/logit_change_mean: above the largest change"
    )
    if not look.has("features/value"):
        return
    found = features(look)
    flips, largest, mean, spread, ties = removal(look, found.null, centred=str(look.fact("invariance")) == "softmax")
    if found.whole:
        look.equal("summary/flips", flips, "features/value and the head", absolute=ties + 0.5)
        look.equal("summary/logit_change_max", largest, "features/value and the head", absolute=1e-6, relative=1e-3)
        look.equal("summary/logit_change_mean", mean, "features/value and the head", absolute=1e-6, relative=1e-3)
        look.equal("summary/logit_spread", spread, "features/value and the head", relative=1e-3)
