"""Open a results file for reading. Data are read when they are asked for; the file is never changed."""

from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h5py
import numpy as np
from numpy.typing import NDArray

from sing_compute.errors import StoreError
from sing_compute.store import catalogue, gate
from sing_compute.store.constants import FORMAT, SCHEMA_VERSION
from sing_compute.store.definition import Field
from sing_compute.store.opening import descriptor_of, open_hdf5
from sing_compute.store.place import Key
from sing_compute.store.stored import Stored
from sing_compute.store.text import one_line, store_error

LEAST_DECLARED = 2**28
"""Bytes of memory that the datasets of any file may declare together."""
MOST_UNPACKED = 6
"""Bytes of memory that they may declare for each byte of a large file: packed files and text take more memory than disk."""
_OPEN_GROUPS, _OPEN_DATASETS, _LISTED_GROUPS = 4096, 2048, 16_384
"""Groups and datasets that stay open for the next question, 3 and 20 kB of memory each, and groups whose names are kept."""


class UnknownLengthError(StoreError):
    """A dataset cannot be checked because the dataset that defines its length is missing or damaged."""


class StoreFile:
    """An open results file, read-only: its datasets and attributes by path.

    The file may come from a stranger: `dataset`, `array`, `attributes`, `summary` and `in` go through `gate` and return checked
    data or raise a StoreError (docs/store.md, "Files from strangers"). `file` is h5py's own object, which checks nothing.

    Raises:
        StoreError: The file is missing, not HDF5, not a results file, or of a newer schema.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            what = "is not a regular file" if self.path.exists() else "does not exist"
            raise store_error(f"{self.path} {what}; sing-compute writes such a file (-o {self.path.name})")
        try:
            self.file = open_hdf5(self.path)
        except BlockingIOError as error:
            raise store_error(
                f"{self.path} is open for writing in another program; close it there, or set HDF5_USE_FILE_LOCKING=FALSE to "
                "read it all the same"
            ) from error
        except Exception as error:  # for a damaged file the library raises nearly any type of error
            text = one_line(error) or type(error).__name__
            raise store_error(f"{self.path} is not a readable HDF5 file (is it complete?): {text}") from error
        self._known: OrderedDict[str, Stored | None] = OrderedDict()
        self._links: OrderedDict[str, dict[str, bool]] = OrderedDict()
        self._groups: OrderedDict[str, Any] = OrderedDict()
        self._places: dict[int, str] = {}
        self._declared = 0
        try:
            self._size = self.path.stat().st_size
            self._root = h5py.h5g.open(self.file.id, b"/")
            self._descriptor = descriptor_of(self.file)
            self._check_version()
        except BaseException as error:
            self.file.close()
            if isinstance(error, StoreError) or not isinstance(error, Exception):
                raise
            raise store_error(f"{self.path} is damaged: {one_line(error)}") from error

    def _check_version(self) -> None:
        root = gate.attributes(self._root, "/")
        version = root.get("schema_version")
        if "format" not in root and h5py.h5a.exists(self._root, b"format"):
            raise store_error(
                f"{self.path}: a development version wrote it, with texts that are not read: compute it again"
            )
        if root.get("format") != FORMAT or not isinstance(version, int) or version < 1:
            raise store_error(f"{self.path} is an HDF5 file but not a result of sing-compute")
        if version > SCHEMA_VERSION:
            raise store_error(f"{self.path} has schema {version}, this program reads up to {SCHEMA_VERSION}; update it")

    def close(self) -> None:
        """Close the file."""
        self._known.clear()
        self._groups.clear()
        self.file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __contains__(self, path: str) -> bool:
        try:
            return self._is_linked(path.strip("/"))
        except StoreError as error:
            raise store_error(f"{self.path.name}: {error}") from error

    def _is_linked(self, path: str) -> bool:
        """Return True if there is an object at a path; it is not opened.

        Raises:
            StoreError: A part of the path is a link to somewhere else.
        """
        group, _, name = path.rpartition("/")
        hard = self._names_in(group).get(name)
        if hard is False:
            raise gate.elsewhere(path)
        return hard is True

    def _names_in(self, group: str) -> dict[str, bool]:
        """Return the names in a group, each with True if it is a hard link; none if there is no such group."""
        if group not in self._links:
            _keep(self._links, group, gate.links(self._group(group), group or "/"), _LISTED_GROUPS)
        return self._links[group]

    def _find(self, path: str) -> Any:
        try:
            return self._group(path.strip("/"))
        except StoreError as error:
            raise store_error(f"{self.path.name}: {error}") from error

    def _group(self, path: str) -> Any:
        """Open the object at a path, which should be a group; return None if there is none. Groups stay open."""
        if not path:
            return self._root
        if path not in self._groups:
            if not self._is_linked(path):
                return None
            above, _, name = path.rpartition("/")
            found = gate.opened(self._group(above), name, path, is_group=True)
            if not isinstance(found, h5py.h5g.GroupID):
                return found
            _keep(self._groups, path, found, _OPEN_GROUPS)
        return self._groups[path]

    def _child(self, path: str) -> Any:
        """Open the object at a path, which should be a dataset; return None if there is none."""
        if not self._is_linked(path):
            return None
        group, _, name = path.rpartition("/")
        return gate.opened(self._group(group), name, path)

    def examine(self, path: str) -> Stored | None:
        """Open the dataset of the schema at a path and check it, without reading it; return None if it was not computed.

        Raises:
            StoreError: The object at the path is not as the schema says; the message begins with the path.
        """
        if path in self._known:
            return self._known[path]
        field, items = catalogue.field_of(path)
        item = self._child(path)
        found = None if item is None else self._checked(item, path, field, items)
        if field.axes and found is not None:  # not of the many single numbers
            self._account(found)
        _keep(self._known, path, found, _OPEN_DATASETS)
        return found

    def _account(self, stored: Stored) -> None:
        """Refuse a dataset that has two names, or that declares far more than a file of this size can hold."""
        first = self._places.get(stored.address)
        if first == stored.path:
            return
        if first is not None:
            raise store_error(f"{stored.path}: is the same dataset as {first}; such a file is not read")
        declared = self._declared + stored.memory
        limit = max(LEAST_DECLARED, MOST_UNPACKED * self._size)
        if declared > limit:
            raise store_error(
                f"{stored.path}: with it the file of {self._size / 1e6:,.1f} MB declares {declared / 1e6:,.0f} MB of data; "
                f"at most {limit / 1e6:,.0f} MB are read. If it is sound, write it unpacked: h5repack -f NONE"
            )
        self._places[stored.address], self._declared = stored.path, declared

    def _checked(self, item: Any, path: str, field: Field, items: Mapping[str, Key]) -> Stored:
        stored = Stored(item, path, field.dtype, field.axes, self._size, self._descriptor)
        own = catalogue.owned_axes(field.path) if field.axes else {}
        for position, (axis, length) in enumerate(zip(field.axes, stored.shape, strict=True)):
            if axis in own and own[axis] == position:
                continue
            edges = catalogue.axis(axis).edges_of
            known = self._length(axis, path, items)
            if length != known:
                raise store_error(
                    f"{path}: axis {edges or axis} has length {length - bool(edges)}, elsewhere {known - bool(edges)}"
                )
        return stored

    def _length(self, name: str, path: str, items: Mapping[str, Key]) -> int:
        """Return the length of an axis by its declaration or by the dataset that defines it."""
        axis = catalogue.axis(name)
        if axis.length:
            return axis.length
        if axis.edges_of:
            return self._length(axis.edges_of, path, items) + 1
        if axis.smaller_of:
            return min(self._length(each, path, items) for each in axis.smaller_of)
        try:
            owner = axis.field.format(**items)
        except KeyError as error:
            raise store_error(f"{name}: name a {error.args[0]} first") from None
        try:
            found = self.examine(owner)
        except StoreError as error:
            raise UnknownLengthError(str(error)) from error
        if found is None:
            raise UnknownLengthError(one_line(f"{path}: how long it is cannot be known, {owner} is missing"))
        return found.shape[axis.position]

    def dataset(self, path: str) -> Stored:
        """Open the dataset at a path and check it, without reading it.

        Raises:
            StoreError: There is none (the schema says which run leaves it out), or it is not as the schema says.
        """
        try:
            found = self.examine(path)
        except StoreError as error:
            raise store_error(f"{self.path.name}: {error}") from error
        if found is None:
            raise store_error(f"{self.path.name} has no {path}; it was not computed, or the file is damaged")
        return found

    def array(self, path: str) -> NDArray[Any]:
        """Read a whole dataset into memory; text as str."""
        return np.asarray(self.dataset(path)[()])

    def attributes(self, group: str) -> dict[str, Any]:
        """Return the attributes of a group as plain Python values: provenance and settings."""
        found = self._find(group)
        return {} if found is None else gate.attributes(found, f"{self.path.name}: {group}")

    def names(self, group: str) -> list[str]:
        """Return the names in a group; none if there is no such group."""
        try:
            return list(self._names_in(group.strip("/")))
        except StoreError as error:
            raise store_error(f"{self.path.name}: {error}") from error

    def unknown(self) -> list[str]:
        """Return paths of groups and datasets that no analysis declares; such a group is listed without its content."""
        found: list[str] = []
        declared: dict[str, bool] = {}

        def look(group: str) -> None:
            above = catalogue.template_of(group)[0] if "/" in group else ""
            for name in self._names_in(group):
                here = f"{group}/{name}".lstrip("/")
                template = f"{above}/{name}" if above else catalogue.template_of(here)[0]
                if template not in declared:
                    declared[template] = catalogue.is_declared(template)
                if not declared[template]:
                    found.append(here)
                elif self._is_linked(here) and template not in catalogue.FIELDS:
                    look(here)

        look("")
        return found

    def check_tree(self, group: str) -> None:
        """Refuse a group that cannot be copied unchanged.

        Raises:
            StoreError: The group holds links, circles, or data outside the file.
        """
        gate.check_tree(self._find(group) if group else self._root, f"{self.path.name}: {group}")


def _keep(known: OrderedDict[str, Any], path: str, item: Any, most: int) -> None:
    """Remember something by its path; of too many, the first is forgotten."""
    known[path] = item
    while len(known) > most:
        known.popitem(last=False)
