"""Write figures into a folder: PDF and PNG for a column and a page, CSV, LaTeX tables, captions; no file is half-written."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from sing_compute.atomic_write import text_file, write_bytes, write_text
from sing_compute.errors import SingError
from sing_compute.figures.figure import PaperFigure
from sing_compute.figures.latex import latex_table
from sing_compute.figures.output import print_bytes
from sing_compute.figures.style import WIDTHS
from sing_compute.formats import UNICODE
from sing_compute.table_text import WholeTable, write_rows

CAPTIONS = "captions.txt"


def save(
    found: Sequence[PaperFigure], folder: Path, *, replace: bool = False, report: Callable[[PaperFigure], None]
) -> list[str]:  # fmt: skip
    """Write figures into a folder, which is made if it is missing.

    Args:
        found: The figures.
        folder: The folder.
        replace: True to replace files of these names.
        report: Called before each figure.

    Returns:
        Names of the files.

    Raises:
        SingError: The folder holds a file of these names and `replace` is False, or a file cannot be written. Each file is
            written in one step.
    """
    names = [name for figure in found for name in file_names(figure)] + [CAPTIONS]
    try:
        if folder.exists() and not folder.is_dir():
            raise SingError(f"cannot write into {folder}: it is no folder")
        there = [name for name in names if (folder / name).exists()]
        if there and not replace:
            others = f" and {len(there) - 1} more of these names exist" if there[1:] else " exists"
            raise SingError(f"{folder / there[0]}{others}; --force replaces what is there")
        folder.mkdir(exist_ok=True)
        for figure in found:
            report(figure)
            for name, content in _files(figure):
                write_bytes(folder / name, content, durable=False)
            with text_file(folder / f"{figure.name}.csv", durable=False) as stream:
                write_rows(WholeTable(figure.table), stream)
        write_text(folder / CAPTIONS, captions(found), durable=False)
    except OSError as error:
        raise SingError(f"cannot write into {folder}: {error.strerror or error}") from error
    return names


def file_names(figure: PaperFigure) -> list[str]:
    """Return the names of a figure's files."""
    drawn = (
        [] if figure.shape is None else [f"{figure.name}-{width}.{end}" for width in WIDTHS for end in ("pdf", "png")]
    )
    return [*drawn, *([f"{figure.name}.tex"] if figure.columns else []), f"{figure.name}.csv"]


def _files(figure: PaperFigure) -> Iterator[tuple[str, bytes]]:
    """Make the files of a figure, except its CSV."""
    if figure.shape is not None:
        for width, millimetres in WIDTHS.items():
            for end, content in print_bytes(figure.shape, millimetres).items():
                yield f"{figure.name}-{width}.{end}", content
    if figure.columns:
        yield f"{figure.name}.tex", latex_table(figure.table, figure.columns).encode()


def captions(found: Sequence[PaperFigure]) -> str:
    """Return the titles and captions of figures as plain text."""
    return "\n".join(
        f"{figure.name}\n{UNICODE.text(figure.title)}\n{UNICODE.text(figure.reading)}\n" for figure in found
    )
