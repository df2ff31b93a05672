"""What a table is made of: columns of equal length over lazily read values. Building one reads nothing."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sing_compute.errors import StoreError
from sing_compute.store.gate import Stored

Rows = NDArray[np.integer[Any]]
Cells = NDArray[Any]


class Source(Protocol):
    """Where cells come from: an array, a dataset, or a computation. Indexed by an array of rows or a slice."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the cells."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Any, /) -> Any: ...


@dataclass(frozen=True, eq=False, repr=False)
class Loaded:
    """Cells that are read or worked out together when one of them is first asked for, and kept."""

    length: int
    load: Callable[[], NDArray[Any]]

    @cached_property
    def cells(self) -> NDArray[Any]:
        """Every cell."""
        return self.load()

    @property
    def is_loaded(self) -> bool:
        """Whether asking for a cell costs nothing any more."""
        return "cells" in self.__dict__

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the cells."""
        return self.cells.dtype

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, rows: Any, /) -> NDArray[Any]:
        return np.asarray(self.cells[rows])


@dataclass(frozen=True, slots=True)
class Computed:
    """Numbers that are worked out for the rows asked for (an array of rows or a slice), and forgotten."""

    length: int
    cells: Callable[[Any], NDArray[Any]]
    needs: tuple[Loaded, ...] = ()
    """What has to be loaded as a whole first."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the cells."""
        return self.cells(np.zeros(0, dtype=np.int64)).dtype

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, rows: Any, /) -> NDArray[Any]:
        return self.cells(rows)


@dataclass(frozen=True, slots=True)
class Values:
    """A run of stored or computed values, read by row; `names` turns stored indices into text, others into the empty text."""

    source: Source
    start: int = 0
    stop: int | None = None
    names: NDArray[Any] | None = None
    part: int | None = None
    """Which column of a two-axis dataset."""

    def __len__(self) -> int:
        return (len(self.source) if self.stop is None else self.stop) - self.start

    def take(self, rows: Rows) -> NDArray[Any]:
        """The values at these rows, in the order asked for."""
        return self._finish(self._read(rows + self.start))

    def all(self) -> NDArray[Any]:
        """Every value."""
        return self._finish(self._read(slice(self.start, self.start + len(self))))

    def codes(self) -> NDArray[Any]:
        """Every stored index into `names`; -1 for those that no name belongs to."""
        return self._known(self._read(slice(self.start, self.start + len(self))))

    @property
    def waits_for(self) -> tuple[Loaded, ...]:
        """What must be loaded as a whole before the first cell can be told; on a million rows that takes a tenth of a second."""
        source = self.source
        parts = source.needs if isinstance(source, Computed) else (source,) if isinstance(source, Loaded) else ()
        return tuple(part for part in parts if not part.is_loaded)

    def encoded(self, low: int, high: int) -> NDArray[Any]:
        """Text of rows low to high as bytes of fixed length: stored text is not decoded, which costs ten times its reading."""
        if isinstance(self.source, Stored) and self.names is None and self.part is None:
            return self.source.encoded(self.start + low, min(self.start + high, self.start + len(self)))
        cells = self.take(np.arange(low, min(high, len(self))))
        return np.char.encode(cells.astype(np.str_), "utf-8")

    def _read(self, rows: Any) -> NDArray[Any]:
        return np.asarray(self.source[rows] if self.part is None else self.source[rows, self.part])

    def _known(self, raw: NDArray[Any]) -> NDArray[Any]:
        return raw if self.names is None else np.where((raw >= 0) & (raw < len(self.names)), raw, -1)

    def _finish(self, raw: NDArray[Any]) -> NDArray[Any]:
        if self.names is None:
            return raw
        known, names = self._known(raw), self.names
        if len(raw) < len(names):
            return np.where(known >= 0, names[known], "").astype(object)
        return np.asarray(np.append(names.astype(object), "")[known])  # by reference: a long name costs its length once


@dataclass(frozen=True, slots=True)
class Column:
    """One column: `name` heads a CSV or DataFrame, `title` the screen; numbers carry their unit."""

    name: str
    title: str
    unit: str
    description: str
    values: Values
    interval: tuple[str, str] | None = None
    """Names of the columns that hold the ends of its 95 % interval; the screen writes them beside the value."""

    @property
    def is_text(self) -> bool:
        """Whether the cells are text."""
        return self.unit == "text"


