"""Views that the user has given a name, in a JSON file beside the state: place, filter, sort, columns and chart. No Textual.

A view belongs to the results file where it was kept, and can be opened in others that have its tables.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sing_compute.atomic_write import write_text
from sing_compute.errors import SingError
from sing_compute.outside_files import read_bytes
from sing_compute.store.text import clean, one_line
from sing_tui.link import as_dict, command, from_dict
from sing_tui.settings import file_key
from sing_tui.start import Start

MOST = 500
"""Views that are kept."""
NAME_CHARACTERS = 60
_MOST_BYTES = 4_000_000
_ENTRY_CHARACTERS = 16_000


@dataclass(frozen=True, slots=True)
class NamedView:
    """A view with a name."""

    name: str
    file: str
    """The results file where it was kept (`settings.file_key`)."""
    start: Start
    other: str = ""
    """The second results file, if it is a view of two."""

    @property
    def options(self) -> str:
        """The options of the command line that say the same."""
        return clean(command(Path("FILE"), self.start).removeprefix("sing-tui FILE").strip())


def views_path(state: Path) -> Path:
    """Return the file of the views, beside that of the state."""
    return state.with_name("views.json")


def read_views(path: Path, file: Path) -> list[NamedView]:
    """Read the kept views: those of one results file first, each group by name.

    Args:
        path: The file of the views; without it there are none.
        file: The results file.

    Raises:
        SingError: The file of the views cannot be read, or is damaged.
    """
    here = file_key(file)
    return sorted(_read(path), key=lambda view: (view.file != here, view.name.lower(), view.name, view.file))


def _read(path: Path) -> list[NamedView]:
    try:
        found = json.loads(read_bytes(path, most=_MOST_BYTES))
        if found["version"] != 1:
            raise ValueError
        return [_view(entry) for entry in found["views"]]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise SingError(one_line(f"cannot read {path}: {error.strerror or error}")) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise SingError(one_line(f"{path} is damaged: move it away to keep views again")) from error


def _view(entry: dict[str, Any]) -> NamedView:
    start = from_dict(entry["start"])
    if start is None or not isinstance(entry["name"], str) or not isinstance(entry["file"], str):
        raise ValueError
    other = entry.get("other", "")
    if not isinstance(other, str):
        raise ValueError
    return NamedView(entry["name"], entry["file"], start, other)


def keep_view(path: Path, file: Path, name: str, start: Start, other: Path | None = None) -> None:
    """Keep a view under a name; one of the same name and results file is replaced.

    Args:
        path: The file of the views.
        file: The results file.
        name: The name.
        start: The view.
        other: The second results file, where two are open.

    Raises:
        SingError: The name is empty or too long, there are too many views, or the file cannot be read or written.
    """
    name, here = name.strip(), file_key(file)
    if not name or len(name) > NAME_CHARACTERS or clean(name) != name:
        raise SingError(f"a view's name has 1 to {NAME_CHARACTERS} printable characters")
    others = [view for view in _read(path) if (view.name, view.file) != (name, here)]
    if len(others) >= MOST:
        raise SingError(f"there are {MOST} views already: remove one first")
    of_both = other is not None and start.wish.compare not in (None, "-")
    view = NamedView(name, here, start, file_key(other) if other is not None and of_both else "")
    if len(json.dumps(_entry(view))) > _ENTRY_CHARACTERS:
        raise SingError("this view is too long to keep: its filter or its columns")
    _write(path, [*others, view])


def remove_view(path: Path, view: NamedView) -> None:
    """Remove a view.

    Raises:
        SingError: The file of the views cannot be read or written.
    """
    _write(path, [other for other in _read(path) if (other.name, other.file) != (view.name, view.file)])


def find_view(path: Path, file: Path, name: str, *, pair: bool = False) -> Start:
    """Find a view by its name: of this results file, or else of another one if only one has it.

    Args:
        path: The file of the views.
        file: The results file.
        name: The name.
        pair: True if two results files are open.

    Raises:
        SingError: There is none, or it is of two files and one is open, or other files have several of that name, or the file of
            the views cannot be read.
    """
    views = read_views(path, file)
    named = [view for view in views if view.name == name]
    own = [view for view in named if view.file == file_key(file)]
    if len(own or named) > 1:
        files = ", ".join(Path(view.file).name for view in named)
        raise SingError(f"several files have a view {name!r}: {files}; this one has none")
    if not named:
        known = ", ".join(dict.fromkeys(view.name for view in views))
        raise SingError(f"no view {name!r}; " + (f"there are: {known}" if known else "W in the explorer keeps one"))
    return opened((own or named)[0], pair=pair)


def opened(view: NamedView, *, pair: bool) -> Start:
    """Return where a view leads.

    Args:
        view: The view.
        pair: True if two results files are open.

    Raises:
        SingError: It is of two files, and one is open: a comparison of files would become one of models.
    """
    if view.other and not pair:
        files = f"{Path(view.file).name} and {Path(view.other).name}"
        raise SingError(f"{view.name} is a view of two files, {files}: open both")
    return view.start


def _entry(view: NamedView) -> dict[str, Any]:
    found = {"name": view.name, "file": view.file, "start": as_dict(view.start)}
    return found | ({"other": view.other} if view.other else {})


def _write(path: Path, views: list[NamedView]) -> None:
    text = json.dumps({"version": 1, "views": [_entry(view) for view in views]})
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_text(path, text)
    except OSError as error:
        raise SingError(one_line(f"cannot write {path}: {error.strerror or error}")) from error
