"""Compare concept shifts with those of random null directions that all images share (docs/method.md, "Significance").

Null hypothesis H0: the null part removed from each image is replaced by a vector of the same length along one random
null direction, the same for all images. No logit changes and the amount removed is the same; only the direction is
without meaning. The shift of a class toward a concept is compared with the shifts of R such draws. A new direction for
each image would average out over a class, and nearly every pair of class and concept would be significant.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from sing_compute.errors import HeadError, SingError
from sing_compute.linalg.angles import DEGREES, unit
from sing_compute.linalg.null_space import HeadSplit
from sing_compute.scores.arcsine_series import SERIES_TERMS, arcsine_series, series_terms

DRAWS = 200
"""Number of shared directions; the smallest empirical p is 1 / (draws + 1)."""
CHUNK_IMAGES = 1024
"""Images worked on at once."""
CHUNK_CELLS = 2**17
"""Draws times concepts worked on at once: 0.5 MiB of float32, which fits the processor's cache."""
NO_SPREAD = 1e-9
"""Smallest standard deviation of the draws, in degrees, for which there is a z: below it they differ only by rounding."""


@dataclass(frozen=True, slots=True)
class SharedDirections:
    """R random null directions d_r, translated by the translator of each fold, float64. Made once per model.

    They take 12 bytes for each fold, draw and concept: 14 MB for 5 folds, 200 draws and 1,200 concepts.
    """

    translated: Float[Tensor, "fold draw clip"]
    """A d_r, A of the translator that was fitted without the fold."""
    concepts: Float[Tensor, "concept clip"]
    """Unit text embeddings t."""
    products: Float[Tensor, "fold draw concept"]
    """A d_r . t."""
    concepts_single: Float[Tensor, "concept clip"]
    products_single: Float[Tensor, "fold draw concept"]
    """A d_r . t in float32, as `concepts_single` is t: for the series."""
    squares: Float[Tensor, "fold draw"]
    """|A d_r|^2."""
    reach: Float[Tensor, "fold draw"]
    """Largest |A d_r . t| over the concepts."""

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

        They are normalised projections of Gaussian vectors in feature space. So they depend on the null space and the
        seed, not on the basis that the SVD gave, and they are the same on every device up to rounding.

        Args:
            split: The head's null space.
            fold_null_weights: A Pi_n of the translator fitted without each fold.
            concepts: Text embeddings of any length.
            draws: Number R of directions, at least 2.
            seed: Seed of the draws.

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
    """Scores of one class under H0, in degrees, float64; NaN if the class has no images."""

    attribute_score: Float[Tensor, "draw concept"]
    """Mean AS."""
    attribute_score_abs: Float[Tensor, "draw concept"]
    """Mean |AS|."""


@dataclass(slots=True)
class SharedDirectionSums:
    """Sums of the control AS over the images of one class; memory does not depend on the number of images.

    The control moves u = T(f) to u - e A d_r, e = |Pi_n f|. Its cosine with a text t, (u . t - e A d_r . t) over its
    length, is elementwise in products that are already known, so no draw costs a matrix product. The angle changes by
    arcsin(c + x) - arcsin(c), c the cosine before and x its change. This is a series in x, in float32, where its error
    stays below `SERIES_ERROR`; arcsin in float64 where `SERIES_TERMS` terms are not enough (cosines near 1, large
    changes). Means are exact to 1e-5 degrees.
    """

    directions: SharedDirections
    count: int = 0
    """Images added that have a direction in CLIP space."""
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
        """Add images; those whose T(f) is zero or not finite are left out.

        Args:
            before: u = T(f) of each image, by the translator fitted without its fold.
            null_norm: |Pi_n f| of each image, in the features' unit.
            folds: Fold of each image.
        """
        for start in range(0, len(before), CHUNK_IMAGES):
            rows = slice(start, start + CHUNK_IMAGES)
            self._add(before[rows].double(), null_norm[rows].double(), folds[rows].long())

    def _add(
        self, before: Float[Tensor, "image clip"], null_norm: Float[Tensor, " image"], folds: Int[Tensor, " image"]
    ) -> None:
        directions, u = self.directions, unit(before)
        removed = (null_norm / before.norm(dim=1))[:, None]
        along = torch.empty(len(u), len(self._score), dtype=torch.float64, device=u.device)
        for fold, translated in enumerate(directions.translated):
            own = folds == fold
            along[own] = u[own] @ translated.T
        shrink = (1 - 2 * removed * along + removed.square() * directions.squares[folds]).rsqrt()
        pull = -removed * shrink
        order = folds.argsort(stable=True)  # the products of one fold stay in the cache
        rows = order[pull.isfinite().all(dim=1)[order]]
        self.count += len(rows)
        u, folds, shrink, pull = u[rows], folds[rows], shrink[rows], pull[rows]
        cosine = u.float() @ directions.concepts_single.T
        nearest = cosine.abs().amax(dim=1).double()
        farthest = (shrink - 1).abs().amax(dim=1) * nearest + (pull.abs() * directions.reach[folds]).amax(dim=1)
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
        """Give the ranges of concepts that are worked on at once."""
        draws, concepts = self._score.shape
        width = max(1, CHUNK_CELLS // draws)
        return (slice(start, start + width) for start in range(0, concepts, width))

    def finish(self) -> ControlScores:
        """Return the means over the images that were added."""
        scale = DEGREES / self.count if self.count else math.nan
        return ControlScores(self._score * scale, self._score_abs * scale)


@dataclass(frozen=True, slots=True)
class Significance:
    """Observed scores compared with those under H0; NaN where one of them is NaN or the draws do not differ."""

    control_mean: Float[Tensor, "*rows concept"]
    """Mean over draws, in degrees."""
    control_std: Float[Tensor, "*rows concept"]
    """Standard deviation over draws (n - 1), in degrees."""
    z: Float[Tensor, "*rows concept"]
    """(observed - control_mean) / control_std."""
    p_normal: Float[Tensor, "*rows concept"]
    """Two-sided normal tail of z. It is too large far out, because draws from a sphere of few dimensions have shorter
    tails (to first order |z| <= sqrt(nullity)). Measured false positives at p = .05 and .001, over the stated number:
    .77 and 0 for nullity 8, .93 and .14 for 20, .98 and .60 for 54, 1.00 and .92 for 280."""
    p_empirical: Float[Tensor, "*rows concept"]
    """(1 + number of draws at least as far from the mean of the draws) / (draws + 1)."""


def significance(
    observed: Float[Tensor, "*rows concept"], control: Float[Tensor, "*rows draw concept"]
) -> Significance:
    """Compare observed mean scores with the same scores of R draws under H0 (docs/method.md, "Significance").

    Args:
        observed: Mean AS of a class toward each concept, in degrees; or of several classes, one in each row.
        control: Mean AS of the same images in each draw, in degrees.

    Returns:
        Control, z and both p values, in the shape of `observed`, float64.
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
    rows = p.detach().double().cpu().numpy().reshape(math.prod(p.shape[:-1]), p.shape[-1])
    tests = np.isfinite(rows).sum(axis=1, keepdims=True)
    order = np.argsort(rows, axis=1)  # NaN comes last
    steps = np.take_along_axis(rows, order, axis=1) * (tests / np.arange(1, rows.shape[1] + 1))
    least = np.fmin.accumulate(steps[:, ::-1], axis=1)[:, ::-1].clip(0, 1)
    q = np.full_like(rows, np.nan)
    np.put_along_axis(q, order, np.where(np.isfinite(steps), least, np.nan), axis=1)
    return torch.from_numpy(q.reshape(p.shape)).to(p.device)
