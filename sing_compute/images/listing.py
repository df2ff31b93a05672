"""Which images there are, and the class each is said to show."""

import csv
import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sing_compute.errors import ImagesError

EXTENSIONS = frozenset([".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp", ".gif"])
SHOWN = 8
"""Unmatched labels named in an error before the rest is counted."""


@dataclass(frozen=True, slots=True)
class ImageList:
    """Images by key. A key is the path below the image root, with forward slashes; it stays the same on every machine."""

    root: Path
    keys: tuple[str, ...]
    labels: tuple[str, ...]
    """The class each image is said to show: a folder name, or the label in the list."""
    groups: tuple[str, ...] | None = None
    """The user's group of each image, empty for none."""
    counted: bool = False
    """Whether the labels are numbers of a label file, which may count from 0 or from 1."""

    def __len__(self) -> int:
        return len(self.keys)

    def path(self, index: int) -> Path:
        """Where the image lies on this machine."""
        return self.root / self.keys[index]

    def labels_among(self, classes: int) -> tuple[str, ...]:
        """The labels; numbers of a label file as positions that count from 0.

        Raises:
            ImagesError: The numbers do not tell where they begin, or exceed the classes.
        """
        if not self.counted:
            return self.labels
        numbers = [int(label) for label in self.labels]
        low, high = min(numbers), max(numbers)
        first = 0 if low == 0 else 1
        if high - first >= classes or (first == 1 and high < classes):
            told = f"the labels run from {low} to {high} for {classes} classes"
            if high - first < classes:
                told += ", so that it cannot be told whether they count from 0 or from 1"
            raise ImagesError(f"--labels: {told}; give WordNet ids or class names instead")
        return tuple(str(number - first) for number in numbers)


def list_images(source: Path) -> ImageList:
    """Images of a class folder tree, or of a CSV file with the columns path, label and perhaps group.

    Raises:
        ImagesError: No such folder or file, no images in it, or a list without the columns.
    """
    if source.is_dir():
        return _list_tree(source)
    if not source.exists():
        raise ImagesError(f"--images {source}: no such file or folder")
    if source.is_file() and source.suffix.lower() in (".csv", ".tsv"):
        return _list_table(source)
    raise ImagesError(f"--images {source}: give a folder with one subfolder per class, or a .csv of path,label[,group]")


def match_classes(labels: Sequence[str], names: Sequence[str], wnids: Sequence[str] | None) -> NDArray[np.int32]:
    """Index of the class that each label means: by WordNet id, by name without regard to case, `_` and `-`, or by index.

    Raises:
        ImagesError: Labels that match no class or several; the message lists them.
    """
    known: dict[str, set[int]] = {}
    for texts in (names, wnids or ()):
        for index, text in enumerate(texts):
            known.setdefault(_folded(text), set()).add(index)
    meaning: dict[str, int] = {}
    unmatched: list[str] = []
    ambiguous: list[str] = []
    for label in sorted(set(labels)):
        hits = known.get(_folded(label), set())
        if not hits and label.isdecimal() and int(label) < len(names):
            hits = {int(label)}
        if len(hits) == 1:
            meaning[label] = next(iter(hits))
        else:
            (ambiguous if hits else unmatched).append(label)
    if unmatched:
        raise ImagesError(
            f"{len(unmatched)} of {len(set(labels))} labels match none of the {len(names)} classes: {_listed(unmatched)}. "
            "Name folders by class name or WordNet id, or give the names in logit order with --class-names"
        )
    if ambiguous:
        raise ImagesError(f"labels that name several classes: {_listed(ambiguous)}; use WordNet ids or indices instead")
    return np.array([meaning[label] for label in labels], dtype=np.int32)


def folds_of(keys: Sequence[str], count: int) -> NDArray[np.int64]:
    """Fold of each image by a stable hash of its key: the same split on every machine and in every run."""
    return np.array([int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest()) % count for key in keys])


def _list_tree(root: Path) -> ImageList:
    folders = sorted(entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    keys, labels = [], []
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.suffix.lower() in EXTENSIONS and path.is_file():
                keys.append(path.relative_to(root).as_posix())
                labels.append(folder.name)
    for key in keys:
        try:
            key.encode()
        except UnicodeEncodeError:
            raise ImagesError(f"--images {root}: the name {key!a} is not UTF-8; rename it") from None
    if not keys:
        loose = sum(entry.suffix.lower() in EXTENSIONS for entry in root.iterdir())
        hint = f"; {loose} images lie loose in it" if loose else ""
        raise ImagesError(f"--images {root}: no images in its subfolders{hint}. It needs one subfolder per class")
    return ImageList(root, tuple(keys), tuple(labels))


def _list_table(source: Path) -> ImageList:
    try:
        with source.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, delimiter="\t" if source.suffix.lower() == ".tsv" else ",")
            columns = reader.fieldnames or []
            rows = [(reader.line_num, row) for row in reader]  # blank lines are no rows but count as lines
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ImagesError(f"--images {source}: not a readable UTF-8 table ({error})") from error
    if "path" not in columns or "label" not in columns:
        raise ImagesError(
            f"--images {source}: its first line must name the columns path,label[,group], found {','.join(columns)}"
        )
    if not rows:
        raise ImagesError(f"--images {source}: the list is empty")
    for number, row in rows:
        if not (row["path"] or "").strip() or not (row["label"] or "").strip():
            raise ImagesError(f"--images {source}, line {number}: path and label are both needed")
    keys = tuple(Path(row["path"]).as_posix() for _, row in rows)
    twice = next((key for key, count in Counter(keys).items() if count > 1), None)
    if twice is not None:
        raise ImagesError(f"--images {source}: {twice} stands in it twice; list each image once")
    groups = tuple(row["group"] or "" for _, row in rows) if "group" in columns else None
    return ImageList(source.parent, keys, tuple(row["label"] for _, row in rows), groups)


def _folded(text: str) -> str:
    return re.sub(r"[\s_-]+", " ", text).strip().casefold()


def _listed(items: Sequence[str]) -> str:
    return ", ".join(items[:SHOWN]) + (f" and {len(items) - SHOWN} more" if len(items) > SHOWN else "")
