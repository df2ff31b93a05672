"""Opening a results file for reading. Nothing is read before it is asked for; nothing is ever changed."""

from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from sing_compute.errors import StoreError
from sing_compute.store.schema import FORMAT, SCHEMA_VERSION


class Store:
    """A results file, read-only. Use it as a context manager, or call `close`.

    Raises:
        StoreError: The file is missing, not HDF5, not a results file, or of a newer schema.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise StoreError(f"{self.path} does not exist; sing-compute writes such a file (-o {self.path.name})")
        try:
            self.file = h5py.File(self.path, "r", locking="best-effort")
        except OSError as error:
            raise StoreError(
                f"{self.path} is not a readable HDF5 file (is it complete?): {_first_line(error)}"
            ) from error
        version = self.file.attrs.get("schema_version")
        if self.file.attrs.get("format") != FORMAT or version is None:
            self.file.close()
            raise StoreError(f"{self.path} is an HDF5 file but not a result of sing-compute")
        if int(version) > SCHEMA_VERSION:
            self.file.close()
            raise StoreError(f"{self.path} has schema {version}, this program reads up to {SCHEMA_VERSION}; update it")

    def close(self) -> None:
        """Release the file."""
        self.file.close()

    def __enter__(self) -> "Store":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @cached_property
    def models(self) -> list[str]:
        """Names of the models, in the order in which they were added."""
        groups = self.file.get("models", {})
        return sorted(groups, key=lambda name: (int(groups[name].attrs.get("order", 0)), name))

    def model(self, name: str | None) -> str:
        """The model of that name; the first one for None.

        Raises:
            StoreError: No such model here; the message lists those there are.
        """
        if name is None and self.models:
            return self.models[0]
        if name not in self.models:
            raise StoreError(f"no model {name!r} in {self.path.name}; it holds: {', '.join(self.models) or 'none'}")
        return name

    def __contains__(self, path: str) -> bool:
        return path in self.file

    def dataset(self, path: str) -> h5py.Dataset:
        """The dataset at a path, unread.

        Raises:
            StoreError: There is none, and the schema says which run leaves it out.
        """
        found = self.file.get(path)
        if not isinstance(found, h5py.Dataset):
            raise StoreError(f"{self.path.name} has no {path}; it was not computed, or the file is damaged")
        return found

    def array(self, path: str) -> NDArray[Any]:
        """A whole dataset in memory; text as str."""
        return decode(self.dataset(path)[()])

    def attributes(self, group: str) -> dict[str, Any]:
        """Attributes of a group as plain Python values: provenance and settings."""
        values = self.file[group].attrs.items() if group in self.file else ()
        return {name: value.item() if isinstance(value, np.generic) else value for name, value in values}

    def summary(self, model: str) -> dict[str, float | int]:
        """The scalar figures of one model by name; figures that were not computed are absent."""
        group = self.file.get(f"models/{model}/summary", {})
        return {name: group[name][()].item() for name in group if group[name].shape == ()}

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
        """Images of class c are rows offsets[c] to offsets[c + 1]."""
        return self.array("images/offsets")

    def find_class(self, wanted: str | int) -> int:
        """Index of a class given by index, name or WordNet id (names without regard to case).

        Raises:
            StoreError: Nothing, or more than one class, goes by that name.
        """
        text = str(wanted).strip()
        if text.isdecimal() and int(text) < len(self.class_names):
            return int(text)
        folded = text.casefold()
        hits = [i for i, name in enumerate(self.class_names) if str(name).casefold() == folded]
        if not hits and "classes/wnid" in self:
            hits = [i for i, wnid in enumerate(self.array("classes/wnid")) if str(wnid).casefold() == folded]
        if not hits:
            near = [str(name) for name in self.class_names if folded in str(name).casefold()][:5]
            hint = f"; near: {', '.join(near)}" if near else ""
            raise StoreError(f"no class {text!r} in {self.path.name}{hint}")
        if len(hits) > 1:
            raise StoreError(
                f"{len(hits)} classes are named {text!r}: give the index, one of {', '.join(map(str, hits))}"
            )
        return hits[0]


def decode(values: Any) -> NDArray[Any]:
    """Stored bytes as str; anything else as it is."""
    array = np.asarray(values)
    return np.char.decode(array, "utf-8", "replace") if array.dtype.kind == "S" else array


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
