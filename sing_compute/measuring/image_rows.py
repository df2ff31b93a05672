"""Scores of single images of one model, gathered in one pass over its features."""

from dataclasses import dataclass

import h5py
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sing_compute.linalg.angles import paired_angle, unit
from sing_compute.linalg.null_space import HeadSplit
from sing_compute.measuring.fitting import FittedTranslator
from sing_compute.measuring.reader import FeatureBatch, ShardReader
from sing_compute.scores.shifts import (
    ConceptShifts,
    Views,
    attribute_score,
    image_score,
)
from sing_compute.scores.statistics import Floats
from sing_compute.store import Writer
from sing_compute.store.schema import NEIGHBOURS, TOP_CONCEPTS

POOL_IMAGES = 20_000
"""Real images that nearest ones are sought among: all of them up to this number, else evenly spread ones."""
POOL_PART = 1024
"""Of them, how many are compared at a time: the similarities of a batch stay in the processor's cache."""
WINDOW = 2**16
"""Images of a stored column that are read at a time, for the classes among them."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What all models of a run are measured against."""

    offsets: NDArray[np.int64]
    labels: NDArray[np.int32]
    masks: dict[str, NDArray[np.bool_]]
    """The user's groups of images, by name."""
    class_vectors: Tensor
    concept_vectors: Tensor


class StoredColumn:
    """An image column in the results file. What is asked for class by class is read in windows; one is kept."""

    def __init__(self, dataset: h5py.Dataset) -> None:
        self._dataset, self._start = dataset, 0
        self._window: Floats = np.empty(0, np.float32)

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, rows: slice) -> Floats:
        start, stop, _ = rows.indices(len(self))
        if stop - start > WINDOW:
            whole: Floats = self._dataset[start:stop]
            return whole
        if not self._start <= start <= stop <= self._start + len(self._window):
            self._window, self._start = self._dataset[start : start + WINDOW], start
        return self._window[start - self._start : stop - self._start]


class ImageScores:
    """Scores of single images, written batch by batch, and what they say of the translator."""

    def __init__(
        self,
        writer: Writer,
        model: str,
        reader: ShardReader,
        against: Measured,
        fitted: FittedTranslator,
        split: HeadSplit,
    ) -> None:
        self._writer, self._model = writer, model
        self._against, self._fitted = against, fitted
        self._stride = -(-len(against.labels) // POOL_IMAGES)
        self._pool = reader.targets(self._stride)
        self._mean_null = split.null_part(fitted.mean_feature[None])[0]
        self._datasets: dict[str, h5py.Dataset] = {}
        self._sums: dict[str, float] = {}
        self._count = 0

    def add(self, batch: FeatureBatch, views: Views, shifts: ConceptShifts, null: Tensor) -> None:
        """Score one batch, null the null part of its features."""
        features, targets, labels = batch.features.double(), batch.targets.double(), batch.labels.long()
        texts = self._against.class_vectors[labels].double()
        length = features.norm(dim=1)
        before, after = unit(views.before).float(), unit(views.after).float()
        top = (
            shifts.attribute_score.nan_to_num(0.0).abs().topk(min(TOP_CONCEPTS, shifts.before.shape[1]), dim=1).indices
        )
        cosine = torch.nn.functional.cosine_similarity(views.before, targets)
        self._write(
            batch.rows,
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

    def columns(self) -> dict[str, StoredColumn]:
        """Image columns with one number per image, by store name."""
        return {name: StoredColumn(dataset) for name, dataset in self._datasets.items() if dataset.ndim == 1}

    def quality(self) -> dict[str, float]:
        """How good the translator is out of fold, by store name."""
        means = {name: total / self._count for name, total in self._sums.items()}
        residual, variance = means.pop("residual"), means.pop("variance")
        return means | {"mse": residual / self._pool.shape[1], "r_squared": 1 - residual / variance}

    def _nearest(self, vectors: Tensor) -> Tensor:
        """Rows of the real images whose embeddings are nearest; -1 where there are fewer images or no direction."""
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
        return _padded(nearest.masked_fill(nowhere, -1), NEIGHBOURS, -1)

    def _write(self, rows: slice, **values: Tensor) -> None:
        for name, value in values.items():
            if name not in self._datasets:
                shape = (len(self._against.labels), *value.shape[1:])
                path = f"models/{{model}}/images/{name}"
                self._datasets[name] = self._writer.create(path, shape, model=self._model)
            self._datasets[name][rows] = value.cpu().numpy()

    def _sum(self, **values: Tensor) -> None:
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, 0.0) + float(value.double().nansum())


def _padded(values: Tensor, width: int, fill: float) -> Tensor:
    """Columns up to the number that the store keeps, missing ones filled."""
    return torch.nn.functional.pad(values, (0, width - values.shape[1]), value=fill)
