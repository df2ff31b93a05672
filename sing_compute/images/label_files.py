"""List a folder of images whose classes are in a label file, like ImageNet's validation set."""

import csv
from pathlib import Path

import numpy as np

from sing_compute.errors import ImagesError
from sing_compute.images.compact_text import Categorical
from sing_compute.images.folders import compact_keys, image_keys
from sing_compute.images.listing import EXTENSIONS, ImageList

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
    found = compact_keys(folder, image_keys(folder, ""))
    keys = found.take(np.array(sorted(range(len(found)), key=found.raw), dtype=np.int64))
    if not keys:
        raise ImagesError(f"--images {folder}: no images in it")
    try:
        lines = [line.strip() for line in file.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ImagesError(f"--labels {file}: not a readable label file ({reason})") from error
    named = _by_name(lines)
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
        labels = lines
    else:
        missing = [key for key in keys if _find(named, key) is None]
        if missing:
            raise ImagesError(
                f"--labels {file}: {len(missing):,} of {len(keys):,} images have no label, the first is {missing[0]}"
            )
        labels = [str(_find(named, key)) for key in keys]
    known = Categorical.of(labels)
    return ImageList(folder, keys, known, numbered=all(label.isdecimal() for label in known.names))


def _by_name(lines: list[str]) -> dict[str, str] | None:
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
            return {image: text for image, text in pairs if text}
    if len(columns) < 2 or Path(columns[0]).suffix.lower() not in EXTENSIONS:
        return None
    return {row[0].strip(): row[1].strip() for row in rows if len(row) > 1 and row[1].strip()}


def _find(named: dict[str, str], key: str) -> str | None:
    """Return the label of an image by its key, with or without the ending; None if there is none."""
    return named.get(key, named.get(Path(key).with_suffix("").as_posix()))
