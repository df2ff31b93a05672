"""The model, class and concept that a chart of SING is about, and the table of the numbers that it draws."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sing_compute.charts.registry import Subject
from sing_compute.errors import SingError
from sing_compute.formats import Glyphs
from sing_compute.store import FIELDS, Column, Store, Table
from sing_compute.store.columns import Values
from sing_compute.store.definition import TableSpec
from sing_compute.store.items import row_axis
from sing_compute.store.noun import Noun

Cells = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ScoreSubject:
    """The model, class and concept that a chart of SING is about; the last two are None where the place names none."""

    subject: Subject
    model: str
    class_index: int | None
    concept: int | None

    @property
    def store(self) -> Store:
        """The results file."""
        return self.subject.store

    @property
    def noun(self) -> Noun:
        """The file's noun for its images."""
        return self.store.noun

    @property
    def glyphs(self) -> Glyphs:
        """The signs of the screen."""
        return self.subject.glyphs

    def array(self, path: str) -> Cells:
        """Read numbers of this model as float64."""
        return np.asarray(self.store.array(f"models/{self.model}/{path}"), dtype=np.float64)

    def holds(self, *paths: str) -> bool:
        """Return True if the file has all of these datasets of this model."""
        return all(f"models/{self.model}/{path}" in self.store for path in paths)

    def brief(self, name: object) -> str:
        """Return a name as it is written in a reading, which has to stay short."""
        return self.subject.brief(name)

    def require(self, what: str, *paths: str) -> None:
        """Check that the file has all of these datasets of this model.

        Raises:
            SingError: It lacks one; the message names `what`.
        """
        if not self.holds(*paths):
            why = "" if self.holds("images/image_score") else f": {self.store.unscored(self.model)}"
            what = self.noun.words(what)
            raise SingError(f"this file holds no {what} of {self.model}{why or ': it was not computed'}")


def score_subject(subject: Subject) -> ScoreSubject:
    """Find the model, class and concept of a place; the first model where it names none."""
    model, rows = subject.item("model"), row_axis(subject.place)
    return ScoreSubject(
        subject,
        subject.store.model(None if model is None else str(model)),
        None if rows == "model" else subject.index("class"),
        subject.index("concept") if rows == "concept" else None,
    )


def number(value: float, spec: str) -> str:
    """Write a number in a reading; - for NaN and for what is too large to be true."""
    return format(value, spec) if abs(value) < 1e6 else "-"


def stored(path: str, values: Any) -> tuple[str, str, str, Any]:
    """Return a column of a chart's table from a declared dataset of a model: name, unit, description, values."""
    known = FIELDS["models/{model}/" + path]
    return path.rpartition("/")[2], known.unit, known.description, values


def chart_table(rows: str, *columns: tuple[str, str, str, Any], ids: NDArray[np.int64] | None = None) -> Table:
    """Make the table of the numbers that a chart draws.

    Args:
        rows: Word for the rows, in the name of an exported file.
        columns: Name, unit, description and values of each column.
        ids: Position of each row on its axis; None where rows have none.

    Returns:
        The table.
    """
    made = [
        Column(
            name, name, unit, description, Values(np.asarray(values)), format="text" if unit == "text" else "any size"
        )
        for name, unit, description, values in columns
    ]
    spec = TableSpec(rows, "", (), made[0].name, ())
    return Table(spec, made, len(made[0].values), ids)
