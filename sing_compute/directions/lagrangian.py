"""Keep losses below bounds while another one is minimised: the augmented Lagrangian, one for each restart."""

from collections.abc import Mapping

import torch
from jaxtyping import Float64
from torch import Tensor


class AugmentedLagrangian:
    """Multipliers and penalties of bounds on losses (Nocedal and Wright, Numerical Optimization, section 17.4)."""

    EVERY = 100
    """Steps between two updates."""
    GROWTH, LARGEST = 1.2, 100.0
    """Factor of a penalty whose violation has not fallen by a tenth, and its largest value."""

    def __init__(self, bounds: Mapping[str, float], restarts: int, device: torch.device) -> None:
        """Begin with multipliers of 0 and penalties of 1.

        Args:
            bounds: Largest value of each loss.
            restarts: Number of independent problems.
            device: Where they are solved.
        """
        self.bounds = dict(bounds)
        self._multiplier = {name: torch.zeros(restarts, dtype=torch.float64, device=device) for name in bounds}
        self._penalty = {name: torch.ones_like(each) for name, each in self._multiplier.items()}
        self._violation = {name: torch.full_like(each, torch.inf) for name, each in self._multiplier.items()}
        self._steps = 0

    def cost(self, losses: Mapping[str, Float64[Tensor, " restart"]]) -> Float64[Tensor, " restart"]:
        """Return what violations cost now.

        Args:
            losses: The losses, those with bounds among them.
        """
        parts = []
        for name, bound in self.bounds.items():
            multiplier, penalty = self._multiplier[name], self._penalty[name]
            pushed = torch.relu(multiplier + penalty * (losses[name] - bound))
            parts.append((pushed**2 - multiplier**2) / (2 * penalty))
        return torch.stack(parts).sum(0)

    @torch.no_grad()
    def step(self, losses: Mapping[str, Float64[Tensor, " restart"]]) -> None:
        """Count a step of the optimiser; update multipliers and penalties every `EVERY` steps.

        Args:
            losses: The losses of that step.
        """
        self._steps += 1
        if self._steps % self.EVERY:
            return
        for name, bound in self.bounds.items():
            gap = losses[name] - bound
            self._multiplier[name] = torch.relu(self._multiplier[name] + self._penalty[name] * gap)
            violation = torch.relu(gap)
            grown = (self._penalty[name] * self.GROWTH).clamp_max(self.LARGEST)
            self._penalty[name] = torch.where(violation > 0.9 * self._violation[name], grown, self._penalty[name])
            self._violation[name] = violation
