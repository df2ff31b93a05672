"""Compare the linear translator with non-linear ones, on images that none of them was fitted on (SING, Table 2)."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sing_compute.errors import TranslatorError
from sing_compute.translator.mlp import DEFAULTS, KINDS, Batches, Kind, MlpSettings, fit_mlp
from sing_compute.translator.ridge import RidgePath, RidgeSums

MEAN, LINEAR = "mean embedding", "linear"
"""Names of the rows of a comparison that are no MLP."""


@dataclass(frozen=True, slots=True)
class TranslatorQuality:
    """One row of the comparison: how well one translator predicts the embeddings of held-out images."""

    name: str
    cosine: float
    """Mean cosine between T(f) and the image embedding."""
    mse: float
    """Mean squared error per coordinate of the unit embedding. The paper's Table 2 has errors of .08 to .09, because
    its embeddings are not of unit length."""
    r_squared: float
    """Share of the variance of the embeddings about the training images' mean that T explains."""
    parameters: int
    """Number of fitted parameters."""
    images: int
    """Number of images it was measured on."""


def compare_translators(
    batches: Batches,
    *,
    ridge: float,
    held_fold: int,
    seed: int,
    kinds: Sequence[Kind] = KINDS,
    settings: MlpSettings = DEFAULTS,
) -> tuple[TranslatorQuality, ...]:
    """Make the paper's Table 2 for these images: the mean embedding, the linear translator, and the MLPs.

    One fold is held out for all of them, so that each MLP is trained once: every row is measured on the same images, by
    a translator fitted without them. Each MLP uses a tenth of the other images to decide when to stop; the linear
    translator uses them all.

    Args:
        batches: Called once for the sums, once for each MLP's first pass, once an epoch, and once to measure.
        ridge: Penalty lambda of the linear translator.
        held_fold: Number of the fold held out.
        seed: Seed of each MLP's training.
        kinds: The MLPs to train.
        settings: Settings of all MLPs.

    Returns:
        The mean embedding (a translator that ignores the features), the linear translator, then `kinds` in their order.

    Raises:
        TranslatorError: As for `fit_mlp`, or no image is in the held-out fold.
    """
    sums, held_images = _sums(batches, held_fold)
    if sums is None or not held_images:
        where = "outside" if held_images else "in"
        raise TranslatorError(f"no image is {where} fold {held_fold}: translators cannot be compared; hold out another")
    mlps = [fit_mlp(kind, batches, held_fold=held_fold, seed=seed, settings=settings) for kind in kinds]
    linear, mean = RidgePath(sums).fit(ridge), sums.mean_target
    translators: dict[str, Callable[[Tensor], Tensor]] = {
        MEAN: lambda features: mean.expand(len(features), -1),
        LINEAR: linear,
        **{mlp.kind: mlp for mlp in mlps},
    }
    sizes = [len(mean), linear.weight.numel() + len(mean), *(mlp.parameters for mlp in mlps)]
    cosines, errors = dict.fromkeys(translators, 0.0), dict.fromkeys(translators, 0.0)
    for features, targets, folds in batches():
        held = folds == held_fold
        true = targets[held].double()
        for name, translator in translators.items():
            answer = translator(features[held]).double()
            cosines[name] += float(torch.nn.functional.cosine_similarity(answer, true).sum())
            errors[name] += float((answer - true).square().sum())
    return tuple(
        TranslatorQuality(
            name,
            cosine=cosines[name] / held_images,
            mse=errors[name] / (held_images * len(mean)),
            r_squared=1 - errors[name] / errors[MEAN] if errors[MEAN] else math.nan,
            parameters=size,
            images=held_images,
        )
        for name, size in zip(translators, sizes, strict=True)
    )


def _sums(batches: Batches, held_fold: int) -> tuple[RidgeSums | None, int]:
    """Return the sums of the images outside a fold, None if there are none, and the number of images in it."""
    sums: RidgeSums | None = None
    held_images = 0
    for features, targets, folds in batches():
        others = folds != held_fold
        held_images += int((~others).sum())
        if others.any():
            part = RidgeSums.of(features[others], targets[others])
            sums = part if sums is None else sums + part
    return sums, held_images
