"""Choose the device of a run, and check that it can compute in the precision that was asked for."""

import os

import torch

from sing_compute.errors import SingError
from sing_compute.precision import AUTO, FLOAT32, faster_precisions

CORES_A_DECODER = 4
"""On machines without a GPU, one of so many cores decodes images. One core decodes as fast as two (MobileNetV2) to twelve
(ResNet-50) cores compute in bfloat16."""
MOST_DECODERS = 16


def usable_device(name: str, local_rank: int) -> torch.device:
    """Return a device that can be used.

    Args:
        name: The user's choice; `auto` is a GPU if there is one.
        local_rank: Number of the process on its machine. With several GPUs and none chosen, each process uses another one.

    Raises:
        SingError: The device cannot be used here.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        if device.type == "cuda" and device.index is None:
            device = torch.device("cuda", local_rank % max(1, torch.cuda.device_count()))
        torch.empty(0, dtype=torch.float64, device=device)
    except (RuntimeError, AssertionError, TypeError) as error:
        raise SingError(f"--device {name}: not usable here ({str(error).splitlines()[0]}); try --device cpu") from error
    return device


def usable_precision(name: str, device: torch.device) -> str:
    """Return a precision if networks can compute in it on a device.

    Args:
        name: The user's choice.
        device: Device on which the networks compute.

    Raises:
        SingError: They cannot; the message lists what the device has.
    """
    if name not in (AUTO, FLOAT32, *faster_precisions(device)):
        raise SingError(
            f"--precision {name}: {device.type} has {', '.join((AUTO, FLOAT32, *faster_precisions(device)))}"
        )
    return name


def default_workers(device: torch.device) -> int:
    """Choose how many processes decode images: one per core for a GPU, few where the networks need the cores themselves.

    Args:
        device: Device on which the networks compute.
    """
    cores = max(1, len(os.sched_getaffinity(0)) // int(os.environ.get("LOCAL_WORLD_SIZE", 1)))
    return min(max(1, cores // CORES_A_DECODER) if device.type == "cpu" else cores, MOST_DECODERS)
