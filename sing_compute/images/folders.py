"""Images below a folder: one look into each folder, none at a file."""

import os
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from sing_compute.errors import ImagesError
from sing_compute.images.compact_text import Categorical, Texts
from sing_compute.images.listing import EXTENSIONS, ImageList

Note = Callable[[str], object]
"""Is told the path below the root of each folder before it is listed, and of each archive before it is read."""


def list_tree(root: Path, note: Note = str) -> ImageList:
    """Images of a folder with one subfolder per class. Links to folders count as classes but are not followed further down.

    Raises:
        ImagesError: No images in subfolders, a folder that cannot be listed, or a name that is not UTF-8.
    """
    codes, names = array("i"), list[str]()

    def keys() -> Iterator[str]:
        for name in classes:
            for key in walk(root, name, note):
                codes.append(len(names))
                yield key
            names.append(name)

    note("")
    entries = list(look_into(root))
    classes = sorted(entry.name for entry in entries if is_class(entry))
    texts = gathered(root, keys())
    if not texts:
        loose = sum(is_image(entry.name) for entry in entries)
        hint = f"; {loose} images lie loose in it" if loose else ""
        raise ImagesError(f"--images {root}: no images in its subfolders{hint}. It needs one subfolder per class")
    return ImageList(root, texts, Categorical(np.frombuffer(codes, dtype=np.int32), tuple(names)))


def walk(root: Path, below: str, note: Note = str) -> Iterator[str]:
    """Keys of all images in a folder and the folders in it, in the order of their names.

    Raises:
        ImagesError: A folder that cannot be listed.
    """
    note(below)
    names, folders = list[str](), set[str]()
    for entry in look_into(root / below):
        if entry.is_dir(follow_symlinks=False):
            folders.add(entry.name)
        elif not is_image(entry.name) or not (entry.is_file(follow_symlinks=False) or entry.is_symlink()):
            continue
        names.append(entry.name)
    for name in sorted(names):
        key = f"{below}/{name}" if below else name
        if name in folders:
            yield from walk(root, key, note)
        else:
            yield key


def gathered(root: Path, keys: Iterator[str]) -> Texts:
    """Keys of images in one buffer.

    Raises:
        ImagesError: One of them is not UTF-8.
    """
    try:
        return Texts(keys)
    except UnicodeEncodeError as error:
        raise ImagesError(f"--images {root}: the name {error.object!a} is not UTF-8; rename it") from None


def look_into(folder: Path) -> Iterator[os.DirEntry[str]]:
    """What lies in a folder.

    Raises:
        ImagesError: It cannot be listed.
    """
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except OSError as error:
        raise ImagesError(f"--images {folder}: this folder cannot be listed ({error.strerror})") from error


def is_class(entry: os.DirEntry[str]) -> bool:
    """Whether a thing in the image root is the folder of a class."""
    return entry.is_dir() and not entry.name.startswith(".")


def is_image(name: str) -> bool:
    """Whether a file's ending is that of an image."""
    return os.path.splitext(name)[1].lower() in EXTENSIONS
