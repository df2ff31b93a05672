"""A run that is killed without warning goes on where it was, and ends in the numbers of an undisturbed one."""

import signal
from pathlib import Path

import pytest
from forked import Runs, contents, wait_for
from small_run import IMAGES, make_inputs, mapped_inputs


def test_a_killed_run_goes_on_and_ends_in_the_same_numbers(runs: Runs, tmp_path: Path) -> None:
    runs.folder = tmp_path
    options = make_inputs(tmp_path)
    told = runs.finish([*options, "-o", "calm.h5"])
    assert any(line.startswith("skipped 1 images that cannot be read, first class1/0005.png") for line in told)
    work, command = tmp_path / "killed.h5.work", [*options, "-o", "killed.h5"]
    runs.start(command, hold=16)  # eight batches a shard
    runs.wait_held()
    wait_for(lambda: len(list(work.glob("*.safetensors"))) == 2)
    runs.kill()
    assert runs.end()[0] == -signal.SIGKILL
    done = sorted(path.name for path in work.glob("*.safetensors"))
    assert done == ["000000.safetensors", "000001.safetensors"]
    assert not (tmp_path / "killed.h5").exists()
    stamps = {name: (work / name).stat().st_mtime_ns for name in done}

    runs.start([*command, "--batch-size", "16"])
    code, told = runs.end()
    assert code == 2
    assert "unfinished work of another command (differs: batch size)" in told[-1]
    assert {name: (work / name).stat().st_mtime_ns for name in done} == stamps

    told = runs.finish(command)
    assert any(line.startswith("going on") for line in told)
    assert any(line.startswith(f"features: {IMAGES - 512} of {IMAGES - 512}") for line in told)
    assert not work.exists()
    assert contents(tmp_path / "killed.h5") == contents(tmp_path / "calm.h5")


def test_maps_of_a_killed_run_end_in_the_same_bytes(runs: Runs, tmp_path: Path) -> None:
    runs.folder = tmp_path
    options = mapped_inputs(tmp_path)
    runs.finish([*options, "-o", "calm.h5"])
    calm = contents(tmp_path / "calm.h5")
    assert len(calm["models/mapped/maps/image"]) == 4 * (IMAGES // 2)  # of every second image; of the broken one none
    work, command = tmp_path / "killed.h5.work", [*options, "-o", "killed.h5"]
    runs.start(command, slow=0.05)
    wait_for(lambda: len(list(work.glob("*.safetensors"))) >= 2)
    runs.kill()
    assert runs.end()[0] == -signal.SIGKILL
    runs.start([*command, "--maps-grid", "2"])
    code, told = runs.end()
    assert code == 2
    assert "unfinished work of another command (differs: maps)" in told[-1]
    told = runs.finish(command)
    assert any(line.startswith("going on") for line in told)
    assert contents(tmp_path / "killed.h5") == calm


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_lets_the_shard_in_work_be_finished(
    runs: Runs, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    runs.folder = tmp_path
    work = tmp_path / "out.h5.work"
    runs.start([*make_inputs(tmp_path), "--workers", "1", "-o", "out.h5"], hold=3)  # in the middle of the first shard
    runs.wait_held()
    runs.signal(number)
    wait_for(lambda: f"{number.name}: finishing" in runs.said())
    runs.let_go()
    ended, told = runs.end()
    assert ended == code
    assert f"{number.name}: finishing the shard in work; once more to leave at once" in told
    assert told[-1] == "sing-compute: interrupted; the same command goes on where it was"
    assert not any("Traceback" in line for line in told)
    assert [path.name for path in sorted(work.glob("*.safetensors"))] == ["000000.safetensors"]
    assert not (tmp_path / "out.h5").exists()
    assert (tmp_path / "out.h5.log").read_text().endswith(" interrupted; the same command goes on where it was\n")