@dataclass(frozen=True, slots=True)
class Table:
    """Columns of equal length. `ids` is what each row stands for: a class, concept or image index (None: the row number)."""

    kind: str
    columns: Sequence[Column]
    length: int
    ids: Rows | None = None
    rankings: dict[str, Stored] = field(default_factory=dict)
    """Stored orders (rising) of whole image tables, by column name."""

    def column(self, name: str) -> Column:
        """The column of that name.

        Raises:
            StoreError: There is none; the message lists those there are.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise StoreError(f"no column {name!r}; this table has: {', '.join(c.name for c in self.columns)}")


def text_column(name: str, title: str, description: str, values: Cells) -> Column:
    """A column of text."""
    return Column(name, title, "text", description, Values(values))


def bounded(column: Column, ends: Mapping[str, Cells | Sequence[Source]], over: str = "") -> list[Column]:
    """A column and the columns of its interval's two ends; `over` says what was resampled if not images."""
    if column.name not in ends:
        return [column]
    found = []
    for k, (end, side) in enumerate((("low", "lower"), ("high", "upper"))):
        name, title = (
            f"{column.name}_{over}_{end}".replace("__", "_"),
            f"{column.title} {over} {end}".replace("  ", " "),
        )
        text = f"{side} end of the 95 % interval{f' over {over}' if over else ''} of: {column.description}"
        found.append(Column(name, title, column.unit, text, Values(ends[column.name][k])))
    names = (found[0].name, found[1].name)
    return [Column(column.name, column.title, column.unit, column.description, column.values, names), *found]


def _listed(lines: str) -> tuple[tuple[str, str], ...]:
    """Pairs of name and title, one a line."""
    return tuple((name, title) for name, title in (line.split(" | ", 1) for line in lines.strip().splitlines()))


MODELS = _listed("""
attribute_score_abs | |AS|
image_score | IS
ratio_images | IS/|AS|
attribute_score | AS
accuracy | accuracy
nullity | nullity
null_energy | null energy
attribute_score_abs_over_control | |AS| /control
image_score_over_control | IS /control
attribute_score_centred_abs | |AS| centred
image_score_centred | IS centred
null_energy_centred | null energy centred
significant | significant pairs
probe_null | probe null
probe_principal | probe principal
probe_chance | probe chance
null_share | null share
null_share_data | null share data
flips | flips
cosine | cosine
cosine_baseline | baseline
ratio_classes | IS/|AS| classes
rank | rank
nullity_softmax | nullity softmax
gap | gap
tail_ratio | tail ratio
lambda | lambda
lambda_relative | lambda relative
r_squared | R2
mse | MSE
zero_shot_image | zero-shot z
zero_shot_translated | zero-shot T(f)
zero_shot_equivalent | zero-shot T(f~)
logit_change_max | logit change max
logit_change_mean | logit change mean
images | images
correct | right
undefined | undefined
""")
"""Columns of the model table by their store name, with their titles; places by IS/|AS| stand behind it."""
CLASSES = _listed("""
attribute_score_q50 | AS
attribute_score_abs_q50 | |AS|
image_score_q50 | IS
count | images
ratio | IS/|AS|
accuracy | accuracy
index | index
attribute_score_abs_over_control | |AS| /control
image_score_over_control | IS /control
attribute_score_abs_control | |AS| control
image_score_control | IS control
attribute_score_centred_abs_q50 | |AS| centred
image_score_centred_q50 | IS centred
null_energy_mean | null energy
null_energy_centred_mean | null energy centred
attribute_score_mean | AS mean
attribute_score_std | AS std
attribute_score_abs_mean | |AS| mean
attribute_score_q05 | AS 5%
attribute_score_q25 | AS 25%
attribute_score_q75 | AS 75%
attribute_score_q95 | AS 95%
image_score_mean | IS mean
image_score_std | IS std
image_score_q05 | IS 5%
image_score_q25 | IS 25%
image_score_q75 | IS 75%
image_score_q95 | IS 95%
""")
CONCEPTS = _listed("""
attribute_score | AS
significant | *
attribute_score_abs | |AS|
attribute_score_common | AS common
attribute_score_centred | AS centred
z | z
q | q
kind | kind
control | control
p | p
p_empirical | p empirical
attribute_score_std | AS std
angle_before | before
angle_after | after
attribute_score_half | AS half
""")
IMAGES = _listed("""
attribute_score | AS
image_score | IS
prediction | prediction
confidence | confidence
attribute_score_centred | AS centred
image_score_centred | IS centred
null_energy | null energy
null_energy_centred | null energy centred
class_angle | class angle
cosine | cosine
""")
