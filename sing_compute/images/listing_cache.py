"""Store lists of many images in the user's cache, and check that they are still true before they are used again."""

import hashlib
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from sing_compute.atomic_write import binary_file
from sing_compute.images.compact_text import Categorical, Texts
from sing_compute.images.folders import OnVisit
from sing_compute.images.listing import ArchiveMembers, ImageList
from sing_compute.user_folders import cache_folder

VERSION = 2
"""Version of the lists and of their files."""
LARGE = 50_000
"""Lists of more images than this are stored."""
UNCHANGED_FOR = 60 * 10**9
"""Nanoseconds without a change before a list is stored: two changes within one tick of the disk's clock look like one."""


def cached_list(root: Path, what: str, make: Callable[[OnVisit], ImageList]) -> ImageList:
    """List the images below a folder, or return the list of an earlier call if nothing there has changed since.

    Every folder and archive that was visited must have the same times of change, number and size as before it was
    listed. If the cache cannot be read or written, this only costs time.

    Args:
        root: The folder.
        what: Distinguishes several kinds of lists of one folder.
        make: Lists the images; it must call its argument for each folder and archive before it lists or reads it.
    """
    name = hashlib.sha256(f"{VERSION}\n{root.resolve()}\n{what}".encode("utf-8", "surrogateescape")).hexdigest()
    file = cache_folder() / "listings" / f"{name}.npz"
    found = _read(file, root)
    if found is not None:
        return found
    started = time.time_ns()
    places, states, newest = list[str](), list[str](), 0

    def on_visit(place: str) -> None:
        nonlocal newest
        try:
            state = (root / place).stat()
        except OSError:  # listing it will raise the error
            newest = started
            return
        places.append(place)
        states.append(_state(state))
        newest = max(newest, state.st_mtime_ns, state.st_ctime_ns)

    images = make(on_visit)
    if len(images) > LARGE and newest < started - UNCHANGED_FOR:
        _write(file, images, places, states)
    return images


def _state(found: os.stat_result) -> str:
    """Return what must stay the same as long as a folder or archive is unchanged."""
    return f"{found.st_mtime_ns} {found.st_ctime_ns} {found.st_ino} {found.st_size}"


def _read(file: Path, root: Path) -> ImageList | None:
    """Return the list of a cache file; None if there is none, it is damaged, or anything has changed."""
    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            places, states = (_texts(arrays, name) for name in ("places", "states"))
            if any(_state((root / place).stat()) != state for place, state in zip(places, states, strict=True)):
                return None
            members = None
            if "stamps_content" in arrays:
                archives, stamps = (tuple(_texts(arrays, name)) for name in ("archives", "stamps"))
                members = ArchiveMembers(archives, stamps, *(arrays[name] for name in _PER_IMAGE))
            labels = Categorical(arrays["codes"], tuple(_texts(arrays, "names")))
            return ImageList(
                root, _texts(arrays, "keys"), labels, members=members, notes=tuple(_texts(arrays, "notes"))
            )
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None


def _write(file: Path, images: ImageList, places: list[str], states: list[str]) -> None:
    texts: dict[str, Sequence[str]] = {"names": images.labels.names, "places": places, "states": states}
    texts["notes"] = images.notes
    arrays: dict[str, NDArray[np.generic]] = {"codes": images.labels.codes}
    arrays["keys_content"], arrays["keys_bounds"] = images.keys.arrays
    if images.members is not None:
        texts |= {"archives": images.members.archives, "stamps": images.members.stamps}
        arrays |= {name: getattr(images.members, name) for name in _PER_IMAGE}
    try:
        for name, each in texts.items():
            arrays[f"{name}_content"], arrays[f"{name}_bounds"] = Texts(each).arrays
        file.parent.mkdir(parents=True, exist_ok=True)
        with binary_file(file, permissions=0o600, durable=False) as stream:
            np.savez(stream, allow_pickle=False, **arrays)
    except (OSError, UnicodeEncodeError):  # the cache cannot be written, or the name of a folder is not UTF-8
        return


def _texts(arrays: np.lib.npyio.NpzFile, name: str) -> Texts:
    return Texts.from_arrays(arrays[f"{name}_content"], arrays[f"{name}_bounds"])


_PER_IMAGE = tuple(field.name for field in fields(ArchiveMembers))[2:]
"""Fields of `ArchiveMembers` with one number for each image."""
