"""Files of unfinished work that say what they hold. One that has changed since it was written is never believed.

A sealed file is a safetensors file. Its metadata holds facts, the checksum of each tensor, and a checksum of all that the
header says, so that a reader checks only the tensors that it reads. Tensors are read, not mapped: a failing disk is then an
error, not a signal.
"""

import json
import math
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor

FACTS, SUMS, SEAL = "facts", "checksums", "seal"
"""Names of the metadata."""
TYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
"""The types of tensors by their names in safetensors files."""
LONGEST_HEADER = 100_000_000
"""Most bytes of a header: the limit of the format itself."""
PART = 2**22
"""Bytes that are read at once where a file is only checked."""


class SealError(Exception):
    """A file is not what it was when it was sealed, or was never sealed; the message completes `FILE is ...`."""


def checksum(content: Any, before: int = 0) -> int:
    """Return the CRC-32 of bytes: it finds what disks and copies do by accident, at 3 GB a second.

    Args:
        content: Bytes, or an array whose elements are next to each other.
        before: The checksum of the bytes before these.
    """
    return zlib.crc32(content, before)


def sealed(tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> bytes:
    """Return the content of a sealed file.

    Args:
        tensors: On the CPU, of the types in `TYPES`.
        facts: Values that JSON can hold: whatever the file depends on, so that its reader can compare it.
    """
    whole = {name: tensor.contiguous() for name, tensor in tensors.items()}
    forms = {type_: name for name, type_ in TYPES.items()}
    described = {name: (forms[tensor.dtype], list(tensor.shape)) for name, tensor in whole.items()}
    sums = {name: checksum(_bytes_of(tensor)) for name, tensor in whole.items()}
    known, added = json.dumps(dict(facts)), json.dumps(sums)
    content: bytes = save(whole, {FACTS: known, SUMS: added, SEAL: _seal(known, added, described)})
    return content


class SealedFile:
    """An open sealed file whose header is as it was written."""

    def __init__(self, stream: BinaryIO) -> None:
        """Read and check the header.

        Args:
            stream: The file, from its beginning; it stays open as long as tensors are read.

        Raises:
            SealError: The file was never sealed, or its header has changed.
            OSError: The disk cannot be read.
        """
        self._stream = stream
        size = stream.seek(0, 2)
        stream.seek(0)
        length = int.from_bytes(stream.read(8), "little")
        if not 2 <= length <= min(size - 8, LONGEST_HEADER):
            raise SealError("damaged (it has no header)")
        try:
            header = json.loads(stream.read(length))
            metadata = header.pop("__metadata__")
            self._places = {name: _Place(8 + length, **entry) for name, entry in header.items()}
            described = {name: (place.dtype, place.shape) for name, place in self._places.items()}
            if SEAL not in metadata:
                raise SealError("of a version that did not write down what it holds")
            if metadata[SEAL] != _seal(metadata[FACTS], metadata[SUMS], described):
                raise SealError("damaged (its header has changed)")
            self.facts: dict[str, Any] = json.loads(metadata[FACTS])
            """The facts that it was sealed with."""
            self._sums: dict[str, int] = json.loads(metadata[SUMS])
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise SealError("damaged (its header cannot be read)") from error
        if any(place.stop > size for place in self._places.values()):
            raise SealError("damaged (its end is missing)")

    @property
    def names(self) -> list[str]:
        """Names of the tensors."""
        return list(self._places)

    def tensor(self, name: str) -> Tensor:
        """Read a tensor and check it.

        Args:
            name: One of `names`.

        Returns:
            The tensor in memory of its own, aligned alike in every run: products of views into a file could differ in the
            last bit.

        Raises:
            SealError: It has changed.
            OSError: The disk cannot be read.
        """
        place = self._places[name]
        content = torch.empty(place.stop - place.start, dtype=torch.uint8)
        self._stream.seek(place.start)
        if self._stream.readinto(content.numpy()) != len(content):  # type: ignore[attr-defined]
            raise SealError("damaged (its end is missing)")
        self._compare(name, checksum(content.numpy()))
        return content.view(TYPES[place.dtype]).reshape(place.shape)

    def check(self) -> None:
        """Check all tensors; memory does not depend on their size.

        Raises:
            SealError: One of them has changed.
            OSError: The disk cannot be read.
        """
        part = np.empty(PART, np.uint8)
        for name, place in self._places.items():
            self._stream.seek(place.start)
            left, found = place.stop - place.start, 0
            while left:
                count = self._stream.readinto(part[:left])  # type: ignore[attr-defined]
                if not count:
                    raise SealError("damaged (its end is missing)")
                left, found = left - count, checksum(part[:count], found)
            self._compare(name, found)

    def _compare(self, name: str, found: int) -> None:
        if found != self._sums[name]:
            raise SealError(f"damaged (the checksum of {name} differs)")


@contextmanager
def open_sealed(path: Path) -> Iterator[SealedFile]:
    """Open a sealed file for reading, once: later renames and removals do not matter.

    Args:
        path: The file.

    Raises:
        SealError: As for `SealedFile`.
        OSError: The file cannot be opened or read.
    """
    with path.open("rb") as stream:
        yield SealedFile(stream)


class _Place:
    """Where a tensor is in a file."""

    def __init__(self, data: int, dtype: str, shape: list[int], data_offsets: list[int]) -> None:
        self.dtype, self.shape = dtype, [int(count) for count in shape]
        self.start, self.stop = (data + int(offset) for offset in data_offsets)
        length = math.prod(self.shape) * TYPES[dtype].itemsize
        if min(self.shape, default=0) < 0 or self.start < data or self.stop - self.start != length:
            raise ValueError("a tensor is as long as its shape")


def _seal(facts: str, sums: str, described: Mapping[str, tuple[str, list[int]]]) -> str:
    """Return the checksum of everything that a header says, apart from the order of the tensors."""
    text = "\n".join([facts, sums, json.dumps({name: described[name] for name in sorted(described)})])
    return f"{checksum(text.encode()):08x}"


def _bytes_of(tensor: Tensor) -> np.ndarray:
    found: np.ndarray = tensor.reshape(-1).view(torch.uint8).numpy()
    return found
