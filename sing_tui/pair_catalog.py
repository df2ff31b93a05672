"""Two results files as the session asks them: the catalogue of the first one, and any table of it in both."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from sing_compute.errors import SingError
from sing_compute.store import Store, Table
from sing_compute.store.definition import Axis
from sing_compute.store.place import Key, Place
from sing_compute.store.two_files import TwoFiles
from sing_tui.session.counted import base_of
from sing_tui.session.files import FILES_AXIS, is_joined
from sing_tui.session.state import FILES
from sing_tui.store_catalog import StoreCatalog, is_measure

_ROOM = 12
"""Letters of a file's name that the heading of a column has room for."""


class PairCatalog(StoreCatalog):
    """Two open files; places are of the first one, and a comparison along the axis `FILES` is of both."""

    def __init__(self, two: TwoFiles, photographs: Path | None = None) -> None:
        """Ask two open files.

        Args:
            two: The results files.
            photographs: The user's folder of photographs on this machine.
        """
        super().__init__(two.first, photographs)
        self.two, self._other = two, StoreCatalog(two.second)

    @property
    def files(self) -> Sequence[str]:
        """Names of both files."""
        return self.two.labels

    def title(self, place: Place) -> str:
        """Name of what a place is of, for the line at the top."""
        if is_joined(base_of(place)):
            return " | ".join(self.files)
        name, other = self.store.path, self.two.second.path
        return str(Path(self.files[0]) / name.name) if name.name == other.name else name.name

    def close(self) -> None:
        """Release both files."""
        super().close()
        self.two.second.close()

    def axis(self, name: str) -> Axis:
        """A declared axis, or that of the files."""
        return FILES_AXIS if name == FILES else super().axis(name)

    def items(self, axis: str, place: Place | None) -> Sequence[str]:
        """Names of all items of an axis, those of the first file."""
        return self.files if axis == FILES else super().items(axis, place)

    def count(self, axis: str, place: Place | None) -> int:
        """Number of all items of an axis in the first file."""
        return len(self.files) if axis == FILES else super().count(axis, place)

    def label(self, axis: str, key: Key, place: Place | None) -> str:
        """Name of one item, of a row that only the second file has, too; '-' where neither file has it."""
        found = super().label(axis, key, place)
        second = found == "-" and isinstance(key, int) and place is not None
        return self.two.second_name(axis, key, place.plain) if second else found  # type: ignore[arg-type, union-attr]

    def measures(self, place: Place) -> Sequence[str]:
        """Names of the columns of a table that can be compared; in both files, of those that both have."""
        if not is_joined(place):
            return super().measures(place)
        there = self._other.open(self.two.counterpart(place.plain))
        known = {column.name for column in there.columns if is_measure(column)}
        return [name for name in super().measures(place.plain) if name in known]

    def open(self, place: Place) -> Table:
        """Open the table at a place, in both files where it is compared along them.

        Raises:
            StoreError: A file does not hold it.
        """
        if not is_joined(place) or place.comparison is None:
            return super().open(place)
        measure = place.comparison.measure
        return self.two.table(place.plain, measure) if measure else self.two.figures(place.plain)


def open_pair(path: Path, other: Path, photographs: Path | None = None) -> PairCatalog:
    """Open two results files.

    Args:
        path: The first file.
        other: The file that is compared with it.
        photographs: The user's folder of photographs on this machine.

    Raises:
        SingError: One of them is no results file, or both are the same file.
    """
    if path.exists() and other.exists() and os.path.samefile(path, other):
        raise SingError(f"{path} and {other} are the same file: name two results files")
    first = Store(path)
    try:
        return PairCatalog(TwoFiles(first, Store(other), file_labels(path, other)), photographs)
    except BaseException:
        first.close()
        raise


def file_labels(path: Path, other: Path) -> tuple[str, str]:
    """Return short names of two files that differ: their names, or the folders in which files of one name are.

    Of long names, the words at both ends that they share are left out: a heading has room for 12 letters.
    """
    if path.stem.casefold() != other.stem.casefold():
        return _without_shared_words(path.stem, other.stem)
    if path.name.casefold() != other.name.casefold():
        return path.name, other.name
    one, two = (list(reversed(Path(os.path.abspath(each)).parts[:-1])) for each in (path, other))
    folders = next((pair for pair in zip(one, two, strict=False) if pair[0].casefold() != pair[1].casefold()), None)
    return (str(path), str(other)) if folders is None else folders


def _without_shared_words(one: str, other: str) -> tuple[str, str]:
    if max(len(one), len(other)) <= _ROOM:
        return one, other
    first, second = (re.findall(r"[^\W_]+[\W_]*|[\W_]+", text) for text in (one, other))
    for end in (0, -1):
        while min(len(first), len(second)) > 1 and first[end].casefold() == second[end].casefold():
            del first[end], second[end]
    short = tuple("".join(words).strip("_-. ") for words in (first, second))
    return (short[0], short[1]) if all(short) and short[0].casefold() != short[1].casefold() else (one, other)
