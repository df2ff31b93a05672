"""Choose the precision of the arithmetic inside networks; their outputs are float32 in any case."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

AUTO = "auto"
"""The fastest precision that moves AS and IS by less than 0.05 degrees, found by a trial at the start of a run."""
FLOAT32 = "float32"
AUTOCAST = {"bfloat16": torch.bfloat16, "float16": torch.float16}
"""Precisions that use torch's autocast."""
PRECISIONS = (FLOAT32, "tfloat32", *AUTOCAST)
"""All precisions. With tfloat32, CUDA rounds the factors of products to 10 bits."""


def faster_precisions(device: torch.device) -> tuple[str, ...]:
    """Return the precisions that may be faster than float32 on a device.

    Args:
        device: Device of the networks.
    """
    return {"cuda": ("float16", "bfloat16", "tfloat32"), "cpu": ("bfloat16",)}.get(device.type, ())


@contextmanager
def computing_in(precision: str, device: torch.device) -> Iterator[None]:
    """Compute in a precision while the block runs.

    float32 must be chosen like the others, because cuDNN rounds to tfloat32 by default.

    Args:
        precision: One of `PRECISIONS`.
        device: Device of the networks.

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
    """Keep the weights that autocast has rounded while the block runs, so that it does not round them for each batch.

    Args:
        device: Device of the networks.
    """
    with torch.autocast(device.type, enabled=False):
        yield


def keep_weights_in_this_thread() -> None:
    """Keep rounded weights in a thread that started inside `keeping_weights`: torch shares them but counts blocks per thread."""
    torch.autocast_increment_nesting()
