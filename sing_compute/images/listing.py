"""Hold the list of a run's images: the place of each, and the class that its folder or list gives it."""

import errno
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import overload

import numpy as np
from jaxtyping import Int, Int32, Int64

from sing_compute.errors import ImagesError
from sing_compute.images.compact_text import Categorical, Texts
from sing_compute.images.given_images import GivenImages
from sing_compute.images.image_bounds import READ_AHEAD, ImageBounds
from sing_compute.images.missing_images import missing_images
from sing_compute.outside_files import ARRAYS, open_file

MOST_KEY = 4096
"""Most bytes of the key of an image; a results file holds no longer text."""
EXTENSIONS = frozenset(
    f".{ending}"
    for line in (
        "jpg jpeg jpe jfif jif png apng webp gif bmp dib tif tiff avif avifs",
        "jp2 j2k jpx jpf jpc j2c ppm pgm pbm pnm pfm tga qoi pcx sgi",
    )
    for ending in line.split()
)
"""Endings of the image files that Pillow reads. Of documents, films and data that it knows too, none is taken for an image."""
GONE = frozenset((errno.EIO, errno.ESTALE, errno.ENODEV, errno.ENOTCONN, errno.ETIMEDOUT, errno.ENXIO, errno.EHOSTDOWN))
"""Error numbers of a disk that is not connected any more."""


@dataclass(frozen=True, slots=True, eq=False)
class ArchiveMembers:
    """Positions of images in tar archives: each image is read from its position, nothing is unpacked."""

    archives: tuple[str, ...]
    """Names of the archives below the image root."""
    stamps: tuple[str, ...]
    """Size and time of change of each archive when it was listed (`file_stamp`)."""
    archive: Int32[np.ndarray, " image"]
    """Archive of each image: its index in `archives`."""
    offset: Int64[np.ndarray, " image"]
    """First byte of each image in its archive."""
    size: Int64[np.ndarray, " image"]
    """Bytes of each image."""

    def take(self, rows: Int64[np.ndarray, " chosen"]) -> "ArchiveMembers":
        """Return the positions of the images of these rows, in the order of `rows`."""
        return replace(self, archive=self.archive[rows], offset=self.offset[rows], size=self.size[rows])


