"""Find direction pairs: several restarts at once, each through all steps; objective and violations choose the best."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from jaxtyping import Float64
from torch import Tensor
from torch.nn.functional import normalize

from sing_compute.directions.alignment import LinearHead, certainty, least_move, signal_move
from sing_compute.directions.lagrangian import AugmentedLagrangian
from sing_compute.directions.losses import detector_losses, overlap
from sing_compute.directions.pairs import DirectionPairs
from sing_compute.directions.signals import SignalSums, signal_vectors

_PART = 1 << 24
"""Most logits that are held at once where all positions are looked at."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How directions are looked for. Weights and bounds are the paper's, but for those that are called ours."""

    restarts: int = 8
    first_steps: int = 1200
    joint_steps: int = 1500
    first_batch: int = 128
    """Images of a batch in the first phase."""
    joint_batch: int = 256
    first_rate: float = 1e-2
    joint_rate: float = 3e-3
    sharpness: float = 0.5
    """Length of the filters at the start."""
    least: float = 1.0
    most: float = 0.5
    way: tuple[float, float] = (0.5, 0.9)
    """Least and greatest share of the way to the hyperplanes that a position is moved, in the joint phase."""
    first_weights: Mapping[str, float] = field(default_factory=lambda: {"sparsity": 2.6, "certainty": 2.5})
    """Weight of the certainty: ours; the paper's is .25, with which a third as many restarts end well."""
    joint_weights: Mapping[str, float] = field(
        default_factory=lambda: {"sparsity": 0.85, "sparsity bound": 2.6, "certainty": 0.25}
    )
    first_bounds: Mapping[str, float] = field(
        default_factory=lambda: {"activation": 0.8, "inactivity": 0.1, "sharpness": 8.0}
    )
    joint_bounds: Mapping[str, float] = field(
        default_factory=lambda: {"activation": 0.8, "inactivity": 0.1, "excess": 0.1, "overlap": 0.1, "sharpness": 20.0}
    )
    """Bound of the sharpness: ours; the paper's 8 tilts filters toward distractors."""
    tolerance: float = 0.02
    """How far a bound may be missed, in its own unit, at least 1."""


@dataclass(frozen=True, slots=True)
class Restarts:
    """The end of every restart."""

    filters: Float64[Tensor, "restart dim direction"]
    thresholds: Float64[Tensor, "restart direction"]
    """A detector fires where filter . x is above it."""
    signals: Float64[Tensor, "restart dim direction"]
    """Signal vectors of the positives, with filter . signal = 1; zeros for a detector without positives."""
    objective: Float64[Tensor, " restart"]
    violation: Float64[Tensor, " restart"]
    """Sum of what bounds are missed by, beyond the tolerance."""
    losses: Mapping[str, Float64[Tensor, " restart"]]

    @property
    def best(self) -> int:
        """The restart with the lowest objective, where a violation of 1 costs 10."""
        return int((self.objective + 10 * self.violation).argmin())

    def pairs(self, restart: int) -> DirectionPairs:
        """Return the direction pairs of one restart."""
        return DirectionPairs(self.filters[restart], self.thresholds[restart], self.signals[restart])


Report = Callable[[str, int, Mapping[str, float]], None]
"""Is told phase, step and mean losses."""


def find_directions(
    features: Float64[Tensor, "image position dim"] | Tensor,
    head: LinearHead,
    count: int,
    *,
    settings: Settings | None = None,
    seed: int = 0,
    report: Report = lambda phase, step, losses: None,
) -> Restarts:
    """Find direction pairs in features, without labels (arXiv 2509.23926, section 4).

    First, orthogonal filters are fitted; then the filters are set free, and their signal vectors are computed anew in each
    step. All restarts are carried through both phases: the objective of the first one alone does not tell good from bad.

    Args:
        features: Feature vectors at the positions of each image; one position for pooled features. Float32 or float64.
        head: The part of the network behind them.
        count: Number of directions, at most dim.
        settings: How to look.
        seed: Seed of starts and batches.
        report: Is called with the losses of every hundredth step.
    """
    settings = settings or Settings()
    generator = torch.Generator().manual_seed(seed)
    centre = _mean(features)
    problem = _Problem(features, centre, features.mean(1).double() - centre, head, settings, generator, report)
    start = _start(features.shape[2], count, settings, generator, features.device)
    start = problem.first_phase(start)
    found = problem.joint_phase(start)
    return problem.ended(found)


