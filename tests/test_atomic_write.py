"""A file is replaced in one step or not at all, and a full disk is explained in one line."""

import os
from pathlib import Path

import pytest

from sing_compute.atomic_write import replacing, write_atomically, write_failure


def test_the_old_content_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    write_atomically(path, b"old")
    with replacing(path) as temporary:
        temporary.write_bytes(b"new")
        assert path.read_bytes() == b"old"
        assert temporary.parent == tmp_path
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_the_temporary_file_may_be_in_another_folder(tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir()
    with replacing(tmp_path / "table.csv", folder=tmp_path / "scratch") as temporary:
        temporary.write_bytes(b"rows")
        assert temporary.parent == tmp_path / "scratch"
    assert (tmp_path / "table.csv").read_bytes() == b"rows"
    assert list((tmp_path / "scratch").iterdir()) == []


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), KeyboardInterrupt()])
def test_a_block_that_fails_leaves_the_old_file_alone(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "plan.json"
    path.write_bytes(b"old")

    def fail() -> None:
        with replacing(path) as temporary:
            temporary.write_bytes(b"half of")
            raise error

    with pytest.raises(type(error)):
        fail()
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == b"old"


def test_a_content_that_cannot_be_flushed_leaves_the_old_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "plan.json"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, b"new")
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == b"old"


def test_content_and_name_are_flushed_only_where_they_must_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[bool] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: flushed.append(os.path.isdir(f"/proc/self/fd/{descriptor}")))
    with replacing(tmp_path / "state.json", durable=False) as temporary:
        temporary.write_bytes(b"state")
    assert flushed == []
    write_atomically(tmp_path / "plan.json", b"plan")
    assert flushed == [False, True]  # the file before its name


@pytest.mark.parametrize("number", [28, 122, 27])
def test_a_full_disk_says_how_much_room_there_is(tmp_path: Path, number: int) -> None:
    free = os.statvfs(tmp_path)
    said = write_failure(tmp_path / "x", OSError(number, os.strerror(number)))
    head, _, rest = said.partition(" (")
    assert head == f"cannot write {tmp_path / 'x'}: {os.strerror(number)}"
    assert float(rest.split()[0].replace(",", "")) == pytest.approx(free.f_bavail * free.f_frsize / 1e6, abs=500)
    other = write_failure(tmp_path / "x", PermissionError(13, "Permission denied"))
    assert other == f"cannot write {tmp_path / 'x'}: Permission denied; finished work is kept, the same command goes on"
