"""The explorer's own process: its memory, threads and garbage. Imports nothing heavy: the first frame waits for it."""

import gc
import os
import sys

from sing_compute.allocator import return_blocks_above

_USUAL = gc.get_threshold()
_START_OBJECTS = 300_000
"""New objects before the collector looks for garbage. Left alone it looks 150 times until the first table, 50 ms in all."""
_GIVEN_BACK = 2**22
"""Bytes of a block of memory from which it goes back to the system as soon as it is free."""
_TURN = 0.0005
"""Seconds after which one thread lets another go on: those that read keep the keys waiting for a tenth of Python's usual time."""


def begin() -> None:
    """Set up the process. It must not have imported numpy."""
    gc.set_threshold(_START_OBJECTS)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # more of them wait at full speed for work that never comes
    sys.setswitchinterval(_TURN)
    return_blocks_above(_GIVEN_BACK)


def settle() -> None:
    """Collect garbage as usual again, once there is time: without the objects of the start, of which a full look takes 60 ms."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_USUAL)
