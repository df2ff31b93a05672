"""What stands beside the scores of one model: controls, a probe without CLIP, the semantic spectrum, intervals, kept features."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import h5py
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sing_compute.allocator import give_memory_back
from sing_compute.linalg.null_space import NUMERICAL, HeadSplit, NullSpaceRule, split_head
from sing_compute.measuring.fitting import FOLDS, FittedTranslator
from sing_compute.measuring.reader import FeatureBatch, spread
from sing_compute.scores.controls import CONTROLS, LENGTHS, PERTURBATIONS, REFERENCE, Controls
from sing_compute.scores.equivalence import EquivalenceCheck
from sing_compute.scores.label_probe import HALVES, LabelProbe, LabelSums
from sing_compute.scores.resampling import (
    REPLICATES,
    Replicates,
    class_replicates,
    image_replicates,
    replicate_intervals,
)
from sing_compute.scores.shifts import fold_views
from sing_compute.scores.spectrum import semantic_spectrum
from sing_compute.scores.statistics import Columns, median, quantiles, ratio, sorted_finite
from sing_compute.store.schema import CURVE, PENALTIES, TOP_CONCEPTS
from sing_compute.translator.ridge import RidgeSums

CONTROL_IMAGES = 20_000
"""Images that controls are measured on: all of them up to this number, else evenly spread ones."""
RULES_TASK, CONTROLS_TASK = "null space rules", "controls"
"""Titles of the tasks that look at so many images and no more."""
CONTROL_DRAWS = 8
KEPT_BYTES = 2**29
"""Features are kept for all images up to this size, else for evenly spread ones: 500 MB, 65,000 images of 2,048 dimensions."""

APPROXIMATE = ("tol=1e-3", "tol=1e-2", "energy=0.9999", "energy=0.99")
"""Rules of approximate null spaces whose cost is shown beside the exact one."""
NOTHING = Replicates((), np.empty((0, 0)), 0)
Put = Callable[..., None]
"""`put(group, name=values, ...)`: into the model's part of the file."""
Create = Callable[[str, str, tuple[int, ...]], h5py.Dataset]
"""`create(group, name, shape)`: a dataset there for what arrives row by row."""


