"""Is a concept shift more than any null direction would give? A control by shared random directions (spec, 5; beyond SING).

H0: the null vector taken out of each image is replaced by an equally long one along one random null direction that all
images share. No logit changes, the amount removed stays the same, only the direction is meaningless. The shift of a class
toward a concept is then compared with the shifts of R such draws. A fresh direction for each image would average out over a
class and call nearly every pair significant.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int
from torch import Tensor

from sing_compute.errors import HeadError, SingError
from sing_compute.linalg.angles import DEGREES, unit
from sing_compute.linalg.null_space import HeadSplit

DRAWS = 200
"""Shared directions drawn; the smallest empirical p is 1 / (draws + 1)."""
CHUNK_IMAGES = 1024
CHUNK_CELLS = 2**18
"""Draws x concepts worked on at once: 2 MiB of float64, which stays in the cache."""
NO_SPREAD = 1e-9
"""Controls that differ by less than this, in degrees, differ by rounding alone: no yardstick."""


@dataclass(frozen=True, slots=True)
class SharedDirections:
    """R random null directions d_r as the translator of each fold sees them, float64. Made once per model.

    Memory: folds x draws x concepts numbers of 8 bytes, 10 MB for 5 folds, 200 draws and 1,200 concepts.
    """

    translated: Float[Tensor, "fold draw clip"]
    """A d_r, by the translator that was fitted without the fold."""
    concepts: Float[Tensor, "concept clip"]
    products: Float[Tensor, "fold draw concept"]
    """A d_r . t."""

    @classmethod
    def of(
        cls,
        split: HeadSplit,
        fold_null_weights: Sequence[Float[Tensor, "clip dim"]],
        concepts: Float[Tensor, "concept clip"],
        *,
        draws: int = DRAWS,
        seed: int = 0,
    ) -> "SharedDirections":
        """Draw directions uniformly on the unit sphere of the null space.

        They are projections of Gaussian vectors of feature space, normalised. So they depend on the null space and the
        seed, not on the basis that an SVD happened to give, and are the same on every device up to rounding.

        Args:
            split: The head's null space.
            fold_null_weights: A Pi_n of the translator fitted without each fold.
            concepts: Text embedding of each concept.
            draws: R, at least 2.
            seed: Of the draws.

        Raises:
            HeadError: The head has no null space.
            SingError: Fewer than two draws.
        """
        if not split.nullity:
            raise HeadError("this head has no null space: there is no null direction to compare with")
        if draws < 2:
            raise SingError(f"{draws} draws of a control have no spread; ask for at least 2, better {DRAWS}")
        device = split.null_basis.device
        gaussian = torch.randn(
            draws, split.null_basis.shape[1], dtype=torch.float64, generator=torch.Generator().manual_seed(seed)
        )
        directions = unit(split.null_part(gaussian.to(device)))
        texts = unit(concepts.to(device).double())
        translated = torch.stack([directions @ weight.double().T for weight in fold_null_weights])
        return cls(translated, texts, translated @ texts.T)


@dataclass(frozen=True, slots=True)
class ControlScores:
    """Scores of the images of one class under H0, in degrees, float64; NaN where the class has no images."""

    attribute_score: Float[Tensor, "draw concept"]
    """Mean AS."""
    attribute_score_abs: Float[Tensor, "draw concept"]
    """Mean |AS|."""


@dataclass(slots=True)
class SharedDirectionSums:
    """Running sums of the control AS over the images of one class: memory does not depend on how many there are.

    The control moves u = T(f) to u - e A d_r, e = |Pi_n f|. Its cosine with a text t, (u . t - e A d_r . t) over its
    length, is elementwise in products that are known before: no matrix product per draw. Everything is float64, so that
    an angle is exact to 1e-6 degrees at worst (at 0 and 180 degrees) and to 1e-11 between 1 and 179.
    """

    directions: SharedDirections
    count: int = 0
    _score: Float[Tensor, "draw concept"] = field(init=False)
    _score_abs: Float[Tensor, "draw concept"] = field(init=False)

    def __post_init__(self) -> None:
        self._score = torch.zeros_like(self.directions.products[0])
        self._score_abs = torch.zeros_like(self._score)

    def add(
        self,
        before: Float[Tensor, "image clip"],
        null_norm: Float[Tensor, " image"],
        folds: Int[Tensor, " image"],
    ) -> None:
        """Add images; those without a direction in CLIP space (zero or not finite) are left out.

        Args:
            before: u = T(f) of each image, by the translator fitted without its fold.
            null_norm: |Pi_n f| of each image, in the features' own unit.
            folds: Fold of each image.
        """
        for start in range(0, len(before), CHUNK_IMAGES):
            rows = slice(start, start + CHUNK_IMAGES)
            self._add(before[rows].double(), null_norm[rows].double(), folds[rows].long())

    def _add(
        self, before: Float[Tensor, "image clip"], null_norm: Float[Tensor, " image"], folds: Int[Tensor, " image"]
    ) -> None:
        known, u = self.directions, unit(before)
        removed = (null_norm / before.norm(dim=1))[:, None]
        along = (known.translated @ u.T)[folds, :, torch.arange(len(u), device=u.device)]
        square = known.translated.square().sum(2)[folds]
        shrink = (1 - 2 * removed * along + removed.square() * square).rsqrt()
        pull = -removed * shrink
        rows = pull.isfinite().all(dim=1).nonzero().squeeze(1).tolist()
        places = folds.tolist()
        width = max(1, CHUNK_CELLS // len(self._score))
        for start in range(0, len(known.concepts), width):
            part = slice(start, start + width)
            products, score, score_abs = known.products[:, :, part], self._score[:, part], self._score_abs[:, part]
            cosine = u @ known.concepts[part].T
            origin = cosine.clamp(-1, 1).asin()
            cells = torch.empty_like(score)
            for row in rows:  # in place, on cells that stay in the cache; AS = arccos(before) - arccos(after)
                torch.mul(products[places[row]], pull[row, :, None], out=cells)
                cells.addcmul_(shrink[row, :, None], cosine[row]).clamp_(-1, 1).asin_().sub_(origin[row])
                score += cells
                score_abs += cells.abs_()
        self.count += len(rows)

    def finish(self) -> ControlScores:
        """Means over the images added."""
        scale = DEGREES / self.count if self.count else math.nan
        return ControlScores(self._score * scale, self._score_abs * scale)


@dataclass(frozen=True, slots=True)
class Significance:
    """How far observed scores lie from those under H0; NaN where either has no value or the controls do not differ."""

    control_mean: Float[Tensor, "*rows concept"]
    """Mean over draws, in degrees."""
    control_std: Float[Tensor, "*rows concept"]
    """Standard deviation over draws (n - 1), in degrees."""
    z: Float[Tensor, "*rows concept"]
    """(observed - control_mean) / control_std."""
    p_normal: Float[Tensor, "*rows concept"]
    """Two-sided normal tail of z: too large far out, because a draw from a sphere of few dimensions has shorter tails (to
    first order |z| <= sqrt(nullity)). Measured share of the stated false positives at p = .05 and .001: .77 and 0 for
    nullity 8, .93 and .14 for 20, .98 and .60 for 54, 1.00 and .92 for 280."""
    p_empirical: Float[Tensor, "*rows concept"]
    """(1 + number of draws at least as far from their mean) / (draws + 1)."""


def significance(
    observed: Float[Tensor, "*rows concept"], control: Float[Tensor, "*rows draw concept"]
) -> Significance:
    """Compare observed mean scores with the same scores of R draws under H0 (spec, 5).

    Args:
        observed: Mean AS of a class and each concept, in degrees; or several classes, one a row.
        control: Mean AS of the same images in each draw, in degrees.
    """
    score, draws = observed.double(), control.double()
    mean, std = draws.mean(dim=-2), draws.std(dim=-2)
    distance = score - mean
    known = distance.isfinite() & (std > NO_SPREAD)
    z = (distance / std).where(known, torch.nan)
    farther = (draws - mean.unsqueeze(-2)).abs() >= distance.abs().unsqueeze(-2)
    p_empirical = (1 + farther.sum(dim=-2).double()) / (draws.shape[-2] + 1)
    return Significance(mean, std, z, torch.special.erfc(z.abs() / math.sqrt(2)), p_empirical.where(known, torch.nan))


def benjamini_hochberg(p: Float[Tensor, "*rows concept"]) -> Float[Tensor, "*rows concept"]:
    """The q value of each p: the false discovery rate at which it is found, over the concepts of its row.

    Benjamini and Hochberg (1995): the least of p m / rank over all larger p. NaN stays NaN and is left out of m.
    """
    ordered, order = p.double().sort(dim=-1)
    m = p.isfinite().sum(dim=-1, keepdim=True)
    rank = torch.arange(1, p.shape[-1] + 1, dtype=torch.float64, device=p.device)
    scaled = (ordered * m / rank).nan_to_num(torch.inf)
    least = scaled.flip(-1).cummin(dim=-1).values.flip(-1).clamp_max(1.0)
    return torch.empty_like(least).scatter_(-1, order, least).where(p.isfinite(), torch.nan)
