"""How far a run is: its state file and its bar."""

import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios
import threading
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner
from forked import wait_for
from rich.cells import cell_len
from small_run import make_inputs

from sing_compute.cli import cli
from sing_compute.process import state_file
from sing_compute.process.progress import Progress

FIELDS = {
    "version": int, "task": str, "done": int, "total": int | None, "rate": float, "started": float, "task_started": float,
    "written": float, "pid": int, "host": str, "command": str,
}  # fmt: skip


def is_whole(state: dict[str, Any]) -> bool:
    """Return True if every field is there and has its type."""
    return state.keys() == FIELDS.keys() and all(isinstance(state[name], kind) for name, kind in FIELDS.items())


def read(path: Path) -> dict[str, Any] | None:
    """The state that stands there now; None if there is none."""
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return None


def test_a_reader_never_sees_half_a_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_file, "FILE_SECONDS", 0.0)
    path, seen, over = tmp_path / "progress.json", [], threading.Event()
    failures: list[Exception] = []

    def hammer() -> None:
        while not over.is_set():
            try:
                seen.append(json.loads(path.read_text()))
            except Exception as error:
                failures.append(error)

    progress = Progress()
    with progress.record(path, "sing-compute " + "x" * 20_000):
        reader = threading.Thread(target=hammer)
        reader.start()
        with progress.task("features", 300) as advance:
            for done in range(1, 301):
                advance(1)
                wait_for(lambda done=done: failures or (seen and seen[-1]["done"] == done))
        over.set()
        reader.join()
    assert failures == []
    assert all(map(is_whole, seen))
    numbers = [state["done"] for state in seen if state["task"] == "features"]
    assert numbers == sorted(numbers)
    assert list(tmp_path.iterdir()) == []


