"""Take a network that a user has in memory: a copy of it is measured, the user's own stays as it is."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import nn

from sing_compute.errors import SingError
from sing_compute.foreign_code import describe_error
from sing_compute.models.factory_source import WRAPPERS
from sing_compute.models.spec import ModelSpec
from sing_compute.models.user_transform import UserTransform, image_transform


@dataclass(frozen=True, slots=True, eq=False)
class GivenNetwork:
    """A user's network in memory, and perhaps its preprocessing."""

    module: nn.Module
    transform: Callable[[Any], Any] | None = None
    """Makes a tensor (channel, height, width) of a PIL image; None for the network's own `transform`, or timm's."""

    def __str__(self) -> str:
        return f"{type(self.module).__module__}.{type(self.module).__qualname__} in memory"

    def spec(self, name: str) -> ModelSpec:
        """Return the classifier that this network is.

        Args:
            name: Its name in the results file.
        """
        kind = type(_unwrapped(self.module))
        return ModelSpec(name, f"{kind.__module__}:{kind.__qualname__}", network=self)

    def copied(self) -> nn.Module:
        """Return a copy of the network on the CPU, without the wrappers of DDP and torch.compile.

        Raises:
            SingError: The network cannot be copied.
        """
        transform = getattr(self.module, "transform", None)
        try:
            network = copy.deepcopy(_unwrapped(self.module)).cpu()
        except (Exception, SystemExit) as error:  # the user's own code may raise anything, and call sys.exit
            raise SingError(
                f"this {type(self.module).__name__} cannot be copied ({describe_error(error)}), and the run must not change "
                "it: give the function that makes it, as model='module:factory'"
            ) from error
        if transform is not None and not hasattr(network, "transform"):
            network.transform = transform  # it was set on the wrapper
        return network

    @property
    def own_transform(self) -> UserTransform | None:
        """The preprocessing that was given with the network."""
        return None if self.transform is None else image_transform(self.transform)


def _unwrapped(network: nn.Module) -> nn.Module:
    module = network.module if isinstance(network, WRAPPERS) else network
    return getattr(module, "_orig_mod", module)
