"""Is a concept shift more than any null direction would give? A control by shared random directions (spec, 5; beyond SING).

H0: the null vector taken out of each image is replaced by an equally long one along one random null direction that all
images share. No logit changes, the amount removed stays the same, only the direction is meaningless. The shift of a class
toward a concept is then compared with the shifts of R such draws. A fresh direction for each image would average out over a
class and call nearly every pair significant.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from sing_compute.errors import HeadError, SingError
from sing_compute.linalg.angles import DEGREES, STEEP_COSINE, unit
from sing_compute.linalg.null_space import HeadSplit

DRAWS = 200
"""Shared directions drawn; the smallest empirical p is 1 / (draws + 1)."""
CHUNK_IMAGES = 1024
CHUNK_CELLS = 2**17
"""Draws x concepts worked on at once: 0.5 MiB of float32, which stays in the cache."""
SERIES_TERMS = 12
"""Longest series in place of arcsin."""
SERIES_ERROR = 1e-6 / DEGREES
"""What a series may be wrong by at the farthest cell, in radians."""
NO_SPREAD = 1e-9
"""Controls that differ by less than this, in degrees, differ by rounding alone: no yardstick."""


@dataclass(frozen=True, slots=True)
class SharedDirections:
    """R random null directions d_r as the translator of each fold sees them, float64. Made once per model.

    Memory: folds x draws x concepts numbers of 12 bytes, 14 MB for 5 folds, 200 draws and 1,200 concepts.
    """

    translated: Float[Tensor, "fold draw clip"]
    """A d_r, by the translator that was fitted without the fold."""
    concepts: Float[Tensor, "concept clip"]
    products: Float[Tensor, "fold draw concept"]
    """A d_r . t."""
    concepts_single: Float[Tensor, "concept clip"]
    products_single: Float[Tensor, "fold draw concept"]
    """Both in float32, for series."""
    squares: Float[Tensor, "fold draw"]
    """|A d_r|^2."""
    reach: Float[Tensor, "fold draw"]
    """Largest |A d_r . t| of any concept."""

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
        products = translated @ texts.T
        squares, reach = translated.square().sum(dim=2), products.abs().amax(dim=2)
        return cls(translated, texts, products, texts.float(), products.float(), squares, reach)


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
    length, is elementwise in products that are known before: no matrix product per draw. The angle moves by
    arcsin(c + x) - arcsin(c), c the observed cosine and x its change: a series in x, in float32, as long as its
    remainder stays below `SERIES_ERROR`; float64 arcsin where `SERIES_TERMS` terms are too few (cosines near 1, far moves).
    Means are exact to 1e-5 degrees.
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
        along = torch.empty(len(u), len(self._score), dtype=torch.float64, device=u.device)
        for fold, directions in enumerate(known.translated):
            own = folds == fold
            along[own] = u[own] @ directions.T
        shrink = (1 - 2 * removed * along + removed.square() * known.squares[folds]).rsqrt()
        pull = -removed * shrink
        order = folds.argsort(stable=True)  # what is known of a fold stays in the cache
        rows = order[pull.isfinite().all(dim=1)[order]]
        self.count += len(rows)
        u, folds, shrink, pull = u[rows], folds[rows], shrink[rows], pull[rows]
        cosine = u.float() @ known.concepts_single.T
        nearest = cosine.abs().amax(dim=1).double()
        farthest = (shrink - 1).abs().amax(dim=1) * nearest + (pull.abs() * known.reach[folds]).amax(dim=1)
        terms = series_terms(nearest, farthest)
        short = terms <= SERIES_TERMS
        self._add_series(folds[short].tolist(), cosine[short], shrink[short], pull[short], terms[short].tolist())
        self._add_exactly(folds[~short].tolist(), u[~short], shrink[~short], pull[~short])

    def _add_series(
        self,
        folds: list[int],
        cosine: Float[Tensor, "image concept"],
        shrink: Float[Tensor, "image draw"],
        pull: Float[Tensor, "image draw"],
        terms: list[int],
    ) -> None:
        grown, pulled = (shrink - 1).float()[..., None], pull.float()[..., None]
        for part in self._parts() if terms else ():
            products, origin = self.directions.products_single[:, :, part], cosine[:, part]
            factors = arcsine_series(origin, max(terms))
            moved, score, sums, sums_abs = products.new_zeros(4, *products[0].shape)
            for row, (fold, last) in enumerate(zip(folds, terms, strict=True)):  # in place: the cells stay in the cache
                torch.mul(products[fold], pulled[row], out=moved).addcmul_(grown[row], origin[row])
                torch.addcmul(factors[last - 2, row], moved, factors[last - 1, row], out=score)
                for term in range(last - 3, -1, -1):
                    torch.addcmul(factors[term, row], score, moved, out=score)
                sums += score.mul_(moved)
                sums_abs += score.abs_()
            self._score[:, part] += sums.double()
            self._score_abs[:, part] += sums_abs.double()

    def _add_exactly(
        self,
        folds: list[int],
        u: Float[Tensor, "image clip"],
        shrink: Float[Tensor, "image draw"],
        pull: Float[Tensor, "image draw"],
    ) -> None:
        for part in self._parts() if folds else ():
            products, cosine = self.directions.products[:, :, part], u @ self.directions.concepts[part].T
            origin = cosine.clamp(-1, 1).asin()
            cells = torch.empty_like(products[0])
            for row, fold in enumerate(folds):  # AS = arccos(before) - arccos(after)
                torch.mul(products[fold], pull[row, :, None], out=cells)
                cells.addcmul_(shrink[row, :, None], cosine[row]).clamp_(-1, 1).asin_().sub_(origin[row])
                self._score[:, part] += cells
                self._score_abs[:, part] += cells.abs_()

    def _parts(self) -> Iterator[slice]:
        """Runs of concepts that are worked on at once."""
        draws, concepts = self._score.shape
        width = max(1, CHUNK_CELLS // draws)
        return (slice(start, start + width) for start in range(0, concepts, width))

    def finish(self) -> ControlScores:
        """Means over the images added."""
        scale = DEGREES / self.count if self.count else math.nan
        return ControlScores(self._score * scale, self._score_abs * scale)


def arcsine_series(at: Float[Tensor, "image concept"], terms: int) -> Float[Tensor, "term image concept"]:
    """Factors a_1 to a_terms of arcsin(c + x) = arcsin(c) + sum a_n x^n, from (1 - y^2) g'' = y g' of g = arcsin; |c| < 1."""
    width = 1 - at.square()
    factors = torch.empty(terms, *at.shape, dtype=at.dtype, device=at.device)
    factors[0] = width.rsqrt()
    for n in range(1, terms):
        factors[n] = (2 * n - 1) * n * at * factors[n - 1]
        if n > 1:
            factors[n] += (n - 1) ** 2 * factors[n - 2]
        factors[n] /= width * n * (n + 1)
    return factors


