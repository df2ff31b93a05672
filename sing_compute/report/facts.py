"""The parts of answers: sentences about numbers of a table, names in them, and what an answer is."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sing_compute.figures.choosing import numbers
from sing_compute.formats import UNICODE, fit, with_interval
from sing_compute.report.tables import PageTable
from sing_compute.store import Table

_NAME = 48
"""Letters of a name in a sentence at most."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One answer: the question, a few words that answer it, sentences with the numbers, and perhaps a small table."""

    title: str
    answer: str
    text: str
    table: PageTable | None = None


def brief(name: object) -> str:
    """Return a name as it is written in a sentence."""
    return fit(UNICODE.text(name), _NAME).rstrip()


def values_of(table: Table, name: str) -> NDArray[np.float64]:
    """Return the numbers of a column; NaN in every row where the table lacks it."""
    found = numbers(table, name)
    return np.full(table.length, np.nan) if found is None else found


def has(table: Table, *names: str) -> bool:
    """Return True if a table has these columns, each with a finite number."""
    return all(np.isfinite(values_of(table, name)).any() for name in names)


def say(table: Table, row: int, name: str) -> str:
    """Say one number of a row with its unit and interval; - where the table lacks it."""
    column = next((each for each in table.columns if each.name == name), None)
    if column is None:
        return "-"
    low, high = (float(values_of(table, end)[row]) for end in column.interval) if column.interval else (np.nan, np.nan)
    return with_interval(column, float(values_of(table, name)[row]), (low, high))


def count_of(number: int, singular: str, plural: str = "") -> str:
    """Return a number of things in words: `1 image`, `1,200 images`."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def listed(parts: Sequence[str]) -> str:
    """Join parts of a sentence by commas and `and`."""
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


def texts_of(table: Table, name: str) -> list[str]:
    """Return the cells of a column of text."""
    return [str(cell) for cell in table.column(name).values.all()]
