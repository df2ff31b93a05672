"""Find direction pairs: several restarts at once, each through all steps; objective and violations choose the best."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from sing_compute.directions.alignment import LinearHead, certainty, signal_move
from sing_compute.directions.descent import Checkpoint, Descent, Detectors, Phase, Report
from sing_compute.directions.feature_space import FeatureSpace, feature_space
from sing_compute.directions.losses import detector_losses, overlap
from sing_compute.directions.pairs import DirectionPairs
from sing_compute.directions.settings import Settings
from sing_compute.directions.signals import SignalSums, signal_vectors
from sing_compute.errors import DirectionsError

__all__ = ["Restarts", "Settings", "find_directions", "find_in_subsets"]

_PART = 1 << 24
"""Most logits that are held at once where all positions are looked at."""


@dataclass(frozen=True, slots=True)
class Restarts:
    """The end of every restart; vectors and thresholds are in the unit of the raw features."""

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


def find_directions(
    features: Float[Tensor, "image position dim"],
    head: LinearHead,
    count: int,
    *,
    pooled: Float[Tensor, "image dim"] | None = None,
    settings: Settings | None = None,
    seed: int = 0,
    report: Report = lambda phase, step, losses: None,
    stop: Callable[[], None] = lambda: None,
    checkpoint: Checkpoint | None = None,
) -> Restarts:
    """Find direction pairs in features, without labels (arXiv 2509.23926, section 4).

    First, orthogonal filters are fitted; then the filters are set free, and their signal vectors are computed anew in each
    step. All restarts are carried through both phases: the objective of the first one alone does not tell good from bad.

    Args:
        features: Feature vectors at the positions of each image; one position for pooled features.
        head: The part of the network behind them.
        count: Number of directions, at most dim.
        pooled: The feature of each image that the head reads; None: the mean over its positions.
        settings: How to look.
        seed: Seed of starts and batches.
        report: Is called with the losses of every hundredth step.
        stop: Is called before each step; what it raises ends the search.
        checkpoint: Keeps the state; a search goes on from there with exactly the same numbers.

    Raises:
        DirectionsError: The features or the count are of no use, or the checkpoint is of another search.
    """
    return find_in_subsets(
        features,
        head,
        count,
        [torch.arange(len(features))],
        pooled=pooled,
        settings=settings,
        seed=seed,
        report=report,
        stop=stop,
        checkpoint=checkpoint,
    )[0]


def find_in_subsets(
    features: Float[Tensor, "image position dim"],
    head: LinearHead,
    count: int,
    subsets: Sequence[Int64[Tensor, " _"]],
    *,
    pooled: Float[Tensor, "image dim"] | None = None,
    settings: Settings | None = None,
    seed: int = 0,
    report: Report = lambda phase, step, losses: None,
    stop: Callable[[], None] = lambda: None,
    checkpoint: Checkpoint | None = None,
) -> list[Restarts]:
    """Find direction pairs in several subsets of the images at once: little slower than one where the counts are small.

    Each subset has starts and batches of its own. Centre and unit are those of all images.

    Args:
        features: As for `find_directions`, like all that is not named here.
        head: As there.
        count: As there.
        subsets: Numbers of the images of each subset.
        pooled: As there.
        settings: As there; each subset has that many restarts.
        seed: As there.
        report: As there; losses are means over all subsets.
        stop: As there.
        checkpoint: As there.

    Raises:
        DirectionsError: As there.
    """
    settings = settings or Settings()
    images, _, dim = features.shape
    if head.weight.shape[1] != dim:
        raise DirectionsError(f"features have {dim} columns but the head reads {head.weight.shape[1]}")
    if not 1 <= count <= dim:
        raise DirectionsError(
            f"{count} directions are asked for, but features have {dim} dimensions; ask for 1 to {dim}"
        )
    if min(map(len, subsets)) < 2:
        raise DirectionsError(f"directions need at least two images in each part; there are {images} images")
    generator, device = torch.Generator().manual_seed(seed), features.device
    space = feature_space(features)
    if (varying := dim - space.constant.shape[1]) < count:
        raise DirectionsError(
            f"{count} directions are asked for, but features vary along {varying} only; ask for at most {varying}"
        )
    read = features.mean(1, dtype=torch.float64) if pooled is None else pooled
    weight = head.weight * space.unit
    scaled_head = LinearHead(weight, head.bias + head.weight @ space.centre, head.sigmoid)
    parts = [subset.to(device) for subset in subsets]
    still = space.scaled(read, torch.float64) @ weight.T + scaled_head.bias
    problem = _Problem(features, space, scaled_head, still, settings, parts, generator)
    descent = Descent(problem.phases(), generator, report, stop, checkpoint, settings.checkpoint_steps)
    found = descent.run(
        Detectors.drawn((len(subsets), settings.restarts, dim, count), settings.sharpness, generator, device)
    )
    return [problem.ended(found, group) for group in range(len(subsets))]


@dataclass(frozen=True, slots=True)
class _Problem:
    """Features in the unit of the search, and the losses of detectors on them."""

    features: Tensor
    space: FeatureSpace
    head: LinearHead
    """In the unit of the search."""
    still: Tensor
    """Its logits of each image."""
    settings: Settings
    subsets: list[Tensor]
    generator: torch.Generator

    @property
    def dtype(self) -> torch.dtype:
        return torch.float32 if self.settings.precision == "single" else torch.float64

    def phases(self) -> tuple[Phase, Phase]:
        of = self.settings

        def first(detectors: Detectors) -> dict[str, Tensor]:
            return self._first_losses(detectors, self._batch(of.first_batch))

        def joint(detectors: Detectors) -> dict[str, Tensor]:
            return self._joint_losses(detectors, self._batch(of.joint_batch), draw=True)

        return (
            Phase("orthogonal filters", first, of.first_weights, of.first_bounds, of.first_steps, of.first_rate),
            Phase("filters and signals", joint, of.joint_weights, of.joint_bounds, of.joint_steps, of.joint_rate),
        )

    def _batch(self, images: int) -> Tensor:
        """Numbers of the images of a batch of each subset, (group, image)."""
        images = min(images, len(self.features), max(1, self.settings.most_positions // self.features.shape[1]))
        device = self.features.device
        drawn = [torch.randint(len(own), (images,), generator=self.generator).to(device) for own in self.subsets]
        return torch.stack([own[chosen] for own, chosen in zip(self.subsets, drawn, strict=True)])

    def _first_losses(self, detectors: Detectors, images: Tensor) -> dict[str, Tensor]:
        filters = detectors.filters(orthogonal=True)
        positions = self._positions(images)
        logits = _logits(positions, filters, detectors.offset)
        found = self._losses_of(logits, detectors)
        way = torch.ones(1, dtype=self.dtype, device=logits.device)
        residuals = _residuals(positions, logits, filters, detectors.offset, way, images.shape[1])
        found["certainty"] = certainty(
            self.head, self.still[images], residuals, filters / filters.square().sum(-2, keepdim=True)
        )
        return found

    def _joint_losses(self, detectors: Detectors, images: Tensor, *, draw: bool) -> dict[str, Tensor]:
        filters, positions = detectors.filters(orthogonal=False), self._positions(images)
        logits = _logits(positions, filters, detectors.offset)
        found = self._losses_of(logits, detectors)
        signals = signal_vectors(positions, filters, logits).double()
        found["overlap"] = overlap(filters, signals)
        low, high = self.settings.way
        way = torch.full((1,), (low + high) / 2, dtype=torch.float64)
        if draw:
            way = low + (high - low) * torch.rand(logits.shape[-1], generator=self.generator, dtype=torch.float64)
        residuals = _residuals(positions, logits, filters, detectors.offset, way.to(logits), images.shape[1])
        found["certainty"] = certainty(self.head, self.still[images], residuals, signal_move(filters, signals))
        return found

    def _losses_of(self, logits: Tensor, detectors: Detectors) -> dict[str, Tensor]:
        found = detector_losses(logits, least=self.settings.least, most=self.settings.most)
        found["sharpness"] = detectors.log_sharpness.exp().mean(-1)
        return {name: value.double() for name, value in found.items()}

    def _positions(self, images: Tensor) -> Tensor:
        """Features at all positions of some images of each group in the unit of the search, (group, position, dim)."""
        return self.space.scaled(self.features[images], self.dtype).flatten(1, 2)

    @torch.no_grad()
    def ended(self, found: Detectors, group: int) -> Restarts:
        """Look at all positions of one subset: signal vectors, losses, objective and violations."""
        detectors = Detectors(found.direction[[group]], found.log_sharpness[[group]], found.offset[[group]])
        filters, own, settings = detectors.filters(orthogonal=False), self.subsets[group], self.settings
        sums, per_image = SignalSums.empty(filters[0]), self.features.shape[1] * detectors.offset.numel()
        for part in torch.split(own, max(1, _PART // per_image)):
            positions = self._positions(part[None])
            sums.add(positions[0], _logits(positions, filters, detectors.offset)[0])
        some = torch.randperm(len(own), generator=self.generator)[: max(1, _PART // per_image)].to(own.device)
        losses = {name: value[0] for name, value in self._joint_losses(detectors, own[some][None], draw=False).items()}
        objective = torch.stack([weight * losses[name] for name, weight in settings.joint_weights.items()]).sum(0)
        space = self.space
        raw = space.without_constant(filters[0]) / space.unit
        signals = sums.vectors() * space.unit
        products = (raw * signals).sum(1, keepdim=True)
        signals = torch.where(products == 0, signals, signals / products)  # 1 but for rounding
        thresholds = detectors.offset[0] + (raw * space.centre[:, None]).sum(1)
        return Restarts(raw, thresholds, signals, objective, settings.missed(losses), losses)


def _logits(positions: Tensor, filters: Tensor, offset: Tensor) -> Tensor:
    """Return w . x - b as one product a group, (group, restart, direction, position); positions (group, position, dim)."""
    groups, restarts, dim, count = filters.shape
    rows = filters.mT.reshape(groups, restarts * count, dim).to(positions.dtype)
    logits = torch.baddbmm(-offset.to(positions.dtype).reshape(groups, -1, 1), rows, positions.mT)
    return logits.reshape(groups, restarts, count, -1)


def _residuals(positions: Tensor, logits: Tensor, filters: Tensor, offset: Tensor, way: Tensor, images: int) -> Tensor:
    """Mean over the positions of each image of `way` times w . x - b, (group, restart, direction, image).

    Where an image has several positions, from the mean of `way` times x, which is smaller than the logits.
    """
    each = positions.shape[1] // images
    if each == 1:
        return logits * way
    way = way.expand(positions.shape[1]).reshape(images, 1, each) / each
    pooled = (way @ positions.reshape(len(positions), images, each, -1))[:, :, 0]
    share = way.sum((1, 2))
    return _logits(pooled, filters, torch.zeros_like(offset)) - offset.to(pooled.dtype)[..., None] * share
