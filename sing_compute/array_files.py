"""Check what files of arrays and tensors declare before memory is taken for it, and refuse tensors that are not plain numbers."""

import math
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from lzma import LZMAError
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sing_compute.outside_files import ARRAYS, WEIGHTS, UnfitFileError, check_file, open_file, size_text

_MOST_TIMES = 32
"""A compressed .npz may declare this many times its own size; texts of keys compress well, numbers hardly."""
_ALWAYS = 64 * 2**20
"""Bytes that any file may declare beyond its own size."""
_COMPLEX = ("C64", "C128")
"""Complex types in the header of a .safetensors file."""


def read_arrays(path: Path, names: Sequence[str]) -> tuple[dict[str, np.ndarray], list[str]]:
    """Read arrays of a .npz file whose declared sizes fit the file.

    Args:
        path: The file.
        names: Names of the arrays to read; those that are not there are left out.

    Returns:
        The arrays, and the names of all arrays in the file.

    Raises:
        OSError: It is no regular file, or declares more than it can hold.
        ValueError: Its headers cannot be read, or it holds Python objects.
        zipfile.BadZipFile: It is no .npz file, or is damaged.
    """
    with open_file(path, most=ARRAYS) as stream, zipfile.ZipFile(stream) as archive:
        there = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        chosen = {name: there[name] for name in names if name in there}
        size = stream.seek(0, 2)
        declared = sum(info.file_size for info in chosen.values())
        if declared > _MOST_TIMES * size + _ALWAYS:
            raise UnfitFileError(
                f"it declares {size_text(declared)} in a file of {size_text(size)}; save it with numpy.savez, not compressed"
            )
        return {name: _array(archive, info) for name, info in chosen.items()}, list(there)


def _array(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> np.ndarray:
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    try:
        with archive.open(info) as member:
            reader = readers.get(np.lib.format.read_magic(member))
            if reader is None:
                raise ValueError(f"{info.filename} has another format than arrays of numbers and texts")
            shape, _, dtype = reader(member)
            if dtype.hasobject:
                raise ValueError(f"{info.filename} holds Python objects, which are never loaded (allow_pickle=False)")
            if math.prod(shape) * dtype.itemsize != info.file_size - member.tell():
                raise UnfitFileError(
                    f"{info.filename} declares {' x '.join(map(str, shape))} values of {dtype}, which is not what it holds"
                )
        with archive.open(info) as member:
            found: np.ndarray = np.lib.format.read_array(member, allow_pickle=False)
            return found
    except (RuntimeError, MemoryError, SyntaxError, TokenError, LZMAError):  # encrypted, nested, or of another method
        raise ValueError(f"{info.filename}: its header or its values cannot be read") from None


def load_tensors(path: Path) -> Any:
    """Read a .safetensors file, or a torch file that holds nothing but tensors and plain containers.

    Args:
        path: The file.

    Returns:
        Its content, on the CPU: tensors by name, or whatever the torch file holds.

    Raises:
        OSError: It is no regular file, or unpacks to much more than its size.
        Exception: As the reader of the format raises.
    """
    check_file(path, most=WEIGHTS)
    if path.suffix.lower() == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    _check_not_compressed(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns of every unusual file
        return torch.load(path, map_location="cpu", weights_only=True)


def check_tensors(tensors: Mapping[str, object]) -> None:
    """Refuse tensors that are not plain numbers which the file holds one by one.

    Args:
        tensors: Tensors by name.

    Raises:
        UnfitFileError: One is sparse, quantised, without values or larger than what is stored of it.
    """
    for name, tensor in tensors.items():
        if not isinstance(tensor, Tensor):
            continue
        kind = ""
        if tensor.is_meta:
            kind = "has no values (device meta)"
        elif tensor.layout != torch.strided:
            kind = f"is sparse ({tensor.layout}); store tensor.to_dense()"
        elif tensor.is_quantized:
            kind = "is quantised; store tensor.dequantize()"
        elif tensor.is_nested:
            kind = "is a nested tensor"
        elif tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes() + _ALWAYS:
            kind = f"repeats values that are stored once, {tuple(tensor.shape)} in all; store tensor.clone()"
        if kind:
            raise UnfitFileError(f"its tensor {name[:100]} {kind}")


def check_weights_file(path: Path) -> None:
    """Check a file of weights that a library will read by itself.

    Args:
        path: A .safetensors file, or a torch file.

    Raises:
        OSError: It is no regular file, or its tensors are not plain real numbers that it holds one by one.
    """
    check_file(path, most=WEIGHTS)
    if path.suffix.lower() == ".safetensors":
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, "pt") as file:
                kinds = {name: file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118 -- not a dict
        except SafetensorError:
            return  # the library that reads it says what is wrong
        for name, kind in kinds.items():
            if kind in _COMPLEX:
                raise UnfitFileError(f"its tensor {name[:100]} is complex, and a network would lose the imaginary part")
        return
    _check_not_compressed(path)
    if not zipfile.is_zipfile(path):
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception:  # as above
        return
    tensors = content if isinstance(content, dict) else {}
    check_tensors(tensors)
    for name, tensor in tensors.items():
        if isinstance(tensor, Tensor) and tensor.is_complex():
            raise UnfitFileError(f"its tensor {name[:100]} is complex, and a network would lose the imaginary part")


def _check_not_compressed(path: Path) -> None:
    """Refuse a torch file that unpacks to much more than its size: torch.save compresses nothing, torch.jit.save only code."""
    try:
        with zipfile.ZipFile(path) as archive:
            declared = sum(info.file_size for info in archive.infolist())
    except zipfile.BadZipFile:
        return
    size = path.stat().st_size
    if declared > 2 * size + _ALWAYS:
        raise UnfitFileError(f"it unpacks to {size_text(declared)} from {size_text(size)}; write it with torch.save")
