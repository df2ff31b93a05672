"""List the images that a CSV file or a list on standard input names."""

import csv
import io
import sys
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from sing_compute.errors import ImagesError
from sing_compute.images.compact_text import CategoricalBuilder, Texts
from sing_compute.images.listing import MOST_KEY, ImageList
from sing_compute.outside_files import TABLE, bounded_lines, open_file

COLUMNS = "path,label[,group]"


def list_table(source: Path) -> ImageList:
    """List the images of a table.

    Args:
        source: A .csv or .tsv file with the columns path, label and optionally group; paths are relative to its folder.

    Raises:
        ImagesError: The file cannot be read, lacks a column or a value, or names an image twice.
    """
    delimiter = "\t" if source.suffix.lower() == ".tsv" else ","
    try:
        opened = open_file(source, most=TABLE)
        with io.TextIOWrapper(opened, encoding="utf-8-sig", newline="") as stream:
            return _of_table(bounded_lines(stream), delimiter, source.parent, str(source))
    except (OSError, UnicodeError, csv.Error) as error:
        raise ImagesError(f"--images {source}: not a readable UTF-8 table ({error})") from error


def list_standard_input() -> ImageList:
    """List the images that standard input names: a table as in `list_table`, or one path per line.

    Paths are relative to the current folder. Without a table, the class of an image is the name of its folder.

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
        lines = bounded_lines(sys.stdin)
        first = next(lines, "")
        delimiter = "\t" if "\t" in first else ","
        if {"path", "label"} <= set(first.strip().split(delimiter)):
            return _of_table(chain([first], lines), delimiter, Path(), "-")
        return _of_paths(chain([first], lines))
    except (OSError, UnicodeError, csv.Error) as error:
        raise ImagesError(f"--images -: not a readable UTF-8 list ({error})") from error


def _of_table(lines: Iterable[str], delimiter: str, root: Path, source: str) -> ImageList:
    reader = csv.reader(lines, delimiter=delimiter)
    columns = next(reader, [])
    if "path" not in columns or "label" not in columns:
        raise ImagesError(
            f"--images {source}: its first line must name the columns {COLUMNS}, found {','.join(columns)}"
        )
    path_column, label_column = columns.index("path"), columns.index("label")
    group_column = columns.index("group") if "group" in columns else len(columns)
    labels, groups = CategoricalBuilder(), CategoricalBuilder()

    def keys() -> Iterator[str]:
        for row in reader:
            if not row:
                continue
            row += [""] * (len(columns) + 1 - len(row))
            if not row[path_column].strip() or not row[label_column].strip():
                raise ImagesError(f"--images {source}, line {reader.line_num}: path and label are both needed")
            if max(len(row[column].encode("utf-8", "replace")) for column in range(len(columns))) > MOST_KEY:
                raise ImagesError(
                    f"--images {source}, line {reader.line_num}: a path or label has at most {MOST_KEY:,} bytes"
                )
            labels.add(row[label_column])
            groups.add(row[group_column])
            yield Path(row[path_column]).as_posix()

    texts = _without_duplicates(keys(), source)
    return ImageList(root, texts, labels.build(), groups.build() if group_column < len(columns) else None)


def _of_paths(lines: Iterable[str]) -> ImageList:
    labels = CategoricalBuilder()

    def keys() -> Iterator[str]:
        for number, line in enumerate(lines, 1):
            if "\0" in line:
                raise ImagesError(
                    "--images -: paths must end in a line break, not in a NUL byte (find without -print0)"
                )
            path = Path(line.rstrip("\r\n"))
            if not path.name:
                continue
            if not path.parent.name:
                raise ImagesError(
                    f"--images -, line {number}: {path} is in no folder that names its class; give such paths, or a table "
                    f"whose first line names the columns {COLUMNS}"
                )
            labels.add(path.parent.name)
            yield path.as_posix()

    return ImageList(Path(), _without_duplicates(keys(), "-"), labels.build())


def _without_duplicates(keys: Iterator[str], source: str) -> Texts:
    """Copy keys into one buffer; raise an error if there are none, or one occurs twice."""
    texts = Texts(keys)
    if not texts:
        raise ImagesError(f"--images {source}: the list is empty")
    duplicate = texts.first_duplicate()
    if duplicate is not None:
        raise ImagesError(f"--images {source}: {duplicate} is in it twice; list each image once")
    return texts