@dataclass(frozen=True, slots=True, eq=False)
class ImageList:
    """A list of images, about 50 bytes each.

    The key of an image is its path below the image root with forward slashes; it is the same on every machine.
    """

    root: Path | None
    """The image root on this machine; None if the keys are no files."""
    keys: Texts
    labels: Categorical
    """The class of each image by the user's data: a folder name, or the label in a list."""
    groups: Categorical | None = None
    """The user's group of each image, an empty text for none; None if there are no groups."""
    notes: tuple[str, ...] = ()
    """A line for each kind of entry that was left out or merged while the list was made."""
    members: ArchiveMembers | None = None
    """Positions of the images in tar archives; None if each image is a file."""
    stored: bool = False
    """True if the features of the keys were computed elsewhere, so that no image is ever read."""
    items: GivenImages | None = None
    """A user's data set that gives the images; None if they are files or in archives."""
    bounds: ImageBounds = field(default_factory=ImageBounds)
    """Bounds on files and pixels; an image above one of them is skipped."""
    class_names: tuple[str, ...] = ()
    """Names of the classes of such a data set in its own order; empty if it does not say them."""

    def __str__(self) -> str:
        return f"{len(self):,} images in {self.items or self.root}"

    @classmethod
    def of_files(cls, root: Path, keys: Iterable[str]) -> "ImageList":
        """Make a list of image files without classes.

        Args:
            root: The image root.
            keys: Path of each file below it, with forward slashes.
        """
        texts = Texts(keys)
        return cls(root, texts, Categorical(np.zeros(len(texts), dtype=np.int32), ("",)))

    def __len__(self) -> int:
        return len(self.keys)

    def path(self, row: int) -> Path:
        """Return the path of an image on this machine; of one in an archive as ARCHIVE.tar/MEMBER."""
        return (self.root or Path()) / self.keys[row]

    @property
    def place(self) -> str:
        """The image root as an absolute path; empty if the keys are no files."""
        return str(self.root.resolve()) if self.root is not None else ""

    @overload
    def read(self, row: int) -> bytes: ...
    @overload
    def read(self, row: int, *, ahead: bool) -> bytes | None: ...
    def read(self, row: int, *, ahead: bool = False) -> bytes | None:
        """Return the bytes of an image file. Several threads and processes may read at once.

        Args:
            row: Row of the image.
            ahead: Return None for a large file, which is read later, alone.

        Raises:
            ImagesError: The disk, or the folder or archive of the image, does not exist any more, or the archive has
                changed.
            OSError: This image alone cannot be read.
        """
        try:
            if self.members is None:
                with open_file(self.path(row), most=ARRAYS) as stream:
                    size = os.fstat(stream.fileno()).st_size
                    self.bounds.check_file_size(size)
                    return None if ahead and size > READ_AHEAD else stream.read(self.bounds.file)
            with open_file(self._holder(row), most=ARRAYS) as stream:
                if file_stamp(os.fstat(stream.fileno())) != self.members.stamps[int(self.members.archive[row])]:
                    raise ImagesError(
                        f"{self._holder(row)} has changed since it was listed; start the same command again"
                    )
                size = int(self.members.size[row])
                self.bounds.check_file_size(size)
                return (
                    None
                    if ahead and size > READ_AHEAD
                    else os.pread(stream.fileno(), size, int(self.members.offset[row]))
                )
        except OSError as error:
            self._raise_if_disk_is_gone(row, error)
            raise

    def size(self, row: int) -> int:
        """Return the size of an image file in bytes; -1 if the file does not exist any more.

        Raises:
            ImagesError: As for `read`.
        """
        if self.stored or self.items is not None:
            return -1
        if self.members is not None:
            return int(self.members.size[row])
        try:
            return self.path(row).stat().st_size
        except OSError as error:
            self._raise_if_disk_is_gone(row, error)
            return -1

    def take(self, rows: Sequence[int] | Int[np.ndarray, " chosen"]) -> "ImageList":
        """Return the list whose row i is row rows[i] of this one.

        Args:
            rows: Rows of this list, in any order.
        """
        chosen = np.asarray(rows, dtype=np.int64)
        if len(chosen) == len(self) and (chosen == np.arange(len(self))).all():
            return self
        return replace(
            self,
            keys=self.keys.take(chosen),
            labels=self.labels.take(chosen),
            groups=self.groups and self.groups.take(chosen),
            members=self.members and self.members.take(chosen),
            items=self.items and self.items.take(chosen),
        )

    def order(self, classes: Int32[np.ndarray, " image"]) -> Int64[np.ndarray, " image"]:
        """Return the rows sorted by class, then by key: the order of a results file.

        Args:
            classes: Class of each image.
        """
        rows = np.argsort(classes, kind="stable")
        for part in np.split(rows, np.flatnonzero(np.diff(classes[rows])) + 1):
            part[:] = sorted(part.tolist(), key=self.keys.raw)
        return rows

    def _holder(self, row: int) -> Path:
        """Return the archive or the folder that contains an image."""
        if self.members is None:
            return self.path(row).parent
        return (self.root or Path()) / self.members.archives[int(self.members.archive[row])]

    def _raise_if_disk_is_gone(self, row: int, error: OSError) -> None:
        """Raise an error for all images if the disk, folder or archive has gone, not only for the image that was read."""
        holder = self._holder(row)
        if error.errno not in GONE and holder.exists():
            return
        if error.errno not in GONE and self.members is None and self.root is not None and self.root.exists():
            raise ImagesError(missing_images(self.root, self.keys)) from error
        reason = error.strerror if error.errno in GONE else f"{holder} is not there"
        raise ImagesError(
            f"{self.path(row)} cannot be read, the images' disk is gone ({reason}); finished work is kept, the same "
            "command goes on"
        ) from error


def file_stamp(state: os.stat_result) -> str:
    """Return size and time of change of a file as text: it differs after a change of the content."""
    return f"{state.st_size} {state.st_mtime_ns}"


def folds_of(
    keys: Iterable[str], count: int, original: Int32[np.ndarray, " image"] | None = None
) -> Int[np.ndarray, " image"]:
    """Assign each image to a fold by a hash of its key: the same fold on every machine and in every run.

    Args:
        keys: Key of each image.
        count: Number of folds.
        original: For each image the row of its original, whose fold a copy has; None if no image is known to be a copy.

    Returns:
        Fold of each image, from 0.
    """
    hashes = (keys if isinstance(keys, Texts) else Texts(keys)).hashes()
    folds: Int[np.ndarray, " image"] = (hashes % np.uint64(count)).astype(np.int8 if count < 128 else np.int64)
    return folds if original is None else folds[original]
