"""Bounds on the size of images: an image that is over one of them is skipped, with the reason, before memory is taken for it."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from PIL import Image

from sing_compute.outside_files import UnfitFileError, size_text
from sing_compute.pixel_values import MOST_PIXELS
from sing_compute.transform_results import TransformResultError

READ_AHEAD = 2**25
"""Images of more bytes than this are read one at a time, where they are decoded."""


@dataclass(frozen=True, slots=True)
class ImageBounds:
    """Bounds on one image."""

    pixels: int = MOST_PIXELS
    """Most pixels as it is stored; `--max-pixels`."""
    resized: int = 2**25
    """Most pixels after it was resized, before it is cropped; `--max-resized-pixels`."""
    file: int = 10**9
    """Most bytes of its file; `--max-file-size`."""

    def check_file_size(self, count: int) -> None:
        """Refuse a file of too many bytes.

        Args:
            count: Its size.

        Raises:
            UnfitFileError: It is larger than is read.
        """
        if count > self.file:
            raise UnfitFileError(f"{size_text(count)}, more than {size_text(self.file)} (--max-file-size)")

    def check_resized(self, step: Callable[[Any], Any], image: object) -> None:
        """Refuse an image that a step of a transform would make too large: a narrow one, by its shorter side.

        Args:
            step: A step of torchvision, timm, open_clip or transformers; any other is not looked at.
            image: What the step is given.

        Raises:
            TransformResultError: The step would give more pixels than are allowed.
        """
        if not isinstance(image, Image.Image):
            return
        size = resized_size(step, image.size)
        if size is not None and size[0] * size[1] > self.resized:
            width, height = image.size
            raise TransformResultError(
                f"{width} x {height} pixels become {size[0]:,} x {size[1]:,} when its shorter side is resized, more than "
                f"{self.resized:,} pixels (--max-resized-pixels)"
            )


def bounded(step: Callable[[Any], Any], bounds: ImageBounds) -> Callable[[Any], Any]:
    """Return a step of a transform that refuses what it would make too large.

    Args:
        step: The step.
        bounds: Bounds on the images.
    """

    def run(image: Any) -> Any:
        bounds.check_resized(step, image)
        return step(image)

    return run


def resized_size(step: Any, size: tuple[int, int]) -> tuple[int, int] | None:
    """Return width and height of an image after a step that resizes it; None for any other step.

    Args:
        step: A step of a transform.
        size: Width and height before it, in pixels.
    """
    kind = type(step).__name__
    if kind == "Resize":
        return _by_sides(size, step.size, getattr(step, "max_size", None))
    if kind == "ResizeKeepRatio":
        ratios = [side / wanted for side, wanted in zip(size, reversed(step.size), strict=True)]
        ratio = max(ratios) * step.longest + min(ratios) * (1 - step.longest)
        return _scaled(size, 1 / ratio)
    wanted = getattr(getattr(step, "processor", None), "size", None)
    if kind == "ProcessorTransform" and isinstance(wanted, Mapping) and "shortest_edge" in wanted:
        return _by_sides(size, int(wanted["shortest_edge"]), wanted.get("longest_edge"))
    return None


def _by_sides(size: tuple[int, int], wanted: Any, longest: int | None) -> tuple[int, int]:
    """Return the size after torchvision's Resize: (height, width), or one number for the shorter side."""
    sides = [wanted] if isinstance(wanted, int) else list(wanted or [min(size)])
    if len(sides) == 2:
        return sides[1], sides[0]
    scale = sides[0] / min(size)
    if longest is not None:
        scale = min(scale, longest / max(size))
    return _scaled(size, scale)


def _scaled(size: tuple[int, int], scale: float) -> tuple[int, int]:
    return math.ceil(size[0] * scale), math.ceil(size[1] * scale)
