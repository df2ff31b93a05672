"""Opening a results file for reading. Nothing is read before it is asked for; nothing is ever changed."""

from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from sing_compute.errors import StoreError
from sing_compute.store import gate
from sing_compute.store.axes import DEFINED, FIXED, own_axes
from sing_compute.store.gate import Stored
from sing_compute.store.schema import FIELDS, FORMAT, SCHEMA_VERSION, Field
from sing_compute.store.text import clean, one_line, store_error


class UnknownLengthError(StoreError):
    """A dataset cannot be checked because the one that says its length is missing or damaged."""


class Store:
    """A results file, read-only. Use it as a context manager, or call `close`.

    The file may come from a stranger: `dataset`, `array`, `attributes`, `summary` and `in` go through `gate` and answer with
    checked data or a StoreError (docs/store.md, "Files from strangers"). `file` is h5py's own object, past the gate.

    Raises:
        StoreError: The file is missing, not HDF5, not a results file, or of a newer schema.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise store_error(f"{self.path} does not exist; sing-compute writes such a file (-o {self.path.name})")
        try:
            self.file = h5py.File(self.path, "r", locking="best-effort")
        except Exception as error:  # the library answers a damaged file with nearly every exception there is
            text = one_line(error) or type(error).__name__
            raise store_error(f"{self.path} is not a readable HDF5 file (is it complete?): {text}") from error
        self._known: dict[str, Stored | None] = {}
        try:
            self._size = self.path.stat().st_size
            self._root = h5py.h5g.open(self.file.id, b"/")
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
        """Release the file."""
        self._known.clear()
        self.file.close()

    def __enter__(self) -> "Store":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @cached_property
    def models(self) -> list[str]:
        """Names of the models, in the order in which they were added.

        Raises:
            StoreError: A name holds characters that no name may hold (docs/store.md).
        """
        names = gate.names(self._find("models"), f"{self.path.name}: models")
        for name in names:
            if clean(name) != name or not 0 < len(name.encode()) < 256 or "/" in name or name in (".", ".."):
                raise store_error(f"{self.path.name}: models/{name[:60]}: this is no name for a model")
        return sorted(names, key=lambda name: (_position(self.attributes(f"models/{name}").get("order")), name))

    def model(self, name: str | None) -> str:
        """The model of that name; the first one for None.

        Raises:
            StoreError: No such model here; the message lists those there are.
        """
        if name is None and self.models:
            return self.models[0]
        if name is None or name not in self.models:
            raise store_error(f"no model {name!r} in {self.path.name}; it holds: {', '.join(self.models) or 'none'}")
        return name

    def __contains__(self, path: str) -> bool:
        return self._find(path) is not None

    def _find(self, path: str) -> Any:
        try:
            return gate.find(self._root, path)
        except StoreError as error:
            raise store_error(f"{self.path.name}: {error}") from error

    def examine(self, path: str) -> Stored | None:
        """The dataset of the schema at a path, checked and unread; None if it was not computed.

        Raises:
            StoreError: What stands there is not what the schema says; the message begins with the path.
        """
        if path in self._known:
            return self._known[path]
        field, model = _field(path)
        item = gate.find(self._root, path)
        found = None if item is None else self._checked(item, path, field, model)
        if field.axes:  # an open dataset takes HDF5 some 20 kB, and single numbers are many
            self._known[path] = found
        return found

    def _checked(self, item: Any, path: str, field: Field, model: str) -> Stored:
        stored = Stored(item, path, field.dtype, field.axes, self._size)
        for axis, length in zip(field.axes, stored.shape, strict=True):
            edge = axis == "class_edge"
            known = (
                self._length("class" if edge else axis, path, model) + edge if axis not in own_axes(path) else length
            )
            if length != known:
                raise store_error(
                    f"{path}: axis {'class' if edge else axis} has length {length - edge}, elsewhere {known - edge}"
                )
        return stored

    def _length(self, axis: str, path: str, model: str) -> int:
        """How long an axis is by the dataset that defines it."""
        if axis in FIXED:
            return FIXED[axis]
        if axis == "singular_value":
            return min(self._length("class", path, model), self._length("dim", path, model))
        owner, position = DEFINED[axis]
        owner = owner.format(model=model)
        try:
            found = self.examine(owner)
        except StoreError as error:
            raise UnknownLengthError(str(error)) from error
        if found is None:
            raise UnknownLengthError(one_line(f"{path}: how long it is cannot be known, {owner} is missing"))
        return found.shape[position]

    def dataset(self, path: str) -> Stored:
        """The dataset at a path, checked and unread.

        Raises:
            StoreError: There is none (the schema says which run leaves it out), or it is not what the schema says.
        """
        try:
            found = self.examine(path)
        except StoreError as error:
            raise store_error(f"{self.path.name}: {error}") from error
        if found is None:
            raise store_error(f"{self.path.name} has no {path}; it was not computed, or the file is damaged")
        return found

    def array(self, path: str) -> NDArray[Any]:
        """A whole dataset in memory; text as str."""
        return np.asarray(self.dataset(path)[()])

    def attributes(self, group: str) -> dict[str, Any]:
        """Attributes of a group as plain Python values: provenance and settings."""
        found = self._find(group)
        return {} if found is None else gate.attributes(found, f"{self.path.name}: {group}")

    def check_tree(self, group: str) -> None:
        """Refuse a group that cannot be copied as it stands.

        Raises:
            StoreError: It holds links, circles, or data outside the file.
        """
        gate.check_tree(self._find(group), f"{self.path.name}: {group}")

    def summary(self, model: str) -> dict[str, float | int]:
        """The scalar figures of one model by name; figures that were not computed are absent."""
        base = f"models/{model}/summary"
        group = self._find(base)
        try:
            present = set(gate.names(group, base)) if group is not None else set()
            return {name: self._figure(group, base, name) for name in _FIGURES if name in present}
        except StoreError as error:
            raise store_error(f"{self.path.name}: {error}") from error

    def _figure(self, group: Any, base: str, name: str) -> float | int:
        """One number; its group is open already, which is most of the work of finding it."""
        field, model = _field(f"{base}/{name}")
        value: float | int = self._checked(gate.find(group, name), f"{base}/{name}", field, model)[()].item()
        return value

    @cached_property
    def class_names(self) -> NDArray[Any]:
        """Class names in logit order."""
        return self.array("classes/name")

    @cached_property
    def concept_names(self) -> NDArray[Any]:
        """Concept names in the order of the concept axis."""
        return self.array("concepts/name")

    @cached_property
    def subsets(self) -> list[str]:
        """Subsets of images that class tables are given for, `all` first."""
        return [str(name) for name in self.array("subsets/name")]

    @cached_property
    def offsets(self) -> NDArray[np.int64]:
        """Images of class c are rows offsets[c] to offsets[c + 1].

        Raises:
            StoreError: They do not cut all images into one run per class.
        """
        edges = self.array("images/offsets")
        if edges[0] != 0 or (np.diff(edges) < 0).any() or edges[-1] != len(self.dataset("images/key")):
            raise store_error(f"{self.path.name}: images/offsets: do not cut the images into one run per class")
        return edges

    def find_class(self, wanted: str | int) -> int:
        """Index of a class given by index, name or WordNet id (names without regard to case).

        Raises:
            StoreError: Nothing, or more than one class, goes by that name.
        """
        text = str(wanted).strip()
        if text.isdecimal() and len(text) < 19 and int(text) < len(self.class_names):
            return int(text)
        folded = text.casefold()
        hits = [i for i, name in enumerate(self.class_names) if str(name).casefold() == folded]
        if not hits and "classes/wnid" in self:
            hits = [i for i, wnid in enumerate(self.array("classes/wnid")) if str(wnid).casefold() == folded]
        if not hits:
            near = [str(name) for name in self.class_names if folded in str(name).casefold()][:5]
            hint = f"; near: {', '.join(near)}" if near else ""
            raise store_error(f"no class {text!r} in {self.path.name}{hint}")
        if len(hits) > 1:
            raise store_error(
                f"{len(hits)} classes are named {text!r}: give the index, one of {', '.join(map(str, hits))}"
            )
        return hits[0]


_FIGURES = [
    path.rpartition("/")[2]
    for path, field in FIELDS.items()
    if path.startswith("models/{model}/summary/") and not field.axes
]


def _field(path: str) -> tuple[Field, str]:
    """What the schema says of a path, and the model it belongs to."""
    parts = path.split("/")
    model = parts[1] if parts[0] == "models" and len(parts) > 2 else ""
    if model:
        parts[1] = "{model}"
    field = FIELDS.get("/".join(parts))
    if field is None:
        raise store_error(f"{path}: is not in the schema (docs/store.md)")
    return field, model


def _position(order: Any) -> float:
    return order if isinstance(order, int | float) and order == order else 0
