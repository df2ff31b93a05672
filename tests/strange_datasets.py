"""Datasets put in the place of others, and the line that refuses one."""

from pathlib import Path

import h5py
import pytest

from sing_compute.errors import StoreError
from sing_compute.store import Store
from sing_compute.store.verify import verify


def refused(path: Path, name: str) -> str:
    """The line that reading a dataset ends in; `verify` must say the same."""
    with Store(path) as store:
        with pytest.raises(StoreError) as caught:
            store.array(name)
        problems = verify(store).problems
    line = str(caught.value)
    assert "\n" not in line
    assert any(line.endswith(problem) for problem in problems), problems
    return line


def make_unreadable(path: Path, name: str, cells: int = 43) -> None:
    """Put a column in the place of another whose one packed block unpacks to nothing."""
    with h5py.File(path, "r+") as file:
        del file[name]
        file.create_dataset(name, shape=cells, dtype="f4", chunks=(cells,), compression="gzip")
        file[name].id.write_direct_chunk((0,), b"no gzip at all")