def series_terms(nearest: Float[Tensor, " image"], farthest: Float[Tensor, " image"]) -> Int[Tensor, " image"]:
    """Terms after which the series is right to `SERIES_ERROR` for every |c| <= nearest and |x| <= farthest; at least 2.

    All a_n of |c| are positive and grow with |c|, so what is left out is largest at nearest and farthest: arcsin there less
    the terms taken. `SERIES_TERMS` + 1 where that many are too few, or where float32 does not tell |c| from 1 well.
    """
    inside = (nearest <= STEEP_COSINE) & (nearest + farthest < 1)
    c, x = nearest.where(inside, 0.0), farthest.where(inside, 0.0)
    powers = x ** torch.arange(1, SERIES_TERMS + 1, dtype=x.dtype, device=x.device)[:, None]
    taken = (arcsine_series(c[:, None], SERIES_TERMS)[..., 0] * powers).cumsum(dim=0)
    enough = 1 + ((c + x).asin() - c.asin() - taken > SERIES_ERROR).sum(dim=0)
    return enough.clamp_min(2).where(inside, SERIES_TERMS + 1)


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
    draws, mean = control.double(), control.double().mean(dim=-2)
    away, distance = draws - mean.unsqueeze(-2), observed.double() - mean
    std = (away.square().sum(dim=-2) / (draws.shape[-2] - 1)).sqrt()
    known = distance.isfinite() & (std > NO_SPREAD)
    z = (distance / std).where(known, torch.nan)
    farther = away.abs_() >= distance.abs().unsqueeze(-2)
    p_empirical = (1 + farther.sum(dim=-2, dtype=torch.int32).double()) / (draws.shape[-2] + 1)
    return Significance(mean, std, z, torch.special.erfc(z.abs() / math.sqrt(2)), p_empirical.where(known, torch.nan))


def benjamini_hochberg(p: Float[Tensor, "*rows concept"]) -> Float[Tensor, "*rows concept"]:
    """Give the q value of each p: the false discovery rate at which it is found, over the concepts of its row.

    Benjamini and Hochberg (1995): the least of p m / rank over all larger p.

    Args:
        p: Probabilities from 0 to 1. NaN stays NaN and is left out of m, the number of tests in its row.

    Returns:
        q values, float64, on the device of p.
    """
    from scipy.stats import false_discovery_control  # a second of imports, for whoever scores

    rows = p.detach().double().cpu().numpy().reshape(math.prod(p.shape[:-1]), p.shape[-1])
    known = np.isfinite(rows)
    whole = known.all(axis=1)
    q = np.full_like(rows, np.nan)
    q[whole] = false_discovery_control(rows[whole], axis=1)
    for row in np.flatnonzero(~whole & known.any(axis=1)):
        q[row, known[row]] = false_discovery_control(rows[row, known[row]])
    return torch.from_numpy(q.reshape(p.shape)).to(p.device)
