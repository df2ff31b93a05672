"""List the images below a folder: each folder is listed once, no file is opened."""

import os
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from sing_compute.errors import ImagesError
from sing_compute.images.compact_text import Categorical, Texts
from sing_compute.images.listing import EXTENSIONS, ImageList

OnVisit = Callable[[str], object]
"""Function that is called with the path below the root of each folder before it is listed, or archive before it is read."""


def list_tree(root: Path, on_visit: OnVisit = str) -> ImageList:
    """List the images of a folder with one subfolder per class.

    A link to a folder counts as a class; links further down are not followed.

    Args:
        root: The folder.
        on_visit: Called for each folder before it is listed.

    Raises:
        ImagesError: No images in subfolders, a folder that cannot be listed, or a name that is not UTF-8.
    """
    codes, names = array("i"), list[str]()

    def keys() -> Iterator[str]:
        for name in classes:
            for key in image_keys(root, name, on_visit):
                codes.append(len(names))
                yield key
            names.append(name)

    on_visit("")
    entries = list(folder_entries(root))
    classes = sorted(entry.name for entry in entries if is_class(entry))
    texts = compact_keys(root, keys())
    if not texts:
        loose = sum(is_image(entry.name) for entry in entries)
        hint = f"; {loose} images are directly in it" if loose else ""
        raise ImagesError(f"--images {root}: no images in its subfolders{hint}. It needs one subfolder per class")
    return ImageList(root, texts, Categorical(np.frombuffer(codes, dtype=np.int32), tuple(names)))


def image_keys(root: Path, below: str, on_visit: OnVisit = str) -> Iterator[str]:
    """Give the keys of all images in a folder and the folders below it, sorted by name.

    Args:
        root: The image root.
        below: The folder, as a path below the root; empty for the root.
        on_visit: Called for each folder before it is listed.

    Raises:
        ImagesError: A folder cannot be listed.
    """
    on_visit(below)
    names, folders = list[str](), set[str]()
    for entry in folder_entries(root / below):
        if entry.is_dir(follow_symlinks=False):
            folders.add(entry.name)
        elif not is_image(entry.name) or not (entry.is_file(follow_symlinks=False) or entry.is_symlink()):
            continue
        names.append(entry.name)
    for name in sorted(names):
        key = f"{below}/{name}" if below else name
        if name in folders:
            yield from image_keys(root, key, on_visit)
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
        raise ImagesError(f"--images {folder}: this folder cannot be listed ({error.strerror})") from error


def is_class(entry: os.DirEntry[str]) -> bool:
    """Return True if an entry of the image root is the folder of a class."""
    return entry.is_dir() and not entry.name.startswith(".")


def is_image(name: str) -> bool:
    """Return True if a file name has the ending of an image."""
    return os.path.splitext(name)[1].lower() in EXTENSIONS
