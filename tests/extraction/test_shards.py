import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from sing_compute.errors import SingError
from sing_compute.extraction import shards
from sing_compute.extraction.shards import SHARD_IMAGES, Shard, WorkFolder, shard_rows

PLAN = {"models": {"a": ["sha", "transform"]}, "clip": {"tag": "x"}, "batch size": 64, "version": "1"}


def shard(start: int) -> Shard:
    rows = torch.arange(start, start + 4)
    failed = [(start + 4, 'cannot identify "ünknown"')]
    return Shard(rows, {"a/features": rows[:, None] * torch.ones(4, 3), "clip": rows.double()}, failed)


def opened(output: Path, *, fresh: bool = False, plan: dict[str, object] = PLAN) -> WorkFolder:
    work = WorkFolder(output, fresh=fresh)
    work.adopt_plan(plan)
    return work


def unfinished(output: Path) -> None:
    """A run that was stopped after two shards."""
    work = opened(output)
    work.write(0, shard(0))
    work.write(1, shard(5))
    work.release(finished=False)


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "results.h5"


def test_shards_cover_every_image_once_in_order() -> None:
    for images in (1, SHARD_IMAGES - 1, SHARD_IMAGES, SHARD_IMAGES + 1, 3 * SHARD_IMAGES):
        rows = shard_rows(images)
        assert [row for part in rows for row in part] == list(range(images))
        assert max(map(len, rows)) <= SHARD_IMAGES
        assert min(map(len, rows)) > 0


def test_a_shard_comes_back_bit_for_bit_with_the_tensors_asked_for(output: Path) -> None:
    work = opened(output)
    written = Shard(
        torch.tensor([3, 1]), {"a": torch.randn(2, 5).T.bfloat16(), "b": torch.zeros(0)}, [(2, "torn\n\t☃")]
    )
    work.write(7, written)
    read = work.read(7, "a", "b", "absent")
    assert torch.equal(read.rows, written.rows)
    assert read.tensors.keys() == {"a", "b"}
    assert torch.equal(read.tensors["a"], written.tensors["a"])
    assert read.tensors["a"].dtype == torch.bfloat16
    assert read.failed == written.failed
    assert work.read(7, "b").tensors.keys() == {"b"}
    work.release(finished=True)


def test_finished_shards_are_kept_and_reused_by_the_same_plan(output: Path) -> None:
    unfinished(output)
    work = WorkFolder(output, fresh=False)
    assert work.adopt_plan(dict(reversed(PLAN.items()))) == 2  # the order of entries is no difference
    assert [work.has(index) for index in (0, 1, 2)] == [True, True, False]
    parts = list(work.shards(2, "clip"))
    assert [part.rows.tolist() for part in parts] == [[0, 1, 2, 3], [5, 6, 7, 8]]
    assert parts[1].failed == [(9, 'cannot identify "ünknown"')]
    work.release(finished=True)


def test_another_plan_is_refused_naming_what_differs_and_the_way_out(output: Path) -> None:
    unfinished(output)
    work = WorkFolder(output, fresh=False)
    changed = {**PLAN, "batch size": 32, "models": {"b": ["sha", "transform"]}, "device": "cuda"}
    del changed["version"]
    with pytest.raises(SingError) as caught:
        work.adopt_plan(changed)
    assert str(caught.value) == (
        f"{output}.work holds unfinished work of another command (differs: batch size, device, models, version); "
        "run that command again to finish it, or add --fresh to start over"
    )
    work.release(finished=False)
    work = WorkFolder(output, fresh=False)
    assert work.adopt_plan(PLAN) == 2  # nothing was lost by the refusal
    work.release(finished=True)


def test_a_plan_without_finished_shards_gives_way_to_another(output: Path) -> None:
    work = opened(output)
    work._lock.release()  # as after a crash: nothing is tidied
    changed = WorkFolder(output, fresh=False)
    assert changed.adopt_plan({**PLAN, "batch size": 32}) == 0
    assert json.loads((changed.folder / "plan.json").read_text())["batch size"] == 32
    changed.release(finished=True)


def test_fresh_forgets_unfinished_work_of_any_plan(output: Path) -> None:
    unfinished(output)
    work = WorkFolder(output, fresh=True)
    assert work.adopt_plan({**PLAN, "batch size": 32}) == 0
    assert not work.has(0)
    work.release(finished=True)


def test_a_second_run_on_one_output_is_refused_by_name_of_the_first(output: Path) -> None:
    work = opened(output)
    work.write(0, shard(0))
    script = (
        "import sys; from pathlib import Path; from sing_compute.extraction.shards import WorkFolder; "
        "from sing_compute.errors import SingError\n"
        "for fresh in (False, True):\n"
        "    try: WorkFolder(Path(sys.argv[1]), fresh=fresh)\n"
        "    except SingError as error: print(error)"
    )
    second = subprocess.run(
        [sys.executable, "-c", script, str(output)], capture_output=True, text=True, timeout=60, check=False
    )
    line = (
        f"{output} is being written by process {os.getpid()} on {os.uname().nodename}; "
        "wait for it, or choose another -o\n"
    )
    assert second.stdout == 2 * line, second.stderr
    assert work.has(0)  # not even --fresh takes it from a running command
    work.release(finished=True)


