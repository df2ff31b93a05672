"""How directions are looked for: restarts, steps, rates, and the weights and bounds of the losses."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Settings:
    """How directions are looked for. Weights and bounds are the paper's, but for those that are called ours."""

    restarts: int = 8
    first_steps: int = 1200
    joint_steps: int = 1500
    first_batch: int = 128
    """Images of a batch in the first phase."""
    joint_batch: int = 512
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
        default_factory=lambda: {
            "sparsity": 0.85,
            "sparsity bound": 2.6,
            "certainty": 0.25,
            "activation": 2.8,
            "overlap": 1.0,
        }
    )
    """The last two as in the paper's large experiment; with their bounds alone, detectors drop a twentieth of their positives."""
    first_bounds: Mapping[str, float] = field(
        default_factory=lambda: {"activation": 0.8, "inactivity": 0.1, "sharpness": 8.0}
    )
    joint_bounds: Mapping[str, float] = field(
        default_factory=lambda: {"activation": 0.8, "inactivity": 0.1, "excess": 0.1, "overlap": 0.1, "sharpness": 20.0}
    )
    """Bound of the sharpness: ours; the paper's 8 tilts filters toward distractors."""
    tolerance: float = 0.02
    """How far a bound may be missed, in its own unit, at least 1."""
    most_positions: int = 8192
    """Positions of a batch at most: where an image has many, a batch has fewer images."""
    precision: Literal["double", "single"] = "double"
    """Arithmetic of the products with features. Single is for large problems: half the time and memory."""
    checkpoint_steps: int = 500
    """Steps between two states that are kept."""

    def missed(self, losses: Mapping[str, Tensor], *, but: str = "") -> Tensor:
        """Return the sum of what the joint bounds (but for one) are missed by beyond the tolerance, (restart,)."""
        bounds = {name: bound for name, bound in self.joint_bounds.items() if name != but}
        beyond = [torch.relu(losses[name] - high - self.tolerance * max(1, high)) for name, high in bounds.items()]
        return torch.stack(beyond).sum(0)
