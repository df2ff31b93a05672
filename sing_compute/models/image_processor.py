"""Use an image processor of Hugging Face's transformers as a transform. Imports transformers nowhere."""

import json
from typing import Any

from torch import Tensor

_NOT_SETTINGS = ("image_processor_type", "feature_extractor_type", "processor_class")
"""Entries of a processor's description that set nothing."""


class ProcessorTransform:
    """A transform that is an image processor of transformers. Equal settings make equal transforms, as pickle sees them."""

    def __init__(self, processor: Any) -> None:
        """Wrap an image processor.

        Args:
            processor: Of any class of transformers.
        """
        self._processor = processor

    @property
    def processor(self) -> Any:
        """The image processor."""
        return self._processor

    def __call__(self, image: Any) -> Tensor:
        """Return the pixel values of one PIL image, as a batch of one."""
        values: Tensor = self._processor(images=image, return_tensors="pt")["pixel_values"]
        return values

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle class and settings: the object itself holds sets and caches, whose pickles differ from run to run."""
        return _restored, (type(self._processor), self._processor.to_json_string())

    def __repr__(self) -> str:
        settings = json.loads(self._processor.to_json_string())
        shown = (
            f"{name}={_rounded(value)}"
            for name, value in sorted(settings.items())
            if value is not None and name not in _NOT_SETTINGS
        )
        return f"{type(self._processor).__name__}({', '.join(shown)})"


def _restored(kind: Any, settings: str) -> ProcessorTransform:
    return ProcessorTransform(kind.from_dict(json.loads(settings)))


def _rounded(value: object) -> object:
    if isinstance(value, float):
        return float(f"{value:.4g}")
    return [_rounded(each) for each in value] if isinstance(value, list) else value
