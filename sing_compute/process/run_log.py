"""Append the lines of a run to a log file, each with its time."""

import os
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from sing_compute.errors import escaped
from sing_compute.process.tasks import Interval, Task

LOG_SECONDS = 60.0
"""Shortest time between two lines of a task in the log, apart from the first and the last."""
_WAITING_BYTES = 2**20
"""Most bytes of text that wait for a disk that cannot be written; older text is dropped."""


class RunLog:
    """Write to a log file. What cannot be written waits for the next line; the run never waits for the disk."""

    def __init__(self, path: Path, rank: int) -> None:
        """Continue a log, or prepare a new one that begins with its first warning, task or error.

        Args:
            path: The log file.
            rank: Number of this process in its run; 0 also logs tasks and messages.
        """
        self._path, self._rank = path, rank
        self._begun = path.exists() and not rank
        self._waiting = b""
        self._interval = Interval(LOG_SECONDS)

    def say(self, text: str, *, begin: bool = False) -> None:
        """Add lines of text.

        Args:
            text: One or more lines; empty ones are left out.
            begin: Begin the file with this text if it has not begun; otherwise the text waits until it does.
        """
        self._begun |= begin
        mark = datetime.now().astimezone().isoformat(timespec="seconds") + (
            f" rank {self._rank}:" if self._rank else ""
        )
        new = "".join(f"{mark} {escaped(line)}\n" for line in text.split("\n") if line)
        content, self._waiting = self._waiting + new.encode(), b""  # first: a signal may call this in the middle
        written = self._append(content) if self._begun else 0
        self._waiting = (content[written:] + self._waiting)[-_WAITING_BYTES:]

    def begin(self, task: Task) -> None:
        """Log that a task has started."""
        self._interval.restart()
        if self._rank:
            self.say("", begin=True)
        else:
            self.say(f"{task.title}: begins" + (f", {task.total:,}" if task.total else ""), begin=True)

    def advance(self, task: Task) -> None:
        """Log the state of a task, once a minute."""
        if not self._rank and task.done != task.total and self._interval.is_over():
            self.say(f"{task.title}: {task.state}")

    def fail(self, task: Task) -> None:
        """Log the progress of a task that ended with an exception."""
        if not self._rank:
            self.say(f"{task.title}: left at {task.amount}")

    def end(self, task: Task) -> None:
        """Log the summary of a task."""
        if not self._rank:
            self.say(task.summary)

    def _append(self, content: bytes) -> int:
        with suppress(OSError):
            descriptor = os.open(
                self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, 0o666
            )
            try:
                return os.write(descriptor, content)
            finally:
                os.close(descriptor)
        return 0
