"""Everything that is measured of one model, from its features on disk into the store."""

from collections.abc import Iterator
from dataclasses import astuple
from functools import partial

import h5py
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sing_compute.linalg.null_space import NUMERICAL, NullSpaceRule, split_head
from sing_compute.measuring.comparison import Compared
from sing_compute.measuring.concept_rows import ConceptRows
from sing_compute.measuring.fitting import FittedTranslator, adopt_translator, fit_translator
from sing_compute.measuring.image_rows import WINDOW, ImageScores, Measured, StoredColumn
from sing_compute.measuring.reader import FeatureBatch, ShardReader, joined
from sing_compute.measuring.validity import CONTROLS_TASK, RULES_TASK, Validity, curves, null_space_variants
from sing_compute.models.classifier import Classifier
from sing_compute.process.progress import Advance, Progress
from sing_compute.scores.equivalence import EquivalenceCheck
from sing_compute.scores.intervals import class_intervals
from sing_compute.scores.shifts import (
    ConceptShifts,
    fold_views,
)
from sing_compute.scores.significance import (
    SharedDirections,
)
from sing_compute.scores.statistics import class_statistics, model_summary, owners_of, sorted_pairs
from sing_compute.store import Writer
from sing_compute.store.schema import RANKED
from sing_compute.translator.comparison import compare_translators
from sing_compute.translator.ridge import AffineTranslator

ENOUGH_IMAGES = 2.0
"""Images per feature dimension from which z and q kept their level on planted data (docs/planted.md)."""
ENOUGH_GAIN = 1 / 3
"""Share of the way from the baseline's cosine to 1 that the translator must gain for the same."""


