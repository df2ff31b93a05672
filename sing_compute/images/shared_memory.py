"""Hand tensors from a decoding process to the run through memory without a name, of which a container has enough.

Torch hands tensors over through `/dev/shm`, which is 64 MB in a container by default; when it is full, torch's loader
waits for ever. Memory of `memfd_create` is limited by the machine's memory alone.
"""

import errno
import mmap
import os
import tempfile
from collections.abc import Callable, Sequence
from multiprocessing.reduction import DupFd
from typing import Any

import torch
from torch import Tensor

from sing_compute.errors import SingError

WAY_OUT = "finished work is kept, the same command goes on; --workers 1 needs least memory, --workers 0 shares none"


class SharedTensor:
    """A tensor in memory that another process can map; pickled, it becomes a plain tensor in the process that receives it."""

    def __init__(self, shape: Sequence[int], dtype: torch.dtype, memory_format: torch.memory_format) -> None:
        """Get the memory.

        Args:
            shape: Shape of the tensor; it has at least one element.
            dtype: Its type.
            memory_format: The order of its elements in memory.

        Raises:
            OSError: There is no memory, or too many files are open.
        """
        empty = torch.empty(tuple(shape), dtype=dtype, device="meta", memory_format=memory_format)
        self._form = (tuple(empty.shape), empty.stride(), dtype)
        size = empty.numel() * empty.element_size()
        descriptor = _memory(size)
        try:
            self.tensor = _mapped(descriptor, *self._form)
            """The tensor in this process, to be filled before it is sent."""
            self._sent = DupFd(descriptor)
        finally:
            os.close(descriptor)

    def __reduce__(self) -> tuple[Callable[..., Tensor], tuple[Any, ...]]:
        return _receive, (self._sent, *self._form)


class Sent:
    """Parts of a value, some of them shared tensors; pickled, they become the value in the process that receives them."""

    def __init__(self, make: Callable[..., Any], *parts: Any) -> None:
        """Keep the parts until they are sent.

        Args:
            make: Makes the value from the parts, in the receiving process.
            parts: Anything that can be pickled.
        """
        self._make, self._parts = make, parts

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self._make, self._parts


def stacked(tensors: Sequence[Tensor]) -> Tensor:
    """Join tensors of one shape along a new first axis, images with channels last, the memory format of the networks."""
    shape, dtype, memory_format = _form(tensors)
    return torch.stack(tuple(tensors), out=torch.empty(shape, dtype=dtype, memory_format=memory_format))


def stacked_to_send(tensors: Sequence[Tensor]) -> SharedTensor | Tensor:
    """Join tensors like `stacked`, in memory that the process which receives them can map.

    Raises:
        SingError: There is no memory, or too many files are open.
    """
    if not tensors[0].numel():  # no memory can be mapped, and none is needed
        return stacked(tensors)
    try:
        shared = SharedTensor(*_form(tensors))
    except OSError as error:
        limit = "; ulimit -f" if error.errno == errno.EFBIG else ""
        raise SingError(f"no memory for decoded images ({error.strerror or error}{limit}); {WAY_OUT}") from error
    torch.stack(tuple(tensors), out=shared.tensor)
    return shared


def _form(tensors: Sequence[Tensor]) -> tuple[tuple[int, ...], torch.dtype, torch.memory_format]:
    """Return shape, type and memory format of joined tensors."""
    first = tensors[0]
    memory_format = torch.channels_last if first.ndim == 3 else torch.contiguous_format
    return (len(tensors), *first.shape), first.dtype, memory_format


def _memory(size: int) -> int:
    """Return a descriptor of this many bytes of memory; of a file without a name where the system has no such memory."""
    try:
        descriptor = os.memfd_create("sing-images")
    except (AttributeError, OSError):  # not Linux, an old kernel, or a container that forbids it
        with tempfile.TemporaryFile() as file:
            os.posix_fallocate(file.fileno(), 0, size)  # a full disk is an error here, not a signal later
            return os.dup(file.fileno())
    os.ftruncate(descriptor, size)
    return descriptor


def _mapped(descriptor: int, shape: tuple[int, ...], stride: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """Return the tensor in the memory of a descriptor, which may then be closed."""
    return torch.frombuffer(mmap.mmap(descriptor, 0), dtype=dtype).as_strided(shape, stride)


def _receive(sent: Any, shape: tuple[int, ...], stride: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """Return the tensor that another process has sent."""
    descriptor = sent.detach()
    try:
        return _mapped(descriptor, shape, stride, dtype)
    finally:
        os.close(descriptor)
