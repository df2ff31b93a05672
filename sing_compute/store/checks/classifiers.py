"""Check the images and classifiers of a file: order, counts, predictions, the spectrum of each head."""

from typing import TYPE_CHECKING, Any

import numpy as np

from sing_compute.store.checks.tolerances import Check
from sing_compute.store.constants import SUBSETS
from sing_compute.store.noun import Noun
from sing_compute.store.read import Store

if TYPE_CHECKING:
    from sing_compute.store.verify import Checker


def check_images(checker: "Checker", store: Store) -> None:
    """Check the images of a file."""
    checker.attempt("images", lambda: _images(checker.check, store))


def check_classifiers(checker: "Checker", store: Store) -> None:
    """Check the head and the predictions of each model."""
    for model in store.models:
        checker.attempt(f"models/{model}", lambda model=model: _classifier(checker.check, store, model))  # type: ignore[misc]


def _images(check: Check, store: Store) -> None:
    """Check that images are sorted by class, that the offsets agree with this, and that keys are unique."""
    labels, keys, offsets = store.array("images/class"), store.array("images/key"), store.offsets
    classes = len(store.class_names)
    check((np.diff(labels) >= 0).all(), "images/class: not sorted")
    check(labels.min(initial=0) >= 0 and labels.max(initial=0) < classes, "images/class: outside the classes")
    edges = np.searchsorted(labels, np.arange(classes + 1))
    check((edges == offsets).all(), "images/offsets: do not match images/class")
    check(len(np.unique(keys)) == len(keys), "images/key: not unique")
    if "images/original" in store:
        original = store.array("images/original")
        first = (original >= 0) & (original <= np.arange(len(original)))
        check(first.all() and (original[original] == original).all(), "images/original: not the first of equal images")
        copies = int((original != np.arange(len(original))).sum())
        check(
            copies == store.attributes("images").get("copies"),
            f"images: {copies} copies, its attribute says another number",
        )
    facts = store.attributes("images")
    if "item" in facts or "items" in facts:
        noun = Noun(str(facts.get("item")), str(facts.get("items")))
        check(
            {"item", "items"} <= facts.keys() and noun == store.noun, f"images: attributes item, items: {noun.problem}"
        )
    check(store.subsets[: len(SUBSETS)] == list(SUBSETS), f"subsets/name: must begin with {SUBSETS}")


def _classifier(check: Check, store: Store, model: str) -> None:
    """Check one model: its head, its predictions and counts."""
    summary, base = store.summary(model), f"models/{model}/"
    if "rank" in summary:  # `--only features` does not split the head
        _head(check, store, model, summary)
    right = store.array(base + "images/prediction") == store.array("images/class")
    check(right.sum() == summary["correct"], f"{base}summary/correct: {summary['correct']}, counted {right.sum()}")
    counts = store.array(base + "classes/count")
    check((counts[0] == np.diff(store.offsets)).all(), f"{base}classes/count: does not match the images")
    check((counts[1] + counts[2] == counts[0]).all(), f"{base}classes/count: right and wrong do not make all")


def _head(check: Check, store: Store, model: str, summary: dict[str, Any]) -> None:
    base = f"models/{model}/"
    weight = store.array(base + "head/weight")
    if store.attributes(f"models/{model}").get("invariance") == "softmax":
        weight = weight - weight.mean(axis=0)
    stored = store.array(base + "head/singular_values")
    found = np.linalg.svd(weight, compute_uv=False)
    close = np.allclose(stored, found, rtol=1e-6, atol=1e-9 * found[0])
    check(close, f"{base}head/singular_values: not those of the weight")
    rank = int((stored > summary["cutoff"]).sum())
    check(rank == summary["rank"], f"{base}summary/rank: {summary['rank']}, the spectrum says {rank}")
    check(
        rank + summary["nullity"] == weight.shape[1],
        f"{base}summary: rank and nullity do not make {weight.shape[1]}",
    )
