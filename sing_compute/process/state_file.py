"""Keep the state of the current task in a small JSON file, where the explorer reads it."""

import json
import os
import time
from contextlib import suppress
from pathlib import Path

from sing_compute.atomic_write import write_text
from sing_compute.process.tasks import Interval, Task

FILE_SECONDS = 1.0
"""Shortest time between two states in the file, apart from the first and the last of a task."""


class StateFile:
    """Replace the file in one step at each state; do nothing where it cannot be written."""

    def __init__(self, path: Path, command: str) -> None:
        """Write the first state.

        Args:
            path: The file; its folder may be missing.
            command: The command line of the run.
        """
        self._path = path
        self._run = {"started": time.time(), "pid": os.getpid(), "host": os.uname().nodename, "command": command}
        self._interval = Interval(FILE_SECONDS)
        self.begin(Task("starting", None))

    def begin(self, task: Task) -> None:
        """Write the state of a task that has started."""
        self._interval.restart()
        self._write(task)

    def advance(self, task: Task) -> None:
        """Write the state of a task, once a second."""
        if self._interval.is_over():
            self._write(task)

    def fail(self, task: Task) -> None:
        """Do nothing: the file is removed with the run."""

    def end(self, task: Task) -> None:
        """Write the last state of a task."""
        self._write(task)

    def remove(self) -> None:
        """Remove the file."""
        with suppress(OSError):
            self._path.unlink()

    def _write(self, task: Task) -> None:
        """Write a state: `rate` in items per second, times as Unix times."""
        now = time.time()
        state = {"version": 1, "task": task.title, "done": task.done, "total": task.total, "rate": task.rate}
        text = json.dumps(state | {"task_started": now - task.seconds, "written": now} | self._run)
        with suppress(OSError):
            write_text(self._path, text, durable=False)
