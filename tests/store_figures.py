"""Compute tables, figures and replicates of a made-up model from its drawn datasets; medians by the pipeline's functions."""

from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit
from scipy.stats import false_discovery_control, norm

from sing_compute.scores.resampling import class_replicates, image_replicates, replicate_intervals
from sing_compute.scores.statistics import model_summary
from sing_compute.store.constants import CURVE, PENALTIES, RANKED, SIGNIFICANT, TOP_CONCEPTS

Array = NDArray[np.float64]
Columns = dict[str, NDArray[np.float32]]
Datasets = dict[str, ArrayLike]
"""Datasets of one model by their path below `models/{model}/`."""

COMPARED = ("attribute_score_abs", "image_score", "ratio_images")
LAMBDA = 100.0
PATH = np.geomspace(1, 1e4, 9)
"""Penalties along the ridge path; the chosen one lies in its middle."""


def head_figures(found: Datasets, right: NDArray[np.bool_]) -> dict[str, ArrayLike]:
    """Add a head's singular values and variants; gives its figures."""
    weight = np.asarray(found["head/weight"])
    singular, centred = (np.linalg.svd(part, compute_uv=False) for part in (weight, weight - weight.mean(0)))
    dim, cutoff = weight.shape[1], max(weight.shape) * 2.0**-23 * singular[0]
    rank, rank_softmax = (int((values > cutoff).sum()) for values in (singular, centred))
    lost = 1 - np.cumsum(singular**2) / (singular**2).sum()
    rank_energy = min(rank, int((lost > 1 - 0.99).sum()) + 1)
    found["head/singular_values"] = singular
    found |= {
        "variants/name": ["numerical", "energy=0.99", "softmax"],
        "variants/rank": [rank, rank_energy, rank_softmax],
        "variants/nullity": [dim - rank, dim - rank_energy, dim - rank_softmax],
        "variants/flips": [0, 0.05, 0],
        "variants/logit_change_max": [3e-7, 0.2, 3e-7],
        "variants/logit_change_mean": [5e-8, 0.03, 5e-8],
    }
    return {
        "images": len(right),
        "correct": right.sum(),
        "accuracy": right.mean(),
        "rank": rank,
        "nullity": dim - rank,
        "nullity_softmax": dim - rank_softmax,
        "cutoff": cutoff,
        "gap": np.inf if rank == len(singular) else singular[rank - 1] / singular[rank],
        "tail_ratio": singular[rank - 2] / singular[rank - 1] if rank > 1 else np.nan,
    }


def follow_images(found: Datasets, columns: Columns, offsets: NDArray[np.int64]) -> None:
    """Add rankings, curves, and of concepts angle before, p and q, NaN for classes without images; bound concept shifts by IS."""
    for name in RANKED:
        found[f"rankings/{name}"] = np.argsort(columns[name], kind="stable")
    limit = columns["image_score"][:, None]
    found["images/top_concept_score"] = np.clip(found["images/top_concept_score"], -limit, limit)
    for name in ("attribute_score", "image_score"):
        runs = [run[np.isfinite(run)] for a, b in pairwise(offsets) for run in [columns[name][a:b]]]
        curve = [np.percentile(run, CURVE) if len(run) else np.full(len(CURVE), np.nan) for run in runs]
        found[f"classes/{name}_curve"] = curve
    present = np.diff(offsets) > 0
    z = np.asarray(found["concepts/z"], dtype=np.float32)
    tail = 2 * norm.sf(np.abs(z))
    found["concepts/angle_before"] = np.add(found["concepts/angle_after"], found["concepts/attribute_score"])
    found["concepts/p_empirical"] = np.clip(np.round(tail * 201), 1, 201) / 201
    _spread_shifts(found, columns, offsets)
    found["concepts/q"] = false_discovery_control(tail, axis=1)
    for name in found:
        if name.startswith("concepts/"):
            found[name] = np.where(present[:, None], np.asarray(found[name], dtype=np.float32), np.nan)
        elif name.endswith("_control"):
            found[name] = np.where(present, found[name], np.nan)


def _spread_shifts(found: Datasets, columns: Columns, offsets: NDArray[np.int64]) -> None:
    """Make standard deviations of concept shifts large enough for their mean |AS|, and intervals of their means that fit."""
    count = np.diff(offsets)[:, None]
    mean, absolute = (
        np.asarray(found[f"concepts/{name}"], dtype=np.float64) for name in ("attribute_score", "attribute_score_abs")
    )
    shift = np.array([columns["image_score"][a:b].max(initial=0) for a, b in pairwise(offsets)])[:, None]
    least = np.sqrt(np.maximum(absolute**2 - mean**2, 0) * count / np.maximum(count - 1, 1))
    most = np.sqrt(np.maximum(shift * absolute - mean**2, 0) * count / np.maximum(count - 1, 1))
    spread = np.clip(np.asarray(found["concepts/attribute_score_std"], dtype=np.float64), 1.001 * least, most)
    spread = np.where(count > 1, spread, np.nan)
    known = np.where(count > 2, count, np.nan)
    found["concepts/attribute_score_std"] = spread
    found["concepts/attribute_score_half"] = stdtrit(known - 1, 0.975) / np.sqrt(known) * spread


