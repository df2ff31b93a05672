"""Turn any image that Pillow can read into 8-bit RGB: one rule for the networks and for the explorer's photographs.

The rule is that of the pipelines which the networks were trained with: torchvision's and timm's loaders call
`convert("RGB")`. So transparency is dropped, colour profiles are not applied and an image is not turned by its EXIF
orientation. Only pixels of more than 8 bits differ: `convert` cuts them off at 255, here they are scaled (docs/inputs.md).
Imports torch nowhere.
"""

import io
import warnings
from typing import Any

import numpy as np
from PIL import Image

MOST_PIXELS = 2**27
"""Most pixels of an image that is decoded, if the user does not say another number: half a gigabyte in memory."""
_AT_ONCE = 2**22
"""Pixels that are scaled at once."""
_ORIENTATION = 0x0112
"""EXIF tag: how the camera was held."""
_BITS, _PHOTOMETRIC = 258, 262
"""TIFF tags: bits of a sample, and whether 0 is white (0) or black (1)."""
_RANGE_IS_KNOWN = ("PNG", "PPM")
"""Formats whose 32-bit integers are from 0 to 65,535: Pillow reads deep PNG and PGM files in this way."""


def silence_pillow() -> None:
    """Ignore Pillow's warnings about large, truncated and odd images: such images are skipped and listed, or have a value."""
    warnings.filterwarnings("ignore", module=r"PIL\.")


def read_rgb(content: bytes, *, most: int = MOST_PIXELS) -> tuple[Image.Image, bool]:
    """Decode an image file by the rule of `rgb`.

    Args:
        content: The bytes of the file.
        most: Most pixels of an image that is decoded.

    Returns:
        The image, and True if its EXIF orientation says that it is not stored upright.

    Raises:
        ValueError: As for `rgb`, or it has more pixels.
        OSError: It is no image, or a truncated or damaged one.
    """
    silence_pillow()
    if most > MOST_PIXELS and Image.MAX_IMAGE_PIXELS is not None and most > 2 * Image.MAX_IMAGE_PIXELS:
        Image.MAX_IMAGE_PIXELS = most // 2 + 1  # the user's own bound is higher than Pillow's
    with Image.open(io.BytesIO(content)) as opened:
        check_pixels(opened, most)
        if opened.mode != "RGB":
            return rgb(opened), is_turned(opened)
        opened.load()
        return opened._new(opened.im), is_turned(opened)  # as convert("RGB"), without a second copy of the pixels


def check_pixels(image: Image.Image, most: int = MOST_PIXELS) -> None:
    """Refuse an image of too many pixels.

    Args:
        image: As `Image.open` returns it; nothing is decoded yet.
        most: Most pixels.

    Raises:
        ValueError: It has more.
    """
    width, height = image.size
    if width * height > most:
        raise ValueError(f"{width:,} x {height:,} pixels, more than {most:,} (--max-pixels)")


def rgb(image: Image.Image) -> Image.Image:
    """Return an image in 8-bit RGB.

    Args:
        image: An image of any mode, at its first frame, as `Image.open` returns it. It is loaded.

    Returns:
        An image of mode RGB, as it is stored: it is not turned by its EXIF orientation. 16-bit greys v are
        round(v * 255 / 65535), floats v from 0 to 1 are round(255 * v).

    Raises:
        ValueError: Its pixels are floats or 32-bit integers of unknown range; the message says which.
        OSError: The file is truncated or damaged.
    """
    image.load()
    mode = image.mode
    if mode == "RGB":
        return image.convert("RGB")
    if mode.startswith("I;16"):
        return _sixteen_bits(image)
    if mode == "I":
        return _integers(image)
    if mode == "F":
        return _floats(image)
    if mode == "LAB":
        return _from_lab(image)
    if mode == "P" and isinstance(image.info.get("transparency"), bytes):
        return image.convert("RGBA").convert("RGB")  # the same colours; in one step Pillow warns
    return image.convert("RGB")


def is_turned(image: Image.Image) -> bool:
    """Return True if the EXIF orientation of a loaded image says that it is not stored upright.

    Args:
        image: The image. A TIFF file was turned by Pillow when it was loaded, so it is upright.
    """
    try:
        found = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # any kind: a damaged note about an image does not make the image unreadable
        return False
    return isinstance(found, int) and 2 <= found <= 8


def _scaled(values: np.ndarray, white: float = 1, *, inverted: bool = False) -> Image.Image:
    """Make an image of greys from 0 to `white`, part by part: the numbers between take eight times the memory."""
    grey = np.empty(values.shape, np.uint8)
    rows = max(1, _AT_ONCE // max(1, values.shape[-1]))
    for start in range(0, len(values), rows):
        part = slice(start, start + rows)
        shares = values[part].astype(np.float64) / white
        grey[part] = np.rint((1 - shares if inverted else shares) * 255).astype(np.uint8)
    return Image.fromarray(grey).convert("RGB")


def _sixteen_bits(image: Image.Image) -> Image.Image:
    """Scale 16-bit greys."""
    tags: dict[int, Any] = getattr(image, "tag_v2", {}) if image.format == "TIFF" else {}
    bits = int(tags.get(_BITS, (16,))[0])
    return _scaled(np.asarray(image), 2**bits - 1, inverted=tags.get(_PHOTOMETRIC) == 0)


def _integers(image: Image.Image) -> Image.Image:
    """Scale 32-bit integers of a known range."""
    values = np.asarray(image)
    low, high = int(values.min()), int(values.max())
    if image.format not in _RANGE_IS_KNOWN or low < 0 or high > 65_535:
        raise ValueError(f"integers of 32 bits from {low:,} to {high:,}: their range is not known; save 8 or 16 bits")
    return _scaled(values, 65_535)


def _floats(image: Image.Image) -> Image.Image:
    """Scale floats if all are shares of white."""
    values = np.asarray(image)
    if not np.isfinite(values).all():
        raise ValueError("floats that are not finite; save 8 or 16 bits, or floats from 0 to 1")
    low, high = float(values.min()), float(values.max())
    if low < 0 or high > 1:
        raise ValueError(f"floats from {low:g} to {high:g}: their range is not known; save floats from 0 to 1")
    return _scaled(values)


def _from_lab(image: Image.Image) -> Image.Image:
    """Convert CIE Lab to sRGB, which `convert` cannot."""
    from PIL import ImageCms

    profiles = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(image, *profiles, outputMode="RGB")
    assert converted is not None  # None only for a conversion in place
    return converted
