"""Files with planted numbers for the tests of charts."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import pytest
from charting import Plant

from sing_compute.store import Store


@pytest.fixture
def plant(store_path: Path, tmp_path: Path) -> Iterator[Plant]:
    """A store with other numbers in it (None: without them)."""
    opened: list[Store] = []

    def planted(values: dict[str, Any], source: Path = store_path) -> Store:
        path = shutil.copy(source, tmp_path / f"planted{len(opened)}.h5")
        with h5py.File(path, "r+") as file:
            for name, value in values.items():
                if value is None:
                    del file[name]
                else:
                    file[name][...] = value
        opened.append(Store(path))
        return opened[-1]

    yield planted
    for store in opened:
        store.close()
