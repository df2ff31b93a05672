"""Count the progress of a task of the run, and decide when to report it again.

All durations of sing_compute come from `time.monotonic`, all times of day from the system's clock.
"""

import time
from typing import Protocol

from sing_compute.errors import visible


class Task:
    """Count the finished items of one piece of work."""

    def __init__(self, title: str, total: int | None) -> None:
        """Start the task now.

        Args:
            title: Short name of the task, as it is shown.
            total: Number of items; None where it is not known.
        """
        self.title, self.total = visible(title, longest=200), total
        self.done, self._start = 0, time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds since the task began."""
        return time.monotonic() - self._start

    @property
    def rate(self) -> float:
        """Finished items per second."""
        return self.done / max(self.seconds, 1e-9)

    @property
    def amount(self) -> str:
        """Finished items of all items, as text: `12 of 40`."""
        return f"{self.done:,}" + (f" of {self.total:,}" if self.total else "")

    @property
    def state(self) -> str:
        """Amount, rate and time left, as text: `12 of 40, 3.0/s, 0:09 left`."""
        left = f", {duration_text((self.total - self.done) / self.rate)} left" if self.total and self.done else ""
        return f"{self.amount}, {self.rate:,.1f}/s{left}"

    @property
    def summary(self) -> str:
        """The line for a finished task: `features: 40 of 40 in 13.3 s (3.0/s)`."""
        return f"{self.title}: {self.amount} in {self.seconds:.1f} s ({self.rate:.1f}/s)"


class TaskListener(Protocol):
    """Is called at every step of a task: the terminal, the log and the state file are listeners."""

    def begin(self, task: Task) -> None:
        """Is called when the task has started."""

    def advance(self, task: Task) -> None:
        """Is called when more of its items are finished."""

    def fail(self, task: Task) -> None:
        """Is called when the task ends with an exception."""

    def end(self, task: Task) -> None:
        """Is called when the task ends without an exception."""


class Interval:
    """Limit how often something is written."""

    def __init__(self, seconds: float) -> None:
        """Start an interval now.

        Args:
            seconds: Shortest time between two outputs.
        """
        self._seconds, self._last = seconds, time.monotonic()

    def restart(self) -> None:
        """Start the interval again, because something has just been written."""
        self._last = time.monotonic()

    def is_over(self) -> bool:
        """Return True, and start the next interval, if this one is over."""
        now = time.monotonic()
        if now - self._last < self._seconds:
            return False
        self._last = now
        return True


def duration_text(seconds: float) -> str:
    """Write seconds as `minutes:seconds`, from an hour on as `hours:minutes:seconds`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