@dataclass(frozen=True, slots=True)
class Validity:
    """One model of one run. Its methods write their groups and give the summary figures that follow from them."""

    split: HeadSplit
    weight: Tensor
    bias: Tensor
    """The head's."""
    fitted: FittedTranslator
    class_vectors: Tensor
    concept_vectors: Tensor
    images: int
    seed: int
    centred: bool = False
    """Whether the null space is that of the softmax."""

    def controls(self, batches: Iterator[FeatureBatch], put: Put) -> dict[str, float]:
        """The same scores when something else is removed, and perturbations of the same length (SING, Fig. 9)."""
        moment = self.fitted.sums.feature_products
        share = float(self.split.null_part(moment).trace() / moment.trace())
        controls = Controls(
            self.split, self.weight, self.bias, self.fitted.folds, share, CONTROL_DRAWS, self.seed, centred=self.centred
        )
        stride = -(-self.images // CONTROL_IMAGES)
        for batch in spread(batches, stride):
            features = batch.features.double()
            before = fold_views(self.fitted.folds, features, batch.folds).before
            texts = self.class_vectors[batch.labels.long()].double()
            controls.add(features, before, texts, batch.folds, batch.labels)
        found = controls.finish()
        checked = controls.validation()
        put("controls", name=CONTROLS, **{name: values.numpy() for name, values in found.items()})
        put("controls", perturbation=PERTURBATIONS, length=LENGTHS, logit_change=checked["logit_change"])
        put("controls", perturbation_flips=checked["flips"])
        put("classes", **controls.by_class(len(self.class_vectors)))
        own, other = CONTROLS.index("null space"), CONTROLS.index(REFERENCE)
        names = ("attribute_score_abs", "image_score")
        return {f"{name}_over_control": float(found[name][own] / found[name][other]) for name in names}

    def probe(
        self, batches: Callable[[], Iterator[FeatureBatch]], labels: NDArray[np.int32], suffix: str = ""
    ) -> dict[str, float]:
        """How well labels (below 0: none) can be read from each half of feature space, without CLIP; names end in `suffix`."""
        device = self.weight.device

        def labelled() -> Iterator[tuple[FeatureBatch, Tensor]]:
            return ((batch, torch.from_numpy(labels[batch.rows]).to(device)) for batch in batches())

        sums = LabelSums.zero(FOLDS, int(labels.max()) + 1, self.weight.shape[1], device)
        whole = bool((labels >= 0).all())
        products = [RidgeSums.zero(self.weight.shape[1], 1, device=device) for _ in range(0 if whole else FOLDS)]
        for batch, known in labelled():
            sums.add(batch.features, known, batch.folds)
            for fold in () if whole else range(FOLDS):
                rows = (batch.folds == fold) & (known >= 0)
                products[fold] = products[fold] + RidgeSums.of(batch.features[rows], batch.features[rows, :1])
        probe = LabelProbe.fit(sums, self.fitted.fold_sums if whole else products, self.split)
        right = sum(probe.count_correct(batch.features, known, batch.folds) for batch, known in labelled())
        count = sums.counts.sum()
        accuracy = (torch.as_tensor(right) / count).amax(1).tolist()
        return {f"probe_{half}{suffix}": value for half, value in zip(HALVES, accuracy, strict=True)} | {
            f"probe_chance{suffix}": float(sums.counts.sum(0).max() / count)
        }

    def spectrum(self, put: Put) -> dict[str, float]:
        """How far and whereto null directions move CLIP space."""
        found = semantic_spectrum(
            self.fitted.whole.whole, self.split, self.fitted.sums, self.concept_vectors, poles=TOP_CONCEPTS
        )
        put("spectrum", singular_value=found.singular_value.cpu())
        for name in ("toward", "away"):
            chosen, cosine = getattr(found, name).cpu(), getattr(found, f"{name}_cosine").cpu()
            missing = (0, TOP_CONCEPTS - chosen.shape[1])
            pad = torch.nn.functional.pad
            values = {name: pad(chosen, missing, value=-1), f"{name}_cosine": pad(cosine, missing, value=torch.nan)}
            put("spectrum", **values)
        return {"null_share": found.share, "null_share_data": found.share_data}

    def features(self, batches: Iterator[FeatureBatch], put: Put, create: Create) -> None:
        """What reaches the head, kept for concepts, steering and questions asked later."""
        dim = self.weight.shape[1]
        stride = -(-self.images * dim * 4 // KEPT_BYTES)
        rows = np.arange(0, self.images, stride)
        put("features", row=rows)
        kept, start = create("features", "value", (len(rows), dim)), 0
        for batch in spread(batches, stride):
            stop = start + len(batch.features)
            kept[start:stop] = batch.features.float().cpu().numpy()
            start = stop

    def intervals(
        self,
        columns: Columns,
        offsets: NDArray[np.int64],
        class_ratio: NDArray[np.float64],
        put: Put,
    ) -> tuple[tuple[str, ...], NDArray[np.float64], NDArray[np.float32]]:
        """Bootstrap replicates over images, at three penalties, and over classes; their 95 % intervals.

        Gives the figures' names, values (penalty, figure) and replicates over images (penalty, figure, replicate).
        """
        nearby = [dict(zip(("attribute_score", "image_score"), pair, strict=True)) for pair in self.fitted.nearby]
        measured: list[Columns] = [
            columns if scale == 1 else near for scale, near in zip(PENALTIES, nearby, strict=True)
        ]
        runs = [image_replicates(each) for each in measured]
        names = (*runs[PENALTIES.index(1.0)].names, "ratio_classes")
        several = int((np.diff(offsets) > 0).sum()) > 1
        give_memory_back()
        over_classes = class_replicates(offsets, columns, class_ratio) if several else NOTHING
        values = np.array([_figures(each, names) for each in measured])
        values[PENALTIES.index(1.0), -1] = median(sorted_finite(class_ratio))
        images = np.stack([_spread(run, names) for run in runs])
        put("bootstrap", figure=names, value=values, images=images, classes=_spread(over_classes, names))
        put("bootstrap", images_interval=np.stack([_bounds(run, names) for run in runs]))
        put("bootstrap", classes_interval=_bounds(over_classes, names))
        return names, values, images


def null_space_variants(
    *, weight: Tensor, bias: Tensor, stored: torch.dtype, images: int, batches: Iterator[FeatureBatch]
) -> dict[str, list[str] | list[float] | list[int]]:
    """Rank and nullity by other rules, and what taking those null spaces for exact costs: logit change and flips."""
    rules = (NUMERICAL, *map(NullSpaceRule.parse, APPROXIMATE))
    splits = {str(rule): split_head(weight, stored_dtype=stored, rule=rule) for rule in rules}
    splits["softmax"] = split_head(weight, stored_dtype=stored, invariance="softmax")
    checks = {name: EquivalenceCheck(weight, bias, centred=name == "softmax") for name in splits}
    stride = -(-images // CONTROL_IMAGES)
    for batch in spread(batches, stride):
        for name, check in checks.items():
            check.add(batch.features, splits[name].null_part(batch.features.double()))
    found = [check.finish() for check in checks.values()]
    return {
        "name": list(splits),
        "rank": [split.rank for split in splits.values()],
        "nullity": [split.nullity for split in splits.values()],
        "flips": [each["flips"] / check.count for each, check in zip(found, checks.values(), strict=True)],
        "logit_change_max": [each["logit_change_max"] for each in found],
        "logit_change_mean": [each["logit_change_mean"] for each in found],
    }


def curves(columns: Columns, offsets: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    """Percentiles of AS and IS of each class, for a picture of its distribution: (class, percent)."""
    result = {}
    for name in ("attribute_score", "image_score"):
        rows = np.empty((len(offsets) - 1, len(CURVE)))
        for label, (start, stop) in enumerate(pairwise(offsets)):
            rows[label] = quantiles(sorted_finite(columns[name][int(start) : int(stop)]), np.array(CURVE) / 100)
        result[f"{name}_curve"] = rows
    return result


def _figures(columns: Columns, names: tuple[str, ...]) -> list[float]:
    """Median of each column, or of its absolute value, and the ratio, where the columns are there."""
    found = {}
    for name in names:
        values = columns.get(name.removesuffix("_abs"))
        if values is not None:
            found[name] = median(sorted_finite(values, absolute=name.endswith("_abs")))
    found["ratio_images"] = ratio(found["image_score"], found["attribute_score_abs"])
    return [found.get(name, np.nan) for name in names]


def _spread(run: Replicates, names: tuple[str, ...]) -> NDArray[np.float32]:
    """Replicates by figure, (figure, replicate); NaN for figures that a run lacks."""
    rows = np.full((len(names), REPLICATES), np.nan, dtype=np.float32)
    for column, name in enumerate(run.names):
        rows[names.index(name)] = run.values[:, column]
    return rows


def _bounds(run: Replicates, names: tuple[str, ...]) -> NDArray[np.float64]:
    """Intervals by figure, (figure, bound)."""
    rows = np.full((len(names), 2), np.nan)
    if run.names:
        found = replicate_intervals(run)
        for column, name in enumerate(run.names):
            rows[names.index(name)] = found.low[column], found.high[column]
    return rows
