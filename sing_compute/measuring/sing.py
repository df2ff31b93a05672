"""Make SING's analysis of one model: null space, translator, scores, controls and intervals."""

from collections.abc import Iterator
from dataclasses import astuple, dataclass
from functools import partial

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from sing_compute.linalg.null_space import NUMERICAL, HeadSplits, NullSpaceRule
from sing_compute.measuring.bootstrap import bootstrap
from sing_compute.measuring.comparison import ModelFigures
from sing_compute.measuring.concept_rows import ConceptRows
from sing_compute.measuring.fitting import FittedTranslator, adopt_translator, fit_translator
from sing_compute.measuring.image_scores import ImageScoring
from sing_compute.measuring.model_results import (
    ClassFigures,
    ConceptPart,
    ConceptRow,
    HeadSpectrum,
    Ranking,
    Sink,
    Summary,
    Translator,
)
from sing_compute.measuring.network_outputs import subset_masks
from sing_compute.measuring.reader import PairedBatch, ShardReader, join_batches
from sing_compute.measuring.reliability import doubt_of, translator_warning
from sing_compute.measuring.validity import (
    curves,
    measure_controls,
    null_directions,
    null_space_rules,
    over_control,
    probe_accuracy,
    translator_comparison,
)
from sing_compute.models.classifier import Classifier
from sing_compute.process.progress import Advance, Progress
from sing_compute.scores.equivalence import EquivalenceCheck
from sing_compute.scores.intervals import class_intervals
from sing_compute.scores.shifts import ConceptShifts, fold_views
from sing_compute.scores.significance import SharedDirections
from sing_compute.scores.spectrum import null_shares
from sing_compute.scores.statistics import (
    CLASS_COLUMNS,
    Columns,
    class_statistics,
    model_summary,
    owners_of,
    sorted_pairs,
)
from sing_compute.store.constants import RANKED, SIGNIFICANT
from sing_compute.translator.ridge import AffineTranslator

RULES_TASK, CONTROLS_TASK = "null space rules", "controls"
"""Titles of the tasks that use a limited number of images."""
POOL_IMAGES = 20_000
"""Nearest images are searched among all images up to this number, else among evenly spread ones."""
RANKING_PART = 2**16
"""Places of a ranking that are given to the sink at a time."""
PART_CELLS = 2**18
"""Most pairs of a class and a concept that are given to the sink at a time, where they are more than one class."""


@dataclass(frozen=True, slots=True)
class SharedInputs:
    """Images, texts and their vectors that all models of a run are measured with."""

    offsets: Int[np.ndarray, " class_edge"]
    """Images of class c are rows offsets[c] to offsets[c + 1]."""
    labels: Int[np.ndarray, " image"]
    """True class of each image."""
    groups: dict[str, Bool[np.ndarray, " image"]]
    """Masks of the user's groups of images, by name."""
    class_vectors: Float[Tensor, "class clip"]
    """Unit text embedding of each class."""
    concept_vectors: Float[Tensor, "concept clip"]
    """Unit text embedding of each concept."""


