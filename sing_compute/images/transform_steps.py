"""Run the steps of several image transforms once where they begin alike."""

import copy
import hashlib
import io
import pickle
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from sing_compute.images.image_bounds import ImageBounds, bounded
from sing_compute.transform_results import image_tensor

Transform = Callable[[Any], Tensor]
"""Makes a tensor (channel, height, width) of a PIL image."""


@dataclass(slots=True)
class _Step:
    """One step that some transforms share, and the steps that follow it in each of them."""

    run: Callable[[Any], Any]
    then: dict[Hashable, "_Step"] = field(default_factory=dict)
    slot: int | None = None
    """Index of its result among all results, if a transform ends here."""


class SharedSteps:
    """A tree of the steps of all transforms: first steps that several transforms share run once."""

    def __init__(self, transforms: Sequence[Transform], bounds: ImageBounds) -> None:
        """Build the tree.

        Args:
            transforms: One for each network.
            bounds: Bounds on the images, also after they were resized.
        """
        self._first: dict[Hashable, _Step] = {}
        self.slots: list[int] = []
        """Index of each transform's tensor among the results; equal transforms share one."""
        for transform in transforms:
            then = self._first
            for run in _steps(transform):
                step = then.setdefault(transform_settings(run) or id(run), _Step(bounded(run, bounds)))
                then = step.then
            if step.slot is None:
                step.slot = len(set(self.slots))
            self.slots.append(step.slot)

    def __call__(self, image: Image.Image | str) -> list[Tensor]:
        """Return the tensor of every distinct transform, each as if it had run alone.

        Args:
            image: The image, or the key of a stored feature.
        """
        results: dict[int, Tensor] = {}
        _run_steps(self._first, image, results, reused=False)
        return [results[slot] for slot in range(len(results))]


def _steps(transform: Transform) -> list[Callable[[Any], Any]]:
    """Return the steps of torchvision's Compose, of either version; any other transform is one step."""
    kind = type(transform)
    if kind.__name__ != "Compose" or not kind.__module__.startswith("torchvision.transforms"):
        return [transform]
    return [step for part in transform.transforms for step in _steps(part)] or [transform]  # type: ignore[attr-defined]


def _run_steps(steps: dict[Hashable, _Step], value: Any, results: dict[int, Tensor], *, reused: bool) -> None:
    """Run all steps on a value. A step may change its input, so each but the last user of a value gets a copy."""
    for left, step in zip(range(len(steps) - 1, -1, -1), steps.values(), strict=True):
        made = step.run(_copy(value) if left or reused else value)
        if step.slot is not None:
            results[step.slot] = image_tensor(made)
        _run_steps(step.then, made, results, reused=step.slot is not None)


def _copy(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.clone()
    return value.copy() if isinstance(value, Image.Image) else copy.deepcopy(value)


class _Settings(pickle.Pickler):
    """Pickle tensors by their values: torch's own pickles of equal tensors differ."""

    def reducer_override(self, value: Any) -> Any:
        return (torch.tensor, (value.tolist(), value.dtype)) if isinstance(value, Tensor) else NotImplemented


def transform_settings(transform: Callable[[Any], Any]) -> str | None:
    """Return a fingerprint of a transform's settings, which its repr may hide or round.

    Args:
        transform: Any transform, or one step of it.

    Returns:
        The same text for transforms of equal settings; None where the settings cannot be read, as of a lambda.
    """
    stream = io.BytesIO()
    try:
        _Settings(stream).dump(transform)
    except Exception:  # lambdas and local classes cannot be pickled; the types of error differ
        return None
    return hashlib.sha256(stream.getvalue()).hexdigest()
