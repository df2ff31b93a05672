"""Lists of many images, kept in the user's cache and checked before they are used again."""

import hashlib
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from tempfile import NamedTemporaryFile
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from sing_compute.images.compact_text import Categorical, Texts
from sing_compute.images.folders import Note
from sing_compute.images.imagenette import cache_folder
from sing_compute.images.listing import ImageList, Members

VERSION = 1
"""Of what is listed and how it is kept."""
LARGE = 50_000
"""Lists of more images than this are kept."""
SETTLED = 60 * 10**9
"""Nanoseconds for which everything must have lain still: a change within one tick of a clock leaves no trace in it."""


def listed_once(root: Path, what: str, make: Callable[[Note], ImageList]) -> ImageList:
    """The list that `make` makes of what lies below a folder, or the one it made before if nothing there has changed since.

    Each folder and archive that the list depends on must show the same times of change, size and number as before it
    was listed. A cache that cannot be written or read only costs time.

    Args:
        root: The folder.
        what: Tells several lists of one folder apart.
        make: Lists anew; tells its argument of each folder and archive before it looks into it.
    """
    name = hashlib.sha256(f"{VERSION}\n{root.resolve()}\n{what}".encode("utf-8", "surrogateescape")).hexdigest()
    file = cache_folder() / "listings" / f"{name}.npz"
    found = _read(file, root)
    if found is not None:
        return found
    started = time.time_ns()
    places, states, newest = list[str](), list[str](), 0

    def note(place: str) -> None:
        nonlocal newest
        try:
            state = (root / place).stat()
        except OSError:  # whoever looks into it says so
            newest = started
            return
        places.append(place)
        states.append(_state(state))
        newest = max(newest, state.st_mtime_ns, state.st_ctime_ns)

    images = make(note)
    if len(images) > LARGE and newest < started - SETTLED:
        _write(file, images, places, states)
    return images


def _state(found: os.stat_result) -> str:
    return f"{found.st_mtime_ns} {found.st_ctime_ns} {found.st_ino} {found.st_size}"


def _read(file: Path, root: Path) -> ImageList | None:
    """The list in a cache file; None if there is none, it is damaged, or anything has changed."""
    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            places, states = (_texts(arrays, name) for name in ("places", "states"))
            if any(_state((root / place).stat()) != state for place, state in zip(places, states, strict=True)):
                return None
            members = None
            if "stamps_content" in arrays:
                archives, stamps = (tuple(_texts(arrays, name)) for name in ("archives", "stamps"))
                members = Members(archives, stamps, *(arrays[name] for name in _PLACES))
            labels = Categorical(arrays["codes"], tuple(_texts(arrays, "names")))
            return ImageList(root, _texts(arrays, "keys"), labels, members=members)
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None


def _write(file: Path, images: ImageList, places: list[str], states: list[str]) -> None:
    texts: dict[str, Sequence[str]] = {"names": images.labels.names, "places": places, "states": states}
    arrays: dict[str, NDArray[np.generic]] = {"codes": images.labels.codes}
    arrays["keys_content"], arrays["keys_bounds"] = images.keys.arrays
    if images.members is not None:
        texts |= {"archives": images.members.archives, "stamps": images.members.stamps}
        arrays |= {name: getattr(images.members, name) for name in _PLACES}
    try:
        for name, each in texts.items():
            arrays[f"{name}_content"], arrays[f"{name}_bounds"] = Texts(each).arrays
        file.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=file.parent, prefix="unfinished-", delete=False) as aside:
            try:
                np.savez(aside, allow_pickle=False, **arrays)
                aside.close()
                os.replace(aside.name, file)
            except BaseException:
                os.unlink(aside.name)
                raise
    except (OSError, UnicodeEncodeError):  # no place to write, or a folder whose name is not UTF-8
        return


def _texts(arrays: np.lib.npyio.NpzFile, name: str) -> Texts:
    return Texts.from_arrays(arrays[f"{name}_content"], arrays[f"{name}_bounds"])


_PLACES = tuple(field.name for field in fields(Members))[2:]
"""Arrays of `Members` with one number for each image."""
