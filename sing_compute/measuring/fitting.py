"""Fit the translator of one model: sums by fold, the penalty chosen out of fold, and the figures along the path of penalties."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from sing_compute.errors import TranslatorError
from sing_compute.linalg.angles import paired_angle
from sing_compute.linalg.null_space import HeadSplit
from sing_compute.measuring.reader import PairedBatch, join_batches, spread
from sing_compute.scores.shifts import NullRemoval, attribute_score
from sing_compute.scores.statistics import ratio
from sing_compute.store.constants import PENALTIES
from sing_compute.translator.ridge import AffineTranslator, RidgePath, RidgeSums

FOLDS = 5
RELATIVE_GRID = np.logspace(-6, 2, 13)
"""Penalties that are tried first, over trace(S_ff) / m."""
RELATIVE_LIMITS = (1e-9, 1e5)
"""A chosen penalty stays within these limits, over trace(S_ff) / m: beyond them nothing or everything is shrunk to zero."""
REFINED = 7
"""Penalties tried between the neighbours of the best one."""
PATH_IMAGES = 20_000
"""The path is measured on all images up to this number, else on evenly spread ones."""
SUMMED_IMAGES = 4096
"""Images whose products are added to the sums at once: the sums are far larger than a shard, so they are changed rarely."""

Batches = Callable[[], Iterable[PairedBatch]]
"""Starts a new pass over all images."""
PATH_COLUMNS = ("cosine", "attribute_score", "attribute_score_abs", "image_score", "ratio")


@dataclass(frozen=True, slots=True)
class FittedTranslator:
    """The chosen penalty, the translators for it, and the path that it was chosen on."""

    ridge: float
    """Penalty lambda; NaN for a translator that was fitted elsewhere."""
    unit: float
    """trace(S_ff) / m: a penalty divided by it can be compared across models."""
    whole: NullRemoval
    """Fitted on all images: for new images, steering and naming directions."""
    folds: list[NullRemoval]
    """Fitted without one fold each: every image is scored by a translator that never saw it."""
    fold_mean_targets: Float[Tensor, "fold clip"]
    """Mean embedding of the images outside each fold: the baseline that ignores the features."""
    sums: RidgeSums
    """Sums of all images."""
    fold_sums: list[RidgeSums]
    """Sums of the images of each fold."""
    path: Mapping[str, Float[np.ndarray, " tried"]]
    """`lambda` in ascending order, `relative` (lambda over `unit`), and the out-of-fold figures of each penalty."""
    nearby: Float[np.ndarray, "penalty score image"]
    """AS and IS of the images that the path is measured on, at lambda / 10, lambda and 10 lambda; NaN where unknown."""

    @property
    def mean_feature(self) -> Float[Tensor, " dim"]:
        """Mean feature of all images."""
        return self.sums.mean_feature

    @property
    def null_weights(self) -> list[Float[Tensor, "clip dim"]]:
        """A Pi_n of the translator that was fitted without each fold."""
        return [removal.whole.weight - removal.principal.weight for removal in self.folds]


def fit_translator(
    batches: Batches,
    split: HeadSplit,
    class_vectors: Float[Tensor, "class clip"],
    images: int,
    *,
    ridge: float | None = None,
) -> FittedTranslator:
    """Fit T(f) = A f + a out of fold, and choose lambda by mean cosine, refined between the grid's neighbours (docs/method.md).

    Args:
        batches: Starts a new pass over all images at each call.
        split: The head's null space, for AS and IS along the path.
        class_vectors: Unit text embedding of each class.
        images: Number of images in a pass.
        ridge: A penalty that the user forces; None to choose it.

    Raises:
        TranslatorError: There are too few images to leave some out.
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
        ridge = better  # the best is at the edge of the grid: try penalties beyond it
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
    batches: Batches,
    split: HeadSplit,
    class_vectors: Float[Tensor, "class clip"],
    images: int,
    translator: AffineTranslator,
) -> FittedTranslator:
    """Use a translator that was fitted elsewhere: it has no known penalty, and its path is one point.

    Args:
        batches: Starts a new pass over all images at each call.
        split: The head's null space.
        class_vectors: Unit text embedding of each class.
        images: Number of images in a pass.
        translator: The translator, for features and embeddings of these sizes.
    """
    sums = fold_sums(batches)
    total = reduce(add, sums)
    removal = NullRemoval.of(translator, split, total.mean_feature)
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
    """Leave out penalties that are on the path already, apart from rounding."""
    return [float(value) for value in ridges if not any(math.isclose(value, known, rel_tol=1e-9) for known in points)]


def _best(points: dict[float, dict[str, float]]) -> float:
    return max(points, key=lambda value: points[value]["cosine"])


def fold_sums(batches: Batches) -> list[RidgeSums]:
    """Sum up the images of each fold in one pass.

    Args:
        batches: Starts a pass over all images.

    Returns:
        The sums of each fold; an empty list if there is no image.
    """
    sums: list[RidgeSums] = []
    for batch in join_batches(batches(), SUMMED_IMAGES):
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
    class_vectors: Float[Tensor, "class clip"],
    ridges: list[float],
    stride: int,
) -> dict[float, Float[np.ndarray, "figure image"]]:
    """Measure cosine, AS and IS of each image out of fold for each penalty.

    Features are rotated once, then each penalty is one product. That product is float32, of coordinates in which the centred
    products are diagonal: nothing cancels there, and AS and IS stay within 1e-5 degrees of float64 at any penalty. A product
    with A itself would not (0.01 degrees at the smallest penalty).

    Args:
        batches: Starts a pass over all images.
        paths: Every ridge translator of the images outside each fold.
        split: The head's null space.
        class_vectors: Unit text embedding of each class.
        ridges: The penalties.
        stride: Every stride-th image is measured.

    Returns:
        For each penalty cosine, AS and IS (degrees) of each measured image.
    """
    columns: dict[float, list[Tensor]] = {value: [] for value in ridges}
    thin = split.null_basis if split.nullity <= split.rank else split.row_basis
    turned = [path.rotate_directions(thin) for path in paths]
    for batch in join_batches(spread(batches(), stride)):
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
