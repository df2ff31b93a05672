"""Files of photographs: where the image of a row is on this machine, and its pixels.

A file that cannot be read as an image is a SingError with one line, whatever is wrong with it.
"""

import stat
import warnings
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from sing_compute.errors import SingError
from sing_compute.store.text import one_line

if TYPE_CHECKING:
    from PIL.Image import Image

    from sing_compute.store import Store

Stamp = tuple[int, int]
"""Time of the last change of a file in nanoseconds, and its size in bytes: a drawing is kept while both stay."""

_FORMATS = ("JPEG", "PNG", "PPM", "BMP", "TIFF", "WEBP", "GIF")
"""The formats that sing-compute reads; a stranger's file must not start Ghostscript."""
_GREY = (128, 128, 128)
_UPRIGHT = (None, None, 0, 3, 1, 5, 4, 6, 2)
"""Pillow's transposition that turns an image upright, by EXIF orientation."""


def locate(store: "Store", key: str, folder: Path | None) -> Path:
    """Find the file of an image on this machine.

    Args:
        store: The results file; its attributes name the folder that it was computed from.
        key: The image's key: its path below the folder of images.
        folder: The folder of images that the user gave; None for the one that the results file names.

    Returns:
        The path of a regular file.

    Raises:
        SingError: No folder is known, the key leads out of the folder, or there is no regular file at that path.
    """
    stored = store.attributes("images").get("root")
    if folder is None and not (isinstance(stored, str) and stored):
        raise SingError(f"{store.path.name} does not say where its images are: --images DIR does")
    root = Path(str(stored)) if folder is None else folder
    parts = PurePosixPath(key)
    if not parts.parts or parts.is_absolute() or ".." in parts.parts:
        raise SingError(one_line(f"{key!r} is no path below a folder of images; it is not opened"))
    path = root / key
    try:
        if folder is None and not path.resolve().is_relative_to(root.resolve()):
            raise SingError(one_line(f"{path} is a link out of {root}: --images {root} says that you trust it"))
        found = path.is_file()
    except (OSError, RuntimeError, ValueError):  # a loop of links, a name that no file system takes
        found = False
    if not found:
        raise SingError(one_line(f"{path} is not on this machine: --images DIR says where the images are"))
    return path


def stamp_of(path: Path) -> Stamp:
    """Return the time of the last change of a file and its size.

    Raises:
        SingError: The file cannot be looked at, or is no regular file.
    """
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


def decoded(path: Path, width: int, height: int, *, enlarge: bool) -> "Image":
    """Read an image upright, opaque and in RGB.

    Args:
        path: The image file.
        width: Pixels across that there are; pixels are square.
        height: Pixels down that there are.
        enlarge: Let an image grow that is smaller than that.

    Returns:
        The image with its shape kept, as large as fits.

    Raises:
        SingError: The file cannot be read as an image.
    """
    from PIL import Image, UnidentifiedImageError

    warnings.simplefilter("error", Image.DecompressionBombWarning)
    try:
        with Image.open(path, formats=_FORMATS) as image:
            image.draft(None, (2 * max(width, height),) * 2)
            image.load()
            orientation = _orientation(image)
            box = (width, height) if orientation < 5 else (height, width)
            plain = _plain(image)
            if enlarge or plain.width > box[0] or plain.height > box[1]:
                size = fitted(plain.size, *box)
                plain = plain.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
    except UnidentifiedImageError as error:
        raise SingError(one_line(f"{path} is not an image that can be drawn")) from error
    except Exception as error:  # too many pixels; a broken file leads to nearly every exception there is
        raise SingError(one_line(f"{path} cannot be drawn: {error}")) from error
    if plain.mode == "RGBA":
        ground = Image.new("RGBA", plain.size, (*_GREY, 255))
        ground.alpha_composite(plain)
        plain = ground.convert("RGB")
    turn = _UPRIGHT[orientation]
    return plain if turn is None else plain.transpose(Image.Transpose(turn))


def _orientation(image: "Image") -> int:
    """Return how the camera was held (EXIF): 1 upright, 5 and more on its side; 1 where the note is missing or damaged."""
    try:
        found = image.getexif().get(0x0112, 1)
    except Exception:  # any kind: a damaged note about an image does not make the image unreadable
        return 1
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def _plain(image: "Image") -> "Image":
    """Convert an image to eight bits a channel: RGBA where it is transparent, else RGB. Deeper greys are scaled down."""
    if image.mode[0] in "IF":
        import numpy as np
        from PIL import Image

        values = np.asarray(image, dtype=np.float32)
        inside = values[np.isfinite(values)]
        low, high = (float(inside.min()), float(inside.max())) if inside.size else (0.0, 0.0)
        if image.mode[0] == "I" and low >= 0 and high <= 65_535:
            low, high = 0.0, 65_535.0
        scaled = (np.nan_to_num(values, nan=low, posinf=high, neginf=low) - low) * (255 / max(high - low, 1e-9))
        return Image.fromarray(scaled.clip(0, 255).astype(np.uint8)).convert("RGB")
    wanted = "RGBA" if image.has_transparency_data else "RGB"
    return image if image.mode == wanted else image.convert(wanted)
