"""Find the preprocessing that a user's network brings in its attribute `transform`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from PIL import Image
from torch import nn

TRIAL_SIDE = 256
"""Side in pixels of the grey image on which a transform is tried."""
_KNOWN = ("torchvision.transforms", "timm.data")
"""Packages whose transforms take PIL images."""
UserTransform = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class ArrayByName:
    """A transform that is called as those of albumentations: with a uint8 array (height, width, 3), by name."""

    transform: Callable[..., Any]

    def __call__(self, image: Image.Image) -> Any:
        """Return whatever the transform makes of an image."""
        return self.transform(image=np.array(image.convert("RGB")))


def grey_image() -> Image.Image:
    """Return an image on which a transform or a network can be tried."""
    return Image.new("RGB", (TRIAL_SIDE, TRIAL_SIDE), (127, 127, 127))


def own_transform(network: nn.Module) -> UserTransform | None:
    """Return the preprocessing of a user's network.

    A layer of the network that happens to be called `transform` is none: it has parameters, or takes no PIL image. A
    transform that fails for a PIL image, but takes an array by name, is called in that way.

    Args:
        network: As the user's function returned it.

    Returns:
        A callable that takes a PIL image; None if the network has no preprocessing.
    """
    transform: Any = getattr(network, "transform", None)
    if not callable(transform):
        return None
    is_layer = has_layer_transform(network)
    if not is_layer and type(transform).__module__.startswith(_KNOWN):
        return cast(UserTransform, transform)
    takes_images = _gives_a_result(transform)
    if is_layer and (_has_parameters(transform) or not takes_images):
        return None
    if takes_images is None and _gives_a_result(by_name := ArrayByName(transform)):
        return by_name
    return cast(UserTransform, transform)


def image_transform(transform: UserTransform) -> UserTransform:
    """Return a transform in the form that takes a PIL image.

    Args:
        transform: Takes a PIL image, or, by name, a uint8 array (height, width, 3), as those of albumentations do.
    """
    if type(transform).__module__.startswith(_KNOWN) or _gives_a_result(transform) is not None:
        return transform
    by_name = ArrayByName(transform)
    return by_name if _gives_a_result(by_name) else transform


def has_layer_transform(network: nn.Module) -> bool:
    """Return True if `transform` is a submodule of the network."""
    return "transform" in dict(network.named_children())


def _has_parameters(transform: object) -> bool:
    return isinstance(transform, nn.Module) and any(True for _ in transform.parameters())


def _gives_a_result(transform: UserTransform) -> bool | None:
    """Return True if a transform makes something of a grey image, False if it gives an image back; None if it fails."""
    try:
        result = transform(grey_image())
    except (Exception, SystemExit):  # a user's code may raise anything; on the images of the run its error is reported
        return None
    return not isinstance(result, Image.Image)
