"""Check every object of a results file before a byte of it is read: the file may come from a stranger.

Only hard links are followed, so no other file is ever opened. Low-level calls read only the header of a dataset: its type,
shape, layout and place in the file must be as the schema says and fit the file's own size.
Text of variable length is never read, not even as an attribute: HDF5 2.0 itself crashes on a damaged heap (tests/store/fuzz.py).
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import h5py
import numpy as np
from h5py import h5a, h5d, h5g, h5l, h5o, h5s, h5t, h5z
from numpy.typing import NDArray

from sing_compute.errors import StoreError
from sing_compute.store.chunks import Chunks
from sing_compute.store.text import one_line, store_error

MAX_TEXT = 4096
"""Most bytes of one text."""
MAX_PIECE = 2**31
"""Most bytes that are read into memory in one piece."""
MAX_NAMES = 10_000
"""Most names in one group."""
_BLOCK = 2**26
_RUNS = 256
_PIECES = 2048
_ATTRIBUTES = 500
_ATTRIBUTE_TEXT = 4000
_FILTERS = (h5z.FILTER_DEFLATE, h5z.FILTER_LZF)
_NUMBERS = {
    "int32": h5t.STD_I32LE,
    "int64": h5t.STD_I64LE,
    "float32": h5t.IEEE_F32LE,
    "float64": h5t.IEEE_F64LE,
    "int8": h5t.STD_I8LE,
    "int16": h5t.STD_I16LE,
    "uint8": h5t.STD_U8LE,
    "uint16": h5t.STD_U16LE,
    "uint32": h5t.STD_U32LE,
    "uint64": h5t.STD_U64LE,
}


@contextmanager
def reading(path: str) -> Iterator[None]:
    """Turn any error of the library about a damaged file into a one-line StoreError; it may raise nearly any type."""
    try:
        yield
    except StoreError:
        raise
    except Exception as error:
        raise store_error(
            f"{path}: cannot be read, the file is damaged ({one_line(error) or type(error).__name__})"
        ) from error


def find(root: h5g.GroupID, path: str) -> Any:
    """Open the object at a path, by hard links alone; return None if there is no such name.

    Raises:
        StoreError: A part of the path is a link to somewhere else.
    """
    here: Any = root
    with reading(path):
        for part in path.strip("/").encode().split(b"/"):
            if not isinstance(here, h5g.GroupID) or not here.links.exists(part):
                return None
            if here.links.get_info(part).type != h5l.TYPE_HARD:
                raise store_error(f"{path}: is a link to somewhere else, and such links are not followed")
            here = h5o.open(here, part)
    return here


def names(group: Any, path: str) -> list[str]:
    """Return the names in a group.

    Raises:
        StoreError: There are too many names, or one is not text.
    """
    found: list[bytes] = []

    def keep(name: bytes) -> bool | None:
        found.append(name)
        return True if len(found) > MAX_NAMES else None

    with reading(path):
        if isinstance(group, h5g.GroupID):
            group.links.iterate(keep)
        if len(found) > MAX_NAMES:
            raise store_error(f"{path}: holds more than {MAX_NAMES:,} names")
        return [name.decode() for name in found]


def attributes(item: Any, path: str) -> dict[str, Any]:
    """Return the attributes that are one number or one text of fixed length; long text is cut, all others are left out."""
    values: dict[str, Any] = {}
    with reading(path):
        for index in range(min(h5a.get_num_attrs(item), _ATTRIBUTES)):
            attribute = h5a.open(item, index=index)
            kind = attribute.get_type()
            if attribute.get_space().get_simple_extent_type() != h5s.SCALAR:
                continue
            dtype = next((name for name, known in _NUMBERS.items() if kind.equal(known)), None)
            if dtype is None and _is_text(kind) and kind.get_size() <= 2**16:
                dtype = f"S{kind.get_size()}"
            if dtype is not None:
                cell = np.zeros((), dtype)
                attribute.read(cell, mtype=kind)  # the file's own type: nothing is converted
                value = cell.item()
                name = attribute.name.decode("utf-8", "replace")
                text = value.decode("utf-8", "replace")[:_ATTRIBUTE_TEXT] if isinstance(value, bytes) else value
                values[name] = text
    return values


def check_tree(item: Any, path: str, seen: set[Any] | None = None) -> None:
    """Refuse a group that holds, at any depth, anything but its own groups and datasets.

    Raises:
        StoreError: There is a link, a circle, or data outside the file.
    """
    seen = set() if seen is None else seen
    with reading(path):
        key = h5py.h5o.get_info(item).addr
        if key in seen:
            raise store_error(f"{path}: is in the file twice")
        seen.add(key)
        if isinstance(item, h5d.DatasetID):
            _inside(item, path)
    for name in names(item, path):
        check_tree(find(item, name), f"{path}/{name}", seen)


class Stored:
    """One checked dataset, not yet read. It is indexed like an array: rows in any way, then as in numpy; text is str."""

    def __init__(self, item: Any, path: str, dtype: str, axes: tuple[str, ...], file_size: int) -> None:
        self.path = path
        self._id = item
        with reading(path):
            if not isinstance(item, h5d.DatasetID):
                raise store_error(f"{path}: not a dataset")
            kind = item.get_type()
            if not (_is_text(kind) if dtype == "text" else kind.equal(_NUMBERS[dtype])):
                raise store_error(f"{path}: is {_type_name(kind)}, wanted {dtype}")
            if dtype == "text" and kind.get_size() > MAX_TEXT:
                raise store_error(f"{path}: texts of {kind.get_size():,} bytes; at most {MAX_TEXT:,} are read")
            _inside(item, path)
            space = item.get_space()
            if space.get_simple_extent_type() == h5s.NULL or space.get_simple_extent_ndims() != len(axes):
                ndim = space.get_simple_extent_ndims()
                raise store_error(f"{path}: has {ndim} axes, wanted {', '.join(axes) or 'none'}")
            self._kind = kind
            self.shape: tuple[int, ...] = tuple(map(int, space.get_simple_extent_dims()))
            self.dtype = np.dtype(f"S{kind.get_size()}" if dtype == "text" else dtype)
            self._file, self._offset = -1, 0
            self._chunks = self._check_size(file_size)

    def _check_size(self, file_size: int) -> Chunks | None:
        """Check that the file is large enough for the declared sizes; return the chunks of a chunked dataset."""
        wanted = self.size * self.dtype.itemsize
        if not wanted:
            return None
        plist = self._id.get_create_plist()
        if plist.get_layout() == h5d.CHUNKED:
            filters = [plist.get_filter(k)[0] for k in range(plist.get_nfilters())]
            if len(filters) > 1 or not set(filters) <= set(_FILTERS):
                raise store_error(
                    f"{self.path}: filters {filters} are not run; gzip or lzf alone is (or h5repack -f NONE)"
                )
            return Chunks(self._id, self.path, self.shape, self.dtype, filters[0] if filters else None, file_size)
        offset, held = self._id.get_offset(), self._id.get_storage_size()
        end = wanted if plist.get_layout() == h5d.COMPACT else (file_size + 1 if offset is None else offset + wanted)
        if wanted > held or end > file_size:
            raise store_error(f"{self.path}: declares {wanted:,} bytes that are not in the file")
        if self.shape and plist.get_layout() == h5d.CONTIGUOUS and sys.byteorder == "little":
            self._file, self._offset = _descriptor(self._id), offset
        return None

    @property
    def size(self) -> int:
        """Number of cells."""
        return int(np.prod(self.shape, dtype=object))

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
        wanted = int(np.prod(shape, dtype=object)) * self.dtype.itemsize
        if wanted > MAX_PIECE:
            raise store_error(f"{self.path}: {wanted / 2**30:.1f} GiB in one piece are more than is read into memory")
        if self._chunks is not None and wanted:
            return self._chunks.read(start, stop)[::step] if self.shape else self._chunks.read(0, 1).reshape(())
        cells = np.zeros(shape, self.dtype)
        if wanted:
            space = self._id.get_space()
            if shape:
                still = (0,) * (len(shape) - 1)
                space.select_hyperslab((start, *still), shape, (step, *(1 for _ in still)))
            self._id.read(h5s.create_simple(shape) if shape else h5s.create(h5s.SCALAR), space, cells, self._kind)
        return cells

    def _pick(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Return single rows, in the order of `rows`; neighbouring rows are read in one run, scattered ones in large blocks."""
        cells = np.zeros((len(rows), *self.shape[1:]), self.dtype)
        if not len(rows):
            return cells
        order = np.argsort(rows, kind="stable")
        ordered = rows[order]
        self._within(int(ordered[0]), int(ordered[-1]))
        per_row = max(1, self.dtype.itemsize * int(np.prod(self.shape[1:], dtype=object)))
        cuts = np.flatnonzero(np.diff(ordered) > 1 + 4096 // per_row) + 1
        if self._file >= 0 and 1 < len(cuts) <= _PIECES:
            return self._pick_pieces(rows, per_row)
        if len(cuts) > _RUNS:
            cuts = np.arange(1, 1 + (int(ordered[-1]) - int(ordered[0])) * per_row // _BLOCK)
            cuts = np.searchsorted(ordered, ordered[0] + cuts * (_BLOCK // per_row))
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


def _descriptor(item: h5d.DatasetID) -> int:
    """Return the file descriptor of the open file; -1 if the library reads it in another way."""
    try:
        plist = h5py.h5i.get_file_id(item).get_access_plist()
        if plist.get_driver() != h5py.h5fd.SEC2:
            return -1
        return int(h5py.h5i.get_file_id(item).get_vfd_handle())
    except (AttributeError, ValueError, RuntimeError):
        return -1


def _inside(item: h5d.DatasetID, path: str) -> None:
    plist = item.get_create_plist()
    if plist.get_layout() == h5d.VIRTUAL or plist.get_external_count() > 0:
        raise store_error(f"{path}: keeps its data in other files, which are not opened")


def _is_text(kind: Any) -> bool:
    return isinstance(kind, h5t.TypeStringID) and not kind.is_variable_str()


def _type_name(kind: Any) -> str:
    """Return a short name of a type; only plain numbers are described exactly."""
    plain = (h5t.TypeIntegerID, h5t.TypeFloatID)
    return str(kind.dtype) if isinstance(kind, plain) and kind.get_size() <= 8 else type(kind).__name__[4:-2].lower()


def _decode(values: Any) -> Any:
    array = np.asarray(values)
    return np.char.decode(array, "utf-8", "replace") if array.dtype.kind == "S" else array
