"""Check every object of a results file before a byte of it is read: the file may come from a stranger.

Only hard links are followed, so no other file is ever opened. Low-level calls read only the header of a dataset: its type,
shape, layout and place in the file must be as the schema says and fit the file's own size.
Text of variable length is never read, not even as an attribute: HDF5 2.0 itself crashes on a damaged heap (make attack).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from h5py import h5a, h5d, h5g, h5l, h5o, h5s, h5t

from sing_compute.errors import StoreError
from sing_compute.store.text import one_line, store_error

MAX_TEXT = 4096
"""Most bytes of one text."""
MAX_NAMES = 10_000
"""Most names in one group."""
MAX_ITEMS = 1_000
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


def address(item: Any) -> int:
    """Return the place of a group or dataset in its file: two names of one object have the same."""
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
            dtype = next((name for name, known in NUMBERS.items() if kind.equal(known)), None)
            if dtype is None and is_text(kind) and kind.get_size() <= 2**16:
                dtype = f"S{kind.get_size()}"
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
        StoreError: There is a link, a circle, data outside the file, or groups are within each other too deeply.
    """
    seen = set() if seen is None else seen
    if depth > MAX_DEPTH:
        raise store_error(f"{path}: more than {MAX_DEPTH} groups are within each other")
    with reading(path):
        key = address(item)
        if key in seen:
            raise store_error(f"{path}: is in the file twice")
        seen.add(key)
        if isinstance(item, h5d.DatasetID):
            stored_inside(item, path)
    for name in names(item, path):
        check_tree(find(item, name), f"{path}/{name}", seen, depth + 1)


def stored_inside(item: h5d.DatasetID, path: str) -> None:
    """Refuse a dataset whose data are in other files.

    Raises:
        StoreError: They are.
    """
    plist = item.get_create_plist()
    if plist.get_layout() == h5d.VIRTUAL or plist.get_external_count() > 0:
        raise store_error(f"{path}: keeps its data in other files, which are not opened")


def is_text(kind: Any) -> bool:
    """Return True if an HDF5 type is text of fixed length."""
    return isinstance(kind, h5t.TypeStringID) and not kind.is_variable_str()


def type_name(kind: Any) -> str:
    """Return a short name of a type; only plain numbers are described exactly."""
    plain = (h5t.TypeIntegerID, h5t.TypeFloatID)
    return str(kind.dtype) if isinstance(kind, plain) and kind.get_size() <= 8 else type(kind).__name__[4:-2].lower()
