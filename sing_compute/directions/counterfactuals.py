"""Counterfactuals: the smallest step along a signal vector, forward or back, that changes what the network predicts.

The same step is taken at every position. For a head that is linear in the mean over positions it has a closed form; for any
other rest of a network it is searched. Either way the rest of the network is run on the moved features to see that the prediction
has changed.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor

from sing_compute.directions.alignment import LinearHead
from sing_compute.directions.influence import mean_strengths
from sing_compute.directions.pairs import DirectionPairs

Rest = Callable[[Tensor], Tensor]
"""The part of a network behind the features: (image, position, dim) to logits, (image, class)."""
OUTSIDE = 0.005
"""Share of real images at either end of their range that is no longer called its inside."""
_BEYOND = 1e-6
"""Share of a step that is added to it, so that the new prediction is not tied with the old one."""
_NO_EFFECT = 1e-9
"""A step that changes logits by less than this share of what it could change at most is in the head's null space."""
_PART = 1 << 22


@dataclass(frozen=True, slots=True)
class Counterfactuals:
    """The smallest step along each signal vector that changes the prediction of each image."""

    step: Float64[Tensor, "image direction"]
    """In signal vectors, negative for a step back; NaN where no step was found."""
    value: Float64[Tensor, "image direction"]
    """The same in units of the mean signal value of the direction's positives."""
    reached: Int64[Tensor, "image direction"]
    """Class that is predicted after the step, or the class whose sign changes for a sigmoid head; -1 where no step was found."""
    changed: Bool[Tensor, "image direction"]
    """Running the rest of the network on the moved features gave another prediction."""
    outside: Bool[Tensor, "image direction"]
    """After the step, the image's mean logit of the detector is above 99.5 % or below 99.5 % of those of real images."""


