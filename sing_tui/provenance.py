"""A JSON file next to an exported table that names its origin: results file, place, filter, sort and command."""

import hashlib
import json
from pathlib import Path

from sing_compute.atomic_write import text_file
from sing_compute.errors import SingError
from sing_compute.store.text import clean
from sing_tui.link import command
from sing_tui.start import Start


def provenance_path(table: Path) -> Path:
    """Return the file next to an exported table that says what its rows are of."""
    return table.with_name(table.name + ".provenance.json")


def write_provenance(
    path: Path,
    file: Path,
    start: Start,
    table: str,
    *,
    rows: int,
    every: str = "",
    scope: str = "shown",
    other: Path | None = None,
) -> None:
    """Write what the rows of an exported table are of.

    Args:
        path: The file to write.
        file: The results file.
        start: What was asked for.
        table: Name of the table.
        rows: Number of rows.
        every: The axis of whose items all rows were exported; empty for the rows of one place.
        scope: `shown`: the rows that pass the filter; `marked`: some of the table's, marked by hand; `table`: all.
        other: The second results file of a comparison of two.

    Raises:
        SingError: It cannot be written.
    """
    said = {
        **_file_facts("file", file),
        **({} if other is None else _file_facts("file2", other)),
        "table": table,
        "of": list(start.wish.at),
        "every": every,
        "filter": start.filter,
        "count_by": list(start.count_by),
        "look": list(start.look),
        "having": start.having,
        "sort": start.sort,
        "columns": list(start.columns),
        "top": start.top,
        "rows": rows,
        "scope": scope,
        "command": command(file, start, other) + (f" --all-{every}s" if every else ""),
    }
    try:
        with text_file(path, durable=False) as target:
            json.dump(said, target, indent=1, ensure_ascii=False)
    except OSError as error:
        raise SingError(f"cannot write {path}: {error.strerror or error}") from error


def _file_facts(name: str, file: Path) -> dict[str, str | int]:
    """Return where a results file is, its size and its checksum."""
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return {name: clean(str(file)), f"{name}_bytes": file.stat().st_size, f"{name}_sha256": digest}
