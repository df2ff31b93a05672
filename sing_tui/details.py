"""The details of the row under the cursor: facts with their units, a sentence, and a chart.

An analysis may register a function of its own for a table. Without one, the facts are the row's columns, and the chart is the
first of the table's charts.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

import numpy as np

from sing_compute.charts.registry import Chart, chart, titles
from sing_compute.charts.rooms import load_rooms
from sing_compute.charts.shapes import Bars, Shape
from sing_compute.errors import SingError
from sing_compute.formats import UNICODE, Glyphs, number_format, with_interval
from sing_compute.store import Column, Store, catalogue
from sing_compute.store.items import key_of, row_axis
from sing_compute.store.place import Comparison, Key, Place
from sing_tui.search import DISTRIBUTION
from sing_tui.session.counted import Counted
from sing_tui.view import View

Fact = tuple[str, str]
"""Name and value of one property, both in words."""
_MOST_BARS = 20
_MADE = ("bound", "difference", "rank change")
"""Roles of columns that the program makes from others."""


@dataclass(frozen=True, slots=True, eq=False)
class Detail:
    """The details of one row."""

    title: str
    facts: tuple[Fact, ...] = ()
    reading: str = ""
    """A sentence with what the chart shows."""
    shape: Shape | None = None
    """The chart."""
    strip: Shape | None = None
    """A chart of a few lines above it."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table that is on the screen."""

    store: Store
    place: Place
    view: View
    line: int
    """Line of the view, from 0."""
    glyphs: Glyphs
    columns: Mapping[str, Column] = field(init=False)
    """The table's columns by name."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", {column.name: column for column in self.view.table.columns})

    @property
    def key(self) -> Key:
        """The row's item on its axis: a name on a group axis, else a position."""
        return key_of(self.store, row_axis(self.place), self.view.identity(self.line), self.place)

    @property
    def title(self) -> str:
        """The row's name."""
        columns = self.view.table.columns
        return str(self.cell(next((column for column in columns if column.role == "label"), columns[0])))

    def cell(self, column: Column) -> object:
        """Read the row's cell of a column."""
        return column.values.take(self.view.order[self.line : self.line + 1])[0]

    def number(self, column: Column) -> float:
        """Read the row's number of a column."""
        return float(self.cell(column))  # type: ignore[arg-type]

    def ends(self, low: str, high: str) -> tuple[float, float]:
        """Read the ends of an interval from the columns of these names; NaN where the table lacks one."""
        if not {low, high} <= self.columns.keys():
            return np.nan, np.nan
        return self.number(self.columns[low]), self.number(self.columns[high])

    def fact(self, column: Column) -> Fact:
        """Say one cell in words, with its unit and its interval."""
        if column.role == "mark":
            known = any(map(str.isalnum, column.title))
            return column.title if known else column.name, "yes" if self.cell(column) else "no"
        if column.is_text:
            return column.title, str(self.cell(column))
        ends = (np.nan, np.nan) if column.interval is None else self.ends(*column.interval)
        return column.title, with_interval(column, self.number(column), ends, self.glyphs)

    def facts(self, names: Collection[str] | None = None) -> list[Fact]:
        """Say cells of the row in words.

        Args:
            names: Names of columns; those that the table lacks are left out. None for all but the row's name.

        Returns:
            Facts in the order of the columns; ends of intervals are with their values.
        """
        chosen = self.view.table.columns[1:] if names is None else self.view.table.columns
        return [
            self.fact(column)
            for column in chosen
            if column.role != "bound" and column.format != DISTRIBUTION and (names is None or column.name in names)
        ]


DetailsFunction = Callable[[Row], Detail]
_registered: dict[str, DetailsFunction] = {}
"""By the name of the table."""


def register_details(table: str, function: DetailsFunction) -> None:
    """Register the function that makes the details of a table's rows.

    Args:
        table: Name of the declared table. Rows of other tables along its axis have the same details.
        function: Makes the details of a row. It raises SingError with one line where the file is damaged.
    """
    _registered[table] = function


