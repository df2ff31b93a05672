"""A file whose classes have names that are alike, and WordNet ids."""

from pathlib import Path

import h5py
import numpy as np
from stores import write_store

NAMES = ("tiger cat", "cat", "great white shark", "tiger shark", "catamaran", "wildcat", "コネコ", "Crane", "crane")
WNIDS = [f"n{2000000 + 111 * row:08d}" for row in range(len(NAMES))]


def write_named(path: Path) -> Path:
    """Write two models over the named classes."""
    write_store(path, class_names=NAMES, images_per_class=(12,) * len(NAMES), concepts=20, models=("vit", "resnet50"))
    with h5py.File(path, "r+") as file:
        kind = h5py.string_dtype("utf-8", 9)
        file["classes"].create_dataset("wnid", data=np.array([wnid.encode() for wnid in WNIDS], dtype=kind), dtype=kind)
    return path
