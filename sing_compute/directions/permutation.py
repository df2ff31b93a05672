"""Chance in the influence of directions: what signal vectors of classifiers of permuted labels do to the same classes.

The test of arXiv 2509.23926, section 5 (from Pfau and others 2021). For each direction, its positives and as many negatives are
labelled at random, again and again; each labelling gives a linear classifier and this its signal vector. Three things are ours.
The classifier is linear discriminant analysis in closed form instead of Adam over 100 epochs: the same distribution, at a
twentieth of the time. The statistic is the rate at which log odds change: with a linear head, the sign alone is decided for two
classes whatever the direction (see `influence`). And p is never 0.

The test asks whether a direction moves a class more than other directions of the same data do. Where the data vary along few
dimensions, and all of them matter to the head, the answer is no for true concepts, too.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor
from torch.nn.functional import normalize

from sing_compute.directions.alignment import LinearHead
from sing_compute.directions.influence import log_odds_rates, mean_strengths, response
from sing_compute.directions.pairs import DirectionPairs

LEVEL = 0.05
LEAST_DRAWS, MOST_DRAWS = 1000, 2000
SAMPLE = 2000
"""Most positions of a direction whose labels are permuted, positives and negatives together."""
IMAGES, POSITIONS = 2000, 50_000
"""Most images whose class probabilities are looked at, and most positions that samples are drawn from; both evenly spread."""
RIDGE = 1e-3
"""Added to the variance of each dimension, as a share of the mean variance."""
_PART = 1 << 22
_FEWEST = 10
"""Fewest draws that reach a value for their share to be its p where the tail may be fitted (Knijnenburg and others 2009)."""
_TAIL = 0.1
"""Share of the draws to which the tail is fitted."""


@dataclass(frozen=True, slots=True)
class InfluenceTest:
    """How often chance reaches the influence of each direction on each class. NaN for a direction without a sample."""

    rate: Float64[Tensor, "direction class"]
    """Mean rate at which the log odds of the class change along the direction, per step of its positives' mean signal value."""
    draws: int
    """Permutations of each direction."""
    p: Float64[Tensor, "direction class"]
    """Probability that the log odds change at least as fast along a signal vector of permuted labels, of the same length."""
    p_sign: Float64[Tensor, "direction class"]
    """The same of the size of RCAV's score, as in the paper; by counting only, so never below 1 / (draws + 1)."""
    fitted: Bool[Tensor, "direction class"]
    """p is from a fitted tail and not counted."""
    bonferroni: Float64[Tensor, "direction class"]
    """p times the number of tests, at most 1."""
    q: Float64[Tensor, "direction class"]
    """False discovery rate by Benjamini and Hochberg (1995) at which the pair is found, over all directions and classes."""

    @property
    def resolution(self) -> float:
        """The smallest p that counting can give."""
        return 1 / (self.draws + 1)

    def significant(self, *, level: float = LEVEL) -> Bool[Tensor, "direction class"]:
        """Return True for pairs that are significant by Bonferroni's rule over all directions and classes.

        Args:
            level: Probability of any false pair.
        """
        return self.bonferroni < level

    @property
    def directions(self) -> int:
        """Number of directions that are significant for a class or more (the paper's SDC)."""
        return int(self.significant().any(1).sum())

    @property
    def pairs(self) -> int:
        """Number of significant pairs of direction and class (the paper's SCDP)."""
        return int(self.significant().sum())


@dataclass(frozen=True, slots=True)
class TailProbabilities:
    """Probabilities of values at least as large, from draws."""

    p: Float64[Tensor, " class"]
    fitted: Bool[Tensor, " class"]


def enough_draws(directions: int, classes: int) -> int:
    """Return how many draws let a counted p reach Bonferroni's bound: directions * classes / .05.

    Args:
        directions: Number of directions.
        classes: Number of classes.
    """
    return math.ceil(directions * classes / LEVEL)


def permutation_test(
    head: LinearHead,
    pairs: DirectionPairs,
    features: Float[Tensor, "image position dim"],
    *,
    pooled: Float64[Tensor, "image dim"] | None = None,
    step: float = 1.0,
    draws: int | None = None,
    seed: int = 0,
) -> InfluenceTest:
    """Compare the influence of each direction with that of signal vectors of permuted labels, of the same length.

    Args:
        head: The head.
        pairs: Direction pairs.
        features: Features at the positions of each image.
        pooled: Mean feature of each image, where `features` has some of the positions only. None: the mean of `features`.
        step: Step of RCAV's scores, in units of the mean signal value of the direction's positives.
        draws: Permutations of each direction. None: `enough_draws`, at least 1,000 and at most 2,000; where that is not enough,
            the tail is fitted.
        seed: Seed of samples and permutations; those of one direction do not depend on the others.
    """
    pooled = features.mean(1).double() if pooled is None else pooled
    pooled = _evenly_spread(pooled, IMAGES)
    count, classes = len(pairs.thresholds), len(head.bias)
    enough = enough_draws(count, classes)
    draws = min(max(enough, LEAST_DRAWS), MOST_DRAWS) if draws is None else draws
    strengths = mean_strengths(pairs, features)
    steps, gradient = pairs.signals * strengths.nan_to_num(), log_odds_rates(head, pooled)
    lengths, known = steps.norm(dim=0), strengths[:, None].isfinite()
    rates = (gradient @ steps).T.where(known, torch.nan)
    scores = response(head, pooled, step * steps).score
    shape = (count, classes)
    p, p_sign = (torch.full(shape, torch.nan, dtype=torch.float64, device=pooled.device) for _ in range(2))
    fitted = torch.zeros(shape, dtype=torch.bool, device=pooled.device)
    positions = _evenly_spread(features.flatten(0, 1), POSITIONS).double()
    fires = pairs.logits(positions) > 0
    for direction in range(count):
        generator = torch.Generator().manual_seed(seed * 1_000_003 + direction)
        sample = balanced_sample(fires[:, direction], generator)
        if len(sample) < 4 or not lengths[direction] > 0:
            continue
        noise = noise_signals(positions[sample], draws, generator)
        noise = lengths[direction] * noise
        found = tail_probabilities((gradient @ noise).T.abs(), rates[direction].abs(), fit=draws < enough)
        p[direction], fitted[direction] = found.p, found.fitted
        chance = response(head, pooled, step * noise).score
        p_sign[direction] = tail_probabilities(chance.abs(), scores[direction].abs(), fit=False).p
    tests = int(p.isfinite().sum())
    bonferroni = (p * tests).clamp_max(1)
    return InfluenceTest(rates, draws, p, p_sign, fitted, bonferroni, false_discovery_rates(p))


