"""A results file of many models: copies of the models of a small one."""

from pathlib import Path

import h5py
import numpy as np
from stores import write_store


def write_many(path: Path, count: int, *, own: int = 2, null_space: bool = True) -> Path:
    """Write a file that `verify` accepts; its models are named model_000, model_001 and so on.

    Args:
        path: The file.
        count: Number of models.
        own: Number of different models; the others are copies of these, in turn.
        null_space: False for models without scores, which are checked in a tenth of the time.
    """
    names = [f"model_{k:03d}" for k in range(own)]
    small = write_store(path.with_suffix(".small.h5"), models=names, null_space=null_space)
    source = np.arange(count) % own
    with h5py.File(small, "r+") as file:
        for number in range(own, count):
            file.copy(f"models/model_{source[number]:03d}", f"models/model_{number:03d}")
            file[f"models/model_{number:03d}"].attrs.modify("order", number)
        for name, old in list(file["comparison"].items() if null_space else ()):
            cells, attributes = old[()], {key: (value, old.attrs.get_id(key).dtype) for key, value in old.attrs.items()}
            if name == "model":
                cells = np.array([f"model_{number:03d}".encode() for number in range(count)])
            elif name == "class_order":
                cells = cells[np.ix_(source, source)]
            elif name == "value":
                cells = cells[..., source]
            elif name == "above":
                cells = cells[..., source[:, None], source]
            del file[f"comparison/{name}"]
            new = file.create_dataset(f"comparison/{name}", data=cells)
            for key, (value, dtype) in attributes.items():
                new.attrs.create(key, value, dtype=dtype)
    return small.replace(path)
