"""Read chunked datasets, as h5repack makes them. They are unpacked here, so that no chunk can exceed its declared size."""

import itertools
import math
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sing_compute.store.text import store_error

MAX_CHUNK = 2**26
MAX_CHUNKS = 2**16


class Chunks:
    """Read the chunks of one dataset, plain or packed with gzip."""

    def __init__(
        self, item: Any, path: str, shape: tuple[int, ...], dtype: np.dtype[Any], file_size: int, *, packed: bool
    ) -> None:
        """Check the chunks of a dataset.

        Args:
            item: The open dataset.
            path: Its path, for messages.
            shape: Its shape.
            dtype: Its type in memory.
            file_size: Size of the file in bytes.
            packed: True if the chunks are packed with gzip.

        Raises:
            StoreError: They are too large, too many, or not in the file.
        """
        self._id, self._path, self._dtype, self._packed = item, path, dtype, packed
        self._shape, self._file_size = shape, file_size
        self._chunk = tuple(map(int, item.get_create_plist().get_chunk()))
        self._bytes = math.prod(self._chunk) * dtype.itemsize
        count = math.prod(-(-length // step) for length, step in zip(shape, self._chunk, strict=True))
        if self._bytes > MAX_CHUNK or count > MAX_CHUNKS:
            raise store_error(f"{path}: {count:,} chunks of {self._bytes:,} bytes are more than is read")
        if item.get_num_chunks() < count:
            raise store_error(f"{path}: declares {math.prod(shape) * dtype.itemsize:,} bytes that are not in the file")

    @property
    def rows(self) -> int:
        """Number of rows in one chunk."""
        return self._chunk[0]

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Return rows start to stop."""
        cells = np.zeros((max(0, stop - start), *self._shape[1:]), self._dtype)
        lows = [range(start // self._chunk[0] * self._chunk[0], stop, self._chunk[0])]
        lows += [range(0, length, step) for length, step in zip(self._shape[1:], self._chunk[1:], strict=True)]
        for low in itertools.product(*lows):
            chunk = np.frombuffer(self._unpack(low), self._dtype).reshape(self._chunk)
            first, last = max(low[0], start), min(low[0] + self._chunk[0], stop)
            rest = [slice(at, min(at + n, length)) for at, n, length in zip(low[1:], self._chunk[1:], self._shape[1:])]  # noqa: B905
            inside = [slice(0, part.stop - part.start) for part in rest]
            cells[(slice(first - start, last - start), *rest)] = chunk[(slice(first - low[0], last - low[0]), *inside)]
        return cells

    def _unpack(self, low: tuple[int, ...]) -> bytes:
        """Return the bytes of the chunk that begins at these indices: exactly as many as declared."""
        info = self._id.get_chunk_info_by_coord(low)
        if info.byte_offset is None or not 0 < info.size <= min(self._file_size, 2 * self._bytes + 1024):
            raise store_error(f"{self._path}: a chunk of {info.size:,} bytes is not in the file")
        mask, data = self._id.read_direct_chunk(low)
        if self._packed and not mask & 1:
            data = zlib.decompressobj().decompress(data, self._bytes + 1)
        if len(data) != self._bytes:
            raise store_error(f"{self._path}: a chunk holds {len(data):,} bytes, not {self._bytes:,}")
        return bytes(data)
