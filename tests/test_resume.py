"""A run that is killed without warning goes on where it was, and ends in the numbers of an undisturbed one."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from small_run import IMAGES, make_inputs


def test_a_killed_run_goes_on_and_ends_in_the_same_numbers(tmp_path: Path) -> None:
    options = make_inputs(tmp_path)
    command = [sys.executable, "-m", "sing_compute", *options]
    calm = subprocess.run([*command, "-o", "calm.h5"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert calm.returncode == 0, calm.stderr
    assert "skipped 1 images that cannot be read, first class1/0005.png" in calm.stderr
    work = tmp_path / "killed.h5.work"
    with subprocess.Popen([*command, "-o", "killed.h5"], cwd=tmp_path, env=os.environ | {"SLOW": "0.3"}) as process:
        wait_for(lambda: len(list(work.glob("*.safetensors"))) >= 2)
        process.send_signal(signal.SIGKILL)
    done = sorted(path.name for path in work.glob("*.safetensors"))
    assert done == ["000000.safetensors", "000001.safetensors"]
    assert not (tmp_path / "killed.h5").exists()
    stamps = {name: (work / name).stat().st_mtime_ns for name in done}

    other = subprocess.run(
        [*command, "-o", "killed.h5", "--batch-size", "16"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert other.returncode == 2
    assert "unfinished work of another command (differs: batch size)" in other.stderr
    assert {name: (work / name).stat().st_mtime_ns for name in done} == stamps

    again = subprocess.run([*command, "-o", "killed.h5"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert "going on" in again.stderr
    assert f"features: {IMAGES - 512} of {IMAGES - 512}" in again.stderr
    assert not work.exists()
    assert datasets(tmp_path / "killed.h5") == datasets(tmp_path / "calm.h5")


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def datasets(path: Path) -> dict[str, bytes]:
    """Every dataset's bytes."""
    found: dict[str, bytes] = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: found.update({name: item[()].tobytes()} if isinstance(item, h5py.Dataset) else {})
        )
    return found


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_lets_the_shard_in_work_be_finished(tmp_path: Path, number: signal.Signals, code: int) -> None:
    options = make_inputs(tmp_path)
    command = [sys.executable, "-m", "sing_compute", *options, "--workers", "1", "-o", "out.h5"]
    work = tmp_path / "out.h5.work"
    environment = os.environ | {"SLOW": "0.3"}
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True) as process:
        wait_for(lambda: (work / "plan.json").exists())
        time.sleep(0.5)  # in the middle of the first shard
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    assert process.returncode == code
    assert "finishing the shard in work; once more to leave at once" in said
    assert said.splitlines()[-1] == "sing-compute: interrupted; the same command goes on where it was"
    assert "Traceback" not in said
    assert [path.name for path in sorted(work.glob("*.safetensors"))] == ["000000.safetensors"]
    assert not (tmp_path / "out.h5").exists()


DRIVER = """
import os, random, signal, sys, time
import torch
torch.set_num_threads(1)  # no thread pool before the forks
import sing_compute.cli, sing_compute.pipeline.plan, sing_compute.pipeline.report, sing_compute.pipeline.run
import timm.data, open_clip, safetensors.torch

def start():
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        os.dup2(2, 1)
        try:
            sing_compute.cli.main()
        except SystemExit as stop:
            os._exit(stop.code or 0)
        os._exit(0)
    return child

def finish(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

for line in sys.stdin:  # how long to let the command run, or "all"
    child = start()
    if line.strip() != "all":
        time.sleep(float(line))
        os.kill(child, signal.SIGKILL)
    print(finish(child), flush=True)
"""


def test_twenty_kills_at_random_moments_cost_nothing(tmp_path: Path) -> None:
    """kill -9 anywhere, then the same command: always the undisturbed result, and never a store that is neither old nor new."""
    options = make_inputs(tmp_path, images=400)
    output = tmp_path / "out.h5"
    first = [sys.executable, "-m", "sing_compute", *options, "-o", "out.h5"]
    assert subprocess.run(first, cwd=tmp_path, capture_output=True, check=False).returncode == 0
    old = output.read_bytes()
    options[1] = "second=slow_net:slow"
    command = [sys.executable, "-c", DRIVER, *options, "-o", "out.h5"]
    with subprocess.Popen(command, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as driver:
        assert driver.stdin is not None
        assert driver.stdout is not None

        def run(seconds: str) -> int:
            driver.stdin.write(f"{seconds}\n")
            driver.stdin.flush()
            return int(driver.stdout.readline())

        durations = []
        for _ in range(4):  # the shortest: other work on the machine must not let later runs end before they are killed
            output.write_bytes(old)
            start = time.monotonic()
            assert run("all") == 0
            durations.append(time.monotonic() - start)
        duration = min(durations)
        assert duration < 5
        new = datasets(output)
        rng = np.random.default_rng(0)
        killed, tries, states = 0, 0, set()
        while killed < 20:  # a busy machine lets some runs end before they are killed: those do not count
            tries += 1
            assert tries <= 60
            moment = rng.uniform(0, duration)
            output.write_bytes(old)
            killed += run(f"{moment:.4f}") == -signal.SIGKILL
            states.add("old" if output.read_bytes() == old else "new" if datasets(output) == new else "neither")
            assert run("all") == 0
            assert datasets(output) == new
            assert not (tmp_path / "out.h5.work").exists()
        driver.stdin.close()
    assert states <= {"old", "new"}
    assert not list(tmp_path.glob("*.tmp"))
