"""Read the cells of declared columns at a place: one axis gives the rows, the place fixes the others."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sing_compute.errors import StoreError
from sing_compute.store import catalogue
from sing_compute.store.columns import Cells, Loaded, Rows, Values
from sing_compute.store.definition import Field, Fixed
from sing_compute.store.place import Key, Place
from sing_compute.store.read import Store, located
from sing_compute.store.stored import Stored

SMALL = 2**16
"""Most bytes of a dataset that is held in memory as a whole while a table is built."""


@dataclass(frozen=True, eq=False)
class RowReader:
    """Read the cells of any declared dataset for the rows of one table.

    With `members` each row is one item of a group axis and has its own datasets. Otherwise rows are positions of the axis:
    `ids`, or without them `start` up to `stop`.
    """

    store: Store
    place: Place
    axis: str
    members: tuple[str, ...] | None = None
    ids: Rows | None = None
    start: int = 0
    stop: int = 0
    _known: dict[str, bool] = dataclass_field(default_factory=dict)
    _small: dict[str, NDArray[Any]] = dataclass_field(default_factory=dict)

    def __len__(self) -> int:
        if self.members is not None:
            return len(self.members)
        return self.stop - self.start if self.ids is None else len(self.ids)

    @cached_property
    def positions(self) -> Rows:
        """Position of each row on the axis."""
        if self.members is not None:
            return np.arange(len(self.members))
        return np.arange(self.start, self.stop) if self.ids is None else self.ids

    @cached_property
    def names(self) -> NDArray[Any]:
        """Name of each row."""
        if self.members is not None:
            return np.array(self.members, dtype=np.str_)
        names = np.asarray(self.store.items(self.axis, self.place), dtype=np.str_)
        return names[self.start : self.stop] if self.ids is None else names[self.ids]  # a part of it costs no copy

    def holds(self, path: str, at: Fixed = ()) -> bool:
        """Return True if the file holds a dataset for at least one row, at the place's items."""
        field = catalogue.FIELDS[path]
        if not self._reaches(field, at):
            return False
        known = catalogue.axis(field.of) if field.of else None
        if known is not None and known.labels and not any(path in self.store for path in self._paths(known.labels)):
            return False
        return any(self._is_there(concrete, field) for concrete in self._paths(path))

    def varies(self, path: str) -> bool:
        """Return True if a dataset has a value for each row."""
        if self.members is not None:
            return f"{{{self.axis}}}" in path
        return self.axis in catalogue.FIELDS[path].axes

    def values(self, path: str, at: Fixed = ()) -> Values:
        """Return the cells of a dataset by row; large ones are read when they are used, and indices become names."""
        field = catalogue.FIELDS[path]
        names = self._index_names(field)
        if self.members is None and field.axes[:1] == (self.axis,) and self.ids is None:
            stored = self.store.dataset(located(path, self.place))
            rest = self._fixed(field, at)
            if len(rest) <= 1:
                part = rest[0] if rest else None
                return Values(stored, self.start, self.stop, names, part)
        return Values(Loaded(len(self), quiet(lambda: self.cells(path, at))), names=names)

    def cells(self, path: str, at: Fixed = ()) -> Cells:
        """Return the cells of a dataset, (row, ...), as they are stored; the whole of a dataset without the rows' axis.

        Raises:
            StoreError: The file does not hold it, or not at these items.
        """
        field = catalogue.FIELDS[path]
        if self.members is not None and f"{{{self.axis}}}" in path:
            return self._of_members(field, at)
        return self._pick(self.store.dataset(located(path, self.place)), field, at, self.place)

    def pairs(self, path: str, at: Fixed, *, of: str) -> NDArray[Any] | None:
        """Return the ends of the intervals of a dataset `of`, (bound, row); None if the file holds none for these rows."""
        field = catalogue.FIELDS[path]
        if not self.holds(path):
            return None
        if self.members is None:
            try:
                return np.asarray(self.cells(path, at)).T
            except _NoSuchItemError:
                return None
        rows = []
        for member, concrete, value in zip(self.members, self._paths(path), self._paths(of), strict=True):
            found = np.full(2, np.nan, field.dtype)
            if self._is_there(concrete, field) and self._is_there(value, catalogue.FIELDS[of]):
                with suppress(_NoSuchItemError):
                    found = self._pick(self._dataset(concrete), field, at, self.place.at(**{self.axis: member}))
            rows.append(found)
        ends = np.array(rows).reshape(-1, 2).T
        return None if np.isnan(ends).all() else ends

    def _is_there(self, path: str, field: Field) -> bool:
        if not field.axes and "{" in field.path:  # one of many numbers in a group that is read at once
            group, _, name = path.rpartition("/")
            return name in self.store.scalars(group)
        if path not in self._known:
            self._known[path] = path in self.store
        return self._known[path]

    def _dataset(self, path: str) -> Any:
        """Return a dataset. A small one is held in memory, because several columns may be read from it."""
        stored = self.store.dataset(path)
        if stored.size * stored.dtype.itemsize > SMALL:
            return stored
        if path not in self._small:
            self._small[path] = np.asarray(stored[()])
        return self._small[path]

    def _paths(self, path: str) -> list[str]:
        if self.members is None:
            return [located(path, self.place)]
        mark = f"{{{self.axis}}}"
        rest = path.replace(mark, "\0")  # a name may hold braces
        if "{" in rest:
            return [located(path, self.place.at(**{self.axis: member})) for member in self.members]
        return [rest.replace("\0", member) for member in self.members]

    def _of_members(self, field: Field, at: Fixed) -> Cells:
        """Return the value of each member, or its values along the other axes; empty text or NaN for a member without one."""
        text = field.dtype == "text"
        found: list[Any] = []
        for member, concrete in zip(self.members or (), self._paths(field.path), strict=True):
            if not self._is_there(concrete, field):
                found.append(None)
                continue
            if not field.axes:
                group, _, name = concrete.rpartition("/")
                found.append(np.array([self.store.scalars(group)[name]], field.dtype))
                continue
            place = self.place.at(**{self.axis: member})
            found.append(np.asarray(self._pick(self.store.dataset(concrete), field, at, place))[None])
        if not found:
            return np.zeros(0, np.str_ if text else field.dtype)
        shape = next((cell.shape for cell in found if cell is not None), (1,))
        none = np.full(shape, "" if text else np.nan)
        cells: Cells = np.concatenate([none if cell is None else cell for cell in found])
        return cells

    def _pick(self, stored: Stored | NDArray[Any], field: Field, at: Fixed, place: Place) -> Cells:
        """Return rows of a dataset at the items that the place and the column fix."""
        keys: list[Any] = []
        for axis in field.axes:
            if axis == self.axis and self.members is None:
                keys.append(slice(self.start, self.stop) if self.ids is None else self.ids)
            else:
                keys.append(self._position(axis, at, place))
        first, rest = (keys[0], keys[1:]) if keys else (None, [])
        if first is None:
            return np.asarray(stored[()])
        if isinstance(first, slice) and first == slice(None) and not any(isinstance(k, int) for k in rest):
            return np.asarray(stored[()])
        cells = np.asarray(stored[first])
        axes = 0 if isinstance(first, int) else 1
        for key in rest:
            cells = cells[(slice(None),) * axes + (key,)]
            axes += not isinstance(key, int)
        return cells

    def _position(self, axis: str, at: Fixed, place: Place) -> int | slice:
        """Return the position on an axis that is read; the whole axis if nothing fixes it."""
        fixed = dict(at).get(axis)
        if isinstance(fixed, str):
            names = [str(name) for name in self.store.items(axis, place)]
            if fixed not in names:
                raise _NoSuchItemError(f"{axis} has no {fixed!r}")
            return names.index(fixed)
        if fixed is not None:
            return int(fixed)
        item: Key | None = place.key(axis)
        if isinstance(item, int):
            return item
        return 0 if axis in catalogue.table(place.table).options else slice(None)

    def _fixed(self, field: Field, at: Fixed) -> list[int]:
        found = [self._position(axis, at, self.place) for axis in field.axes[1:]]
        return [key for key in found if isinstance(key, int)]

    def _reaches(self, field: Field, at: Fixed) -> bool:
        """Return True if a dataset is valid at the place: one without an axis of subsets belongs to the first of them."""
        options = catalogue.table(self.place.table).options
        chosen = [axis for axis in options if self.place.key(axis) not in (None, 0) and catalogue.axis(axis).selects]
        return all(axis in field.axes or "{" not in field.path for axis in chosen)

    def _index_names(self, field: Field) -> NDArray[Any] | None:
        if not field.of:
            return None
        known = catalogue.axis(field.of)
        return np.asarray(self.store.items(field.of, self.place)) if known.labels and not known.parent else None


class _NoSuchItemError(StoreError):
    """An axis has no item of the name that a column fixes."""


def quiet(load: Callable[[], Cells]) -> Callable[[], Cells]:
    """Return the same function without numpy's warnings: a file may hold any number."""

    def silent() -> Cells:
        with np.errstate(all="ignore"):
            return load()

    return silent
