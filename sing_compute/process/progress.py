"""What a run says while it works: a bar on a terminal, plain lines anywhere else, a log for good, a file for the explorer."""

import json
import os
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from rich.cells import cell_len, set_cell_size

from sing_compute import __version__
from sing_compute.errors import OtherRankError, SingError, StoppedError
from sing_compute.store.text import clean

Advance = Callable[[int], None]
BAR_SECONDS = 0.1
"""Shortest time between two states of the bar."""
LINE_SECONDS = 10.0
"""Shortest time between two plain progress lines."""
FILE_SECONDS = 1.0
"""Shortest time between two states in the file, apart from the first and the last of a task."""
LOG_SECONDS = 60.0
"""Shortest time between two lines of a task in the log, apart from the first and the last."""
BAR_COLUMNS = 24
_WAITING_BYTES = 2**20
_WIPE = "\x1b[2K"


class Progress:
    """Messages and progress, on standard error and in the log; results are said on standard output.

    Of several processes only rank 0 speaks; from the others the log takes warnings and errors.
    """

    def __init__(self, rank: int = 0) -> None:
        self._rank = rank
        self._screen = _Screen()
        self._log: _Log | None = None
        self._watchers: list[_Watcher] = [] if rank else [self._screen]

    def say(self, text: str) -> None:
        """One line of rank 0."""
        if not self._rank:
            self._note(text)
            self._screen.say(text)

    def warn(self, text: str) -> None:
        """One line that the log takes from every rank."""
        self._note(text, begin=True)
        if not self._rank:
            self._screen.say(text)

    def result(self, text: str) -> None:
        """What the run was for: on standard output, of rank 0."""
        if not self._rank:
            self._note(text)
            print(text, flush=True)

    @contextmanager
    def kept_in(self, path: Path, command: str, *, log: Path | None = None, device: str = "") -> Iterator[None]:
        """While the block runs, the state of the task in work stands in this file; only a killed process leaves it.

        With `log` all that is said from now on is appended there, and how the block ends. A user's mistake that is found before
        the first task begins no log.
        """
        watchers, shown = self._watchers, warnings.showwarning
        if log is not None:
            place = f"process {os.getpid()} on {os.uname().nodename}" + (f", {device}" if device else "")
            self._log = _Log(log, self._rank)
            self._note(f"{command} (sing-compute {__version__}, {place})")
            watchers = [*watchers, self._log]
        file = None if self._rank else _StateFile(path, command)
        self._watchers = [*watchers, file] if file else watchers
        warnings.showwarning = self._noting(shown)
        try:
            yield
        except (SingError, OtherRankError) as error:
            self._note(f"error: {error}")
            raise
        except (StoppedError, KeyboardInterrupt):
            if not self._rank:
                self._note("interrupted; the same command goes on where it was")
            raise
        except BaseException:
            self._note(f"failed: {traceback.format_exc()}", begin=True)
            raise
        else:
            if not self._rank:
                self._note("finished")
        finally:
            warnings.showwarning, self._watchers = shown, watchers
            if file:
                file.remove()

    @contextmanager
    def task(self, title: str, total: int | None) -> Iterator[Advance]:
        """A piece of work, of known size or not; call what is given with the number of items done."""
        task = _Task(title, total)
        for watcher in self._watchers:
            watcher.begin(task)

        def advance(count: int) -> None:
            task.done += count
            for watcher in self._watchers:
                watcher.advance(task)

        try:
            yield advance
        except BaseException:
            for watcher in self._watchers:
                watcher.leave(task)
            raise
        for watcher in self._watchers:
            watcher.end(task)

    def _note(self, text: str, *, begin: bool = False) -> None:
        if self._log:
            self._log.say(text, begin=begin)

    def _noting(self, shown: Callable[..., None]) -> Callable[..., None]:
        """What shows Python's warnings, and notes them in the log."""

        def show(message: Warning | str, category: type[Warning], file: str, line: int, *rest: Any) -> None:
            self._note(f"{category.__name__}: {message} ({file}:{line})", begin=True)
            shown(message, category, file, line, *rest)

        return show


class _Task:
    """How far a piece of work is."""

    def __init__(self, title: str, total: int | None) -> None:
        self.title, self.total = title, total
        self.done, self._start = 0, time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._start

    @property
    def rate(self) -> float:
        return self.done / max(self.seconds, 1e-9)

    @property
    def amount(self) -> str:
        return f"{self.done:,}" + (f" of {self.total:,}" if self.total else "")

    @property
    def state(self) -> str:
        left = f", {clock((self.total - self.done) / self.rate)} left" if self.total and self.done else ""
        return f"{self.amount}, {self.rate:,.1f}/s{left}"

    @property
    def summary(self) -> str:
        return f"{self.title}: {self.amount} in {self.seconds:.1f} s ({self.rate:.1f}/s)"


class _Watcher(Protocol):
    """Whoever is told of tasks."""

    def begin(self, task: _Task) -> None: ...
    def advance(self, task: _Task) -> None: ...
    def leave(self, task: _Task) -> None: ...
    def end(self, task: _Task) -> None: ...


