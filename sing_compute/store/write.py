"""Writing a results file: under another name, by the schema, then renamed. The old file stays whole until that moment."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import ArrayLike

from sing_compute.atomic_write import write_failure
from sing_compute.errors import StoreError
from sing_compute.store.disk import StoreStream
from sing_compute.store.gate import MAX_TEXT
from sing_compute.store.read import Store
from sing_compute.store.schema import FIELDS, FORMAT, SCHEMA_VERSION
from sing_compute.store.text import one_line

SHARED = ("images", "groups", "subsets", "classes", "concepts", "clip")
"""Groups that all models of one file have in common."""

Attribute = str | int | float | bool
_ATTRIBUTE_TEXT = 32_000
"""Bytes; HDF5 keeps attributes of at most 64 KiB."""
_SLICE = 8192
"""Texts that are encoded at once."""


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
        if field.dtype == "text":
            self._describe(self._put_text(path.format(model=model), values), path)
            return
        array = np.asarray(values, dtype=field.dtype)
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

    def _put_text(self, name: str, values: ArrayLike | Iterable[str]) -> h5py.Dataset:
        """Text in slices, so that a million keys need no copies of all at once."""
        texts = values if isinstance(values, Sequence) else list(values)  # type: ignore[arg-type]
        length = max((len(_encoded(text)) for text in texts), default=1) or 1
        dataset = self._file.create_dataset(name, (len(texts),), dtype=h5py.string_dtype("utf-8", length))
        for start in range(0, len(texts), _SLICE):
            part = [_encoded(text) for text in texts[start : start + _SLICE]]
            dataset[start : start + len(part)] = np.array(part, dtype=dataset.dtype)
        return dataset

    @staticmethod
    def _describe(dataset: h5py.Dataset, path: str) -> None:
        field = FIELDS[path]
        _attribute(dataset, "axes", ",".join(field.axes))
        _attribute(dataset, "unit", field.unit)
        _attribute(dataset, "description", field.description)
        _attribute(dataset, "version", SCHEMA_VERSION)


def _encoded(text: object) -> bytes:
    """UTF-8, no longer than a reader takes."""
    return str(text).encode("utf-8", "replace")[:MAX_TEXT]


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
    stream = None
    try:
        with StoreStream(temporary) as stream:
            file = h5py.File(stream, "w")
            try:
                _attribute(file, "format", FORMAT)
                _attribute(file, "schema_version", SCHEMA_VERSION)
                yield Writer(file)
            finally:
                stream.closing = True
                file.close()
            if stream.failure is not None:
                raise stream.failure
            os.fsync(stream.fileno())
        temporary.replace(path)
        _sync(path.parent)
    except Exception as error:
        failure = stream.failure if stream is not None and stream.failure is not None else error
        if isinstance(failure, OSError):  # HDF5 may have made something else of it
            raise StoreError(write_failure(path, failure)) from error
        raise
    finally:
        with suppress(OSError):
            temporary.unlink()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
