"""Decide of which images spatial maps are kept, so that all of them stay within a size."""

from collections.abc import Sequence
from dataclasses import dataclass

from sing_compute.errors import SingError
from sing_compute.models.classifier import Classifier

VALUE_BYTES = 4
"""Maps are kept in float32."""


@dataclass(frozen=True, slots=True)
class MapSampling:
    """How much of the spatial maps a run keeps."""

    side: int = 7
    """Rows and columns of the positions that are kept of a map, evenly spread."""
    limit: int = 500_000_000
    """Most bytes of the maps of one model; above it evenly spread images are kept."""


def map_bytes(classifier: Classifier) -> int:
    """Return how many bytes are kept of the map of one image; 0 for a network without a tap of its maps."""
    tap = classifier.map_tap
    return len(tap.positions) * tap.place.channels * VALUE_BYTES if tap else 0


def map_strides(classifiers: Sequence[Classifier], images: int, limit: int) -> dict[str, int]:
    """Choose for each network of which images maps are kept.

    Args:
        classifiers: Networks; those without a tap of their maps are left out.
        images: Number of images of the run.
        limit: Most bytes of the maps of one model.

    Returns:
        By name of the network k, where every k-th image is kept: the smallest number that stays within the limit.

    Raises:
        SingError: The map of one image exceeds the limit.
    """
    strides: dict[str, int] = {}
    for classifier in classifiers:
        size = map_bytes(classifier)
        if size > limit:
            raise SingError(
                f"--maps-limit: the map of one image of {classifier.name} takes {size:,} bytes; give more, or a smaller "
                "--maps-grid"
            )
        if size:
            strides[classifier.name] = -(-images // (limit // size))
    return strides