def test_a_state_is_written_once_a_second_and_at_both_ends(
    tmp_path: Path, clock: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, written = tmp_path / "progress.json", []
    replace = Path.replace

    def counted(source: Path, target: Path) -> Path:
        written.append(json.loads(source.read_text()))
        return replace(source, target)

    monkeypatch.setattr(Path, "replace", counted)
    progress = Progress()
    with progress.record(path, "sing-compute --demo"):
        clock.now += 5
        with progress.task("features", 4000) as advance:
            for _ in range(1000):
                clock.now += 0.01
                advance(4)
        with progress.task("empty", None):
            pass
    features = [state for state in written if state["task"] == "features"]
    assert 11 <= len(features) <= 12  # ten seconds, and both ends
    assert [features[0]["done"], features[-1]["done"]] == [0, 4000]
    assert features[5]["rate"] == pytest.approx(400)
    assert features[5]["written"] - features[5]["task_started"] == pytest.approx(features[5]["done"] / 400)
    assert [state["task_started"] for state in features] == pytest.approx([4605.0] * len(features))
    assert {state["started"] for state in written} == {4600.0}
    assert {(state["pid"], state["host"]) for state in written} == {(os.getpid(), os.uname().nodename)}
    assert [(state["task"], state["total"]) for state in (written[0], written[-1])] == [
        ("starting", None),
        ("empty", None),
    ]


@pytest.mark.parametrize("broken", ["absent", "a file", "a folder in its place"])
def test_a_place_that_cannot_be_written_ends_no_run(
    tmp_path: Path, broken: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "results.h5.work"
    if broken == "a file":
        folder.write_text("")
    elif broken != "absent":
        (folder / "progress.json").mkdir(parents=True)
    progress = Progress()
    with progress.record(folder / "progress.json", ""), progress.task("features", 2) as advance:
        advance(2)
    assert capsys.readouterr().err.startswith("features: 2 of 2 in ")
    assert not list(folder.glob("*.tmp"))


def test_a_full_disk_ends_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> int:
        raise OSError(28, "No space left on device")

    progress = Progress()
    with progress.record(tmp_path / "progress.json", ""):
        monkeypatch.setattr(os, "open", full)
        with progress.task("features", 2) as advance:
            advance(2)
        monkeypatch.undo()
    assert list(tmp_path.iterdir()) == []


def test_a_failing_run_takes_its_state_away_and_keeps_its_error(tmp_path: Path) -> None:
    path, progress = tmp_path / "progress.json", Progress()

    def fail() -> None:
        with progress.record(path, ""), progress.task("features", 2) as advance:
            advance(1)
            assert read(path)["task"] == "features"
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_without_a_file_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with Progress().task("scores", None) as advance:
        advance(3)
    assert capsys.readouterr().err.startswith("scores: 3 in ")
    assert list(tmp_path.iterdir()) == []


def shown_on(master: int) -> str:
    """All that was written to a terminal that is closed now."""
    content = b""
    with suppress(OSError):  # its end
        while part := os.read(master, 65536):
            content += part
    os.close(master)
    return content.decode()


@pytest.mark.parametrize("columns", [80, 40, 20])
@pytest.mark.parametrize("title", ["features", "vit_large_patch14_clip_336: translators compared", "模型" * 30])
def test_the_bar_keeps_to_one_line(
    columns: int, title: str, clock: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    monkeypatch.setenv("TERM", "xterm")
    with open(slave, "w", encoding="utf-8") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        with Progress().task(title, 1_281_167) as advance:
            for _ in range(20):
                clock.now += 1.3
                advance(61_000)
    *drawn, summary = shown_on(master).split("\x1b[2K")[1:]
    assert summary.endswith("/s)\r\n")
    assert len(drawn) == 21
    assert all(line.endswith("\r") for line in drawn)  # the cursor stands where the next begins
    drawn = [line[:-1] for line in drawn]
    assert not any("\n" in line or "\r" in line for line in drawn)
    assert all(0 < cell_len(line) < columns for line in drawn)
    if columns == 80:
        assert drawn[-1].startswith(title[:15])
        assert drawn[-1].endswith(" 1,220,000 of 1,281,167, 46,923.1/s, 0:01 left")


def test_what_is_said_over_a_bar_stands_alone(clock: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    master, slave = pty.openpty()
    monkeypatch.setenv("TERM", "xterm")
    with open(slave, "w", encoding="utf-8") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        progress = Progress()
        with progress.task("features", 100) as advance:
            clock.now += 1
            advance(50)
            progress.say("one line")
    said = shown_on(master)
    assert "\r\x1b[2Kone line\r\n" in said  # the terminal makes \r\n of \n
    assert said.endswith("\x1b[2Kfeatures: 50 of 100 in 1.0 s (50.0/s)\r\n")


KILLED = """
import sys, time
from pathlib import Path
from sing_compute.process.progress import Progress

progress = Progress()
with progress.record(Path(sys.argv[1]), "sing-compute -o out.h5"), progress.task("features", 400) as advance:
    advance(7)
    print("at work", flush=True)
    time.sleep(60)
"""


def test_a_run_says_how_far_it_is_and_only_a_killed_one_leaves_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out.h5.work" / "progress.json"
    path.parent.mkdir()
    with subprocess.Popen([sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"at work\n"
        process.kill()
    left = read(path)
    assert left is not None
    assert is_whole(left)
    assert (left["task"], left["pid"], left["command"]) == ("features", process.pid, "sing-compute -o out.h5")

    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    states, replace = [], Path.replace

    def watched(source: Path, target: Path) -> Path:
        result = replace(source, target)
        if target.name == path.name:
            states.append(json.loads(path.read_text()))
        return result

    monkeypatch.setattr(Path, "replace", watched)
    result = CliRunner().invoke(cli, [*make_inputs(tmp_path, images=300), "-o", "out.h5"])
    assert result.exit_code == 0, result.output
    assert all(map(is_whole, states))
    assert {state["pid"] for state in states} == {os.getpid()}
    assert {"features", "slow: translator", "slow: scores", "slow: controls"} <= {state["task"] for state in states}
    assert sorted(path.name for path in tmp_path.glob("out.h5*")) == ["out.h5", "out.h5.log"]
