"""Say from which state of its file each image was read, so that an image that was replaced later is noticed."""

import hashlib
import os

import numpy as np
from jaxtyping import Int64

from sing_compute.images.listing import ImageList

NUMBERS = 4
"""Numbers of a stamp: size and time of change (ns) of the image's file; for one in an archive those of the archive, then its
first byte and its size there. One that cannot be read is `UNREAD`."""
Stamp = tuple[int, int, int, int]
UNREAD: Stamp = (-1, -1, 0, 0)
"""Stamp of an image that the system did not let be read, whether it was there or not: once it is there, it is tried again."""


def has_stamps(images: ImageList) -> bool:
    """Return True if the images of a list are files or in archives; features and data sets in memory have no stamps."""
    return not images.stored and images.items is None


def image_stamp(images: ImageList, row: int) -> Stamp:
    """Return the stamp of an image. Ask for it before the image is read: it is then never newer than what is read.

    Args:
        images: A list that `has_stamps`.
        row: Row of the image.

    Raises:
        ImagesError: The images' disk does not exist any more.
    """
    if images.members is not None:
        archive = int(images.members.archive[row])
        size, changed = map(int, images.members.stamps[archive].split())
        return size, changed, int(images.members.offset[row]), int(images.members.size[row])
    try:
        found = os.stat(os.path.join(images.root or "", images.keys[row]))  # a Path takes longer than the disk
    except (OSError, ValueError):  # ValueError: the name holds a null character
        images.size(row)  # raises an error if the disk has gone, not only this image
        return UNREAD
    return found.st_size, found.st_mtime_ns, 0, 0


def image_stamps(images: ImageList, rows: range) -> Int64[np.ndarray, "image stamp"]:
    """Return the stamps of consecutive images, as `image_stamp`."""
    found = [image_stamp(images, row) for row in rows]
    return np.array(found, np.int64).reshape(len(rows), NUMBERS)


def stamps_sha256(images: ImageList) -> str:
    """Return a fingerprint of the state of all images of a list; empty for a list without stamps."""
    if not has_stamps(images):
        return ""
    return hashlib.sha256(image_stamps(images, range(len(images))).astype("<i8").tobytes()).hexdigest()
