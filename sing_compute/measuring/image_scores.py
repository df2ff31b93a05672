"""Scores of single images of one model, computed in one pass over its features."""

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from sing_compute.linalg.angles import paired_angle, unit
from sing_compute.linalg.null_space import HeadSplit
from sing_compute.measuring.fitting import FittedTranslator
from sing_compute.measuring.model_results import ImageScores
from sing_compute.measuring.reader import PairedBatch
from sing_compute.scores.shifts import ConceptShifts, Views, attribute_score, image_score
from sing_compute.store.constants import NEIGHBOURS, TOP_CONCEPTS

POOL_PART = 1024
"""Images of the pool that are compared at a time, so that the similarities of a batch stay in the processor's cache."""


class ImageScoring:
    """Score images batch by batch, and sum up the quality of the translator."""

    def __init__(
        self,
        class_vectors: Float[Tensor, "class clip"],
        pool: Float[Tensor, "pool clip"],
        stride: int,
        fitted: FittedTranslator,
        split: HeadSplit,
    ) -> None:
        """Prepare the scoring of one model.

        Args:
            class_vectors: Unit text embedding of each class.
            pool: Unit CLIP embeddings of every stride-th image; the nearest images of each feature are searched among these.
            stride: Distance of two images of the pool.
            fitted: The translators of the model.
            split: The null space of its head.
        """
        self._class_vectors, self._pool, self._stride, self._fitted = class_vectors, pool, stride, fitted
        self._mean_null = split.null_part(fitted.mean_feature[None])[0]
        self._sums: dict[str, float] = {}
        self._count = 0

    def score(
        self, batch: PairedBatch, views: Views, shifts: ConceptShifts, null: Float[Tensor, "image dim"]
    ) -> ImageScores:
        """Score one batch, and add it to the sums of the translator's quality.

        Args:
            batch: The images.
            views: Their features in CLIP space, each by the translator that was fitted without its fold.
            shifts: Angles of these views to every concept.
            null: Pi_n f of each image, float64.
        """
        features, targets, labels = batch.features.double(), batch.targets.double(), batch.labels.long()
        texts = self._class_vectors[labels].double()
        length = features.norm(dim=1)
        before, after = unit(views.before).float(), unit(views.after).float()
        count = min(TOP_CONCEPTS, shifts.before.shape[1])
        top = shifts.attribute_score.nan_to_num(0.0).abs().topk(count, dim=1).indices
        cosine = torch.nn.functional.cosine_similarity(views.before, targets)
        self._sum_up(batch, views, cosine, before, after)
        return ImageScores(
            batch.rows,
            attribute_score=_numbers(attribute_score(views.before, views.after, texts)),
            image_score=_numbers(image_score(views.before, views.after)),
            attribute_score_centred=_numbers(attribute_score(views.before, views.centred, texts)),
            image_score_centred=_numbers(image_score(views.before, views.centred)),
            class_angle=_numbers(paired_angle(views.before, texts)),
            cosine=_numbers(cosine),
            null_energy=_numbers(null.norm(dim=1) / length),
            null_energy_centred=_numbers((null - self._mean_null).norm(dim=1) / length),
            top_concept=_indices(_pad(top, TOP_CONCEPTS, -1)),
            top_concept_score=_numbers(_pad(shifts.attribute_score.gather(1, top), TOP_CONCEPTS, torch.nan)),
            nearest_before=_indices(self._nearest(before)),
            nearest_after=_indices(self._nearest(after)),
        )

    def quality(self) -> dict[str, float]:
        """Return how good the translator is out of fold, over the images scored so far, by store name."""
        means = {name: total / self._count for name, total in self._sums.items()}
        residual, variance = means.pop("residual"), means.pop("variance")
        return means | {"mse": residual / self._pool.shape[1], "r_squared": 1 - residual / variance}

    def _sum_up(self, batch: PairedBatch, views: Views, cosine: Tensor, before: Tensor, after: Tensor) -> None:
        """Add a batch to the sums of the translator's quality; `before` and `after` are unit vectors."""
        targets, labels = batch.targets.double(), batch.labels.long()
        baseline = self._fitted.fold_mean_targets[batch.folds.long()]
        texts = self._class_vectors
        found: Mapping[str, Tensor] = {
            "cosine": cosine,
            "cosine_baseline": torch.nn.functional.cosine_similarity(baseline, targets),
            "residual": (views.before - targets).square().sum(1),
            "variance": (baseline - targets).square().sum(1),
            "zero_shot_image": (batch.targets @ texts.T).argmax(1) == labels,
            "zero_shot_translated": (before @ texts.T).argmax(1) == labels,
            "zero_shot_equivalent": (after @ texts.T).argmax(1) == labels,
        }
        for name, values in found.items():
            self._sums[name] = self._sums.get(name, 0.0) + float(values.double().nansum())
        self._count += len(labels)

    def _nearest(self, vectors: Float[Tensor, "image clip"]) -> Int[Tensor, "image neighbour"]:
        """Find the images whose embeddings are nearest to each vector; -1 where there are fewer, or a vector is NaN."""
        nowhere = ~vectors.isfinite().all(dim=1, keepdim=True)
        vectors = vectors.masked_fill(nowhere, 0)
        values, rows = [], []
        similarities = vectors.new_empty(len(vectors), min(POOL_PART, len(self._pool)))
        for start in range(0, len(self._pool), POOL_PART):
            part = self._pool[start : start + POOL_PART]
            similarity = torch.mm(vectors, part.T, out=similarities[:, : len(part)])
            best = similarity.topk(min(NEIGHBOURS, len(part)), dim=1)
            values.append(best.values)
            rows.append((best.indices + start) * self._stride)
        found = torch.cat(values, dim=1)
        best = found.topk(min(NEIGHBOURS, found.shape[1]), dim=1)
        nearest = torch.cat(rows, dim=1).gather(1, best.indices)
        return _pad(nearest.masked_fill(nowhere, -1), NEIGHBOURS, -1)


def _pad(values: Tensor, width: int, fill: float | int) -> Tensor:
    """Pad rows to the width that a results file has."""
    return torch.nn.functional.pad(values, (0, width - values.shape[1]), value=fill)


def _numbers(values: Tensor) -> NDArray[np.float32]:
    found: NDArray[np.float32] = values.float().cpu().numpy()
    return found


def _indices(values: Tensor) -> NDArray[np.int32]:
    found: NDArray[np.int32] = values.int().cpu().numpy()
    return found
