"""Resample images and classes: how far the figures of one model would change with other images or other classes."""

import numpy as np
from jaxtyping import Float, Int

from sing_compute.allocator import give_memory_back
from sing_compute.measuring.model_results import Bootstrap
from sing_compute.scores.resampling import (
    REPLICATES,
    Replicates,
    class_replicates,
    image_replicates,
    replicate_intervals,
)
from sing_compute.scores.statistics import Columns, median, ratio, sorted_finite
from sing_compute.store.constants import PENALTIES

_NO_REPLICATES = Replicates((), np.empty((0, 0)), 0)


def bootstrap(
    columns: Columns,
    nearby: Float[np.ndarray, "penalty score image"],
    offsets: Int[np.ndarray, " class_edge"],
    class_ratio: Float[np.ndarray, " class"],
) -> Bootstrap:
    """Resample images at three penalties, and classes at the chosen one.

    Args:
        columns: Image columns by store name, at the chosen penalty.
        nearby: AS and IS of the images that the path is measured on, at lambda / 10, lambda and 10 lambda.
        offsets: Images of class c are rows offsets[c] to offsets[c + 1].
        class_ratio: Median IS over median |AS| of each class.
    """
    measured: list[Columns] = [
        columns if scale == 1 else dict(zip(("attribute_score", "image_score"), pair, strict=True))
        for scale, pair in zip(PENALTIES, nearby, strict=True)
    ]
    runs = [image_replicates(each) for each in measured]
    names = (*runs[PENALTIES.index(1.0)].names, "ratio_classes")
    several = int((np.diff(offsets) > 0).sum()) > 1
    give_memory_back()
    over_classes = class_replicates(offsets, columns, class_ratio) if several else _NO_REPLICATES
    values = np.array([_figures(each, names) for each in measured])
    values[PENALTIES.index(1.0), -1] = median(sorted_finite(class_ratio))
    return Bootstrap(
        names,
        values,
        np.stack([_by_figure(run, names) for run in runs]),
        _by_figure(over_classes, names),
        np.stack([_bounds(run, names) for run in runs]),
        _bounds(over_classes, names),
    )


def _figures(columns: Columns, names: tuple[str, ...]) -> list[float]:
    """Median of each column, or of its absolute value, and the ratio; NaN where the column is missing."""
    found = {}
    for name in names:
        values = columns.get(name.removesuffix("_abs"))
        if values is not None:
            found[name] = median(sorted_finite(values, absolute=name.endswith("_abs")))
    found["ratio_images"] = ratio(found["image_score"], found["attribute_score_abs"])
    return [found.get(name, np.nan) for name in names]


def _by_figure(run: Replicates, names: tuple[str, ...]) -> Float[np.ndarray, "figure replicate"]:
    """Replicates of each figure; NaN for figures that a run lacks."""
    rows = np.full((len(names), REPLICATES), np.nan, dtype=np.float32)
    for column, name in enumerate(run.names):
        rows[names.index(name)] = run.values[:, column]
    return rows


def _bounds(run: Replicates, names: tuple[str, ...]) -> Float[np.ndarray, "figure bound"]:
    """95 % interval of each figure; NaN for figures that a run lacks."""
    rows = np.full((len(names), 2), np.nan)
    if run.names:
        found = replicate_intervals(run)
        for column, name in enumerate(run.names):
            rows[names.index(name)] = found.low[column], found.high[column]
    return rows
