"""What a run says while it works: a bar on a terminal, plain lines anywhere else, and a file for the explorer to read."""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

Advance = Callable[[int], None]
LINE_SECONDS = 10.0
"""Shortest time between two plain progress lines."""
FILE_SECONDS = 1.0
"""Shortest time between two states in the file, apart from the first and the last of a task."""


class Progress:
    """Messages and progress on standard error; results go to standard output and are not this class's matter."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._file: _StateFile | None = None

    def say(self, text: str) -> None:
        """One line."""
        print(text, file=sys.stderr, flush=True)

    @contextmanager
    def kept_in(self, path: Path, command: str) -> Iterator[None]:
        """While the block runs, the state of the task in work stands in this file too; only a killed process leaves it."""
        self._file = _StateFile(path, command)
        try:
            self._file.write("starting", 0, None, 0.0)
            yield
        finally:
            self._file.remove()
            self._file = None

    @contextmanager
    def task(self, title: str, total: int | None) -> Iterator[Advance]:
        """A piece of work, of known size or not; call what is given with the number of items done."""
        shown = self._bar if self._terminal else self._lines
        with shown(title, total) as show:
            if self._file is None:
                yield show
                return
            with self._file.task(title, total) as note:

                def advance(count: int) -> None:
                    show(count)
                    note(count)

                yield advance

    @contextmanager
    def _bar(self, title: str, total: int | None) -> Iterator[Advance]:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
        )
        with Progress(
            *columns, TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(), console=Console(stderr=True)
        ) as bar:
            task = bar.add_task(title, total=total, rate="")
            start, done = time.monotonic(), 0

            def advance(count: int) -> None:
                nonlocal done
                done += count
                bar.update(task, advance=count, rate=f"{done / max(time.monotonic() - start, 1e-9):.1f}/s")

            yield advance

    @contextmanager
    def _lines(self, title: str, total: int | None) -> Iterator[Advance]:
        start = last = time.monotonic()
        done, share = 0, f" of {total:,}" if total else ""

        def advance(count: int) -> None:
            nonlocal done, last
            done += count
            now = time.monotonic()
            if now - last >= LINE_SECONDS and (total is None or done < total):
                last = now
                rate = done / (now - start)
                left = f", {_clock((total - done) / rate)} left" if total else ""
                self.say(f"{title}: {done:,}{share}, {rate:.1f}/s{left}")

        yield advance
        seconds = time.monotonic() - start
        self.say(f"{title}: {done:,}{share} in {seconds:.1f} s ({done / max(seconds, 1e-9):.1f}/s)")


class _StateFile:
    """One JSON file with the state of the task in work, replaced in one step; where it cannot be written it is left alone."""

    def __init__(self, path: Path, command: str) -> None:
        self._path, self._temporary = path, path.with_suffix(".tmp")
        self._run = {"started": time.time(), "pid": os.getpid(), "host": os.uname().nodename, "command": command}

    @contextmanager
    def task(self, title: str, total: int | None) -> Iterator[Advance]:
        """What `Progress.task` gives, for the file."""
        start = last = time.monotonic()
        done = 0
        self.write(title, done, total, 0.0)

        def advance(count: int) -> None:
            nonlocal done, last
            done += count
            if (now := time.monotonic()) - last >= FILE_SECONDS:
                last = now
                self.write(title, done, total, now - start)

        yield advance
        self.write(title, done, total, time.monotonic() - start)

    def write(self, title: str, done: int, total: int | None, seconds: float) -> None:
        """Put the state of a task that began so long ago in place: `rate` is items a second, moments are Unix times."""
        now = time.time()
        state = {"version": 1, "task": title, "done": done, "total": total, "rate": done / max(seconds, 1e-9)}
        text = json.dumps(state | {"task_started": now - seconds, "written": now} | self._run)
        with suppress(OSError):
            self._temporary.write_text(text)
            self._temporary.replace(self._path)

    def remove(self) -> None:
        """Take the file away."""
        for path in (self._path, self._temporary):
            with suppress(OSError):
                path.unlink()


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
