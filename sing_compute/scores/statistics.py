"""Scores of single images gathered into classes and models. numpy only; images are sorted by class. NaN counts as no value."""

import warnings
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sing_compute.store.schema import QUANTILES

Columns = Mapping[str, NDArray[np.float32]]
Mask = NDArray[np.bool_]


def class_statistics(
    offsets: NDArray[np.int64], right: Mask, columns: Columns, masks: Sequence[Mask]
) -> dict[str, NDArray[np.float64]]:
    """Count, accuracy, means, spreads and percentiles for each subset and class (SING, Fig. 4 and 14).

    Args:
        offsets: Images of class c are rows offsets[c] to offsets[c + 1].
        right: Which images are predicted right.
        columns: Image columns by their store name; without `attribute_score` only counts and accuracy are given.
        masks: One mask of images per subset.

    Returns:
        Arrays of shape (subset, class) by their store name, NaN for a class without images in the subset.
    """
    shape = (len(masks), len(offsets) - 1)
    results: dict[str, NDArray[np.float64]] = {}

    def put(name: str, row: int, column: int, value: float) -> None:
        results.setdefault(name, np.full(shape, np.nan))[row, column] = value

    for row, mask in enumerate(masks):
        for column, (start, stop) in enumerate(pairwise(offsets)):
            chosen = start + np.flatnonzero(mask[start:stop])
            put("count", row, column, float(len(chosen)))
            put("accuracy", row, column, float(right[chosen].mean()) if len(chosen) else np.nan)
            if "attribute_score" in columns:
                for name, value in _score_statistics({key: values[chosen] for key, values in columns.items()}).items():
                    put(name, row, column, value)
    return results


def _score_statistics(columns: Columns) -> dict[str, float]:
    """Every score figure of one set of images."""
    figures: dict[str, float] = {}
    cells = {name: values[np.isfinite(values)].astype(np.float64) for name, values in columns.items()}
    for name in ("attribute_score", "image_score"):
        values = cells[name]
        figures[f"{name}_mean"] = _mean(values)
        figures[f"{name}_std"] = float(values.std(ddof=1)) if len(values) > 1 else np.nan
        for q, quantile in zip(QUANTILES, _percentiles(values), strict=True):
            figures[f"{name}_q{q:02d}"] = quantile
    absolute = np.abs(cells["attribute_score"])
    figures["attribute_score_abs_mean"] = _mean(absolute)
    figures["attribute_score_abs_q50"] = _median(absolute)
    figures["attribute_score_centred_abs_q50"] = _median(np.abs(cells["attribute_score_centred"]))
    figures["image_score_centred_q50"] = _median(cells["image_score_centred"])
    figures["null_energy_mean"] = _mean(cells["null_energy"])
    figures["null_energy_centred_mean"] = _mean(cells["null_energy_centred"])
    figures["ratio"] = ratio(figures["image_score_q50"], figures["attribute_score_abs_q50"])
    return figures


def model_summary(columns: Columns, class_ratio: NDArray[np.float64]) -> dict[str, float | int | NDArray[np.float64]]:
    """Medians, both ratios and the joint mean and covariance of (AS, IS) over all images (SING, Fig. 3 and 12).

    Args:
        columns: Image columns by their store name.
        class_ratio: Median IS over median |AS| of each class.
    """
    cells = {name: values[np.isfinite(values)].astype(np.float64) for name, values in columns.items()}
    attribute, image = columns["attribute_score"], columns["image_score"]
    both = np.isfinite(attribute) & np.isfinite(image)
    joint = np.stack([attribute[both], image[both]]).astype(np.float64)
    image_median, absolute_median = _median(cells["image_score"]), _median(np.abs(cells["attribute_score"]))
    return {
        "attribute_score": _median(cells["attribute_score"]),
        "attribute_score_abs": absolute_median,
        "attribute_score_centred_abs": _median(np.abs(cells["attribute_score_centred"])),
        "image_score": image_median,
        "image_score_centred": _median(cells["image_score_centred"]),
        "ratio_images": ratio(image_median, absolute_median),
        "ratio_classes": _median(class_ratio[np.isfinite(class_ratio)]),
        "null_energy": _median(cells["null_energy"]),
        "null_energy_centred": _median(cells["null_energy_centred"]),
        "score_mean": joint.mean(axis=1) if joint.shape[1] else np.full(2, np.nan),
        "score_covariance": np.cov(joint) if joint.shape[1] > 1 else np.full((2, 2), np.nan),
        "undefined": int((~both).sum()),
    }


def rank_correlation(left: NDArray[np.float64], right: NDArray[np.float64]) -> float:
    """Spearman's rho of two sets of values, over the entries that both have; ties share their mean rank. NaN below 2."""
    both = np.isfinite(left) & np.isfinite(right)
    if both.sum() < 2:
        return float("nan")
    with warnings.catch_warnings(), np.errstate(invalid="ignore", divide="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)  # a constant column has no correlation: NaN says so
        return float(np.corrcoef(_ranks(left[both]), _ranks(right[both]))[0, 1])


def ratio(image_score: float, attribute_score: float) -> float:
    """IS over |AS|; NaN where |AS| is zero or either has no value."""
    return image_score / attribute_score if attribute_score > 0 else float("nan")


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return ((last - counts + last - 1) / 2)[inverse]


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _median(values: NDArray[np.float64]) -> float:
    return float(np.median(values)) if len(values) else float("nan")


def _percentiles(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.percentile(values, QUANTILES) if len(values) else np.full(len(QUANTILES), np.nan)
