"""The matrix that `sing-compute steer --matrix` writes: how much nearer images of each class come to each class."""

import csv
from pathlib import Path
from typing import Any

import numpy as np

from sing_compute.charts.shapes import Numbers
from sing_compute.charts.sing.subject import chart_table
from sing_compute.errors import SingError
from sing_compute.figures.choosing import Choice
from sing_compute.figures.figure import PaperFigure
from sing_compute.figures.matrix import MOST, Matrix
from sing_compute.formats import UNICODE, fit
from sing_compute.outside_files import read_text
from sing_compute.store import Store
from sing_compute.store.noun import Noun
from sing_compute.store.text import csv_text

_NUMBERS = {
    "attribute_score_mean": ("degree", "mean AS of the images of the first class toward the second, after the step"),
    "attribute_score_std": ("degree", "its standard deviation over the images"),
    "images": ("count", "images of the first class"),
    "unreachable": ("count", "images whose angle cannot be reached"),
}


def steering(store: Store, choice: Choice, path: Any) -> PaperFigure:
    """Show the mean AS of each class steered toward each class.

    Args:
        store: The results file.
        choice: Without classes, those that can be steered farthest are drawn.
        path: The CSV file.

    Returns:
        The figure.

    Raises:
        SingError: The file is no such matrix, or of other classes.
    """
    rows = _read(path)
    classes = [csv_text(str(name)) for name in store.class_names]
    sources = _sources(rows, classes)
    if not sources:
        raise SingError(f"{path}: this is no steering matrix of all classes of this file")
    try:
        cells = np.array([[float(cell or "nan") for cell in row[2:]] for row in rows])
    except ValueError as error:
        raise SingError(f"{path}: a cell is no number ({error})") from error
    matrix = cells[:, 0].reshape(len(sources), len(classes))
    shown = _shown(store, choice, sources, matrix)
    if not shown:
        raise SingError(f"{path}: holds no steering of these classes")
    part = matrix[[sources.index(index) for index in shown]][:, shown]
    names = tuple(str(store.class_names[index]) for index in shown)
    shape = Matrix(names, names, part, "AS", "steered from", "toward")
    table = chart_table(
        "pairs",
        ("from", "text", "class whose images are steered", [row[0] for row in rows]),
        ("to", "text", "class that they are steered toward", [row[1] for row in rows]),
        *(
            (name, unit, text, cells[:, k].astype(np.int64) if unit == "count" else cells[:, k])
            for k, (name, (unit, text)) in enumerate(_NUMBERS.items())
        ),
    )
    reading = _reading(shape, store.noun, len(sources))
    columns = ("from", "to", "attribute_score_mean", "attribute_score_std", "images")
    return PaperFigure("steering", "Steering of each class toward each class", reading, shape, table, columns)


def _sources(rows: list[list[str]], classes: list[str]) -> list[int]:
    """Return the class of each block of rows, one row for each class; nothing if the rows are of other classes."""
    count = len(rows) // max(1, len(classes))
    if [row[1] for row in rows] != classes * count:
        return []
    blocks = [rows[k * len(classes) : (k + 1) * len(classes)] for k in range(count)]
    found: list[int] = []
    for index, name in enumerate(classes):
        if len(found) < count and {row[0] for row in blocks[len(found)]} == {name}:
            found.append(index)
    return found if len(found) == count else []


def _shown(store: Store, choice: Choice, sources: list[int], matrix: Numbers) -> list[int]:
    """Return the classes to draw, of those that were steered: those of the choice, or those that came nearest on average."""
    if choice.classes:
        return [index for index in dict.fromkeys(map(store.find_class, choice.classes)) if index in sources][:MOST]
    known = np.isfinite(matrix)
    mean = np.where(known, matrix, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    order = np.argsort(-np.where(known.any(axis=1), mean, -np.inf), kind="stable")
    return sorted(sources[row] for row in order[:MOST].tolist())


def _reading(shape: Matrix, noun: Noun, count: int) -> str:
    largest = ""
    if np.isfinite(shape.values).any():
        row, column = divmod(int(np.nanargmax(shape.values)), len(shape.columns))
        names = (fit(UNICODE.text(name), 32).rstrip() for name in (shape.rows[row], shape.columns[column]))
        largest = f" Largest: {' toward '.join(names)}, {shape.values[row, column]:+.2f} degrees."
    return (
        f"Mean AS of the {noun.plural} of a class (row) toward the prompt of a class (column) by a step inside the null space, "
        f"which changes no logit: so many degrees nearer do they come.{largest} Drawn are {len(shape.rows)} of {count:,} classes."
    )


def _read(path: Path) -> list[list[str]]:
    """Read the rows of the CSV file.

    Raises:
        SingError: It cannot be read, or its columns are others.
    """
    try:
        rows = list(csv.reader(read_text(path).split("\n")))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = "it is no text" if isinstance(error, UnicodeDecodeError) else getattr(error, "strerror", None) or error
        raise SingError(
            f"cannot read {path}: {reason}; --steering takes the file of sing-compute steer --matrix"
        ) from error
    header = ["from", "to", *_NUMBERS]
    rows = [row for row in rows if row]
    if not rows or rows[0] != header or any(len(row) != len(header) for row in rows):
        raise SingError(f"{path}: its columns are not those of a steering matrix ({', '.join(header)})")
    return rows[1:]
