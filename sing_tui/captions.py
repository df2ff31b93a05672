"""Words about rows that are images: a score, prediction and class of each; all figures of one. No Textual."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from rich.cells import cell_len

from sing_compute.errors import SingError
from sing_compute.formats import Glyphs, fit, number_format
from sing_compute.store import Column, catalogue
from sing_tui.view import Rows, View


@dataclass(frozen=True, slots=True)
class Caption:
    """The words below one image."""

    score: str = ""
    """Title and value of one column: `IS 32.1°`."""
    prediction: str = ""
    """The prediction; in a table without one its first text behind the name."""
    true_class: str = ""
    """The class, if it is not the prediction; else empty."""

    def classes(self, width: int, glyphs: Glyphs) -> str:
        """Write the prediction on so many cells; if it is not the class, `! prediction -> class`, both shortened alike."""
        if not self.true_class:
            return self.prediction
        room = max(2, width - cell_len(f"!  {glyphs.arrow} "))
        longest = max(room // 2, room - cell_len(self.true_class))
        left = min(longest, cell_len(self.prediction))
        true = fit(self.true_class, room - left, glyphs).rstrip()
        return f"! {fit(self.prediction, left, glyphs)} {glyphs.arrow} {true}"


@dataclass(frozen=True, slots=True)
class Figure:
    """One cell of a row in words."""

    title: str
    value: str
    incorrect: bool = False
    """True for a prediction that is not the class."""


def captions(view: View, lines: Sequence[int], glyphs: Glyphs) -> list[Caption]:
    """Write the captions of some lines of a table.

    Args:
        view: The table.
        lines: Lines of the view, from 0.
        glyphs: The signs of the screen.

    Returns:
        One caption for each line. Its score is of the column that the table is sorted by, if this one holds numbers, else of
        the column that its declaration compares. Parts that the table lacks, or that cannot be read, are empty.
    """
    rows = view.order[np.asarray(lines, dtype=np.int64)]
    scores = predictions = true_classes = [""] * len(rows)
    column, pair = score_column(view), class_columns(view.table.columns)
    try:
        if column is not None:
            values = column.values.take(rows).tolist()
            scores = [f"{glyphs.text(column.title)} {_written(column, value, glyphs)}" for value in values]
        if pair is not None:
            true, predictions = ([glyphs.text(text) for text in side.values.take(rows).tolist()] for side in pair)
            differs = are_incorrect(pair, rows)
            true_classes = [text if differ else "" for text, differ in zip(true, differs, strict=True)]
        elif (first := next((each for each in view.table.columns[1:] if each.is_text), None)) is not None:
            predictions = [glyphs.text(text) for text in first.values.take(rows).tolist()]
    except SingError:  # a damaged file: the image itself may still be shown
        pass
    return [Caption(*parts) for parts in zip(scores, predictions, true_classes, strict=True)]


def figures(view: View, line: int, glyphs: Glyphs) -> list[Figure]:
    """Write every figure of the row on a line, class and prediction first; without the name, which is its first column.

    Args:
        view: The table.
        line: Line of the view, from 0.
        glyphs: The signs of the screen.

    Raises:
        SingError: The file is damaged.
    """
    row = view.order[line : line + 1]
    pair = class_columns(view.table.columns)
    listed = [column for column in view.table.columns[1:] if column.role != "bound"]
    incorrect = pair is not None and are_incorrect(pair, row)[0]
    first = pair or ()
    found = []
    for column in (*first, *(column for column in listed if column not in first)):
        value = column.values.take(row).tolist()[0]
        text = glyphs.text(value) if column.is_text else _written(column, value, glyphs)
        warned = pair is not None and column is pair[1] and incorrect
        found.append(Figure(glyphs.text(column.title), text, warned))
    return found


def _written(column: Column, value: float, glyphs: Glyphs) -> str:
    """Write a number with its unit in as few signs as there are: `32.1°`."""
    number = number_format(column, glyphs)
    text = number.write(value)
    return text if text == "-" or not number.unit else f"{text}{'' if column.unit == 'degree' else ' '}{number.unit}"


def score_column(view: View) -> Column | None:
    """Return the column whose values the captions show; None if the table has no numbers."""
    numbers = [column for column in view.table.columns if not column.is_text and column.role not in ("bound", "mark")]
    wanted = (view.arrangement.sort, view.table.spec.measure)
    named = [column for name in wanted for column in numbers if name in (column.name, column.measure)]
    return next(iter(named + numbers), None)


def class_columns(columns: Sequence[Column]) -> tuple[Column, Column] | None:
    """Return the columns of the true class and of the prediction: two that name items of one axis; None without such a pair."""
    found: dict[str, list[Column]] = {}
    for column in columns:
        if column.is_text and column.spec is not None and column.spec.field and column.side is None:
            axis = catalogue.field_of(column.spec.field)[0].of
            if axis:
                found.setdefault(axis, []).append(column)
    return next(((side[0], side[1]) for side in found.values() if len(side) > 1), None)


def are_incorrect(pair: tuple[Column, Column], rows: Rows) -> list[bool]:
    """Return, for each row, True if prediction and class are known and differ; two classes may have one name.

    Args:
        pair: The columns of the class and of the prediction (`class_columns`).
        rows: Row numbers of the table.

    Raises:
        SingError: The file is damaged.
    """
    true, predicted = (replace(column.values, names=None).take(rows) for column in pair)
    return [bool(known) for known in (true != predicted) & (true >= 0) & (predicted >= 0)]
