"""Checking a results file: its structure against the schema, and every invariant of the method that the file itself can show."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sing_compute.errors import StoreError
from sing_compute.store.gate import Stored, reading
from sing_compute.store.invariants import ANGLE_NOISE, check_beside, check_comparison
from sing_compute.store.read import Store, UnknownLengthError
from sing_compute.store.schema import FIELDS, RANKED, SUBSETS, Field
from sing_compute.store.text import one_line

LOGIT_NOISE = 1e-4
"""Largest logit change over the spread that float32 heads show when only their null space moves."""

FLAT = 1e-4
"""Cosines this near each other are the same: where features say nothing, the path rises for ever, less and less."""


def verify(store: Store) -> tuple[list[str], int]:
    """Check a whole file. Gives the problems, one line each, and the number of checks made."""
    checker = _Checker(store)
    with np.errstate(all="ignore"):
        checker.attempt("the structure", checker.structure)
        if not checker.problems:  # values are only worth checking where the structure holds
            checker.attempt("images", checker.images)
            checker.attempt("clip", checker.vectors)
            for model in store.models:
                checker.attempt(f"models/{model}", partial(checker.model, model))
            checker.attempt("comparison", checker.comparison)
    return checker.problems, checker.made


class _Checker:
    def __init__(self, store: Store) -> None:
        self.store = store
        self.problems: list[str] = []
        self.made = 0

    def check(self, good: Any, problem: str) -> None:
        """Count one check and keep the problem if it failed."""
        self.made += 1
        if not bool(good):
            self.problems.append(one_line(problem))

    def attempt(self, path: str, checks: Callable[[], None]) -> None:
        """Run some checks; values that they cannot even be made on are a problem, too."""
        try:
            with reading(path):
                checks()
        except StoreError as error:
            self.check(False, str(error).removeprefix(f"{self.store.path.name}: "))

    def structure(self) -> None:
        """Every dataset of the schema: there, of the right dtype, axes, lengths, unit and version."""
        self.check(self.store.models, "models: there are none")
        for path, field in FIELDS.items():
            for model in self.store.models if "{model}" in path else [""]:
                self._dataset(path.format(model=model), field, model)

    def _dataset(self, path: str, field: Field, model: str) -> None:
        try:
            stored = self.store.examine(path)
        except UnknownLengthError:  # what is wrong is said where its axes are defined
            return
        except StoreError as error:
            self.check(False, str(error))
            return
        if stored is None:
            wanted = field.level == "MUST" or (field.level == "SCORED" and self._nullity(model) > 0)
            self.check(not wanted, f"{path}: missing")
            return
        self.made += 4  # the gate has looked at kind, dtype, axes and lengths
        attributes = self.store.attributes(path)
        self.check(
            attributes.get("axes") == ",".join(field.axes), f"{path}: attribute axes is {attributes.get('axes')!r}"
        )
        self.check(attributes.get("unit") == field.unit, f"{path}: attribute unit is {attributes.get('unit')!r}")

    def _nullity(self, model: str) -> int:
        """Dimension of the null space a model had; 0 where the file does not say (which is a problem of its own)."""
        try:
            stored: Stored | None = self.store.examine(f"models/{model}/summary/nullity")
        except StoreError:
            return 0
        return 0 if stored is None else int(stored[()])

    def images(self) -> None:
        """Image rows: sorted by class, with offsets that say so, and keys that are unique."""
        labels, keys, offsets = self.store.array("images/class"), self.store.array("images/key"), self.store.offsets
        classes = len(self.store.class_names)
        self.check((np.diff(labels) >= 0).all(), "images/class: not sorted")
        self.check(labels.min(initial=0) >= 0 and labels.max(initial=0) < classes, "images/class: outside the classes")
        edges = np.searchsorted(labels, np.arange(classes + 1))
        self.check((edges == offsets).all(), "images/offsets: do not match images/class")
        self.check(len(np.unique(keys)) == len(keys), "images/key: not unique")
        self.check(self.store.subsets[: len(SUBSETS)] == list(SUBSETS), f"subsets/name: must begin with {SUBSETS}")

    def vectors(self) -> None:
        """Text embeddings are unit vectors."""
        for name in ("class_embeddings", "concept_embeddings"):
            lengths = np.linalg.norm(self.store.array(f"clip/{name}"), axis=1)
            self.check(np.abs(lengths - 1).max(initial=0) < 1e-4, f"clip/{name}: not of unit length")

    def model(self, model: str) -> None:
        """One model: its head, its predictions, and its scores where it has a null space."""
        summary, base = self.store.summary(model), f"models/{model}/"
        self._head(model, summary)
        right = self.store.array(base + "images/prediction") == self.store.array("images/class")
        self.check(
            right.sum() == summary["correct"], f"{base}summary/correct: {summary['correct']}, counted {right.sum()}"
        )
        counts = self.store.array(base + "classes/count")
        self.check((counts[0] == np.diff(self.store.offsets)).all(), f"{base}classes/count: does not match the images")
        self.check((counts[1] + counts[2] == counts[0]).all(), f"{base}classes/count: right and wrong do not make all")
        if summary["nullity"]:
            self._scores(base, summary)
            self._statistics(base, summary)
            self._rankings(base)
            self._concepts(base)
            check_beside(self.check, self.store, model, summary)

    def _head(self, model: str, summary: dict[str, Any]) -> None:
        base = f"models/{model}/"
        weight = self.store.array(base + "head/weight")
        if self.store.attributes(f"models/{model}").get("invariance") == "softmax":
            weight = weight - weight.mean(axis=0)
        stored = self.store.array(base + "head/singular_values")
        found = np.linalg.svd(weight, compute_uv=False)
        close = np.allclose(stored, found, rtol=1e-6, atol=1e-9 * found[0])
        self.check(close, f"{base}head/singular_values: not those of the weight")
        rank = int((stored > summary["cutoff"]).sum())
        self.check(rank == summary["rank"], f"{base}summary/rank: {summary['rank']}, the spectrum says {rank}")
        self.check(
            rank + summary["nullity"] == weight.shape[1],
            f"{base}summary: rank and nullity do not make {weight.shape[1]}",
        )

    def _scores(self, base: str, summary: dict[str, Any]) -> None:
        """Angles stay in their range, and no AS exceeds its IS: the triangle inequality on the sphere."""
        attribute, image = (
            self.store.array(base + "images/attribute_score"),
            self.store.array(base + "images/image_score"),
        )
        self.check(
            not (image < 0).any() and not (image > 180).any(), f"{base}images/image_score: outside 0 to 180 degrees"
        )
        over = np.abs(attribute) > image + ANGLE_NOISE
        self.check(not over.any(), f"{base}images: |AS| exceeds IS in {over.sum()} images")
        over = np.abs(self.store.array(base + "images/top_concept_score")).max(axis=1) > image + ANGLE_NOISE
        self.check(not over.any(), f"{base}images: a top concept's |AS| exceeds IS in {over.sum()} images")
        for name in ("null_energy", "null_energy_centred"):
            energy = self.store.array(f"{base}images/{name}")
            self.check(not (energy < 0).any(), f"{base}images/{name}: below 0")
        energy = self.store.array(base + "images/null_energy")
        self.check(not (energy > 1 + 1e-6).any(), f"{base}images/null_energy: above 1")
        if self.store.attributes(base).get("null_space", "numerical") == "numerical":  # an approximate one has its cost
            self.check(
                summary["flips"] == 0, f"{base}summary/flips: {summary['flips']} predictions change under null removal"
            )
            self.check(
                summary["logit_change_max"] < LOGIT_NOISE,
                f"{base}summary/logit_change_max: {summary['logit_change_max']:.1e}",
            )
        path = self.store.array(base + "translator/path_lambda")
        position = np.flatnonzero(np.isclose(path, summary["lambda"], rtol=1e-9, equal_nan=True))
        self.check(len(position) == 1, f"{base}summary/lambda: not on the ridge path")
        if len(position) and self.store.attributes(base).get("lambda_choice") == "out-of-fold cosine":
            cosine = self.store.array(base + "translator/path_cosine")
            self.check(
                cosine[position[0]] >= cosine.max() - FLAT, f"{base}summary/lambda: not the best on the ridge path"
            )

    def _statistics(self, base: str, summary: dict[str, Any]) -> None:
        """Medians of the model and of each class, computed again from the images."""
        for name in ("attribute_score", "image_score"):
            values = self.store.array(f"{base}images/{name}").astype(np.float64)
            median = np.nanmedian(values) if np.isfinite(values).any() else np.nan
            self.check(
                _same(summary[name], median), f"{base}summary/{name}: {summary[name]:.4f}, the images say {median:.4f}"
            )
            stored = self.store.dataset(f"{base}classes/{name}_q50")[0]
            runs = zip(self.store.offsets[:-1], self.store.offsets[1:], strict=True)
            found = [np.median(run) if len(run := _finite(values[a:b])) else np.nan for a, b in runs]
            self.check(
                _same(stored, np.array(found)), f"{base}classes/{name}_q50: not the median of the class's images"
            )
        covariance = self.store.array(base + "summary/score_covariance")
        self.check(_same(covariance, covariance.T), f"{base}summary/score_covariance: not symmetric")

    def _rankings(self, base: str) -> None:
        for name in RANKED:
            order, values = self.store.array(f"{base}rankings/{name}"), self.store.array(f"{base}images/{name}")
            complete = len(order) == len(values) and (np.sort(order) == np.arange(len(values))).all()
            self.check(complete, f"{base}rankings/{name}: not an order of all images")
            if complete:
                self.check((np.diff(_finite(values[order])) >= 0).all(), f"{base}rankings/{name}: not rising")

    def _concepts(self, base: str) -> None:
        """Mean AS is mean angle before minus after; |mean AS| <= mean |AS| <= mean IS of the class."""
        names = ("angle_before", "angle_after", "attribute_score", "attribute_score_abs")
        matrices = [self.store.dataset(f"{base}concepts/{name}") for name in names]
        limits = self.store.dataset(base + "classes/image_score_mean")[0] + ANGLE_NOISE
        wrong = over = 0
        for row, limit in enumerate(limits):
            before, after, score, absolute = (matrix[row] for matrix in matrices)
            wrong += int((np.abs(before - after - score) > ANGLE_NOISE).any())
            over += int((absolute > limit).any() or (np.abs(score) > absolute + ANGLE_NOISE).any())
        self.check(not wrong, f"{base}concepts: AS is not before minus after in {wrong} classes")
        self.check(not over, f"{base}concepts: |mean AS| <= mean |AS| <= mean IS fails in {over} classes")

    def comparison(self) -> None:
        """The matrix between models holds the models that have scores."""
        scored = [name for name in self.store.models if self.store.summary(name)["nullity"]]
        there = "comparison/model" in self.store and "comparison/class_order" in self.store
        self.check(there or not scored, "comparison: missing")
        if not there:
            return
        names = [str(name) for name in self.store.array("comparison/model")]
        self.check(sorted(names) == sorted(scored), f"comparison/model: {names}, the models with scores are {scored}")
        matrix = self.store.array("comparison/class_order")
        self.check(_same(matrix, matrix.T), "comparison/class_order: not symmetric")
        if all(f"comparison/{name}" in self.store for name in ("above", "figure", "value")):
            check_comparison(self.check, self.store)


def _finite(values: NDArray[Any]) -> NDArray[Any]:
    kept: NDArray[Any] = values[np.isfinite(values)]
    return kept


def _same(left: Any, right: Any) -> bool:
    return bool(np.allclose(left, right, rtol=1e-4, atol=1e-5, equal_nan=True))
