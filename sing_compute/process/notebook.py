"""Show how far a run is in a cell of a notebook: one line that is rewritten, and the run's messages below it."""

import sys
from typing import Any

from sing_compute.process.speaking import show
from sing_compute.process.tasks import Interval, Task

LINE_SECONDS = 0.3
"""Shortest time between two states of the line: each is a message to the browser."""


def in_notebook() -> bool:
    """Return True if this process is the kernel of a notebook, which shows more than plain text."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return getattr(shell, "kernel", None) is not None


class NotebookLine:
    """A line in the output of a cell. It shows the task in work, and at the end how long all of them took."""

    def __init__(self) -> None:
        """Show nothing before the first task."""
        self._handle: Any = None
        self._interval = Interval(LINE_SECONDS)
        self._run = Task("run", None)

    def say(self, text: str) -> None:
        """Print one line."""
        show(text)

    def begin(self, task: Task) -> None:
        """Show a task that has started."""
        self._interval.restart()
        self._show(f"{task.title} ...")

    def advance(self, task: Task) -> None:
        """Show how far a task is."""
        if self._interval.is_over():
            self._show(f"{task.title}: {task.state}")

    def fail(self, task: Task) -> None:
        """Show that a task ended with an exception."""
        self._show(f"{task.title}: left at {task.amount}")

    def end(self, task: Task) -> None:
        """Show the summary of a task."""
        self._show(task.summary)

    def finish(self, text: str) -> None:
        """Leave one line behind when all is done.

        Args:
            text: Names the work that was done.
        """
        self._show(f"{text} in {self._run.seconds:.1f} s")

    def _show(self, text: str) -> None:
        """Show the line, or replace it."""
        content = {"text/plain": text}
        if self._handle is None:
            self._handle = sys.modules["IPython"].display.display(content, raw=True, display_id=True)
        else:
            self._handle.update(content, raw=True)


class Silence:
    """Show nothing; the results file and its log keep what matters."""

    def say(self, text: str) -> None:
        """Show nothing."""

    def begin(self, task: Task) -> None:
        """Show nothing."""

    def advance(self, task: Task) -> None:
        """Show nothing."""

    def fail(self, task: Task) -> None:
        """Show nothing."""

    def end(self, task: Task) -> None:
        """Show nothing."""
