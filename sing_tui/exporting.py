"""Exports in a thread: the rows, the file, how far one has come, and giving it up. No Textual."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import Literal

import numpy as np

from sing_compute.atomic_write import text_file
from sing_compute.errors import SingError
from sing_compute.store.text import file_stem
from sing_compute.table_text import Cancelled, Form, Progress, write_tables
from sing_tui.view import View, arrange

Scope = Literal["marked", "shown", "table"]
ColumnScope = Literal["all", "in sight", "shown"]
EXISTS = "the file exists: Enter replaces it"
SAY_SECONDS = 0.25
"""Shortest time between two reports of a running export."""


@dataclass(frozen=True, slots=True)
class ExportWanted:
    """The rows and columns to write, and where; `replace` is True only where the user knows that the file exists."""

    scope: Scope
    columns: ColumnScope
    path: Path
    replace: bool
    provenance: bool = False
    """True to write also what the rows are of."""


def scoped(view: View, scope: Scope, marks: Collection[int] = ()) -> View:
    """Choose the rows to export.

    Args:
        view: The table as it is on the screen.
        scope: The marked rows, the rows shown, or the whole table in the order of the sort.
        marks: Row numbers of the marked rows: those that are shown come first, in their order, then those that the filter hides.
    """
    if scope == "shown":
        return view
    if scope == "table":
        return view if len(view) == view.table.length else arrange(view.table, replace(view.arrangement, filter=""))
    marked = np.array(sorted(row for row in marks if 0 <= row < view.table.length), view.order.dtype)
    shown = view.order[np.isin(view.order, marked)]
    return replace(view, order=np.concatenate([shown, marked[~np.isin(marked, shown)]]))


def save(
    view: View, path: Path, *, replace: bool = False, columns: Sequence[str] | None = None, progress: Progress | None = None,
    form: Form | None = None,
) -> int:  # fmt: skip
    """Write a view to a file that appears under its name only when it is complete.

    Args:
        view: The rows, in their order.
        path: The file. Without `form`, a name that ends in .json is written as JSON and any other as CSV.
        replace: True to replace a file of this name.
        columns: Names of the columns to write; all for None.
        progress: Called with the number of rows written so far; it may raise `Cancelled`.
        form: The format, whatever the name is.

    Returns:
        The number of rows.

    Raises:
        SingError: The file exists and `replace` is False, or it cannot be written; a file that was there is untouched.
        Cancelled: `progress` raised it; likewise.
    """
    return save_views([view], path, replace=replace, columns=columns, progress=progress, form=form)


def save_views(
    views: Sequence[View], path: Path, *, replace: bool = False, columns: Sequence[str] | None = None,
    progress: Progress | None = None, form: Form | None = None,
) -> int:  # fmt: skip
    """Write the rows of several views with the same columns to one file, as `save` writes those of one."""
    try:
        _refuse(path, replace)
        with text_file(path, durable=False) as target:
            rows = write_tables(views, target, form=form or form_of(path), columns=columns, progress=progress)
            _refuse(path, replace)
    except OSError as error:
        raise SingError(f"cannot write {path}: {error.strerror or error}") from error
    return rows


def _refuse(path: Path, replace: bool) -> None:
    if path.is_dir():
        raise SingError(f"cannot write {path}: it is a folder; give the name of a file")
    if not path.parent.is_dir():
        raise SingError(f"cannot write {path}: there is no folder {path.parent}")
    if path.exists() and not replace:
        raise SingError(f"{path} exists")
    if path.exists() and not path.is_file():
        raise SingError(f"cannot write {path}: it is no plain file")


def form_of(path: Path) -> Form:
    """Choose the format of a file by its name."""
    return "json" if path.suffix.lower() == ".json" else "csv"


def file_name(*parts: str) -> str:
    """Make the name of a CSV file from parts of a place."""
    return file_stem(*parts) + ".csv"


def problem_with(path: Path, name: str, replacing: Path | None) -> str:
    """Say in one line why a file cannot be written yet; empty if it can.

    Args:
        path: The file.
        name: What was typed.
        replacing: The file that the user has agreed to replace.
    """
    if not name.strip():
        return "give the file a name"
    try:
        if path.is_dir():
            return "this is a folder: give the name of a file"
        if not path.parent.is_dir():
            return f"there is no folder {path.parent}"
        if path.exists() and path != replacing:
            return EXISTS
    except OSError as error:
        return f"not possible: {error.strerror or error}"
    return ""


class Export:
    """One export that runs in a thread."""

    def __init__(
        self, view: View, wanted: ExportWanted, columns: Sequence[str] | None, after: Callable[[int], str] | None = None
    ) -> None:
        """Prepare an export.

        Args:
            view: The rows to write, in their order.
            wanted: The file.
            columns: Names of the columns to write; all for None.
            after: Called with the number of rows once the file is written; returns what else there is, in a few words. It may
                raise SingError.
        """
        self.view, self.wanted, self.columns, self.after = view, wanted, columns, after
        self._cancelled = False

    @property
    def name(self) -> str:
        """Name of the file."""
        return self.wanted.path.name

    def cancel(self) -> None:
        """Stop at the next piece; nothing of the file stays."""
        self._cancelled = True

    def run(self, report: Callable[[str], None]) -> str:
        """Write the file.

        Args:
            report: Called now and then with how far the export has come, in one line.

        Returns:
            How it ended, in one line.
        """
        last = monotonic()

        def progress(rows: int) -> None:
            nonlocal last
            if self._cancelled:
                raise Cancelled(f"cancelled: {self.wanted.path} was not written")
            if monotonic() - last > SAY_SECONDS:
                last = monotonic()
                report(f"writing {rows:,} of {len(self.view):,} rows, ^c cancels ...")

        try:
            count = save(
                self.view, self.wanted.path, replace=self.wanted.replace, columns=self.columns, progress=progress
            )
        except SingError as error:
            return str(error)
        said = f"{count:,} rows in {self.wanted.path.absolute()}"
        try:
            return said if self.after is None else f"{said}, {self.after(count)}"
        except SingError as error:
            return f"{said}, but {error}"
