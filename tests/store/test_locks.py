"""Reading a results file where files cannot be locked, or while another program writes it."""

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import pytest
from stores import write_store

from sing_compute.errors import StoreError
from sing_compute.store import Store


@pytest.fixture
def store_path(tmp_path: Path) -> Path:
    return write_store(tmp_path / "results.h5")


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, 524])
def test_a_file_is_read_without_locks_where_there_are_none(
    number: int, store_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, asked = h5py.File, []

    def on_such_a_disk(*place: Any, locking: Any, **options: Any) -> h5py.File:
        asked.append(locking)
        if locking:
            text = "Unable to synchronously open file (unable to lock file, errno = {}, error message = '...')"
            raise OSError(number, text.format(number))
        return real(*place, locking=locking, **options)

    with Store(store_path) as store:
        models = store.models
    monkeypatch.setattr(h5py, "File", on_such_a_disk)
    with Store(store_path) as store:
        assert store.models == models != []
    assert asked == ["best-effort", False]


def test_a_file_that_is_written_elsewhere_is_named_with_the_way_out(store_path: Path) -> None:
    read = f"from sing_compute.store import Store\nStore({str(store_path)!r})"
    free = {name: value for name, value in os.environ.items() if name != "HDF5_USE_FILE_LOCKING"}
    with h5py.File(store_path, "r+", locking=True):
        locked, forced = (
            subprocess.run([sys.executable, "-c", read], capture_output=True, text=True, env=environ)
            for environ in (free, free | {"HDF5_USE_FILE_LOCKING": "FALSE"})
        )
    assert locked.stderr.splitlines()[-1] == (
        f"sing_compute.errors.StoreError: {store_path} is open for writing in another program; close it there, or set "
        "HDF5_USE_FILE_LOCKING=FALSE to read it all the same"
    )
    assert "open for writing" not in forced.stderr


def test_a_damaged_file_is_not_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, asked = h5py.File, []
    monkeypatch.setattr(h5py, "File", lambda *place, **options: asked.append(1) or real(*place, **options))
    (tmp_path / "a.h5").write_bytes(b"not HDF5")
    with pytest.raises(StoreError, match="is it complete"):
        Store(tmp_path / "a.h5")
    assert asked == [1]
