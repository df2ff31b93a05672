"""Make one float tensor of whatever a user's transform returns, where its meaning is plain."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from sing_compute.errors import SingError

CHANNELS = (1, 3, 4)
"""Numbers of channels by which the last axis of an array is known as its channels."""
NUMERIC = "fiub"
"""numpy's letters of floating point, signed and unsigned integers, and booleans."""


class TransformResultError(SingError):
    """A transform returns something that is not the tensor of one image."""


def image_tensor(result: object) -> Tensor:
    """Return the tensor of one image.

    Taken are a tensor or numpy array (channel, height, width); an array (height, width, channel), as PIL and OpenCV have it;
    a batch of one image; and a dict, sequence or object that holds exactly one of these. Floating point of any other
    precision becomes float32; integers remain, for a network may read them.

    Args:
        result: Return value of a transform.

    Raises:
        TransformResultError: The result is something else; the message names it and says what to do.
    """
    found = _only_array(result)
    if isinstance(found, np.ndarray):
        if found.ndim in (3, 4) and found.shape[-1] in CHANNELS and found.shape[-3] not in CHANNELS:
            found = np.moveaxis(found, -1, -3)
        value = torch.from_numpy(np.ascontiguousarray(found))
    else:
        value = found if type(found) is Tensor else found.as_subclass(Tensor)
    if value.ndim == 4:
        if len(value) != 1:
            raise TransformResultError(
                f"the transform gives {len(value)} images {tuple(value.shape)} for one; it must give one tensor "
                "(channel, height, width)"
            )
        value = value[0]
    if value.is_floating_point() and value.dtype != torch.float32:
        value = value.float()
    return value.detach().cpu() if value.requires_grad or value.device.type != "cpu" else value


def _only_array(result: object) -> Tensor | NDArray[Any]:
    """Return the tensor or numeric array that a result is, or the only one that it holds."""
    if isinstance(result, Tensor) or (isinstance(result, np.ndarray) and result.dtype.kind in NUMERIC):
        return result
    parts: list[object] = []
    named: list[str] = []
    if isinstance(result, Mapping):
        named = [str(key) for key, value in result.items() if _holds_array(value)]
        parts = [value for value in result.values() if _holds_array(value)]
    elif isinstance(result, list | tuple):
        parts = [value for value in result if _holds_array(value)]
    elif hasattr(result, "__dict__") and not isinstance(result, Image.Image | type):
        named = [name for name, value in vars(result).items() if _holds_array(value)]
        parts = [value for value in vars(result).values() if _holds_array(value)]
    if len(parts) == 1:
        return _only_array(parts[0])
    if isinstance(result, Image.Image):
        raise TransformResultError("the transform gives a PIL image, not a tensor; end it with transforms.ToTensor()")
    held = f" of {len(parts)} tensors" if parts else " without a tensor"
    names = f" ({', '.join(named[:4])})" if named else ""
    kind = "None" if result is None else f"a {type(result).__name__}{held}{names}"
    raise TransformResultError(f"the transform gives {kind}, not one tensor (channel, height, width)")


def _is_array(value: object) -> bool:
    return isinstance(value, Tensor) or (isinstance(value, np.ndarray) and value.dtype.kind in NUMERIC)


def _holds_array(value: object) -> bool:
    """Return True for an array, and for a list of one, as the processors of Hugging Face return it."""
    return _is_array(value) or (isinstance(value, list | tuple) and len(value) == 1 and _is_array(value[0]))


def preprocessing_text(
    size: int | Sequence[int], interpolation: str, crop: float | str, mean: Sequence[float], std: Sequence[float]
) -> str:
    """Return how images become tensors, in one line that is said and stored.

    Args:
        size: Side of the input in pixels, or channels, rows and columns.
        interpolation: Filter of the resize.
        crop: Part of the resized image that the network sees, or open_clip's way to make it square.
        mean: Subtracted from each channel, after pixels were scaled to 0..1.
        std: Divisor of each channel.
    """
    sides = "x".join(str(side) for side in size) if isinstance(size, Sequence) else str(size)
    means, deviations = (" ".join(f"{value:.4g}" for value in values) for values in (mean, std))
    return f"{sides}, {interpolation}, crop {crop}, mean {means}, std {deviations}"
