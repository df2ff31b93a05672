"""Find a network's linear head, and capture the features that reach it."""

import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sing_compute.errors import HeadError

AGREEMENT = 1e-3
"""Largest accepted difference between W f + b and the logits, over the spread of the logits. Rounding in float32 is far below
it, the error of any other layer is far above."""
RANDOM = (
    "it gives another result for the same image each time: is dropout active in evaluation? F.dropout needs "
    "training=self.training"
)


@dataclass(slots=True)
class FeatureTap:
    """A pre-hook on a head. It keeps the head's input of the last forward pass in this thread, one feature vector per image."""

    head: nn.Module
    _last: threading.local = field(default_factory=threading.local, init=False)

    def __post_init__(self) -> None:
        self.head.register_forward_pre_hook(self._keep, with_kwargs=True)

    def _keep(self, module: nn.Module, inputs: tuple[Tensor, ...], named: dict[str, Tensor]) -> None:
        self._last.features = average_positions(next(iter((*inputs, *named.values()))), module).float()

    def take(self) -> Float[Tensor, "image dim"]:
        """Return the features of the last forward pass in this thread, float32, and forget them.

        Raises:
            HeadError: There was no forward pass, or it did not reach the head.
        """
        features: Tensor | None = getattr(self._last, "features", None)
        if features is None:
            raise HeadError(
                "the head was not reached in the last forward pass; does the network skip it for some inputs?"
            )
        self._last.features = None
        return features


def find_head(
    network: nn.Module, batch: Tensor, *, expected: Tensor | None = None
) -> tuple[str, nn.Linear | nn.Conv2d]:
    """Find the last executed Linear or 1x1 convolution whose output equals the network's logits on a batch.

    A head that is applied at every position and averaged afterwards is found too; the feature is then the mean input.

    Args:
        network: A classifier in evaluation mode.
        batch: Transformed images (image, channel, height, width), on the network's device.
        expected: Logits of an earlier pass of the same batch; None if there was none.

    Returns:
        The layer's name in the network, and the layer.

    Raises:
        HeadError: The network does not return one tensor (image, classes), or not the expected one, or no layer gives it.
    """
    seen: dict[str, tuple[nn.Linear | nn.Conv2d, Tensor]] = {}
    hooks = []
    for name, module in network.named_modules():
        if isinstance(module, nn.Linear) or (
            isinstance(module, nn.Conv2d) and module.kernel_size == (1, 1) and module.groups == 1
        ):

            def keep(module: nn.Module, inputs: tuple[Tensor, ...], named: dict[str, Tensor], name: str = name) -> None:
                assert isinstance(module, nn.Linear | nn.Conv2d)
                # If a layer runs twice, its last run counts, as in FeatureTap.
                seen[name] = (module, next(iter((*inputs, *named.values()))).detach())

            hooks.append(module.register_forward_pre_hook(keep, with_kwargs=True))
    try:
        with torch.inference_mode():
            logits = logits_of(network(batch))
    finally:
        for hook in hooks:
            hook.remove()
    if not logits.isfinite().all():
        raise HeadError("the network's logits are not finite on the first images; are these the right weights?")
    if not (logits.amax(1) > logits.amin(1)).any():
        raise HeadError("the network gives all classes the same logit; was its checkpoint loaded?")
    if expected is not None and relative_difference(logits, expected) > AGREEMENT:
        raise HeadError(RANDOM)
    near: list[str] = []
    for name, (module, inputs) in reversed(seen.items()):
        weight, bias = head_parameters(module)
        if weight.shape[0] != logits.shape[1]:
            continue
        own = average_positions(inputs, module).double() @ weight.double().T + bias.double()
        difference = relative_difference(own, logits.double())
        if difference <= AGREEMENT:
            return name, module
        near.append(f"{name} ({difference:.2g} of the spread off)")
    hint = f"nearest: {', '.join(near[:3])}" if near else f"no Linear or 1x1 convolution has {logits.shape[1]} outputs"
    raise HeadError(
        f"no linear head gives {type(network).__name__}'s logits; {hint}. "
        "A network that averages two heads or ends in a softmax cannot be split: choose a head with --head-of NAME, or return "
        "the logits of one head"
    )


def logits_of(output: object) -> Tensor:
    """Return the logits in a network's output: one tensor, or an object or dict with `logits`, as of Hugging Face.

    Args:
        output: Whatever the network returned.

    Raises:
        HeadError: The output is something else; the message names it.
    """
    if isinstance(output, Mapping):
        output = output.get("logits", output)
    elif not isinstance(output, Tensor):
        output = getattr(output, "logits", output)
    check_logits(output)
    assert isinstance(output, Tensor)
    return output


def check_logits(logits: object) -> None:
    """Raise an error if a network's output is not one tensor (image, classes).

    Args:
        logits: Whatever the network returned.

    Raises:
        HeadError: The output is something else; the message names it.
    """
    if not isinstance(logits, Tensor):
        size = f" of {len(logits)}" if isinstance(logits, tuple | list | dict) else ""
        raise HeadError(
            f"the network returns a {type(logits).__name__}{size}, not one tensor of logits; wrap it so that it does"
        )
    if logits.ndim != 2:
        raise HeadError(
            f"the network returns a tensor of shape {tuple(logits.shape)}; one row of logits per image is needed"
        )
    if logits.shape[1] < 2:
        raise HeadError("the network returns one logit per image; one per class, of at least two classes, is needed")


def head_parameters(module: nn.Linear | nn.Conv2d) -> tuple[Float[Tensor, "classes dim"], Float[Tensor, " classes"]]:
    """Return weight and bias of a head; a convolution's weight as a matrix, a missing bias as zeros."""
    weight = module.weight.detach().flatten(1)
    bias = weight.new_zeros(len(weight)) if module.bias is None else module.bias.detach()
    return weight, bias


def average_positions(inputs: Tensor, module: nn.Module) -> Float[Tensor, "image dim"]:
    """Average a head's input over positions, to one vector per image.

    For a linear head this gives the same logits as averaging its outputs.

    Args:
        inputs: (image, dim), (image, position..., dim) for a Linear, or (image, dim, height, width) for a convolution.
        module: The head.
    """
    if isinstance(module, nn.Conv2d):
        return inputs.mean(dim=(2, 3))
    return inputs if inputs.ndim == 2 else inputs.flatten(1, -2).mean(dim=1)


def relative_difference(left: Tensor, right: Tensor) -> float:
    """Return the largest difference of two sets of logits over the mean spread of `right`; inf if they cannot be compared."""
    if left.shape != right.shape:
        return math.inf
    spread = float((right.amax(1) - right.amin(1)).mean())
    difference = float((left - right).abs().max())
    return difference / spread if spread > 0 and math.isfinite(difference) else math.inf
