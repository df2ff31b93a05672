"""Set how the C library hands out memory (mallopt(3), malloc_trim(3)). Where it is not glibc, every call does nothing."""

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -3, -4, -8
"""Numbers of these parameters in malloc.h."""
_LARGEST_THRESHOLD, _DEFAULT_MMAPS, _NEVER = 2**25, 2**16, 2**31 - 1


def share_one_heap() -> None:
    """Let all threads started after this call use one heap.

    glibc gives each thread a heap of its own of 64 MB, which is smaller than the activations of one batch.
    """
    _mallopt(_ARENA_MAX, 1)


def return_blocks_above(size: int) -> None:
    """Return every freed block of at least this size to the system at once.

    Left alone, glibc raises this size with every large block that is freed, and keeps tens of megabytes.

    Args:
        size: Bytes, at most 32 MiB.
    """
    _mallopt(_MMAP_THRESHOLD, size)


@contextmanager
def keeping_memory() -> Iterator[None]:
    """Keep freed memory in this process while the block runs, ready for the next batch; return it at the end.

    A forward pass frees some hundred megabytes and needs them again at once. With new pages from the system each time it took
    30 to 80 % longer (MobileNetV2 and ResNet-50, batches of 16, one thread).
    """
    _mallopt(_MMAP_MAX, 0)
    _mallopt(_TRIM_THRESHOLD, _NEVER)
    try:
        yield
    finally:
        # The values that glibc itself reaches in a process that has used large blocks; once set, it no longer adapts them.
        _mallopt(_MMAP_MAX, _DEFAULT_MMAPS)
        _mallopt(_MMAP_THRESHOLD, _LARGEST_THRESHOLD)
        _mallopt(_TRIM_THRESHOLD, 2 * _LARGEST_THRESHOLD)
        give_memory_back()


def give_memory_back() -> None:
    """Return the free memory between blocks in use to the system, which the C library keeps otherwise."""
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)


def _mallopt(parameter: int, value: int) -> None:
    if sys.platform == "linux":
        with suppress(AttributeError, OSError):  # another C library
            ctypes.CDLL(None).mallopt(parameter, value)
