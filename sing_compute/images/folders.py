"""List the images below a folder: each folder is listed once, no file is opened."""

import os
from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from sing_compute.errors import ImagesError
from sing_compute.images.compact_text import Categorical, Texts
from sing_compute.images.image_bounds import ImageBounds
from sing_compute.images.listing import EXTENSIONS, ImageList
from sing_compute.outside_files import open_file

OnVisit = Callable[[str], object]
"""Function that is called with the path below the root of each folder before it is listed, or archive before it is read."""

DEEPEST = 64
"""Most folders inside each other below the image root."""
_JUNK = frozenset(
    [
        "@eadir",
        "__macosx",
        "#recycle",
        "$recycle.bin",
        "system volume information",
        "lost+found",
        "thumbs.db",
        "desktop.ini",
    ]
)
"""Names, in lower case, of what file servers and operating systems put among a user's files."""


@dataclass(slots=True)
class LeftOut:
    """Count the entries that a listing leaves out: hidden ones and those of tools, and files of other kinds by ending."""

    junk: Counter[str] = field(default_factory=Counter)
    others: Counter[str] = field(default_factory=Counter)

    @property
    def notes(self) -> tuple[str, ...]:
        """A line for each kind that occurred."""
        found = (
            ("hidden entries and folders of other programs left out", self.junk),
            ("files that are no images by their ending left out", self.others),
        )
        return tuple(f"{counts.total():,} {text}: {_counted(counts)}" for text, counts in found if counts.total())


def _counted(counts: Counter[str], most: int = 5) -> str:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))  # a disk lists files in any order
    named = [f"{count:,} {name}" for name, count in ordered[:most]]
    more = sum(count for _, count in ordered[most:])
    return ", ".join(named) + (f" and {more:,} others" if more else "")


def list_tree(root: Path, on_visit: OnVisit = str) -> ImageList:
    """List the images of a folder with one subfolder per class.

    A link to a folder counts as a class; links further down are not followed.

    Args:
        root: The folder.
        on_visit: Called for each folder before it is listed.

    Raises:
        ImagesError: No images in subfolders, a folder that cannot be listed, or a name that is not UTF-8.
    """
    codes, names, left_out = array("i"), list[str](), LeftOut()

    def keys() -> Iterator[str]:
        for name in classes:
            for key in image_keys(root, name, on_visit, left_out):
                codes.append(len(names))
                yield key
            names.append(name)

    on_visit("")
    entries = list(folder_entries(root))
    left_out.junk.update(entry.name for entry in entries if entry.is_dir() and is_junk(entry.name))
    classes = sorted(entry.name for entry in entries if is_class(entry))
    texts = compact_keys(root, keys())
    if not texts:
        loose = sum(is_image(entry.name) for entry in entries)
        hint = f"; {loose} images are directly in it" if loose else ""
        raise ImagesError(f"--images {root}: no images in its subfolders{hint}. It needs one subfolder per class")
    labels = Categorical(np.frombuffer(codes, dtype=np.int32), tuple(names))
    return ImageList(root, texts, labels, notes=left_out.notes)


def image_keys(root: Path, below: str, on_visit: OnVisit = str, left_out: LeftOut | None = None) -> Iterator[str]:
    """Give the keys of all images in a folder and the folders below it, sorted by name.

    Args:
        root: The image root.
        below: The folder, as a path below the root; empty for the root.
        on_visit: Called for each folder before it is listed.
        left_out: Counts what is left out; None if nobody asks.

    Raises:
        ImagesError: A folder cannot be listed.
    """
    if below.count("/") >= DEEPEST:
        raise ImagesError(f"--images {root}: folders in it are more than {DEEPEST} deep, below {below[:200]}")
    on_visit(below)
    left_out = left_out or LeftOut()
    names, folders = list[str](), set[str]()
    for entry in folder_entries(root / below):
        if is_junk(entry.name):
            left_out.junk[entry.name if entry.is_dir(follow_symlinks=False) else "files"] += 1
            continue
        if entry.is_dir(follow_symlinks=False):
            folders.add(entry.name)
        elif not (entry.is_file(follow_symlinks=False) or entry.is_symlink()):
            continue
        elif not is_image(entry.name) and not _is_unnamed_image(entry):
            left_out.others[os.path.splitext(entry.name)[1].lower() or "without ending"] += 1
            continue
        names.append(entry.name)
    for name in sorted(names):
        key = f"{below}/{name}" if below else name
        if name in folders:
            yield from image_keys(root, key, on_visit, left_out)
        else:
            yield key


def compact_keys(root: Path, keys: Iterator[str]) -> Texts:
    """Copy the keys of images into one buffer.

    Args:
        root: The image root, for messages.
        keys: Keys of the images.

    Raises:
        ImagesError: A key is not UTF-8.
    """
    try:
        return Texts(keys)
    except UnicodeEncodeError as error:
        raise ImagesError(f"--images {root}: the name {error.object!a} is not UTF-8; rename it") from None


def folder_entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Give the entries of a folder.

    Raises:
        ImagesError: The folder cannot be listed.
    """
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except OSError as error:
        raise ImagesError(f"--images {folder}: this folder cannot be listed ({error.strerror or error})") from error


def is_class(entry: os.DirEntry[str]) -> bool:
    """Return True if an entry of the image root is the folder of a class."""
    try:
        return entry.is_dir() and not is_junk(entry.name)
    except OSError as error:  # a link to itself
        raise ImagesError(f"--images {entry.path}: cannot be read ({error.strerror or error})") from error


def is_junk(name: str) -> bool:
    """Return True if a file or folder is hidden, or is one of those that file servers and operating systems add."""
    return name.startswith(".") or name.lower() in _JUNK


def is_image(name: str) -> bool:
    """Return True if a file name has the ending of an image."""
    return os.path.splitext(name)[1].lower() in EXTENSIONS


def _is_unnamed_image(entry: os.DirEntry[str]) -> bool:
    """Return True if a file without ending begins as an image that Pillow reads."""
    if os.path.splitext(entry.name)[1]:
        return False
    from PIL import Image

    try:
        with open_file(Path(entry.path), most=ImageBounds().file) as stream, Image.open(stream) as image:
            return f".{image.format}".lower() in EXTENSIONS
    except Exception:  # whatever Pillow says of it: it is no image
        return False
