"""Semantic shift of equivalent features: Attribute Score and Image Score, in degrees (SING, arXiv:2603.14610, eq. 5-9)."""

from collections.abc import Sequence
from dataclasses import dataclass, field

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
    clip = len(removals[0].common)
    before, after, centred = (
        torch.empty(len(features), clip, dtype=torch.float64, device=features.device) for _ in range(3)
    )
    for fold, removal in enumerate(removals):
        rows = (folds == fold).nonzero().squeeze(1)
        if len(rows):
            views = removal(features[rows])
            before[rows], after[rows], centred[rows] = views.before, views.after, views.centred
    return Views(before, after, centred)


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


@dataclass(slots=True)
class ConceptSums:
    """Running sums over the images of one class, float64: memory does not depend on how many there are."""

    concepts: int
    device: torch.device
    count: int = 0
    _sums: dict[str, Tensor] = field(default_factory=dict)

    def add(self, shifts: ConceptShifts) -> None:
        """Add a batch; images without a direction in CLIP space (NaN) are left out."""
        valid = shifts.before[:, 0].isfinite() & shifts.after[:, 0].isfinite() & shifts.centred[:, 0].isfinite()
        score = shifts.attribute_score[valid].double()
        parts = {
            "angle_before": shifts.before[valid].double(),
            "angle_after": shifts.after[valid].double(),
            "attribute_score": score,
            "attribute_score_abs": score.abs(),
            "attribute_score_centred": (shifts.before - shifts.centred)[valid].double(),
            "square": score.square(),
        }
        for name, values in parts.items():
            self._sums[name] = self._sums.get(name, 0) + values.sum(0)
        self.count += int(valid.sum())

    def finish(self) -> dict[str, Float[Tensor, " concept"]]:
        """Means, and the standard deviation of AS (n - 1), by store name; NaN where too few images were added."""
        nothing = torch.full((self.concepts,), torch.nan, dtype=torch.float64, device=self.device)
        if not self.count:
            return dict.fromkeys(CONCEPT_FIGURES, nothing)
        means = {name: total / self.count for name, total in self._sums.items()}
        variance = means.pop("square") - means["attribute_score"].square()
        spread = (variance.clamp_min(0) * self.count / (self.count - 1)).sqrt() if self.count > 1 else nothing
        return means | {"attribute_score_std": spread}
