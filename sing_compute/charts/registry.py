"""The charts of each analysis by name, and drawing one of them for a place in a file.

An analysis registers a function for each name in `TableSpec.charts` of its tables. Those who draw a
chart ask for it by name and know no analysis.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from sing_compute.charts.rooms import load_rooms
from sing_compute.charts.shapes import Shape
from sing_compute.errors import SingError
from sing_compute.formats import UNICODE, Glyphs, fit
from sing_compute.store import Store, Table, catalogue
from sing_compute.store.definition import TableSpec
from sing_compute.store.items import item_at, key_of, row_axis
from sing_compute.store.place import Key, Place

_ROOMS = "sing_compute.charts"
_NAME = 32
"""Cells of a name in a reading at most."""


@dataclass(frozen=True, slots=True, eq=False)
class Chart:
    """One chart of one place in a file."""

    title: str
    reading: str
    """One or two sentences with its most important numbers."""
    shape: Shape
    table: Table
    """The numbers that are drawn, for the export."""


@dataclass(frozen=True, slots=True)
class Subject:
    """The place in a file that a chart is about."""

    store: Store
    place: Place
    """Without comparison."""
    row: Key | None
    """The item of the row under the cursor; None for none."""
    glyphs: Glyphs

    def item(self, axis: str) -> Key | None:
        """Return the item of an axis that the chart is about.

        Args:
            axis: Name of the axis.

        Returns:
            The row's own item, or the one that the place names, or the one that owns the row's; None where there is none.
        """
        return item_at(self.store, self.place, self.row, axis)

    def index(self, axis: str) -> int | None:
        """Return the position of that item on an axis without group; None where there is none."""
        found = self.item(axis)
        return found if isinstance(found, int) else None

    def brief(self, name: object) -> str:
        """Return a name as it is written in a reading, which has to stay short."""
        return fit(self.glyphs.text(name), _NAME, self.glyphs).rstrip()


ChartFunction = Callable[[Subject], Chart]


@dataclass(frozen=True, slots=True)
class _Registered:
    title: str
    function: ChartFunction


_registered: dict[tuple[str, str], _Registered] = {}
"""By the names of analysis and chart."""


def register_chart(analysis: str, name: str, title: str, function: ChartFunction) -> None:
    """Register the function that makes a chart of an analysis.

    Args:
        analysis: Name of the analysis.
        name: Name of the chart, as `TableSpec.charts` of the analysis' tables has it.
        title: Its title in lists of keys.
        function: Makes the chart of a subject. It raises SingError with one line where the file lacks what the chart shows.

    Raises:
        ValueError: No table of the analysis names the chart, so no key would lead to it.
    """
    declared = next((known for known in catalogue.analyses() if known.name == analysis), None)
    if declared is None or not any(name in spec.charts for spec in declared.tables):
        raise ValueError(f"no table of {analysis!r} names the chart {name!r} in its `charts`")
    _registered[analysis, name] = _Registered(title, function)


def unregister_charts(analysis: str) -> None:
    """Forget all charts of an analysis."""
    for key in [key for key in _registered if key[0] == analysis]:
        del _registered[key]


def titles(spec: TableSpec) -> list[tuple[str, str, str]]:
    """List the charts of a table.

    Args:
        spec: The declared table.

    Returns:
        Key, name and title of each chart, in the order of the keys 1, 2, ...
    """
    load_rooms(_ROOMS)
    analysis = catalogue.analysis_of(spec.name).name
    return [
        (str(key), name, _registered[analysis, name].title)
        for key, name in enumerate(spec.charts, start=1)
        if (analysis, name) in _registered
    ]


def chart(store: Store, place: Place, name: str, *, identity: Key | None, glyphs: Glyphs = UNICODE) -> Chart:
    """Make a chart of what is under the cursor.

    Args:
        store: The results file.
        place: The table on the screen. Of a comparison, the chart shows the first item, or nothing in particular where whole
            rows are compared.
        name: Name of the chart.
        identity: Item of the row under the cursor: its name, or its position on the axis of the rows; None for none.
        glyphs: The signs of the screen.

    Returns:
        The chart.

    Raises:
        SingError: There is no such chart or row, or the file lacks what the chart shows.
    """
    spec = catalogue.table(place.table)
    known = [known for _, known, _ in titles(spec)]
    if name not in known:
        raise SingError(f"no chart {name!r}; there are: {', '.join(known) or 'none'}")
    if place.comparison is not None and place.comparison.axis == spec.rows:
        identity = None
    place = place.plain
    row = None if identity is None else key_of(store, row_axis(place), identity, place)
    with np.errstate(all="ignore"):
        found = _registered[catalogue.analysis_of(spec.name).name, name].function(Subject(store, place, row, glyphs))
    words = store.noun.words
    columns = [replace(column, description=words(column.description)) for column in found.table.columns]
    for axis in spec.options:
        item, selects = place.key(axis), catalogue.axis(axis).selects
        if item and selects:
            subset = words(f" All {catalogue.plural(selects)} count, not the ")
            found = replace(found, reading=f"{found.reading}{subset}{store.label(axis, item, place)} ones alone.")
    return replace(found, table=replace(found.table, columns=columns))
