"""Check direction pairs: vectors, counts, trust, q, names, labels, matches, and what follows from the head."""

import numpy as np
from numpy.typing import NDArray

from sing_compute.store.checks.classifiers import Array, principal
from sing_compute.store.checks.look import Look
from sing_compute.store.checks.poles import centred_concepts, check_mixes
from sing_compute.store.checks.sing_concepts import false_discovery
from sing_compute.store.text import clean

_ROUNDING = 1e-6
_LEVEL = 0.05
_FITTED = 0.101
"""Largest p from a fitted tail, which is no count of draws; where draws are enough for Bonferroni's rule, none is fitted."""
_FOUND, _UNSTABLE = 0.88, 0.5
"""Least scores of directions that are called found and unstable (docs/directions.md)."""
_GROUP = "directions/"


def check_pairs(look: Look) -> None:
    """Check that w . s = 1 for each direction with a signal vector, and margins."""
    filters = look.array(_GROUP + "pairs/filter")
    for name, letter in (("signal", "s"), ("pattern", "pattern")):
        vectors = look.array(f"{_GROUP}pairs/{name}")
        alive = (vectors != 0).any(1)
        products = (filters * vectors).sum(1)
        scale = np.maximum(1, np.linalg.norm(filters, axis=1) * np.linalg.norm(vectors, axis=1))
        near = np.abs(products - 1)[alive] <= _ROUNDING * scale[alive]
        look.check(near.all(), f"{_GROUP}pairs/{name}: w . {letter} is not 1")
    look.equal(_GROUP + "pairs/margin", 1 / np.linalg.norm(filters, axis=1), "1 / |w|", absolute=0)


def check_trust(look: Look) -> None:
    """Check scores and states against the agreements of the searches, and the share of the filter that the head pins."""
    parts = [look.array(f"{_GROUP}trust/{name}") for name in ("filter", "signal", "agreement")]
    least = np.min(parts, axis=0).clip(0)
    steady = look.array(_GROUP + "trust/steady").clip(0)
    score, detector = look.array(_GROUP + "trust/score"), look.array(_GROUP + "trust/detector")
    look.equal(
        _GROUP + "trust/score", np.median(least, axis=1) * steady, "the agreements and steady", where=np.isfinite(score)
    )
    kept = look.number(_GROUP + "summary/violation")
    states = look.array(_GROUP + "trust/state")
    free = np.where(score < _UNSTABLE, "not found", "unstable")
    held = np.where(score >= _FOUND, "found", np.where(detector >= _FOUND, "detector only", free))
    look.check(((states == held) | (states == free)).all(), f"{_GROUP}trust/state: not those of the scores")
    found = int((states == "found").sum())
    look.equal(_GROUP + "summary/found", found, "trust/state", absolute=0, relative=0)
    mixed = (states != held).any() and np.isin(states, ("found", "detector only")).any()
    look.check(
        not mixed, f"{_GROUP}trust/state: some are called found, although the bounds are missed by {kept:.3g} in all"
    )
    weight = look.array("head/weight")
    _, spectrum, rows = np.linalg.svd(weight - weight.mean(0), full_matrices=False)
    rows = rows[spectrum > spectrum.max() * max(weight.shape) * np.finfo(np.float64).eps]
    filters = look.array(_GROUP + "pairs/filter")
    pinned = ((filters @ rows.T) ** 2).sum(1) / np.square(filters).sum(1)
    softmax = np.allclose(look.array(_GROUP + "trust/pinned"), pinned, rtol=1e-4, atol=1e-5)
    if not softmax:  # a head of sigmoids is pinned by the rows themselves
        basis = np.linalg.svd(weight, full_matrices=False)[2]
        pinned = ((filters @ basis.T) ** 2).sum(1) / np.square(filters).sum(1)
    look.equal(_GROUP + "trust/pinned", pinned, "filters and head/weight")


