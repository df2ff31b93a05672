"""Check the evidence for the scores in a file: intervals, controls, significance, order, spectrum, stored features."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sing_compute.store.checks.tolerances import ANGLE_NOISE, ROUNDING, Check, same
from sing_compute.store.constants import CHOSEN, CURVE, QUANTILES, SIGNIFICANT
from sing_compute.store.read import Store

REFERENCE = "random vector"
"""The control that scores are divided by (docs/method.md)."""
_SAMPLE = 256
"""Number of stored features that are checked, evenly spread."""


def check_evidence(check: Check, store: Store, model: str, summary: dict[str, Any]) -> None:
    """Check all evidence of one model with scores. Missing groups are reported by the check of the structure."""
    base = f"models/{model}/"
    parts: tuple[tuple[str, Callable[[Check, Store, str, dict[str, Any]], None]], ...] = (
        ("bootstrap/classes_interval", _bootstrap),
        ("classes/interval", _class_intervals),
        ("classes/image_score_curve", _curves),
        ("controls/flips", _controls),
        ("concepts/q", _significance),
        ("spectrum/singular_value", _spectrum),
        ("variants/flips", _variants),
        ("features/value", _features),
    )
    for path, part in parts:
        if base + path in store:
            part(check, store, base, summary)
    for name in ("probe_null", "probe_principal", "probe_chance", "null_share"):
        value = summary.get(name, 0.0)
        check(not value < 0 and not value > 1 + ROUNDING, f"{base}summary/{name}: {value:.4g} is no share")
    moved = summary.get("null_share_data", 0.0)  # above 1 where the two parts of the features pull against each other
    check(not moved < 0, f"{base}summary/null_share_data: {moved:.4g} is below 0")


def check_comparison(check: Check, store: Store) -> None:
    """Check the certainty of the order of models, and the figures behind it."""
    above = store.array("comparison/above").astype(np.float64)
    check(not (above < 0).any() and not (above > 1).any(), "comparison/above: outside 0 to 1")
    turned = above + np.swapaxes(above, -1, -2)
    check(same(turned[~np.isnan(turned)], 1.0), "comparison/above: above and below do not make 1")
    figures, values = store.array("comparison/figure").tolist(), store.array("comparison/value")
    for column, model in enumerate(store.array("comparison/model")):
        base = f"models/{model}/bootstrap/"
        if base + "value" not in store:
            continue
        names, stored = store.array(base + "figure").tolist(), store.array(base + "value")
        for row, figure in enumerate(figures):
            agrees = figure in names and same(values[:, row, column], stored[:, names.index(figure)])
            check(agrees, f"comparison/value: {figure} of {model} is not that of its bootstrap")
    if "comparison/accuracy_correlation" in store:
        known = float(store.array("comparison/accuracy_correlation"))
        summaries = [store.summary(str(model)) for model in store.array("comparison/model")]
        pairs = [[each.get(name, np.nan) for name in ("accuracy", "zero_shot_equivalent")] for each in summaries]
        good = len(pairs) > 2 and same(np.corrcoef(np.array(pairs).T)[0, 1], known)
        check(good, f"comparison/accuracy_correlation: {known:.4f} is not that of the summaries")


def _check_order(check: Check, path: str, ends: NDArray[Any]) -> None:
    """Check that lower ends are below upper ones, and that no interval has only one end."""
    low, high = ends[..., 0], ends[..., 1]
    check((np.isnan(low) == np.isnan(high)).all(), f"{path}: one end without the other")
    check(not (low > high).any(), f"{path}: a lower end above the upper one")


def _bootstrap(check: Check, store: Store, base: str, summary: dict[str, Any]) -> None:
    """Check that figures at the chosen penalty are those of the summary, and that intervals are within their replicates."""
    base += "bootstrap/"
    figures, values = store.array(base + "figure").tolist(), store.array(base + "value")
    check(len(set(figures)) == len(figures), f"{base}figure: not unique")
    for k, figure in enumerate(figures):
        known = summary.get(figure, np.nan)
        check(same(values[CHOSEN, k], known), f"{base}value: {figure} is {values[CHOSEN, k]:.4g}, not {known:.4g}")
    for over in ("images", "classes"):
        ends, spread = store.array(f"{base}{over}_interval"), store.array(f"{base}{over}")
        _check_order(check, f"{base}{over}_interval", ends)
        some = ~np.isnan(ends[..., 0])
        least = np.where(np.isnan(spread), np.inf, spread).min(axis=-1, initial=np.inf)
        most = np.where(np.isnan(spread), -np.inf, spread).max(axis=-1, initial=-np.inf)
        room = ROUNDING * np.abs(ends).max(axis=-1)
        within = (ends[..., 0] >= least - room) & (ends[..., 1] <= most + room)
        check(within[some].all(), f"{base}{over}_interval: outside its replicates")


def _class_intervals(check: Check, store: Store, base: str, summary: dict[str, Any]) -> None:
    """Check that each interval contains its figure."""
    base += "classes/"
    ends = store.array(base + "interval").astype(np.float64)
    _check_order(check, base + "interval", ends)
    for k, figure in enumerate(store.array(base + "interval_figure").tolist()):
        if base + figure not in store:
            check(False, f"{base}interval_figure: there is no {figure}")
            continue
        value, room = store.array(base + figure), ROUNDING * (1 + np.abs(ends[k]).max(axis=-1))
        check(
            not ((ends[k, ..., 0] > value + room) | (ends[k, ..., 1] < value - room)).any(),
            f"{base}interval: {figure} is outside its interval",
        )


def _curves(check: Check, store: Store, base: str, summary: dict[str, Any]) -> None:
    """Check that percentiles ascend, and equal those of the class table where both have them."""
    for name in ("attribute_score", "image_score"):
        curve = store.array(f"{base}classes/{name}_curve")
        check(not (np.diff(curve, axis=1) < 0).any(), f"{base}classes/{name}_curve: not ascending")
        for quantile in QUANTILES:
            stored = store.dataset(f"{base}classes/{name}_q{quantile:02d}")[0]
            good = same(curve[:, CURVE.index(quantile)], stored)
            check(good, f"{base}classes/{name}_curve: percentile {quantile} is not that of the class table")


def _controls(check: Check, store: Store, base: str, summary: dict[str, Any]) -> None:
    """Check that the null space is the first control and changes no prediction, and that ratios are those of medians."""
    path = base + "controls/"
    names, flips = store.array(path + "name").tolist(), store.array(path + "flips")
    exact = store.attributes(base).get("null_space", "numerical") == "numerical"
    check(not exact or (len(flips) and flips[0] == 0), f"{path}flips: the measured removal changes predictions")
    for name in ("flips", "perturbation_flips"):
        share = store.array(path + name)
        check(not (share < 0).any() and not (share > 1).any(), f"{path}{name}: outside 0 to 1")
    check(not (store.array(path + "removed") < 0).any(), f"{path}removed: below 0")
    check(REFERENCE in names, f"{path}name: there is no {REFERENCE}")
    for name in ("attribute_score_abs", "image_score"):
        medians = store.array(path + name)
        ratio = medians[0] / medians[names.index(REFERENCE)] if REFERENCE in names else np.nan
        stored = summary.get(f"{name}_over_control", np.nan)
        check(same(ratio, stored), f"{base}summary/{name}_over_control: {stored:.4g}, the controls say {ratio:.4g}")


def _significance(check: Check, store: Store, base: str, summary: dict[str, Any]) -> None:
    """Check that q is in [p, 1] and ascends with p, and that p follows from z."""
    path = base + "concepts/"
    parts = [store.dataset(path + name) for name in ("z", "q", "p_empirical", "attribute_score_half", "control")]
    failing: dict[str, int] = {}
    found = 0
    for row in range(len(store.class_names)):
        z, q, empirical, half, control = (part[row].astype(np.float64) for part in parts)
        p = np.array([math.erfc(abs(value) / math.sqrt(2)) for value in z.tolist()])
        order = np.argsort(p, kind="stable")
        steps, p_steps = np.diff(q[order]), np.diff(p[order])
        tests = {
            "q: outside 0 to 1": (q < 0) | (q > 1),
            "q: below p": q
            < p * (1 - 1e-4) - 1e-30,  # z is float32: for large z the relative error of p grows with z squared
            "q: not ascending with p": (steps < -ROUNDING) & (p_steps > ROUNDING * p[order][1:]),
            "q: known where z is not, or the other way round": np.isnan(z) != np.isnan(q),
            "p_empirical: outside 0 to 1": (empirical <= 0) | (empirical > 1),
            "attribute_score_half: below 0": half < 0,
            "control: below 0": control < 0,
        }
        failing = {name: failing.get(name, 0) + int(bad.any()) for name, bad in tests.items()}
        found += int((q < SIGNIFICANT).sum())
    for name, classes in failing.items():
        check(not classes, f"{path}{name} in {classes} classes")
    stored = summary.get("significant", -1)
    check(found == stored, f"{base}summary/significant: {stored}, counted {found}")


def _spectrum(check: Check, store: Store, base: str, summary: dict[str, Any]) -> None:
    """Check that singular values are those of the translator's null part, and that poles are concepts."""
    weight = store.array(base + "translator/weight")
    null = weight - _principal(store, base, summary, weight)
    values = store.array(base + "spectrum/singular_value")
    wanted = np.linalg.svd(null, compute_uv=False)[: len(values)]
    scale = max(float(np.abs(weight).max(initial=0.0)), 1e-300)
    close = len(wanted) == len(values) and np.allclose(values, wanted, rtol=1e-5, atol=1e-6 * scale)
    check(close, f"{base}spectrum/singular_value: not those of A Pi_n")
    share = float((null**2).sum() / (weight**2).sum())
    check(same(share, summary.get("null_share", np.nan)), f"{base}summary/null_share: the translator says {share:.4g}")
    for name in ("toward", "away"):
        codes, cosines = store.array(f"{base}spectrum/{name}"), store.array(f"{base}spectrum/{name}_cosine")
        inside = (codes >= -1).all() and (codes < len(store.concept_names)).all()
        check(inside, f"{base}spectrum/{name}: outside the concepts")
        check(not (np.abs(cosines) > 1 + ROUNDING).any(), f"{base}spectrum/{name}_cosine: outside -1 to 1")


