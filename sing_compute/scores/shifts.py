"""Semantic shift of equivalent features: Attribute Score and Image Score, in degrees (SING, arXiv:2603.14610, eq. 5-9)."""

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
    """AS of each row: angle of T(f) to its text minus angle of T(f~) to it; positive where f~ is nearer (eq. 5-7)."""
    return paired_angle(before, text) - paired_angle(after, text)


def image_score(before: Float[Tensor, "image clip"], after: Float[Tensor, "image clip"]) -> Float[Tensor, " image"]:
    """IS of each row: angle between T(f) and T(f~); exactly 0 for equal rows (eq. 8)."""
    return paired_angle(before, after)


@dataclass(frozen=True, slots=True)
class Views:
    """One batch of features in CLIP space, float64: whole, without the null part, without only their own share of it."""

    before: Float[Tensor, "image clip"]
    after: Float[Tensor, "image clip"]
    """T(f~), f~ = f - Pi_n f (eq. 9)."""
    centred: Float[Tensor, "image clip"]
    """T(f~c), f~c = f - Pi_n (f - mean f)."""


@dataclass(frozen=True, slots=True)
class NullRemoval:
    """A translator with the null projection folded in: T(f~) = (A Pi_p) f + a costs one product, like T(f)."""

    whole: AffineTranslator
    principal: AffineTranslator
    common: Float[Tensor, " clip"]
    """A Pi_n mean f: what all images share of the null part, in CLIP space."""

    @classmethod
    def of(cls, translator: AffineTranslator, split: HeadSplit, mean_feature: Float[Tensor, " dim"]) -> "NullRemoval":
        """Fold the projection of a head into a translator."""
        null_weight = split.null_part(translator.weight)
        principal = AffineTranslator(translator.weight - null_weight, translator.bias)
        return cls(translator, principal, null_weight @ mean_feature)

    def __call__(self, features: Float[Tensor, "image dim"]) -> Views:
        """The three views of each feature."""
        after = self.principal(features)
        return Views(self.whole(features), after, after + self.common)


def fold_views(
    removals: Sequence[NullRemoval], features: Float[Tensor, "image dim"], folds: Int[Tensor, " image"]
) -> Views:
    """Views of each feature by the translator that was fitted without its fold."""
    order = folds.argsort(stable=True)
    ordered, ends = features[order].double(), folds.bincount(minlength=len(removals)).cumsum(0).tolist()
    common = torch.stack([removal.common for removal in removals])
    moved = torch.empty(2, len(features), common.shape[1], dtype=torch.float64, device=features.device)
    for removal, start, end in zip(removals, [0, *ends[:-1]], ends, strict=True):
        for own, translator in zip(moved, (removal.whole, removal.principal), strict=True):
            torch.addmm(translator.bias, ordered[start:end], translator.weight.T, out=own[start:end])
    before, after = torch.empty_like(moved).index_copy_(1, order, moved)
    return Views(before, after, after + common[folds.long()])


@dataclass(frozen=True, slots=True)
class ConceptShifts:
    """Angles of one batch to every concept, float32, in degrees."""

    before: Float[Tensor, "image concept"]
    after: Float[Tensor, "image concept"]
    centred: Float[Tensor, "image concept"]

    @classmethod
    def of(cls, views: Views, concepts: Float[Tensor, "concept clip"]) -> "ConceptShifts":
        """Angles to unit concept vectors: three matrix products."""
        return cls(*(cross_angle(unit(view).float(), concepts) for view in (views.before, views.after, views.centred)))

    @property
    def attribute_score(self) -> Float[Tensor, "image concept"]:
        """AS of each image toward each concept."""
        return self.before - self.after


CONCEPT_FIGURES = (
    "angle_before",
    "angle_after",
    "attribute_score",
    "attribute_score_abs",
    "attribute_score_std",
    "attribute_score_centred",
)
"""What is kept of a class and a concept, by store name."""


@dataclass(frozen=True, slots=True)
class ConceptSums:
    """Sums over the images of one class, float64: memory does not depend on how many there are. Those of its parts add."""

    count: int
    """Images that have a direction in CLIP space."""
    angles: Float[Tensor, "view concept"]
    """Before, after and centred."""
    score_abs: Float[Tensor, " concept"]
    score_square: Float[Tensor, " concept"]

    @classmethod
    def zero(cls, concepts: int, device: torch.device) -> "ConceptSums":
        """The sums of no images."""
        nothing = torch.zeros(3, concepts, dtype=torch.float64, device=device)
        return cls(0, nothing, nothing[0], nothing[0])

    @classmethod
    def of(cls, shifts: ConceptShifts, lengths: Sequence[int]) -> "list[ConceptSums]":
        """Sums of each run of images of a batch, first to last; images without a direction (NaN) are left out.

        Args:
            shifts: The batch.
            lengths: Images of each run, as many as the batch has in all.
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
        """Means, and the standard deviation of AS (n - 1), by store name; NaN where too few images were added."""
        before, after, centred = self.angles / self.count if self.count else self.angles * torch.nan
        mean, nothing = before - after, torch.full_like(before, torch.nan)
        spread = self.score_square - self.count * mean.square()
        return {
            "angle_before": before,
            "angle_after": after,
            "attribute_score": mean,
            "attribute_score_abs": self.score_abs / self.count if self.count else nothing,
            "attribute_score_std": (spread.clamp_min(0) / (self.count - 1)).sqrt() if self.count > 1 else nothing,
            "attribute_score_centred": before - centred,
        }
