"""Minimise losses under bounds step by step, so that a search that was interrupted goes on with the same numbers."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor
from torch.nn.functional import normalize

from sing_compute.directions.lagrangian import AugmentedLagrangian
from sing_compute.errors import DirectionsError

State = dict[str, Tensor | int]
"""All that a search needs to go on."""
Report = Callable[[str, int, Mapping[str, float]], None]
"""Is called with phase, step and mean losses."""
REPORT_STEPS = 100
_DETECTORS = ("direction", "log_sharpness", "offset")


@runtime_checkable
class Checkpoint(Protocol):
    """A place that keeps the state of one search: of the same features, settings and seed."""

    def load(self) -> State | None:
        """Return the state saved last; None for a search that begins."""

    def save(self, state: State) -> None:
        """Keep a state in the place of the one before."""


@dataclass(slots=True)
class Detectors:
    """The numbers that are fitted, in the unit of the search and around the mean: filter = sharpness * unit(direction)."""

    direction: Tensor
    """(group, restart, dim, direction)."""
    log_sharpness: Tensor
    """(group, restart, direction)."""
    offset: Tensor
    """Threshold around the mean, (group, restart, direction)."""

    @classmethod
    def drawn(
        cls, shape: tuple[int, int, int, int], sharpness: float, generator: torch.Generator, device: torch.device
    ) -> "Detectors":
        """Draw a start: random directions, thresholds at the mean.

        Args:
            shape: Groups, restarts, dim and directions.
            sharpness: Length of each filter.
            generator: Source of the directions.
            device: Where the numbers are kept.
        """
        direction = torch.randn(shape, generator=generator, dtype=torch.float64).to(device)
        sharp = torch.full((*shape[:2], shape[3]), sharpness, dtype=torch.float64, device=device)
        return cls(direction, sharp.log(), torch.zeros_like(sharp))

    def filters(self, *, orthogonal: bool) -> Tensor:
        """Return the filters, made orthogonal or as they are."""
        directions = _orthogonal(self.direction) if orthogonal else normalize(self.direction, dim=-2)
        return directions * self.log_sharpness.exp()[..., None, :]

    def set_free(self) -> "Detectors":
        """Return detectors whose filters, as they are, are those that were orthogonal by construction."""
        filters = self.filters(orthogonal=True).detach()
        return Detectors(
            normalize(filters, dim=-2).contiguous(), filters.norm(dim=-2).log(), self.offset.detach().clone()
        )

    def parameters(self) -> list[Tensor]:
        """Return the numbers that are fitted, ready for an optimiser."""
        return [getattr(self, name).requires_grad_() for name in _DETECTORS]


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase of a search: its losses, their weights and bounds, and how they are minimised."""

    name: str
    losses: Callable[[Detectors], dict[str, Tensor]]
    """Losses on a batch of the next images, (group, restart) each."""
    weights: Mapping[str, float]
    bounds: Mapping[str, float]
    steps: int
    rate: float
    """Rate of Adam at the first step; it falls to 0 along a cosine."""


@dataclass(frozen=True, slots=True)
class Descent:
    """Phases, one after the other; the filters are set free between them."""

    phases: tuple[Phase, ...]
    generator: torch.Generator
    report: Report
    stop: Callable[[], None]
    """Is called before each step and may raise; the state is then kept first."""
    checkpoint: Checkpoint | None
    checkpoint_steps: int

    def run(self, detectors: Detectors) -> Detectors:
        """Carry detectors through all phases, from the checkpoint on if it has a state.

        Args:
            detectors: The start.

        Raises:
            DirectionsError: The checkpoint is of another search.
        """
        saved, begun = self.checkpoint.load() if self.checkpoint else None, 0
        if saved is not None:
            begun, detectors = _whole(saved["phase"]), self._restored(saved, detectors)
        for number in range(begun, len(self.phases)):
            at_start = saved if saved is not None and number == begun else None
            self._minimise(number, detectors, at_start)
            detectors = detectors.set_free() if number == 0 else detectors
            self._save({"phase": number + 1, "step": 0}, detectors)
        return detectors

    def _minimise(self, number: int, detectors: Detectors, saved: State | None) -> None:
        phase = self.phases[number]
        optimiser = torch.optim.Adam(detectors.parameters(), lr=phase.rate, fused=True)
        lagrangian = AugmentedLagrangian(phase.bounds, detectors.offset.shape[:2], detectors.offset.device)
        begun = 0 if saved is None else _whole(saved["step"])
        if saved is not None and begun:
            _restore_optimiser(optimiser, saved)
            lagrangian.restore(saved)

        def keep(step: int) -> None:
            state = {"phase": number, "step": step, **_optimiser_state(optimiser), **lagrangian.state()}
            self._save(state, detectors)

        for step in range(begun, phase.steps):
            try:
                self.stop()
            except BaseException:
                if step > begun:
                    keep(step)
                raise
            found = phase.losses(detectors)
            cost = sum(weight * found[name] for name, weight in phase.weights.items()) + lagrangian.cost(found)
            optimiser.zero_grad()
            torch.autograd.backward(cost.sum())
            optimiser.param_groups[0]["lr"] = phase.rate * (1 + math.cos(math.pi * step / phase.steps)) / 2
            optimiser.step()
            lagrangian.step({name: value.detach() for name, value in found.items()})
            done = step + 1
            if done % REPORT_STEPS == 0 or done == phase.steps:
                self.report(phase.name, done, {name: float(value.detach().mean()) for name, value in found.items()})
            if done % self.checkpoint_steps == 0 and done < phase.steps:
                keep(done)

    def _save(self, state: State, detectors: Detectors) -> None:
        if self.checkpoint is not None:
            values = {name: getattr(detectors, name).detach().clone() for name in _DETECTORS}
            self.checkpoint.save({**state, **values, "generator": self.generator.get_state()})

    def _restored(self, saved: State, start: Detectors) -> Detectors:
        self.generator.set_state(_tensor(saved["generator"]).cpu())
        found = {name: _tensor(saved[name]).to(start.offset.device).clone() for name in _DETECTORS}
        if any(found[name].shape != getattr(start, name).shape for name in _DETECTORS):
            raise DirectionsError("the saved state is of a search with other sizes; begin again without it")
        return Detectors(**found)


def _optimiser_state(optimiser: torch.optim.Optimizer) -> State:
    state = optimiser.state_dict()["state"]
    return {f"adam {number} {name}": value.clone() for number, own in state.items() for name, value in own.items()}


def _restore_optimiser(optimiser: torch.optim.Optimizer, saved: State) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in saved.items():
        if key.startswith("adam "):
            _, number, name = key.split(" ", 2)
            state.setdefault(int(number), {})[name] = _tensor(value).clone()
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})


def _orthogonal(directions: Tensor) -> Tensor:
    basis: Tensor
    basis, upper = torch.linalg.qr(directions)
    return basis * torch.sign(torch.diagonal(upper, dim1=-2, dim2=-1))[..., None, :]


def _whole(value: Tensor | int) -> int:
    return int(value)


def _tensor(value: Tensor | int) -> Tensor:
    return torch.as_tensor(value)
