"""Check the scores of one model: other null spaces, controls, a probe without CLIP, null directions, other translators."""

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from sing_compute.linalg.null_space import NUMERICAL, HeadSplit, HeadSplits, NullSpaceRule
from sing_compute.measuring.fitting import FOLDS, FittedTranslator
from sing_compute.measuring.model_results import Controls, NullDirections, NullSpaceRules, TranslatorComparison
from sing_compute.measuring.reader import FeatureBatch, PairedBatch, spread
from sing_compute.scores import controls
from sing_compute.scores.equivalence import EquivalenceCheck
from sing_compute.scores.label_probe import HALVES, LabelProbe, LabelSums
from sing_compute.scores.shifts import fold_views
from sing_compute.scores.spectrum import semantic_spectrum
from sing_compute.scores.statistics import Columns, quantiles, sorted_finite
from sing_compute.store.constants import CURVE, TOP_CONCEPTS
from sing_compute.translator.comparison import compare_translators
from sing_compute.translator.ridge import AffineTranslator, RidgeSums

CONTROL_IMAGES = 20_000
"""Controls are measured on all images up to this number, else on evenly spread ones."""
CONTROL_DRAWS = 8
APPROXIMATE = ("tol=1e-3", "tol=1e-2", "energy=0.9999", "energy=0.99")
"""Rules of approximate null spaces whose cost is measured next to the exact one."""