def unregister_details(table: str) -> None:
    """Forget the function of a table, if there is one."""
    _registered.pop(table, None)


def detail_of(store: Store, place: Place, view: View, line: int, glyphs: Glyphs = UNICODE) -> Detail:
    """Make the details of the row on a line of a view.

    Args:
        store: The results file.
        place: The place of the view's table.
        view: The table as it is on the screen.
        line: Line of the view, from 0.
        glyphs: The signs of the screen.

    Returns:
        The details.

    Raises:
        SingError: The file lacks something that its declaration promises.
    """
    load_rooms("sing_tui.analyses")
    row = Row(store, place, view, line, glyphs)
    if place.comparison is not None:
        return _comparison(row, place.comparison)
    if not catalogue.is_table(place.table):  # the list of a file's first tables belongs to no analysis
        return _counts(row) if isinstance(place, Counted) else Detail(row.title, tuple(row.facts()))
    listed = catalogue.table_of_rows(row_axis(place)) if place.along else catalogue.table(place.table)
    function = None if listed is None else _registered.get(listed.name)
    return _plain(row) if function is None else function(row)


def _counts(row: Row) -> Detail:
    """Show every column of a count, and as bars the counts of the first lines of the table."""
    view, by = row.view, row.columns
    lines = view.order[:_MOST_BARS]
    parts = list(by.values())[: list(by).index("count")]
    cells = [number_format(c, row.glyphs).write if not c.is_text else row.glyphs.text for c in parts]
    names = zip(
        *(map(write, c.values.take(lines).tolist()) for c, write in zip(parts, cells, strict=True)), strict=True
    )
    labels = tuple(", ".join(map(str, name)) for name in names)
    counts = tuple(map(float, by["count"].values.take(lines)))
    reading = f"The counts of the first {len(lines)} of {len(view):,} lines, in the order of the table."
    return Detail(row.title, tuple(row.facts()), reading, Bars(labels, counts, "count"))


def _plain(row: Row) -> Detail:
    """Show every column of the row, and the first chart of its table."""
    spec = catalogue.table(row.place.table)
    facts = tuple(row.facts())
    known = titles(spec)
    if not known:
        return Detail(row.title, facts)
    try:
        found: Chart = chart(row.store, row.place, known[0][1], identity=row.key, glyphs=row.glyphs)
    except SingError as error:
        return Detail(row.title, facts, str(error))
    return Detail(row.title, facts, found.reading, found.shape)


def _comparison(row: Row, comparison: Comparison) -> Detail:
    """Show what is compared in one row, as facts and as bars."""
    facts = tuple(row.facts())
    sides = [c for c in row.view.table.columns if c.side is not None and c.role not in _MADE and not c.is_text]
    labels = tuple(row.store.label(comparison.axis, item, row.place) for item in comparison.items)
    values = tuple(row.number(column) for column in sides)
    known = [k for k, value in enumerate(values) if np.isfinite(value)]
    if len(labels) != len(sides) or not known:
        return Detail(row.title, facts)
    if len(known) == 1:
        alone = f"Only {row.glyphs.text(labels[known[0]])} has a value here."
        return Detail(row.title, facts, alone, Bars(labels, values, _bar_format(sides[0])))
    if len({values[k] for k in known}) == 1:
        return Detail(row.title, facts, "All have the same value.", Bars(labels, values, _bar_format(sides[0])))
    least, most = min(known, key=values.__getitem__), max(known, key=values.__getitem__)
    write = number_format(sides[0], row.glyphs).write
    reading = (
        f"Largest in {row.glyphs.text(labels[most])} ({write(values[most])}), smallest in "
        f"{row.glyphs.text(labels[least])} ({write(values[least])}); the others against {row.glyphs.text(labels[0])}."
    )
    return Detail(row.title, facts, reading, Bars(labels, values, _bar_format(sides[0])))


def _bar_format(column: Column) -> str:
    """Return the format of bars: of differences and degrees with a sign, else that of the column."""
    return "signed degrees" if column.format == "degrees" else column.format
