"""Distribution cells: in each row a histogram of twelve bins, the same bins in all rows of a column. No Textual.

The cells of such a column are text, `0|12|340|... in 0 to 36`: the counts of the bins from left to right, and their scale. That
is what exports and copies hold, so rows of several models can be put into one file. The screen draws them as a strip of signs.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sing_compute.errors import SingError
from sing_compute.formats import Glyphs
from sing_compute.store import Column, Store, Table, catalogue
from sing_compute.store.columns import Loaded, Values
from sing_compute.store.definition import Column as Declared
from sing_compute.store.definition import Distribution, Explanation, TableSpec
from sing_compute.store.place import Place
from sing_compute.store.read import located
from sing_compute.store.sorting import quantile
from sing_compute.store.stored import Stored
from sing_tui.search import DISTRIBUTION

BINS = 12
_PIECE = 2**18
_SAMPLED = 64
"""Items at least whose values give a scale where no percentiles do: a scale must be known before all are read."""
_FAR = 0.01
"""Share of rows that may lie beyond an end of a scale."""
_STEPS = (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)
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


@dataclass(frozen=True, slots=True)
class _Values:
    """The values of some rows: entries edges[k] to edges[k + 1] of a dataset belong to row `first` + k."""

    stored: Stored
    edges: NDArray[np.integer[Any]]
    first: int = 0
    percentiles: Stored | None = None


def with_distributions(store: Store, place: Place, table: Table) -> Table:
    """Return the table with its declared columns of distributions; a table of some of the rows has none.

    Args:
        store: The results file.
        place: The place of the table.
        table: The open table. None of the cells of the new columns is read before it is asked for.
    """
    whole = Place(place.table, tuple((axis, item) for axis, item in place.keys if axis in table.spec.within))
    if not table.length or place != whole:
        return table
    columns = list(table.columns)
    with suppress(SingError), np.errstate(all="ignore"):  # of a damaged file: it is said where its numbers are wanted
        for declared in table.spec.distributions:
            values = _values(store, place, table.spec, declared)
            if values:
                at = next((k for k, column in enumerate(columns) if column.name == declared.before), len(columns))
                columns.insert(at, _column(store, declared, table, values))
    return replace(table, columns=columns)


def _values(store: Store, place: Place, spec: TableSpec, declared: Distribution) -> list[_Values]:
    """Return the values of all rows that have some; none where the file lacks them, or percentiles of them."""
    if f"{{{spec.rows}}}" in declared.field:
        places = [place.at(**{spec.rows: item}) for item in store.members(spec.rows)]
    else:
        places = [place]
    axis = catalogue.FIELDS[declared.field].axes[0]
    paths = [path for path in (declared.field, declared.percentiles) if path]
    found = []
    for row, each in enumerate(places):
        if all(located(path, each) in store for path in paths):
            stored, *percentiles = (store.dataset(located(path, each)) for path in paths)
            if each is not place:
                edges = np.array([0, len(stored)])
            elif axis == spec.rows:
                edges = np.arange(len(stored) + 1)
            else:
                edges = store.runs(axis, each)
            found.append(_Values(stored, edges, row, *percentiles))
    return found


def _column(store: Store, declared: Distribution, table: Table, values: Sequence[_Values]) -> Column:
    curves = [each.percentiles for each in values if each.percentiles is not None]
    scale = _scale_of_percentiles(curves) if curves else _scale_of_sample(values)
    rows = max(table.length, *(each.first + len(each.edges) - 1 for each in values))

    def count() -> NDArray[Any]:
        counts = np.zeros((rows, BINS), np.int64)
        for each in values:
            _count(each, counts[each.first :], scale)
        return as_text(counts[: table.length] if table.ids is None else counts[table.ids], scale)

    text, width = store.noun.words(declared.description), f"{(scale[1] - scale[0]) / BINS:g}"
    degrees = " degrees" if catalogue.FIELDS[declared.field].unit == "degree" else ""
    said = f"{_said(scale)}{degrees}"
    words = Explanation(
        formula=f"counts of {text}, from left to right: {said} in {BINS} bins of {width}, the same in all rows; "
        "the end bins hold also what lies beyond",
        meaning="Shows if a row's mean or median comes from a few or from all of them. The largest count is drawn highest.",
        caution="Heights are not comparable between rows: each strip is drawn over its own largest count.",
        source="counted by the explorer; exports hold the counts",
    )
    title = f"{declared.title} {_said(scale)}"
    spec = Declared(declared.name, title, "text", explanation=words, role="text")
    cells = Values(Loaded(table.length, count, sum(int(np.prod(each.stored.shape)) for each in values)))
    return Column(
        declared.name, title, "text", f"{text}: counts from {said}", cells, format=DISTRIBUTION, role="text", spec=spec
    )  # fmt: skip


def _count(values: _Values, counts: NDArray[np.int64], scale: Scale) -> None:
    """Add the values of rows to their counts, (row, bin), a piece of the dataset at a time."""
    stored, edges = values.stored, values.edges
    rows, width = len(edges) - 1, int(np.prod(stored.shape[1:]))
    step = max(1, _PIECE // max(1, width))
    for low in range(0, len(stored), step):
        piece = np.asarray(stored[low : low + step])
        inside = np.clip(edges, low, low + len(piece)).astype(np.int64)
        owners = np.repeat(np.arange(rows), (inside[1:] - inside[:-1]) * width)
        counts[:rows] += count_rows(piece.ravel(), owners, rows, scale)


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
    """Return the edges between bins, multiples of their width: a number that is one of them belongs to the bin above it."""
    width = (scale[1] - scale[0]) / BINS
    first = round(scale[0] / width)
    return np.array([float(f"{(first + k) * width:.12g}") for k in range(1, BINS)], dtype=dtype)


def as_text(counts: NDArray[np.int64], scale: Scale) -> NDArray[Any]:
    """Write counts, (row, bin), as the cells of a column."""
    return np.array([f"{'|'.join(map(str, row))} in {_said(scale)}" for row in counts.tolist()], dtype=object)


def _said(scale: Scale) -> str:
    return f"{scale[0]:g} to {scale[1]:g}"


def _scale_of_percentiles(curves: Sequence[Stored]) -> Scale:
    """Return a scale that holds nine tenths of the values of nearly every row."""
    ends = np.concatenate([np.asarray(curve[()][:, [1, -2]], dtype=np.float64) for curve in curves])
    ends = ends[np.isfinite(ends).all(axis=1)]
    return _scale(np.sort(ends[:, 0]), np.sort(ends[:, 1]))


def _scale_of_sample(values: Sequence[_Values]) -> Scale:
    """Return a scale that holds nearly all values; 0 is in its middle where some are negative."""
    parts = []
    for stored in (each.stored for each in values):
        wanted = max(_SAMPLED, _PIECE // 4 // max(1, int(np.prod(stored.shape[1:]))))
        parts.append(np.asarray(stored[:: max(1, stored.shape[0] // wanted)], dtype=np.float64).ravel())
    sample = np.concatenate(parts)
    sample = np.sort(sample[np.isfinite(sample)])
    if not len(sample) or sample[0] >= 0:
        return _scale(sample, sample)
    half = _width(2 * quantile(np.sort(np.abs(sample)), 1 - _FAR)) * BINS / 2
    return -half, half


def _scale(lows: NDArray[np.float64], highs: NDArray[np.float64]) -> Scale:
    """Return a round scale that holds nearly all lower and upper ends, both ascending; from 0 where that is near."""
    if not len(lows):
        return 0.0, float(BINS)
    low, high = quantile(lows, _FAR), quantile(highs, 1 - _FAR)
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
