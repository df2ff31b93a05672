"""Scores of single images of one model, gathered in one pass over its features."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sing_compute.linalg.angles import paired_angle, unit
from sing_compute.linalg.null_space import HeadSplit
from sing_compute.pipeline.fitting import FittedTranslator
from sing_compute.pipeline.reader import FeatureBatch, ShardReader
from sing_compute.scores.shifts import (
    ConceptShifts,
    Views,
    attribute_score,
    image_score,
)
from sing_compute.store.schema import NEIGHBOURS, TOP_CONCEPTS

POOL_IMAGES = 20_000
"""Real images that nearest ones are sought among: all of them up to this number, else evenly spread ones."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What all models of a run are measured against."""

    offsets: NDArray[np.int64]
    labels: NDArray[np.int32]
    masks: dict[str, NDArray[np.bool_]]
    """The user's groups of images, by name."""
    class_vectors: Tensor
    concept_vectors: Tensor


class ImageScores:
    """Scores of single images and what they say of the translator, batch by batch."""

    def __init__(self, reader: ShardReader, against: Measured, fitted: FittedTranslator, split: HeadSplit) -> None:
        self._against, self._fitted, self._split = against, fitted, split
        self._stride = -(-len(against.labels) // POOL_IMAGES)
        self._pool = reader.targets(self._stride)
        self._mean_null = split.null_part(fitted.mean_feature[None])[0]
        self._parts: dict[str, list[Tensor]] = {}
        self._sums: dict[str, float] = {}
        self._count = 0

    def add(self, batch: FeatureBatch, views: Views, shifts: ConceptShifts) -> None:
        """Score one batch."""
        features, targets, labels = batch.features.double(), batch.targets.double(), batch.labels.long()
        texts = self._against.class_vectors[labels].double()
        length, null = features.norm(dim=1), self._split.null_part(features)
        before, after = unit(views.before).float(), unit(views.after).float()
        top = (
            shifts.attribute_score.nan_to_num(0.0).abs().topk(min(TOP_CONCEPTS, shifts.before.shape[1]), dim=1).indices
        )
        cosine = torch.nn.functional.cosine_similarity(views.before, targets)
        self._keep(
            attribute_score=attribute_score(views.before, views.after, texts),
            image_score=image_score(views.before, views.after),
            attribute_score_centred=attribute_score(views.before, views.centred, texts),
            image_score_centred=image_score(views.before, views.centred),
            class_angle=paired_angle(views.before, texts),
            cosine=cosine,
            null_energy=null.norm(dim=1) / length,
            null_energy_centred=(null - self._mean_null).norm(dim=1) / length,
            top_concept=_padded(top, TOP_CONCEPTS, -1),
            top_concept_score=_padded(shifts.attribute_score.gather(1, top), TOP_CONCEPTS, torch.nan),
            nearest_before=self._nearest(before),
            nearest_after=self._nearest(after),
        )
        baseline = self._fitted.fold_mean_targets[batch.folds.long()]
        class_vectors = self._against.class_vectors
        self._sum(
            cosine=cosine,
            cosine_baseline=torch.nn.functional.cosine_similarity(baseline, targets),
            residual=(views.before - targets).square().sum(1),
            variance=(baseline - targets).square().sum(1),
            zero_shot_image=(batch.targets @ class_vectors.T).argmax(1) == labels,
            zero_shot_translated=(before @ class_vectors.T).argmax(1) == labels,
            zero_shot_equivalent=(after @ class_vectors.T).argmax(1) == labels,
        )
        self._count += len(labels)

    def columns(self) -> dict[str, NDArray[np.float32]]:
        """Image columns by store name."""
        return {name: torch.cat(parts).numpy() for name, parts in self._parts.items()}

    def quality(self) -> dict[str, float]:
        """How good the translator is out of fold, by store name."""
        means = {name: total / self._count for name, total in self._sums.items()}
        residual, variance = means.pop("residual"), means.pop("variance")
        return means | {"mse": residual / self._pool.shape[1], "r_squared": 1 - residual / variance}

    def _nearest(self, vectors: Tensor) -> Tensor:
        """Rows of the real images whose embeddings are nearest; -1 where there are fewer images or no direction."""
        similarity = (vectors @ self._pool.T).nan_to_num(-torch.inf)
        best = similarity.topk(min(NEIGHBOURS, len(self._pool)), dim=1)
        return _padded(torch.where(best.values.isfinite(), best.indices * self._stride, -1), NEIGHBOURS, -1)

    def _keep(self, **values: Tensor) -> None:
        for name, value in values.items():
            stored = value.float() if value.is_floating_point() else value.int()
            self._parts.setdefault(name, []).append(stored.cpu())

    def _sum(self, **values: Tensor) -> None:
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, 0.0) + float(value.double().nansum())


def _padded(values: Tensor, width: int, fill: float) -> Tensor:
    """Columns up to the number that the store keeps, missing ones filled."""
    return torch.nn.functional.pad(values, (0, width - values.shape[1]), value=fill)
