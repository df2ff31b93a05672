"""The explorer shows the progress of a run, and says nothing of a file that is no progress of a run."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from sing_compute.formats import ASCII, UNICODE
from sing_compute.process.progress import Progress
from sing_tui.run_progress import RunProgress, read_progress

HERE = os.uname().nodename


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "results.h5.work").mkdir()
    return tmp_path / "results.h5"


def state(age: float = 0, **changes: Any) -> dict[str, Any]:
    """A run of this process that has 58,000 images to go at 302 a second; written so many seconds ago."""
    now = time.time() - age
    return {
        "version": 1, "task": "features", "done": 42_000, "total": 100_000, "rate": 302.0, "started": now - 200,
        "task_started": now - 139, "written": now, "pid": os.getpid(), "host": HERE, "command": "sing-compute",
    } | changes  # fmt: skip


def leave(file: Path, content: object) -> None:
    """Put this where a run puts its state."""
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    (file.parent / "results.h5.work" / "progress.json").write_bytes(text)


def test_a_run_that_writes_through_a_link_is_seen_there(file: Path, tmp_path: Path) -> None:
    leave(file, state())
    link = tmp_path / "elsewhere" / "link.h5"
    link.parent.mkdir()
    link.symlink_to(file)
    assert read_progress(file) is not None
    assert read_progress(link) == read_progress(file)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "features 42%, 3:12 left"),
        ({"rate": 1.0}, "features 42%, 16:06:40 left"),
        ({"done": 99_999, "rate": 0.5}, "features 99%, 0:02 left"),
        ({"done": 100_000}, "features 100%"),
        ({"done": 123_456}, "features 100%"),
        ({"done": 0, "rate": 0.0}, "features 0%"),
        ({"rate": 1e-300}, "features 42%"),
        ({"total": None}, "features 42,000, 302/s"),
        ({"total": None, "done": 0, "task": "starting"}, "starting"),
        ({"total": 0, "done": 0}, "features"),
        ({"age": 90}, "features 42%, 3:12 left"),
        ({"age": 90, "host": "elsewhere"}, "features 42%, stalled"),
        ({"pid": 2**40}, "features 42%, stalled"),
        ({"pid": 0}, "features 42%, stalled"),
        ({"pid": 1}, "features 42%, 3:12 left"),
        ({"pid": 2**22 + 1, "host": "elsewhere"}, "features 42%, 3:12 left"),
        ({"age": -600, "host": "ahead"}, "features 42%, 3:12 left"),
        ({"task": "\x1b[31mネコ\u202e: [b]scores"}, "[31mネコ: [b]scores 42%, 3:12 left"),
        ({"new field": [1]}, "features 42%, 3:12 left"),
    ],
)
def test_a_state_in_words(file: Path, changes: dict[str, Any], line: str) -> None:
    leave(file, state(**changes))
    found = read_progress(file)
    assert found is not None
    assert found.line(UNICODE) == line
    assert found.line(ASCII) == line.replace("ネコ", "??")


def test_what_the_run_writes_is_what_the_explorer_reads(file: Path) -> None:
    progress = Progress()
    with progress.record(file.parent / "results.h5.work" / "progress.json", "sing-compute"):
        first = read_progress(file)
        with progress.task("vit: scores", 8) as advance:
            advance(8)
        assert first == RunProgress("starting", 0, None, 0.0, None, stale=False)
        last = read_progress(file)
    assert last is not None
    assert (last.task, last.done, last.total, last.seconds_left, last.stale) == ("vit: scores", 8, 8, 0.0, False)
    assert last.rate > 0
    assert read_progress(file) is None


def test_a_process_that_ended_is_known_at_once(file: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    leave(file, state(pid=ended.pid))
    found = read_progress(file)
    assert found is not None
    assert not found.stale
    ended.wait()
    found = read_progress(file)
    assert found is not None
    assert found.stale


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"\xff\xfe", b"null", b"[]", b"7", b'"text"', b"[" * 60_000, b'{"version": 1}',
        b'{"version": ' + b"9" * 5000 + b"}",
        *(
            state(**{name: value})
            for name, value in [
                ("version", 2), ("version", "1"), ("task", 7), ("task", None), ("host", []), ("done", -1), ("done", 1.5),
                ("done", True), ("done", 10**300), ("done", "7"), ("total", -1), ("total", "many"), ("rate", float("nan")),
                ("rate", float("inf")),
                ("rate", -1), ("rate", "1e3"), ("written", float("-inf")), ("written", None), ("pid", -1), ("pid", 1.0),
            ]
        ),
        state(command="x" * 70_000),
    ],
    ids=lambda content: str(content)[:20],
)  # fmt: skip
def test_what_is_no_state_is_none(file: Path, content: object) -> None:
    leave(file, content)
    assert read_progress(file) is None


@pytest.mark.parametrize("kind", ["nothing", "a file for a folder", "a folder", "a pipe", "a loop", "a device"])
def test_a_place_that_holds_no_state_is_none(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "results.h5.work"
    place = folder / "progress.json"
    if kind == "a file for a folder":
        folder.write_text("")
    elif kind != "nothing":
        folder.mkdir()
    if kind == "a folder":
        place.mkdir()
    elif kind == "a pipe":
        os.mkfifo(place)
    elif kind == "a loop":
        place.symlink_to(place)
    elif kind == "a device":
        place.symlink_to("/dev/zero")
    assert read_progress(tmp_path / "results.h5") is None


def test_a_long_name_is_bounded(file: Path) -> None:
    leave(file, state(task="n" * 30_000))
    found = read_progress(file)
    assert found is not None
    assert len(found.line(UNICODE)) < 500
