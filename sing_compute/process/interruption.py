"""Stop a run on SIGINT and SIGTERM at the next safe point, and let it go on when its terminal is lost."""

import errno
import io
import os
import signal
import stat
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any, Self

from sing_compute.errors import StoppedError

_CLOSED = (errno.EIO, errno.EPIPE, errno.ENXIO, errno.ENODEV, errno.ENOTCONN, errno.ECONNRESET)
"""Errors of writing to a terminal or pipe whose other end is closed."""


class Interruption:
    """Turn SIGINT and SIGTERM into a request that `check` obeys, while the `with` block runs; SIGHUP is only reported.

    Outside the main thread it does nothing: Python handles signals only there.

    Raises:
        KeyboardInterrupt: A second signal came before the first request was obeyed.
    """

    def __init__(self, say: Callable[[str], None], *, unit: str = "shard") -> None:
        """Prepare to handle the signals of this process, not those of its workers.

        Args:
            say: Shows one line to the user.
            unit: Piece of work that is finished before the run stops.
        """
        self._say, self._unit = say, unit
        self._requested = 0
        self._before: dict[int, Any] = {}
        self._process = os.getpid()

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._request) for number in (signal.SIGINT, signal.SIGTERM)}
            if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # nohup ignores it
                self._before[signal.SIGHUP] = signal.signal(signal.SIGHUP, self._report_hangup)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def check(self) -> None:
        """Stop the run here if a signal has asked for it.

        Raises:
            StoppedError: A signal has asked for it.
        """
        if self._requested:
            raise StoppedError(self._requested)

    def _request(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._process:  # a worker has inherited this handler; the main process decides
            return
        if self._requested:
            raise KeyboardInterrupt
        self._requested = number
        self._report(f"{signal.Signals(number).name}: finishing the {self._unit} in work; once more to leave at once")

    def _report_hangup(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() == self._process:
            self._report("SIGHUP: the terminal is gone; the run goes on")

    def _report(self, text: str) -> None:
        with suppress(RuntimeError):  # the signal came in the middle of another line
            self._say(text)


def outlive_terminal() -> None:
    """Let this process go on when the terminal or pipe of its standard output or error is closed."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # it was closed before the start
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 -- for as long as the process lives
        elif isinstance(stream, io.TextIOWrapper):
            stream.flush()
            raw = _LastingFile(stream.fileno(), "w", closefd=False)
            text = io.TextIOWrapper(
                io.BufferedWriter(raw),
                encoding=stream.encoding,
                errors=stream.errors,
                line_buffering=stream.line_buffering or stream.write_through,
            )
            setattr(sys, name, text)


class _LastingFile(io.FileIO):
    """Write to a descriptor; to the null device from the moment its other end is closed."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data) or 0
        except OSError as error:
            if error.errno not in _CLOSED or stat.S_ISREG(os.fstat(self.fileno()).st_mode):
                raise
            null_device = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null_device, self.fileno())
            os.close(null_device)
            return memoryview(data).nbytes
