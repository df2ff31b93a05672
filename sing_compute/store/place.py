"""A place in a results file: one table, and the items that it is about."""

from dataclasses import dataclass, replace

Key = int | str
"""An item of an axis: its name on a group axis (a model), else its position (a class)."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Several items of one axis that are compared: the others with the first."""

    axis: str
    items: tuple[Key, ...]
    measure: str
    """The column that is compared; empty if all figures of the items are compared."""


@dataclass(frozen=True, slots=True)
class Place:
    """One table of a results file.

    With `along`, it is one row of the table `table`, once for each item of that axis: one class in all models, one concept in all
    classes. `keys` then names the row's own item in the place of the axis.
    """

    table: str
    keys: tuple[tuple[str, Key], ...] = ()
    """Axis and item of each key, by the axes' names."""
    along: str = ""
    comparison: Comparison | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "keys", tuple(sorted(self.keys, key=lambda pair: pair[0])))

    def key(self, axis: str) -> Key | None:
        """Return the item that the place names on an axis; None if it names none."""
        return next((item for name, item in self.keys if name == axis), None)

    def index(self, axis: str) -> int | None:
        """Return the position that the place names on an axis without a group."""
        found = self.key(axis)
        return found if isinstance(found, int) else None

    def name(self, axis: str) -> str:
        """Return the name that the place gives on a group axis; empty if it gives none."""
        found = self.key(axis)
        return found if isinstance(found, str) else ""

    def at(self, **items: Key | None) -> "Place":
        """Return the same place with these items on these axes; None removes an item."""
        found = dict(self.keys) | items
        return replace(self, keys=tuple((axis, item) for axis, item in found.items() if item is not None))

    @classmethod
    def of(cls, table: str, *, along: str = "", **items: Key | None) -> "Place":
        """Make a place.

        Args:
            table: Name of the table.
            along: Axis along which one row of the table is shown; empty for the whole table.
            items: The place's item on each axis; None for no item.
        """
        return cls(table, along=along).at(**items)

    @property
    def plain(self) -> "Place":
        """The same place without comparison."""
        return replace(self, comparison=None)
