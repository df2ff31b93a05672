"""Everything that is measured of one model, from its features on disk into the store."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sing_compute.linalg.angles import paired_angle, unit
from sing_compute.linalg.null_space import HeadSplit, split_head
from sing_compute.models.classifier import Classifier
from sing_compute.pipeline.features import FeatureBatch, ShardReader
from sing_compute.pipeline.fitting import FittedTranslator, fit_translator
from sing_compute.pipeline.progress import Progress
from sing_compute.scores.equivalence import EquivalenceCheck
from sing_compute.scores.shifts import (
    CONCEPT_FIGURES,
    ConceptShifts,
    ConceptSums,
    Views,
    attribute_score,
    fold_views,
    image_score,
)
from sing_compute.scores.statistics import class_statistics, model_summary
from sing_compute.store import Writer
from sing_compute.store.schema import NEIGHBOURS, TOP_CONCEPTS

POOL_IMAGES = 20_000
"""Real images that nearest ones are sought among: all of them up to this number, else evenly spread ones."""
RANKED = ("attribute_score", "image_score", "null_energy")
Column = NDArray[np.float32] | NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Measured:
    """What all models of a run are measured against."""

    offsets: NDArray[np.int64]
    labels: NDArray[np.int32]
    masks: dict[str, NDArray[np.bool_]]
    """The user's groups of images, by name."""
    class_vectors: Tensor
    concept_vectors: Tensor


class ModelMeasurement:
    """One model: its head, scores and statistics. `run` writes them and gives the medians that models are compared by."""

    def __init__(
        self, classifier: Classifier, reader: ShardReader, against: Measured, *, invariance: str, ridge: float | None
    ) -> None:
        self._name, self._reader, self._against = classifier.name, reader, against
        self._invariance, self._ridge = invariance, ridge
        weight, bias = (part.to(reader.device) for part in classifier.head)
        self._weight, self._bias = weight, bias
        self.split = split_head(weight, stored_dtype=classifier.stored_dtype, invariance=invariance)
        self._softmax = split_head(weight, stored_dtype=classifier.stored_dtype, invariance="softmax")

    def run(self, writer: Writer, progress: Progress) -> NDArray[np.float64] | None:
        """Measure and write. Gives the median |AS| of each class; None for a head without null space, which has no scores."""
        against, split = self._against, self.split
        self._put(writer, "head", weight=self._weight.double().cpu(), bias=self._bias.double().cpu())
        self._put(writer, "head", singular_values=split.singular_values.cpu())
        prediction = self._reader.column(f"{self._name}/prediction")
        right = prediction == against.labels
        self._put(writer, "images", prediction=prediction, confidence=self._reader.column(f"{self._name}/confidence"))
        summary: dict[str, object] = {
            "images": len(right),
            "correct": int(right.sum()),
            "accuracy": float(right.mean()),
            "rank": split.rank,
            "nullity": split.nullity,
            "nullity_softmax": self._softmax.nullity,
            "cutoff": split.cutoff,
            "gap": split.gap,
            "tail_ratio": split.tail_ratio,
        }
        columns: dict[str, NDArray[np.float32]] = {}
        if split.nullity:
            fitted = self._fit(len(right), progress)
            columns, figures = self._score(writer, fitted, progress)
            summary |= figures
            self._put_translator(writer, fitted)
        masks = [np.ones_like(right), right, ~right, *against.masks.values()]
        statistics = class_statistics(against.offsets, right, columns, masks)
        if split.nullity:
            summary |= model_summary(columns, statistics["ratio"][0])
        self._put(writer, "classes", **statistics)
        self._put(writer, "summary", **summary)
        return statistics["attribute_score_abs_q50"][0] if split.nullity else None

    def _fit(self, images: int, progress: Progress) -> FittedTranslator:
        passes = 3 if self._ridge else 4
        with progress.task(f"{self._name}: translator", passes * images) as advance:

            def batches() -> Iterator[FeatureBatch]:
                for batch in self._reader.batches(self._name):
                    yield batch
                    advance(len(batch.features))

            return fit_translator(batches, self.split, self._against.class_vectors, images, ridge=self._ridge)

    def _put(self, writer: Writer, group: str, **values: object) -> None:
        for name, value in values.items():
            writer.put(f"models/{{model}}/{group}/{name}", value, model=self._name)  # type: ignore[arg-type]

    def _put_translator(self, writer: Writer, fitted: FittedTranslator) -> None:
        whole = fitted.whole.whole
        self._put(
            writer,
            "translator",
            weight=whole.weight.cpu(),
            bias=whole.bias.cpu(),
            mean_feature=fitted.mean_feature.cpu(),
        )
        self._put(writer, "translator", **{f"path_{name}": values for name, values in fitted.path.items()})

    def _score(
        self, writer: Writer, fitted: FittedTranslator, progress: Progress
    ) -> tuple[dict[str, NDArray[np.float32]], dict[str, float | int]]:
        """One pass over all features: image columns, class x concept rows as each class ends, translator quality."""
        images = _ImageScores(self._reader, self._against, fitted, self.split)
        concepts = _ConceptRows(writer, self._name, self._against, self._reader.device)
        check = EquivalenceCheck(self._weight, self._bias, centred=self._invariance == "softmax")
        total = len(self._against.labels)
        with progress.task(f"{self._name}: scores", total) as advance:
            for batch in self._reader.batches(self._name):
                views = fold_views(fitted.folds, batch.features.double(), batch.folds)
                shifts = ConceptShifts.of(views, self._against.concept_vectors)
                images.add(batch, views, shifts)
                concepts.add(batch.labels, shifts)
                check.add(batch.features, self.split)
                advance(len(batch.features))
        concepts.close()
        columns = images.columns()
        self._put(writer, "images", **columns)
        for name in RANKED:
            order = np.argsort(columns[name], kind="stable").astype(np.int32)
            writer.put(f"models/{{model}}/rankings/{name}", order, model=self._name)
        figures = images.quality() | check.finish()
        return columns, figures | {"lambda": fitted.ridge, "lambda_relative": fitted.ridge / fitted.unit}


class _ImageScores:
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


class _ConceptRows:
    """Class x concept rows, written as soon as the images of a class are through: images are sorted by class."""

    def __init__(self, writer: Writer, model: str, against: Measured, device: torch.device) -> None:
        shape = (len(against.offsets) - 1, len(against.concept_vectors))
        self._rows = {
            name: writer.create(f"models/{{model}}/concepts/{name}", shape, model=model) for name in CONCEPT_FIGURES
        }
        self._concepts, self._device = shape[1], device
        self._class, self._sums = 0, ConceptSums(shape[1], device)
        self._classes = shape[0]

    def add(self, labels: Tensor, shifts: ConceptShifts) -> None:
        for label in torch.unique_consecutive(labels).tolist():
            rows = labels == label
            self._advance(label)
            self._sums.add(ConceptShifts(shifts.before[rows], shifts.after[rows], shifts.centred[rows]))

    def close(self) -> None:
        self._advance(self._classes)

    def _advance(self, label: int) -> None:
        while self._class < label:
            for name, row in self._sums.finish().items():
                self._rows[name][self._class] = row.float().cpu().numpy()
            self._class, self._sums = self._class + 1, ConceptSums(self._concepts, self._device)


def _padded(values: Tensor, width: int, fill: float) -> Tensor:
    """Columns up to the number that the store keeps, missing ones filled."""
    return torch.nn.functional.pad(values, (0, width - values.shape[1]), value=fill)
