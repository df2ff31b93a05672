"""Check the comparison of the models of a file."""

import math

import numpy as np
from numpy.typing import NDArray

from sing_compute.store.checks.classifiers import Array
from sing_compute.store.checks.look import Look

MOST_COMPARED = 16
"""Models that are compared with each other again, each pair of them; of more, some are drawn."""


def check_comparison(look: Look) -> None:
    """Check the comparison of models: orders of classes, figures, and the certainty of the order of the models."""
    models = look.texts("comparison/model")
    rows = look.sample(len(models), MOST_COMPARED, "models in the comparison")
    bases = [f"models/{models[row]}/" for row in rows.tolist()]
    missing = [
        base for base in bases if not look.has(f"{base}bootstrap/value", f"{base}classes/attribute_score_abs_q50")
    ]
    look.check(not missing, f"comparison/model: {', '.join(missing)} has no scores")
    if missing:
        return
    medians = [look.store.dataset(f"{base}classes/attribute_score_abs_q50")[0].astype(np.float64) for base in bases]
    orders = [[_rank_correlation(a, b) for b in medians] for a in medians]
    stored = look.array("comparison/class_order")[np.ix_(rows, rows)]
    look.equal("comparison/class_order", orders, "the classes of the models", stored=stored)
    figures, above = look.texts("comparison/figure"), look.array("comparison/above")[..., rows[:, None], rows]
    values = look.array("comparison/value")[..., rows]
    columns_of = []
    for column, base in enumerate(bases):
        names = look.texts(f"{base}bootstrap/figure")
        known = set(figures) <= set(names)
        look.check(known, f"comparison/figure: {base}bootstrap has not all of {', '.join(figures)}")
        if not known:
            return
        chosen = [names.index(figure) for figure in figures]
        wanted = look.array(f"{base}bootstrap/value")[:, chosen]
        look.equal("comparison/value", wanted, f"{base}bootstrap/value", stored=values[..., column])
        columns_of.append(look.array(f"{base}bootstrap/images")[:, chosen])
    for row, left in enumerate(columns_of):
        for column, right in enumerate(columns_of):
            look.equal(
                "comparison/above",
                _share_above(left, right),
                "the resamples of the models",
                stored=above[..., row, column],
            )


def check_correlation(look: Look) -> None:
    """Check the correlation of accuracy and zero-shot accuracy over models."""
    rows = [
        [look.number(f"models/{model}/summary/{n}") for n in ("accuracy", "zero_shot_equivalent")]
        for model in look.texts("comparison/model")
    ]
    wanted = np.asarray(np.corrcoef(np.array(rows).T))[0, 1] if len(rows) > 2 else np.nan
    look.equal("comparison/accuracy_correlation", wanted, "the summaries of the models")


def _share_above(left: NDArray[np.floating], right: NDArray[np.floating]) -> Array:
    """Return the share of resamples in which the left figure is larger, a tie counts half, (penalty, figure)."""
    both = np.isfinite(left) & np.isfinite(right)
    above = np.where(both, (left > right) + 0.5 * (left == right), 0.0).sum(axis=-1)
    count = both.sum(axis=-1)
    return np.asarray(np.where(count > 0, above / np.maximum(count, 1), np.nan))


def _rank_correlation(left: Array, right: Array) -> float:
    """Return Spearman's correlation over the classes that both have; ties share their mean rank."""
    both = np.isfinite(left) & np.isfinite(right)
    if both.sum() < 2:
        return math.nan
    ranks = [_ranks(values[both]) for values in (left, right)]
    if min(np.ptp(each) for each in ranks) == 0:
        return math.nan
    return float(np.asarray(np.corrcoef(ranks))[0, 1])


def _ranks(values: Array) -> Array:
    _, group, count = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(count)
    return np.asarray(((ends - count + ends - 1) / 2)[group])
