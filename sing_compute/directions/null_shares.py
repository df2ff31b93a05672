"""Measure how much of each direction pair a head can read: signals against its null space, filters against its rows.

A bare null share says nothing, because any random direction has one of nullity / dim on average. Features are not isotropic,
so the shares of directions that are drawn with the covariance of the data are given, too.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float64, Int64
from torch import Tensor

from sing_compute.directions.pairs import DirectionPairs
from sing_compute.directions.permutation import false_discovery_rates
from sing_compute.linalg.angles import unit
from sing_compute.linalg.null_space import HeadSplit

DRAWS = 2000
"""Directions that are drawn with the covariance of the data, so that the quantiles of their null shares are known well."""
INTERVAL = (0.025, 0.975)
"""Quantiles of their null shares that are given."""
LEVEL = 0.05
"""Largest q of a direction that the head is said not to read."""
_PAIRS = 1 << 22
"""Most pairs of classes, times directions, that are looked at at once."""
_SAME = 1e-12
"""Squared distance of two rows, over the sum of their squared lengths, up to which their difference is rounding."""
_CHANCE_DRAWS = 200
_CHANCE_QUANTILE = 0.975


@dataclass(frozen=True, slots=True)
class NullShares:
    """How much of each encoding direction lies in the null space of a head. NaN in the place of figures of a dead detector."""

    share: Float64[Tensor, " direction"]
    """|Pi_n s|^2 / |s|^2."""
    isotropic: float
    """nullity / dim: the mean share of directions that are uniform on the sphere."""
    drawn: Float64[Tensor, " draw"]
    """Shares of the directions that were drawn with the covariance of the data, ascending."""
    variance_share: float
    """tr(Pi_n C) / tr(C): the part of the variance of the features that lies in the null space."""
    p: Float64[Tensor, " direction"]
    """(1 + drawn directions with a share at least as large) / (1 + drawn directions); never 0."""
    q: Float64[Tensor, " direction"]
    """The same by Benjamini and Hochberg over the directions."""
    null_movement: Float64[Tensor, " direction"]
    """Standard deviation of w . x times |Pi_n s|, in the unit of the features: how far images differ along it, unread."""
    principal_movement: Float64[Tensor, " direction"]
    """The same with the part in the principal space: how far images differ along it where the head reads."""
    logit_movement: Float64[Tensor, " direction"]
    """Standard deviation of w . x times |W s|, in the unit of the logits."""

    @property
    def drawn_mean(self) -> float:
        """Mean share of the drawn directions."""
        return float(self.drawn.mean())

    @property
    def drawn_interval(self) -> tuple[float, float]:
        """Quantiles `INTERVAL` of the shares of the drawn directions."""
        low, high = torch.quantile(self.drawn, self.drawn.new_tensor(INTERVAL)).tolist()
        return low, high

    @property
    def over_chance(self) -> Float64[Tensor, " direction"]:
        """Share minus the mean share of the drawn directions."""
        return self.share - self.drawn_mean

    @property
    def moved_share(self) -> float:
        """Mean share, each direction weighted by the variance of the images along it; compare it with `variance_share`."""
        null = self.null_movement.square().nansum()
        return float(null / (null + self.principal_movement.square().nansum()))

    @property
    def unread(self) -> Bool[Tensor, " direction"]:
        """True for directions that the network encodes and the head cannot read more than chance explains.

        Their share is above the upper quantile of the drawn directions, and their q is at most `LEVEL`.
        """
        return (self.share > self.drawn_interval[1]) & (self.q <= LEVEL)


@dataclass(frozen=True, slots=True)
class HeadAgreement:
    """How each decoding direction agrees with the rows of a head. NaN, and class -1, for a filter of zeros.

    The chances are quantiles, .975, of the same figure of 200 directions that are uniform on the sphere.
    """

    row_class: Int64[Tensor, " direction"]
    """The class whose row has the largest |cosine| with the filter."""
    row_cosine: Float64[Tensor, " direction"]
    """That cosine, with its sign."""
    row_chance: float
    difference_classes: Int64[Tensor, "direction 2"]
    """The two classes a, b whose difference of rows W_a - W_b has the largest cosine with the filter; -1 for a single class."""
    difference_cosine: Float64[Tensor, " direction"]
    difference_chance: float
    pinned: Float64[Tensor, " direction"]
    """|Pi_p w|^2 / |w|^2: the share of the filter that uncertainty region alignment can pin."""
    pinned_chance: float
    """rank / dim: the mean share of directions that are uniform on the sphere."""


def null_shares(
    pairs: DirectionPairs,
    split: HeadSplit,
    weight: Float64[Tensor, "classes dim"],
    covariance: Float64[Tensor, "dim dim"],
    random: Float64[Tensor, "draw dim"],
) -> NullShares:
    """Measure the null share of each encoding direction, beside what chance gives, and how far images move along it.

    Args:
        pairs: The direction pairs, in the unit of the features.
        split: Null space of the head.
        weight: The head's weight W, logits = W f + b. For a split by the softmax, W minus its mean over the classes.
        covariance: Covariance C of the features, over images, or over all positions of spatial maps.
        random: Directions with that covariance, as `covariance_directions` draws them; `DRAWS` are enough.

    Raises:
        ValueError: The features have no variance, or there is no random direction.
    """
    if not len(random) or not float(covariance.trace()) > 0:
        raise ValueError("directions like the data need at least one draw, and features that vary")
    signals, filters, draws = pairs.signals.T, pairs.filters.T, len(random)
    drawn = null_share(random, split).sort().values
    share = null_share(signals, split)
    dead = share.isnan()
    above = draws - torch.searchsorted(drawn, share.nan_to_num())
    p = torch.where(dead, torch.nan, (1 + above).double() / (1 + draws))
    deviation = ((filters @ covariance) * filters).sum(1).clamp_min(0).sqrt()
    null = split.null_part(signals)

    def moved(vectors: Tensor) -> Tensor:
        return torch.where(dead, torch.nan, deviation * vectors.norm(dim=1))

    variance_share = float(split.null_part(covariance).trace() / covariance.trace())
    return NullShares(
        share,
        split.nullity / (split.rank + split.nullity),
        drawn,
        variance_share,
        p,
        false_discovery_rates(p),
        moved(null),
        moved(signals - null),
        moved(signals @ weight.T),
    )


def null_share(vectors: Float64[Tensor, "vector dim"], split: HeadSplit) -> Float64[Tensor, " vector"]:
    """Return |Pi_n v|^2 / |v|^2 of each vector, 0 to 1; NaN for a vector of zeros.

    Args:
        vectors: Vectors of any length.
        split: The null space.
    """
    return split.null_part(unit(vectors)).square().sum(1).clamp_max(1)


def covariance_directions(
    covariance: Float64[Tensor, "dim dim"], count: int = DRAWS, *, seed: int = 0
) -> Float64[Tensor, "draw dim"]:
    """Draw vectors from N(0, C): directions as common as the data makes them, that mean nothing.

    The draws are C^(1/2) g with standard normal g, so they depend on C and the seed alone, and not on a basis of eigenvectors.

    Args:
        covariance: C.
        count: Number of vectors.
        seed: Seed of the draws.
    """
    values, vectors = torch.linalg.eigh(covariance)
    root: Tensor = (vectors * values.clamp_min(0).sqrt()) @ vectors.T
    draw = torch.Generator().manual_seed(seed)
    normal = torch.randn(count, len(covariance), dtype=torch.float64, generator=draw)
    return normal.to(covariance.device) @ root


def head_agreement(
    filters: Float64[Tensor, "dim direction"],
    weight: Float64[Tensor, "classes dim"],
    split: HeadSplit,
    *,
    seed: int = 0,
) -> HeadAgreement:
    """Measure how decoding directions agree with the rows of a head and with their differences.

    Args:
        filters: Filters w, of any length; zeros for a dead detector.
        weight: The head's weight.
        split: Its principal space; that of the softmax is what uncertainty region alignment sees, classes - 1 dimensions.
        seed: Seed of the directions for chance.
    """
    draw = torch.Generator().manual_seed(seed)
    chance = torch.randn(_CHANCE_DRAWS, weight.shape[1], dtype=torch.float64, generator=draw).to(weight.device)
    count = filters.shape[1]
    every = unit(torch.cat([filters.T, chance]))
    rows = torch.where(weight.norm(dim=1, keepdim=True) > 0, unit(weight), 0.0)
    cosines = every @ rows.T
    classes = cosines.abs().argmax(1)
    row_cosine = cosines.gather(1, classes[:, None])[:, 0]
    between, difference_cosine = _best_differences(every, weight)
    dead = every[:count].isnan().any(1)
    pinned = (every[:count] @ split.row_basis.T).square().sum(1).clamp_max(1)

    def at_chance(values: Tensor) -> float:
        return float(torch.quantile(values[count:].abs(), _CHANCE_QUANTILE))

    return HeadAgreement(
        torch.where(dead, -1, classes[:count]),
        row_cosine[:count],
        at_chance(row_cosine),
        torch.where(dead[:, None], -1, between[:count]),
        difference_cosine[:count],
        at_chance(difference_cosine),
        pinned,
        split.rank / (split.rank + split.nullity),
    )


def _best_differences(
    directions: Float64[Tensor, "direction dim"], weight: Float64[Tensor, "classes dim"]
) -> tuple[Int64[Tensor, "direction 2"], Float64[Tensor, " direction"]]:
    """Return classes a, b with the largest cosine between W_a - W_b and each unit direction, and that cosine."""
    products, squares = directions @ weight.T, weight.square().sum(1)
    count, classes = products.shape
    best = torch.full((count,), torch.nan, dtype=torch.float64, device=weight.device)
    found = torch.full((count, 2), -1, device=weight.device)
    for part in torch.split(torch.arange(classes, device=weight.device), max(1, _PAIRS // (count * classes))):
        sums = squares[part, None] + squares
        apart = sums - 2 * weight[part] @ weight.T
        scale = torch.where(apart > _SAME * sums, apart, torch.inf).rsqrt()
        cosines = ((products[:, part, None] - products[:, None]) * scale).flatten(1)
        if bool((scale == 0).all()):
            continue
        values, places = cosines.max(1)
        better = (values > best) | (best.isnan() & ~values.isnan())
        best = torch.where(better, values, best)
        pair = torch.stack([part[places // classes], places % classes], 1)
        found = torch.where(better[:, None], pair, found)
    return found, best
