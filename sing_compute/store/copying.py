"""Choose the parts of a results file to copy when something in it changes: all but those that are known to depend on it."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

import h5py

from sing_compute.store import catalogue
from sing_compute.store.catalogue import fields_within, is_present
from sing_compute.store.definition import Analysis
from sing_compute.store.read import Store
from sing_compute.store.text import store_error

COMPARISON = "comparison/"
"""Group of the comparison of models, which is computed again whenever the models change."""
_PIECE = 2**22


def comparison_paths() -> list[str]:
    """Return the declared datasets that compare the models of a file."""
    return [path for path in catalogue.FIELDS if path.startswith(COMPARISON)]


def dependent_paths(store: Store, changed: str, *, handled: Collection[str] = ()) -> list[str]:
    """Find the datasets of a file that a change makes invalid.

    Args:
        store: The file.
        changed: One of the names in `Analysis.needs`: `concepts`, `models`, `images`, ...
        handled: Names of analyses that the caller computes again.

    Returns:
        Paths of the datasets of every other analysis that needs the changed data, and of the groups that would be empty
        without them: their attributes describe what is gone.
    """
    paths = []
    for analysis in catalogue.analyses():
        if changed in analysis.needs and analysis.name not in handled and is_present(store, analysis):
            paths += _stored_paths(store, analysis)
    return [*paths, *_emptied(store, frozenset(paths))]


def _emptied(store: Store, paths: frozenset[str]) -> list[str]:
    """Return the groups that contain nothing but datasets of these paths, the outermost ones."""

    def is_empty(group: str) -> bool:
        names = [f"{group}/{name}" for name in store.names(group)]
        return all(name in paths or (isinstance(store.file[name], h5py.Group) and is_empty(name)) for name in names)

    found = set()
    for path in paths:
        group = path.rpartition("/")[0]
        while group and group not in found:
            store.check_tree(group)  # a link in it would lead elsewhere
            if not is_empty(group):
                break
            found.add(group)
            group = group.rpartition("/")[0]
    return sorted(group for group in found if group.rpartition("/")[0] not in found)


def dependents(paths: Collection[str]) -> str:
    """List the titles of the analyses that datasets belong to, for a message."""
    wanted = {catalogue.template_of(path)[0] for path in paths}  # groups are no fields
    titles = [analysis.title for analysis in catalogue.analyses() if wanted & {field.path for field in analysis.fields}]
    return ", ".join(titles)


def check_unknown_parts(stores: Sequence[Store]) -> None:
    """Refuse files that hold different data under one name, where this program does not know the name or cannot join the data.

    Raises:
        StoreError: The message names the path and the files.
    """
    for position, store in enumerate(stores):
        for other in stores[position + 1 :]:
            for path in _own_paths(store):
                if path in other and not same_data(store, other, path):
                    raise store_error(
                        f"{store.path} and {other.path} both hold {path}, with different contents: merge them with the "
                        "version that wrote them, or without one of them"
                    )


def same_data(left: Store, right: Store, path: str) -> bool:
    """Return True if two files hold the same bytes under a path: types, shapes, attributes and stored data."""
    left.check_tree(path)
    right.check_tree(path)
    return _same(left.file[path], right.file[path])


def _own_paths(store: Store) -> list[str]:
    """Return the parts that are copied unchanged: unknown ones, and the subjects of analyses that are not about classifiers."""
    paths = list(store.unknown())
    for analysis in catalogue.analyses():
        if analysis.subject not in ("file", "model") and is_present(store, analysis):
            group = catalogue.axis(analysis.subject).group
            paths += [f"{group}/{item}" for item in store.members(analysis.subject)]
    return paths


def _stored_paths(store: Store, analysis: Analysis) -> list[str]:
    own = fields_within(analysis, subject=True)
    if analysis.subject == "file":
        return [field.path for field in own if field.path in store]
    items = store.members(analysis.subject)
    found = [field.path.format(**{analysis.subject: item}) for item in items for field in own]
    found += [field.path for field in fields_within(analysis, subject=False)]
    return [path for path in found if path in store]


def _same(left: Any, right: Any) -> bool:
    if type(left) is not type(right) or set(left.attrs) != set(right.attrs):
        return False
    if any(str(left.attrs[name]) != str(right.attrs[name]) for name in left.attrs):
        return False
    if isinstance(left, h5py.Group):
        return set(left) == set(right) and all(_same(left[name], right[name]) for name in left)
    if left.dtype != right.dtype or left.shape != right.shape or h5py.check_vlen_dtype(left.dtype) is not None:
        return False
    return all(one == other for one, other in zip(_pieces(left), _pieces(right), strict=False)) and (
        left.id.get_storage_size() == right.id.get_storage_size()
    )


def _pieces(dataset: h5py.Dataset) -> Iterator[bytes]:
    """Yield the stored bytes of a dataset as they are in the file, without running a filter."""
    if dataset.chunks is not None:
        for index in range(dataset.id.get_num_chunks()):
            offset = dataset.id.get_chunk_info(index).chunk_offset
            yield repr(offset).encode() + dataset.id.read_direct_chunk(offset)[1]
        return
    offset, size = dataset.id.get_offset(), dataset.id.get_storage_size()
    if offset is None:  # a dataset this small is part of its header
        yield dataset[()].tobytes() if size else b""
        return
    with open(dataset.file.filename, "rb") as stream:
        stream.seek(offset)
        while size > 0 and (piece := stream.read(min(size, _PIECE))):
            size -= len(piece)
            yield piece
