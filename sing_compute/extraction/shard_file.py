"""A shard as a sealed file: it says of which plan and which images it is, and is read only if that is so."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sing_compute.sealed_file import SealedFile, SealError, open_sealed, sealed

SHARD_IMAGES = 256
"""Images in one shard: a run that is killed loses at most so much work."""
CONTENT = "content"
"""Name of the content hashes of the images, among the tensors of a shard; a shard of stored features has none."""
_ROWS, _STAMPS = "rows", "stamps"


@dataclass(frozen=True, slots=True)
class Shard:
    """Features of consecutive images of a run."""

    rows: Tensor
    """Row in the image list of each image that was read, (image)."""
    tensors: dict[str, Tensor]
    """Features and other results by name, image first."""
    failed: list[tuple[int, str]]
    """Row and reason of each image that could not be read."""
    turned: list[int] = field(default_factory=list)
    """Row of each image whose EXIF orientation says that it is not stored upright."""
    stamps: Tensor | None = None
    """State of the file of each image, read or not, in the order of the list (`image_stamps`), int64 (image, stamp); None if the
    images are no files."""


def shard_rows(images: int) -> list[range]:
    """Return the rows of the image list that each shard holds, for a number of images."""
    return [range(start, min(start + SHARD_IMAGES, images)) for start in range(0, images, SHARD_IMAGES)]


def shard_content(shard: Shard, number: int, plan_sha256: str) -> bytes:
    """Return the content of a shard's file.

    Args:
        shard: The shard.
        number: Its number.
        plan_sha256: SHA-256 of the plan that it belongs to.
    """
    facts = {"plan": plan_sha256, "number": number, "failed": shard.failed, "turned": shard.turned}
    stamps = {} if shard.stamps is None else {_STAMPS: shard.stamps}
    return sealed({_ROWS: shard.rows, **stamps, **shard.tensors}, facts)


def read_shard(path: Path, plan_sha256: str, *names: str) -> Shard:
    """Read some tensors of a shard.

    Args:
        path: Its file; the stem of the name is its number.
        plan_sha256: SHA-256 of the plan that it must belong to.
        names: Names of the tensors; those that the shard does not have are left out.

    Raises:
        SealError: It is damaged, of another plan, or another shard.
        OSError: It cannot be read.
    """
    with open_sealed(path) as file:
        facts = checked_facts(file, path, plan_sha256)
        there = set(file.names)
        tensors = {name: file.tensor(name) for name in names if name in there}
        rows = file.tensor(_ROWS)
    failed = [(int(row), str(reason)) for row, reason in facts["failed"]]
    return Shard(rows, tensors, failed, [int(row) for row in facts["turned"]])


def checked_facts(file: SealedFile, path: Path, plan_sha256: str) -> Mapping[str, Any]:
    """Return the facts of a shard if it is that of this plan and number.

    Args:
        file: The open shard.
        path: Its file.
        plan_sha256: SHA-256 of the plan.

    Raises:
        SealError: It is another one.
    """
    facts = file.facts
    if {"plan", "number", "failed", "turned"} - facts.keys() or _ROWS not in file.names:
        raise SealError("no shard of features")
    if facts["plan"] != plan_sha256:
        raise SealError("of another plan")
    if facts["number"] != int(path.stem):
        raise SealError(f"shard {json.dumps(facts['number'])} in the place of shard {int(path.stem)}")
    return facts


def stored_stamps(file: SealedFile) -> Tensor:
    """Return the stamps of the images of an open shard; empty if it has none.

    Raises:
        SealError: They are damaged.
        OSError: They cannot be read.
    """
    return file.tensor(_STAMPS) if _STAMPS in file.names else torch.empty(0, 0, dtype=torch.int64)