def linear_counterfactuals(
    head: LinearHead,
    pairs: DirectionPairs,
    features: Float[Tensor, "image position dim"],
    *,
    pooled: Float64[Tensor, "image dim"] | None = None,
) -> Counterfactuals:
    """Return the smallest steps for a head that reads the mean over positions, in closed form.

    Args:
        head: The head.
        pairs: Direction pairs.
        features: Features at the positions of each image; the unit of `value` is found in them.
        pooled: Mean feature of each image, where `features` has some of the positions only. None: the mean of `features`.
    """
    pooled = features.mean(1).double() if pooled is None else pooled
    steps, reached, changed = [], [], []
    for signal in pairs.signals.T:
        parts = [_closed_form(head, some, signal) for some in torch.split(pooled, max(1, _PART // len(head.bias)))]
        step, target, ran = (torch.cat(each) for each in zip(*parts, strict=True))
        steps.append(step)
        reached.append(target)
        changed.append(ran)
    return _with_units(pairs, features, pooled, *(torch.stack(each, 1) for each in (steps, reached, changed)))


def searched_counterfactuals(
    rest: Rest,
    pairs: DirectionPairs,
    features: Float[Tensor, "image position dim"],
    *,
    most: float = 4.0,
    grid: int = 32,
    halvings: int = 24,
    sigmoid: bool = False,
) -> Counterfactuals:
    """Return the smallest steps for any rest of a network, searched by running it.

    Steps of a grid are tried from the smallest on, forward and back; the first that changes the prediction is made smaller by
    halving. A change that appears and disappears again between two steps of the grid is not seen.

    Args:
        rest: The rest of the network.
        pairs: Direction pairs.
        features: Features at the positions of each image.
        most: The largest step, in units of the mean signal value of the direction's positives.
        grid: Steps of the grid, in each of the two ways.
        halvings: How often the interval of a change is halved.
        sigmoid: The classes of the network do not exclude each other: a class is predicted where its logit is above 0.
    """
    strengths = mean_strengths(pairs, features)
    before = rest(features)
    steps, reached, changed = [], [], []
    for signal, strength in zip(pairs.signals.T, strengths.tolist(), strict=True):
        search = _Search(rest, features, before, signal, sigmoid)
        step = search.smallest(most * strength, grid, halvings) if strength == strength else _none(before)
        after = search.logits(step.nan_to_num())
        found = search.differs(after) & step.isfinite()
        steps.append(step)
        changed.append(found)
        reached.append(_reached(before, after, sigmoid).where(found, -1))
    pooled = features.mean(1)
    return _with_units(pairs, features, pooled, *(torch.stack(each, 1) for each in (steps, reached, changed)))


def linear_rest(head: LinearHead) -> Rest:
    """Return a head behind the mean over positions as the rest of a network.

    Args:
        head: The head.
    """
    return lambda features: features.mean(1) @ head.weight.T + head.bias


@dataclass(frozen=True, slots=True)
class _Search:
    rest: Rest
    features: Tensor
    before: Tensor
    signal: Tensor
    sigmoid: bool

    def logits(self, steps: Tensor, images: Tensor | slice = slice(None)) -> Tensor:
        return self.rest(self.features[images] + steps[:, None, None] * self.signal)

    def differs(self, after: Tensor, images: Tensor | slice = slice(None)) -> Tensor:
        return _differs(self.before[images], after, self.sigmoid)

    def smallest(self, limit: float, grid: int, halvings: int) -> Tensor:
        """Smallest step of each image, NaN where the grid has none."""
        both = torch.stack([self._one_way(way * limit, grid, halvings) for way in (1.0, -1.0)])
        best = both.abs().nan_to_num(torch.inf).argmin(0, keepdim=True)
        return both.gather(0, best)[0]

    def _one_way(self, limit: float, grid: int, halvings: int) -> Tensor:
        found = _none(self.before)
        for number in range(1, grid + 1):
            images = found.isnan().nonzero()[:, 0]
            if not len(images):
                break
            far = torch.full((len(images),), limit * number / grid, dtype=torch.float64, device=found.device)
            differs = self.differs(self.logits(far, images), images)
            images, far = images[differs], far[differs]
            near = far - limit / grid
            for _ in range(halvings if len(images) else 0):
                middle = (near + far) / 2
                differs = self.differs(self.logits(middle, images), images)
                near, far = torch.where(differs, near, middle), torch.where(differs, middle, far)
            found[images] = far
        return found


def _closed_form(head: LinearHead, pooled: Tensor, signal: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Step, class that is reached and whether running the head confirms it, of each image."""
    logits, gains = pooled @ head.weight.T + head.bias, head.weight @ signal
    greatest = head.weight.norm(dim=1).max() * signal.norm()
    if head.sigmoid:
        gaps, rates = -logits, gains.expand_as(logits)
    else:
        own = logits.argmax(1, keepdim=True)
        gaps, rates = logits.gather(1, own) - logits, gains - gains[own]
    ways = torch.where(rates.abs() > _NO_EFFECT * greatest, gaps / rates, torch.inf)
    target = ways.abs().argmin(1)
    step = ways.gather(1, target[:, None])[:, 0] * (1 + _BEYOND)
    found = step.isfinite()
    after = (pooled + step.where(found, 0.0)[:, None] * signal) @ head.weight.T + head.bias
    changed = _differs(logits, after, head.sigmoid)
    return step.where(found, torch.nan), target.where(found, -1), changed & found


def _differs(before: Tensor, after: Tensor, sigmoid: bool) -> Tensor:
    return ((after > 0) != (before > 0)).any(1) if sigmoid else after.argmax(1) != before.argmax(1)


def _reached(before: Tensor, after: Tensor, sigmoid: bool) -> Tensor:
    return ((after > 0) != (before > 0)).int().argmax(1) if sigmoid else after.argmax(1)


def _with_units(
    pairs: DirectionPairs, features: Tensor, pooled: Tensor, step: Tensor, reached: Tensor, changed: Tensor
) -> Counterfactuals:
    value = step / mean_strengths(pairs, features)
    logits = pairs.logits(pooled)
    ends = torch.tensor([OUTSIDE, 1 - OUTSIDE], dtype=logits.dtype, device=logits.device)
    low, high = torch.stack([torch.quantile(each, ends) for each in logits.T], 1)
    moved = logits + step.nan_to_num()
    outside = ((moved < low) | (moved > high)) & step.isfinite()
    return Counterfactuals(step, value, reached, changed, outside)


def _none(logits: Tensor) -> Tensor:
    return torch.full((len(logits),), torch.nan, dtype=torch.float64, device=logits.device)
