"""Stopping on request: SIGINT and SIGTERM let the shard in work be finished, a second one leaves at once."""

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self

from sing_compute.errors import StoppedError


class Interruption:
    """While the block runs, SIGINT and SIGTERM set a flag; `check` raises once it is set. In the main thread only.

    Raises:
        KeyboardInterrupt: A second signal came before the first was obeyed.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._asked = 0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._ask) for number in (signal.SIGINT, signal.SIGTERM)}
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
        if self._asked:
            raise KeyboardInterrupt
        self._asked = number
        self._say(f"{signal.Signals(number).name}: finishing the shard in work; once more to leave at once")
