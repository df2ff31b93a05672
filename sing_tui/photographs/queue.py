"""Photographs that wait to be decoded by a few threads: the newest wish comes first and drops those before it."""

from collections import OrderedDict, deque
from collections.abc import Iterable
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")
THREADS = 2
"""Threads that decode beside the screen."""


class DecodingQueue:
    """Lines that are to be decoded; each thread takes the next one until there is none."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._waiting: deque[int] = deque()
        self._threads = 0

    def want(self, lines: Iterable[int]) -> int:
        """Put these lines into the place of all that still wait.

        Returns:
            How many threads are to be started: each calls `take` until it returns None.
        """
        with self._lock:
            self._waiting = deque(lines)
            started = min(THREADS - self._threads, len(self._waiting))
            self._threads += started
            return started

    def take(self) -> int | None:
        """Return the next line; None if the calling thread is to end."""
        with self._lock:
            if self._waiting:
                return self._waiting.popleft()
            self._threads -= 1
            return None


class Bounded(Generic[T]):
    """Values by line; beyond a number of them those that were used longest ago are dropped."""

    def __init__(self) -> None:
        self._known: OrderedDict[int, T] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def get(self, line: int) -> T | None:
        """Return the value of a line; None if it is not known."""
        if line in self._known:
            self._known.move_to_end(line)
        return self._known.get(line)

    def put(self, line: int, value: T, most: int) -> None:
        """Keep a value, and at most so many of them."""
        self._known[line] = value
        self._known.move_to_end(line)
        while len(self._known) > most:
            self._known.popitem(last=False)

    def clear(self) -> None:
        """Drop all values."""
        self._known.clear()
