"""Check that f~ gives the logits of f, in the precision in which the network runs (SING, 3.1)."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(slots=True)
class EquivalenceCheck:
    """Differences between the logits of f and of f~ through the head in float32, added batch by batch.

    Args:
        weight: Weight of the head, as the network has it.
        bias: Bias of the head.
        centred: Compare logits minus their mean, which is all that the softmax depends on.
    """

    weight: Float[Tensor, "classes dim"]
    bias: Float[Tensor, " classes"]
    centred: bool = False
    count: int = 0
    """Images added."""
    flips: int = 0
    """Images whose prediction differs."""
    _spread: float = 0.0
    _change: float = 0.0
    _largest: float = 0.0

    def add(self, features: Float[Tensor, "image dim"], null_part: Float[Tensor, "image dim"]) -> None:
        """Compare one batch of features with their equivalents.

        Args:
            features: Features f.
            null_part: Pi_n f in float64.
        """
        before, after = self._logits(features.float()), self._logits((features.double() - null_part).float())
        self.flips += int((before.argmax(1) != after.argmax(1)).sum())
        self._spread += float((before.amax(1) - before.amin(1)).double().sum())
        change = before.sub_(after).abs_()
        self._change += float(change.mean(1).double().sum())
        self._largest = max(self._largest, float(change.max()))
        self.count += len(features)

    def _logits(self, features: Float[Tensor, "image dim"]) -> Float[Tensor, "image classes"]:
        logits = torch.addmm(self.bias.float(), features, self.weight.float().T)
        return logits - logits.mean(1, keepdim=True) if self.centred else logits

    def finish(self) -> dict[str, float | int]:
        """Return flips, largest and mean logit change over the mean logit spread, and that spread, by store name."""
        spread = self._spread / self.count
        return {
            "flips": self.flips,
            "logit_change_max": self._largest / spread if spread else torch.nan,
            "logit_change_mean": self._change / self.count / spread if spread else torch.nan,
            "logit_spread": spread,
        }
