"""Check SING's scores in a file: ranges, statistics computed again from the images, orders, shifts."""

from typing import TYPE_CHECKING, Any

import numpy as np

from sing_compute.store.catalogue import is_present
from sing_compute.store.checks.sing_evidence import check_comparison, check_evidence
from sing_compute.store.checks.tolerances import ANGLE_NOISE, Check, finite, same
from sing_compute.store.constants import RANKED
from sing_compute.store.definitions.sing import SING
from sing_compute.store.read import Store

if TYPE_CHECKING:
    from sing_compute.store.verify import Checker

LOGIT_NOISE = 1e-4
"""Largest logit change, over the logit spread, that rounding in float32 causes when only the null part changes."""
FLAT = 1e-4
"""Cosines with a smaller difference count as equal: if features predict nothing, the cosine grows with any penalty."""


def check_sing(checker: "Checker", store: Store) -> None:
    """Check the scores of each model that has some, and the comparison of models."""
    checker.attempt("clip", lambda: _vectors(checker.check, store))
    scored = [model for model in store.models if is_present(store, SING, model)]
    for model in scored:
        checker.attempt(f"models/{model}", lambda model=model: _model(checker.check, store, model))  # type: ignore[misc]
    checker.attempt("comparison", lambda: _comparison(checker.check, store, scored))


def _model(check: Check, store: Store, model: str) -> None:
    """Check the scores of one model."""
    summary, base = store.summary(model), f"models/{model}/"
    _scores(check, store, base, summary)
    _statistics(check, store, base, summary)
    _rankings(check, store, base)
    _concepts(check, store, base)
    check_evidence(check, store, model, summary)


def _vectors(check: Check, store: Store) -> None:
    """Check that text embeddings are unit vectors."""
    for name in ("class_embeddings", "concept_embeddings"):
        lengths = np.linalg.norm(store.array(f"clip/{name}"), axis=1)
        check(np.abs(lengths - 1).max(initial=0) < 1e-4, f"clip/{name}: not of unit length")


def _scores(check: Check, store: Store, base: str, summary: dict[str, Any]) -> None:
    """Check that angles are in their range, and that no |AS| exceeds its IS: the triangle inequality on the sphere."""
    attribute, image = (
        store.array(base + "images/attribute_score"),
        store.array(base + "images/image_score"),
    )
    check(not (image < 0).any() and not (image > 180).any(), f"{base}images/image_score: outside 0 to 180 degrees")
    over = np.abs(attribute) > image + ANGLE_NOISE
    check(not over.any(), f"{base}images: |AS| exceeds IS in {over.sum()} images")
    over = np.abs(store.array(base + "images/top_concept_score")).max(axis=1) > image + ANGLE_NOISE
    check(not over.any(), f"{base}images: a top concept's |AS| exceeds IS in {over.sum()} images")
    for name in ("null_energy", "null_energy_centred"):
        energy = store.array(f"{base}images/{name}")
        check(not (energy < 0).any(), f"{base}images/{name}: below 0")
    energy = store.array(base + "images/null_energy")
    check(not (energy > 1 + 1e-6).any(), f"{base}images/null_energy: above 1")
    if store.attributes(base).get("null_space", "numerical") == "numerical":  # an approximate null space changes logits
        check(summary["flips"] == 0, f"{base}summary/flips: {summary['flips']} predictions change under null removal")
        check(
            summary["logit_change_max"] < LOGIT_NOISE,
            f"{base}summary/logit_change_max: {summary['logit_change_max']:.1e}",
        )
    path = store.array(base + "translator/path_lambda")
    position = np.flatnonzero(np.isclose(path, summary["lambda"], rtol=1e-9, equal_nan=True))
    check(len(position) == 1, f"{base}summary/lambda: not on the ridge path")
    if len(position) and store.attributes(base).get("lambda_choice") == "out-of-fold cosine":
        cosine = store.array(base + "translator/path_cosine")
        check(cosine[position[0]] >= cosine.max() - FLAT, f"{base}summary/lambda: not the best on the ridge path")


def _statistics(check: Check, store: Store, base: str, summary: dict[str, Any]) -> None:
    """Check medians of the model and of each class by computing them again from the images."""
    for name in ("attribute_score", "image_score"):
        values = store.array(f"{base}images/{name}").astype(np.float64)
        median = np.nanmedian(values) if np.isfinite(values).any() else np.nan
        check(same(summary[name], median), f"{base}summary/{name}: {summary[name]:.4f}, the images say {median:.4f}")
        stored = store.dataset(f"{base}classes/{name}_q50")[0]
        runs = zip(store.offsets[:-1], store.offsets[1:], strict=True)
        found = [np.median(run) if len(run := finite(values[a:b])) else np.nan for a, b in runs]
        check(same(stored, np.array(found)), f"{base}classes/{name}_q50: not the median of the class's images")
    covariance = store.array(base + "summary/score_covariance")
    check(same(covariance, covariance.T), f"{base}summary/score_covariance: not symmetric")


def _rankings(check: Check, store: Store, base: str) -> None:
    for name in RANKED:
        order, values = store.array(f"{base}rankings/{name}"), store.array(f"{base}images/{name}")
        complete = len(order) == len(values) and (np.sort(order) == np.arange(len(values))).all()
        check(complete, f"{base}rankings/{name}: not an order of all images")
        if complete:
            check((np.diff(finite(values[order])) >= 0).all(), f"{base}rankings/{name}: not ascending")


def _concepts(check: Check, store: Store, base: str) -> None:
    """Check that mean AS is mean angle before minus after, and that |mean AS| <= mean |AS| <= mean IS of the class."""
    names = ("angle_before", "angle_after", "attribute_score", "attribute_score_abs")
    matrices = [store.dataset(f"{base}concepts/{name}") for name in names]
    limits = store.dataset(base + "classes/image_score_mean")[0] + ANGLE_NOISE
    failing = over = 0
    for row, limit in enumerate(limits):
        before, after, score, absolute = (matrix[row] for matrix in matrices)
        failing += int((np.abs(before - after - score) > ANGLE_NOISE).any())
        over += int((absolute > limit).any() or (np.abs(score) > absolute + ANGLE_NOISE).any())
    check(not failing, f"{base}concepts: AS is not before minus after in {failing} classes")
    check(not over, f"{base}concepts: |mean AS| <= mean |AS| <= mean IS fails in {over} classes")


def _comparison(check: Check, store: Store, scored: list[str]) -> None:
    """Check that the comparison of models contains the models that have scores."""
    there = "comparison/model" in store and "comparison/class_order" in store
    check(there or not scored, "comparison: missing")
    if not there:
        return
    names = [str(name) for name in store.array("comparison/model")]
    check(sorted(names) == sorted(scored), f"comparison/model: {names}, the models with scores are {scored}")
    matrix = store.array("comparison/class_order")
    check(same(matrix, matrix.T), "comparison/class_order: not symmetric")
    if all(f"comparison/{name}" in store for name in ("above", "figure", "value")):
        check_comparison(check, store)
