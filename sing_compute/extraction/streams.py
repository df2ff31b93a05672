"""Calls side by side in threads: several forward passes of few threads each keep cores busier than one of many."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import TypeVar

import torch

from sing_compute.allocator import keeping_memory
from sing_compute.precision import keep_weights_in_this_thread

T = TypeVar("T")
MOST_STREAMS = 4
"""Calls at a time: each holds the activations of a batch, and past a few there is little left to win."""
AHEAD = 2
"""Calls that wait for each thread, so that none waits for them."""


class Streams:
    """So many calls at a time, each in a thread with its share of torch's; what they give comes in the calls' order.

    A forward pass that shares its threads with another process, or is made of many short kernels, has threads wait for each
    other at the end of every kernel; passes that are independent of each other do not.
    """

    def __init__(self, count: int) -> None:
        self.count, self._threads = count, torch.get_num_threads()
        self._pool = ThreadPoolExecutor(count, "stream", self._begin)
        self._memory = keeping_memory()

    def __enter__(self) -> "Streams":
        self._memory.__enter__()
        return self

    def map(self, calls: Iterable[Callable[[], T]]) -> Iterator[T]:
        """What each call gives, in order. Calls are asked for as there is room for them; an error ends the row of them."""
        waiting: deque[Future[T]] = deque()
        for call in calls:
            waiting.append(self._pool.submit(call))
            if len(waiting) > (1 + AHEAD) * self.count:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)
        self._memory.__exit__(kind, error, trace)
        torch.set_num_threads(self._threads)  # what a thread sets for itself, later ones begin with

    def _begin(self) -> None:
        torch.set_num_threads(max(1, self._threads // self.count))
        keep_weights_in_this_thread()
