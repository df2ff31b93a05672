"""A results file whose images have one colour each, so that a screen shows which image is drawn where."""

from pathlib import Path

import h5py
import numpy as np
from drawings import save
from stores import write_store

Pixel = tuple[int, int, int]
IMAGES = 43
BROKEN, ABSENT = 7, 9
"""Rows of a file that is no image, and of one that is not there."""


def color(row: int) -> Pixel:
    """The colour of an image, of the steps that half-cells have."""
    return tuple(round(step * 255 / 31) for step in (5 * (row % 7), 5 * (row // 7 % 7), 10))


def plant(folder: Path) -> Path:
    """Write a results file and an image for each row; one file is broken and one is absent."""
    path = write_store(folder / "results.h5", seed=3)
    with h5py.File(path, "r+") as file:
        file["images"].attrs["root"] = np.bytes_(folder)
        keys = [key.decode() for key in file["images/key"]]
    assert len(keys) == IMAGES
    for row, key in enumerate(keys):
        if row != ABSENT:
            save(folder / key, np.full((8, 8, 3), color(row)))
    (folder / keys[BROKEN]).write_bytes(b"no image")
    return path
