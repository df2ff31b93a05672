"""Write a results file by the schema, under a temporary name, and rename it at the end; until then the old file remains."""

import errno
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import ArrayLike

from sing_compute.atomic_write import ProtectedFileError, check_replaceable, followed, sync_folder, write_failure
from sing_compute.errors import StoreError
from sing_compute.store import catalogue
from sing_compute.store.catalogue import FIELDS
from sing_compute.store.constants import FORMAT, SCHEMA_VERSION
from sing_compute.store.disk import StoreStream
from sing_compute.store.gate import MAX_ITEMS, MAX_TEXT
from sing_compute.store.read import Store
from sing_compute.store.text import one_line

Attribute = str | int | float | bool
_ATTRIBUTE_TEXT = 32_000
"""Most bytes of a text attribute; HDF5 stores attributes of at most 64 KiB."""
_SLICE = 8192
"""Number of texts that are encoded at once."""


class Writer:
    """Write arrays at the places that the schema defines, each with its axes, unit, description and version."""

    def __init__(self, file: h5py.File) -> None:
        self._file = file

    def create(self, path: str, shape: tuple[int, ...], **items: str | None) -> h5py.Dataset:
        """Create an empty numeric dataset for results that come row by row.

        Args:
            path: Its declared path, as in `put`.
            shape: Length of each declared axis.
            items: As in `put`.
        """
        field = FIELDS[path]
        dataset = self._file.create_dataset(path.format(**items), shape=shape, dtype=field.dtype)
        self._describe(dataset, path)
        return dataset

    def put(self, path: str, values: ArrayLike | Iterable[str], **items: str | None) -> None:
        """Write one declared dataset.

        Args:
            path: Its declared path, with `{model}` and the like in it.
            values: Its cells, with the declared axes.
            items: The item of each group axis in the path: `model="resnet50"`.

        Raises:
            ValueError: The array has another number of axes than the schema says.
        """
        field = FIELDS[path]
        if field.dtype == "text":
            self._describe(self._put_text(path.format(**items), values), path)
            return
        array = np.asarray(values, dtype=field.dtype)
        if array.ndim != len(field.axes):
            raise ValueError(f"{path} has axes {field.axes} but the array has shape {array.shape}")
        self._describe(self._file.create_dataset(path.format(**items), data=array), path)

    def annotate(self, group: str, attributes: Mapping[str, Attribute]) -> None:
        """Write attributes of a group: provenance and settings."""
        target = self._file.require_group(group)
        for name, value in attributes.items():
            _attribute(target, name, value)

    def copy(self, store: Store, *, leave_out: Collection[str] = ()) -> None:
        """Copy a whole results file bit for bit: every group, dataset and attribute, known to this program or not.

        Args:
            store: The file to copy.
            leave_out: Paths of groups and datasets that are not copied, because they depend on changed data. Data that this
                file holds already remain.

        Raises:
            StoreError: The file holds links, or data outside itself, or cannot be copied.
        """
        store.check_tree("")
        self._copy_attributes(store, "/", leave_out=("format", "schema_version"))
        self._copy_into(store, "", frozenset(leave_out))

    def _copy_into(self, store: Store, group: str, leave_out: frozenset[str]) -> None:
        for name in store.names(group):
            path = f"{group}/{name}".lstrip("/")
            if path in leave_out:
                continue
            inside = any(other.startswith(f"{path}/") for other in leave_out)
            if not inside and path not in self._file:
                self._copy_one(store, path, path)
                continue
            if not isinstance(store.file[path], h5py.Group):
                continue
            if path not in self._file:
                self._copy_attributes(store, path)
            self._copy_into(store, path, leave_out)

    def _copy_attributes(self, store: Store, path: str, leave_out: Collection[str] = ()) -> None:
        """Copy the attributes of a group as they are: as Python values, texts that are no UTF-8 could not be written."""
        source, target = store.file[path], self._file.require_group(path)
        try:
            for name in source.attrs:
                if name in leave_out:
                    continue
                if name in target.attrs:
                    del target.attrs[name]
                old = source.attrs.get_id(name)
                raw = name if isinstance(name, bytes) else name.encode()  # a name that is no UTF-8 comes as bytes
                new = h5py.h5a.create(target.id, raw, old.get_type(), old.get_space())
                if old.get_space().get_simple_extent_type() != h5py.h5s.NULL:
                    values = np.empty(old.shape, old.dtype)
                    old.read(values)
                    new.write(values)
        except (KeyError, OSError, RuntimeError, TypeError, ValueError) as error:
            raise StoreError(f"{store.path}: {path}: {one_line(error)}") from error

    def copy_item(self, store: Store, path: str, *, name: str | None = None) -> None:
        """Copy one group or dataset from another results file, bit for bit.

        Args:
            store: The other file.
            path: Path of the group or dataset.
            name: New last part of the path; None to keep the old one.

        Raises:
            StoreError: It holds links, or data outside its file, or cannot be copied.
        """
        store.check_tree(path)
        parent = path.rpartition("/")[0]
        self._copy_one(store, path, f"{parent}/{name}" if name else path)

    def _copy_one(self, store: Store, path: str, target: str) -> None:
        parent, _, name = target.rpartition("/")
        try:
            store.file.copy(path, self._file.require_group(parent or "/"), name=name)
        except (OSError, RuntimeError, ValueError) as error:
            raise StoreError(f"{store.path}: {one_line(error)}") from error

    def drop(self, path: str) -> None:
        """Remove a copied group or dataset, if it is there."""
        if path in self._file:
            del self._file[path]

    def replace(self, path: str, values: ArrayLike | Iterable[str], **items: str | None) -> None:
        """Replace a copied dataset; arguments as in `put`."""
        del self._file[path.format(**items)]
        self.put(path, values, **items)

    def _put_text(self, name: str, values: ArrayLike | Iterable[str]) -> h5py.Dataset:
        """Write text in slices, so that a million keys are never copied all at once."""
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


