"""Compute fingerprints of networks and files, by which one is distinguished from another."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from sing_compute.outside_files import ARRAYS, open_file


def state_sha256(network: nn.Module) -> str:
    """Return the SHA-256 of all weights of a network: names, dtypes, shapes and bytes, in the order of the names.

    Args:
        network: With its weights loaded, on any device.
    """
    return tensors_sha256(network.state_dict())


def tensors_sha256(tensors: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of tensors: names, dtypes, shapes and bytes, in the order of the names.

    Args:
        tensors: Tensors by name, on any device.
    """
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, as sha256sum prints it.

    Raises:
        OSError: The file cannot be read.
    """
    with open_file(path, most=ARRAYS) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
