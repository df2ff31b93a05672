"""Scores of single images gathered into classes and models. numpy only; images are sorted by class. NaN counts as no value."""

import warnings
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sing_compute.float_order import floats_of, ordered_bits
from sing_compute.store.constants import QUANTILES

BLOCK = 2**15
"""Images of a column that are taken at a time where not all of them are needed together."""
CLASS_COLUMNS = (
    "attribute_score",
    "image_score",
    "attribute_score_centred",
    "image_score_centred",
    "null_energy",
    "null_energy_centred",
)
"""Image columns that figures of a class and of a model are made of."""
MEDIANS = (
    "attribute_score",
    "attribute_score_abs",
    "attribute_score_centred_abs",
    "image_score",
    "image_score_centred",
    "null_energy",
    "null_energy_centred",
)
"""Figures of a model that are medians of an image column, or of its absolute values."""


Floats = NDArray[np.floating[Any]]


@runtime_checkable
class Column(Protocol):
    """One value of each image, float32 in a store: an array, or a dataset that is read slice by slice."""

    def __len__(self) -> int: ...
    def __getitem__(self, rows: slice, /) -> Floats: ...


@runtime_checkable
class Owners(Protocol):
    """The resampled unit that each image belongs to: an array, or made for the rows that are asked for."""

    def __getitem__(self, rows: slice, /) -> NDArray[np.integer[Any]]: ...


Columns = Mapping[str, Column]
Mask = NDArray[np.bool_]


def ordered(column: Column, *, absolute: bool = False) -> Floats:
    """The finite values of a column, or their absolute values, in rising order: a copy, 8 bytes an image while it is made."""
    values = np.abs(column[:]) if absolute else np.array(column[:])
    values.sort()
    infinite = np.array(np.inf, values.dtype)
    return values[np.searchsorted(values, -infinite, "right") : np.searchsorted(values, infinite)]


def ranked(column: Column, *, absolute: bool = False, owners: Owners | None = None) -> NDArray[np.uint64]:
    """Values in rising order, NaN last, and in the low 32 bits the row of each, or its entry of `owners`; ties keep their order.

    One sort of 64-bit numbers in place, 8 bytes an image: the high bits are those of the float, turned into a number of
    the same order. `finite_part`, `values_of` and `owners_of` read the result.
    """
    pairs = np.empty(len(column), np.uint64)
    for start in range(0, len(column), BLOCK):
        rows = slice(start, min(start + BLOCK, len(column)))
        values = np.abs(column[rows]) if absolute else column[rows]
        low = np.arange(rows.start, rows.stop) if owners is None else owners[rows]
        pairs[rows] = ordered_bits(values).astype(np.uint64) << np.uint64(32) | low.astype(np.uint64)
    pairs.sort()
    return pairs


