"""The log of a run: what it says, how it ends, and what it survives."""

import os
import warnings
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from sing_compute import __version__
from sing_compute.errors import OtherRankError, SingError, StoppedError
from sing_compute.process import run_log
from sing_compute.process.progress import Progress


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "results.h5.log"


def lines(path: Path) -> list[str]:
    """Return the lines of the log; their times are ISO 8601 with an offset, in ascending order."""
    stamped = [line.split(" ", 1) for line in path.read_text().splitlines()]
    moments = [datetime.fromisoformat(moment) for moment, _ in stamped]
    assert all(moment.tzinfo is not None for moment in moments)
    assert moments == sorted(moments)
    return [text for _, text in stamped]


def test_the_log_tells_the_whole_run_and_is_appended_to(
    tmp_path: Path, log: Path, clock: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    progress = Progress()
    with progress.record(tmp_path / "progress.json", "sing-compute --demo", log=log, device="cuda:1 (NVIDIA H200)"):
        progress.say("images: 4,000")
        with progress.task("features", 4000) as advance:
            for _ in range(1000):
                clock.now += 0.125
                advance(4)
        progress.warn("a shard \x1b[31mis\r damaged")
        with progress.task("comparison", None) as advance:
            clock.now += 2
            advance(3)
    progress.result("model  a\n\nAS    1.0")
    place = f"process {os.getpid()} on {os.uname().nodename}, cuda:1 (NVIDIA H200)"
    first = [
        f"sing-compute --demo (sing-compute {__version__}, {place})",
        "images: 4,000",
        "features: begins, 4,000",
        "features: 1,920 of 4,000, 32.0/s, 1:05 left",
        "features: 3,840 of 4,000, 32.0/s, 0:05 left",
        "features: 4,000 of 4,000 in 125.0 s (32.0/s)",
        r"a shard \x1b[31mis damaged",  # nothing in a log can steer the terminal it is read on
        "comparison: begins",
        "comparison: 3 in 2.0 s (1.5/s)",
        "finished",
        "model  a",
        "AS    1.0",
    ]
    assert lines(log) == first
    captured = capsys.readouterr()
    assert captured.out == "model  a\n\nAS    1.0\n"
    assert captured.err.splitlines()[0] == "images: 4,000"

    with pytest.raises(SingError), Progress().record(tmp_path / "progress.json", "again", log=log):
        raise SingError("no such model")
    assert lines(log)[len(first) :] == [
        f"again (sing-compute {__version__}, process {os.getpid()} on {os.uname().nodename})",
        "error: no such model",
    ]


@pytest.mark.parametrize(
    ("error", "last"),
    [
        (SingError("the disk is gone"), "error: the disk is gone"),
        (OtherRankError(3), "error: stopped because of rank 3"),
        (StoppedError(15), "interrupted; the same command goes on where it was"),
        (KeyboardInterrupt(), "interrupted; the same command goes on where it was"),
        (ZeroDivisionError("by zero"), "ZeroDivisionError: by zero"),
    ],
)
def test_the_log_ends_with_how_the_run_ended(tmp_path: Path, log: Path, error: BaseException, last: str) -> None:
    def fail() -> None:
        progress = Progress()
        with progress.record(tmp_path / "p", "", log=log), progress.task("scores", 9) as advance:
            advance(2)
            raise error

    with pytest.raises(type(error)):
        fail()
    said = lines(log)
    assert "scores: left at 2 of 9" in said
    assert said[-1] == last
    assert any("in fail" in line for line in said) == isinstance(error, ZeroDivisionError)  # a bug keeps its traceback


def test_a_mistake_found_before_any_work_begins_no_log(tmp_path: Path, log: Path) -> None:
    with pytest.raises(SingError), Progress().record(tmp_path / "p", "", log=log):
        raise SingError("no such model")
    assert list(tmp_path.iterdir()) == []


def test_a_log_that_cannot_be_written_waits_and_holds_nobody_up(
    tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that takes half a line, then nothing, then all: no line is lost or torn."""
    write, room = os.write, [25, 0]

    def full(descriptor: int, content: bytes) -> int:
        if not room:
            return write(descriptor, content)
        if taken := room.pop(0):
            return write(descriptor, content[:taken])
        raise OSError(28, "No space left on device")

    progress = Progress()
    with progress.record(tmp_path / "p", "a command", log=log):
        monkeypatch.setattr(run_log.os, "write", full)
        with progress.task("features", 1):
            progress.say("one")
            assert not room
        progress.say("two")
    assert [line.split(" (")[0] for line in lines(log)] == [
        *("a command", "features: begins, 1", "one", "features: 0 of 1 in 0.0 s", "two", "finished"),
    ]


def test_other_ranks_are_silent_but_for_warnings_and_errors_in_the_log(
    tmp_path: Path, log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    progress = Progress(rank=2)

    def fail() -> None:
        with progress.record(tmp_path / "progress.json", "sing-compute", log=log, device="cuda:2"):
            progress.say("images: 3")
            with progress.task("features", 3) as advance:
                assert not (tmp_path / "progress.json").exists()
                advance(3)
            progress.warn("half the batch")
            raise SingError("out of memory")

    with pytest.raises(SingError):
        fail()
    progress.result("table")
    assert capsys.readouterr() == ("", "")
    head, *said = lines(log)
    assert head.startswith(f"rank 2: sing-compute (sing-compute {__version__}, process {os.getpid()} on ")
    assert said == ["rank 2: half the batch", "rank 2: error: out of memory"]


def test_pythons_warnings_stand_in_the_log(tmp_path: Path, log: Path) -> None:
    shown: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = lambda message, *_: shown.append(str(message))
        with Progress().record(tmp_path / "p", "", log=log):
            warnings.warn("slow path", RuntimeWarning, stacklevel=1)
    assert shown == ["slow path"]
    assert any(line.startswith("RuntimeWarning: slow path (") and Path(__file__).name in line for line in lines(log))
