"""Which images there are, where each lies, and the class each is said to show."""

import errno
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sing_compute.errors import ImagesError
from sing_compute.images.compact_text import Categorical, Texts

EXTENSIONS = frozenset([".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp", ".gif"])
SHOWN = 8
"""Unmatched labels named in an error before the rest is counted."""
GONE = frozenset((errno.EIO, errno.ESTALE, errno.ENODEV, errno.ENOTCONN, errno.ETIMEDOUT, errno.ENXIO, errno.EHOSTDOWN))
"""What a disk says that is no longer there."""


@dataclass(frozen=True, slots=True, eq=False)
class Members:
    """Where images lie in tar archives: no unpacking, each is read from its place."""

    archives: tuple[str, ...]
    """Names of the archives below the image root."""
    stamps: tuple[str, ...]
    """Size and time of change of each archive when it was listed."""
    archive: NDArray[np.int32]
    offset: NDArray[np.int64]
    size: NDArray[np.int64]

    def take(self, rows: NDArray[np.int64]) -> "Members":
        """The places of these images, in the order of `rows`."""
        return replace(self, archive=self.archive[rows], offset=self.offset[rows], size=self.size[rows])


@dataclass(frozen=True, slots=True, eq=False)
class ImageList:
    """Images by key. A key is the path below the image root, with forward slashes; it stays the same on every machine.

    About 50 bytes an image, most of them its key.
    """

    root: Path
    keys: Texts
    labels: Categorical
    """The class each image is said to show: a folder name, or the label in the list."""
    groups: Categorical | None = None
    """The user's group of each image, empty for none."""
    counted: bool = False
    """Whether the labels are numbers of a label file, which may count from 0 or from 1."""
    members: Members | None = None
    """Where the images lie in tar archives; None where each is a file."""

    @classmethod
    def of_files(cls, root: Path, keys: Iterable[str]) -> "ImageList":
        """Files whose classes nobody asks for."""
        texts = Texts(keys)
        return cls(root, texts, Categorical(np.zeros(len(texts), dtype=np.int32), ("",)))

    def __len__(self) -> int:
        return len(self.keys)

    def path(self, row: int) -> Path:
        """Where the image lies on this machine; one in an archive as ARCHIVE.tar/MEMBER."""
        return self.root / self.keys[row]

    def read(self, row: int) -> bytes:
        """The bytes of an image file. Threads and processes may read at once.

        Raises:
            ImagesError: The disk, or the folder or archive that held the image, is gone, or the archive has changed.
            OSError: This image cannot be read.
        """
        try:
            if self.members is None:
                return self.path(row).read_bytes()
            descriptor = os.open(self._holder(row), os.O_RDONLY)
            try:
                if stamp(os.fstat(descriptor)) != self.members.stamps[int(self.members.archive[row])]:
                    raise ImagesError(
                        f"{self._holder(row)} has changed since it was listed; start the same command again"
                    )
                return os.pread(descriptor, int(self.members.size[row]), int(self.members.offset[row]))
            finally:
                os.close(descriptor)
        except OSError as error:
            self._leave_if_gone(row, error)
            raise

    def size(self, row: int) -> int:
        """Bytes of an image file; -1 where it has vanished.

        Raises:
            ImagesError: As for `read`.
        """
        if self.members is not None:
            return int(self.members.size[row])
        try:
            return self.path(row).stat().st_size
        except OSError as error:
            self._leave_if_gone(row, error)
            return -1

    def arranged(self, rows: Sequence[int] | NDArray[np.integer[Any]]) -> "ImageList":
        """The list whose row i is row rows[i] of this one."""
        chosen = np.asarray(rows, dtype=np.int64)
        if len(chosen) == len(self) and (chosen == np.arange(len(self))).all():
            return self
        return replace(
            self,
            keys=self.keys.take(chosen),
            labels=self.labels.take(chosen),
            groups=self.groups and self.groups.take(chosen),
            members=self.members and self.members.take(chosen),
        )

    def order(self, classes: NDArray[np.int32]) -> NDArray[np.int64]:
        """Rows by class, then by key: the order of a results file. Keys are compared within one class at a time."""
        rows = np.argsort(classes, kind="stable")
        for part in np.split(rows, np.flatnonzero(np.diff(classes[rows])) + 1):
            part[:] = sorted(part.tolist(), key=self.keys.raw)
        return rows

    def labels_among(self, classes: int) -> Categorical:
        """The labels; numbers of a label file as positions that count from 0.

        Raises:
            ImagesError: The numbers do not tell where they begin, or exceed the classes.
        """
        if not self.counted:
            return self.labels
        numbers = [int(label) for label in self.labels.names]
        low, high = min(numbers), max(numbers)
        first = 0 if low == 0 else 1
        if high - first >= classes or (first == 1 and high < classes):
            told = f"the labels run from {low} to {high} for {classes} classes"
            if high - first < classes:
                told += ", so that it cannot be told whether they count from 0 or from 1"
            raise ImagesError(f"--labels: {told}; give WordNet ids or class names instead")
        return replace(self.labels, names=tuple(str(number - first) for number in numbers))

    def _holder(self, row: int) -> Path:
        """The archive or the folder in which an image lies."""
        if self.members is None:
            return self.path(row).parent
        return self.root / self.members.archives[int(self.members.archive[row])]

    def _leave_if_gone(self, row: int, error: OSError) -> None:
        """Tell a disk that is gone from an image that is: one must not become a million images that cannot be read."""
        holder = self._holder(row)
        if error.errno in GONE or not holder.exists():
            told = error.strerror if error.errno in GONE else f"{holder} is not there"
            raise ImagesError(
                f"{self.path(row)} cannot be read, the images' disk is gone ({told}); finished work is kept, the same "
                "command goes on"
            ) from error


