"""Compute in a process that belongs to the user, such as the kernel of a notebook, and leave it as it was."""

import os
import random
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def leaving_no_trace() -> Iterator[None]:
    """Restore, when the block ends, what a run changes for all of a process.

    These are environment variables, import path, warning filters, the number of torch's threads and the states of all
    generators of random numbers. Signal handlers are restored by `Interruption`.
    """
    environment, path, threads = dict(os.environ), list(sys.path), torch.get_num_threads()
    drawn, drawn_by_numpy = random.getstate(), np.random.get_state()
    # To ask for the state of a GPU that nobody has used would start it.
    used = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()  # type: ignore[no-untyped-call]
    try:
        with warnings.catch_warnings(), torch.random.fork_rng(used):
            yield
    finally:
        random.setstate(drawn)
        np.random.set_state(drawn_by_numpy)
        torch.set_num_threads(threads)
        sys.path[:] = path
        if dict(os.environ) != environment:
            os.environ.clear()
            os.environ.update(environment)
