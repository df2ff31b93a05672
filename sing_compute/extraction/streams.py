"""Run calls at the same time in threads: several forward passes of few threads keep the cores busier than one of many."""

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
"""Most calls at a time: each holds the activations of a batch in memory, and more than a few bring little speed."""
AHEAD = 2
"""Calls that are ready for each thread in advance, so that no thread has to wait for one."""


class Streams:
    """Run a fixed number of calls at the same time, each in its own thread; torch's threads are divided among them.

    The threads of one forward pass wait for each other at the end of every kernel. This takes long if the pass has many
    short kernels or shares the cores with another process. Independent passes do not wait for each other.
    """

    def __init__(self, count: int) -> None:
        self.count, self._threads = count, torch.get_num_threads()
        self._pool = ThreadPoolExecutor(count, "stream", self._begin)
        self._memory = keeping_memory()

    def __enter__(self) -> "Streams":
        self._memory.__enter__()
        return self

    def map(self, calls: Iterable[Callable[[], T]]) -> Iterator[T]:
        """Yield the result of each call, in the order of the calls.

        Args:
            calls: Read a few ahead of the results. The first error of a call is raised, and no further call is read.
        """
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
        torch.set_num_threads(self._threads)  # new threads begin with the number that the last thread has set

    def _begin(self) -> None:
        torch.set_num_threads(max(1, self._threads // self.count))
        keep_weights_in_this_thread()