def check_counts(look: Look) -> None:
    """Check images and positives against the logits, and the steps by their names."""
    logits, rows = look.array(_GROUP + "images/logit"), look.array(_GROUP + "images/row").astype(np.int64)
    images, positions = look.number(_GROUP + "summary/images"), look.number(_GROUP + "summary/positions")
    if look.fact("features", group="directions") == "pooled features":
        look.check(positions == 1, f"{_GROUP}summary/positions: {positions:g}, and pooled features have 1")
    ordered = (np.diff(rows) > 0).all() and len(rows) == images
    look.check(ordered, f"{_GROUP}images/row: not ascending, or not as many as summary/images")
    keys = look.rows("/images/key", rows)
    look.equal(_GROUP + "images/key", keys, "images/key at images/row")
    fires = logits > 0
    look.equal(_GROUP + "pairs/images", fires.sum(0), "images/logit", absolute=0, relative=0)
    labels, classes = look.array("/images/class")[rows], len(look.array("/classes/name"))
    own = np.arange(classes)[:, None] == labels
    look.equal(_GROUP + "classes/images", own.sum(1), "images/row", absolute=0, relative=0)
    look.equal(_GROUP + "classes/positives", (own.astype(np.int64) @ fires).T, "images/logit", absolute=0, relative=0)
    count = look.array(_GROUP + "pairs/positives")
    fit = (count >= look.array(_GROUP + "pairs/images")) & (count <= images * positions)
    if positions == 1:
        fit = count == look.array(_GROUP + "pairs/images")
    look.check(fit.all(), f"{_GROUP}pairs/positives: fewer than images, or too many")
    look.check(
        look.number(_GROUP + "summary/restart") < look.number(_GROUP + "summary/restarts"),
        f"{_GROUP}summary/restart: there is no such restart",
    )
    sizes, names = look.array(_GROUP + "steps/size"), look.texts(_GROUP + "steps/name")
    look.check([f"{size:g}" for size in sizes.tolist()] == names, f"{_GROUP}steps/size: not those of steps/name")


def check_head(look: Look) -> None:
    """Check the figures that follow from head and signal vectors: row cosines, null shares, movements."""
    weight, filters = look.array("head/weight"), look.array(_GROUP + "pairs/filter")
    if look.has(_GROUP + "null/row_class"):
        lengths = np.linalg.norm(weight, axis=1)[:, None] * np.linalg.norm(filters, axis=1)
        cosines = np.divide(weight @ filters.T, lengths, out=np.full(lengths.shape, np.nan), where=lengths > 0)
        rows = look.array(_GROUP + "null/row_class")
        own = np.where(rows >= 0, cosines[rows.clip(0), np.arange(len(rows))], np.nan)
        look.equal(_GROUP + "null/row_cosine", own, "filters and head/weight", where=rows >= 0)
        best = np.where(rows >= 0, np.nanmax(np.abs(cosines), axis=0), np.nan)
        look.equal(_GROUP + "null/row_class", best, "the most similar row (|cosine|)", stored=np.abs(own))
    if not look.has(_GROUP + "null/unread", "summary/rank"):
        return
    for prefix, vectors in (("", "signal"), ("pattern_", "pattern")):
        found = look.array(f"{_GROUP}pairs/{vectors}")
        alive = (found != 0).any(1)
        length = np.square(found).sum(1)
        part = 1 - np.divide(np.square(principal(look, found)).sum(1), length, out=np.zeros(len(found)), where=alive)
        stored = look.array(f"{_GROUP}null/{prefix}share")
        look.equal(
            f"{_GROUP}null/{prefix}share", np.where(alive, part, np.nan), f"{vectors} vectors and the head", where=alive
        )
        p = look.array(f"{_GROUP}null/{prefix}p")
        look.equal(f"{_GROUP}null/{prefix}q", false_discovery(p), f"{prefix}p by Benjamini and Hochberg")
        _check_draws(look, f"{_GROUP}null/{prefix}p", p, stored)
    least = np.fmin(look.array(_GROUP + "null/q"), look.array(_GROUP + "null/pattern_q"))
    look.equal(
        _GROUP + "null/unread",
        (least <= _LEVEL).astype(int),
        "q and pattern_q",
        absolute=0,
        relative=0,
        where=np.abs(least - _LEVEL) > _ROUNDING,
    )
    whole, share = look.array(_GROUP + "null/movement"), look.array(_GROUP + "null/share")
    signals = look.array(_GROUP + "pairs/signal")
    look.equal(
        _GROUP + "null/null_movement",
        np.sqrt(share) * whole,
        "the null share of movement",
        where=np.isfinite(share),
        absolute=1e-4 * float(np.nanmax(whole, initial=0)),
    )
    lengths = np.linalg.norm(signals, axis=1)
    logit = np.linalg.norm(signals @ weight.T, axis=1)
    wanted = np.divide(whole * logit, lengths, out=np.full(len(whole), np.nan), where=lengths > 0)
    look.equal(
        _GROUP + "null/logit_movement",
        wanted,
        "movement, signal vectors and head/weight",
        where=lengths > 0,
        relative=1e-3,
    )
    dim, nullity = weight.shape[1], look.number("summary/nullity")
    look.equal(_GROUP + "summary/null_chance", nullity / dim, "the nullity")
    ends = [look.number(f"{_GROUP}summary/null_{name}") for name in ("low", "median", "high")]
    look.check(not (np.diff(ends) < 0).any(), f"{_GROUP}summary/null_median: not between null_low and null_high")
    draws = np.argsort(share[np.isfinite(share)])
    p = look.array(_GROUP + "null/p")[np.isfinite(share)]
    look.check((np.diff(p[draws]) <= _ROUNDING).all(), f"{_GROUP}null/p: not descending with the null share")
    for end, tail in ((ends[0], 0.975), (ends[1], 0.5), (ends[2], 0.025)):
        known = share[np.isfinite(share)]
        wrong = ((known > end) & (p > tail + 0.01)) | ((known < end) & (p < tail - 0.01))
        look.check(
            not wrong.any(), f"{_GROUP}null/p: does not fit the stored interval of random directions at {end:.4g}"
        )


