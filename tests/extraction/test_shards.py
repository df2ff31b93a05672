"""Shards of unfinished work: written whole, reused by the same plan, and gone when the run has finished."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from work_folders import PLAN, opened, shard, unfinished

from sing_compute.errors import SingError
from sing_compute.extraction import shards
from sing_compute.extraction.shard_file import SHARD_IMAGES, Shard, shard_rows
from sing_compute.extraction.shards import WorkFolder


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
        "run that command again to finish it; or remove that folder, which drops its work alone, as --fresh does"
    )
    work.release(finished=False)
    work = WorkFolder(output, fresh=False)
    assert work.adopt_plan(PLAN) == 2  # nothing was lost by the refusal
    work.release(finished=True)


def test_a_plan_without_finished_shards_gives_way_to_another(output: Path) -> None:
    work = opened(output)
    work._lock.release(remove=False)  # as after a crash: nothing is tidied
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


JOINED = """
import sys
from pathlib import Path
import torch
from sing_compute.extraction.shard_file import Shard
from sing_compute.extraction.shards import WorkFolder

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


def test_a_missing_folder_of_the_output_is_made(tmp_path: Path) -> None:
    work = opened(tmp_path / "new" / "deep" / "results.h5")
    assert work.folder.parent == tmp_path / "new" / "deep"
    work.release(finished=True)
