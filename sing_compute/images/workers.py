"""Start the processes that decode images, and find out when one of them has died."""

import multiprocessing
import signal
from collections.abc import Iterator
from typing import Any

from torch.utils.data import DataLoader

DEAD_WORKER = ("DataLoader worker (pid", "Pin memory thread")
"""Beginnings of torch's messages when a worker process has died."""


def check_workers(workers: int) -> None:
    """Check that the system has the semaphores of torch's loader: half made, the loader would print a traceback.

    Args:
        workers: Number of worker processes.

    Raises:
        OSError: It has not: /dev/shm is missing, full or read-only.
    """
    made = [multiprocessing.Event() for _ in range(2 * workers + 2 if workers else 0)]
    del made


def started(loader: DataLoader[Any]) -> Iterator[Any]:
    """Start the workers. Torch's signal handler is removed: at the death of a worker it raises wherever the run happens to be."""
    before = signal.getsignal(signal.SIGCHLD)
    stream = iter(loader)
    if signal.getsignal(signal.SIGCHLD) is not before:
        signal.signal(signal.SIGCHLD, before)
    return stream


def is_worker_death(error: Exception) -> bool:
    """Return True if a worker has died, False if it raised an error. If it dies while it sends, the connection breaks."""
    text = str(error)
    return text.startswith(DEAD_WORKER) if isinstance(error, RuntimeError) else not text.startswith("Caught ")


def ignore_interrupts(worker: int) -> None:
    """Ignore Ctrl-C and hang-up in a worker: they reach every process of the run, and the main process decides when to stop."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
