"""Choose the images whose spatial maps are stored, so that all maps stay within a size."""

from collections.abc import Sequence
from dataclasses import dataclass

from sing_compute.errors import SingError
from sing_compute.models.classifier import Classifier

VALUE_BYTES = 4
"""Bytes of one value of a map: maps are stored in float32."""


@dataclass(frozen=True, slots=True)
class MapSampling:
    """Limits on the spatial maps that a run stores."""

    side: int = 7
    """Rows and columns of the stored positions of a map, evenly spread."""
    limit: int = 500_000_000
    """Most bytes of the maps of one model; if all maps need more, those of evenly spread images are stored."""


def map_bytes(classifier: Classifier) -> int:
    """Return the number of bytes of the stored map of one image; 0 for a network without a tap of its maps."""
    tap = classifier.map_tap
    return len(tap.positions) * tap.place.channels * VALUE_BYTES if tap else 0


def map_strides(classifiers: Sequence[Classifier], images: int, limit: int) -> dict[str, int]:
    """Choose for each network the images whose maps are stored.

    Args:
        classifiers: Networks; those without a tap of their maps are left out.
        images: Number of images of the run.
        limit: Most bytes of the maps of one model.

    Returns:
        For each network, by name, the number k: the map of every k-th image is stored. It is the smallest number for which
        the maps stay within the limit.

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
