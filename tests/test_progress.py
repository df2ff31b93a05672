"""The state a run leaves beside its output: whole at every moment, seldom written, never in the way, gone at the end."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner
from small_run import make_inputs

from sing_compute.cli import cli
from sing_compute.pipeline import progress as module
from sing_compute.pipeline.progress import Progress

FIELDS = {
    "version": int, "task": str, "done": int, "total": int | None, "rate": float, "started": float, "task_started": float,
    "written": float, "pid": int, "host": str, "command": str,
}  # fmt: skip


def is_whole(state: dict[str, Any]) -> bool:
    """Whether this has every field and each of its kind."""
    return state.keys() == FIELDS.keys() and all(isinstance(state[name], kind) for name, kind in FIELDS.items())


def read(path: Path) -> dict[str, Any] | None:
    """The state that stands there now; None if there is none."""
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return None


def test_a_reader_never_sees_half_a_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FILE_SECONDS", 0.0)
    path, seen, over = tmp_path / "progress.json", [], threading.Event()
    failures: list[Exception] = []

    def hammer() -> None:
        while not over.is_set():
            try:
                seen.append(json.loads(path.read_text()))
            except Exception as error:
                failures.append(error)

    progress = Progress()
    with progress.kept_in(path, "sing-compute " + "x" * 20_000):
        reader = threading.Thread(target=hammer)
        reader.start()
        with progress.task("features", 300) as advance:
            for _ in range(300):
                advance(1)
                time.sleep(0.001)
        over.set()
        reader.join()
    assert failures == []
    assert all(map(is_whole, seen))
    done = [state["done"] for state in seen if state["task"] == "features"]
    assert done == sorted(done)
    assert len(set(done)) > 20
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A clock that stands still until `now` is moved, an hour behind the wall's."""
    clock = SimpleNamespace(now=1000.0)
    fake = SimpleNamespace(monotonic=lambda: clock.now, time=lambda: clock.now + 3600)
    monkeypatch.setattr(module, "time", fake)
    return clock


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
    with progress.kept_in(path, "sing-compute --demo"):
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
    with progress.kept_in(folder / "progress.json", ""), progress.task("features", 2) as advance:
        advance(2)
    assert capsys.readouterr().err.startswith("features: 2 of 2 in ")
    assert not list(folder.glob("*.tmp"))


def test_a_full_disk_ends_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> int:
        raise OSError(28, "No space left on device")

    progress = Progress()
    with progress.kept_in(tmp_path / "progress.json", ""):
        monkeypatch.setattr(Path, "write_text", full)
        with progress.task("features", 2) as advance:
            advance(2)
        monkeypatch.undo()
    assert list(tmp_path.iterdir()) == []


def test_a_failing_run_takes_its_state_away_and_keeps_its_error(tmp_path: Path) -> None:
    path, progress = tmp_path / "progress.json", Progress()

    def fail() -> None:
        with progress.kept_in(path, ""), progress.task("features", 2) as advance:
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


KILLED = """
import sys, time
from pathlib import Path
from sing_compute.pipeline.progress import Progress

progress = Progress()
with progress.kept_in(Path(sys.argv[1]), "sing-compute -o out.h5"), progress.task("features", 400) as advance:
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
    monkeypatch.setenv("SLOW", "0.01")
    states: list[dict[str, Any]] = []
    over = threading.Event()

    def watch() -> None:
        while not over.is_set():
            state = read(path)
            if state is not None and state not in states[-1:]:
                states.append(state)
            time.sleep(0.001)

    watcher = threading.Thread(target=watch)
    watcher.start()
    result = CliRunner().invoke(cli, [*make_inputs(tmp_path, images=300), "-o", "out.h5"])
    over.set()
    watcher.join()
    assert result.exit_code == 0, result.output
    assert states[0] == left
    tasks = [state["task"] for state in states[1:]]
    assert all(map(is_whole, states))
    assert {state["pid"] for state in states[1:]} == {os.getpid()}
    assert "features" in tasks
    assert {"slow: translator", "slow: scores", "slow: controls"} & set(tasks)
    assert [path.name for path in tmp_path.glob("out.h5*")] == ["out.h5"]
