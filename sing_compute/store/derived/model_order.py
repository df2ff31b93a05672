"""Compute the order of models by IS/|AS| and its certainty, for the model table, from the stored comparison."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sing_compute.store.constants import CHOSEN, ORDERED_BY, PENALTIES

if TYPE_CHECKING:
    from sing_compute.store.read import Store

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class ModelOrder:
    """IS/|AS| of the models of a comparison, and the certainty of their order."""

    models: list[str]
    values: NDArray[np.float64]
    """IS/|AS| of each model at each penalty, (penalty, model)."""
    above: NDArray[np.float64]
    """Share of resamples of the same images in which the row's model is above the column's, (penalty, model, model)."""


def model_order(store: "Store") -> ModelOrder | None:
    """Read the order of a file's models; return None if the file does not hold it."""
    parts = ("model", "figure", "value", "above")
    if any(f"comparison/{part}" not in store for part in parts):
        return None
    models, figures, values, above = (store.array(f"comparison/{part}") for part in parts)
    which = np.flatnonzero(figures == ORDERED_BY)
    if not len(which):
        return None
    return ModelOrder([str(model) for model in models], values[:, which[0]], above[:, which[0]].astype(np.float64))


def place(names: Sequence[str], models: Array, figures: Array, values: Array) -> Array | None:
    """Return the place of each model by IS/|AS| at the chosen penalty, 1 for the highest; None if fewer than two have one.

    Args:
        names: The models that need a place.
        models: The models of the comparison.
        figures: The figures that models are compared by.
        values: Those figures, (penalty, figure, model).
    """
    order = _order(names, models, figures, values)
    if len(order) < 2:
        return None
    cells = np.full(len(names), np.nan)
    for number, k in enumerate(order, start=1):
        cells[list(names).index(str(models[k]))] = number
    return cells if np.isnan(cells).any() else cells.astype(np.int64)


def above_next(names: Sequence[str], models: Array, figures: Array, values: Array, above: Array) -> Array | None:
    """Return the certainty that each model is above the next one, at the chosen penalty (see `place`).

    Args:
        names: The models that need a figure.
        models: The models of the comparison.
        figures: The figures that models are compared by.
        values: Those figures, (penalty, figure, model).
        above: Share of resamples in which one model is above another, (penalty, figure, model, model).
    """
    return _above(1.0, names, models, figures, values, above)


def above_next_tenth(names: Sequence[str], models: Array, figures: Array, values: Array, above: Array) -> Array | None:
    """Return the same at a tenth of the chosen penalty."""
    return _above(0.1, names, models, figures, values, above)


def above_next_tenfold(
    names: Sequence[str], models: Array, figures: Array, values: Array, above: Array
) -> Array | None:
    """Return the same at ten times the chosen penalty."""
    return _above(10.0, names, models, figures, values, above)


def _above(
    scale: float, names: Sequence[str], models: Array, figures: Array, values: Array, above: Array
) -> Array | None:
    order = _order(names, models, figures, values)
    if len(order) < 2:
        return None
    shares = above[PENALTIES.index(scale), np.flatnonzero(figures == ORDERED_BY)[0]].astype(np.float64)
    cells = np.full(len(names), np.nan)
    for k, following in pairwise(order):
        cells[list(names).index(str(models[k]))] = shares[k, following]
    return cells


def _order(names: Sequence[str], models: Array, figures: Array, values: Array) -> list[int]:
    """Return positions of the models in the comparison, highest IS/|AS| first; models without one are left out."""
    which = np.flatnonzero(figures == ORDERED_BY)
    if not len(which):
        return []
    ratios = values[CHOSEN, which[0]]
    order = [int(k) for k in np.argsort(-ratios, kind="stable") if ratios[k] == ratios[k]]
    return [k for k in order if str(models[k]) in names]
