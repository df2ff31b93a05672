"""Summarise scores of images by class and by model. Images are sorted by class; NaN means no value. numpy and scipy only."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sing_compute.float_order import floats_of, ordered_bits
from sing_compute.store.constants import QUANTILES

BLOCK = 2**15
"""Images of a column that are read at a time, where not all are needed together."""
CLASS_COLUMNS = (
    "attribute_score",
    "image_score",
    "attribute_score_centred",
    "image_score_centred",
    "null_energy",
    "null_energy_centred",
)
"""Image columns from which the figures of classes and models are computed."""
MEDIANS = (
    "attribute_score",
    "attribute_score_abs",
    "attribute_score_centred_abs",
    "image_score",
    "image_score_centred",
    "null_energy",
    "null_energy_centred",
)
"""Figures of a model that are medians of an image column, or of its absolute values (`_abs`)."""

Floats = NDArray[np.floating[Any]]


@runtime_checkable
class Column(Protocol):
    """One value of each image: an array, or a dataset that is read slice by slice; float32 in a store."""

    def __len__(self) -> int: ...
    def __getitem__(self, rows: slice, /) -> Floats: ...


@runtime_checkable
class Owners(Protocol):
    """Number of the unit that each image is resampled with: an array, or computed for the rows that are asked for."""

    def __getitem__(self, rows: slice, /) -> NDArray[np.integer[Any]]: ...


Columns = Mapping[str, Column]
"""Image columns by their store name."""
Mask = NDArray[np.bool_]
"""True for the images of a subset."""


def sorted_finite(column: Column, *, absolute: bool = False) -> Floats:
    """Sort the finite values of a column, ascending. The result is a copy; making it takes 8 bytes an image.

    Args:
        column: One value of each image.
        absolute: Sort the absolute values.
    """
    values = np.abs(column[:]) if absolute else np.array(column[:])
    values.sort()
    infinite = np.array(np.inf, values.dtype)
    return values[np.searchsorted(values, -infinite, "right") : np.searchsorted(values, infinite)]


def sorted_pairs(column: Column, *, absolute: bool = False, owners: Owners | None = None) -> NDArray[np.uint64]:
    """Sort a column together with its row numbers, ascending, NaN last; equal values stay in the order of their rows.

    It takes one sort of 64-bit integers in place, 8 bytes an image. `finite_part`, `values_of` and `owners_of` read the
    result.

    Args:
        column: One value of each image; rounded to float32.
        absolute: Sort the absolute values.
        owners: Numbers to sort along instead of the rows.

    Returns:
        Pairs (image): the value as an integer of the same order in the high 32 bits, row or owner in the low 32 bits.
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
    """Return the pairs of `sorted_pairs` whose values are finite."""
    low, high = ordered_bits(np.array([-np.inf, np.inf], np.float32)).astype(np.uint64) << np.uint64(32)
    return pairs[np.searchsorted(pairs, low + np.uint64(2**32)) : np.searchsorted(pairs, high)]


def values_of(pairs: NDArray[np.uint64]) -> NDArray[np.float32]:
    """Return the values of the pairs of `sorted_pairs`."""
    return floats_of((pairs >> np.uint64(32)).astype(np.uint32))


def owners_of(pairs: NDArray[np.uint64]) -> NDArray[np.uint32]:
    """Return the rows, or owners, of the pairs of `sorted_pairs`."""
    return pairs.astype(np.uint32)


def quantiles(values: Floats, levels: ArrayLike) -> NDArray[np.float64]:
    """Return quantiles of sorted values, linear between neighbours, in float64.

    Args:
        values: Ascending, all finite.
        levels: Levels from 0 to 1.

    Returns:
        A quantile for each level; NaN if there are no values.
    """
    place = np.asarray(levels, np.float64) * (len(values) - 1)
    if not len(values):
        return np.full(place.shape, np.nan)
    left = place.astype(np.int64)
    low, high = (values[rows].astype(np.float64) for rows in (left, np.minimum(left + 1, len(values) - 1)))
    found: NDArray[np.float64] = low + (place - left) * (high - low)
    return found