class ModelMeasurement:
    """One model: its head, scores and statistics. `run` writes them and gives what models are compared by."""

    def __init__(
        self,
        classifier: Classifier,
        reader: ShardReader,
        against: Measured,
        *,
        invariance: str,
        ridge: float | None,
        seed: int,
        rule: NullSpaceRule = NUMERICAL,
        translator: AffineTranslator | None = None,
        compare: bool = False,
    ) -> None:
        self._name, self._reader, self._against = classifier.name, reader, against
        self._invariance, self._ridge, self._seed = invariance, ridge, seed
        self._translator, self._compare = translator, compare
        weight, bias = (part.to(reader.device) for part in classifier.head)
        self._weight, self._bias, self._stored = weight, bias, classifier.stored_dtype
        self.split = split_head(weight, stored_dtype=self._stored, invariance=invariance, rule=rule)
        self._softmax = split_head(weight, stored_dtype=self._stored, invariance="softmax")
        self.doubt = ""
        """Why z and q of this run should not be relied on; empty where they may be."""

    def run(self, writer: Writer, progress: Progress) -> Compared | None:
        """Measure and write. Gives what models are compared by; None for a head without null space, which has no scores."""
        against, split = self._against, self.split
        self._put(writer, "head", weight=self._weight.double().cpu(), bias=self._bias.double().cpu())
        self._put(writer, "head", singular_values=split.singular_values.cpu())
        right = self._outputs(writer)
        with progress.task(f"{self._name}: {RULES_TASK}", len(right)) as advance:
            batches = self._batches(advance)
            found = null_space_variants(
                weight=self._weight, bias=self._bias, stored=self._stored, images=len(right), batches=batches
            )
        self._put(writer, "variants", **found)
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
        columns: dict[str, StoredColumn] = {}
        compared = None
        if split.nullity:
            fitted = self._fit(len(right), progress)
            columns, figures = self._score(writer, fitted, progress)
            summary |= figures
            self.doubt = doubt_of(len(right) / self._weight.shape[1], figures["cosine"], figures["cosine_baseline"])
            self._put_translator(writer, fitted)
        masks = [np.broadcast_to(np.True_, len(right)), right, ~right, *against.masks.values()]
        statistics = class_statistics(against.offsets, right, columns, masks)
        self._put(writer, "classes", **statistics)
        if split.nullity:
            summary |= model_summary(columns, statistics["ratio"][0])
            figures, names, values, replicates = self._check(writer, fitted, columns, statistics["ratio"][0], progress)
            summary |= figures
            medians = statistics["attribute_score_abs_q50"][0]
            compared = Compared.of(names, values, replicates, medians, summary)
            intervals = class_intervals(against.offsets, columns, masks)
            ends = np.stack([np.stack([found.low, found.high], axis=-1) for found in intervals.values()])
            self._put(writer, "classes", interval_figure=list(intervals), interval=ends)
            self._put(writer, "classes", **curves(columns, against.offsets))
        self._put(writer, "summary", **summary)
        return compared

    def _check(
        self,
        writer: Writer,
        fitted: FittedTranslator,
        columns: dict[str, StoredColumn],
        class_ratio: NDArray[np.float64],
        progress: Progress,
    ) -> tuple[dict[str, float], tuple[str, ...], NDArray[np.float64], NDArray[np.float32]]:
        """Controls, probe, spectrum, intervals, and the features for questions asked later."""
        against, images = self._against, len(self._against.labels)
        validity = Validity(
            self.split,
            self._weight,
            self._bias,
            fitted,
            against.class_vectors,
            against.concept_vectors,
            images,
            self._seed,
            centred=self._invariance == "softmax",
        )
        with progress.task(f"{self._name}: {CONTROLS_TASK}", (4 + 2 * (len(against.masks) > 1)) * images) as advance:
            batches = partial(self._batches, advance)

            def put(group: str, **values: object) -> None:
                self._put(writer, group, **values)

            def create(group: str, name: str, shape: tuple[int, ...]) -> h5py.Dataset:
                return self._create(writer, f"{group}/{name}", shape)

            figures = (
                validity.controls(batches(), put) | validity.spectrum(put) | validity.probe(batches, against.labels)
            )
            if len(against.masks) > 1:
                group = np.full(images, -1, np.int32)
                for number, mask in enumerate(against.masks.values()):
                    group[mask] = number
                figures |= validity.probe(batches, group, "_group")
            validity.features(batches(), put, create)
        if self._compare:
            self._compare_translators(writer, fitted, progress)
        return figures, *validity.intervals(columns, against.offsets, class_ratio, put)

    def _compare_translators(self, writer: Writer, fitted: FittedTranslator, progress: Progress) -> None:
        """The paper's Table 2 for these images, all translators on one fold that none of them saw."""
        with progress.task(f"{self._name}: translators compared", None) as advance:

            def batches() -> Iterator[tuple[Tensor, Tensor, Tensor]]:
                for batch in self._batches(advance):
                    yield batch.features, batch.targets, batch.folds

            held = next(fold for fold, sums in enumerate(fitted.fold_sums) if sums.count)
            rows = compare_translators(batches, ridge=fitted.ridge, held_fold=held, seed=self._seed)
        self._put(writer, "translators", kind=[row.name for row in rows], images=[row.images for row in rows])
        for name in ("cosine", "mse", "r_squared", "parameters"):
            self._put(writer, "translators", **{name: [getattr(row, name) for row in rows]})

    def _outputs(self, writer: Writer) -> NDArray[np.bool_]:
        """What the model predicts, written; gives which images it is right about."""
        labels = self._against.labels
        right = np.empty(len(labels), np.bool_)
        names = ("prediction", "confidence")
        written = [self._create(writer, f"images/{name}", right.shape) for name in names]
        for rows, values in self._reader.columns(*(f"{self._name}/{name}" for name in names)):
            for dataset, part in zip(written, values, strict=True):
                dataset[rows] = part
            right[rows] = values[0] == labels[rows]
        return right

    def _batches(self, advance: Advance) -> Iterator[FeatureBatch]:
        """One pass over the features, which the progress bar follows."""
        for batch in self._reader.batches(self._name):
            yield batch
            advance(len(batch.features))

    def _fit(self, images: int, progress: Progress) -> FittedTranslator:
        # Without a total: a penalty at the edge of the grid takes more passes.
        with progress.task(f"{self._name}: translator", None) as advance:
            batches = partial(self._batches, advance)
            if self._translator is not None:
                given = AffineTranslator(*(part.to(self._reader.device) for part in astuple(self._translator)))
                return adopt_translator(batches, self.split, self._against.class_vectors, images, given)
            return fit_translator(batches, self.split, self._against.class_vectors, images, ridge=self._ridge)

    def _put(self, writer: Writer, group: str, **values: object) -> None:
        for name, value in values.items():
            writer.put(f"models/{{model}}/{group}/{name}", value, model=self._name)  # type: ignore[arg-type]

    def _create(self, writer: Writer, path: str, shape: tuple[int, ...]) -> h5py.Dataset:
        return writer.create(f"models/{{model}}/{path}", shape, model=self._name)

    def _put_translator(self, writer: Writer, fitted: FittedTranslator) -> None:
        whole = fitted.whole.whole
        self._put(
            writer,
            "translator",
            weight=whole.weight.cpu(),
            bias=whole.bias.cpu(),
            mean_feature=fitted.mean_feature.cpu(),
            fold_weight=torch.stack([removal.whole.weight for removal in fitted.folds]).cpu(),
            fold_bias=torch.stack([removal.whole.bias for removal in fitted.folds]).cpu(),
        )
        self._put(writer, "translator", **{f"path_{name}": values for name, values in fitted.path.items()})

    def _score(
        self, writer: Writer, fitted: FittedTranslator, progress: Progress
    ) -> tuple[dict[str, StoredColumn], dict[str, float | int]]:
        """One pass over all features: image columns, class x concept rows as each class ends, translator quality."""
        images = ImageScores(writer, self._name, self._reader, self._against, fitted, self.split)
        directions = SharedDirections.of(
            self.split,
            [removal.whole.weight - removal.principal.weight for removal in fitted.folds],
            self._against.concept_vectors,
            seed=self._seed,
        )
        concepts = ConceptRows(writer, self._name, self._against, directions)
        check = EquivalenceCheck(self._weight, self._bias, centred=self._invariance == "softmax")
        with progress.task(f"{self._name}: scores", len(self._against.labels)) as advance:
            for batch in joined(self._batches(advance)):
                null = self.split.null_part(batch.features.double())
                views = fold_views(fitted.folds, batch.features, batch.folds)
                shifts = ConceptShifts.of(views, self._against.concept_vectors)
                images.add(batch, views, shifts, null)
                concepts.add(batch, views, shifts, null)
                check.add(batch.features, null)
        concepts.close()
        columns = images.columns()
        for name in RANKED:
            order = sorted_pairs(columns[name])
            written = self._create(writer, f"rankings/{name}", order.shape)
            for start in range(0, len(order), WINDOW):
                written[start : start + WINDOW] = owners_of(order[start : start + WINDOW]).view(np.int32)
            del order  # before the next one is made
        figures = images.quality() | check.finish() | {"significant": concepts.significant}
        return columns, figures | {"lambda": fitted.ridge, "lambda_relative": fitted.ridge / fitted.unit}


def doubt_of(images_per_dimension: float, cosine: float, baseline: float) -> str:
    """What to say where z and q raise false alarms on planted data (docs/planted.md); nothing where they do not.

    Both take the translator for exact. With few images, or a CLIP space that features say little of, the noise in it lies along
    the very directions in which features vary, and random null directions miss it.
    """
    gained = (cosine - baseline) / (1 - baseline) if baseline < 1 else 0.0
    reasons = []
    if images_per_dimension < ENOUGH_IMAGES:
        reasons.append(f"{images_per_dimension:.1f} images per feature dimension (wanted: {ENOUGH_IMAGES:g})")
    if gained < ENOUGH_GAIN:
        reasons.append(f"the translator gains {gained:.0%} of the way from its baseline (wanted: {ENOUGH_GAIN:.0%})")
    return f"z and q may raise false alarms: {' and '.join(reasons)}" if reasons else ""