def test_the_lock_ends_with_the_run_not_with_the_folder(output: Path) -> None:
    unfinished(output)
    assert output.with_name("results.h5.work").is_dir()
    opened(output).release(finished=True)


def test_other_outputs_do_not_stand_in_the_way(output: Path) -> None:
    first, second = opened(output), opened(output.with_name("other.h5"))
    first.release(finished=True)
    second.release(finished=True)


def test_a_finished_run_leaves_nothing_behind(output: Path) -> None:
    unfinished(output)
    opened(output).release(finished=True)
    assert list(output.parent.iterdir()) == []


def test_a_run_that_failed_before_its_first_shard_leaves_nothing_behind(output: Path) -> None:
    WorkFolder(output, fresh=False).release(finished=False)
    assert list(output.parent.iterdir()) == []
    opened(output).release(finished=False)
    assert list(output.parent.iterdir()) == []


def test_files_of_the_user_in_the_folder_are_not_taken_for_shards(output: Path) -> None:
    work = opened(output)
    (work.folder / "notes.txt").write_text("mine")
    assert work.adopt_plan(PLAN) == 0
    work.release(finished=True)


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
        patched.setattr(*((shards.os, "fsync", crash) if moment == "fsync" else (Path, "replace", crash)))
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
    monkeypatch.setattr(shards.os, "fsync", lambda number: (events.append("fsync"), sync(number))[1])
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
        patched.setattr(shards.os, "fsync", full)
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
    monkeypatch.setattr(shards.os, "fsync", full)
    with pytest.raises(
        SingError, match=r"^cannot write .*plan.json: No space left on device \(.*the same command goes on$"
    ):
        work.adopt_plan(PLAN)
    assert [path.name for path in work.folder.iterdir()] == ["lock"]
    work.release(finished=False)


def damage(path: Path, kind: str) -> None:
    """What a crash of a disk or machine leaves of a file."""
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
    assert line.endswith(") and thrown away; its images are computed again")
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


def test_a_shard_that_cannot_be_read_is_kept(output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def sick(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error")

    work = opened(output)
    work.write(0, shard(0))
    with monkeypatch.context() as patched:
        patched.setattr(shards, "safe_open", sick)
        with pytest.raises(SingError, match=r"^cannot read .*: Input/output error; the same command goes on$"):
            work.read(0)
    assert work.read(0).rows.tolist() == [0, 1, 2, 3]
    work.release(finished=True)


JOINED = """
import sys
from pathlib import Path
import torch
from sing_compute.extraction.shards import Shard, WorkFolder

work = WorkFolder(Path(sys.argv[1]), fresh=True, joined=True)
print(work.has(0), work.read(0).rows.tolist(), flush=True)
sys.stdin.readline()
for turn in range(50):
    work.write(1, Shard(torch.arange(3), {"clip": torch.ones(20_000)}, []))
work.write(2, Shard(torch.tensor([7]), {}, []))
work.release(finished=True)
"""


def test_another_process_of_the_run_joins_writes_and_leaves_everything_in_place(output: Path) -> None:
    work = opened(output)
    work.write(0, shard(0))
    command = [sys.executable, "-c", JOINED, str(output)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == "True [0, 1, 2, 3]\n"
        other.stdin.write("go\n")
        other.stdin.flush()
        same = Shard(torch.arange(3), {"clip": torch.ones(20_000)}, [])
        while other.poll() is None:  # both write one shard: it is whole at every moment
            work.write(1, same)
            assert torch.equal(work.read(1, "clip").tensors["clip"], same.tensors["clip"])
    assert other.returncode == 0
    assert work.read(2).rows.tolist() == [7]
    names = ["000000.safetensors", "000001.safetensors", "000002.safetensors", "lock", "owner", "plan.json"]
    assert sorted(path.name for path in work.folder.iterdir()) == names
    work.release(finished=True)
    assert list(output.parent.iterdir()) == []


def test_a_shard_that_is_seen_late_is_waited_for(output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work, other = opened(output), WorkFolder(output, fresh=False, joined=True)
    asked: list[str] = []

    def listed(folder: Path) -> list[str]:
        """Another machine's shard comes into sight when the folder is asked for the second time."""
        asked.append(str(folder))
        if len(asked) == 2:
            other.write(3, shard(0))
        return []

    monkeypatch.setattr(shards.os, "listdir", listed)
    monkeypatch.setattr(shards.time, "sleep", lambda seconds: None)
    assert work.read(3).rows.tolist() == [0, 1, 2, 3]
    assert asked == [str(work.folder)] * 2
    monkeypatch.setattr(shards, "LATE_SECONDS", 0.0)
    with pytest.raises(SingError, match=r"^cannot read .*000004.safetensors: .*; the same command goes on$"):
        work.read(4)
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

    monkeypatch.setattr(shards.FileLock, "acquire", denied)
    with pytest.raises(SingError, match=r"^cannot write in .*results.h5.work: Permission denied; choose another -o$"):
        WorkFolder(output, fresh=False)


def test_a_missing_folder_of_the_output_is_made(tmp_path: Path) -> None:
    work = opened(tmp_path / "new" / "deep" / "results.h5")
    assert work.folder.parent == tmp_path / "new" / "deep"
    work.release(finished=True)


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
