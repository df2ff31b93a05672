"""Reading for the map in threads: the map itself, and the stored figures of one pair of items. No Textual."""

from dataclasses import dataclass, replace

import numpy as np

from sing_compute.charts.maps import ValueMap, read_map, stored_columns
from sing_compute.formats import Glyphs, number_format
from sing_compute.store import Column, Store, Table, open_table
from sing_compute.store.place import Place
from sing_tui.maps.view import MapStart
from sing_tui.search import Stop

_NO_FIGURES = ("label", "code", "text", "mark", "index", "bound")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class MapRead:
    """A map that was read, and the names of all figures that can be mapped there."""

    shown: ValueMap
    names: tuple[str, ...]


def read(store: Store, place: Place, name: str, stop: Stop) -> MapRead:
    """Read one map; `name` is that of its figure, empty for the first.

    Raises:
        SingError: The file does not hold it.
    """
    return MapRead(read_map(store, place, name), tuple(column.name for column in stored_columns(store, place)))


def read_figures(store: Store, place: Place, pair: MapStart, glyphs: Glyphs, stop: Stop) -> str:
    """Write the figures that a file holds of one pair: the interval of the mapped one, then those without unit (z, q).

    Args:
        store: The results file.
        place: Place of the map.
        pair: The pair, and the figure that is mapped. (No map: a thread that waits would hold its values.)
        glyphs: The signs of the screen.
        stop: Returns True once the request is superseded.
    """
    table = open_table(store, replace(place, along="").at(**{place.along: pair.row}))
    lines = range(table.length) if table.ids is None else table.ids.tolist()
    if pair.column is None or pair.column not in lines:
        return ""
    line = lines.index(pair.column)
    figures = [known for known in table.columns if not known.is_text and known.role not in _NO_FIGURES]
    figures.sort(key=lambda known: known.unit != "1")
    mapped = [known for known in figures if known.name == pair.figure]
    parts = [f"95 % interval {text}" for known in mapped if (text := _interval(table, known, line, glyphs))]
    parts += [_written(table, known, line, glyphs) for known in figures if known not in mapped and not stop()]
    return f" {glyphs.dot} ".join(parts)


def _cell(column: Column, line: int) -> float:
    return float(column.values.take(np.array([line]))[0])


def _interval(table: Table, column: Column, line: int, glyphs: Glyphs) -> str:
    """Write the ends of a column's interval; empty where there is none."""
    if column.interval is None:
        return ""
    write = number_format(column, glyphs).write
    low, high = (write(_cell(table.column(name), line)) for name in column.interval)
    return "" if "-" in (low, high) else f"{low} to {high}"


def _written(table: Table, column: Column, line: int, glyphs: Glyphs) -> str:
    form = number_format(column, glyphs)
    text, interval = form.write(_cell(column, line)), _interval(table, column, line, glyphs)
    text = text if text == "-" else text + form.unit
    return f"{column.title} {text}{f' [{interval}]' if interval else ''}"
