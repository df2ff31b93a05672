"""Distribution cells: in each row a histogram of twelve bins, the same bins in all rows of a column. No Textual.

The cells of such a column are text, `0|12|340|... in 0 to 36`: the counts of the bins from left to right, and their scale. That
is what exports and copies hold, so rows of several models can be put into one file. The screen draws them as a strip of signs.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sing_compute.errors import SingError
from sing_compute.formats import Glyphs
from sing_compute.store import Column, Store, Table
from sing_compute.store.columns import Loaded, Values
from sing_compute.store.definition import Column as Declared
from sing_compute.store.definition import Explanation
from sing_compute.store.place import Place
from sing_compute.store.read import located
from sing_compute.store.sorting import quantile
from sing_tui.search import DISTRIBUTION

BINS = 12
_PIECE = 2**18
_SAMPLED = 64
"""Classes whose concept shifts give the scale: a scale must be known before all are read."""
_FAR = 0.01
"""Share of classes that may lie beyond an end of the scale of images."""
_STEPS = (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)
_IMAGE_SCORE, _SHIFT = "models/{model}/images/image_score", "models/{model}/concepts/attribute_score"
_IMAGE_CURVE = "models/{model}/classes/image_score_curve"
Scale = tuple[float, float]


def strip(counts: str, glyphs: Glyphs) -> str:
    """Draw the counts of a distribution as one sign each; the largest count has the highest sign, any row at least the lowest.

    Args:
        counts: The cell.
        glyphs: The signs of the screen.
    """
    numbers = [int(count) for count in counts.partition(" ")[0].split("|") if count.isdecimal()]
    if not numbers or not max(numbers):
        return "-"
    steps = len(glyphs.density) - 1
    return "".join(glyphs.density[-(-number * steps // max(numbers))] for number in numbers)


def with_distributions(store: Store, place: Place, table: Table) -> Table:
    """Return the table with columns of distributions, where the rows have some: of models, and of the classes of a model.

    Args:
        store: The results file.
        place: The place of the table.
        table: The open table. None of the cells of the new columns is read before it is asked for.
    """
    found: list[Column] = []
    with suppress(SingError), np.errstate(all="ignore"):  # of a damaged file: it is said where its numbers are wanted
        if place == Place("models"):
            found = _of_models(store, table)
        elif place.table == "classes" and place == Place.of("classes", model=place.name("model")):
            found = [*_of_class_images(store, place, table), *_of_class_shifts(store, place, table)]
    if not found or not table.length:
        return table
    at = next((k for k, column in enumerate(table.columns) if column.name in ("place", "ratio")), len(table.columns))
    return replace(table, columns=[*table.columns[:at], *found, *table.columns[at:]])


def _of_models(store: Store, table: Table) -> list[Column]:
    names = [name for name in store.models if _holds(store, Place.of("images", model=name), _IMAGE_SCORE, _IMAGE_CURVE)]
    if not names or [*store.models] != table.columns[0].values.all().tolist():
        return []
    places = {store.models.index(name): Place.of("images", model=name) for name in names}
    scale = _scale_of_curves([_array(store, _IMAGE_CURVE, place) for place in places.values()])

    def count() -> NDArray[Any]:
        counts = np.zeros((table.length, BINS), np.int64)
        for row, place in places.items():
            for values in _pieces(store, place):
                counts[row] += count_rows(values, np.zeros(len(values), np.int8), 1, scale)[0]
        return as_text(counts, scale)

    reads = sum(store.count("image", each) for each in places.values())
    text = store.noun.words("IS of all images of the model")
    return [_column("image_score_distribution", "IS", scale, text, Loaded(table.length, count, reads))]


def _of_class_images(store: Store, place: Place, table: Table) -> list[Column]:
    if not _holds(store, place, _IMAGE_SCORE, _IMAGE_CURVE):
        return []
    scale = _scale_of_curves([_array(store, _IMAGE_CURVE, place)])

    def count() -> NDArray[Any]:
        edges = np.asarray(store.runs("image", place))
        counts, low = np.zeros((len(edges) - 1, BINS), np.int64), 0
        for values in _pieces(store, place):
            inside = np.clip(edges, low, low + len(values)).astype(np.int64)
            owners = np.repeat(np.arange(len(counts)), inside[1:] - inside[:-1])
            counts += count_rows(values, owners, len(counts), scale)
            low += len(values)
        return as_text(counts[_positions(table)], scale)

    text = store.noun.words("IS of the images of the class")
    found = Loaded(table.length, count, store.count("image", place))
    return [_column("image_score_distribution", "IS", scale, text, found)]


def _of_class_shifts(store: Store, place: Place, table: Table) -> list[Column]:
    if not _holds(store, place, _SHIFT):
        return []
    stored = store.dataset(located(_SHIFT, place))
    sample = np.asarray(stored[:: max(1, stored.shape[0] // _SAMPLED)], dtype=np.float64)
    sample = np.sort(np.abs(sample[np.isfinite(sample)]))
    most = quantile(sample, 0.99) if len(sample) else 0.0
    width = _width(2 * most)
    scale = (-width * BINS / 2, width * BINS / 2)

    def count() -> NDArray[Any]:
        values = np.asarray(stored[()])
        owners = np.repeat(np.arange(len(values)), values.shape[1])
        return as_text(count_rows(values.ravel(), owners, len(values), scale)[_positions(table)], scale)

    text = store.noun.words("AS of the class, one for each concept")
    found = Loaded(table.length, count, int(np.prod(stored.shape)))
    return [_column("attribute_score_distribution", "AS", scale, text, found)]


def count_rows(values: NDArray[Any], owners: NDArray[np.integer[Any]], rows: int, scale: Scale) -> NDArray[np.int64]:
    """Count numbers in the bins of a scale; the first and the last bin hold also what lies beyond them.

    Args:
        values: Numbers, (number,); missing ones are not counted.
        owners: The row that each number belongs to, (number,).
        rows: Number of rows.
        scale: Lower end of the first bin and upper end of the last one.

    Returns:
        Counts, (row, bin).
    """
    inner = _inner_edges(scale, values.dtype)
    known = ~np.isnan(values)
    if not known.all():
        values, owners = values[known], owners[known]
    bins = np.zeros(len(values), np.int8)
    for edge in inner:  # a tenth of the time of a search for every number
        bins += values >= edge
    if rows == 1:
        return np.bincount(bins, minlength=BINS)[None]
    return np.bincount(owners * BINS + bins, minlength=rows * BINS).reshape(rows, BINS)


def _inner_edges(scale: Scale, dtype: np.dtype[Any]) -> NDArray[Any]:
    return np.linspace(*scale, BINS + 1)[1:-1].astype(dtype)


def as_text(counts: NDArray[np.int64], scale: Scale) -> NDArray[Any]:
    """Write counts, (row, bin), as the cells of a column."""
    return np.array([f"{'|'.join(map(str, row))} in {_said(scale)}" for row in counts.tolist()], dtype=object)


def _said(scale: Scale) -> str:
    return f"{scale[0]:g} to {scale[1]:g}"


def _scale_of_curves(curves: Sequence[NDArray[Any]]) -> Scale:
    """Return a scale that holds nine tenths of the images of nearly every class of every model, from 0 where that is near."""
    ends = np.concatenate([np.asarray(curve[:, [1, -2]], dtype=np.float64) for curve in curves])
    ends = ends[np.isfinite(ends).all(axis=1)]
    if not len(ends):
        return 0.0, float(BINS)
    low, high = quantile(np.sort(ends[:, 0]), _FAR), quantile(np.sort(ends[:, 1]), 1 - _FAR)
    low = 0.0 if 0 <= low < high / 3 else low
    width = _width(high - low)
    first = np.floor(low / width) * width
    while first + BINS * width < high:
        width = _width(BINS * width * 1.01)
        first = np.floor(low / width) * width
    return float(first), float(first + BINS * width)


def _width(span: float) -> float:
    """Return a round width of which twelve hold a span."""
    least = span / BINS
    if not least > 0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(least))
    return float(next(step * power for step in _STEPS if step * power >= least * (1 - 1e-9)))


def _column(name: str, title: str, scale: Scale, what: str, cells: Loaded) -> Column:
    width = f"{(scale[1] - scale[0]) / BINS:g}"
    said = f"{_said(scale)} degrees in {BINS} bins of {width}, the same in all rows"
    words = Explanation(
        formula=f"counts of {what}, from left to right: {said}; the end bins hold also what lies beyond",
        meaning="Shows if a row's mean or median comes from a few or from all of them. The largest count is drawn highest.",
        caution="Heights are not comparable between rows: each strip is drawn over its own largest count.",
        source="counted by the explorer; exports hold the counts",
    )
    declared = Declared(name, f"{title} {_said(scale)}", "text", explanation=words, role="text")
    return Column(
        name, declared.title, "text", f"{what}: counts from {said}", Values(cells), format=DISTRIBUTION, role="text",
        spec=declared,
    )  # fmt: skip


def _holds(store: Store, place: Place, *paths: str) -> bool:
    return all(located(path, place) in store for path in paths)


def _array(store: Store, path: str, place: Place) -> NDArray[Any]:
    return np.asarray(store.dataset(located(path, place))[()])


def _pieces(store: Store, place: Place) -> Iterator[NDArray[Any]]:
    stored = store.dataset(located(_IMAGE_SCORE, place))
    for low in range(0, len(stored), _PIECE):
        yield np.asarray(stored[low : low + _PIECE])


def _positions(table: Table) -> Any:
    return slice(None) if table.ids is None else table.ids