def _check_draws(look: Look, name: str, p: Array, known: NDArray[np.floating]) -> None:
    """Check that p is a number of 2,000 draws, counted with itself, and known for the same directions as its figure."""
    look.check((np.isfinite(p) == np.isfinite(known)).all(), f"{name}: known for other directions than its figure")
    draws = p[np.isfinite(p)] * 2001
    look.check((np.abs(draws - np.round(draws)) < 1e-3).all(), f"{name}: no number of 2,000 draws")


def check_classes(look: Look) -> None:
    """Check p, q against p, and the number of directions and pairs that are significant by Bonferroni's rule."""
    p = look.array(_GROUP + "classes/p")
    look.equal(
        _GROUP + "classes/q",
        false_discovery(p.reshape(-1)).reshape(p.shape),
        "p by Benjamini and Hochberg over all pairs",
    )
    draws = look.number(_GROUP + "summary/permutations")
    counted = np.isfinite(p) if draws * _LEVEL >= p.size else p > _FITTED
    known = p[counted] * (draws + 1)
    look.check(
        (np.abs(known - np.round(known)) < 1e-3).all(), f"{_GROUP}classes/p: no number of {draws:g} permutations"
    )
    tests = int(np.isfinite(p).sum())
    pairs = p * tests < _LEVEL
    clear = not (np.abs(p * tests - _LEVEL) < 1e-9).any()
    for name, count in (("sensitive_pairs", pairs.sum()), ("sensitive", pairs.any(1).sum())):
        look.equal(
            f"{_GROUP}summary/{name}", int(count), "classes/p by Bonferroni", absolute=0, relative=0, where=clear
        )


