"""Leave at once: threads that still read a file are not waited for, since they change nothing."""

import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import NoReturn

PATIENCE = 0.05
"""Seconds that threads have to end by themselves."""
REMOVAL_PATIENCE = 10.0
"""Seconds that an export has to stop and to remove what it wrote."""


class AbandonedThreads(ThreadPoolExecutor):
    """Threads that the end of the event loop does not wait for."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more work, drop what has not begun, and return at once, whatever `wait` says."""
        super().shutdown(wait=False, cancel_futures=True)


def leave(code: int, *, patience: float = PATIENCE) -> None:
    """End the program if threads are still at work after a moment; Python itself would wait for them.

    Args:
        code: The exit code.
        patience: Seconds to wait for them.
    """
    latest = time.monotonic() + patience
    mine = threading.current_thread()
    others = [thread for thread in threading.enumerate() if thread is not mine and not thread.daemon]
    for thread in others:
        thread.join(max(0.0, latest - time.monotonic()))
    if any(thread.is_alive() for thread in others):
        _end(code)


def _end(code: int) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
