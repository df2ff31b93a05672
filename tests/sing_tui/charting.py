"""Making charts in tests, and reading numbers back from what is drawn."""

import re
from collections.abc import Callable
from typing import Any

from sing_compute.charts.registry import Chart, chart, titles
from sing_compute.errors import SingError
from sing_compute.formats import ASCII, Glyphs
from sing_compute.store import Place, Store, catalogue
from sing_tui.charts.drawing import draw

Plant = Callable[..., Store]

MODELS = Place("models")
NAMES = [name for _, name, _ in titles(catalogue.table("models"))]


def classes(model: str) -> Place:
    return Place.of("classes", model=model)


def concepts(model: str, index: int) -> Place:
    return Place.of("concepts", model=model, **{"class": index})


def images(model: str, index: int | None = None) -> Place:
    return Place.of("images", model=model, **{"class": index})


def made(store: Store, name: str, place: Place = MODELS, identity: int | None = 0, glyphs: Glyphs = ASCII) -> Chart:
    return chart(store, place, name, identity=identity, glyphs=glyphs)


def attempted(store: Store, name: str, place: Place, identity: int) -> Chart | None:
    try:
        return made(store, name, place, identity)
    except SingError:
        return None


def lines_of(shape: Any, width: int, height: int, glyphs: Glyphs = ASCII) -> list[str]:
    return [line.plain for line in draw(shape, width, height, glyphs)]


def cells(found: Chart, name: str) -> list[Any]:
    return found.table.column(name).values.all().tolist()


def heights(lines: list[str]) -> Callable[[int], float]:
    """The value at a line of a plot, by the numbers at its left axis."""
    read = [(y, float(match[1])) for y, line in enumerate(lines) if (match := re.match(r" *([-\d.e]+)\+[^-]*", line))]
    (y0, v0), (y1, v1) = read[0], read[-1]
    return lambda y: v0 + (v1 - v0) * (y - y0) / (y1 - y0)