class SingMeasurement:
    """Measure one model: `run` gives all results to a sink and returns the figures by which models are compared."""

    def __init__(
        self,
        classifier: Classifier,
        reader: ShardReader,
        shared: SharedInputs,
        *,
        invariance: str,
        ridge: float | None,
        seed: int,
        rule: NullSpaceRule = NUMERICAL,
        translator: AffineTranslator | None = None,
        compare: bool = False,
    ) -> None:
        """Split the head of one model.

        Args:
            classifier: The model, with its head.
            reader: Its features.
            shared: Images, texts and vectors, the same for all models of the run.
            invariance: `logits`, or `softmax` for a null space that may shift all logits alike.
            ridge: A penalty that the user forces; None to choose it out of fold.
            seed: Seed of all random draws.
            rule: Rule for the singular values that count as zero.
            translator: A translator that was fitted elsewhere; None to fit one.
            compare: Also fit other translators and compare them (SING, Table 2).

        Raises:
            HeadError: The head cannot be split.
        """
        self._name, self._reader, self._shared = classifier.name, reader, shared
        self._softmax, self._ridge, self._seed = invariance == "softmax", ridge, seed
        self._translator, self._compare = translator, compare
        weight, bias = (part.to(reader.device) for part in classifier.head)
        self._weight, self._bias = weight, bias
        self._splits = HeadSplits(weight, classifier.stored_dtype)
        self.split = self._splits.split(invariance, rule)
        self.doubt = ""
        """Reason not to rely on z and q of this run; empty if there is none. Known after `run`."""
        self.warnings: list[str] = []
        """A line for each sign that the scores say nothing. Known after `run`."""

    def run(self, correct: Bool[np.ndarray, " image"], sink: Sink, progress: Progress) -> ModelFigures | None:
        """Measure the model and give all results to a sink.

        Args:
            correct: True for each image that is predicted correctly.
            sink: Receives the results.
            progress: Shows how far each task is.

        Returns:
            The figures by which models are compared; None for a head without a null space, which has no scores.
        """
        split, images = self.split, len(correct)
        sink.take(HeadSpectrum(split.singular_values.cpu().numpy()))
        with progress.task(f"{self._name}: {RULES_TASK}", images) as advance:
            sink.take(
                null_space_rules(
                    weight=self._weight,
                    bias=self._bias,
                    splits=self._splits,
                    images=images,
                    batches=self._batches(advance),
                )
            )
        sink.take(
            Summary(
                {
                    "rank": split.rank,
                    "nullity": split.nullity,
                    "nullity_softmax": self._splits.split("softmax").nullity,
                    "cutoff": split.cutoff,
                    "gap": split.gap,
                    "tail_ratio": split.tail_ratio,
                }
            )
        )
        return self._measure_scores(correct, sink, progress) if split.nullity else None

    def _measure_scores(self, correct: Bool[np.ndarray, " image"], sink: Sink, progress: Progress) -> ModelFigures:
        """Fit the translator, score images, concepts and classes, and measure controls and intervals."""
        offsets, images = self._shared.offsets, len(correct)
        fitted = self._fit_translator(images, progress)
        quality = self._scores(fitted, sink, progress)
        sink.take(Summary(quality))
        columns = {name: sink.column(name) for name in CLASS_COLUMNS}
        for name in RANKED:
            _rank(name, columns, sink)
        images_a_dimension = images / self._weight.shape[1]
        self.doubt = doubt_of(images_a_dimension, quality["cosine"], quality["cosine_baseline"])
        self.warnings += filter(None, [translator_warning(quality["cosine"], quality["cosine_baseline"])])
        sink.take(_translator(fitted))
        masks = subset_masks(correct, list(self._shared.groups.values()))
        statistics = class_statistics(offsets, correct, columns, masks)
        sink.take(ClassFigures({name: values for name, values in statistics.items() if name not in _OUTPUT_FIGURES}))
        summary = model_summary(columns, statistics["ratio"][0])
        sink.take(Summary(summary))
        self._validate(fitted, sink, progress)
        found = bootstrap(columns, fitted.nearby, offsets, statistics["ratio"][0])
        sink.take(found)
        intervals = class_intervals(offsets, columns, masks)
        ends = np.stack([np.stack([found.low, found.high], axis=-1) for found in intervals.values()])
        sink.take(ClassFigures({"interval_figure": list(intervals), "interval": ends, **curves(columns, offsets)}))
        return ModelFigures.of(
            found,
            statistics["attribute_score_abs_q50"][0],
            accuracy=float(correct.mean()),
            accuracy_translated=quality["zero_shot_equivalent"],
        )

    def _fit_translator(self, images: int, progress: Progress) -> FittedTranslator:
        # Without a total: a penalty at the edge of the grid takes more passes.
        with progress.task(f"{self._name}: translator", None) as advance:
            batches = partial(self._batches, advance)
            if self._translator is not None:
                translator = AffineTranslator(*(part.to(self._reader.device) for part in astuple(self._translator)))
                return adopt_translator(batches, self.split, self._shared.class_vectors, images, translator)
            return fit_translator(batches, self.split, self._shared.class_vectors, images, ridge=self._ridge)

    def _scores(self, fitted: FittedTranslator, sink: Sink, progress: Progress) -> dict[str, float]:
        """Score all images and all classes toward concepts in one pass; returns figures of the model by store name."""
        shared = self._shared
        stride = -(-len(shared.labels) // POOL_IMAGES)
        pool = self._reader.targets(stride)
        images = ImageScoring(shared.class_vectors, pool, stride, fitted, self.split)
        directions = SharedDirections.of(self.split, fitted.null_weights, shared.concept_vectors, seed=self._seed)
        concepts = ConceptRows(shared.offsets, directions)
        check = EquivalenceCheck(self._weight, self._bias, centred=self._softmax)
        significant = 0

        def take(rows: list[ConceptRow]) -> int:
            step = max(1, PART_CELLS // len(shared.concept_vectors))
            for start in range(0, len(rows), step):
                sink.take(ConceptPart.of(rows[start : start + step]))
            return sum(int((row.q < SIGNIFICANT).sum()) for row in rows)

        with progress.task(f"{self._name}: scores", len(shared.labels)) as advance:
            for batch in join_batches(self._batches(advance)):
                null = self.split.null_part(batch.features.double())
                views = fold_views(fitted.folds, batch.features, batch.folds)
                shifts = ConceptShifts.of(views, shared.concept_vectors)
                sink.take(images.score(batch, views, shifts, null))
                significant += take(concepts.add(batch, views, shifts, null))
                check.add(batch.features, null)
        significant += take(concepts.finish())
        penalty = {"lambda": fitted.ridge, "lambda_relative": fitted.ridge / fitted.unit}
        return {**images.quality(), **check.finish(), **penalty, "significant": significant}

    def _validate(self, fitted: FittedTranslator, sink: Sink, progress: Progress) -> None:
        """Measure controls, null directions and probes, and compare translators where that was asked for."""
        shared, images = self._shared, len(self._shared.labels)
        several = len(shared.groups) > 1
        with progress.task(f"{self._name}: {CONTROLS_TASK}", (3 + 2 * several) * images) as advance:
            batches = partial(self._batches, advance)
            controls, by_class = measure_controls(
                batches(),
                split=self.split,
                weight=self._weight,
                bias=self._bias,
                fitted=fitted,
                class_vectors=shared.class_vectors,
                images=images,
                seed=self._seed,
                centred=self._softmax,
            )
            sink.take(controls)
            sink.take(ClassFigures(by_class))
            sink.take(Summary(over_control(controls)))
            sink.take(null_directions(fitted.whole.whole, self.split, shared.concept_vectors))
            shares = null_shares(fitted.whole.whole, self.split, fitted.sums)
            sink.take(Summary(dict(zip(("null_share", "null_share_data"), shares, strict=True))))
            sink.take(Summary(probe_accuracy(batches, shared.labels, self.split, fitted.fold_sums)))
            if several:
                group = np.full(images, -1, np.int32)
                for number, mask in enumerate(shared.groups.values()):
                    group[mask] = number
                sink.take(Summary(probe_accuracy(batches, group, self.split, fitted.fold_sums, "_group")))
        if self._compare:
            with progress.task(f"{self._name}: translators compared", None) as advance:
                sink.take(translator_comparison(partial(self._batches, advance), fitted, seed=self._seed))

    def _batches(self, advance: Advance) -> Iterator[PairedBatch]:
        """Start one pass over the features, which the progress bar follows."""
        for batch in self._reader.batches(self._name):
            yield batch
            advance(len(batch.features))


_OUTPUT_FIGURES = ("count", "accuracy")
"""Figures of a class that `keep_outputs` has given to the sink already, because they need no scores."""


def _rank(name: str, columns: Columns, sink: Sink) -> None:
    """Give the order of all images by one column to a sink."""
    order = sorted_pairs(columns[name])
    for start in range(0, len(order), RANKING_PART):
        images = owners_of(order[start : start + RANKING_PART]).view(np.int32)
        sink.take(Ranking(name, slice(start, start + len(images)), images))


def _translator(fitted: FittedTranslator) -> Translator:
    whole = fitted.whole.whole
    return Translator(
        weight=whole.weight.cpu().numpy(),
        bias=whole.bias.cpu().numpy(),
        mean_feature=fitted.mean_feature.cpu().numpy(),
        fold_weight=torch.stack([removal.whole.weight for removal in fitted.folds]).cpu().numpy(),
        fold_bias=torch.stack([removal.whole.bias for removal in fitted.folds]).cpu().numpy(),
        path=fitted.path,
    )
