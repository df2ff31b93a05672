"""Files of photographs: their state and their pixels.

A file that cannot be read as an image is a SingError with one line, whatever is wrong with it.
"""

import io
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sing_compute.errors import SingError
from sing_compute.store.text import one_line

if TYPE_CHECKING:
    from PIL.Image import Image

Stamp = tuple[int, int]
"""Time of the last change of a file in nanoseconds, and its size in bytes: a drawing is kept while both stay."""

Source = Path | bytes
"""An image file: its path, or the bytes of a JPEG file that a results file holds."""
MOST_STORED_PIXELS = 2**22
"""Most pixels of a picture from a results file; sing-compute stores at most 512 x 512."""
_FORMATS = ("JPEG", "PNG", "PPM", "BMP", "TIFF", "WEBP", "GIF", "JPEG2000", "AVIF", "DIB", "QOI", "PCX", "SGI", "TGA")
"""The formats that sing-compute reads; a stranger's file must not start Ghostscript."""


def stamp_of(path: Source) -> Stamp:
    """Return the time of the last change of a file and its size; of a file in memory the size alone.

    Raises:
        SingError: The file cannot be looked at, or is no regular file.
    """
    if isinstance(path, bytes):
        return 0, len(path)
    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        raise SingError(one_line(f"{path} cannot be read: {error}")) from error
    if not stat.S_ISREG(status.st_mode):
        raise SingError(one_line(f"{path} is not a file"))
    return status.st_mtime_ns, status.st_size


def fitted(size: tuple[int, int], width: int, height: int) -> tuple[int, int]:
    """Return the largest size of the same shape inside a box of width and height, at least one pixel each way."""
    scale = min(width / size[0], height / size[1])
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def decoded(path: Source, width: int, height: int, *, enlarge: bool) -> "Image":
    """Read an image in RGB by the rule of the networks (`sing_compute.pixel_values`): not turned, transparency dropped.

    Args:
        path: The image file; one from a results file is a JPEG file of at most `MOST_STORED_PIXELS`.
        width: Pixels across that there are; pixels are square.
        height: Pixels down that there are.
        enlarge: Let an image grow that is smaller than that.

    Returns:
        The image with its shape kept, as large as fits.

    Raises:
        SingError: The file cannot be read as an image, or its pixels have no known range.
    """
    from PIL import Image

    from sing_compute.pixel_values import rgb

    with _opened(path) as image:
        image.draft(None, (2 * max(width, height),) * 2)
        plain = rgb(image)
        if enlarge or plain.width > width or plain.height > height:
            size = fitted(plain.size, width, height)
            plain = plain.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
        return plain


def size_of(path: Source) -> tuple[int, int]:
    """Return width and height of an image in pixels; its pixels are not decoded.

    Raises:
        SingError: The file cannot be read as an image.
    """
    stamp_of(path)
    with _opened(path) as image:
        return image.size


@contextmanager
def _opened(path: Source) -> Iterator["Image"]:
    """Open an image; whatever is wrong with it, also inside the block, is a SingError."""
    from PIL import Image, UnidentifiedImageError

    from sing_compute.pixel_values import silence_pillow

    silence_pillow()
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    stored = isinstance(path, bytes)
    name = "the stored picture" if stored else str(path)
    try:
        with Image.open(
            io.BytesIO(path) if isinstance(path, bytes) else path, formats=("JPEG",) if stored else _FORMATS
        ) as image:
            if stored and image.width * image.height > MOST_STORED_PIXELS:
                raise ValueError(f"{image.width:,} x {image.height:,} pixels, more than {MOST_STORED_PIXELS:,}")
            yield image
    except UnidentifiedImageError as error:
        raise SingError(one_line(f"{name} is not an image that can be drawn")) from error
    except Exception as error:  # too many pixels; a broken file leads to nearly every exception there is
        raise SingError(one_line(f"{name} cannot be drawn: {error}")) from error