def balanced_sample(fires: Bool[Tensor, " position"], generator: torch.Generator) -> Tensor:
    """Return indices of as many positives as negatives, at most `SAMPLE` together.

    Args:
        fires: True for the positives.
        generator: Draws them.
    """
    positives, negatives = (torch.nonzero(each)[:, 0] for each in (fires, ~fires))
    size = min(len(positives), len(negatives), SAMPLE // 2)
    return torch.cat([_some(positives, size, generator), _some(negatives, size, generator)])


def noise_signals(
    positions: Float64[Tensor, "position dim"], draws: int, generator: torch.Generator
) -> Float64[Tensor, "dim draw"]:
    """Return signal vectors, of length 1, of linear classifiers of permuted labels.

    Args:
        positions: Features; half of them get the label 1 in each permutation.
        draws: Number of permutations.
        generator: Draws them.
    """
    count, dim = positions.shape
    centred = positions - positions.mean(0)
    gram = centred.T @ centred / count
    ridge = RIDGE * torch.diagonal(gram).mean() + torch.finfo(torch.float64).tiny
    factor = torch.linalg.cholesky(gram + ridge * torch.eye(dim, dtype=gram.dtype, device=gram.device))
    signals = []
    for part in torch.split(torch.arange(draws), max(1, _PART // count)):
        order = torch.rand(len(part), count, generator=generator).argsort(1).to(positions.device)
        first_half = order.T.lt(count // 2)
        sign = first_half.double() * 2 - 1
        filters = torch.cholesky_solve(centred.T @ sign, factor)
        logits = centred @ filters
        positive = (logits > 0).double()
        mean = (positive * logits).sum(0) / positive.sum(0).clamp_min(1)
        signals.append(normalize(centred.T @ (positive * (logits - mean)), dim=0))
    return torch.cat(signals, 1)


def tail_probabilities(
    chance: Float64[Tensor, "draw class"], values: Float64[Tensor, " class"], *, fit: bool
) -> TailProbabilities:
    """Return the probability that chance is at least as large as a value, never 0.

    Counting gives (1 + draws that reach the value) / (1 + draws). Where fewer than ten draws reach it and `fit` allows it, the
    largest tenth of the draws is taken for an exponential tail of unknown mean excess. With m draws in the tail, p is
    (m + 1) / (draws + 1) * (1 + excess / (m * mean excess))^-m, the exact probability of one more draw of such a tail.
    Tails that fall faster, as those of bounded rates do, make it too large and not too small; a fitted Pareto tail would end
    there and give 0.

    Args:
        chance: Values of the draws.
        values: Observed values.
        fit: Allow the fitted tail.
    """
    draws = len(chance)
    reach = (chance >= values * (1 - 1e-12)).sum(0)
    p = (1 + reach).double() / (1 + draws)
    tail = int(_TAIL * draws)
    if not fit or tail < _FEWEST:
        return TailProbabilities(p, torch.zeros_like(values, dtype=torch.bool))
    largest = chance.topk(tail + 1, dim=0).values
    edge = largest[-1]
    excess = (largest[:-1] - edge).sum(0)
    ratio = torch.where(excess > 0, (values - edge) / excess, torch.inf)
    far = (tail + 1) / (draws + 1) * (1 + ratio.clamp_min(0)).log().mul(-tail).exp()
    fitted = (reach < _FEWEST) & (excess > 0) & (values > edge)
    tiny = torch.finfo(torch.float64).tiny
    return TailProbabilities(torch.where(fitted, far.clamp_min(tiny), p), fitted)


def false_discovery_rates(p: Float64[Tensor, "*table"]) -> Float64[Tensor, "*table"]:
    """Return Benjamini and Hochberg's q of each p over the whole table; NaN stays NaN and is not a test.

    Args:
        p: Probabilities.
    """
    from scipy.stats import false_discovery_control  # a second of imports, for whoever tests

    known = p.isfinite()
    rates = torch.full_like(p, torch.nan)
    if known.any():
        rates[known] = torch.from_numpy(false_discovery_control(p[known].cpu().numpy())).to(p.device)
    return rates


def _evenly_spread(rows: Tensor, most: int) -> Tensor:
    """At most so many rows."""
    if len(rows) <= most:
        return rows
    return rows[torch.linspace(0, len(rows) - 1, most, dtype=torch.float64).round().long().to(rows.device)]


def _some(indices: Tensor, most: int, generator: torch.Generator) -> Tensor:
    """At most so many of the indices, drawn without repetition."""
    return indices[torch.randperm(len(indices), generator=generator).to(indices.device)[:most]]
