"""Compare the same models in two results files, made with different CLIPs, penalties or vocabularies."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray

from sing_compute.errors import SingError
from sing_compute.measuring.comparison import ORDERING_FIGURES
from sing_compute.scores.statistics import rank_correlation
from sing_compute.store import Store
from sing_compute.store.constants import PENALTIES
from sing_compute.store.text import clean

CLASS_FIGURES = ("attribute_score_abs_q50", "image_score_q50", "ratio")
"""Figures that classes are ordered by, in the order of `ORDERING_FIGURES`: medians of |AS| and IS, and their ratio."""

CONTEXT_FIGURES = (
    "nullity",
    "null_energy",
    "attribute_score_abs_over_control",
    "image_score_over_control",
    "lambda_relative",
)
"""Properties of a head that all its scores depend on: a ranking must not be read without them (docs/method.md)."""


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of one model in one file; NaN where there is no value."""

    value: Float[np.ndarray, " figure"]
    """Values in the order of `ORDERING_FIGURES`: degrees, the ratio without unit."""
    interval: Float[np.ndarray, "figure bound"]
    """Their 95 % intervals over images."""
    context: dict[str, float]
    """Properties of the head without which a ranking must not be read, by the names of `CONTEXT_FIGURES`."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Comparison of the models that two files share, in the order of the first file."""

    models: list[str]
    figures: list[tuple[Figures, Figures]]
    ranks: Int[np.ndarray, "file figure model"]
    """Rank of each model, 1 for the smallest value; models of equal value share the smaller rank."""
    model_order: Float[np.ndarray, " figure"]
    """Spearman correlation of the order of the models; NaN below two models."""
    class_order: Float[np.ndarray, "model figure"]
    """Spearman correlation of the order of the classes of one model; NaN below two classes."""
    left_out: list[str]
    """Models that only one file has, or that have no scores."""


def agreement(left: Store, right: Store) -> Agreement:
    """Compare the models with scores that two files share by name.

    Args:
        left: The first file; models are listed in its order.
        right: The second file.

    Raises:
        SingError: The files have other classes, or share no model with scores.
    """
    names = [[str(name) for name in store.class_names] for store in (left, right)]
    if names[0] != names[1]:
        sizes = f"{len(names[0])} and {len(names[1])}"
        problem = sizes if len(names[0]) != len(names[1]) else "of other names"
        raise SingError(f"{left.path} and {right.path} have other classes ({problem}): nothing can be compared")
    scored = [[name for name in store.models if store.summary(name).get("nullity")] for store in (left, right)]
    models = [name for name in scored[0] if name in scored[1]]
    if not models:
        there = (", ".join(clean(name) for name in names) or "none" for names in scored)
        raise SingError(
            f"{left.path} and {right.path} share no model with scores; they hold {next(there)} and {next(there)}"
        )
    figures = [(_figures(left, model), _figures(right, model)) for model in models]
    values = np.array([[each.value for each in pair] for pair in figures]).transpose(1, 2, 0)
    return Agreement(
        models,
        figures,
        np.array([[_ranks(row) for row in file] for file in values]),
        np.array([rank_correlation(*pair) for pair in values.transpose(1, 0, 2)]),
        np.array([[_class_order(left, right, model, name) for name in CLASS_FIGURES] for model in models]),
        [clean(name) for name in dict.fromkeys([*left.models, *right.models]) if name not in models],
    )


def differences(left: Store, right: Store) -> list[str]:
    """Return one line for each setting, text or weight in which two files differ."""
    clips = [clean(str(store.attributes("clip").get("tag"))) for store in (left, right)]
    counts = [f"{len(store.dataset('images/key')):,}" for store in (left, right)]
    lines = [f"CLIP: {clips[0]} | {clips[1]}"] if clips[0] != clips[1] else []
    if counts[0] != counts[1]:
        lines.append(f"{left.noun.plural}: {counts[0]} | {counts[1]}")
    elif (left.array("images/key") != right.array("images/key")).any():
        lines.append(f"{left.noun.plural}: {counts[0]} each, but others")
    words = [[str(name) for name in store.concept_names] for store in (left, right)]
    if words[0] != words[1]:
        same = len(set(words[0]) & set(words[1]))
        lines.append(f"concepts: {len(words[0]):,} | {len(words[1]):,}, {same:,} in both")
    for model in (name for name in left.models if name in right.models):
        penalties = [float(store.summary(model).get("lambda", math.nan)) for store in (left, right)]
        if all(map(math.isfinite, penalties)) and not math.isclose(*penalties, rel_tol=1e-6):
            lines.append(f"lambda of {clean(model)}: {penalties[0]:.4g} | {penalties[1]:.4g}")
        weights = [store.attributes(f"models/{model}").get("state_sha256") for store in (left, right)]
        if weights[0] != weights[1]:
            lines.append(f"weights of {clean(model)}: not the same")
    return lines


def _figures(store: Store, model: str) -> Figures:
    base = f"models/{model}/bootstrap/"
    names = [str(name) for name in store.array(base + "figure")]
    missing = [name for name in ORDERING_FIGURES if name not in names]
    if missing:
        raise SingError(f"{store.path}: {clean(model)} has no intervals of {', '.join(missing)}")
    chosen = [names.index(name) for name in ORDERING_FIGURES]
    place = PENALTIES.index(1.0)
    summary = store.summary(model)
    context = {name: float(summary.get(name, math.nan)) for name in CONTEXT_FIGURES}
    values, ends = (store.array(base + part)[place, chosen] for part in ("value", "images_interval"))
    return Figures(values, ends, context)


def _class_order(left: Store, right: Store, model: str, figure: str) -> float:
    path = f"models/{model}/classes/{figure}"
    rows: Sequence[NDArray[np.float64]] = [store.dataset(path)[0].astype(np.float64) for store in (left, right)]
    return rank_correlation(rows[0], rows[1])


def _ranks(values: NDArray[np.float64]) -> list[int]:
    return [1 + int((values < value).sum()) for value in values]
