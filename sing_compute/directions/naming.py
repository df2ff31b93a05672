"""Name directions without labels: in words of CLIP, beside how well random directions can be named, and by images."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor

from sing_compute.directions.pairs import DirectionPairs
from sing_compute.linalg.angles import unit
from sing_compute.linalg.comp import Codes, comp, mixes, top_k

DRAWS = 200
"""Random directions that are named for comparison; so many give a smallest p of 1 / 201."""
QUANTILES = (0.025, 0.5, 0.975)
"""Quantiles of their cosines that are given."""
IMAGES = 16
"""Images that are given for each direction."""
_ROUNDING = 1e-12
"""Cosines that differ by less are equal."""
_PART = 1 << 24
"""Most logits that are held at once."""


@dataclass(frozen=True, slots=True)
class SignalNames:
    """Signal vectors in words. Picks of -1, and NaN, for a direction that has no signal vector or whose image in CLIP is zero."""

    pick: Int64[Tensor, "direction pick"]
    """Index of each picked concept in the dictionary, in the order of picking."""
    coefficient: Float64[Tensor, "direction size pick"]
    """At least 0; NaN behind the first K picks."""
    cosine: Float64[Tensor, "direction size"]
    """Cosine between the mix of K concepts and A s."""
    p: Float64[Tensor, "direction size"]
    """(1 + random directions with a cosine at least as large) / (1 + random directions); never 0."""
    chance: Float64[Tensor, "size quantile"]
    """Quantiles `QUANTILES` of the cosines of the random directions."""
    nearest: Int64[Tensor, "direction word"]
    """The concepts with the largest cosine with A s, one by one, the nearest first."""
    nearest_cosine: Float64[Tensor, "direction word"]


@dataclass(frozen=True, slots=True)
class TopImages:
    """The images on which each detector fires most, the strongest first."""

    image: Int64[Tensor, "direction rank"]
    """Row of the image; of equal ones, the first row comes first."""
    logit: Float64[Tensor, "direction rank"]
    """Its largest w . x - b over the positions; where it is not above 0, the detector does not fire on the image."""


def name_signals(
    signals: Float64[Tensor, "dim direction"],
    translator: Float64[Tensor, "clip dim"],
    random: Float64[Tensor, "draw dim"],
    atoms: Float[Tensor, "concept clip"],
    sizes: Sequence[int] = (1, 5),
    *,
    usable: Bool[Tensor, " concept"] | None = None,
    coherence: float = 0.3,
    words: int = 5,
) -> SignalNames:
    """Write the movement A s of each signal vector as a mix of concepts, by COMP, and name random directions the same way.

    A signal vector is a difference of features, so the translator's offset and the mean image are not in A s, and the concepts
    are centred, too. Its sign counts: coefficients are not negative, so concepts are named toward which A s points.

    A mix of a few of many concepts has some cosine with any direction. So directions drawn with the covariance of the data are
    named as well, which are as common in the data and mean nothing.

    Args:
        signals: Signal vectors s, of any length; zeros for a dead detector.
        translator: A of the translator T(f) = A f + a.
        random: Random directions, as `covariance_directions` draws them; `DRAWS` are enough.
        atoms: The concepts, centred, of length 1 each.
        sizes: Numbers of concepts K, ascending.
        usable: Concepts that may be picked; None for all.
        coherence: COMP's weight of the likeness to concepts picked before.
        words: Number of nearest concepts, at most that of the usable ones.

    Raises:
        ValueError: The translator maps all random directions to zero, or as for `comp`.
    """
    sizes = sorted(set(sizes))
    moves, random = signals.T @ translator.T, random @ translator.T
    named, random = moves.norm(dim=1) > 0, random[random.norm(dim=1) > 0]
    if not len(random):
        raise ValueError("no random direction moves CLIP space: there is nothing to compare names with")
    x = unit(torch.cat([moves[named], random]))
    codes = comp(x, atoms, sizes, coherence=coherence, usable=usable)
    own, cosines = int(named.sum()), _cosines(codes, x, atoms, sizes)
    near = top_k(x[:own], atoms, (words,), usable=usable).picks
    near_cosine = (atoms[near.to(atoms.device)].to(x) * x[:own, None]).sum(2)
    coefficient = torch.full((own, len(sizes), sizes[-1]), torch.nan, dtype=torch.float64, device=x.device)
    for position, size in enumerate(sizes):
        coefficient[:, position, :size] = codes.coefficients[size][:own]
    above = (cosines[own:, None] >= cosines[:own] - _ROUNDING).sum(0)
    quantiles = torch.tensor(QUANTILES, dtype=torch.float64, device=x.device)
    return SignalNames(
        _scattered(codes.picks[:own], named, -1),
        _scattered(coefficient, named, torch.nan),
        _scattered(cosines[:own], named, torch.nan),
        _scattered((1 + above).double() / (1 + len(random)), named, torch.nan),
        torch.quantile(cosines[own:], quantiles, dim=0).T,
        _scattered(near, named, -1),
        _scattered(near_cosine, named, torch.nan),
    )


def largest_logits(
    pairs: DirectionPairs, features: Float[Tensor, "image position dim"]
) -> Float64[Tensor, "image direction"]:
    """Return the largest w . x - b over the positions of each image.

    Args:
        pairs: The direction pairs.
        features: Feature vectors; one position for pooled features.
    """
    _, positions, _ = features.shape
    part = max(1, _PART // max(1, positions * pairs.filters.shape[1]))
    return torch.cat([pairs.logits(rows.double()).amax(1) for rows in torch.split(features, part)])


def top_images(logits: Float64[Tensor, "image direction"], count: int = IMAGES) -> TopImages:
    """Return the images with the largest logit for each direction.

    Args:
        logits: As `largest_logits` gives them.
        count: Number of images of each direction; all of them if there are fewer.
    """
    count = min(count, len(logits))
    images, values = [], []
    least = logits.topk(count, dim=0).values[-1] if count else logits.new_zeros(logits.shape[1])
    for column, bound in zip(logits.T, least, strict=True):
        rows = (column >= bound).nonzero()[:, 0]  # ascending, so that a stable sort keeps the first of equal ones first
        order = column[rows].argsort(descending=True, stable=True)[:count]
        images.append(rows[order])
        values.append(column[rows[order]])
    return TopImages(torch.stack(images), torch.stack(values))


def _cosines(codes: Codes, x: Tensor, atoms: Tensor, sizes: Sequence[int]) -> Float64[Tensor, "direction size"]:
    return torch.stack([torch.cosine_similarity(mixes(codes, atoms, size), x, dim=1) for size in sizes], 1)


def _scattered(values: Tensor, there: Bool[Tensor, " direction"], filling: int | float) -> Tensor:
    whole = values.new_full((len(there), *values.shape[1:]), filling)
    whole[there] = values
    return whole
