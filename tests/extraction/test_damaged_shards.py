"""Disks that are full or do not answer, damaged shards and plans, places that cannot be written."""

import errno
import fcntl
import os
from pathlib import Path

import pytest
from work_folders import PLAN, opened, shard, unfinished

from sing_compute import atomic_write, sealed_file
from sing_compute.errors import SingError
from sing_compute.extraction import folder_lock
from sing_compute.extraction.shards import WorkFolder


@pytest.mark.parametrize("moment", ["fsync", "replace"])
def test_a_shard_torn_by_a_crash_never_stands_under_its_final_name(
    moment: str, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Crash(BaseException):
        """Ends the process, as a signal does."""

    def crash(*_: object) -> None:
        assert not work.has(0)  # bytes are on their way, but not under this name
        raise Crash

    work = opened(output)
    with monkeypatch.context() as patched:
        patched.setattr(*((atomic_write.os, "fsync", crash) if moment == "fsync" else (Path, "replace", crash)))
        with pytest.raises(Crash):
            work.write(0, shard(0))
    assert not work.has(0)
    assert work.adopt_plan(PLAN) == 0
    work.write(0, shard(0))
    assert work.read(0).rows.tolist() == [0, 1, 2, 3]
    work.release(finished=True)


def test_a_shard_is_on_disk_before_it_gets_its_name(output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work = opened(output)
    events: list[str] = []
    sync, replace = os.fsync, Path.replace
    monkeypatch.setattr(atomic_write.os, "fsync", lambda number: (events.append("fsync"), sync(number))[1])
    monkeypatch.setattr(Path, "replace", lambda self, to: (events.append("replace"), replace(self, to))[1])
    work.write(0, shard(0))
    assert events == ["fsync", "replace", "fsync"]  # the content, then its name
    work.release(finished=True)


def test_a_full_disk_is_one_line_and_costs_no_finished_work(output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(number: int) -> None:
        raise OSError(28, "No space left on device")

    work = opened(output)
    work.write(0, shard(0))
    with monkeypatch.context() as patched:
        patched.setattr(atomic_write.os, "fsync", full)
        with pytest.raises(
            SingError,
            match=r"^cannot write .*000001.safetensors: No space left on device \([\d,.]+ MB free there\); finished work is "
            "kept: make room, and the same command goes on$",
        ):
            work.write(1, shard(5))
    assert [work.has(0), work.has(1)] == [True, False]
    assert sorted(path.name for path in work.folder.iterdir()) == ["000000.safetensors", "lock", "owner", "plan.json"]
    work.release(finished=True)


def test_a_disk_that_is_full_from_the_start_is_one_line_too(output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    work = WorkFolder(output, fresh=False)  # who holds it is a courtesy
    monkeypatch.setattr(atomic_write.os, "fsync", full)
    with pytest.raises(
        SingError, match=r"^cannot write .*plan.json: No space left on device \(.*the same command goes on$"
    ):
        work.adopt_plan(PLAN)
    assert [path.name for path in work.folder.iterdir()] == ["lock"]
    work.release(finished=False)


def damage(path: Path, kind: str) -> None:
    """Damage a file as a crash of its disk or machine may damage it."""
    content = path.read_bytes()
    path.write_bytes({"cut": content[:-5], "empty": b"", "zeros": bytes(len(content)), "headless": content[:40]}[kind])


@pytest.mark.parametrize("kind", ["cut", "empty", "zeros", "headless"])
def test_a_damaged_shard_is_thrown_away_with_a_line_when_work_goes_on(output: Path, kind: str) -> None:
    unfinished(output)
    path = output.with_name("results.h5.work") / "000000.safetensors"
    damage(path, kind)
    said: list[str] = []
    work = WorkFolder(output, fresh=False, warn=said.append)
    assert work.adopt_plan(PLAN) == 1
    assert [work.has(0), work.has(1)] == [False, True]
    (line,) = said
    assert line.startswith(f"{path} is damaged (")
    assert line.endswith(") and is thrown away; its images are computed again")
    work.release(finished=True)


@pytest.mark.parametrize("kind", ["cut", "empty", "zeros", "headless"])
def test_a_shard_that_is_damaged_later_is_thrown_away_and_named(output: Path, kind: str) -> None:
    work = opened(output)
    work.write(0, shard(0))
    damage(work.folder / "000000.safetensors", kind)
    with pytest.raises(SingError, match=r"^.*000000.safetensors is damaged \(.*thrown away; the same command computes"):
        work.read(0)
    assert not work.has(0)
    work.write(0, shard(0))
    assert work.read(0).rows.tolist() == [0, 1, 2, 3]
    work.release(finished=True)


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.EACCES, errno.EMFILE])
@pytest.mark.parametrize("moment", ["opened", "read", "checked"])
def test_a_shard_that_cannot_be_read_is_kept(
    number: int, moment: str, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sick(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    unfinished(output)
    work = opened(output)
    with monkeypatch.context() as patched:
        patched.setattr(*((Path, "open", sick) if moment == "opened" else (sealed_file.SealedFile, "tensor", sick)))
        patched.setattr(sealed_file.SealedFile, "check", sick)
        with pytest.raises(SingError, match=rf"^cannot read .*: {os.strerror(number)}; the same command goes on$"):
            work.adopt_plan(PLAN) if moment == "checked" else work.read(0)
    assert work.read(0).rows.tolist() == [0, 1, 2, 3]
    work.release(finished=True)


def test_what_killed_processes_left_half_written_goes_when_work_goes_on(output: Path) -> None:
    unfinished(output)
    folder = output.with_name("results.h5.work")
    (folder / "000002.far.4711.tmp").write_bytes(b"half")
    work = opened(output)
    assert not list(folder.glob("*.tmp"))
    work.release(finished=True)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SingError, match=r"^cannot write next to .*/file/results.h5: .*; choose another -o$"):
        WorkFolder(tmp_path / "file" / "results.h5", fresh=False)


def test_a_work_folder_that_cannot_be_locked_is_named(output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(folder_lock.FileLock, "acquire", denied)
    with pytest.raises(SingError, match=r"^cannot write in .*results.h5.work: Permission denied; choose another -o$"):
        WorkFolder(output, fresh=False)


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, 524])
def test_a_file_system_without_locks_is_named_with_the_ways_out(
    number: int, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(SingError) as caught:
        WorkFolder(output, fresh=False)
    assert str(caught.value) == (
        f"cannot lock {output}.work: its file system has no file locks (No locks available); choose -o on a local disk and "
        "copy the finished file, or have it mounted with locks (Lustre: -o flock; NFS: a running lock service). Reading a "
        "finished file needs no locks; other programs read it there with HDF5_USE_FILE_LOCKING=FALSE"
    )


def test_without_flock_a_file_is_the_lock_and_nothing_is_said(output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(fcntl, "flock", refuse)
    work = WorkFolder(output, fresh=False)
    with pytest.raises(SingError, match="is being written by process"):
        WorkFolder(output, fresh=False)
    work.release(finished=True)
    WorkFolder(output, fresh=False).release(finished=True)


@pytest.mark.parametrize("ask", [lambda work: work.has(0), lambda work: work.read(0), lambda work: work.settings()])
def test_a_disk_that_does_not_answer_is_one_line(output: Path, monkeypatch: pytest.MonkeyPatch, ask) -> None:
    unfinished(output)
    work = opened(output)

    def broken(path: Path) -> bool:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "exists", broken)
        with pytest.raises(SingError, match=r"^cannot read .*: Input/output error; the same command goes on$"):
            ask(work)
    work.release(finished=False)
    assert opened(output).has(1)  # nothing was thrown away for it


@pytest.mark.parametrize(
    ("name", "read"),
    [("plan.json", lambda work: work.adopt_plan(PLAN)), ("settings.json", lambda work: work.settings())],
)
def test_a_damaged_plan_is_one_line_with_the_way_out(output: Path, name: str, read) -> None:
    unfinished(output)
    (output.with_name("results.h5.work") / name).write_bytes(b'{"half')
    with pytest.raises(SingError, match=rf"{name} is damaged .*add --fresh"):
        read(WorkFolder(output, fresh=False))
