"""A folder of images whose classes stand in a label file, as ImageNet's validation set comes."""

import csv
from pathlib import Path

import numpy as np

from sing_compute.errors import ImagesError
from sing_compute.images.compact_text import Categorical
from sing_compute.images.folders import gathered, walk
from sing_compute.images.listing import EXTENSIONS, ImageList

DEVKIT_START = ("490", "361", "171", "822", "297")
"""First lines of the devkit's ILSVRC2012_validation_ground_truth.txt, whose numbers count in an order of its own."""
_COLUMNS = {"path": "label", "ImageId": "PredictionString"}
"""Columns of image and label: ours, and those of LOC_val_solution.csv, where the label is the first word."""


def list_labelled(folder: Path, file: Path) -> ImageList:
    """Images of a folder with the labels of a file.

    The file has a line `NAME LABEL` for each image, or a table with the columns path,label (or
    ImageId,PredictionString), or one label per line in the order of the sorted image names. A label is a WordNet id, a
    class name or a number.

    Raises:
        ImagesError: No such folder or file, no images, images without a label, or labels of another order or number.
    """
    if not folder.is_dir():
        raise ImagesError(f"--images {folder}: with --labels this is a folder of images, and there is none")
    found = gathered(folder, walk(folder, ""))
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
                f"--labels {file}: these are the devkit's ILSVRC ids, which count in another order than every model's logits; "
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
    return ImageList(folder, keys, known, counted=all(label.isdecimal() for label in known.names))


def _by_name(lines: list[str]) -> dict[str, str] | None:
    """Labels by image name; None where the file names no images."""
    separator = next((mark for mark in ("\t", ",") if mark in lines[0]), None) if lines else None
    rows = list(csv.reader(lines, delimiter=separator)) if separator else [line.split(maxsplit=1) for line in lines]
    columns = [text.strip() for text in rows[0]] if rows else []
    for name, label in _COLUMNS.items():
        if name in columns and label in columns:
            at, of = columns.index(name), columns.index(label)
            wanted = [(row[at].strip(), row[of].strip()) for row in rows[1:] if len(row) > max(at, of)]
            if name == "ImageId":
                wanted = [(image, text.partition(" ")[0]) for image, text in wanted]
            return {image: text for image, text in wanted if text}
    if len(columns) < 2 or Path(columns[0]).suffix.lower() not in EXTENSIONS:
        return None
    return {row[0].strip(): row[1].strip() for row in rows if len(row) > 1 and row[1].strip()}


def _find(named: dict[str, str], key: str) -> str | None:
    """The label of an image by its path below the folder, with or without the ending."""
    return named.get(key, named.get(Path(key).with_suffix("").as_posix()))
