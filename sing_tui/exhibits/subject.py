"""What a picture is about, what comes of it, and the table of the numbers drawn."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sing_compute.errors import SingError
from sing_compute.store import FIELDS, Column, Store, Table
from sing_compute.store.columns import Values
from sing_tui.formats import Glyphs, fit
from sing_tui.pictures import Picture

Cells = NDArray[np.float64]
_NAME = 32
"""Cells of a name in a reading at most."""


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """A picture, what it says in words with its numbers, and the numbers drawn."""

    title: str
    reading: str
    picture: Picture
    table: Table


@dataclass(frozen=True, slots=True)
class Subject:
    """What a picture is about; `class_index` and `concept` are None where the place has none."""

    store: Store
    model: str
    class_index: int | None
    concept: int | None
    glyphs: Glyphs

    def array(self, path: str) -> Cells:
        """Numbers of this model as float64."""
        return np.asarray(self.store.array(f"models/{self.model}/{path}"), dtype=np.float64)

    def holds(self, *paths: str) -> bool:
        """Whether the file has all of these of this model."""
        return all(f"models/{self.model}/{path}" in self.store for path in paths)

    def brief(self, name: object) -> str:
        """A name in a reading, which is to stay short."""
        return fit(self.glyphs.text(name), _NAME, self.glyphs).rstrip()

    def need(self, what: str, *paths: str) -> None:
        """Refuse where the file holds none of it."""
        if not self.holds(*paths):
            why = "" if self.holds("images/image_score") else ": the head has no null space, so nothing can be removed"
            raise SingError(f"this file holds no {what} of {self.model}{why or ': it was not computed'}")


def number(value: float, spec: str) -> str:
    """A number of a reading; - for NaN and for what is too large to be true."""
    return format(value, spec) if abs(value) < 1e6 else "-"


def stored(path: str, values: Any) -> tuple[str, str, str, Any]:
    """A column of a table that the schema knows: name, unit, meaning, values."""
    known = FIELDS["models/{model}/" + path]
    return path.rpartition("/")[2], known.unit, known.description, values


def table_of(kind: str, *columns: tuple[str, str, str, Any], ids: NDArray[np.int64] | None = None) -> Table:
    """A table of columns given as name, unit, meaning and values."""
    made = [Column(name, name, unit, text, Values(np.asarray(values))) for name, unit, text, values in columns]
    return Table(kind, made, len(made[0].values), ids)