class _Screen:
    """Standard error. The bar is one line that leaves the cursor at its start, so that whatever comes next stands over it."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._pause = BAR_SECONDS if self._terminal else LINE_SECONDS
        self._last = 0.0

    def say(self, text: str) -> None:
        print(f"{_WIPE if self._terminal else ''}{text}", file=sys.stderr, flush=True)

    def begin(self, task: _Task) -> None:
        self._last = time.monotonic()
        if self._terminal:
            self._draw(task)

    def advance(self, task: _Task) -> None:
        now = time.monotonic()
        if now - self._last >= self._pause and task.done != task.total:
            self._last = now
            if self._terminal:
                self._draw(task)
            else:
                self.say(f"{task.title}: {task.state}")

    def leave(self, task: _Task) -> None:
        if self._terminal:
            print(_WIPE, end="", file=sys.stderr, flush=True)

    def end(self, task: _Task) -> None:
        self.say(task.summary)

    def _draw(self, task: _Task) -> None:
        """Title, bar and numbers in the columns there are; the bar gives way first, then the title."""
        try:
            columns = os.get_terminal_size(sys.stderr.fileno()).columns - 1
        except (OSError, ValueError):
            columns = 79
        numbers = f" {task.state}"
        room = columns - cell_len(numbers)
        full, empty, cut = "━─…" if sys.stderr.encoding.lower().startswith("utf") else "#-~"
        title = task.title if cell_len(task.title) <= room else set_cell_size(task.title, max(0, room - 1)) + cut
        length = min(BAR_COLUMNS, room - cell_len(title) - 1) if task.total else 0
        filled = int(length * min(1.0, task.done / task.total)) if task.total else 0
        bar = " " + full * filled + empty * (length - filled) if length > 0 else ""
        line = set_cell_size(title + bar + numbers, columns)
        print(f"{_WIPE}{line}\r", end="", file=sys.stderr, flush=True)


class _Log:
    """Every line with its moment, appended to a file; what cannot be written waits for the next line, and nobody for it."""

    def __init__(self, path: Path, rank: int) -> None:
        self._path, self._rank = path, rank
        self._begun = path.exists() and not rank
        self._waiting = b""
        self._last = 0.0

    def say(self, text: str, *, begin: bool = False) -> None:
        """Take one text, line by line; write all that waits, if the log has begun."""
        self._begun |= begin
        mark = datetime.now().astimezone().isoformat(timespec="seconds") + (
            f" rank {self._rank}:" if self._rank else ""
        )
        new = "".join(f"{mark} {clean(line)}\n" for line in text.split("\n") if line)
        content, self._waiting = self._waiting + new.encode(), b""  # taken first: a signal may call this in the middle
        written = self._append(content) if self._begun else 0
        self._waiting = (content[written:] + self._waiting)[-_WAITING_BYTES:]

    def begin(self, task: _Task) -> None:
        self._last = time.monotonic()
        if self._rank:
            self.say("", begin=True)
        else:
            self.say(f"{task.title}: begins" + (f", {task.total:,}" if task.total else ""), begin=True)

    def advance(self, task: _Task) -> None:
        now = time.monotonic()
        if now - self._last >= LOG_SECONDS and task.done != task.total and not self._rank:
            self._last = now
            self.say(f"{task.title}: {task.state}")

    def leave(self, task: _Task) -> None:
        if not self._rank:
            self.say(f"{task.title}: left at {task.amount}")

    def end(self, task: _Task) -> None:
        if not self._rank:
            self.say(task.summary)

    def _append(self, content: bytes) -> int:
        with suppress(OSError):
            descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
            try:
                return os.write(descriptor, content)
            finally:
                os.close(descriptor)
        return 0


class _StateFile:
    """One JSON file with the state of the task in work, replaced in one step; where it cannot be written it is left alone."""

    def __init__(self, path: Path, command: str) -> None:
        self._path, self._temporary = path, path.with_suffix(".tmp")
        self._run = {"started": time.time(), "pid": os.getpid(), "host": os.uname().nodename, "command": command}
        self._last = 0.0
        self.begin(_Task("starting", None))

    def begin(self, task: _Task) -> None:
        self._last = time.monotonic()
        self._write(task)

    def advance(self, task: _Task) -> None:
        if (now := time.monotonic()) - self._last >= FILE_SECONDS:
            self._last = now
            self._write(task)

    def leave(self, task: _Task) -> None:
        """Nothing: the file goes with the run."""

    def end(self, task: _Task) -> None:
        self._write(task)

    def remove(self) -> None:
        """Take the file away."""
        for path in (self._path, self._temporary):
            with suppress(OSError):
                path.unlink()

    def _write(self, task: _Task) -> None:
        """Put the state in place: `rate` is items a second, moments are Unix times."""
        now = time.time()
        state = {"version": 1, "task": task.title, "done": task.done, "total": task.total, "rate": task.rate}
        text = json.dumps(state | {"task_started": now - task.seconds, "written": now} | self._run)
        with suppress(OSError):
            self._temporary.write_text(text)
            self._temporary.replace(self._path)


def clock(seconds: float) -> str:
    """Seconds as minutes and seconds, or hours before them."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