def median(values: Floats) -> float:
    """Return the median of values in ascending order, in float64; NaN if there are none."""
    count = len(values)
    return (float(values[(count - 1) // 2]) + float(values[count // 2])) / 2 if count else float("nan")


def class_statistics(
    offsets: NDArray[np.int64], correct: Mask, columns: Columns, masks: Sequence[Mask]
) -> dict[str, NDArray[np.float64]]:
    """Compute count, accuracy, means, standard deviations and percentiles of each class in each subset (SING, Fig. 4, 14).

    One column of one class is read at a time.

    Args:
        offsets: Images of class c are rows offsets[c] to offsets[c + 1].
        correct: True for images that are predicted correctly.
        columns: Image columns by their store name; without `attribute_score` only counts and accuracy are computed.
        masks: For each subset, True for its images.

    Returns:
        Arrays (subset, class) by their store name, angles in degrees; NaN for a class without images in the subset.
    """
    shape = (len(masks), len(offsets) - 1)
    results: dict[str, NDArray[np.float64]] = {}
    for column, (start, stop) in enumerate(pairwise(offsets)):
        rows = slice(int(start), int(stop))
        chosen = [mask[rows] for mask in masks]
        figures: list[dict[str, float]] = [_counts(correct[rows], mask) for mask in chosen]
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


def _counts(correct: Mask, mask: Mask) -> dict[str, float]:
    count = np.count_nonzero(mask)
    return {"count": float(count), "accuracy": np.count_nonzero(correct & mask) / count if count else float("nan")}


def _column_figures(name: str, values: Floats) -> dict[str, float]:
    """Compute the figures of one column over one set of images."""
    figures: dict[str, float] = {}
    if name.startswith("null_energy"):
        return {f"{name}_mean": _mean(sorted_finite(values))}
    if name in ("attribute_score", "image_score"):
        ascending = sorted_finite(values)
        figures[f"{name}_mean"], figures[f"{name}_std"] = _mean(ascending), _std(ascending)
        for q, value in zip(QUANTILES, quantiles(ascending, np.array(QUANTILES) / 100), strict=True):
            figures[f"{name}_q{q:02d}"] = float(value)
    if name.startswith("attribute_score"):
        absolute = sorted_finite(values, absolute=True)
        figures[f"{name}_abs_q50"] = median(absolute)
        if name == "attribute_score":
            figures[f"{name}_abs_mean"] = _mean(absolute)
    if name == "image_score_centred":
        figures[f"{name}_q50"] = median(sorted_finite(values))
    return figures


def model_summary(columns: Columns, class_ratio: NDArray[np.float64]) -> dict[str, float | int | NDArray[np.float64]]:
    """Compute medians, both ratios, and mean and covariance of (AS, IS) over all images (SING, Fig. 3 and 12).

    One column is held in memory at a time.

    Args:
        columns: Image columns by their store name.
        class_ratio: Median IS over median |AS| of each class; NaN where a class has none.

    Returns:
        Figures by their store name, angles in degrees.
    """
    medians = {
        name: median(sorted_finite(columns[name.removesuffix("_abs")], absolute=name.endswith("_abs")))
        for name in MEDIANS
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
    """Compute mean and covariance of two columns over the images that have both values.

    Moments of blocks about their own means are combined, so that no digits cancel (Chan, Golub and LeVeque 1983).

    Args:
        first: One value of each image.
        second: Another value of each image.

    Returns:
        Number of images with both values; their mean (2), NaN if there are none; their covariance (2, 2) with n - 1,
        NaN below two.
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
    undefined = np.full((2, 2), np.nan)
    return count, mean if count else undefined[0], spread / (count - 1) if count > 1 else undefined


def rank_correlation(left: NDArray[np.float64], right: NDArray[np.float64]) -> float:
    """Return Spearman's correlation of two sets of values over the entries where both are finite; ties share their mean rank.

    Args:
        left: One value of each item.
        right: Another value of each item.

    Returns:
        From -1 to 1; NaN if fewer than two items have both values, or all values of one set are equal.
    """
    both = np.isfinite(left) & np.isfinite(right)
    if both.sum() < 2:
        return float("nan")
    with np.errstate(invalid="ignore"):  # equal values have no correlation: NaN says so
        ranks = np.column_stack([_mean_ranks(left[both]), _mean_ranks(right[both])])
        return float(np.asarray(np.corrcoef(ranks, rowvar=False))[1, 0])


def _mean_ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rank of each value from 1; equal values share the mean of their ranks."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: NDArray[np.float64] = np.cumsum(counts) - (counts - 1) / 2
    return ranks[places]


def ratio(image_score: float, attribute_score: float) -> float:
    """Return IS over |AS|; NaN if |AS| is zero or one of them is NaN."""
    return image_score / attribute_score if attribute_score > 0 else float("nan")


def _mean(values: Floats) -> float:
    return float(values.mean(dtype=np.float64)) if len(values) else float("nan")


def _std(values: Floats) -> float:
    return float(values.std(ddof=1, dtype=np.float64)) if len(values) > 1 else float("nan")
