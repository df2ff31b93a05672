"""Make direction pairs of the directions of other methods, so that they have the same figures as the pairs of EDDP."""

import torch
from jaxtyping import Float, Float64
from torch import Tensor
from torch.nn.functional import normalize

from sing_compute.directions.pairs import DirectionPairs

_PART = 1 << 14
"""Positions that are looked at at once."""
_COLUMNS = 16
"""Directions whose products with all positions are held at once."""


def rival_pairs(
    directions: Float64[Tensor, "dim direction"],
    features: Float[Tensor, "position dim"],
    like: DirectionPairs,
    *,
    signed: bool = True,
) -> DirectionPairs:
    """Give directions of another method filters and thresholds, so that they have the figures of direction pairs.

    The filters are columns of the pseudo-inverse of the directions: each reads one direction and, as far as that is possible, no
    other. None of these methods has a threshold of its own, so each detector fires on as many positions as that of `like` whose
    signal vector it is paired with: the pairing with the largest sum of cosines. Others fire on the mean share of `like`.

    Args:
        directions: Directions of any length; zeros for one that was not found.
        features: Feature vectors on which the thresholds are set.
        like: Direction pairs of EDDP.
        signed: False if a direction and its opposite are the same to the method: then each is turned toward its signal vector.

    Returns:
        Pairs in the order of the directions; filter . signal = 1.
    """
    unit = normalize(directions, dim=0)
    sign, share = _paired(unit, features, like, signed=signed)
    unit = unit * sign
    filters = torch.linalg.pinv(unit).T
    read = (filters * unit).sum(0)
    alive = read > torch.finfo(torch.float64).eps ** 0.5
    filters = torch.where(alive, filters, 0.0)
    signals = torch.where(alive, unit / read, 0.0)
    return DirectionPairs(filters, torch.where(alive, _thresholds(filters, features, share), 0.0), signals)


def pattern_pairs(pairs: DirectionPairs, features: Float[Tensor, "position dim"]) -> DirectionPairs:
    """Return the same detectors with the difference of the means of their positives and negatives in the place of signal vectors.

    A signal vector is found from how strong a concept is within the positives. A concept that is either there or not has no such
    strength, and there only this difference shows it: it is Pattern-CAV with a detector's own positives as labels. Where concepts
    exclude each other it is biased toward the absence of the others, which signal vectors are not.

    Args:
        pairs: Direction pairs.
        features: Feature vectors.

    Returns:
        Pairs with filter . signal = 1; signals of zeros for a detector that fires everywhere or nowhere.
    """
    dim, count = pairs.filters.shape
    sums, fired = features.new_zeros(dim, count, dtype=torch.float64), torch.zeros_like(pairs.thresholds)
    total, centre = torch.zeros_like(sums[:, 0]), features[:_PART].double().mean(0)
    for part in torch.split(features, _PART):
        rows = part.double()
        fires = (pairs.logits(rows) > 0).double()
        sums, fired, total = sums + (rows - centre).T @ fires, fired + fires.sum(0), total + (rows - centre).sum(0)
    difference = sums / fired - (total[:, None] - sums) / (len(features) - fired)
    read = (pairs.filters * difference).sum(0)  # above 0: positives have larger logits
    known = (fired > 0) & (fired < len(features)) & (read > 0)
    return DirectionPairs(pairs.filters, pairs.thresholds, torch.where(known, difference / read, 0.0))


def _paired(unit: Tensor, features: Tensor, like: DirectionPairs, *, signed: bool) -> tuple[Tensor, Tensor]:
    """Return the sign of each direction, and the share of positions on which its detector shall fire."""
    from scipy.optimize import linear_sum_assignment  # half a second of imports, for whoever compares

    fired = sum((like.logits(part.double()) > 0).sum(0) for part in torch.split(features, _PART))
    shares = torch.as_tensor(fired).double() / len(features)
    cosines = unit.T @ normalize(like.signals, dim=0)
    rows, columns = linear_sum_assignment((cosines if signed else cosines.abs()).cpu().numpy(), maximize=True)
    share = shares.mean().expand(unit.shape[1]).clone()
    share[rows] = shares[columns]
    sign = torch.ones_like(share)
    if not signed:
        sign[rows] = torch.where(cosines[rows, columns] < 0, -1.0, 1.0).double()
    return sign, share


def _thresholds(filters: Tensor, features: Tensor, share: Tensor) -> Tensor:
    """Return thresholds halfway between the last position that fires and the next one."""
    count = (share * len(features)).round().long()
    thresholds = torch.zeros_like(share)
    for columns in torch.split(torch.arange(len(share), device=filters.device), _COLUMNS):
        along = torch.cat([part.double() @ filters[:, columns] for part in torch.split(features, _PART)])
        ordered = along.sort(0, descending=True).values
        ordered = torch.cat([ordered[:1], ordered, ordered[-1:] - 1])  # for none and for all
        own = count[columns][None]
        thresholds[columns] = ((ordered.gather(0, own) + ordered.gather(0, own + 1)) / 2)[0]
    return thresholds
