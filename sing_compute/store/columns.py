"""What a table is made of: columns of equal length over lazily read values. Building one reads nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sing_compute.errors import StoreError
from sing_compute.store.gate import Stored

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Values:
    """A run of stored or computed values, read by row; `names` turns stored indices into text, others into the empty text."""

    source: NDArray[Any] | Stored
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
attribute_score_centred | AS centred
image_score | IS
image_score_centred | IS centred
confidence | confidence
null_energy | null energy
null_energy_centred | null energy centred
class_angle | class angle
cosine | cosine
""")