@dataclass(slots=True)
class _Detectors:
    """The numbers that are fitted, around the features' mean: filter = sharpness * unit(direction)."""

    direction: Tensor
    """(restart, dim, direction)."""
    log_sharpness: Tensor
    offset: Tensor
    """Threshold around the mean."""

    def filters(self, *, orthogonal: bool) -> Tensor:
        directions = _orthogonal(self.direction) if orthogonal else normalize(self.direction, dim=1)
        return directions * self.log_sharpness.exp()[:, None]

    def parameters(self) -> list[Tensor]:
        return [each.requires_grad_() for each in (self.direction, self.log_sharpness, self.offset)]


@dataclass(frozen=True, slots=True)
class _Problem:
    features: Tensor
    centre: Tensor
    pooled: Tensor
    """Mean feature of each image around `centre`."""
    head: LinearHead
    settings: Settings
    generator: torch.Generator
    report: Report

    @property
    def _centred_head(self) -> LinearHead:
        """The head on features around their mean."""
        bias = self.head.bias + self.head.weight @ self.centre
        return LinearHead(self.head.weight, bias, self.head.sigmoid)

    def first_phase(self, start: _Detectors) -> _Detectors:
        settings, head = self.settings, self._centred_head

        def losses(images: Tensor) -> dict[str, Tensor]:
            filters = start.filters(orthogonal=True)
            logits = self._logits(images, filters, start.offset)
            found = self._losses_of(logits, start)
            residuals = _per_image(logits, len(images))
            found["certainty"] = certainty(head, self.pooled[images], residuals, least_move(filters))
            return found

        self._minimise(
            "orthogonal filters",
            start,
            losses,
            settings.first_weights,
            settings.first_bounds,
            (settings.first_steps, settings.first_rate, settings.first_batch),
        )
        filters = start.filters(orthogonal=True).detach()
        return _Detectors(normalize(filters, dim=1), filters.norm(dim=1).log(), start.offset.detach().clone())

    def joint_phase(self, start: _Detectors) -> _Detectors:
        settings = self.settings
        self._minimise(
            "filters and signals",
            start,
            lambda images: self._joint_losses(start, images, draw=True),
            settings.joint_weights,
            settings.joint_bounds,
            (settings.joint_steps, settings.joint_rate, settings.joint_batch),
        )
        return start

    def _joint_losses(self, start: _Detectors, images: Tensor, *, draw: bool) -> dict[str, Tensor]:
        filters = start.filters(orthogonal=False)
        logits = self._logits(images, filters, start.offset)
        found = self._losses_of(logits, start)
        signals = signal_vectors(self._positions(images), filters, logits)
        found["overlap"] = overlap(filters, signals)
        low, high = self.settings.way
        way = torch.full((1,), (low + high) / 2, dtype=torch.float64, device=logits.device)
        if draw:
            way = torch.rand(logits.shape[2], generator=self.generator, dtype=torch.float64).to(logits.device)
            way = low + (high - low) * way
        residuals = _per_image(logits * way, len(images))
        move = signal_move(filters, signals)
        found["certainty"] = certainty(self._centred_head, self.pooled[images], residuals, move)
        return found

    def _losses_of(self, logits: Tensor, detectors: _Detectors) -> dict[str, Tensor]:
        found = detector_losses(logits, least=self.settings.least, most=self.settings.most)
        found["sharpness"] = detectors.log_sharpness.exp().mean(-1)
        return found

    def _positions(self, images: Tensor) -> Tensor:
        """Features around their mean at all positions of some images, (position, dim)."""
        chosen: Tensor = self.features[images].double()
        return (chosen - self.centre).flatten(0, 1)

    def _logits(self, images: Tensor, filters: Tensor, offset: Tensor) -> Tensor:
        """Return w . x - b at all positions of some images, (restart, direction, position)."""
        return _products(self._positions(images), filters) - offset[..., None]

    def _minimise(
        self,
        phase: str,
        detectors: _Detectors,
        losses: Callable[[Tensor], dict[str, Tensor]],
        weights: Mapping[str, float],
        bounds: Mapping[str, float],
        course: tuple[int, float, int],
    ) -> None:
        steps, rate, batch = course
        parameters = detectors.parameters()
        optimiser = torch.optim.Adam(parameters, lr=rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(steps, 1))
        lagrangian = AugmentedLagrangian(bounds, len(detectors.offset), detectors.offset.device)
        images = len(self.features)
        for step in range(steps):
            chosen = torch.randint(images, (min(batch, images),), generator=self.generator).to(self.features.device)
            found = losses(chosen)
            cost = sum(weight * found[name] for name, weight in weights.items()) + lagrangian.cost(found)
            optimiser.zero_grad()
            torch.autograd.backward(cost.sum())
            optimiser.step()
            schedule.step()
            lagrangian.step({name: value.detach() for name, value in found.items()})
            if step % 100 == 99 or step == steps - 1:
                self.report(phase, step + 1, {name: float(value.detach().mean()) for name, value in found.items()})

    @torch.no_grad()
    def ended(self, detectors: _Detectors) -> Restarts:
        """Look at all positions: signal vectors, losses, objective and violations."""
        filters = detectors.filters(orthogonal=False)
        restarts, _, count = filters.shape
        sums, images = SignalSums.empty(filters), len(self.features)
        per_image = self.features.shape[1] * restarts * count
        numbers = torch.arange(images, device=self.features.device)
        for part in torch.split(numbers, max(1, _PART // max(1, per_image))):
            positions = self._positions(part)
            sums.add(positions, _products(positions, filters) - detectors.offset[..., None])
        some = torch.randperm(images, generator=self.generator)[: max(1, min(images, _PART // max(1, per_image)))]
        losses = self._joint_losses(detectors, some.to(self.features.device), draw=False)
        settings = self.settings
        objective = torch.stack([weight * losses[name] for name, weight in settings.joint_weights.items()]).sum(0)
        beyond = [
            torch.relu(losses[name] - bound - settings.tolerance * max(1.0, bound))
            for name, bound in settings.joint_bounds.items()
        ]
        thresholds = detectors.offset + (filters * self.centre[None, :, None]).sum(1)
        return Restarts(filters, thresholds, sums.vectors(), objective, torch.stack(beyond).sum(0), losses)


def _start(dim: int, count: int, settings: Settings, generator: torch.Generator, device: torch.device) -> _Detectors:
    shape = (settings.restarts, dim, count)
    direction = torch.randn(shape, generator=generator, dtype=torch.float64).to(device)
    sharpness = torch.full((settings.restarts, count), settings.sharpness, dtype=torch.float64, device=device)
    return _Detectors(direction, sharpness.log(), torch.zeros_like(sharpness))


def _orthogonal(directions: Tensor) -> Tensor:
    basis: Tensor
    basis, upper = torch.linalg.qr(directions)
    return basis * torch.sign(torch.diagonal(upper, dim1=-2, dim2=-1))[:, None]


def _products(positions: Tensor, filters: Tensor) -> Tensor:
    """Product of all positions with the filters of all restarts, as one matrix product: (restart, direction, position)."""
    restarts, dim, count = filters.shape
    return (filters.mT.reshape(restarts * count, dim) @ positions.T).reshape(restarts, count, -1)


def _per_image(values: Tensor, images: int) -> Tensor:
    """Mean over the positions of each image, (restart, direction, image)."""
    return values.reshape(*values.shape[:2], images, -1).mean(-1)


def _mean(features: Tensor) -> Tensor:
    """Mean feature over all positions in float64."""
    parts = torch.split(features.flatten(0, 1), 1 << 16)
    total: Tensor = torch.stack([part.double().sum(0) for part in parts]).sum(0)
    return total / (features.shape[0] * features.shape[1])
