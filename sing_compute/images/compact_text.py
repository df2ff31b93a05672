"""Hold the texts of a million images without a Python object for each: keys in one buffer, labels as numbers."""

import hashlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, overload

import numpy as np
from jaxtyping import Int, Int32, UInt64
from numpy.typing import NDArray

Bounds = NDArray[np.integer[Any]]
CHUNK = 4096
"""Texts that become Python objects at once."""


class Texts(Sequence[str]):
    """Many texts as UTF-8 in one buffer. Each takes its own bytes and 4 more (8 if all together exceed 4 GB)."""

    __slots__ = ("_bounds", "_content")

    def __init__(self, texts: Iterable[str] = ()) -> None:
        """Copy texts into the buffer, one at a time.

        Args:
            texts: Any number of texts.

        Raises:
            UnicodeEncodeError: A text cannot be written as UTF-8, as some names of files cannot.
        """
        content, bounds = bytearray(), array("q", [0])
        for text in texts:
            content += text.encode()
            bounds.append(len(content))
        self._content = np.frombuffer(content, dtype=np.uint8)
        self._bounds = _narrow(np.frombuffer(bounds, dtype=np.int64))

    @classmethod
    def from_arrays(cls, content: NDArray[np.uint8], bounds: Bounds) -> "Texts":
        """Make texts of what `arrays` gave; nothing is copied.

        Args:
            content: All bytes.
            bounds: Text i is content[bounds[i]:bounds[i + 1]]; one entry more than there are texts.
        """
        texts = cls.__new__(cls)
        texts._content, texts._bounds = content, _narrow(bounds)
        return texts

    @property
    def arrays(self) -> tuple[NDArray[np.uint8], Bounds]:
        """All bytes, and the positions where each text begins and the last one ends."""
        return self._content, self._bounds

    def __len__(self) -> int:
        return len(self._bounds) - 1

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> "Texts": ...
    def __getitem__(self, index: int | slice) -> "str | Texts":
        if isinstance(index, slice):
            return self.take(np.arange(len(self))[index])
        return self.raw(range(len(self))[index]).decode()

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self), CHUNK):
            bounds = self._bounds[start : start + CHUNK + 1].tolist()
            content = self._content[bounds[0] : bounds[-1]].tobytes()
            for begin, end in pairwise(bounds):
                yield content[begin - bounds[0] : end - bounds[0]].decode()

    def raw(self, row: int) -> bytes:
        """Return one text as UTF-8. Sorted by these bytes, texts are in the order of their characters."""
        return self._content[self._bounds[row] : self._bounds[row + 1]].tobytes()

    def take(self, rows: Int[np.ndarray, " chosen"]) -> "Texts":
        """Return the texts of these rows, in the order of `rows`."""
        begins = self._bounds[rows].astype(np.int64)
        bounds = np.concatenate([[0], np.cumsum(self._bounds[rows + 1] - begins)])
        content = np.empty(bounds[-1], dtype=np.uint8)
        for start in range(0, len(rows), CHUNK):
            edges = bounds[start : start + CHUNK + 1]
            source = np.repeat(begins[start : start + CHUNK] - edges[:-1], np.diff(edges))
            content[edges[0] : edges[-1]] = self._content[source + np.arange(edges[0], edges[-1])]
        return Texts.from_arrays(content, bounds)

    def hashes(self) -> UInt64[np.ndarray, " text"]:
        """Return a hash of 64 bits for each text, the same on every machine."""
        numbers = (int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) for text in self)
        return np.fromiter(numbers, np.uint64, len(self))

    def first_duplicate(self) -> str | None:
        """Return a text that occurs more than once; None if all differ."""
        hashes = self.hashes()
        order = np.argsort(hashes, kind="stable")
        for place in np.flatnonzero(hashes[order[1:]] == hashes[order[:-1]]):
            first, second = int(order[place]), int(order[place + 1])
            if self.raw(first) == self.raw(second):
                return self[first]
        return None

    def sha256(self) -> str:
        """Return the SHA-256 of all texts in their order, each followed by a line end."""
        digest = hashlib.sha256()
        for text in self:
            digest.update(text.encode() + b"\n")
        return digest.hexdigest()


@dataclass(frozen=True, slots=True, eq=False)
class Categorical(Sequence[str]):
    """One of a few names for each image, stored as a number: the name of a row is `names[codes[row]]`."""

    codes: Int32[np.ndarray, " image"]
    names: tuple[str, ...]

    @classmethod
    def of(cls, values: Iterable[str]) -> "Categorical":
        """Make a categorical of one name per image; the names are in the order of their first use.

        Args:
            values: The name of each image.
        """
        builder = CategoricalBuilder()
        for value in values:
            builder.add(value)
        return builder.build()

    def __len__(self) -> int:
        return len(self.codes)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> "Categorical": ...
    def __getitem__(self, index: int | slice) -> "str | Categorical":
        if isinstance(index, slice):
            return Categorical(self.codes[index], self.names)
        return self.names[int(self.codes[index])]

    def take(self, rows: Int[np.ndarray, " chosen"]) -> "Categorical":
        """Return the values of these rows, in the order of `rows`."""
        return Categorical(self.codes[rows], self.names)

    @property
    def used_names(self) -> list[str]:
        """The names that at least one row has, in alphabetical order."""
        counts = np.bincount(self.codes, minlength=len(self.names))
        return sorted({name for name, count in zip(self.names, counts, strict=True) if count})


class CategoricalBuilder:
    """Collect names one image at a time, and make a `Categorical` of them."""

    def __init__(self) -> None:
        self._codes, self._known = array("i"), dict[str, int]()

    def add(self, name: str) -> None:
        """Add the name of the next image."""
        self._codes.append(self._known.setdefault(name, len(self._known)))

    def build(self) -> Categorical:
        """Return a categorical of the names added so far."""
        return Categorical(np.frombuffer(self._codes, dtype=np.int32), tuple(self._known))


def _narrow(bounds: Bounds) -> Bounds:
    """Store positions in 4 bytes where these suffice."""
    return bounds.astype(np.uint32 if int(bounds[-1]) < 2**32 else np.int64, copy=False)
