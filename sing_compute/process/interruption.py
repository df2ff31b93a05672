"""When a run stops and when it does not: signals, and a terminal that goes away."""

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

_GONE = (errno.EIO, errno.EPIPE, errno.ENXIO, errno.ENODEV, errno.ENOTCONN, errno.ECONNRESET)
"""What writing says where nobody reads any more: a closed terminal, a pipe without a reader."""


class Interruption:
    """While the block runs, SIGINT and SIGTERM set a flag that `check` raises on; SIGHUP is noted. In the main thread only.

    Raises:
        KeyboardInterrupt: A second signal came before the first was obeyed.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._asked = 0
        self._before: dict[int, Any] = {}
        self._process = os.getpid()

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._ask) for number in (signal.SIGINT, signal.SIGTERM)}
            if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # nohup has seen to it
                self._before[signal.SIGHUP] = signal.signal(signal.SIGHUP, self._go_on)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def check(self) -> None:
        """Stop here if that was asked for.

        Raises:
            StoppedError: It was.
        """
        if self._asked:
            raise StoppedError(self._asked)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._process:  # a worker has inherited this; the main process decides for it
            return
        if self._asked:
            raise KeyboardInterrupt
        self._asked = number
        self._tell(f"{signal.Signals(number).name}: finishing the shard in work; once more to leave at once")

    def _go_on(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() == self._process:
            self._tell("SIGHUP: the terminal is gone; the run goes on")

    def _tell(self, text: str) -> None:
        with suppress(RuntimeError):  # the signal came in the middle of another line
            self._say(text)


def outlive_terminal() -> None:
    """Let nothing that is written to standard output or error end this process once its terminal or pipe is gone."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed before the start
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 -- for as long as the process lives
        elif isinstance(stream, io.TextIOWrapper):
            stream.flush()
            raw = _Outlet(stream.fileno(), "w", closefd=False)
            text = io.TextIOWrapper(
                io.BufferedWriter(raw),
                encoding=stream.encoding,
                errors=stream.errors,
                line_buffering=stream.line_buffering or stream.write_through,
            )
            setattr(sys, name, text)


class _Outlet(io.FileIO):
    """A descriptor that leads to nowhere from the moment its other end is gone."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data) or 0
        except OSError as error:
            if error.errno not in _GONE or stat.S_ISREG(os.fstat(self.fileno()).st_mode):
                raise
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            return memoryview(data).nbytes
