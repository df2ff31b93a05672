"""Show messages and a progress bar on standard error; where it is no terminal, plain lines."""

import os
import sys

from rich.cells import cell_len, set_cell_size

from sing_compute.process.speaking import draw
from sing_compute.process.tasks import Interval, Task

BAR_SECONDS = 0.1
"""Shortest time between two states of the bar."""
LINE_SECONDS = 10.0
"""Shortest time between two plain progress lines."""
BAR_COLUMNS = 24
_CLEAR_LINE = "\x1b[2K"


class Terminal:
    """Write to standard error. The cursor stays at the start of the bar's line, so that whatever comes next covers the bar."""

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._interval = Interval(BAR_SECONDS if self._is_terminal else LINE_SECONDS)

    def say(self, text: str) -> None:
        """Write text unchanged, and a line end."""
        draw(f"{_CLEAR_LINE if self._is_terminal else ''}{text}\n")

    def begin(self, task: Task) -> None:
        """Show the bar of a task that has started."""
        self._interval.restart()
        if self._is_terminal:
            self._draw(task)

    def advance(self, task: Task) -> None:
        """Redraw the bar of a task ten times a second; write a plain line every ten seconds."""
        if task.done != task.total and self._interval.is_over():
            if self._is_terminal:
                self._draw(task)
            else:
                self.say(f"{task.title}: {task.state}")

    def fail(self, task: Task) -> None:
        """Remove the bar of a task that ended with an exception."""
        if self._is_terminal:
            draw(_CLEAR_LINE)

    def end(self, task: Task) -> None:
        """Replace the bar of a task by its summary."""
        self.say(task.summary)

    def _draw(self, task: Task) -> None:
        """Write title, bar and numbers in the columns that there are: first the bar gets shorter, then the title."""
        # Measured: rich.progress redraws in 0.6 to 0.9 ms, this in 0.05; on 40 columns it cuts the numbers off.
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
        draw(f"{_CLEAR_LINE}{line}\r")
