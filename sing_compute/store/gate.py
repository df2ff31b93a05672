"""Check every object of a results file before a byte of it is read: the file may come from a stranger.

Only hard links are followed, so no other file is ever opened. Low-level calls read only the header of a dataset: its type,
shape, layout and place in the file must be as the schema says and fit the file's own size.
Text of variable length is never read, not even as an attribute: HDF5 2.0 itself crashes on a damaged heap (make attack).
"""

from types import TracebackType
from typing import Any

import numpy as np
from h5py import h5a, h5d, h5g, h5l, h5o, h5s, h5t

from sing_compute.errors import StoreError
from sing_compute.store.text import one_line, store_error

MAX_TEXT = 4096
"""Most bytes of one text."""
MAX_NAMES = 10_000
"""Most names in one group."""
MAX_ITEMS = 500
"""Most items of a group axis, such as models: each has some hundred datasets, and a list of items reads a figure of each."""
MAX_DEPTH = 64
"""Most groups within each other."""
_ATTRIBUTES = 500
_ATTRIBUTE_TEXT = 4000
NUMBERS = {
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


class reading:  # noqa: N801  (a class because it is entered some ten times for each dataset)
    """Turn any error of the library about a damaged file into a one-line StoreError; it may raise nearly any type."""

    __slots__ = ("_path",)

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> None: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, Exception) and not isinstance(error, StoreError):
            why = one_line(error) or type(error).__name__
            raise store_error(f"{self._path}: cannot be read, the file is damaged ({why})") from error


def links(group: Any, path: str) -> dict[str, bool]:
    """Return the names in a group, each with True if it is a hard link: an object of the file itself.

    Args:
        group: The open group; anything else holds no names.
        path: Its path, for messages.

    Raises:
        StoreError: There are too many names, or one is not text.
    """
    found: list[tuple[bytes, bool]] = []

    def keep(name: bytes, link: Any) -> bool | None:
        found.append((name, link.type == h5l.TYPE_HARD))
        return True if len(found) > MAX_NAMES else None

    with reading(path):
        if isinstance(group, h5g.GroupID):
            group.links.iterate(keep, info=True)
        if len(found) > MAX_NAMES:
            raise store_error(f"{path}: holds more than {MAX_NAMES:,} names")
        return {name.decode(): hard for name, hard in found}


def opened(group: Any, name: str, path: str, *, is_group: bool = False) -> Any:
    """Open an object of an open group by a name that `links` gave as a hard link.

    Args:
        group: The group.
        name: Name of the object in it.
        path: Path of the object, for messages.
        is_group: True if it should be a group. Any object is opened, but one that is as expected in half the time.
    """
    with reading(path):
        try:
            return (h5g if is_group else h5d).open(group, name.encode())
        except Exception:
            return h5o.open(group, name.encode())


def elsewhere(path: str) -> StoreError:
    """Return the error for a name that is no hard link."""
    return store_error(f"{path}: is a link to somewhere else, and such links are not followed")


def address(item: Any, path: str) -> int:
    """Return the place of a group or dataset in its file: two names of one object have the same.

    Args:
        item: The open group or dataset.
        path: Its path.

    Raises:
        StoreError: It is damaged.
    """
    with reading(path):
        return int(h5o.get_info(item).addr)


def attributes(item: Any, path: str) -> dict[str, Any]:
    """Return the attributes that are one number or one text of fixed length; long text is cut, all others are left out."""
    values: dict[str, Any] = {}
    with reading(path):
        for index in range(min(h5a.get_num_attrs(item), _ATTRIBUTES)):
            attribute = h5a.open(item, index=index)
            kind = attribute.get_type()
            if attribute.get_space().get_simple_extent_type() != h5s.SCALAR:
                continue
            if isinstance(kind, h5t.TypeStringID):
                dtype = f"S{kind.get_size()}" if is_text(kind) and kind.get_size() <= 2**16 else None
            else:
                dtype = next((name for name, known in NUMBERS.items() if kind.equal(known)), None)
            if dtype is not None:
                cell = np.zeros((), dtype)
                attribute.read(cell, mtype=kind)  # the file's own type: nothing is converted
                value = cell.item()
                name = attribute.name.decode("utf-8", "replace")
                text = value.decode("utf-8", "replace")[:_ATTRIBUTE_TEXT] if isinstance(value, bytes) else value
                values[name] = text
    return values


def check_tree(item: Any, path: str, seen: set[Any] | None = None, depth: int = 0) -> None:
    """Refuse a group that holds, at any depth, anything but its own groups and datasets.

    Raises:
        StoreError: There is a link, a circle, a named type, data outside the file, or groups are within each other too deeply.
    """
    seen = set() if seen is None else seen
    if depth > MAX_DEPTH:
        raise store_error(f"{path}: more than {MAX_DEPTH} groups are within each other")
    with reading(path):
        key = address(item, path)
        if key in seen:
            raise store_error(f"{path}: is in the file twice")
        seen.add(key)
        if isinstance(item, h5t.TypeID):  # HDF5 crashes when it copies a damaged one
            raise store_error(f"{path}: is neither a group nor a dataset")
        if isinstance(item, h5d.DatasetID):
            stored_inside(item.get_create_plist(), path)
    for name, hard in links(item, path).items():
        below = f"{path}/{name}"
        if not hard:
            raise elsewhere(below)
        check_tree(opened(item, name, below), below, seen, depth + 1)


def stored_inside(plist: Any, path: str) -> None:
    """Refuse a dataset whose data are in other files.

    Args:
        plist: The list of properties that it was created with.
        path: Its path.

    Raises:
        StoreError: They are.
    """
    if plist.get_layout() == h5d.VIRTUAL or plist.get_external_count() > 0:
        raise store_error(f"{path}: keeps its data in other files, which are not opened")


def is_text(kind: Any) -> bool:
    """Return True if an HDF5 type is text of fixed length."""
    return isinstance(kind, h5t.TypeStringID) and not kind.is_variable_str()


def type_name(kind: Any) -> str:
    """Return a short name of a type; only plain numbers are described exactly."""
    plain = (h5t.TypeIntegerID, h5t.TypeFloatID)
    return str(kind.dtype) if isinstance(kind, plain) and kind.get_size() <= 8 else type(kind).__name__[4:-2].lower()
