"""Where a network's linear head is, and what reaches it."""

import math
import threading
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sing_compute.errors import HeadError

AGREEMENT = 1e-3
"""Largest difference of W f + b from the logits, over their spread: far above float32 noise, far below another layer."""


@dataclass(slots=True)
class FeatureTap:
    """A pre-hook on a head: keeps what reached it in this thread's last forward pass, one feature vector per image."""

    head: nn.Module
    _last: threading.local = field(default_factory=threading.local, init=False)

    def __post_init__(self) -> None:
        self.head.register_forward_pre_hook(self._keep, with_kwargs=True)

    def _keep(self, module: nn.Module, inputs: tuple[Tensor, ...], named: dict[str, Tensor]) -> None:
        self._last.features = pooled(next(iter((*inputs, *named.values()))), module).float()

    def take(self) -> Float[Tensor, "image dim"]:
        """The features of the last forward pass; each can be taken once."""
        features: Tensor | None = getattr(self._last, "features", None)
        if features is None:
            raise HeadError(
                "the head was not reached in the last forward pass; does the network skip it for some inputs?"
            )
        self._last.features = None
        return features


def find_head(network: nn.Module, batch: Tensor) -> tuple[str, nn.Linear | nn.Conv2d]:
    """The last executed Linear or 1x1 convolution that turns its input into the network's logits, checked on a batch.

    A head that is applied at every position and averaged afterwards counts too: then the feature is the mean input.

    Raises:
        HeadError: The network returns no single (image, class) tensor, or no layer explains it.
    """
    seen: dict[str, tuple[nn.Linear | nn.Conv2d, Tensor]] = {}
    hooks = []
    for name, module in network.named_modules():
        if isinstance(module, nn.Linear) or (
            isinstance(module, nn.Conv2d) and module.kernel_size == (1, 1) and module.groups == 1
        ):

            def keep(module: nn.Module, inputs: tuple[Tensor, ...], named: dict[str, Tensor], name: str = name) -> None:
                assert isinstance(module, nn.Linear | nn.Conv2d)
                # Of a layer that runs twice only the last run counts, as in FeatureTap.
                seen[name] = (module, next(iter((*inputs, *named.values()))).detach())

            hooks.append(module.register_forward_pre_hook(keep, with_kwargs=True))
    try:
        with torch.inference_mode():
            logits = network(batch)
    finally:
        for hook in hooks:
            hook.remove()
    check_logits(logits)
    if not logits.isfinite().all():
        raise HeadError("the network's logits are not finite on the first images; are these the right weights?")
    if not (logits.amax(1) > logits.amin(1)).any():
        raise HeadError("the network gives all classes the same logit; was its checkpoint loaded?")
    near: list[str] = []
    for name, (module, inputs) in reversed(seen.items()):
        weight, bias = head_parameters(module)
        if weight.shape[0] != logits.shape[1]:
            continue
        own = pooled(inputs, module).double() @ weight.double().T + bias.double()
        difference = relative_difference(own, logits.double())
        if difference <= AGREEMENT:
            return name, module
        near.append(f"{name} ({difference:.2g} of the spread off)")
    hint = f"nearest: {', '.join(near[:3])}" if near else f"no Linear or 1x1 convolution has {logits.shape[1]} outputs"
    raise HeadError(
        f"no linear head gives {type(network).__name__}'s logits; {hint}. "
        "A network that averages two heads or ends in a softmax cannot be split: return the logits of one head"
    )


def check_logits(logits: object) -> None:
    """Refuse outputs that are not one (image, class) tensor.

    Raises:
        HeadError: Naming what came instead.
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
    """Weight as a matrix, and bias (zeros where the head has none)."""
    weight = module.weight.detach().flatten(1)
    bias = weight.new_zeros(len(weight)) if module.bias is None else module.bias.detach()
    return weight, bias


def pooled(inputs: Tensor, module: nn.Module) -> Float[Tensor, "image dim"]:
    """One vector per image: positions are averaged, which a linear head cannot tell from averaging its outputs."""
    if isinstance(module, nn.Conv2d):
        return inputs.mean(dim=(2, 3))
    return inputs if inputs.ndim == 2 else inputs.flatten(1, -2).mean(dim=1)


def relative_difference(left: Tensor, right: Tensor) -> float:
    """Largest difference of two sets of logits over their mean spread; inf where shapes or values do not compare."""
    if left.shape != right.shape:
        return math.inf
    spread = float((right.amax(1) - right.amin(1)).mean())
    difference = float((left - right).abs().max())
    return difference / spread if spread > 0 and math.isfinite(difference) else math.inf
