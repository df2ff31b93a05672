"""Read one dataset of a results file after its header was checked: its values are read in pieces of bounded size."""

import math
import os
import sys
from itertools import pairwise
from typing import Any

import numpy as np
from h5py import h5d, h5s, h5z
from numpy.typing import NDArray

from sing_compute.store.chunks import Chunks
from sing_compute.store.gate import MAX_TEXT, NUMBERS, address, attributes, is_text, reading, stored_inside, type_name
from sing_compute.store.text import store_error

MAX_PIECE = 2**31
"""Most bytes that are read into memory in one piece."""
_BLOCK = 2**26
_RUNS = 256
_PIECES = 2048
_DECODED = 2**22
"""Bytes of text that are decoded in one call."""


class Stored:
    """One checked dataset, not yet read. It is indexed like an array: rows in any way, then as in numpy; text is str.

    Args:
        item: The open dataset.
        path: Its path.
        dtype: Its declared type, a key of `gate.NUMBERS` or `text`.
        axes: Its declared axes.
        file_size: Size of the file in bytes.
        descriptor: The open file, for reading without the library; -1 if that cannot be done.

    Raises:
        StoreError: It is not as declared, or not in the file.
    """

    def __init__(
        self, item: Any, path: str, dtype: str, axes: tuple[str, ...], file_size: int, descriptor: int = -1
    ) -> None:
        self.path = path
        self._id = item
        with reading(path):
            if not isinstance(item, h5d.DatasetID):
                raise store_error(f"{path}: not a dataset")
            kind = item.get_type()
            if not (is_text(kind) if dtype == "text" else kind.equal(NUMBERS[dtype])):
                raise store_error(f"{path}: is {type_name(kind)}, wanted {dtype}")
            if dtype == "text" and kind.get_size() > MAX_TEXT:
                raise store_error(f"{path}: texts of {kind.get_size():,} bytes; at most {MAX_TEXT:,} are read")
            self.shape: tuple[int, ...] = tuple(map(int, item.shape))
            if len(self.shape) != len(axes):
                raise store_error(f"{path}: has {len(self.shape)} axes, wanted {', '.join(axes) or 'none'}")
            self._kind = kind
            self.dtype = np.dtype(f"S{kind.get_size()}" if dtype == "text" else dtype)
            self._file, self._offset = -1, 0
            self._chunks = None if self._is_one_run(file_size, descriptor) else self._check_size(file_size)

    def _is_one_run(self, file_size: int, descriptor: int) -> bool:
        """Return True if all bytes of the dataset follow each other in the file: they are read without the library.

        Only data in one run have a place in the file; those of chunks, of headers and of other files have none.
        """
        offset, wanted = self._id.get_offset(), self.size * self.dtype.itemsize
        if offset is None or descriptor < 0 or sys.byteorder != "little" or not wanted:
            return False
        if wanted > self._id.get_storage_size() or offset + wanted > file_size:
            return False
        self._file, self._offset = descriptor, offset
        return True

    def _check_size(self, file_size: int) -> Chunks | None:
        """Check that the file is large enough for the declared sizes; return the chunks of a chunked dataset."""
        plist = self._id.get_create_plist()
        stored_inside(plist, self.path)
        wanted = self.size * self.dtype.itemsize
        if not wanted:
            return None
        if plist.get_layout() == h5d.CHUNKED:
            filters = [plist.get_filter(k)[0] for k in range(plist.get_nfilters())]
            if filters not in ([], [h5z.FILTER_DEFLATE]):
                raise store_error(
                    f"{self.path}: filters {filters} are not run, only gzip alone is; write the file without them "
                    "(h5repack -f NONE)"
                )
            return Chunks(self._id, self.path, self.shape, self.dtype, file_size, packed=bool(filters))
        offset, held = self._id.get_offset(), self._id.get_storage_size()
        end = wanted if plist.get_layout() == h5d.COMPACT else (file_size + 1 if offset is None else offset + wanted)
        if wanted > held or end > file_size:
            raise store_error(f"{self.path}: declares {wanted:,} bytes that are not in the file")
        return None

    @property
    def size(self) -> int:
        """Number of cells."""
        return math.prod(self.shape)

    @property
    def memory(self) -> int:
        """Most bytes that all cells take in memory; text is held as it is in the file and as decoded characters."""
        return self.size * self.dtype.itemsize * (5 if self.dtype.kind == "S" else 1)

    @property
    def address(self) -> int:
        """Place of the dataset in the file: two names of one dataset have the same."""
        return address(self._id, self.path)

    def attributes(self) -> dict[str, Any]:
        """Return its attributes as plain Python values."""
        return attributes(self._id, self.path)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> Any:
        with reading(self.path):
            if not self.shape:
                return _decode(self._read(0, 1))[()]
            if key is Ellipsis or (isinstance(key, tuple) and not key):
                key = slice(None)
            rows, rest = (key[0], key[1:]) if isinstance(key, tuple) else (key, ())
            if isinstance(rows, slice):
                raw = self._read(*rows.indices(len(self)))
            elif np.ndim(rows):
                raw = self._pick(np.asarray(rows, dtype=np.int64))
            else:
                self._within(int(rows), int(rows))
                return _decode(self._read(int(rows), int(rows) + 1)[(0, *rest)])
            return _decode(raw[(slice(None), *rest)])

    def encoded(self, start: int, stop: int) -> NDArray[Any]:
        """Return rows start to stop as they are in the file: text as UTF-8 bytes of fixed length, not decoded."""
        with reading(self.path):
            return self._read(*slice(start, stop).indices(len(self)))

    def _within(self, low: int, high: int) -> None:
        if low < 0 or high >= len(self):
            raise store_error(f"{self.path}: has no row {low if low < 0 else high}")

    def _read(self, start: int, stop: int, step: int = 1) -> NDArray[Any]:
        """Return rows start to stop; a dataset without axes is one row."""
        shape = (len(range(start, stop, step)), *self.shape[1:]) if self.shape else ()
        wanted = math.prod(shape) * self.dtype.itemsize
        if wanted > MAX_PIECE:
            raise store_error(f"{self.path}: {wanted / 2**30:.1f} GiB in one piece are more than is read into memory")
        if self._chunks is not None and wanted:
            return self._chunks.read(start, stop)[::step] if self.shape else self._chunks.read(0, 1).reshape(())
        if self._file >= 0 and step == 1 and wanted:
            return self._read_run(start, shape)
        cells = np.zeros(shape, self.dtype)
        if wanted:
            space = self._id.get_space()
            if shape:
                still = (0,) * (len(shape) - 1)
                space.select_hyperslab((start, *still), shape, (step, *(1 for _ in still)))
            self._id.read(h5s.create_simple(shape) if shape else h5s.create(h5s.SCALAR), space, cells, self._kind)
        return cells

    def _read_run(self, start: int, shape: tuple[int, ...]) -> NDArray[Any]:
        """Return neighbouring rows of a contiguous dataset: other threads go on meanwhile, which the library does not allow."""
        cells = np.empty(shape, self.dtype)
        left = memoryview(cells.reshape(-1).view(np.uint8).data)
        offset = self._offset + (start * (cells.nbytes // len(cells)) if shape else 0)
        while left:
            found = os.preadv(self._file, [left], offset)
            if not found:
                raise store_error(f"{self.path}: ends before its last row, the file is damaged")
            left, offset = left[found:], offset + found
        return cells

    def _pick(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Return single rows, in the order of `rows`; neighbouring rows are read in one run, scattered ones in large blocks."""
        if not len(rows):
            return np.zeros((0, *self.shape[1:]), self.dtype)
        order = np.argsort(rows, kind="stable")
        ordered = rows[order]
        self._within(int(ordered[0]), int(ordered[-1]))
        per_row = max(1, self.dtype.itemsize * math.prod(self.shape[1:]))
        cuts = np.flatnonzero(np.diff(ordered) > 1 + 4096 // per_row) + 1
        if self._file >= 0 and 1 < len(cuts) <= _PIECES:
            return self._pick_pieces(rows, per_row)
        if self._chunks is not None:
            cuts = np.flatnonzero(np.diff(ordered // self._chunks.rows)) + 1  # each chunk is unpacked once
        elif len(cuts) > _RUNS:
            cuts = np.arange(1, 1 + (int(ordered[-1]) - int(ordered[0])) * per_row // _BLOCK)
            cuts = np.searchsorted(ordered, ordered[0] + cuts * (_BLOCK // per_row))
        if not len(cuts):
            low = int(ordered[0])
            return self._read(low, int(ordered[-1]) + 1)[rows - low]
        cells = np.zeros((len(rows), *self.shape[1:]), self.dtype)
        edges = [0, *cuts.tolist(), len(rows)]
        for a, b in pairwise(edges):
            if a < b:
                low, high = int(ordered[a]), int(ordered[b - 1]) + 1
                cells[order[a:b]] = self._read(low, high)[ordered[a:b] - low]
        return cells

    def _pick_pieces(self, rows: NDArray[np.int64], per_row: int) -> NDArray[Any]:
        """Return rows that are far apart in a contiguous dataset: the file is read directly, ten times as fast as by HDF5."""
        found = b"".join([os.pread(self._file, per_row, self._offset + row * per_row) for row in rows.tolist()])
        if len(found) != per_row * len(rows):
            raise store_error(f"{self.path}: ends before its last row, the file is damaged")
        return np.frombuffer(found, self.dtype).reshape(len(rows), *self.shape[1:])


def _decode(values: Any) -> Any:
    """Return text as str, other values as they are. Text is decoded in parts: other threads go on between two of them."""
    array = np.asarray(values)
    if array.dtype.kind != "S":
        return array
    step = max(1, _DECODED // max(1, array.dtype.itemsize))
    if array.ndim != 1 or len(array) <= step:
        return np.char.decode(array, "utf-8", "replace")
    parts = [np.char.decode(array[at : at + step], "utf-8", "replace") for at in range(0, len(array), step)]
    return np.concatenate(parts)
