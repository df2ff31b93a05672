"""Outputs that go away under a command, and signals that are none of its workers' business."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress

import pytest

from sing_compute.errors import StoppedError
from sing_compute.process.interruption import Interruption

TALKING = """
import os, sys
from sing_compute.process.interruption import outlive_terminal

outlive_terminal()
print("out", flush=True)
print("error", file=sys.stderr)
sys.stdin.readline()  # meanwhile the readers go away
for turn in range(3):
    print("out again", flush=True)
    print("error again", file=sys.stderr, flush=True)
os.write(int(sys.argv[1]), b"done")
sys.exit(7)
"""


@pytest.fixture
def told() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        with suppress(OSError):
            os.close(end)


def test_pipes_without_readers_end_nothing(told: tuple[int, int]) -> None:
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(
        [sys.executable, "-c", TALKING, str(told[1])], text=True, pass_fds=(told[1],), **pipes
    ) as process:
        assert process.stdout.readline() == "out\n"
        assert process.stderr.readline() == "error\n"
        process.stdout.close()
        process.stderr.close()
        process.stdin.write("\n")
        process.stdin.close()
        assert process.wait() == 7
    assert os.read(told[0], 10) == b"done"


def test_outputs_that_were_closed_from_the_start_end_nothing(told: tuple[int, int]) -> None:
    line = f"exec {sys.executable} -c '{TALKING}' {told[1]} >&- 2>&- </dev/null"
    assert subprocess.run(["sh", "-c", line], pass_fds=(told[1],), check=False).returncode == 7
    assert os.read(told[0], 10) == b"done"


def test_a_results_table_that_finds_no_room_is_still_an_error() -> None:
    """Only what is gone is given up: a full disk under `> table.txt` must not look like success."""
    with open("/dev/full", "w") as full:
        ended = subprocess.run([sys.executable, "-c", TALKING, "2"], stdout=full, stderr=subprocess.PIPE, check=False)
    assert ended.returncode not in (0, 7)
    assert b"No space left on device" in ended.stderr


def test_hangup_is_noted_and_nothing_else_and_everything_is_as_before_afterwards() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    said: list[str] = []
    with Interruption(said.append) as interruption:
        os.kill(os.getpid(), signal.SIGHUP)
        interruption.check()
        assert said == ["SIGHUP: the terminal is gone; the run goes on"]
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(StoppedError):
            interruption.check()
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before


def test_under_nohup_a_hangup_is_nobodys_business() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    said: list[str] = []
    try:
        with Interruption(said.append):
            os.kill(os.getpid(), signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
    assert said == []


def test_a_signal_in_the_middle_of_a_line_is_no_error() -> None:
    def busy(text: str) -> None:
        raise RuntimeError("reentrant call inside <_io.BufferedWriter>")

    with Interruption(busy) as interruption:
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(StoppedError):
            interruption.check()
