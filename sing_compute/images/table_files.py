"""Images that a table or a list names: a CSV file, or whatever comes on standard input."""

import csv
import io
import sys
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from sing_compute.errors import ImagesError
from sing_compute.images.compact_text import Coded, Texts
from sing_compute.images.listing import ImageList

COLUMNS = "path,label[,group]"


def list_table(source: Path) -> ImageList:
    """Images of a .csv or .tsv file with the columns path, label and perhaps group; paths are relative to its folder.

    Raises:
        ImagesError: It cannot be read, lacks the columns or a value, or names an image twice.
    """
    delimiter = "\t" if source.suffix.lower() == ".tsv" else ","
    try:
        with source.open(encoding="utf-8-sig", newline="") as stream:
            return _of_table(stream, delimiter, source.parent, str(source))
    except (OSError, UnicodeError, csv.Error) as error:
        raise ImagesError(f"--images {source}: not a readable UTF-8 table ({error})") from error


def list_standard_input() -> ImageList:
    """Images named on standard input: a table with those columns, or paths, one per line, in folders named by their class.

    Paths are relative to the current folder.

    Raises:
        ImagesError: Nothing is piped in, or it cannot be used.
    """
    if sys.stdin is None or sys.stdin.isatty():
        raise ImagesError(
            f"--images -: nothing is piped in; give a table of {COLUMNS} or one path per line on standard input"
        )
    try:
        assert isinstance(sys.stdin, io.TextIOWrapper)
        sys.stdin.reconfigure(encoding="utf-8-sig", newline="")
        first = sys.stdin.readline()
        delimiter = "\t" if "\t" in first else ","
        if {"path", "label"} <= set(first.strip().split(delimiter)):
            return _of_table(chain([first], sys.stdin), delimiter, Path(), "-")
        return _of_paths(chain([first], sys.stdin))
    except (OSError, UnicodeError, csv.Error) as error:
        raise ImagesError(f"--images -: not a readable UTF-8 list ({error})") from error


def _of_table(lines: Iterable[str], delimiter: str, root: Path, source: str) -> ImageList:
    reader = csv.reader(lines, delimiter=delimiter)
    columns = next(reader, [])
    if "path" not in columns or "label" not in columns:
        raise ImagesError(
            f"--images {source}: its first line must name the columns {COLUMNS}, found {','.join(columns)}"
        )
    at, of = columns.index("path"), columns.index("label")
    within = columns.index("group") if "group" in columns else len(columns)
    labels, groups = Coded(), Coded()

    def keys() -> Iterator[str]:
        for row in reader:
            if not row:
                continue
            row += [""] * (len(columns) + 1 - len(row))
            if not row[at].strip() or not row[of].strip():
                raise ImagesError(f"--images {source}, line {reader.line_num}: path and label are both needed")
            labels.add(row[of])
            groups.add(row[within])
            yield Path(row[at]).as_posix()

    texts = _each_once(keys(), source)
    return ImageList(root, texts, labels.categorical(), groups.categorical() if within < len(columns) else None)


def _of_paths(lines: Iterable[str]) -> ImageList:
    labels = Coded()

    def keys() -> Iterator[str]:
        for number, line in enumerate(lines, 1):
            path = Path(line.rstrip("\r\n"))
            if not path.name:
                continue
            if not path.parent.name:
                raise ImagesError(
                    f"--images -, line {number}: {path} lies in no folder that names its class; give such paths, or a table "
                    f"whose first line names the columns {COLUMNS}"
                )
            labels.add(path.parent.name)
            yield path.as_posix()

    return ImageList(Path(), _each_once(keys(), "-"), labels.categorical())


def _each_once(keys: Iterator[str], source: str) -> Texts:
    texts = Texts(keys)
    if not texts:
        raise ImagesError(f"--images {source}: the list is empty")
    twice = texts.repeated()
    if twice is not None:
        raise ImagesError(f"--images {source}: {twice} stands in it twice; list each image once")
    return texts
