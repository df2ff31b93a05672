"""The catalogue of one results file, and its tables with the built-in list of them."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sing_compute.allocator import give_memory_back
from sing_compute.errors import SingError
from sing_compute.store import Column, Store, Table, catalogue, open_table
from sing_compute.store.columns import Values, text_column
from sing_compute.store.definition import Axis, TableSpec
from sing_compute.store.place import Key, Place
from sing_compute.store.read import located
from sing_compute.store.table_building import row_positions
from sing_tui.counting import Counts, count
from sing_tui.distributions import with_distributions
from sing_tui.search import DISTRIBUTION
from sing_tui.session.catalog import CONTENTS_AXIS, CONTENTS_SPEC
from sing_tui.session.counted import COUNTS, COUNTS_AXIS, COUNTS_SPEC, Counted
from sing_tui.session.state import CONTENTS
from sing_tui.view import column_named

_KEPT_COUNTS = 3
_BUILT_IN = {CONTENTS: (CONTENTS_SPEC, CONTENTS_AXIS), COUNTS: (COUNTS_SPEC, COUNTS_AXIS)}
_SAME_EVERYWHERE = ("label", "code", "text", "mark", "count", "index", "bound")
"""Roles of columns that say nothing when items are compared: names, and numbers that hardly differ."""


class StoreCatalog:
    """An open file as the session asks it (`session.catalog.Catalog`)."""

    def __init__(self, store: Store, photographs: Path | None = None) -> None:
        """Ask an open file.

        Args:
            store: The results file.
            photographs: The user's folder of photographs on this machine.
        """
        self.store, self._photographs = store, photographs
        self._counts: dict[Counted, Counts] = {}
        """The counts of the last places of counts: Enter and Esc ask for them between two keys."""
        self._of_groups: dict[str, Table] = {}
        """Tables with one row for each item of a group: few rows, read from many small datasets, so they are kept."""

    @property
    def files(self) -> Sequence[str]:
        """Name of the file."""
        return (self.store.path.stem,)

    def title(self, place: Place) -> str:
        """Name of what a place is of, for the line at the top."""
        return self.store.path.name

    def close(self) -> None:
        """Release the file."""
        self.store.close()

    def words(self, text: str) -> str:
        """A text of the explorer about images, said of what the file calls them."""
        return self.store.noun.words(text)

    @cached_property
    def has_photographs(self) -> bool:
        """True if the images may be files: the file is of images, and it or the user says where they are."""
        return self.store.noun.is_image and (
            self._photographs is not None or self.store.attributes("images").get("root") != ""
        )

    @cached_property
    def _tables(self) -> tuple[TableSpec, ...]:
        return catalogue.tables(self.store)

    def tables(self) -> Sequence[TableSpec]:
        """Tables that the file holds."""
        return self._tables

    def table(self, name: str) -> TableSpec:
        """A declared table, the list of tables, or that of counts."""
        return _BUILT_IN[name][0] if name in _BUILT_IN else catalogue.table(name)

    def axis(self, name: str) -> Axis:
        """A declared axis."""
        return _BUILT_IN[name][1] if name in _BUILT_IN else catalogue.axis(name)

    def items(self, axis: str, place: Place | None) -> Sequence[str]:
        """Names of all items of an axis."""
        if axis == CONTENTS:
            return [spec.name for spec in self._roots]
        return self.store.items(axis, place)

    def count(self, axis: str, place: Place | None) -> int:
        """Number of all items of an axis."""
        return len(self._roots) if axis == CONTENTS else self.store.count(axis, place)

    def label(self, axis: str, key: Key, place: Place | None) -> str:
        """Name of one item; '-' where the file does not have it."""
        return self.store.label(axis, key, place)

    def find(self, axis: str, text: str, place: Place | None) -> Key:
        """Key of the item with this name, code or position."""
        return self.store.find(axis, text, place)

    def rows(self, place: Place) -> Sequence[int]:
        """Positions of the rows of a table on their axis."""
        if isinstance(place, Counted):
            return range(self._counted(place).table.length)
        return range(len(self._roots)) if place.table == CONTENTS else row_positions(self.store, place)

    def is_mapped(self, spec: TableSpec) -> bool:
        """Return True if a map can show figures of a table."""
        from sing_compute.charts.maps import mapped_columns

        return bool(mapped_columns(spec))

    def condition(self, place: Counted, row: int) -> str:
        """Filter that keeps exactly the rows behind one count."""
        return self._counted(place).condition(row)

    def _counted(self, place: Counted) -> Counts:
        if place not in self._counts:
            base = self.open(place.base)
            found = count(base, place.filter, place.by)
            found = replace(found, table=replace(found.table, note=base.note))
            self._counts = {**dict(list(self._counts.items())[1 - _KEPT_COUNTS :]), place: found}
        return self._counts[place]

    def forget(self, place: Place) -> None:
        """Let go of the counts of a table that was left: a million rows are counted again in less time than a key may take."""
        if place in self._counts:
            self._counts = {known: counts for known, counts in self._counts.items() if known != place}
            give_memory_back()

    def measures(self, place: Place) -> Sequence[str]:
        """Names of the columns of a table that can be compared."""
        return [column.name for column in self.open(place).columns if is_measure(column)]

    def column(self, place: Place, name: str) -> str:
        """Name of the column with this name or title, to compare items by.

        Raises:
            SingError: There is none, or its cells are distributions.
        """
        column = column_named(self.open(place), name)
        if column.format == DISTRIBUTION:
            raise SingError(f"{column.title}: distributions are not compared; compare by a column of numbers")
        return column.name

    def open(self, place: Place) -> Table:
        """Open the table at a place; no column of many rows is read before it is asked for.

        Raises:
            StoreError: The file does not hold it.
        """
        if place.table == CONTENTS:
            return self._contents()
        if isinstance(place, Counted):
            return self._counted(place).table
        if place != Place(place.table) or not catalogue.axis(catalogue.table(place.table).rows).group:
            return with_distributions(self.store, place, open_table(self.store, place))
        if place.table not in self._of_groups:
            self._of_groups[place.table] = with_distributions(self.store, place, open_table(self.store, place))
        return self._of_groups[place.table]

    def row_names(self, place: Place, identities: Sequence[int]) -> list[str]:
        """Names of some rows of a table; empty for those that it does not have."""
        try:
            table = self.open(place)
        except SingError:
            return [""] * len(identities)
        wanted = np.asarray(identities, np.int64)
        ids = np.arange(table.length) if table.ids is None else np.asarray(table.ids)
        order = np.argsort(ids, kind="stable")
        at = np.searchsorted(ids, wanted, sorter=order).clip(max=max(0, table.length - 1))
        known = np.zeros(len(wanted), bool) if not table.length else ids[order[at]] == wanted
        names = np.full(len(wanted), "", object)
        if known.any():
            names[known] = self._names_of(place, table, order[at[known]])
        return [str(name) for name in names]

    def rows_named(self, place: Place, names: Sequence[str]) -> list[int | None]:
        """Identities of the rows of these names; None where no row, or more than one, has the name."""
        try:
            table = self.open(place)
        except SingError:
            return [None] * len(names)
        found: dict[str, int | None] = {}
        wanted = set(names)
        for row, name in enumerate(self._names_of(place, table, np.arange(table.length))):
            if name in wanted:
                found[name] = None if name in found else row if table.ids is None else int(table.ids[row])
        return [found.get(name) for name in names]

    def _names_of(self, place: Place, table: Table, rows: NDArray[np.int64]) -> list[str]:
        """Names of rows of an open table; those of counts are the filters that keep what they count."""
        if isinstance(place, Counted):
            return [self.condition(place, int(row)) for row in rows]
        label = next((column for column in table.columns if column.name == table.spec.label), table.columns[0])
        return [str(name) for name in label.values.take(rows)]

    def neighbours(self, place: Place) -> list[tuple[str, str]]:
        """Title and path of each dataset that names, for every row of a table, other rows that are near to it."""
        spec = self.table(place.table)
        fields = () if place.table == CONTENTS else catalogue.analysis_of(place.table).fields
        near = [field for field in fields if field.of == spec.rows and field.axes[:1] == (spec.rows,)]
        return [(self.words(field.description), located(field.path, place)) for field in near if len(field.axes) == 2]

    @property
    def _roots(self) -> list[TableSpec]:
        return [spec for spec in self._tables if not spec.within]

    def _contents(self) -> Table:
        roots = self._roots
        cells = {
            "table": np.array([spec.name for spec in roots], np.str_),
            "analysis": np.array([self.words(catalogue.analysis_of(spec.name).title) for spec in roots], np.str_),
        }
        known = {column.name: column for column in CONTENTS_SPEC.columns}
        columns = [
            text_column(name, known[name].title, known[name].description, cells[name], role=known[name].role)
            for name in ("table", "analysis")
        ]
        rows = known["rows"]
        counts = Values(np.array([self.store.count(spec.rows) for spec in roots], np.int64))
        columns.append(
            Column("rows", rows.title, "count", rows.description, counts, format=rows.format, role=rows.role)
        )
        return Table(CONTENTS_SPEC, columns, len(roots), None, {}, CONTENTS)


def is_measure(column: Column) -> bool:
    """Return True if the numbers of a column can be compared between items."""
    return not column.is_text and column.role not in _SAME_EVERYWHERE
