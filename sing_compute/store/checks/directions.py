"""Check direction pairs: filters against signal vectors, counts against logits, and the figures that follow from the head."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sing_compute.store.checks.tolerances import Check, same
from sing_compute.store.read import Store
from sing_compute.store.text import clean

if TYPE_CHECKING:
    from sing_compute.store.verify import Checker

_STATES = {"found", "unstable", "not found"}
_ROUNDING = 1e-6
_GROUP = "models/{}/directions/"
_SHARES = (
    *(
        "trust/score",
        "trust/detector",
        "trust/pinned",
        "trust/agreement",
        "null/share",
        "null/p",
        "null/q",
        "names/p",
        "classes/p",
        "classes/q",
    ),
    *("classes/flips", "classes/flip_outside", "corrections/before", "corrections/signal", "corrections/filter"),
    *("corrections/random", "matches/iou", "matches/chance", "rivals/share"),
)
_COSINES = (
    "trust/filter",
    "trust/signal",
    "trust/steady",
    "null/row_cosine",
    "names/cosine",
    "classes/sensitivity",
    "rivals/cosine",
)


def check_directions(checker: "Checker", store: Store) -> None:
    """Check the direction pairs of each model that has some."""
    for model in store.models:
        base = _GROUP.format(model)
        if f"{base}pairs/filter" in store:
            checker.attempt(base, lambda base=base: _pairs(checker.check, store, base))  # type: ignore[misc]
            checker.attempt(base, lambda model=model: _counts(checker.check, store, model))  # type: ignore[misc]
            checker.attempt(base, lambda model=model: _head(checker.check, store, model))  # type: ignore[misc]
            checker.attempt(base, lambda base=base: _derived(checker.check, store, base))  # type: ignore[misc]
            checker.attempt(base, lambda base=base: _ranges(checker.check, store, base))  # type: ignore[misc]


def _pairs(check: Check, store: Store, base: str) -> None:
    """Check that w . s = 1 for each direction with a signal vector, margins, and the states of trust."""
    filters = store.array(base + "pairs/filter")
    for name, letter in (("signal", "s"), ("pattern", "pattern")):
        vectors = store.array(f"{base}pairs/{name}")
        check(bool(np.isfinite(filters).all() and np.isfinite(vectors).all()), f"{base}pairs/{name}: not all finite")
        alive = (vectors != 0).any(1)
        products = (filters * vectors).sum(1)
        scale = np.maximum(1, np.linalg.norm(filters, axis=1) * np.linalg.norm(vectors, axis=1))
        near = np.abs(products - 1)[alive] <= _ROUNDING * scale[alive]
        check(bool(near.all()), f"{base}pairs/{name}: w . {letter} is not 1")
    lengths = np.linalg.norm(filters, axis=1)
    check(same(lengths * store.array(base + "pairs/margin"), np.ones(len(lengths))), f"{base}pairs/margin: not 1 / |w|")
    states = [str(state) for state in store.array(base + "trust/state")]
    check(set(states) <= _STATES, f"{base}trust/state: none of {', '.join(sorted(_STATES))}")
    found = store.scalars(f"{base}summary")["found"]
    check(states.count("found") == found, f"{base}summary/found: not the number of directions that are called found")


def _counts(check: Check, store: Store, model: str) -> None:
    """Check images and positives against the stored logits."""
    base = _GROUP.format(model)
    logits, rows = store.array(base + "images/logit"), store.array(base + "images/row")
    facts = store.scalars(f"{base}summary")
    check(
        bool((np.diff(rows) > 0).all()) and len(rows) == facts["images"],
        f"{base}images/row: not ascending, or not as many as summary/images",
    )
    fires = logits > 0
    images = store.array(base + "pairs/images")
    check(np.array_equal(fires.sum(0), images), f"{base}pairs/images: not the images with a logit above 0")
    classes = store.array("images/class")[np.clip(rows, 0, store.count("image") - 1)]
    own = np.arange(store.count("class"))[:, None] == classes
    check(
        np.array_equal(own.sum(1), store.array(base + "classes/images")), f"{base}classes/images: not those of the rows"
    )
    positives = (own.astype(np.int64) @ fires).T
    check(
        np.array_equal(positives, store.array(base + "classes/positives")),
        f"{base}classes/positives: not the images of the class with a logit above 0",
    )
    count, total = store.array(base + "pairs/positives"), facts["images"] * facts["positions"]
    check(bool(((count >= images) & (count <= total)).all()), f"{base}pairs/positives: fewer than images, or too many")
    if facts["positions"] == 1:
        _logits(check, store, model, rows, logits)


def _logits(check: Check, store: Store, model: str, rows: NDArray[np.int64], logits: NDArray[np.float32]) -> None:
    """Check the logits of some images against their stored features."""
    base, features = _GROUP.format(model), f"models/{model}/features/"
    if features + "row" not in store:
        return
    kept = store.array(features + "row")
    some = np.unique(np.linspace(0, len(rows) - 1, 64).round().astype(np.int64))
    places = np.searchsorted(kept, rows[some])
    if not np.array_equal(kept[np.minimum(places, len(kept) - 1)], rows[some]):
        check(False, f"{base}images/row: images whose features are not stored")
        return
    values = store.dataset(features + "value")[places].astype(np.float64)
    wanted = values @ store.array(base + "pairs/filter").T - store.array(base + "pairs/threshold")
    near = np.abs(wanted - logits[some]) <= 1e-4 * (1 + np.abs(wanted))
    check(bool(near.all()), f"{base}images/logit: not w . x - b of the stored features")


def _head(check: Check, store: Store, model: str) -> None:
    """Check the figures that follow from head and signal vectors: row cosines, and movements in logits."""
    base, weight = _GROUP.format(model), store.array(f"models/{model}/head/weight")
    filters, label = store.array(base + "pairs/filter"), f"{base}null/row_class"
    if label in store:
        rows = store.array(label)
        lengths = np.linalg.norm(weight, axis=1)[rows] * np.linalg.norm(filters, axis=1)
        cosines = (weight[rows] * filters).sum(1) / np.where(lengths > 0, lengths, np.nan)
        given = store.array(base + "null/row_cosine")
        check(same(cosines[rows >= 0], given[rows >= 0]), f"{base}null/row_cosine: not that of the filter and the row")
    if f"{base}null/unread" in store:
        unread, q = store.array(base + "null/unread"), store.array(base + "null/q")
        least = np.fmin(q, store.array(base + "null/pattern_q"))
        check(
            bool((least[unread > 0] <= 0.05 + _ROUNDING).all()), f"{base}null/unread: directions whose q is above .05"
        )
        for name, vectors in (("share", "signal"), ("pattern_share", "pattern")):
            _share(check, store, model, name, store.array(f"{base}pairs/{vectors}"))
        whole, part = store.array(base + "null/movement"), store.array(base + "null/null_movement")
        share = store.array(base + "null/share")
        known = np.isfinite(share)
        check(
            same((part**2)[known], (share * whole**2)[known]),
            f"{base}null/null_movement: not the null share of movement",
        )


def _share(check: Check, store: Store, model: str, name: str, vectors: NDArray[np.float64]) -> None:
    """Check null shares against the head, split at the rank that the file states."""
    rank = store.scalars(f"models/{model}/summary").get("rank")
    if rank is None:
        return
    weight = store.array(f"models/{model}/head/weight")
    if store.attributes(f"models/{model}").get("invariance") == "softmax":
        weight = weight - weight.mean(0)
    rows = np.linalg.svd(weight, full_matrices=False)[2][: int(rank)]
    alive = (vectors != 0).any(1)
    units = vectors[alive] / np.linalg.norm(vectors[alive], axis=1, keepdims=True)
    wanted = 1 - ((units @ rows.T) ** 2).sum(1)
    given = store.array(f"{_GROUP.format(model)}null/{name}")[alive]
    check(same(wanted, given), f"{_GROUP.format(model)}null/{name}: not that of the signal vectors and the head")


def _derived(check: Check, store: Store, base: str) -> None:
    """Check what follows from other figures: S1, and matches with the directions of other models."""
    if f"{base}labels/iou" in store:
        total, s1 = store.array(base + "labels/iou").sum(), store.scalars(f"{base}summary")["s1"]
        check(same(total, s1), f"{base}summary/s1: not the sum of the IoU of the labels")
    if f"{base}matches/iou" not in store:
        return
    own, rows = store.array(base + "images/logit") > 0, store.array(base + "images/row")
    best, iou = store.array(base + "matches/direction"), store.array(base + "matches/iou")
    for column, other in enumerate(str(name) for name in store.array(base + "matches/model")):
        theirs = _GROUP.format(other) + "images/"
        if f"{theirs}logit" not in store:
            check(False, f"{base}matches/model: {clean(other)} has no directions")
            continue
        _, here, there = np.intersect1d(rows, store.array(theirs + "row"), return_indices=True)
        left, right = own[here].astype(np.float64), (store.array(theirs + "logit") > 0)[there].astype(np.float64)
        both = left.T @ right
        union = left.sum(0)[:, None] + right.sum(0) - both
        every = both / np.maximum(union, 1)
        known = best[:, column] >= 0
        wanted = every.max(1)
        check(same(wanted[known], iou[known, column]), f"{base}matches/iou: not that of the images on which both fire")


def _ranges(check: Check, store: Store, base: str) -> None:
    """Check that shares and probabilities are from 0 to 1, and cosines from -1 to 1."""
    for least, names in ((0.0, _SHARES), (-1.0, _COSINES)):
        for name in names:
            if base + name in store:
                values = store.array(base + name)
                beyond = (values < least - _ROUNDING) | (values > 1 + _ROUNDING)
                check(not beyond.any(), f"{base}{name}: outside {least:g} to 1")
    for name in ("null/p", "names/p", "classes/p"):
        if base + name in store:
            check(not (store.array(base + name) <= 0).any(), f"{base}{name}: a p of 0")
