"""Define the parts of a declaration: fields, axes, columns, tables and checks of an analysis. Data only.

An analysis is a folder that computes and an `Analysis` that says what its numbers are. Reader, writer, `verify`, exports,
DataFrames, documentation and the explorer read the declaration; none of them knows an analysis by name (docs/ARCHITECTURE.md).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sing_compute.store.ranges import EVERY_NUMBER, Range, split_unit

MUST, MAY = "MUST", "MAY"
"""Levels of a field: part of every complete result of its analysis, or only in the cases that its description names."""

Fixed = tuple[tuple[str, int | str], ...]
"""Axes of a field that a column fixes, each at a position or at an item by its name."""


@dataclass(frozen=True, slots=True)
class Field:
    """One dataset of the format. Its path contains `{axis}` if each item of a group axis has its own dataset."""

    path: str
    dtype: str
    """A numpy name, or `text` (fixed-length UTF-8)."""
    axes: tuple[str, ...]
    unit: str
    """`degree`, `degree^2`, `count`, `index`, `text`, or `1` for plain numbers."""
    level: str
    description: str
    of: str = ""
    """Axis whose items the indices point to; empty for other values."""
    range: Range = EVERY_NUMBER
    """The values that it may hold; `verify` checks it."""


def fields(text: str) -> tuple[Field, ...]:
    """Read fields from a table: `[group]`, then one dataset a line, an indented line continues the one before.

    A line is `name | dtype | axes | unit | level | description`; `-` for no axes; the unit `index of AXIS` for indices.
    Behind the unit stands the range of the values: `degree in 0..180 or nan` (`ranges.split_unit`); files hold the unit alone.
    """
    found = []
    group = ""
    for line in text.replace("\n    ", " ").strip().splitlines():
        if line.startswith("["):
            group = line.strip("[]")
        elif line:
            name, dtype, axes, unit, level, description = line.split(" | ", 5)
            plain, of, limits = split_unit(unit)
            names = tuple(axes.replace("-", "").split())
            found.append(Field(f"{group}/{name}", dtype, names, plain, level, description, of, limits))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis: its length and the names of its items.

    One of `field`, `length`, `smaller_of` and `edges_of` gives its length in datasets; the items of an axis with a `group` are
    the members of that group, each with its own datasets.
    """

    name: str
    meaning: str
    group: str = ""
    """The HDF5 group whose members are the items: `models`. Datasets of the items have `{name}` in their path."""
    field: str = ""
    """The dataset that defines the length; every other dataset with this axis must have the same length."""
    position: int = 0
    """Position of the axis in that dataset."""
    length: int = 0
    """Length, if the format fixes it."""
    smaller_of: tuple[str, ...] = ()
    """Axes whose smallest length is the length of this one."""
    edges_of: str = ""
    """The axis whose runs have these edges: there is one edge more than items."""
    labels: str = ""
    """The text dataset with a name for each item."""
    codes: str = ""
    """Another text dataset by which items are found (WordNet ids); it may be absent."""
    kinds: str = ""
    """A text dataset with the kind of each item; it may be absent."""
    parent: str = ""
    """The axis whose items own runs of this one: the images of a class."""
    runs: str = ""
    """The dataset with the edges of these runs."""
    repeats: bool = False
    """True if several items may have one name."""
    selects: str = ""
    """The axis of which each item of this one is a subset: `image` for subsets of images."""
    filter: Callable[[str], str] | None = None
    """Filter of the explorer, by the name of a subset, that keeps its items in their own table."""

    @property
    def owners(self) -> tuple[str, ...]:
        """Group axes whose items each have an axis of this name of their own."""
        return tuple(dict.fromkeys(re.findall(r"\{(\w+)\}", f"{self.field} {self.labels}")))

    @property
    def borrows_names(self) -> bool:
        """True if its items have the names of another axis: a name alone does not say of which of both it is."""
        return bool(self.smaller_of and self.labels)


@dataclass(frozen=True, slots=True)
class Explanation:
    """Explanation of one quantity for a reader who sees it for the first time; several columns may share one."""

    formula: str = ""
    meaning: str = ""
    caution: str = ""
    """Conclusions that the number does not allow."""
    source: str = ""
    """The paper's equation or figure, or the page of docs/ that defines it."""

    def reworded(self, words: Callable[[str], str]) -> "Explanation":
        """Return the same explanation with other words for the items of a file; sources keep their spelling.

        Args:
            words: Rewrites one text (`Noun.words`).
        """
        return Explanation(words(self.formula), words(self.meaning), words(self.caution), self.source)