def stamp(state: os.stat_result) -> str:
    """What an archive shows from outside when its content changes."""
    return f"{state.st_size} {state.st_mtime_ns}"


def match_classes(labels: Sequence[str], names: Sequence[str], wnids: Sequence[str] | None) -> NDArray[np.int32]:
    """Index of the class that each label means: by WordNet id, by name without regard to case, `_` and `-`, or by index.

    Raises:
        ImagesError: Labels that match no class or several; the message lists them.
    """
    known: dict[str, set[int]] = {}
    for texts in (names, wnids or ()):
        for index, text in enumerate(texts):
            known.setdefault(_folded(text), set()).add(index)
    given = labels if isinstance(labels, Categorical) else Categorical.of(labels)
    meaning: dict[str, int] = {}
    unmatched: list[str] = []
    ambiguous: list[str] = []
    used = given.used
    for label in used:
        hits = known.get(_folded(label), set())
        if not hits and label.isdecimal() and int(label) < len(names):
            hits = {int(label)}
        if len(hits) == 1:
            meaning[label] = next(iter(hits))
        else:
            (ambiguous if hits else unmatched).append(label)
    if unmatched:
        raise ImagesError(
            f"{len(unmatched)} of {len(used)} labels match none of the {len(names)} classes: {_listed(unmatched)}. "
            "Name folders by class name or WordNet id, or give the names in logit order with --class-names"
        )
    if ambiguous:
        raise ImagesError(f"labels that name several classes: {_listed(ambiguous)}; use WordNet ids or indices instead")
    return np.array([meaning.get(name, -1) for name in given.names], dtype=np.int32)[given.codes]


def folds_of(keys: Iterable[str], count: int) -> NDArray[np.integer[Any]]:
    """Fold of each image by a stable hash of its key: the same split on every machine and in every run."""
    hashes = (keys if isinstance(keys, Texts) else Texts(keys)).hashes()
    return (hashes % np.uint64(count)).astype(np.int8 if count < 128 else np.int64)


def _folded(text: str) -> str:
    return re.sub(r"[\s_-]+", " ", text).strip().casefold()


def _listed(items: Sequence[str]) -> str:
    return ", ".join(items[:SHOWN]) + (f" and {len(items) - SHOWN} more" if len(items) > SHOWN else "")
