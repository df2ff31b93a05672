"""Keep losses below bounds while another one is minimised: the augmented Lagrangian, one for each restart."""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float64
from torch import Tensor

_STATE = ("multiplier", "penalty", "violation")


class AugmentedLagrangian:
    """Multipliers and penalties of bounds on losses (Nocedal and Wright, Numerical Optimization, section 17.4)."""

    EVERY = 100
    """Steps between two updates."""
    GROWTH, LARGEST = 1.2, 100.0
    """Factor of a penalty whose violation has not fallen by a tenth, and its largest value."""

    def __init__(self, bounds: Mapping[str, float], restarts: Sequence[int], device: torch.device) -> None:
        """Begin with multipliers of 0 and penalties of 1.

        Args:
            bounds: Largest value of each loss.
            restarts: Number of independent problems, along one axis or several.
            device: Where they are solved.
        """
        self._names = list(bounds)
        values = torch.tensor(list(bounds.values()), dtype=torch.float64, device=device)
        self._bounds = values.reshape(-1, *(1 for _ in restarts))
        self._multiplier = torch.zeros(len(bounds), *restarts, dtype=torch.float64, device=device)
        self._penalty = torch.ones_like(self._multiplier)
        self._violation = torch.full_like(self._multiplier, torch.inf)
        self._steps = 0

    def cost(self, losses: Mapping[str, Float64[Tensor, "*restart"]]) -> Float64[Tensor, "*restart"]:
        """Return what violations cost now.

        Args:
            losses: The losses, those with bounds among them.
        """
        pushed = torch.relu(self._multiplier + self._penalty * self._gaps(losses))
        return ((pushed.square() - self._multiplier.square()) / (2 * self._penalty)).sum(0)

    @torch.no_grad()
    def step(self, losses: Mapping[str, Float64[Tensor, "*restart"]]) -> None:
        """Count a step of the optimiser; update multipliers and penalties every `EVERY` steps.

        Args:
            losses: The losses of that step.
        """
        self._steps += 1
        if self._steps % self.EVERY:
            return
        gaps = self._gaps(losses)
        self._multiplier = torch.relu(self._multiplier + self._penalty * gaps)
        violation = torch.relu(gaps)
        grown = (self._penalty * self.GROWTH).clamp_max(self.LARGEST)
        self._penalty = torch.where(violation > 0.9 * self._violation, grown, self._penalty)
        self._violation = violation

    def state(self) -> dict[str, Tensor | int]:
        """Return multipliers, penalties, violations and the number of steps."""
        tensors = {name: getattr(self, f"_{name}").clone() for name in _STATE}
        return {**tensors, "lagrangian steps": self._steps}

    def restore(self, state: Mapping[str, Tensor | int]) -> None:
        """Go on from a state.

        Args:
            state: As `state` returns it; other entries are ignored.
        """
        for name in _STATE:
            setattr(self, f"_{name}", torch.as_tensor(state[name]).to(self._bounds.device).clone())
        self._steps = int(state["lagrangian steps"])

    def _gaps(self, losses: Mapping[str, Tensor]) -> Tensor:
        return torch.stack([losses[name] for name in self._names]) - self._bounds