def check_names(look: Look) -> None:
    """Check the names of directions against signal vectors, translator and the concepts' embeddings."""
    concepts = centred_concepts(look, _GROUP + "words/name", _GROUP + "words/position")
    weight = look.array("translator/weight") if look.has("translator/weight") else None
    for prefix, vectors in (("", "signal"), ("pattern_", "pattern")):
        picks = look.array(f"{_GROUP}names/{prefix}pick")
        coefficients, cosine = (look.array(f"{_GROUP}names/{prefix}{part}") for part in ("coefficient", "cosine"))
        found = look.array(f"{_GROUP}pairs/{vectors}")
        if concepts is None or weight is None:
            continue
        poles = found @ weight.T
        check_mixes(look, f"{_GROUP}names/{prefix}", picks, coefficients, cosine, poles, concepts)
        p = look.array(f"{_GROUP}names/{prefix}p")
        look.check(
            (np.isfinite(p) == np.isfinite(cosine)).all(),
            f"{_GROUP}names/{prefix}p: known for other directions than its cosine",
        )
        order = np.argsort(cosine[np.isfinite(cosine)])
        falling = np.diff(p[np.isfinite(cosine)][order]) <= _ROUNDING
        look.check(falling.all(), f"{_GROUP}names/{prefix}p: not descending with the cosine")


def check_labels(look: Look) -> None:
    """Check S1 and S2 against the IoU of the labels."""
    iou, label = look.array(_GROUP + "labels/iou"), look.array(_GROUP + "labels/label")
    look.equal(_GROUP + "summary/s1", iou.sum(), "labels/iou")
    best = np.zeros(int(label.max(initial=-1)) + 1)
    np.maximum.at(best, label[label >= 0], iou[label >= 0])
    look.equal(_GROUP + "summary/s2", best.sum(), "labels/iou")
    look.check(not iou[label < 0].any(), f"{_GROUP}labels/iou: known without a label")
    chance = np.isfinite(look.array(_GROUP + "labels/chance"))
    look.check((chance == (label >= 0)).all(), f"{_GROUP}labels/chance: known without a label")
    labels = np.bincount(label[label >= 0])
    expected = float((1 / (labels[labels > 0] + 1)).mean()) if (label >= 0).any() else np.nan
    look.equal(_GROUP + "summary/s3_chance", expected, "labels/label")


def check_matches(look: Look) -> None:
    """Check matches with directions of other models against the images on which both fire."""
    from scipy.stats import hypergeom

    own, rows = look.array(_GROUP + "images/logit") > 0, look.array(_GROUP + "images/row")
    for column, other in enumerate(look.texts(_GROUP + "matches/model")):
        theirs = f"/models/{other}/directions/images/"
        if not look.has(f"{theirs}logit"):
            look.check(False, f"{_GROUP}matches/model: {clean(other)} has no directions")
            continue
        _, here, there = np.intersect1d(rows, look.array(theirs + "row"), return_indices=True)
        left, right = own[here].astype(np.float64), (look.array(theirs + "logit") > 0)[there].astype(np.float64)
        both = left.T @ right
        union = left.sum(0)[:, None] + right.sum(0) - both
        every = both / np.maximum(union, 1)
        best, iou, p, chance = (
            look.array(f"{_GROUP}matches/{name}")[:, column] for name in ("direction", "iou", "p", "chance")
        )
        known = (best >= 0) & (best < right.shape[1])
        look.check(
            (known == (every.max(1) > 0)).all(),
            f"{_GROUP}matches/direction: known without common images, or the other way round",
        )
        place = best.clip(0, right.shape[1] - 1)
        line = np.arange(len(best))
        look.equal(_GROUP + "matches/iou", every.max(1), f"the images on which both fire ({clean(other)})", stored=iou)
        look.equal(
            _GROUP + "matches/direction", every.max(1), "the largest IoU", stored=every[line, place], where=known
        )
        shares = left.mean(0), right.mean(0)[place]
        product = shares[0] * shares[1]
        wanted = np.where(known, product / np.maximum(shares[0] + shares[1] - product, 1e-300), np.nan)
        look.equal(_GROUP + "matches/chance", wanted, "the images on which each fires", stored=chance)
        fired, others = left.sum(0), right.sum(0)[place]
        tail = hypergeom.sf(both[line, place] - 1, len(left), fired, others) * right.shape[1]
        look.equal(_GROUP + "matches/p", np.where(known, np.clip(tail, 0, 1), np.nan), "the common images", stored=p)