def _variants(check: Check, store: Store, base: str, summary: dict[str, Any]) -> None:
    """Check that rank and nullity by other rules add up to the same dimension."""
    names, dim = store.array(base + "variants/name").tolist(), store.dataset(base + "head/weight").shape[1]
    rank, nullity, flips = (store.array(f"{base}variants/{name}") for name in ("rank", "nullity", "flips"))
    check((rank + nullity == dim).all(), f"{base}variants: rank and nullity do not make {dim}")
    check(not (flips < 0).any() and not (flips > 1).any(), f"{base}variants/flips: outside 0 to 1")
    if "softmax" in names:
        found = int(nullity[names.index("softmax")])
        stored = summary["nullity_softmax"]
        check(found == stored, f"{base}variants/nullity: softmax {found}, the summary says {stored}")


def _features(check: Check, store: Store, base: str, summary: dict[str, Any]) -> None:
    """Check that stored features give the stored prediction and null energy, and AS and IS by one of the fold translators."""
    rows = store.array(base + "features/row").astype(np.int64)
    images = len(store.dataset("images/key"))
    good = len(rows) and rows[0] >= 0 and rows[-1] < images and (np.diff(rows) > 0).all()
    check(good, f"{base}features/row: not ascending rows of images")
    if not good:
        return
    sample = np.unique(np.linspace(0, len(rows) - 1, _SAMPLE).astype(np.int64))
    features = np.stack([store.dataset(base + "features/value")[int(k)] for k in sample]).astype(np.float64)
    chosen = rows[sample]
    weight, bias = store.array(base + "head/weight"), store.array(base + "head/bias")
    logits = features @ weight.T + bias
    predicted = store.dataset(base + "images/prediction")[chosen]
    shortfall = logits.max(axis=1) - logits[np.arange(len(logits)), np.clip(predicted, 0, logits.shape[1] - 1)]
    good = not (shortfall > 1e-4 * np.ptp(logits, axis=1)).any()
    check(good, f"{base}features/value: other predictions than images/prediction")
    null = features - _principal(store, base, summary, features)
    energy = np.linalg.norm(null, axis=1) / np.linalg.norm(features, axis=1)
    stored = store.dataset(base + "images/null_energy")[chosen]
    check(
        np.nanmax(np.abs(energy - stored), initial=0) < 1e-4, f"{base}features/value: another null energy than stored"
    )
    texts = store.array("clip/class_embeddings")[store.dataset("images/class")[chosen]].astype(np.float64)
    scores = [store.dataset(f"{base}images/{name}")[chosen] for name in ("attribute_score", "image_score")]
    best = np.full(len(chosen), np.inf)
    for fold in range(len(store.dataset(base + "translator/fold_weight"))):
        matrix = store.dataset(base + "translator/fold_weight")[fold].astype(np.float64)
        before = features @ matrix.T + store.dataset(base + "translator/fold_bias")[fold]
        after = before - null @ matrix.T
        found = (_angle(before, texts) - _angle(after, texts), _angle(before, after))
        best = np.fmin(best, np.maximum(*(np.abs(a - b) for a, b in zip(found, scores, strict=True))))
    known = np.isfinite(scores[0]) & np.isfinite(scores[1])
    check(not (best[known] > ANGLE_NOISE).any(), f"{base}features/value: no fold translator gives the stored AS and IS")


def _principal(store: Store, base: str, summary: dict[str, Any], rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Pi_p f of each row."""
    weight = store.array(base + "head/weight")
    if store.attributes(base).get("invariance") == "softmax":
        weight = weight - weight.mean(axis=0)
    basis = np.linalg.svd(weight, full_matrices=False)[2][: int(summary["rank"])]
    return np.asarray(rows @ basis.T @ basis)


def _angle(left: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the angle of each pair of rows, in degrees."""
    x, y = (part / np.linalg.norm(part, axis=1, keepdims=True) for part in (left, right))
    angle: NDArray[np.float64] = np.degrees(
        2 * np.arctan2(np.linalg.norm(x - y, axis=1), np.linalg.norm(x + y, axis=1))
    )
    return angle
