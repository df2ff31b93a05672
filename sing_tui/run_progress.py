"""Progress of a `sing-compute` that is writing a results file, from the state that it leaves beside the file. No Textual."""

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sing_compute.atomic_write import followed
from sing_compute.formats import Glyphs
from sing_compute.store.text import one_line

SILENT_SECONDS = 60.0
"""A run on another machine that has written no state for so long counts as stalled."""
_MOST_BYTES = 65_536
_MOST = 2**53
_MOST_SECONDS = 365 * 86_400


@dataclass(frozen=True, slots=True)
class RunProgress:
    """The task that a run is at, and how many of its items are done."""

    task: str
    done: int
    total: int | None
    """None where it is not known."""
    rate: float
    """Items a second since the task began."""
    seconds_left: float | None
    """Of this task, not of the run; None where it is not known."""
    stale: bool
    """True if its process is gone, or if a run on another machine has written no state for a minute."""

    def line(self, glyphs: Glyphs) -> str:
        """Return task, share and time left in one line of any length."""
        amount = f" {100 * self.done // self.total}%" if self.total else f" {self.done:,}" if self.done else ""
        if self.stale:
            rest = ", stalled"
        elif self.seconds_left:
            rest = f", {_clock(self.seconds_left)} left"
        else:
            rest = f", {self.rate:,.0f}/s" if self.done and not self.total else ""
        return f"{glyphs.text(self.task)}{amount}{rest}"


def read_progress(file: Path) -> RunProgress | None:
    """Read the state of the run that writes a results file.

    Args:
        file: The results file; it need not exist yet.

    Returns:
        The progress; None where there is no run, or its state cannot be read.
    """
    try:
        file = followed(file)
        path = file.with_name(file.name + ".work") / "progress.json"
        if not path.is_file():  # nor a pipe, which would be waited for
            return None
        with path.open("rb") as stream:
            content = stream.read(_MOST_BYTES + 1)
        return _read(json.loads(content)) if len(content) <= _MOST_BYTES else None
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None


def waiting_line(name: str, now: RunProgress | None, glyphs: Glyphs) -> str:
    """Say what a screen without a file waits for.

    Args:
        name: Name of the file.
        now: The run that writes it; None where there is none.
        glyphs: The signs of the screen.
    """
    if now is None or now.stale:
        return f"{name} is not there yet and no run is at work on it; q leaves"
    return f"sing-compute is at work on {name}: {now.line(glyphs)}"


def _read(state: Any) -> RunProgress | None:
    if state["version"] != 1 or not isinstance(state["task"], str) or not isinstance(state["host"], str):
        return None
    done, pid = _count(state["done"]), _count(state["pid"])
    total = None if state["total"] is None else _count(state["total"])
    rate, written = _number(state["rate"]), _number(state["written"])
    if total is not None:
        done = min(done, total)
    left = (total - done) / rate if total and done and rate else None
    here = state["host"] == os.uname().nodename
    stale = not _lives(pid) if here else time.time() - written > SILENT_SECONDS
    known = None if left is None or left > _MOST_SECONDS else left
    return RunProgress(one_line(state["task"]), done, total or None, rate, known, stale)


def _count(value: object) -> int:
    if type(value) is int and 0 <= value <= _MOST:
        return value
    raise ValueError("no count")


def _number(value: object) -> float:
    if type(value) in (int, float) and 0 <= value <= _MOST:  # type: ignore[operator]
        return float(value)  # type: ignore[arg-type]
    raise ValueError("no number")


def _lives(pid: int) -> bool:
    """Return True if this machine has such a process, whoever owns it."""
    if not pid:
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
