"""List a folder of images whose classes are in a label file, like ImageNet's validation set."""

import csv
import re
import unicodedata
from pathlib import Path

import numpy as np

from sing_compute.errors import ImagesError
from sing_compute.images.compact_text import Categorical, Texts
from sing_compute.images.folders import LeftOut, compact_keys, image_keys
from sing_compute.images.listing import EXTENSIONS, ImageList
from sing_compute.outside_files import read_text

DEVKIT_START = ("490", "361", "171", "822", "297")
"""First lines of the devkit's ILSVRC2012_validation_ground_truth.txt, which numbers the classes in another order."""
_COLUMNS = {"path": "label", "ImageId": "PredictionString"}
"""Columns of image and label: ours, and those of LOC_val_solution.csv, where the label is the first word of its cell."""


def list_with_labels(folder: Path, file: Path) -> ImageList:
    """List the images of a folder with the labels of a file.

    Args:
        folder: The images, also in subfolders.
        file: A line `NAME LABEL` for each image, or a table with the columns path,label (or ImageId,PredictionString),
            or one label per line in the order of the sorted image names. A label is a WordNet id, a class name or a
            number.

    Raises:
        ImagesError: No such folder or file, no images, images without a label, or labels in another order or number.
    """
    if not folder.is_dir():
        raise ImagesError(f"--images {folder}: with --labels this must be a folder of images, and there is none")
    left_out = LeftOut()
    found = compact_keys(folder, image_keys(folder, "", left_out=left_out))
    keys = found.take(np.array(sorted(range(len(found)), key=found.raw), dtype=np.int64))
    if not keys:
        raise ImagesError(f"--images {folder}: no images in it")
    labels, notes = labels_of(keys, file)
    return ImageList(folder, keys, labels, notes=(*left_out.notes, *notes))


def labels_of(keys: Texts, file: Path) -> tuple[Categorical, list[str]]:
    """Read the label of each key from a label file.

    Args:
        keys: Keys of the images, sorted.
        file: As in `list_with_labels`.

    Returns:
        The labels, and a line for each kind of entry that was left out.

    Raises:
        ImagesError: The file cannot be read, images have no label or two, or labels are in another order or number.
    """
    try:
        lines = [line.strip() for line in read_text(file).split("\n") if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ImagesError(f"--labels {file}: not a readable label file ({reason})") from error
    named = _by_name(lines, file)
    if named is None:
        if len(lines) != len(keys):
            raise ImagesError(
                f"--labels {file}: {len(lines):,} labels for {len(keys):,} images; give one per line in the order of the "
                "file names, or lines of NAME LABEL"
            )
        if tuple(lines[: len(DEVKIT_START)]) == DEVKIT_START:
            raise ImagesError(
                f"--labels {file}: these are the devkit's ILSVRC ids, which have another order than every model's logits; "
                "take a list of WordNet ids, or LOC_val_solution.csv"
            )
        _check_one_order(list(keys), file)
        return Categorical.of(lines), []
    found = [_find(named, key) for key in keys]
    missing = [key for key, label in zip(keys, found, strict=True) if label is None]
    if missing:
        raise ImagesError(
            f"--labels {file}: {len(missing):,} of {len(keys):,} images have no label, the first is {missing[0]}"
        )
    known_names = {form for key in keys for form in _forms(key)}
    absent = [name for name in named if name not in known_names]
    notes = (
        [f"{len(absent):,} lines of {file.name} name no image of the folder, the first names {absent[0]}"]
        if absent
        else []
    )
    return Categorical.of([str(label) for label in found]), notes


def _check_one_order(keys: list[str], file: Path) -> None:
    """Refuse a list without names whose order could be by characters or by numbers: 10.png comes before or after 2.png."""
    by_number = sorted(
        keys, key=lambda key: [int(part) if part.isdecimal() else part for part in re.split(r"([0-9]+)", key)]
    )
    pair = next(((one, other) for one, other in zip(keys, by_number, strict=True) if one != other), None)
    if pair:
        raise ImagesError(
            f"--labels {file}: one label per line, but the order of the images is not certain: by characters {pair[0]} comes "
            f"first, by numbers {pair[1]}; give lines of NAME LABEL"
        )


def _by_name(lines: list[str], file: Path) -> dict[str, str] | None:
    """Return labels by image name; None if the file names no images."""
    separator = next((mark for mark in ("\t", ",") if mark in lines[0]), None) if lines else None
    rows = list(csv.reader(lines, delimiter=separator)) if separator else [line.split(maxsplit=1) for line in lines]
    columns = [text.strip() for text in rows[0]] if rows else []
    for name, label in _COLUMNS.items():
        if name in columns and label in columns:
            image_column, label_column = columns.index(name), columns.index(label)
            complete = [row for row in rows[1:] if len(row) > max(image_column, label_column)]
            pairs = [(row[image_column].strip(), row[label_column].strip()) for row in complete]
            if name == "ImageId":
                pairs = [(image, text.partition(" ")[0]) for image, text in pairs]
            return _without_contradictions(pairs, file)
    if len(columns) < 2 or Path(columns[0]).suffix.lower() not in EXTENSIONS:
        return None
    return _without_contradictions([(row[0].strip(), row[1].strip()) for row in rows if len(row) > 1], file)


def _without_contradictions(pairs: list[tuple[str, str]], file: Path) -> dict[str, str]:
    """Return labels by image name, in one way to write each letter; an image with two different labels is refused."""
    named: dict[str, str] = {}
    contradicted: list[str] = []
    for image, label in pairs:
        if not label:
            continue
        name = unicodedata.normalize("NFC", image)
        if named.setdefault(name, label) != label:
            contradicted.append(f"{image} ({named[name]}, {label})")
    if contradicted:
        raise ImagesError(
            f"--labels {file}: {len(contradicted):,} images have two different labels, the first is {contradicted[0]}; "
            "give each image one label"
        )
    return named


def _find(named: dict[str, str], key: str) -> str | None:
    """Return the label of an image by its key, with or without the ending; None if there is none."""
    return next((named[form] for form in _forms(key) if form in named), None)


def _forms(key: str) -> tuple[str, str]:
    """Return the names that a label file may have for an image."""
    name = unicodedata.normalize("NFC", key)
    return name, Path(name).with_suffix("").as_posix()
