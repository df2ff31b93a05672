"""The parts of a declaration: what an analysis stores, and which tables people read of it. Data only; imports nothing of ours.

An analysis is a folder that computes and an `Analysis` that says what its numbers are. Reader, writer, `verify`, exports,
DataFrames, documentation and the explorer read the declaration; none of them knows an analysis by name (docs/ARCHITECTURE.md).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

MUST, MAY = "MUST", "MAY"
"""Levels of a field: part of every complete result of its analysis, or there only where its description says so."""

Fixed = tuple[tuple[str, int | str], ...]
"""Axes of a field that a column fixes, each at a position or at the item of that name."""


@dataclass(frozen=True, slots=True)
class Field:
    """One dataset of the format. Its path holds `{axis}` where each item of a group axis has its own dataset."""

    path: str
    dtype: str
    """A numpy name, or `text` (fixed-length UTF-8)."""
    axes: tuple[str, ...]
    unit: str
    """`degree`, `degree^2`, `count`, `index`, `text`, or `1` for plain numbers."""
    level: str
    description: str
    of: str = ""
    """For indices: the axis whose items they point to."""


def fields(text: str) -> tuple[Field, ...]:
    """Read fields from a table: `[group]`, then one dataset a line, an indented line continues the one before.

    A line is `name | dtype | axes | unit | level | description`; `-` for no axes; the unit `index of AXIS` for indices.
    """
    found = []
    group = ""
    for line in text.replace("\n    ", " ").strip().splitlines():
        if line.startswith("["):
            group = line.strip("[]")
        elif line:
            name, dtype, axes, unit, level, description = line.split(" | ", 5)
            unit, _, of = unit.partition(" of ")
            names = tuple(axes.replace("-", "").split())
            found.append(Field(f"{group}/{name}", dtype, names, unit, level, description, of))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis: how long it is and what its items are called.

    One of `field`, `length`, `smaller_of` and `edges_of` says how long it is in datasets; the items of an axis with a `group` are
    that group's members, each with datasets of its own.
    """

    name: str
    meaning: str
    group: str = ""
    """The HDF5 group whose members are the items: `models`. Datasets of the items have `{name}` in their path."""
    field: str = ""
    """The dataset that defines the length; every other dataset with this axis must agree."""
    position: int = 0
    """Which axis of that dataset."""
    length: int = 0
    """A length that the format fixes."""
    smaller_of: tuple[str, ...] = ()
    """Axes of which this one has the smallest length."""
    edges_of: str = ""
    """The axis whose runs these are the edges of: one more than its items."""
    labels: str = ""
    """The text dataset with a name for each item."""
    codes: str = ""
    """Another text dataset by which items are found (WordNet ids); it may be absent."""
    kinds: str = ""
    """A text dataset that says of what kind an item is; it may be absent."""
    parent: str = ""
    """The axis whose items own runs of this one: the images of a class."""
    runs: str = ""
    """The dataset of edges that cuts this axis into those runs."""
    selects: str = ""
    """The axis of which each item of this one is a part: a subset of the images."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """One quantity in words, for a reader who meets it for the first time; several columns may share one."""

    formula: str = ""
    meaning: str = ""
    caution: str = ""
    """What the number does not say."""
    source: str = ""
    """The paper's equation or figure, or the page of docs/ that defines it."""


@dataclass(frozen=True, slots=True)
class Interval:
    """The two ends of a column's 95 % interval, each a column of its own behind it."""

    field: str = ""
    """A dataset whose last axis is `bound`: lower, upper end."""
    at: Fixed = ()
    half: str = ""
    """Instead of `field`: a dataset with half of the width, the value in the middle."""
    over: str = ""
    """Of what resamples were drawn, if not of images: it stands in the columns' names."""
    apart: bool = False
    """Its columns follow behind all others."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table: where its cells come from, how they look, and what they mean.

    Cells come from `field`, or from `derived(*cells of needs)`, or, with neither, from the rows themselves: their names (role
    `label`) or their positions on the axis (role `index`). A column is there only if all datasets in `field` and `needs` are. In
    `needs` a path gives that field's cells, and the name of the rows' axis gives their names.
    """

    name: str
    title: str
    format: str
    """How numbers are written: a name in `NUMBER_FORMATS`; `text` for text."""
    field: str = ""
    explanation: Explanation = Explanation()
    role: str = "value"
    """`label`, `code`, `text`, `mark`, `value`, `share`, `count`, `index`; made by the program: `bound`, `difference`,
    `rank change`."""
    at: Fixed = ()
    derived: Callable[..., Any] | None = None
    needs: tuple[str, ...] = ()
    unit: str = ""
    """Where no field says it."""
    description: str = ""
    """Where the field's own does not fit."""
    intervals: tuple[Interval, ...] = ()
    ranking: str = ""
    """A dataset with the ascending order of all rows by this column."""


NUMBER_FORMATS = (
    "text",
    "path",
    "degrees",
    "signed degrees",
    "count",
    "index",
    "percent",
    "any size",
    "signed",
    "three digits",
    "figure",
    "rank change",
)
"""Every way in which cells may be written; of a `path` that is too long the end stays in sight."""


@dataclass(frozen=True, slots=True)
class TableSpec:
    """One table that people read: an item of `rows` on each line, at a place that the keys in `within` name."""

    name: str
    rows: str
    """Its axis."""
    within: tuple[str, ...]
    """Axes of which a place must name an item."""
    label: str
    """The column that names a row."""
    columns: tuple[Column, ...]
    options: tuple[str, ...] = ()
    """Axes of which a place may name an item: without one, all images are meant (axis `class`), or the first subset."""
    opens: tuple[str, ...] = ()
    """Tables that a row leads to: the first by Enter, the second by `i`."""
    sort: str = ""
    """The column that the table is first sorted by, descending; empty for the order of the file. `+name` sorts ascending."""
    measure: str = ""
    """The column that is compared side by side where the cursor chooses none."""
    naming: tuple[str, ...] = ()
    """Columns that stay when tables are compared side by side; the label is the first."""
    charts: tuple[str, ...] = ()
    """Names of its charts, in the order of the keys 1, 2, ..."""
    nonzero: str = ""
    """A field of counts: rows that count nothing are left out."""
    absent: str = ""
    """What a place has not where this table has no figures, and why."""


@dataclass(frozen=True, slots=True)
class Analysis:
    """What one method stores and shows."""

    name: str
    version: int
    title: str
    subject: str
    """The axis whose items it belongs to (`model`, `tower`), or `file`."""
    fields: tuple[Field, ...] = ()
    axes: tuple[Axis, ...] = ()
    tables: tuple[TableSpec, ...] = ()
    needs: tuple[str, ...] = ()
    """What makes its results invalid when it changes: `images`, `classes`, `concepts`, `clip`, `models`."""
