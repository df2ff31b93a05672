"""The translator of one model: sums by fold, the penalty chosen out of fold, and the path of every figure along it."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import add

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sing_compute.errors import TranslatorError
from sing_compute.linalg.angles import paired_angle
from sing_compute.linalg.null_space import HeadSplit
from sing_compute.measuring.reader import FeatureBatch, joined, spread
from sing_compute.scores.shifts import NullRemoval, attribute_score
from sing_compute.scores.statistics import ratio
from sing_compute.store.schema import PENALTIES
from sing_compute.translator.ridge import AffineTranslator, RidgePath, RidgeSums

FOLDS = 5
RELATIVE_GRID = np.logspace(-6, 2, 13)
"""Penalties tried first, over trace(S_ff) / m."""
RELATIVE_LIMITS = (1e-9, 1e5)
"""Penalties chosen stay within these, over trace(S_ff) / m: beyond, nothing or everything is shrunk away."""
REFINED = 7
"""Penalties tried between the neighbours of the best one."""
PATH_IMAGES = 20_000
"""Images that the path is measured on: all of them up to this number, else evenly spread ones."""
SUMMED_IMAGES = 4096
"""Images whose products are added to the sums at once: the sums, far larger than a shard, are touched more rarely."""

Batches = Callable[[], Iterable[FeatureBatch]]
PATH_COLUMNS = ("cosine", "attribute_score", "attribute_score_abs", "image_score", "ratio")


@dataclass(slots=True)
class FittedTranslator:
    """The chosen penalty, the translators for it, and the path it was chosen on."""

    ridge: float
    unit: float
    """trace(S_ff) / m: the penalty over it compares across models."""
    whole: NullRemoval
    """Fitted on all images: for new images, steering and naming directions."""
    folds: list[NullRemoval]
    """Fitted without one fold each: every image is scored by a translator that never saw it."""
    fold_mean_targets: Tensor
    """Mean embedding of the images outside each fold: the baseline that ignores the features."""
    sums: RidgeSums
    """Of all images."""
    fold_sums: list[RidgeSums]
    """Of the images of each fold."""
    path: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    nearby: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 2, 0), np.float32))
    """AS and IS of the images the path is measured on, at lambda / 10, lambda and 10 lambda: (penalty, score, image)."""

    @property
    def mean_feature(self) -> Tensor:
        """Mean feature of all images."""
        return self.sums.mean_feature


def fit_translator(
    batches: Batches, split: HeadSplit, class_vectors: Tensor, images: int, *, ridge: float | None = None
) -> FittedTranslator:
    """Fit T(f) = A f + a out of fold; choose lambda by mean cosine, refined between the grid's neighbours (spec, 2).

    Args:
        batches: Gives the batches anew at each call.
        split: The head's null space, for AS and IS along the path.
        class_vectors: Unit text embedding of each class, (class, clip).
        images: How many images the batches hold.
        ridge: A penalty forced by the user; None to choose it.

    Raises:
        TranslatorError: Too few images to hold any out.
    """
    sums = fold_sums(batches)
    total = reduce(add, sums)
    if sum(fold.count > 0 for fold in sums) < 2:
        raise TranslatorError(
            f"{total.count} images are too few to hold some out when the translator is fitted; give more"
        )
    paths = [RidgePath(total - fold) for fold in sums]
    unit = total.lambda_unit
    stride = -(-images // PATH_IMAGES)

    columns: dict[float, NDArray[np.float64]] = {}

    def measure(ridges: Sequence[float]) -> dict[float, dict[str, float]]:
        measured = measure_path(batches, paths, split, class_vectors, list(ridges), stride)
        columns.update(measured)
        return {value: _path_point(figures) for value, figures in measured.items()}

    points = measure((RELATIVE_GRID * unit).tolist())
    free = ridge is None
    if ridge is None:
        best = _best(points)
        grid = sorted(points)
        position = grid.index(best)
        low, high = grid[max(0, position - 1)], grid[min(len(grid) - 1, position + 1)]
        points |= measure(_new(np.geomspace(low, high, REFINED + 2), points))
        ridge = _best(points)
    points |= measure(_new([scale * ridge for scale in PENALTIES], points))
    while free and (better := _best(points)) != ridge and RELATIVE_LIMITS[0] < better / unit < RELATIVE_LIMITS[1]:
        ridge = better  # the best lay at the edge of the grid: follow it outwards
        points |= measure(_new([scale * ridge for scale in PENALTIES], points))
    whole = RidgePath(total)
    removals = [NullRemoval.of(path.fit(ridge), split, total.mean_feature) for path in (whole, *paths)]
    order = sorted(points)
    path = {name: np.array([points[value][name] for value in order]) for name in PATH_COLUMNS}
    path |= {"lambda": np.array(order), "relative": np.array(order) / unit}
    wanted = [scale * ridge for scale in PENALTIES]
    near = [min(columns, key=lambda value: abs(math.log(value / this))) for this in wanted]
    nearby = np.stack([columns[value][1:] for value in near]).astype(np.float32)
    means = torch.stack([p.mean_target for p in paths])
    return FittedTranslator(ridge, unit, removals[0], removals[1:], means, total, sums, path, nearby)


def adopt_translator(
    batches: Batches, split: HeadSplit, class_vectors: Tensor, images: int, given: AffineTranslator
) -> FittedTranslator:
    """A translator that was fitted elsewhere in the place of one of our own: there is no penalty, and one point for a path.

    Args:
        batches: Gives the batches anew at each call.
        split: The head's null space.
        class_vectors: Unit text embedding of each class, (class, clip).
        images: How many images the batches hold.
        given: The translator, for features and embeddings of these sizes.
    """
    sums = fold_sums(batches)
    total = reduce(add, sums)
    removal = NullRemoval.of(given, split, total.mean_feature)
    stride, parts = -(-images // PATH_IMAGES), []
    for batch in spread(batches(), stride):
        views = removal(batch.features.double())
        cosine = torch.nn.functional.cosine_similarity(views.before, batch.targets.double())
        score = attribute_score(views.before, views.after, class_vectors[batch.labels.long()].double())
        parts.append(torch.stack([cosine, score, paired_angle(views.before, views.after)]).cpu())
    columns = torch.cat(parts, dim=1).numpy()
    nearby = np.full((len(PENALTIES), 2, columns.shape[1]), np.nan, np.float32)
    nearby[PENALTIES.index(1.0)] = columns[1:]
    path = {name: np.array([value]) for name, value in _path_point(columns).items()}
    path |= {"lambda": np.array([np.nan]), "relative": np.array([np.nan])}
    others = [total - fold if fold.count < total.count else total for fold in sums]
    means = torch.stack([part.mean_target for part in others])
    return FittedTranslator(math.nan, total.lambda_unit, removal, [removal] * FOLDS, means, total, sums, path, nearby)


def _new(ridges: Iterable[float], points: Iterable[float]) -> list[float]:
    """Penalties that are not on the path yet, rounding aside."""
    return [float(value) for value in ridges if not any(math.isclose(value, known, rel_tol=1e-9) for known in points)]


def _best(points: dict[float, dict[str, float]]) -> float:
    return max(points, key=lambda value: points[value]["cosine"])


def fold_sums(batches: Batches) -> list[RidgeSums]:
    """Sums of the images of each fold, in one pass; empty without any image. Those of several processes add fold by fold."""
    sums: list[RidgeSums] = []
    for batch in joined(batches(), SUMMED_IMAGES):
        dim, clip, device = batch.features.shape[1], batch.targets.shape[1], batch.features.device
        sums = sums or [RidgeSums.zero(dim, clip, device=device) for _ in range(FOLDS)]
        for fold in range(FOLDS):
            rows = batch.folds == fold
            sums[fold] = sums[fold].include(batch.features[rows], batch.targets[rows])
    return sums


def measure_path(
    batches: Batches,
    paths: Sequence[RidgePath],
    split: HeadSplit,
    class_vectors: Tensor,
    ridges: list[float],
    stride: int,
) -> dict[float, NDArray[np.float64]]:
    """Out-of-fold cosine, AS and IS of each image for each penalty: features are rotated once, each penalty is one product.

    That product is float32, of coordinates in which the centred products are diagonal: nothing cancels there, and AS and
    IS stay within 1e-5 degrees of float64 at any penalty. A product with A itself would not (0.01 degrees at the smallest).
    """
    columns: dict[float, list[Tensor]] = {value: [] for value in ridges}
    thin = split.null_basis if split.nullity <= split.rank else split.row_basis
    turned = [path.rotate_directions(thin) for path in paths]
    for batch in joined(spread(batches(), stride)):
        features, targets = batch.features.double(), batch.targets.double()
        texts, along = class_vectors[batch.labels.long()].double(), features @ thin.T
        figures = features.new_empty(len(ridges), 3, len(features))
        for fold, path in enumerate(paths):
            rows = (batch.folds == fold).nonzero().squeeze(1)
            rotated, part = path.rotate(features[rows]), along[rows] @ turned[fold]
            principal = rotated - part if thin is split.null_basis else part - path.rotate_directions(path.mean_feature)
            both = torch.cat([rotated, principal]).float()
            for place, value in enumerate(ridges):
                before, after = path.translate(both, value).double().chunk(2)
                cosine = torch.nn.functional.cosine_similarity(before, targets[rows])
                score = attribute_score(before, after, texts[rows])
                figures[place][:, rows] = torch.stack([cosine, score, paired_angle(before, after)])
        for value, measured in zip(ridges, figures.cpu(), strict=True):
            columns[value].append(measured)
    return {value: torch.cat(parts, dim=1).numpy() for value, parts in columns.items()}


def _path_point(columns: NDArray[np.float64]) -> dict[str, float]:
    cosine, score, shift = columns
    absolute, image = float(np.nanmedian(np.abs(score))), float(np.nanmedian(shift))
    return {
        "cosine": float(np.nanmean(cosine)),
        "attribute_score": float(np.nanmedian(score)),
        "attribute_score_abs": absolute,
        "image_score": image,
        "ratio": ratio(image, absolute),
    }