def _check_items(file: h5py.File) -> None:
    """Refuse more models and the like than a reader accepts.

    Raises:
        StoreError: There are too many.
    """
    for axis in catalogue.axes():
        if axis.group and axis.group in file and len(file[axis.group]) > MAX_ITEMS:
            raise StoreError(
                f"{len(file[axis.group]):,} {catalogue.plural(axis.name)} are more than a results file may hold "
                f"({MAX_ITEMS:,}); use several files"
            )


def _encoded(text: object) -> bytes:
    """Return text as UTF-8, no longer than a reader accepts."""
    return str(text).encode("utf-8", "replace")[:MAX_TEXT]


def _attribute(item: h5py.Group | h5py.Dataset, name: str, value: Attribute) -> None:
    """Write one attribute; text has a fixed length, as in datasets, because a damaged heap cannot be read safely."""
    if isinstance(value, str):
        text = value.encode("utf-8", "replace")[:_ATTRIBUTE_TEXT]
        item.attrs.create(name, text, dtype=h5py.string_dtype("utf-8", max(1, len(text))))
    else:
        item.attrs[name] = int(value) if isinstance(value, bool) else value


def check_results_name(path: Path) -> None:
    """Refuse a name that belongs to anything but a results file, even a damaged one, or an empty file.

    Args:
        path: Name of a results file that is going to be written.

    Raises:
        ProtectedFileError: It belongs to something else.
    """
    check_replaceable(path, hdf5=True)
    try:
        with h5py.File(path, "r") as file:
            form = file.attrs.get("format")
    except (OSError, ValueError, RuntimeError):
        return  # there is none, or it is damaged
    if not isinstance(form, str | bytes) or form not in (FORMAT, FORMAT.encode()):
        raise ProtectedFileError(errno.EEXIST, "it is an HDF5 file of another program")


@contextmanager
def replace_store(path: Path, *, scratch: Path) -> Iterator[Writer]:
    """Write a new results file in `scratch` and, if the block raises nothing, replace `path` by it in one step.

    Args:
        path: The results file.
        scratch: Folder for the unfinished file, on the file system of `path`: only a rename inside one file system is atomic.

    Raises:
        StoreError: The file cannot be written; an old file at `path` is unchanged.
    """
    path = followed(path)
    scratch.mkdir(parents=True, exist_ok=True)
    temporary = scratch / f"{path.name}.{os.getpid()}.tmp"
    stream = None
    try:
        check_results_name(path)
        with StoreStream(temporary) as stream:
            file = h5py.File(stream, "w")
            try:
                _attribute(file, "format", FORMAT)
                _attribute(file, "schema_version", SCHEMA_VERSION)
                yield Writer(file)
                _check_items(file)
            finally:
                stream.closing = True
                file.close()
            if stream.failure is not None:
                raise stream.failure
            os.fsync(stream.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except Exception as error:
        failure = stream.failure if stream is not None and stream.failure is not None else error
        if isinstance(failure, OSError):  # HDF5 may have raised another error for it
            raise StoreError(write_failure(path, failure)) from error
        raise
    finally:
        with suppress(OSError):
            temporary.unlink()
