"""Read a results file by its declarations: items of axes, their names, figures of models."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from sing_compute.errors import SingError, StoreError
from sing_compute.store import catalogue, gate
from sing_compute.store.catalogue import FIELDS
from sing_compute.store.definition import Field
from sing_compute.store.file import StoreFile
from sing_compute.store.noun import IMAGE, Noun
from sing_compute.store.place import Key, Place
from sing_compute.store.text import clean, store_error


class Store(StoreFile):
    """A results file, read-only. Use it as a context manager, or call `close`.

    The file may come from a stranger: every method goes through `gate` and returns checked data or raises a StoreError
    (docs/store.md, "Files from strangers"). `file` is h5py's own object, which checks nothing.

    Raises:
        StoreError: The file is missing, not HDF5, not a results file, or of a newer schema.
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__(path)
        self._members: dict[str, list[str]] = {}
        self._names: dict[str, NDArray[Any]] = {}
        self._runs: dict[str, NDArray[np.int64]] = {}
        self._scalars: dict[str, dict[str, float | int]] = {}

    @cached_property
    def noun(self) -> Noun:
        """The noun for the items on the axis `image`: image, or what the file says; image where its text is no noun."""
        found = self.attributes("images")
        noun = Noun(str(found.get("item", IMAGE.singular)), str(found.get("items", IMAGE.plural)))
        return IMAGE if noun.problem or clean(noun.singular + noun.plural) != noun.singular + noun.plural else noun

    @property
    def models(self) -> list[str]:
        """Names of the models, in the order in which they were added.

        Raises:
            StoreError: A name holds characters that no name may hold (docs/store.md).
        """
        return self.members("model")

    def members(self, axis: str) -> list[str]:
        """Return the names of the items of a group axis, in the order in which they were added.

        Raises:
            StoreError: A name holds characters that no name may hold (docs/store.md).
        """
        if axis not in self._members:
            group = catalogue.axis(axis).group
            names = self.names(group)
            if len(names) > gate.MAX_ITEMS:
                raise store_error(
                    f"{self.path.name}: {group}: holds {len(names):,} {catalogue.plural(axis)}; at most "
                    f"{gate.MAX_ITEMS:,} are read"
                )
            places: dict[int, str] = {}
            for name in names:
                if clean(name) != name or not 0 < len(name.encode()) < 256 or "/" in name or name in (".", ".."):
                    raise store_error(f"{self.path.name}: {group}/{name[:60]}: this is no name for a {axis}")
                path = f"{group}/{name}"
                first = places.setdefault(gate.address(self._find(path), path), name)
                if first != name:
                    raise store_error(f"{self.path.name}: {group}/{name}: is the same {axis} as {first}, by a link")
            order = {name: _position(self.attributes(f"{group}/{name}").get("order")) for name in names}
            self._members[axis] = sorted(names, key=lambda name: (order[name], name))
        return self._members[axis]

    def count(self, axis: str, place: Place | None = None) -> int:
        """Return the number of items of an axis.

        Args:
            axis: Name of the axis.
            place: Names the items of group axes, if the length depends on these.

        Raises:
            StoreError: The file does not define the length.
        """
        if catalogue.axis(axis).group:
            return len(self.members(axis))
        try:
            return self._length(axis, axis, _items(place))
        except StoreError as error:
            raise store_error(f"{self.path.name}: {error}") from error

    def items(self, axis: str, place: Place | None = None) -> Sequence[str]:
        """Return the names of all items of an axis, by position; items without names are numbered.

        Args:
            axis: Name of the axis.
            place: Names the items of group axes, if the names depend on these.

        Raises:
            StoreError: The file does not hold them.
        """
        known = catalogue.axis(axis)
        if known.group:
            return self.members(axis)
        if known.labels:
            return cast("Sequence[str]", self._texts(located(known.labels, place)))
        return [f"{self.noun.words(axis)} {position}" for position in range(self.count(axis, place))]

    def label(self, axis: str, item: Key, place: Place | None = None) -> str:
        """Return the name of one item of an axis; `-` if the file does not hold it.

        Args:
            axis: Name of the axis.
            item: Name or position of the item.
            place: Names the items of group axes, if the name depends on these.
        """
        if isinstance(item, str):
            return item
        try:
            known = catalogue.axis(axis)
            if known.labels and known.parent:
                return str(self.dataset(located(known.labels, place))[item])
            names = self.items(axis, place)
            return str(names[item]) if 0 <= item < len(names) else "-"
        except SingError:
            return "-"

    def runs(self, axis: str, place: Place | None = None) -> NDArray[np.int64]:
        """Return the edges of the runs of an axis: item c of its parent axis owns the entries edges[c] to edges[c + 1].

        Args:
            axis: Name of an axis with a parent, such as `image`.
            place: Names the items of group axes, if the runs depend on these.

        Raises:
            StoreError: The edges do not divide the axis into one run per item.
        """
        path = located(catalogue.axis(axis).runs, place)
        if path not in self._runs:
            edges = self.array(path)
            if not len(edges) or edges[0] != 0 or (np.diff(edges) < 0).any() or edges[-1] != self.count(axis, place):
                parent = catalogue.axis(axis).parent
                several = self.noun.words(f"{axis}s")
                raise store_error(f"{self.path.name}: {path}: do not cut the {several} into one run per {parent}")
            self._runs[path] = edges
        return self._runs[path]

    def find(self, axis: str, wanted: str | int, place: Place | None = None) -> Key:
        """Find an item of an axis by its position, name (without regard to case) or code.

        Args:
            axis: Name of the axis.
            wanted: Position, name or code.
            place: Names the items of group axes, if the names depend on these.

        Returns:
            Its name on a group axis, else its position.

        Raises:
            StoreError: No item, or more than one, has this name.
        """
        known, text = catalogue.axis(axis), str(wanted).strip()
        if known.group:
            if text in self.members(axis):
                return text
            there = ", ".join(self.members(axis)) or "none"
            raise store_error(f"no {self.noun.words(axis)} {text!r} in {self.path.name}; it holds: {there}")
        if text.isdecimal() and len(text) < 19 and int(text) < self.count(axis, place):
            return int(text)
        folded = text.casefold()
        names = self.items(axis, place)
        hits = [i for i, name in enumerate(names) if str(name).casefold() == folded]
        if not hits and known.codes and located(known.codes, place) in self:
            codes = self.array(located(known.codes, place))
            hits = [i for i, code in enumerate(codes) if str(code).casefold() == folded]
        if not hits:
            near = [str(name) for name in names if folded in str(name).casefold()][:5]
            hint = f"; near: {', '.join(near)}" if near else ""
            raise store_error(f"no {self.noun.words(axis)} {text!r} in {self.path.name}{hint}")
        if len(hits) > 1:
            several = f"{len(hits)} {self.noun.words(catalogue.plural(axis))} are named {text!r}"
            raise store_error(f"{several}: give the index, one of {', '.join(map(str, hits))}")
        return hits[0]

    def _texts(self, path: str) -> NDArray[Any]:
        if path not in self._names:
            self._names[path] = self.array(path)
        return self._names[path]

    def model(self, name: str | None) -> str:
        """Check that the file holds a model of this name, and return the name; for None return the first model.

        Raises:
            StoreError: There is no such model; the message lists all models.
        """
        if name is None and self.models:
            return self.models[0]
        if name is None or name not in self.models:
            raise store_error(f"no model {name!r} in {self.path.name}; it holds: {', '.join(self.models) or 'none'}")
        return name

    def summary(self, model: str) -> dict[str, float | int]:
        """Return the scalar figures of one model by name; figures that were not computed are absent."""
        return dict(self.scalars(f"models/{model}/summary"))

    def unscored(self, model: str) -> str:
        """Say why a model has no scores, as the end of a sentence about it."""
        full = self.summary(model).get("nullity") == 0
        return "its head has no null space" if full else "only its features were kept; a run without --only adds scores"

    def scalars(self, path: str) -> dict[str, float | int]:
        """Return the declared numbers without axes in one group, by name; those that were not computed are absent.

        Raises:
            StoreError: A number is not as declared.
        """
        if path not in self._scalars:
            template, items = catalogue.template_of(path)
            try:
                found = {name: self._figure(f"{path}/{name}", field, items) for name, field in _scalars_of(template)}
                self._scalars[path] = {name: figure for name, figure in found.items() if figure is not None}
            except StoreError as error:
                raise store_error(f"{self.path.name}: {error}") from error
        return self._scalars[path]

    def _figure(self, path: str, field: Field, items: Mapping[str, Key]) -> float | int | None:
        """Return one number; None if it was not computed."""
        item = self._child(path)
        value: float | int | None = None if item is None else self._checked(item, path, field, items)[()].item()
        return value

    @property
    def class_names(self) -> NDArray[Any]:
        """Class names in logit order."""
        return self._texts("classes/name")

    @property
    def concept_names(self) -> NDArray[Any]:
        """Concept names in the order of the concept axis."""
        return self._texts("concepts/name")

    @cached_property
    def subsets(self) -> list[str]:
        """Subsets of images for which there are class tables, `all` first."""
        return [str(name) for name in self.array("subsets/name")]

    @property
    def offsets(self) -> NDArray[np.int64]:
        """Images of class c are rows offsets[c] to offsets[c + 1].

        Raises:
            StoreError: They do not divide all images into one run per class.
        """
        return self.runs("image")

    def find_class(self, wanted: str | int) -> int:
        """Return the index of a class given by index, name or WordNet id (names without regard to case).

        Raises:
            StoreError: No class, or more than one, has this name.
        """
        return int(self.find("class", wanted))


def located(template: str, place: Place | None) -> str:
    """Return the path of a dataset with each `{axis}` replaced by the item that the place names.

    Raises:
        StoreError: The place names no item of one of these axes.
    """
    try:
        return template.format(**_items(place))
    except KeyError as error:
        raise store_error(f"{template}: name a {error.args[0]} first") from None


def _items(place: Place | None) -> dict[str, Key]:
    return {} if place is None else dict(place.keys)


def _scalars_of(template: str) -> list[tuple[str, Field]]:
    """Return the numbers without axes that are declared in a group, by name."""
    group = f"{template}/"
    found = [(path.removeprefix(group), field) for path, field in FIELDS.items() if path.startswith(group)]
    return [(name, field) for name, field in found if "/" not in name and not field.axes]


def _position(order: Any) -> float:
    return order if isinstance(order, int | float) and order == order else 0
