"""A results file as the session asks it, and what follows from the declarations of its tables."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from sing_compute.errors import SingError
from sing_compute.store.definition import Axis, Column, TableSpec
from sing_compute.store.place import Key, Place
from sing_tui.session.counted import Counted
from sing_tui.session.state import CONTENTS, Refused

CONTENTS_AXIS = Axis(CONTENTS, "the first tables of this file")
CONTENTS_SPEC = TableSpec(
    CONTENTS,
    CONTENTS,
    (),
    "table",
    (
        Column("table", "table", "text", "label", description="a table of this file"),
        Column("analysis", "analysis", "text", "text", description="what it belongs to"),
        Column("rows", "rows", "count", "count", unit="count", description="how many rows it has"),
    ),
)
"""The list of the tables without keys, where a file has several of them. Every catalog has it; the file does not."""


class Catalog(Protocol):
    """The tables and items of one file."""

    def tables(self) -> Sequence[TableSpec]:
        """Tables that the file holds."""

    def table(self, name: str) -> TableSpec:
        """A declared table, also one that the file does not hold.

        Raises:
            StoreError: No table has this name.
        """

    def axis(self, name: str) -> Axis:
        """A declared axis.

        Raises:
            StoreError: No axis has this name.
        """

    def words(self, text: str) -> str:
        """A text of the explorer about images, said of what the file calls them (`sing_compute.store.noun`)."""

    @property
    def files(self) -> Sequence[str]:
        """Names of the open files: one, or two that can be shown side by side (`session.files`)."""

    @property
    def has_photographs(self) -> bool:
        """True if the images may be files on this machine."""

    def items(self, axis: str, place: Place | None) -> Sequence[str]:
        """Names of all items of an axis, in the order of the file; `place` names the items that the axis depends on."""

    def count(self, axis: str, place: Place | None) -> int:
        """Number of all items of an axis."""

    def label(self, axis: str, key: Key, place: Place | None) -> str:
        """Name of one item; '-' where the file does not have it."""

    def find(self, axis: str, text: str, place: Place | None) -> Key:
        """Key of the item with this name (without regard to case), code or position.

        Raises:
            StoreError: The file has no such item.
        """

    def rows(self, place: Place) -> Sequence[int]:
        """Positions, on the axis of its rows, of the rows that a table holds, in the order of the file."""

    def measures(self, place: Place) -> Sequence[str]:
        """Names of the columns of a table that can be compared: numbers that differ from item to item."""

    def column(self, place: Place, name: str) -> str:
        """Name of the column with this name or title.

        Raises:
            SingError: The table has no such column.
        """

    def is_mapped(self, spec: TableSpec) -> bool:
        """Return True if a table has figures of every pair of two items: its rows, and the axis that they are shown along."""

    def condition(self, place: Counted, row: int) -> str:
        """Filter that keeps exactly the rows behind one count; `row` is its position among all counts of the place."""


def row_axis(place: Place, catalog: Catalog) -> str:
    """Axis of the rows of the table at a place."""
    return place.along or catalog.table(place.table).rows


def is_group(catalog: Catalog, axis: str) -> bool:
    """Return True if the items of an axis are the members of a group of the file, whose keys are names."""
    return bool(catalog.axis(axis).group)


def key_of(catalog: Catalog, axis: str, position: int, place: Place | None = None) -> Key:
    """Key of the item at a position of an axis: its name on a group axis, else the position."""
    return catalog.items(axis, place)[position] if is_group(catalog, axis) else position


def position_of(catalog: Catalog, axis: str, key: Key | None, place: Place | None = None) -> int | None:
    """Position of an item on its axis; None where there is no item or the file does not have it."""
    if key is None or isinstance(key, int):
        return key
    names = list(catalog.items(axis, place))
    return names.index(key) if key in names else None


def opened(catalog: Catalog, spec: TableSpec) -> list[TableSpec]:
    """The tables that the rows of a table lead to, as far as they are declared."""
    found = []
    for name in spec.opens:
        try:
            found.append(catalog.table(name))
        except SingError:
            continue
    return found


def deeper(catalog: Catalog, spec: TableSpec) -> list[TableSpec]:
    """The tables about one row of a table."""
    return [table for table in opened(catalog, spec) if spec.rows in (*table.within, *table.options)]


def siblings(catalog: Catalog, spec: TableSpec) -> list[TableSpec]:
    """Other tables about what a table is about: they replace it in place."""
    return [table for table in opened(catalog, spec) if spec.rows not in (*table.within, *table.options)]


def reaches(catalog: Catalog, start: TableSpec, name: str) -> bool:
    """Return True if tables lead from one table, row by row, to the table of that name."""
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        spec = waiting.pop()
        for table in deeper(catalog, spec):
            if table.name == name:
                return True
            if table.name not in seen:
                seen.add(table.name)
                waiting.append(table)
    return False


def table_of(catalog: Catalog, axis: str) -> TableSpec | None:
    """The table whose rows are the items of an axis; None if the file has none."""
    return next((spec for spec in catalog.tables() if spec.rows == axis), None)


def table_name(catalog: Catalog, axis: str) -> str:
    """Name of the table of the items of an axis, as options have it; the axis' own plural where there is none."""
    spec = table_of(catalog, axis)
    return f"{axis}s" if spec is None else spec.name


def plural(catalog: Catalog, axis: str) -> str:
    """Word for several items of an axis: what the file calls them, or the name of their table where there is one."""
    return catalog.words(table_name(catalog, axis))


def article(word: str) -> str:
    """The word behind its indefinite article."""
    return f"{'an' if word[:1] in 'aeiou' else 'a'} {word}"


def place_of(catalog: Catalog, spec: TableSpec, keys: Mapping[str, Key | None]) -> Place:
    """The place of a table, from the keys that belong to it among others.

    Raises:
        Refused: The keys name no item on an axis that the table needs.
    """
    for axis in spec.within:
        if keys.get(axis) is None:
            one = catalog.words(axis)
            raise Refused(f"{catalog.words(spec.name)} are shown for one {one}: go back and open {article(one)}")
    kept = (*spec.within, *spec.options)
    return Place(spec.name).at(**{axis: key for axis, key in keys.items() if axis in kept})


def with_defaults(
    catalog: Catalog, axes: Iterable[str], keys: Mapping[str, Key | None], place: Place | None
) -> dict[str, Key | None]:
    """The keys and, on group axes among `axes` that they leave out, the first item of the file."""
    found = dict(keys)
    for axis in axes:
        if found.get(axis) is None and is_group(catalog, axis):
            names = catalog.items(axis, place)
            found[axis] = names[0] if names else None
    return found


def first_place(catalog: Catalog) -> Place:
    """The only table without keys, or the list of them where the file has several."""
    roots = [spec for spec in catalog.tables() if not spec.within]
    return Place(roots[0].name) if len(roots) == 1 else Place(CONTENTS)


def free_options(catalog: Catalog, spec: TableSpec) -> list[str]:
    """Optional axes of a table whose items are no rows of any table: one of them is always chosen, first the first."""
    return [axis for axis in spec.options if table_of(catalog, axis) is None]