def usual_figures(found: Datasets, concepts: Array) -> dict[str, ArrayLike]:
    """Add the translator's spectrum and its poles; gives its figures, and usual values of those that no drawn dataset decides."""
    weight, matrix = np.asarray(found["head/weight"]), np.asarray(found["translator/weight"])
    rows = np.linalg.qr(weight.T)[0]
    null = matrix - matrix @ rows @ rows.T
    modes = min(len(matrix), weight.shape[1] - len(weight))
    left, values, _ = np.linalg.svd(null, full_matrices=False)
    found["spectrum/singular_value"] = values[:modes]
    found |= _poles(left[:, :modes].T, concepts)
    return {
        "lambda": LAMBDA,
        "lambda_relative": 0.2,
        "cosine": np.mean(found["images/cosine"], dtype=np.float64),
        "cosine_baseline": 0.87,
        "r_squared": 0.3,
        "mse": 0.17,
        "zero_shot_image": 0.9,
        "zero_shot_translated": 0.87,
        "flips": 0,
        "logit_change_max": 3e-7,
        "logit_change_mean": 5e-8,
        "logit_spread": 17.0,
        "significant": int((np.asarray(found["concepts/q"], dtype=np.float64) < SIGNIFICANT).sum()),
        "probe_null": 0.55,
        "probe_principal": 0.85,
        "null_share": (null**2).sum() / (matrix**2).sum(),
        "null_share_data": 0.06,
    }


def _poles(directions: Array, concepts: Array) -> Datasets:
    """The concepts at both ends of each direction, the nearest one to its line in `toward`."""
    texts = concepts - concepts.mean(0)
    cosine = directions @ (texts / np.linalg.norm(texts, axis=1, keepdims=True)).T
    nearest = np.take_along_axis(cosine, np.abs(cosine).argmax(1)[:, None], 1)
    cosine = np.where(nearest < 0, -cosine, cosine)
    found: Datasets = {}
    for name, sign in (("toward", -1), ("away", 1)):
        picks = np.argsort(sign * cosine, axis=1, kind="stable")[:, :TOP_CONCEPTS]
        found |= {f"spectrum/{name}": picks, f"spectrum/{name}_cosine": np.take_along_axis(cosine, picks, 1)}
    return found


def ridge_path(summary: dict[str, ArrayLike], decay: tuple[float, float]) -> Datasets:
    """The chosen penalty in the middle of a path, along which scores fall."""
    away = np.log10(PATH / LAMBDA)
    fall, shift = (10 ** (-power * away) for power in decay)
    return {
        "translator/path_lambda": PATH,
        "translator/path_relative": PATH / LAMBDA * summary["lambda_relative"],
        "translator/path_cosine": summary["cosine"] - 0.01 * away**2,
        "translator/path_attribute_score": summary["attribute_score"] * fall,
        "translator/path_attribute_score_abs": summary["attribute_score_abs"] * fall,
        "translator/path_image_score": summary["image_score"] * shift,
        "translator/path_ratio": summary["ratio_images"] * shift / fall,
    }


def control_figures(summary: dict[str, ArrayLike], factors: Array) -> Datasets:
    """Controls of the model as multiples of its scores; puts the ratios to the reference into the summary."""
    factors = np.broadcast_to(factors, (2, 5))
    removed = summary["null_energy"]
    lengths, kinds = [0.25, 0.5, 1, 2], ("null", "random", "principal")
    found: Datasets = {
        "controls/name": ("null space", "random subspace", "same norm", "random vector", "null direction"),
        "controls/removed": [removed, 0.9, removed, removed, removed],
        "controls/flips": [0, 0.44, 0.3, 0.2, 0],
        "controls/perturbation": kinds,
        "controls/length": lengths,
        "controls/logit_change": np.outer([1e-16, 0.2, 0.4], lengths),
        "controls/perturbation_flips": np.outer([0, 0.1, 0.2], lengths),
    }
    for name, row in zip(("attribute_score_abs", "image_score"), factors, strict=True):
        found[f"controls/{name}"] = summary[name] * row
        found[f"controls/{name}_std"] = 0.05 * (row < 1)
        summary[f"{name}_over_control"] = row[0] / row[3]
    return found


def resamples(
    found: Datasets,
    columns: Columns,
    offsets: NDArray[np.int64],
    class_ratio: Array,
    decay: tuple[float, float],
    replicates: int,
) -> tuple[Array, Array]:
    """Add replicates and intervals at three penalties; gives figures and replicates that models are compared by."""
    runs = []
    for penalty in PENALTIES:
        scaled = dict(columns)
        for name, power in zip(("attribute_score", "image_score"), decay, strict=True):
            factor = np.float32(penalty**-power)
            scaled |= {each: columns[each] * factor for each in (name, f"{name}_centred")}
        runs.append((image_replicates(scaled, replicates=replicates), model_summary(scaled, class_ratio)))
    figures = (*runs[0][0].names, "ratio_classes")
    gap = np.full((1, replicates), np.nan)
    images = np.stack([np.concatenate([run.values.T, gap]) for run, _ in runs])
    values = np.array([[again[figure] for figure in figures] for _, again in runs])
    ends = [replicate_intervals(run) for run, _ in runs]
    pairs = [np.stack([end.low, end.high], axis=-1) for end in ends]
    classes, bounds = np.full((len(figures), replicates), np.nan), np.full((len(figures), 2), np.nan)
    if np.count_nonzero(np.diff(offsets)) > 1:
        run = class_replicates(offsets, columns, class_ratio, replicates=replicates)
        rows = [figures.index(figure) for figure in run.names]
        over = replicate_intervals(run)
        classes[rows], bounds[rows] = run.values.T, np.stack([over.low, over.high], axis=-1)
    found |= {
        "bootstrap/figure": figures,
        "bootstrap/value": values,
        "bootstrap/images": images,
        "bootstrap/images_interval": [np.concatenate([pair, np.full((1, 2), np.nan)]) for pair in pairs],
        "bootstrap/classes": classes,
        "bootstrap/classes_interval": bounds,
    }
    chosen = [figures.index(name) for name in COMPARED]
    return values[:, chosen], images[:, chosen]
