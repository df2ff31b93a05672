"""Measure how much a precision changes AS and IS, on a few images and with a translator fitted on these alone."""

import numpy as np
import torch
from torch import Tensor

from sing_compute.linalg.angles import unit
from sing_compute.linalg.null_space import HeadSplit
from sing_compute.scores.shifts import NullRemoval, attribute_score, fold_views, image_score
from sing_compute.translator.ridge import AffineTranslator

FOLDS = 5
GRID = np.logspace(-4, 2, 13)
"""Penalties of the provisional translator, over trace(S_ff) / m."""


def effect_on_scores(
    exact: tuple[Tensor, Tensor], changed: tuple[Tensor, Tensor], split: HeadSplit, texts: Tensor
) -> tuple[float, float]:
    """Return the 95th percentile over images of the change in AS and in IS that a precision causes.

    Args:
        exact: Features (image, dim) and CLIP embeddings (image, clip), computed in float32.
        changed: The same, computed in another precision.
        split: The head's null space.
        texts: Unit text embedding of the class of each image, (image, clip).

    Returns:
        Changes of AS and of IS in degrees; NaN if a fold has no images.
    """
    if len(exact[0]) < 2 * FOLDS:
        return float("nan"), float("nan")
    first, penalty = _scores(*exact, split, texts)
    second, _ = _scores(*changed, split, texts, penalty)
    moved = (first - second).abs()
    finite = moved[:, moved.isfinite().all(0)]
    if not finite.shape[1]:
        return float("nan"), float("nan")
    attribute, image = finite.quantile(0.95, dim=1).tolist()
    return attribute, image


def _scores(
    features: Tensor, targets: Tensor, split: HeadSplit, texts: Tensor, penalty: float | None = None
) -> tuple[Tensor, float]:
    """Return AS and IS of each image (score, image) by a translator fitted without its fold, and the penalty of that."""
    f, z, t = (part.double().to(split.null_basis.device) for part in (features, targets, texts))
    folds = torch.arange(len(f), device=f.device) % FOLDS
    centred = f - f.mean(0)
    scale = float(centred.square().sum()) / f.shape[1]
    if penalty is None:

        def agreement(relative: float) -> float:
            views = torch.empty_like(z)
            for fold in range(FOLDS):
                held = folds == fold
                views[held] = few_images_ridge(f[~held], z[~held], relative * scale)(f[held])
            return float(torch.nn.functional.cosine_similarity(views, z).mean())

        penalty = scale * max(GRID.tolist(), key=agreement)
    removals = [
        NullRemoval.of(few_images_ridge(f[folds != fold], z[folds != fold], penalty), split, f.mean(0))
        for fold in range(FOLDS)
    ]
    views = fold_views(removals, f, folds)
    return torch.stack(
        [attribute_score(views.before, views.after, unit(t)), image_score(views.before, views.after)]
    ), penalty


def few_images_ridge(features: Tensor, targets: Tensor, penalty: float) -> AffineTranslator:
    """Fit the ridge translator for fewer images than dimensions, from the products of images (the dual form), float64.

    Args:
        features: Features of the images.
        targets: Their unit CLIP embeddings.
        penalty: Penalty lambda, above 0.
    """
    mean_feature, mean_target = features.mean(0), targets.mean(0)
    f, z = features - mean_feature, targets - mean_target
    products = f @ f.T
    products.diagonal().add_(penalty)
    weight = torch.linalg.solve(products, z).T @ f
    return AffineTranslator(weight, mean_target - weight @ mean_feature)
