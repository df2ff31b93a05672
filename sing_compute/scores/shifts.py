"""Compute Attribute Score (AS) and Image Score (IS), the shifts of equivalent features, in degrees (SING, eq. 5-9)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from sing_compute.linalg.angles import cross_angle, paired_angle, unit
from sing_compute.linalg.null_space import HeadSplit
from sing_compute.translator.ridge import AffineTranslator


def attribute_score(
    before: Float[Tensor, "image clip"], after: Float[Tensor, "image clip"], text: Float[Tensor, "image clip"]
) -> Float[Tensor, " image"]:
    """Return AS of each image: the angle of T(f) to a text minus the angle of T(f~) to it (eq. 5-7).

    Args:
        before: T(f).
        after: T(f~).
        text: Text embedding for each image.

    Returns:
        Degrees; positive where f~ is nearer to the text, NaN where a vector is zero.
    """
    return paired_angle(before, text) - paired_angle(after, text)


def image_score(before: Float[Tensor, "image clip"], after: Float[Tensor, "image clip"]) -> Float[Tensor, " image"]:
    """Return IS of each image: the angle between T(f) and T(f~) (eq. 8).

    Args:
        before: T(f).
        after: T(f~).

    Returns:
        Degrees; exactly 0 for equal rows, NaN where a vector is zero.
    """
    return paired_angle(before, after)


@dataclass(frozen=True, slots=True)
class Views:
    """One batch of features translated into CLIP space, float64: whole, and without two kinds of null part."""

    before: Float[Tensor, "image clip"]
    """T(f)."""
    after: Float[Tensor, "image clip"]
    """T(f~), f~ = f - Pi_n f (eq. 9)."""
    centred: Float[Tensor, "image clip"]
    """T(f~c), f~c = f - Pi_n (f - mean f)."""


@dataclass(frozen=True, slots=True)
class NullRemoval:
    """A translator together with T(f~) = (A Pi_p) f + a, which costs one product, like T(f)."""

    whole: AffineTranslator
    """T."""
    principal: AffineTranslator
    """T with A Pi_p in place of A."""
    common: Float[Tensor, " clip"]
    """A Pi_n mean f: the part of the null part that all images share, in CLIP space."""

    @classmethod
    def of(cls, translator: AffineTranslator, split: HeadSplit, mean_feature: Float[Tensor, " dim"]) -> "NullRemoval":
        """Multiply the projection of a head into a translator.

        Args:
            translator: Takes the features that the head reads.
            split: The head's null space.
            mean_feature: Mean f of the images that the translator was fitted on.
        """
        null_weight = split.null_part(translator.weight)
        principal = AffineTranslator(translator.weight - null_weight, translator.bias)
        return cls(translator, principal, null_weight @ mean_feature)

    def __call__(self, features: Float[Tensor, "image dim"]) -> Views:
        """Return the three translations of each feature."""
        after = self.principal(features)
        return Views(self.whole(features), after, after + self.common)


def fold_views(
    removals: Sequence[NullRemoval], features: Float[Tensor, "image dim"], folds: Int[Tensor, " image"]
) -> Views:
    """Translate each feature by the translator that was fitted without its fold.

    Args:
        removals: The translator of each fold.
        features: Features of any precision.
        folds: Fold of each image.
    """
    order = folds.argsort(stable=True)
    by_fold, ends = features[order].double(), folds.bincount(minlength=len(removals)).cumsum(0).tolist()
    common = torch.stack([removal.common for removal in removals])
    moved = torch.empty(2, len(features), common.shape[1], dtype=torch.float64, device=features.device)
    for removal, start, end in zip(removals, [0, *ends[:-1]], ends, strict=True):
        for own, translator in zip(moved, (removal.whole, removal.principal), strict=True):
            torch.addmm(translator.bias, by_fold[start:end], translator.weight.T, out=own[start:end])
    before, after = torch.empty_like(moved).index_copy_(1, order, moved)
    return Views(before, after, after + common[folds.long()])


@dataclass(frozen=True, slots=True)
class ConceptShifts:
    """Angles between the three views of one batch and every concept, float32, in degrees."""

    before: Float[Tensor, "image concept"]
    after: Float[Tensor, "image concept"]
    centred: Float[Tensor, "image concept"]

    @classmethod
    def of(cls, views: Views, concepts: Float[Tensor, "concept clip"]) -> "ConceptShifts":
        """Compute the angles by three matrix products.

        Args:
            views: The batch in CLIP space.
            concepts: Unit text embeddings, float32.
        """
        return cls(*(cross_angle(unit(view).float(), concepts) for view in (views.before, views.after, views.centred)))

    @property
    def attribute_score(self) -> Float[Tensor, "image concept"]:
        """AS of each image toward each concept, in degrees."""
        return self.before - self.after


CONCEPT_FIGURES = (
    "angle_before",
    "angle_after",
    "attribute_score",
    "attribute_score_abs",
    "attribute_score_std",
    "attribute_score_centred",
)
"""Store names of the figures of a class and a concept."""


@dataclass(frozen=True, slots=True)
class ConceptSums:
    """Sums of angles to every concept over the images of one class, float64. Sums of disjoint sets of images add."""

    count: int
    """Number of images that have a direction in CLIP space."""
    angles: Float[Tensor, "view concept"]
    """Sums of the angles of the views before, after and centred, in degrees."""
    score_abs: Float[Tensor, " concept"]
    """Sum of |AS|."""
    score_square: Float[Tensor, " concept"]
    """Sum of AS^2."""

    @classmethod
    def zero(cls, concepts: int, device: torch.device) -> "ConceptSums":
        """Return the sums of no images.

        Args:
            concepts: Number of concepts.
            device: Device of the tensors.
        """
        zeros = torch.zeros(3, concepts, dtype=torch.float64, device=device)
        return cls(0, zeros, zeros[0], zeros[0])

    @classmethod
    def of(cls, shifts: ConceptShifts, lengths: Sequence[int]) -> "list[ConceptSums]":
        """Return the sums of each of several runs of images in a batch; images without a direction (NaN) are left out.

        Args:
            shifts: The batch.
            lengths: Number of images of each run, in the order of the batch; together they are the whole batch.
        """
        views = [shifts.before, shifts.after, shifts.centred]
        valid = torch.stack([view[:, 0] for view in views]).isfinite().all(dim=0)
        if not valid.all():
            views = [view.where(valid[:, None], 0.0) for view in views]
        device, shape = valid.device, (len(lengths), shifts.before.shape[1])
        owner = torch.arange(len(lengths), device=device).repeat_interleave(torch.tensor(lengths, device=device))
        cells = torch.empty(shifts.before.shape, dtype=torch.float64, device=device)

        def by_run(values: Tensor) -> Tensor:
            return values.new_zeros(shape).index_add_(0, owner, values)

        angles = torch.stack([by_run(cells.copy_(view)) for view in views], dim=1)
        score_abs = by_run(cells.copy_(views[0] - views[1]).abs_())
        score_square = by_run(cells.square_())
        counts = valid.new_zeros(len(lengths), dtype=torch.int64).index_add_(0, owner, valid.long()).tolist()
        return [cls(*sums) for sums in zip(counts, angles, score_abs, score_square, strict=True)]

    def __add__(self, other: "ConceptSums") -> "ConceptSums":
        return ConceptSums(
            self.count + other.count,
            self.angles + other.angles,
            self.score_abs + other.score_abs,
            self.score_square + other.score_square,
        )

    def finish(self) -> dict[str, Float[Tensor, " concept"]]:
        """Return means and the standard deviation of AS (n - 1), by store name, in degrees; NaN for too few images."""
        before, after, centred = self.angles / self.count if self.count else self.angles * torch.nan
        mean, undefined = before - after, torch.full_like(before, torch.nan)
        spread = self.score_square - self.count * mean.square()
        return {
            "angle_before": before,
            "angle_after": after,
            "attribute_score": mean,
            "attribute_score_abs": self.score_abs / self.count if self.count else undefined,
            "attribute_score_std": (spread.clamp_min(0) / (self.count - 1)).sqrt() if self.count > 1 else undefined,
            "attribute_score_centred": before - centred,
        }