@dataclass(frozen=True, slots=True)
class Interval:
    """The two ends of a column's 95 % interval; each is a separate column after it."""

    field: str = ""
    """A dataset whose last axis is `bound`: lower, upper end."""
    at: Fixed = ()
    half: str = ""
    """Instead of `field`: a dataset with half of the width of the interval around the value."""
    over: str = ""
    """Name of the resampled items if they are not images; it is part of the columns' names."""
    apart: bool = False
    """True if its columns come after all other columns."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table: source, format and meaning of its cells.

    Cells come from `field`, or from `derived(*cells of needs)`, or, with neither, from the rows themselves: their names (role
    `label`) or their positions on the axis (role `index`). A table has the column only if the file has all datasets in `field`
    and `needs`. In `needs` a path gives the cells of that field, and the name of the rows' axis gives the rows' names.
    """

    name: str
    title: str
    format: str
    """Format of the cells: a name in `NUMBER_FORMATS`; `text` for text."""
    field: str = ""
    explanation: Explanation = Explanation()
    role: str = "value"
    """`label`, `code`, `text`, `mark`, `value`, `share`, `count`, `index`; made by the program: `bound`, `difference`,
    `rank change`."""
    at: Fixed = ()
    derived: Callable[..., Any] | None = None
    needs: tuple[str, ...] = ()
    unit: str = ""
    """Unit, if no field gives it."""
    description: str = ""
    """Description, if that of the field does not fit."""
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
"""All formats of cells. A `path` that is too long is cut at its beginning."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """A column of small histograms on one scale: in each row, how the values of a field are spread that belong to its item.

    These are all values of the item's own dataset (`{rows}` in its path), those at the item's position on the field's first axis,
    or those of the entries of that axis that the item owns (`Axis.parent`).
    """

    name: str
    title: str
    """Title of the column, to which the scale is added."""
    field: str
    """The dataset that holds the values."""
    description: str
    """Name of the values: `IS of the images of the class`."""
    percentiles: str = ""
    """A dataset with percentiles 0, 5, ..., 100 of them for each row; the 5th and 95th give the scale. Without one, the scale is
    taken from a sample of the values."""
    before: str = ""
    """Name of the column that it comes before; empty: it comes last."""


@dataclass(frozen=True, slots=True)
class TableSpec:
    """One table that people read: each row is an item of the axis `rows`; a place names an item of each axis in `within`."""

    name: str
    rows: str
    """Axis of the rows."""
    within: tuple[str, ...]
    """Axes of which a place must name an item."""
    label: str
    """The column that names a row."""
    columns: tuple[Column, ...]
    options: tuple[str, ...] = ()
    """Axes of which a place may name an item. Without one the table has all images (axis `class`), or the first subset."""
    opens: tuple[str, ...] = ()
    """Tables that can be opened at a row: the first by Enter, the second by `i`, the third by `I`."""
    opened_by: tuple[str, ...] = ()
    """Tables of analyses declared earlier that open this one behind their own `opens`; `opens` of theirs need not name it."""
    sort: str = ""
    """Column by which the table is sorted at first, descending; `+name` for ascending, empty for the order of the file."""
    measure: str = ""
    """Column that is compared if the cursor chooses none."""
    naming: tuple[str, ...] = ()
    """Columns that remain when items are compared; the label is the first."""
    distributions: tuple[Distribution, ...] = ()
    charts: tuple[str, ...] = ()
    """Names of its charts, in the order of the keys 1, 2, ..."""
    confused: tuple[()] | tuple[str, str] = ()
    """Columns of the true and of the predicted item of a row: rows in which they differ are misclassified."""
    nonzero: str = ""
    """A field of counts: rows with a count of zero are left out."""
    absent: str = ""
    """Noun for the missing figures, and the reason, for the message if a place has no such table; `{unscored}` becomes the
    reason why its model has no scores."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check of what an analysis has stored: datasets that follow from other data of the file, or must agree with it.

    It runs once for each subject whose data it needs are in the file, unless the file holds nothing of what it proves.
    """

    run: Callable[[Any], None]
    """Called with a `checks.look.Look` at one subject."""
    proves: tuple[str, ...]
    """Datasets of which it finds a false value; `*` and `?` stand for any letters, as in file names."""
    needs: tuple[str, ...] = ()
    """Datasets that it reads and that may be absent; without them `proves` is taken as given, and `verify` says so."""
    without: str = ""
    """Reason why they may be absent, as `verify` says it: `features were not kept`."""


def check(run: Callable[[Any], None], proves: str, *, group: str = "", needs: str = "", without: str = "") -> Check:
    """Declare one check; datasets are named by their paths below a group, with spaces between them.

    Args:
        run: The function, called with a `checks.look.Look`.
        proves: Datasets of which it finds a false value; a path that begins with `/` is that of the file.
        group: The group: `models/{model}/`.
        needs: Datasets that it reads and that may be absent.
        without: Reason why they may be absent.
    """

    def paths(names: str) -> tuple[str, ...]:
        return tuple(name[1:] if name.startswith("/") else group + name for name in names.split())

    return Check(run, paths(proves), paths(needs), without)


@dataclass(frozen=True, slots=True)
class Analysis:
    """Declaration of one method: the data that it stores and the tables that show them."""

    name: str
    version: int
    title: str
    subject: str
    """The axis whose items it belongs to (`model`, `tower`), or `file`."""
    fields: tuple[Field, ...] = ()
    axes: tuple[Axis, ...] = ()
    tables: tuple[TableSpec, ...] = ()
    needs: tuple[str, ...] = ()
    """Data whose change makes its results invalid: `images`, `classes`, `concepts`, `clip`, `models`."""
    checks: tuple[Check, ...] = ()
    """Checks by which `verify` computes figures again, in addition to the ranges of the fields."""
