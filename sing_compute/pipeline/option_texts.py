"""Read options whose text stands for a value: sizes, rules, nouns."""

import re
from numbers import Integral

from sing_compute.errors import SingError
from sing_compute.extraction.map_sampling import MapSampling
from sing_compute.images.image_bounds import ImageBounds
from sing_compute.linalg.null_space import NullSpaceRule
from sing_compute.store.noun import Noun

_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def map_limits(wanted: bool, grid: int | None, limit: str | None) -> MapSampling | None:
    """Return the limits on the stored spatial maps; None for no maps.

    Args:
        wanted: Maps are stored.
        grid: Most positions along a side; None for the default.
        limit: Most bytes of one model's maps, such as `500MB`; None for the default.

    Raises:
        SingError: A limit was given without maps, or is no size.
    """
    if not wanted:
        for name, value in (("--maps-grid", grid), ("--maps-limit", limit)):
            if value is not None:
                raise SingError(f"{name} limits the maps that --maps stores: add --maps")
        return None
    default = MapSampling()
    return MapSampling(grid or default.side, default.limit if limit is None else _bytes(limit, "--maps-limit"))


def image_bounds(
    *, max_pixels: int | None = None, max_resized_pixels: int | None = None, max_file_size: str | int | None = None
) -> ImageBounds:
    """Return the bounds above which an image is skipped.

    Args:
        max_pixels: Most pixels as it is stored; None for the default, as for the others.
        max_resized_pixels: Most pixels after it was resized.
        max_file_size: Most bytes of its file: a number, or a text such as `500MB`.

    Raises:
        SingError: One of the first two is no whole number of at least 1, or the last one is no size.
    """
    default = ImageBounds()
    for name, value in (("--max-pixels", max_pixels), ("--max-resized-pixels", max_resized_pixels)):
        if value is not None and (not isinstance(value, Integral) or isinstance(value, bool) or value < 1):
            raise SingError(f"{name} {value}: give a whole number of at least 1")
    return ImageBounds(
        default.pixels if max_pixels is None else int(max_pixels),
        default.resized if max_resized_pixels is None else int(max_resized_pixels),
        default.file if max_file_size is None else _bytes(max_file_size, "--max-file-size"),
    )


def null_space_rule(text: str) -> NullSpaceRule:
    """Return the rule of `--null-space`.

    Raises:
        SingError: There is no such rule.
    """
    try:
        return NullSpaceRule.parse(text)
    except SingError as error:
        raise SingError(f"--null-space {error}") from error


def item_noun(item: str | None, *, of_features: bool) -> Noun | None:
    """Return the noun for what features are of; None if the user gave none.

    Args:
        item: `NOUN` or `NOUN/PLURAL`.
        of_features: The run is on features, not on images.

    Raises:
        SingError: It is no noun, or the run is on images.
    """
    if item is None:
        return None
    if not of_features:
        raise SingError("--item says what --features are of: leave it out, a run on images is on images")
    try:
        return Noun.parse(item)
    except ValueError as error:
        raise SingError(f"--item {error}") from error


def _bytes(text: str | int, option: str) -> int:
    """Return the number of bytes of a size such as `500MB`, or of a plain number of bytes."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*((?:[KMGT]?B)?)\s*", str(text).upper())
    size = int(float(found[1]) * _UNITS[found[2]]) if found else 0
    if size < 1:
        raise SingError(f"{option} {text}: give a size such as 500MB or 2GB")
    return size
