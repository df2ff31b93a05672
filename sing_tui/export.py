"""A view as CSV: every column in full precision, written under another name and renamed. No Textual, no pandas."""

import csv
import os
from collections.abc import Callable
from pathlib import Path
from typing import IO

from sing_compute.errors import SingError
from sing_compute.store.text import clean
from sing_tui.formats import csv_cells
from sing_tui.view import View

_CHUNK = 16384


def write_rows(view: View, target: IO[str], *, progress: Callable[[int], None] | None = None) -> int:
    """Write header and rows of a view to an open text file; returns the number of rows."""
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow([column.name for column in view.table.columns])
    for low in range(0, len(view), _CHUNK):
        rows = view.order[low : low + _CHUNK]
        writer.writerows(zip(*(csv_cells(column.values.take(rows)) for column in view.table.columns), strict=True))
        if progress is not None:
            progress(low + len(rows))
    return len(view)


def save(view: View, path: Path, *, replace: bool = False) -> int:
    """Write a view to a file that appears under its name only when it is whole; returns the number of rows.

    Raises:
        SingError: The file exists and `replace` is False, or it cannot be written; what stood there is untouched.
    """
    if path.exists() and not replace:
        raise SingError(f"{path} exists")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "x", newline="", encoding="utf-8") as target:
            count = write_rows(view, target)
        os.replace(temporary, path)
    except OSError as error:
        raise SingError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)
    return count


def file_name(*parts: str) -> str:
    """A file name from parts of a place: no separators, no leading dot, nothing a shell stumbles over."""
    kept = ("".join(c if c.isalnum() or c in "._" else "_" for c in clean(part)).strip("._")[:60] for part in parts)
    return "-".join(part for part in kept if part) + ".csv"