def null_space_rules(
    *,
    weight: Float[Tensor, "class dim"],
    bias: Float[Tensor, " class"],
    splits: HeadSplits,
    images: int,
    batches: Iterable[FeatureBatch],
) -> NullSpaceRules:
    """Split a head by other rules, and measure the logit changes and flips of treating those null spaces as exact.

    Args:
        weight: Weight of the head.
        bias: Bias of the head.
        splits: Splits of the head by any rule.
        images: Number of images in the batches.
        batches: One pass over all images.
    """
    rules = (NUMERICAL, *map(NullSpaceRule.parse, APPROXIMATE))
    by_rule = {str(rule): splits.split(rule=rule) for rule in rules} | {"softmax": splits.split("softmax")}
    checks = {name: EquivalenceCheck(weight, bias, centred=name == "softmax") for name in by_rule}
    for batch in spread(batches, -(-images // CONTROL_IMAGES)):
        for name, check in checks.items():
            check.add(batch.features, by_rule[name].null_part(batch.features.double()))
    found = [check.finish() for check in checks.values()]
    return NullSpaceRules(
        list(by_rule),
        [split.rank for split in by_rule.values()],
        [split.nullity for split in by_rule.values()],
        [each["flips"] / check.count for each, check in zip(found, checks.values(), strict=True)],
        [each["logit_change_max"] for each in found],
        [each["logit_change_mean"] for each in found],
    )


def measure_controls(
    batches: Iterable[FeatureBatch],
    *,
    split: HeadSplit,
    weight: Float[Tensor, "class dim"],
    bias: Float[Tensor, " class"],
    fitted: FittedTranslator,
    class_vectors: Float[Tensor, "class clip"],
    images: int,
    seed: int,
    centred: bool,
) -> tuple[Controls, dict[str, Float[np.ndarray, " class"]]]:
    """Measure the same scores when something else is removed, and perturbations of the same length (SING, Fig. 9).

    Args:
        batches: One pass over all images.
        split: The head's null space.
        weight: Weight of the head.
        bias: Bias of the head.
        fitted: The translators.
        class_vectors: Unit text embedding of each class.
        images: Number of images in the batches.
        seed: Seed of all random draws.
        centred: The null space is that of the softmax, which leaves logits alone up to a common shift.

    Returns:
        The scores of every control, and those of each class under the reference control by store name.
    """
    moment = fitted.sums.feature_products
    share = float(split.null_part(moment).trace() / moment.trace())
    sums = controls.Controls(split, weight, bias, fitted.folds, share, CONTROL_DRAWS, seed, centred=centred)
    for batch in spread(batches, -(-images // CONTROL_IMAGES)):
        features = batch.features.double()
        before = fold_views(fitted.folds, features, batch.folds).before
        sums.add(features, before, class_vectors[batch.labels.long()].double(), batch.folds, batch.labels)
    figures = {name: values.numpy() for name, values in sums.finish().items()}
    perturbed = sums.validation()
    found = Controls(
        name=controls.CONTROLS,
        perturbation=controls.PERTURBATIONS,
        length=controls.LENGTHS,
        logit_change=perturbed["logit_change"].numpy(),
        perturbation_flips=perturbed["flips"].numpy(),
        **figures,
    )
    return found, {name: values.numpy() for name, values in sums.by_class(len(class_vectors)).items()}


def over_control(found: Controls) -> dict[str, float]:
    """Divide |AS| and IS by those of the reference control, a random vector of the same length; by store name."""
    own, other = found.name.index("null space"), found.name.index(controls.REFERENCE)
    names = ("attribute_score_abs", "image_score")
    return {f"{name}_over_control": float(getattr(found, name)[own] / getattr(found, name)[other]) for name in names}


def probe_accuracy(
    batches: Callable[[], Iterator[FeatureBatch]],
    labels: Int[np.ndarray, " image"],
    split: HeadSplit,
    fold_sums: list[RidgeSums],
    suffix: str = "",
) -> dict[str, float]:
    """Measure how well labels can be read from each half of feature space, out of fold and without CLIP.

    Args:
        batches: Starts a new pass over all images at each call.
        labels: One label per image; images with a label below 0 are left out.
        split: The two halves.
        fold_sums: Sums of the images of each fold, by which the probe is fitted if every image has a label.
        suffix: Ending of the names of the figures.

    Returns:
        By store name the accuracy on either half, and the share of the most frequent label.
    """
    device, dim = split.row_basis.device, split.row_basis.shape[1]

    def labelled() -> Iterator[tuple[FeatureBatch, Tensor]]:
        return ((batch, torch.from_numpy(labels[batch.rows]).to(device)) for batch in batches())

    sums = LabelSums.zero(FOLDS, int(labels.max()) + 1, dim, device)
    whole = bool((labels >= 0).all())
    products = [RidgeSums.zero(dim, 1, device=device) for _ in range(0 if whole else FOLDS)]
    for batch, known in labelled():
        sums.add(batch.features, known, batch.folds)
        for fold in () if whole else range(FOLDS):
            rows = (batch.folds == fold) & (known >= 0)
            products[fold] = products[fold] + RidgeSums.of(batch.features[rows], batch.features[rows, :1])
    probe = LabelProbe.fit(sums, fold_sums if whole else products, split)
    correct = sum(probe.count_correct(batch.features, known, batch.folds) for batch, known in labelled())
    count = sums.counts.sum()
    accuracy = (torch.as_tensor(correct) / count).amax(1).tolist()
    return {f"probe_{half}{suffix}": value for half, value in zip(HALVES, accuracy, strict=True)} | {
        f"probe_chance{suffix}": float(sums.counts.sum(0).max() / count)
    }


def null_directions(
    translator: AffineTranslator, split: HeadSplit, concepts: Float[Tensor, "concept clip"]
) -> NullDirections:
    """Name the null directions that move CLIP space farthest by the concepts at their ends.

    Args:
        translator: Fitted on all images.
        split: The head's null space.
        concepts: Unit text embedding of each concept.
    """
    found = semantic_spectrum(translator, split, concepts, poles=TOP_CONCEPTS)

    def padded(values: Tensor, fill: float | int) -> Tensor:
        return torch.nn.functional.pad(values.cpu(), (0, TOP_CONCEPTS - values.shape[1]), value=fill)

    return NullDirections(
        found.singular_value.cpu().numpy(),
        padded(found.toward, -1).numpy(),
        padded(found.toward_cosine, torch.nan).numpy(),
        padded(found.away, -1).numpy(),
        padded(found.away_cosine, torch.nan).numpy(),
    )


def translator_comparison(
    batches: Callable[[], Iterator[PairedBatch]], fitted: FittedTranslator, *, seed: int
) -> TranslatorComparison:
    """Compare linear and other translators on one fold that none of them was fitted on (SING, Table 2).

    Args:
        batches: Starts a new pass over all images at each call.
        fitted: The linear translator.
        seed: Seed of the training of the other translators.
    """

    def parts() -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        return ((batch.features, batch.targets, batch.folds) for batch in batches())

    held = next(fold for fold, sums in enumerate(fitted.fold_sums) if sums.count)
    rows = compare_translators(parts, ridge=fitted.ridge, held_fold=held, seed=seed)
    return TranslatorComparison(
        [row.name for row in rows],
        [row.images for row in rows],
        [row.cosine for row in rows],
        [row.mse for row in rows],
        [row.r_squared for row in rows],
        [row.parameters for row in rows],
    )


def curves(columns: Columns, offsets: Int[np.ndarray, " class_edge"]) -> dict[str, Float[np.ndarray, "class percent"]]:
    """Compute percentiles of AS and IS of each class, for a chart of its distribution; by store name.

    Args:
        columns: Image columns by store name.
        offsets: Images of class c are rows offsets[c] to offsets[c + 1].
    """
    result = {}
    for name in ("attribute_score", "image_score"):
        rows = np.empty((len(offsets) - 1, len(CURVE)))
        for label, (start, stop) in enumerate(pairwise(offsets)):
            rows[label] = quantiles(sorted_finite(columns[name][int(start) : int(stop)]), np.array(CURVE) / 100)
        result[f"{name}_curve"] = rows
    return result
