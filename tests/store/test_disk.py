"""A results file on a disk that fills up at any byte: one line, the old file, and nothing else; HDF5 itself never sees it."""

import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from stores import write_store

from sing_compute.errors import StoreError
from sing_compute.store import Store, replace_store
from sing_compute.store.disk import StoreStream

FILLING = """
import os, resource, signal, sys
from pathlib import Path
from sing_compute.errors import StoreError
from sing_compute.store import Store, replace_store

place, step = Path(sys.argv[1]), int(sys.argv[2])
for limit in range(0, 16 * step, step):
    sys.stdout.flush()
    if os.fork() == 0:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        try:
            with Store(place / "whole.h5") as store, replace_store(place / "out.h5", scratch=place / "work") as writer:
                writer.copy(store)
                if limit % 3 == 0:
                    raise KeyboardInterrupt
        except (StoreError, KeyboardInterrupt) as error:
            os.write(1, f"{limit} {error or 'interrupted'}\\n".encode())
        sys.exit()  # HDF5 tidies up once more
    assert os.wait()[1] == 0
    assert (place / "out.h5").read_bytes() == b"\\x89HDF\\r\\n\\x1a\\nold" and not list((place / "work").iterdir()), limit
"""

OLD = b"\x89HDF\r\n\x1a\nold"
"""A damaged results file: a new one may take its place."""


def test_wherever_the_room_ends_the_old_file_stays_and_one_line_says_why(tmp_path: Path) -> None:
    source = write_store(tmp_path / "source.h5")
    with Store(source) as store, replace_store(tmp_path / "whole.h5", scratch=tmp_path) as writer:
        writer.copy(store)
    size = (tmp_path / "whole.h5").stat().st_size
    (tmp_path / "out.h5").write_bytes(OLD)
    step = size // 17
    ended = subprocess.run(
        [sys.executable, "-c", FILLING, str(tmp_path), str(step)], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    lines = dict(line.split(" ", 1) for line in ended.stdout.splitlines())
    assert len(lines) == 16
    said = set(lines.values()) - {"interrupted"}
    assert said
    for line in said:
        assert line.startswith(f"cannot write {tmp_path / 'out.h5'}: File too large (")
        assert line.endswith(" MB free there); finished work is kept: make room, and the same command goes on")


def test_through_the_stream_hdf5_writes_what_it_writes_to_a_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(300, 70)).astype(np.float32)

    def fill(file: h5py.File) -> None:
        file.create_dataset("rows", data=rows)
        packed = file.create_dataset("packed", rows.shape, "f4", chunks=(32, 70), compression="gzip")
        for row in rng.permutation(300):
            packed[row] = rows[row]
        del file["rows"]
        file.create_group("late").attrs["text"] = "x" * 3000

    with StoreStream(tmp_path / "stream.h5") as stream:
        file = h5py.File(stream, "w")
        fill(file)
        file.close()
        assert stream.failure is None
    with h5py.File(tmp_path / "stream.h5") as file:
        assert np.array_equal(file["packed"][()], rows)
        assert file["late"].attrs["text"] == "x" * 3000
        assert list(file) == ["late", "packed"]


def test_a_file_that_cannot_be_finished_leaves_the_old_one_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    (tmp_path / "x.h5").write_bytes(OLD)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match=r"^cannot write .*x.h5: No space left on device \("):
        with_one_text(tmp_path / "x.h5")
    assert [path.name for path in tmp_path.iterdir()] == ["x.h5"]
    assert (tmp_path / "x.h5").read_bytes() == OLD


def with_one_text(path: Path) -> None:
    """The smallest results file."""
    with replace_store(path, scratch=path.parent) as writer:
        writer.put("classes/name", ["one"])