def finite_part(pairs: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """What `ranked` gives without values that are infinite or NaN."""
    low, high = ordered_bits(np.array([-np.inf, np.inf], np.float32)).astype(np.uint64) << np.uint64(32)
    return pairs[np.searchsorted(pairs, low + np.uint64(2**32)) : np.searchsorted(pairs, high)]


def values_of(pairs: NDArray[np.uint64]) -> NDArray[np.float32]:
    """The values in what `ranked` gives."""
    return floats_of((pairs >> np.uint64(32)).astype(np.uint32))


def owners_of(pairs: NDArray[np.uint64]) -> NDArray[np.uint32]:
    """The rows, or owners, in what `ranked` gives."""
    return pairs.astype(np.uint32)


def quantiles(values: Floats, levels: ArrayLike) -> NDArray[np.float64]:
    """Values at levels from 0 to 1 of values in rising order, linear between neighbours, in float64; NaN where there is none."""
    place = np.asarray(levels, np.float64) * (len(values) - 1)
    if not len(values):
        return np.full(place.shape, np.nan)
    left = place.astype(np.int64)
    low, high = (values[rows].astype(np.float64) for rows in (left, np.minimum(left + 1, len(values) - 1)))
    found: NDArray[np.float64] = low + (place - left) * (high - low)
    return found


def median(values: Floats) -> float:
    """Median of values in rising order, in float64; NaN of none."""
    count = len(values)
    return (float(values[(count - 1) // 2]) + float(values[count // 2])) / 2 if count else float("nan")


def class_statistics(
    offsets: NDArray[np.int64], right: Mask, columns: Columns, masks: Sequence[Mask]
) -> dict[str, NDArray[np.float64]]:
    """Count, accuracy, means, spreads and percentiles for each subset and class (SING, Fig. 4 and 14).

    One column of one class is read at a time.

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
    for column, (start, stop) in enumerate(pairwise(offsets)):
        rows = slice(int(start), int(stop))
        chosen = [mask[rows] for mask in masks]
        figures: list[dict[str, float]] = [_counts(right[rows], mask) for mask in chosen]
        for name in CLASS_COLUMNS if "attribute_score" in columns else ():
            values = columns[name][rows]
            for found, mask in zip(figures, chosen, strict=True):
                found |= _column_figures(name, values[mask])
        for row, found in enumerate(figures):
            if "image_score_q50" in found:
                found["ratio"] = ratio(found["image_score_q50"], found["attribute_score_abs_q50"])
            for name, value in found.items():
                results.setdefault(name, np.full(shape, np.nan))[row, column] = value
    return results


def _counts(right: Mask, mask: Mask) -> dict[str, float]:
    count = np.count_nonzero(mask)
    return {"count": float(count), "accuracy": np.count_nonzero(right & mask) / count if count else float("nan")}


def _column_figures(name: str, values: Floats) -> dict[str, float]:
    """The figures that one column of one set of images gives."""
    figures: dict[str, float] = {}
    if name.startswith("null_energy"):
        return {f"{name}_mean": _mean(ordered(values))}
    if name in ("attribute_score", "image_score"):
        rising = ordered(values)
        figures[f"{name}_mean"], figures[f"{name}_std"] = _mean(rising), _spread(rising)
        for q, value in zip(QUANTILES, quantiles(rising, np.array(QUANTILES) / 100), strict=True):
            figures[f"{name}_q{q:02d}"] = float(value)
    if name.startswith("attribute_score"):
        absolute = ordered(values, absolute=True)
        figures[f"{name}_abs_q50"] = median(absolute)
        if name == "attribute_score":
            figures[f"{name}_abs_mean"] = _mean(absolute)
    if name == "image_score_centred":
        figures[f"{name}_q50"] = median(ordered(values))
    return figures


def model_summary(columns: Columns, class_ratio: NDArray[np.float64]) -> dict[str, float | int | NDArray[np.float64]]:
    """Medians, both ratios and the joint mean and covariance of (AS, IS) over all images (SING, Fig. 3 and 12).

    One column is held at a time.

    Args:
        columns: Image columns by their store name.
        class_ratio: Median IS over median |AS| of each class.
    """
    medians = {
        name: median(ordered(columns[name.removesuffix("_abs")], absolute=name.endswith("_abs"))) for name in MEDIANS
    }
    count, mean, covariance = joint_moments(columns["attribute_score"], columns["image_score"])
    return {
        **medians,
        "ratio_images": ratio(medians["image_score"], medians["attribute_score_abs"]),
        "ratio_classes": median(np.sort(class_ratio[np.isfinite(class_ratio)])),
        "score_mean": mean,
        "score_covariance": covariance,
        "undefined": len(columns["image_score"]) - count,
    }


def joint_moments(first: Column, second: Column) -> tuple[int, NDArray[np.float64], NDArray[np.float64]]:
    """How many images have both values, their mean and covariance (n - 1); NaN below one and two of them.

    Moments of blocks about their own means are joined, so that nothing cancels (Chan, Golub and LeVeque 1983).
    """
    count, mean, spread = 0, np.zeros(2), np.zeros((2, 2))
    for start in range(0, len(first), BLOCK):
        pair = np.stack([column[start : start + BLOCK] for column in (first, second)]).astype(np.float64)
        pair = pair[:, np.isfinite(pair).all(axis=0)]
        if not pair.shape[1]:
            continue
        centre = pair.mean(axis=1)
        pair -= centre[:, None]
        step, total = centre - mean, count + pair.shape[1]
        spread += pair @ pair.T + np.outer(step, step) * (count * pair.shape[1] / total)
        mean += step * (pair.shape[1] / total)
        count = total
    nothing = np.full((2, 2), np.nan)
    return count, mean if count else nothing[0], spread / (count - 1) if count > 1 else nothing


def rank_correlation(left: NDArray[np.float64], right: NDArray[np.float64]) -> float:
    """Spearman's rho of two sets of values, over the entries that both have; ties share their mean rank. NaN below 2."""
    both = np.isfinite(left) & np.isfinite(right)
    if both.sum() < 2:
        return float("nan")
    from scipy.stats import ConstantInputWarning, spearmanr  # a second of imports, for whoever compares

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConstantInputWarning)  # a constant column has no correlation: NaN says so
        return float(spearmanr(left[both], right[both]).statistic)


def ratio(image_score: float, attribute_score: float) -> float:
    """IS over |AS|; NaN where |AS| is zero or either has no value."""
    return image_score / attribute_score if attribute_score > 0 else float("nan")


def _mean(values: Floats) -> float:
    return float(values.mean(dtype=np.float64)) if len(values) else float("nan")


def _spread(values: Floats) -> float:
    return float(values.std(ddof=1, dtype=np.float64)) if len(values) > 1 else float("nan")
