"""The arithmetic inside a network. What leaves it is float32, whatever it was computed in."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

AUTO = "auto"
"""The fastest that moves no score by more than rounding would (DESIGN, 6)."""
FLOAT32 = "float32"
AUTOCAST = {"bfloat16": torch.bfloat16, "float16": torch.float16}
PRECISIONS = (FLOAT32, "tfloat32", *AUTOCAST)
"""float32 is float32 everywhere; tfloat32 lets CUDA round the factors of products to 10 bits; the others are torch's autocast."""


def faster_precisions(device: torch.device) -> tuple[str, ...]:
    """What may be faster than float32 on a device."""
    return {"cuda": ("float16", "bfloat16", "tfloat32"), "cpu": ("bfloat16",)}.get(device.type, ())


@contextmanager
def computing_in(precision: str, device: torch.device) -> Iterator[None]:
    """While the block runs, networks on this device compute in this precision.

    cuDNN rounds to tfloat32 unless it is told not to, so that float32 has to be asked for, too.

    Raises:
        ValueError: An unknown precision.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"unknown precision {precision!r}")
    if device.type != "cuda":
        with torch.autocast(device.type, AUTOCAST.get(precision), enabled=precision in AUTOCAST):
            yield
        return
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    allowed = precision != FLOAT32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = allowed
    try:
        with torch.autocast(device.type, AUTOCAST.get(precision), enabled=precision in AUTOCAST):
            yield
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


@contextmanager
def keeping_weights(device: torch.device) -> Iterator[None]:
    """While the block runs, weights that autocast has rounded once stay rounded: each batch would round them again."""
    with torch.autocast(device.type, enabled=False):
        yield


def keep_weights_in_this_thread() -> None:
    """The same for a thread that began inside such a block: torch shares what it keeps, but counts blocks by thread."""
    torch.autocast_increment_nesting()
