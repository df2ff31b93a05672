import errno
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from sing_compute import atomic_write
from sing_compute.atomic_write import (
    ProtectedFileError,
    binary_file,
    sync_folder,
    text_file,
    write_bytes,
    write_failure,
    write_text,
)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_holds_what_was_written_and_nothing_else_is_left(tmp_path: Path) -> None:
    write_bytes(tmp_path / "a", b"\0\xff")
    write_text(tmp_path / "b", "é\r\nß\n")
    with binary_file(tmp_path / "c") as stream:
        stream.write(b"one")
        stream.write(b"two")
    with text_file(tmp_path / "d") as text:
        text.write("é\r\n")
        text.write("ß\n")
    written = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert written == {"a": b"\0\xff", "b": "é\r\nß\n".encode(), "c": b"onetwo", "d": "é\r\nß\n".encode()}


def test_a_reader_sees_the_old_file_until_the_new_one_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_text(path, "old")
    with text_file(path) as stream:
        stream.write("new" * 100_000)
        assert path.read_text() == "old"
    assert path.read_text() == "new" * 100_000


class Stopped(BaseException):
    """Ends a process as a signal does."""


@pytest.mark.parametrize("error", [Stopped, KeyboardInterrupt, ValueError, OSError])
def test_a_block_that_raises_leaves_the_old_file_and_no_other(tmp_path: Path, error: type[BaseException]) -> None:
    def fail() -> None:
        with text_file(path) as stream:
            stream.write("new")
            raise error

    path = tmp_path / "a"
    write_text(path, "old")
    with pytest.raises(error):
        fail()
    assert (names(tmp_path), path.read_text()) == (["a"], "old")


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_an_error_of_the_disk_is_raised_and_the_old_file_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "a"
    write_text(path, "old")
    with monkeypatch.context() as patched:
        patched.setattr(*((os, "fsync", full) if step == "fsync" else (Path, "replace", full)))
        with pytest.raises(OSError, match="No space left") as raised:
            write_text(path, "new")
    assert raised.value.errno == errno.ENOSPC
    assert (names(tmp_path), path.read_text()) == (["a"], "old")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's full device")
def test_an_error_of_the_last_buffer_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: Callable[..., int] = os.open
    monkeypatch.setattr(os, "open", lambda path, flags, *rest, **more: opened("/dev/full", os.O_WRONLY))
    with pytest.raises(OSError, match="No space left"):
        write_bytes(tmp_path / "a", b"fits into the buffer")
    assert names(tmp_path) == []


def test_the_file_is_on_disk_before_it_gets_its_name_and_the_name_before_the_call_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    sync, replace = os.fsync, Path.replace

    def recorded_sync(descriptor: int) -> None:
        events.append(
            "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else f"{os.fstat(descriptor).st_size} bytes"
        )
        sync(descriptor)

    def recorded_replace(source: Path, target: Path) -> Path:
        events.append("rename")
        return replace(source, target)

    monkeypatch.setattr(os, "fsync", recorded_sync)
    monkeypatch.setattr(Path, "replace", recorded_replace)
    write_text(tmp_path / "a", "three")
    assert events == ["5 bytes", "rename", "folder"]
    events.clear()
    write_text(tmp_path / "a", "three", durable=False)
    assert events == ["rename"]


@pytest.mark.parametrize(("number", "raised"), [(errno.EINVAL, False), (errno.ENOTSUP, False), (errno.EIO, True)])
def test_only_a_folder_that_cannot_be_synced_at_all_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, raised: bool
) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    if raised:
        with pytest.raises(OSError, match=os.strerror(number)):
            sync_folder(tmp_path)
    else:
        sync_folder(tmp_path)


def test_a_folder_that_is_missing_is_an_error_and_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_text(tmp_path / "none" / "a", "")
    assert names(tmp_path) == []


def test_permissions_are_those_asked_for_under_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        write_text(tmp_path / "open", "")
        write_text(tmp_path / "private", "", permissions=0o600)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "open").stat().st_mode) == 0o644
    assert stat.S_IMODE((tmp_path / "private").stat().st_mode) == 0o600


def test_text_that_is_no_unicode_leaves_the_old_file(tmp_path: Path) -> None:
    write_text(tmp_path / "a", "old")
    with pytest.raises(UnicodeEncodeError):
        write_text(tmp_path / "a", "\udcff")
    assert (names(tmp_path), (tmp_path / "a").read_text()) == (["a"], "old")


def test_a_name_as_long_as_the_file_system_takes_is_written(tmp_path: Path) -> None:
    name = "n" * os.pathconf(tmp_path, "PC_NAME_MAX")
    write_text(tmp_path / name, "")
    assert names(tmp_path) == [name]


PROGRAM = """
import sys
from pathlib import Path
from sing_compute.atomic_write import write_bytes
for _ in range(50):
    write_bytes(Path(sys.argv[1]), sys.argv[2].encode() * 100_000, durable=False)
"""


def test_writers_of_one_file_never_mix(tmp_path: Path) -> None:
    path = tmp_path / "a"
    command = [sys.executable, "-c", PROGRAM, str(path)]
    writers = [subprocess.Popen([*command, letter]) for letter in "xyz"]
    seen = set()
    while any(writer.poll() is None for writer in writers):
        if path.exists():
            seen.add(path.read_bytes())
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    assert seen <= {letter * 100_000 for letter in (b"x", b"y", b"z")}
    assert names(tmp_path) == ["a"]
    assert len(path.read_bytes()) == 100_000


@pytest.mark.parametrize("number", [28, 122, 27])
def test_a_full_disk_says_how_much_room_there_is(tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(atomic_write.shutil, "disk_usage", lambda folder: SimpleNamespace(free=1_234_567_890_123))
    said = write_failure(tmp_path / "x", OSError(number, os.strerror(number)))
    assert said.startswith(f"cannot write {tmp_path / 'x'}: {os.strerror(number)} (1,234,567.9 MB free there); ")
    other = write_failure(tmp_path / "x", PermissionError(13, "Permission denied"))
    assert other == f"cannot write {tmp_path / 'x'}: Permission denied; finished work is kept, the same command goes on"


def test_a_device_a_folder_or_a_results_file_is_never_replaced(tmp_path: Path) -> None:
    pipe, link, folder, results = (tmp_path / name for name in ("pipe", "link", "folder", "results.h5"))
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    folder.mkdir()
    results.write_bytes(b"\x89HDF\r\n\x1a\n and more")
    special = "it is no regular file"
    for path, said in (
        (pipe, special), (link, special), (folder, "it is a folder"), (results, "it is a results file, or another HDF5 file"),
    ):  # fmt: skip
        with pytest.raises(ProtectedFileError) as caught:
            write_bytes(path, b"new")
        assert write_failure(path, caught.value) == f"cannot write {path}: {said}; name another file"
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert link.is_symlink()
    assert results.read_bytes().endswith(b"and more")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["folder", "link", "pipe", "results.h5"]
