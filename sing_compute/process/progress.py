"""Report what a run does: on the terminal, in a log file, and in a state file for the explorer."""

import os
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from sing_compute import __version__
from sing_compute.errors import OtherRankError, SingError, StoppedError, visible
from sing_compute.process.run_log import RunLog
from sing_compute.process.speaking import show_text
from sing_compute.process.state_file import StateFile
from sing_compute.process.tasks import Task, TaskListener
from sing_compute.process.terminal import Terminal

Advance = Callable[[int], None]
"""Report that so many more items of a task are finished."""


class Screen(TaskListener, Protocol):
    """Where a user sees messages and tasks: a terminal, or a cell of a notebook."""

    def say(self, text: str) -> None:
        """Show one line."""


class Progress:
    """Report messages and tasks on standard error and in the log, and results on standard output.

    Of several processes only rank 0 reports; the log also takes the warnings and errors of the others.
    """

    def __init__(self, rank: int = 0, *, screen: Screen | None = None) -> None:
        """Report for one process.

        Args:
            rank: Number of this process in its run.
            screen: Shows messages and tasks; None for the terminal.
        """
        self._rank = rank
        self._terminal: Screen = screen or Terminal()
        self._log: RunLog | None = None
        self.words: Callable[[str], str] = str
        """Rewrites every message: a run on sounds speaks of sounds."""
        self._listeners: list[TaskListener] = [] if rank else [self._terminal]

    def say(self, text: str) -> None:
        """Write one line to standard error and the log, on rank 0 only."""
        if not self._rank:
            text = visible(self.words(text))
            self._note(text)
            self._terminal.say(text)

    def warn(self, text: str) -> None:
        """Write one line to the log, on every rank, and to standard error on rank 0."""
        text = visible(self.words(text))
        self._note(text, begin=True)
        if not self._rank:
            self._terminal.say(text)

    def result(self, text: str) -> None:
        """Write a result of the run to standard output and the log, on rank 0 only."""
        if not self._rank:
            self._note(text)
            show_text(text)

    @contextmanager
    def record(self, state_file: Path, command: str, *, log: Path | None = None, device: str = "") -> Iterator[None]:
        """Keep a state file and a log while the block runs.

        The state file is removed at the end; only a killed process leaves it. A user's mistake that is found before the first
        task starts no log.

        Args:
            state_file: File into which the state of the current task is written as JSON.
            command: The command line of the run.
            log: File to which all messages in the block and its end are appended; None for no log.
            device: Device of the run, for the log's first line.
        """
        listeners, show_warning = self._listeners, warnings.showwarning
        if log is not None:
            place = f"process {os.getpid()} on {os.uname().nodename}" + (f", {device}" if device else "")
            self._log = RunLog(log, self._rank)
            self._note(f"{visible(command)} (sing-compute {__version__}, {place})")
            listeners = [*listeners, self._log]
        state = None if self._rank else StateFile(state_file, command)
        self._listeners = [*listeners, state] if state else listeners
        warnings.showwarning = self._also_log(show_warning)
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
            warnings.showwarning, self._listeners = show_warning, listeners
            if state:
                state.remove()

    @contextmanager
    def task(self, title: str, total: int | None) -> Iterator[Advance]:
        """Report one piece of work while the block runs.

        Args:
            title: Short name of the task.
            total: Number of items; None where it is not known.

        Yields:
            A function to call with the number of items that have been finished since the last call.
        """
        task = Task(title, total)
        for listener in self._listeners:
            listener.begin(task)

        def advance(count: int) -> None:
            task.done += count
            for listener in self._listeners:
                listener.advance(task)

        try:
            yield advance
        except BaseException:
            for listener in self._listeners:
                listener.fail(task)
            raise
        for listener in self._listeners:
            listener.end(task)

    def _note(self, text: str, *, begin: bool = False) -> None:
        if self._log:
            self._log.say(text, begin=begin)

    def _also_log(self, show_warning: Callable[..., None]) -> Callable[..., None]:
        """Give a function that shows a warning of Python as before and logs it."""

        def show(message: Warning | str, category: type[Warning], file: str, line: int, *rest: Any) -> None:
            text = visible(message)
            self._note(f"{category.__name__}: {text} ({visible(file)}:{line})", begin=True)
            show_warning(text, category, file, line, *rest)

        return show
