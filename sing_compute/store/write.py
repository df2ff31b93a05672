"""Writing a results file: under another name, by the schema, then renamed. The old file stays whole until that moment."""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import ArrayLike, NDArray

from sing_compute.errors import StoreError
from sing_compute.store.gate import MAX_TEXT
from sing_compute.store.read import Store
from sing_compute.store.schema import FIELDS, FORMAT, SCHEMA_VERSION
from sing_compute.store.text import one_line

SHARED = ("images", "groups", "subsets", "classes", "concepts", "clip")
"""Groups that all models of one file have in common."""

Attribute = str | int | float | bool
_ATTRIBUTE_TEXT = 32_000
"""Bytes; HDF5 keeps attributes of at most 64 KiB."""


class Writer:
    """Puts arrays where the schema says, with axes, unit, description and version beside each."""

    def __init__(self, file: h5py.File) -> None:
        self._file = file

    def create(self, path: str, shape: tuple[int, ...], *, model: str | None = None) -> h5py.Dataset:
        """An empty numeric dataset of the schema, for results that arrive row by row."""
        field = FIELDS[path]
        dataset = self._file.create_dataset(path.format(model=model), shape=shape, dtype=field.dtype)
        self._describe(dataset, path)
        return dataset

    def put(self, path: str, values: ArrayLike | Iterable[str], *, model: str | None = None) -> None:
        """Write one dataset of the schema; `path` as it stands there, with `{model}` in it.

        Raises:
            ValueError: The array has another number of axes than the schema says.
        """
        field = FIELDS[path]
        array = text_array(values) if field.dtype == "text" else np.asarray(values, dtype=field.dtype)
        if array.ndim != len(field.axes):
            raise ValueError(f"{path} has axes {field.axes} but the array has shape {array.shape}")
        self._describe(self._file.create_dataset(path.format(model=model), data=array), path)

    def annotate(self, group: str, attributes: Mapping[str, Attribute]) -> None:
        """Attributes of a group: provenance and settings."""
        target = self._file.require_group(group)
        for name, value in attributes.items():
            _attribute(target, name, value)

    def adopt(self, store: Store, groups: Iterable[str], *, name: str | None = None) -> None:
        """Copy whole groups from another results file, bit for bit; under a new last name if one is given.

        Raises:
            StoreError: A group holds links, or data outside its file, or cannot be copied.
        """
        for group in groups:
            if group in store:
                store.check_tree(group)
                parent = self._file.require_group(str(Path(group).parent))
                try:
                    store.file.copy(group, parent, name=name or Path(group).name)
                except (OSError, RuntimeError, ValueError) as error:
                    raise StoreError(f"{store.path}: {one_line(error)}") from error

    def replace(self, path: str, values: ArrayLike | Iterable[str], *, model: str | None = None) -> None:
        """Write one dataset of the schema in the place of the one that was copied."""
        del self._file[path.format(model=model)]
        self.put(path, values, model=model)

    @staticmethod
    def _describe(dataset: h5py.Dataset, path: str) -> None:
        field = FIELDS[path]
        _attribute(dataset, "axes", ",".join(field.axes))
        _attribute(dataset, "unit", field.unit)
        _attribute(dataset, "description", field.description)
        _attribute(dataset, "version", SCHEMA_VERSION)


def text_array(values: ArrayLike | Iterable[str]) -> NDArray[np.bytes_]:
    """UTF-8 bytes of equal length, as HDF5's fixed strings want them; no text is longer than a reader takes."""
    encoded = [str(value).encode("utf-8", "replace")[:MAX_TEXT] for value in values]  # type: ignore[union-attr]
    length = max((len(value) for value in encoded), default=1) or 1
    return np.array(encoded, dtype=h5py.string_dtype("utf-8", length))


def _attribute(item: h5py.Group | h5py.Dataset, name: str, value: Attribute) -> None:
    """One attribute; text of fixed length, for the same reason as in datasets: a damaged heap cannot be read safely."""
    if isinstance(value, str):
        text = value.encode("utf-8", "replace")[:_ATTRIBUTE_TEXT]
        item.attrs.create(name, text, dtype=h5py.string_dtype("utf-8", max(1, len(text))))
    else:
        item.attrs[name] = int(value) if isinstance(value, bool) else value


@contextmanager
def replace_store(path: Path, *, scratch: Path) -> Iterator[Writer]:
    """Write a new results file in `scratch` and, if the block ends well, put it in the place of `path` in one step.

    `scratch` must be on the file system of `path`: only a rename inside one file system is atomic.

    Raises:
        StoreError: The file cannot be written; what stood at `path` is untouched.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    temporary = scratch / f"{path.name}.{os.getpid()}.tmp"
    try:
        with h5py.File(temporary, "w") as file:
            _attribute(file, "format", FORMAT)
            _attribute(file, "schema_version", SCHEMA_VERSION)
            yield Writer(file)
            file.flush()
        _sync(temporary)
        temporary.replace(path)
        _sync(path.parent)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
