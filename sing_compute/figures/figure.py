"""One figure of a paper: its numbers, the sentence that reads them, and the columns of its LaTeX table."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sing_compute.figures.drawing import Drawable
from sing_compute.store import Table

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True, eq=False)
class PaperFigure:
    """One figure, not yet drawn."""

    name: str
    """Name of its files, without ending: ASCII letters, digits, . _ and -."""
    title: str
    reading: str
    """A few sentences with its most important numbers: a caption, or the text alternative of a page."""
    shape: "Drawable | None"
    """None for a figure that is a table alone."""
    table: Table
    """All of its numbers, for its CSV file."""
    columns: "Sequence[str]" = ()
    """Names of the columns of its LaTeX table; empty for none."""
