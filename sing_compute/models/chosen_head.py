"""Make one head of a network that has several the network's answer: `--head-of NAME`."""

import threading
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from sing_compute.errors import HeadError
from sing_compute.models.head import AGREEMENT, average_positions, logits_of, relative_difference
from sing_compute.models.spec import ModelSpec

LISTED = 8
"""Most layers that an error names."""


@dataclass(slots=True)
class ChosenHead:
    """Hooks on a network and on one of its heads: a call of the network then returns the logits of this head."""

    network: nn.Module
    name: str
    """The head's name in the network."""
    own_differs: bool = False
    """True if the network's own answer in the last call was another than that of the head."""
    _last: threading.local = field(default_factory=threading.local, init=False)

    def __post_init__(self) -> None:
        head = self.network.get_submodule(self.name)
        head.register_forward_hook(self._keep)
        self.network.register_forward_hook(self._answer)

    def check_found(self, layer: str) -> None:
        """Refuse a linear layer that gives the same logits but is not in the chosen head.

        Args:
            layer: Name of the layer that was found by its logits.

        Raises:
            HeadError: The layer is another one.
        """
        if layer != self.name and not layer.startswith(f"{self.name}."):
            raise HeadError(f"--head-of {self.name}: its logits are those of {layer}; give --head-of {layer}")

    def warnings(self) -> list[str]:
        """Return what must be said beside the figures: nothing if the network's own answer is that of the head."""
        if not self.own_differs:
            return []
        return [
            f"predictions, accuracy and scores are those of its head {self.name} (--head-of); the network's own answer is "
            "another, because it has several heads"
        ]

    def _keep(self, module: nn.Module, inputs: tuple[Any, ...], output: object) -> None:
        self._last.logits = output

    def _answer(self, network: nn.Module, inputs: tuple[Any, ...], output: object) -> Tensor:
        logits: object = getattr(self._last, "logits", None)
        self._last.logits = None
        if not isinstance(logits, Tensor) or logits.ndim < 2:
            reason = "does not run" if logits is None else "does not give logits"
            raise HeadError(f"--head-of {self.name}: this layer {reason} for an image; {_there_are(network, None)}")
        if logits.ndim > 2:
            image_like = nn.Conv2d(1, 1, 1) if logits.ndim == 4 else nn.Identity()
            logits = average_positions(logits, image_like)
        own = _own_logits(output)
        if own is not None and own.shape != logits.shape:
            raise HeadError(
                f"--head-of {self.name}: this layer gives {logits.shape[1]} values per image, the network {own.shape[1]} "
                f"logits; {_there_are(network, own.shape[1])}"
            )
        self.own_differs = own is None or not relative_difference(logits.float(), own.float()) <= AGREEMENT
        return logits


def choose_head(network: nn.Module, spec: ModelSpec, classes: int | None) -> ChosenHead | None:
    """Put the hooks on a network whose head the user chooses.

    Args:
        network: The network with its weights.
        spec: Names the head; without a name the network is left as it is.
        classes: Number of its outputs, by which an error names possible heads; None if it is not known.

    Raises:
        HeadError: There is no such layer, or the head comes from a file.
    """
    if not spec.head_of:
        return None
    if spec.head is not None or classes == 0:
        raise HeadError(f"{spec.name}: --head-of chooses among the heads of a network; this is a backbone without one")
    if spec.head_of not in dict(network.named_modules()):
        raise HeadError(
            f"{spec.name}: --head-of {spec.head_of}: it has no layer of this name; {_there_are(network, classes)}"
        )
    return ChosenHead(network, spec.head_of)


def _there_are(network: nn.Module, classes: int | None) -> str:
    """List the linear layers of a network, last ones first: those of the right number of outputs, if there are any."""
    linear = {name: module for name, module in network.named_modules() if isinstance(module, nn.Linear | nn.Conv2d)}
    linear = {name: m for name, m in linear.items() if isinstance(m, nn.Linear) or m.kernel_size == (1, 1)}
    fitting = [name for name, module in linear.items() if len(module.weight) == classes]
    names = (fitting or list(linear))[::-1]
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return (
        f"its linear layers{f' of {classes} outputs' if fitting else ''}: {', '.join(names[:LISTED]) or 'none'}{more}"
    )


def _own_logits(output: object) -> Tensor | None:
    """Return the network's own logits; None if it returns several tensors or something else."""
    try:
        return logits_of(output)
    except HeadError:
        return None
