"""Rows of pictures of equivalent features: T(f) and another embedding of one image, seed by seed, with what can be believed."""

import io
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure, SubFigure
from PIL import Image

from sing_compute.errors import SingError
from sing_compute.figures.labels import cut
from sing_compute.figures.style import GREY, TALLEST, inches_wide
from sing_compute.store.pictures import MOST_SIDE

_ABOVE, _BELOW = 0.25, 0.46
"""Room for the titles of the columns, and for the text below a row, inches."""
_WIDE = 5.0
"""From this width on, inches, a row shows the pictures of two seeds."""


@dataclass(frozen=True, slots=True, eq=False)
class PictureRow:
    """The pictures of one pair."""

    name: str
    notes: tuple[str, str]
    """Two lines with its angles and if they can be believed."""
    before: tuple[bytes, ...]
    """JPEG files of T(f), in the order of the seeds."""
    after: tuple[bytes, ...]
    """JPEG files of the other embedding."""
    other: str
    """Name of the other embedding, for the title of its column."""


@dataclass(frozen=True, slots=True, eq=False)
class PictureRows:
    """Pictures of several pairs."""

    labels: tuple[str, ...]
    """Name of each row."""
    rows: tuple[PictureRow, ...]


def _across(width: float) -> int:
    return 4 if width > _WIDE else 2


def rows_that_fit(shape: PictureRows, width: float) -> int:
    """Return how many rows a figure of a width (inches) shows."""
    return max(1, min(len(shape.rows), int((TALLEST - _ABOVE) / (width / _across(width) + _BELOW))))


def pictures_height(shape: PictureRows, width: float) -> float:
    """Return the height of rows of pictures in inches."""
    return _ABOVE + rows_that_fit(shape, width) * (width / _across(width) + _BELOW)


def draw_pictures(shape: PictureRows, figure: Figure | SubFigure) -> None:
    """Draw pictures of T(f) and the other embedding in turn, the same seed side by side."""
    width = inches_wide(figure)
    count = _across(width)
    rows = shape.rows[: rows_that_fit(shape, width)]
    side = width / count
    others = {row.other for row in rows}
    titles = ("T(f)", others.pop() if len(others) == 1 else "other embedding")
    grid = figure.add_gridspec(2 * len(rows), count, height_ratios=[side, _BELOW] * len(rows))
    for number, row in enumerate(rows):
        line = [figure.add_subplot(grid[2 * number, place]) for place in range(count)]
        under = figure.add_subplot(grid[2 * number + 1, :])
        under.set_axis_off()
        pictures = [picture for pair in zip(row.before, row.after, strict=False) for picture in pair][:count]
        for place, axes in enumerate(line):
            axes.set_axis_off()
            if place < len(pictures):
                axes.imshow(decoded(pictures[place]), interpolation="none")
            if not number:
                axes.set_title(cut(titles[place % 2], side), pad=3)
        said = "\n".join(cut(text, width - 0.2) for text in (row.name, *row.notes))
        under.text(0, 1, said, transform=under.transAxes, ha="left", va="top", color=GREY)


def decoded(jpeg: bytes) -> np.ndarray:
    """Return a JPEG file of a results file as red, green and blue, (row, column, 3) uint8.

    Raises:
        SingError: It is no JPEG file, or one of more than `MOST_SIDE` pixels a side.
    """
    try:
        with Image.open(io.BytesIO(jpeg), formats=["JPEG"]) as picture:
            if max(picture.size) > MOST_SIDE:
                raise SingError(
                    f"a picture of {picture.width} x {picture.height} pixels is larger than {MOST_SIDE} a side"
                )
            return np.asarray(picture.convert("RGB"))
    except (OSError, SyntaxError, ValueError) as error:
        raise SingError(f"a picture of this file cannot be decoded: {error}") from error
