"""The content of a results file, as it is stored."""

from pathlib import Path

import h5py
import numpy as np


def datasets(path: Path) -> dict[str, np.ndarray]:
    """Return every dataset of a file by its path."""
    found: dict[str, np.ndarray] = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    return found


def contents(path: Path) -> dict[str, object]:
    """Every dataset and attribute as bytes."""
    found: dict[str, object] = {}

    def keep(name: str, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = item[()].tobytes()
        found.update({f"{name}@{key}": np.asarray(value).tobytes() for key, value in item.attrs.items()})

    with h5py.File(path) as file:
        file.visititems(keep)
    return found
