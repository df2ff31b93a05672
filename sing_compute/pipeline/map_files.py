"""Write spatial maps that are too large for a results file into files next to it: `results.h5.maps/SHA256.safetensors`.

The results file names each of them with its size and SHA-256. A file is complete before it has its name, and its name follows
from its content, so that a results file and its maps always belong together.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from sing_compute.atomic_write import binary_file, followed, sync_folder, write_failure
from sing_compute.errors import SingError, StoreError
from sing_compute.fingerprints import file_sha256
from sing_compute.store import Store
from sing_compute.store.text import clean

SUFFIX = ".safetensors"
_DIGITS = 64
"""Number of hexadecimal digits of a SHA-256."""


def map_folder(output: Path) -> Path:
    """Return the folder of the map files of a results file."""
    output = followed(output)
    return output.with_name(output.name + ".maps")


def write_map_file(
    folder: Path,
    image: Int[np.ndarray, " map_image"],
    position: Int[np.ndarray, " map_position"],
    channels: int,
    parts: Iterable[Float[np.ndarray, "part map_position channel"]],
) -> dict[str, str | int]:
    """Write the maps of one model part by part: memory does not depend on the number of maps.

    Args:
        folder: Folder of the file; it is made if needed.
        image: Rows of the images.
        position: Stored positions of each map.
        channels: Number of channels of each position.
        parts: The maps of all images in order, float32.

    Returns:
        Attributes for the results file: `file` (the file's name), `file_bytes` and `file_sha256`.

    Raises:
        SingError: The file cannot be written.
        ValueError: The parts hold another number of images than `image`.
    """
    image, position = image.astype("<i4"), position.astype("<i4")
    digest, size, count = hashlib.sha256(), 0, 0
    first = folder / f"unfinished-{os.getpid()}{SUFFIX}"

    def pieces() -> Iterator[bytes]:
        yield _header(len(image), len(position), channels)
        yield image.tobytes()
        yield position.tobytes()
        for part in parts:
            nonlocal count
            count += len(part)
            yield np.ascontiguousarray(part, "<f4").tobytes()

    try:
        folder.mkdir(parents=True, exist_ok=True)
        with binary_file(first) as stream:
            for piece in pieces():
                stream.write(piece)
                digest.update(piece)
                size += len(piece)
            if count != len(image):
                raise ValueError(f"{count} maps for {len(image)} images")
        first.replace(folder / (digest.hexdigest() + SUFFIX))
        sync_folder(folder)
    except OSError as error:
        raise SingError(write_failure(folder, error)) from error
    return {"file": digest.hexdigest() + SUFFIX, "file_bytes": size, "file_sha256": digest.hexdigest()}


def named_map_file(store: Store, model: str) -> str | None:
    """Return the name of the map file of a model; None if its maps are in the results file, or it has none.

    Raises:
        StoreError: `write_map_file` gives no file such a name.
    """
    name = store.attributes(f"models/{model}/maps").get("file")
    if name is None:
        return None
    if not isinstance(name, str) or not _is_map_file(name):
        raise StoreError(
            f"{store.path}: models/{clean(model)}/maps: file {clean(str(name))!r} is no name of a file of maps"
        )
    return name


def checked_map_file(store: Store, model: str) -> Path:
    """Return the map file of a model that has one, after it has been read whole and compared with its SHA-256.

    Args:
        store: The results file.
        model: Its name there.

    Raises:
        StoreError: The file is missing or has changed.
        OSError: It cannot be read.
    """
    name = str(named_map_file(store, model))
    path = map_folder(store.path) / name
    if not path.is_file():
        raise StoreError(
            f"{path} is missing, which holds the maps of {clean(model)}; put its folder next to {store.path}"
        )
    if file_sha256(path) + SUFFIX != name:
        raise StoreError(
            f"{path}, which holds the maps of {clean(model)}, is damaged (its SHA-256 is not that of its name): copy it "
            "again from where it came from, or measure the model again, with --maps"
        )
    return path


def copy_map_file(store: Store, model: str, output: Path) -> None:
    """Copy the map file of a model to another results file; on one disk both names share one file (a hard link).

    Args:
        store: The results file that the model comes from.
        model: Its name there.
        output: The other results file.

    Raises:
        SingError: The map file is missing or cannot be copied.
    """
    name = named_map_file(store, model)
    if name is None:
        return
    source, target = map_folder(store.path) / name, map_folder(output) / name
    if not source.is_file():
        raise StoreError(
            f"{source} is missing, which holds the maps of {clean(model)}; put its folder next to {store.path}"
        )
    if target.exists():
        return
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(source, target)
        except OSError:
            with source.open("rb") as original, binary_file(target) as copy:
                shutil.copyfileobj(original, copy)
    except OSError as error:
        raise SingError(write_failure(target, error)) from error


def remove_unused_map_files(output: Path) -> None:
    """Remove the map files next to a results file that the file no longer names, and their folder if it is empty."""
    folder = map_folder(output)
    if not folder.is_dir():
        return
    with Store(output) as store:
        used = {named_map_file(store, model) for model in store.models}
    with suppress(OSError):
        for path in folder.iterdir():
            if (_is_map_file(path.name) or path.name.startswith("unfinished-")) and path.name not in used:
                path.unlink()
        if not any(folder.iterdir()):
            folder.rmdir()


def _is_map_file(name: str) -> bool:
    digits = name.removesuffix(SUFFIX)
    return name.endswith(SUFFIX) and len(digits) == _DIGITS and set(digits) <= set("0123456789abcdef")


def _header(images: int, positions: int, channels: int) -> bytes:
    """Return the header of a safetensors file: length and JSON, padded so that the numbers begin at a multiple of 8."""
    tensors: dict[str, dict[str, object]] = {}
    start = 0
    for name, dtype, shape in (
        ("image", "I32", [images]),
        ("position", "I32", [positions]),
        ("value", "F32", [images, positions, channels]),
    ):
        stop = start + 4 * int(np.prod(shape))
        tensors[name] = {"dtype": dtype, "shape": shape, "data_offsets": [start, stop]}
        start = stop
    text = json.dumps(tensors).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text
