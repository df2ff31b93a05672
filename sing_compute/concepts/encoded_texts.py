"""Encode many texts once: embeddings of a large list are kept in the user's cache, by the hash of list and CLIP."""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from sing_compute.atomic_write import binary_file
from sing_compute.concepts.open_clip_space import TEXT_BATCH, OpenClipSpace
from sing_compute.concepts.word_list import texts_sha256
from sing_compute.errors import ConceptsError
from sing_compute.sealed_file import checksum
from sing_compute.user_folders import cache_folder

VERSION = 1
"""Version of the cache's files."""
LARGE = 2_000
"""Lists of more texts than this are kept."""
PIECE = 64 * TEXT_BATCH
"""Texts that are kept together while a large list is encoded: a run that is killed loses at most so many."""
CHECKSUM_BYTES = 4
"""Bytes of the checksum behind the embeddings of a file; readers of .npy files pass over it."""


def encoded_texts(
    space: OpenClipSpace,
    texts: Sequence[str],
    *,
    device: torch.device,
    advance: Callable[[int], None] = lambda count: None,
) -> Float[Tensor, "text clip"]:
    """Return the unit embedding of each text, float32, on the CPU; those of a large list in a memory map of the cache.

    If the cache cannot be read or written, this only costs time and memory.

    Args:
        space: The CLIP, on the device.
        texts: The texts, each as the network reads it.
        device: Device of the network.
        advance: Is called with the number of texts that have been encoded since its last call.

    Raises:
        ConceptsError: An embedding is not finite, so a weight of the text tower is not.
    """
    if len(texts) <= LARGE:
        return torch.from_numpy(_encoded(space, texts, device, advance))
    facts = (str(VERSION), texts_sha256(texts), space.provenance["state_sha256"], space.provenance["activation"])
    folder, name = cache_folder() / "texts", hashlib.sha256(" ".join(facts).encode()).hexdigest()
    whole = folder / f"{name}.npy"
    found = _kept(whole, len(texts))
    if found is not None:
        advance(len(texts))
        return torch.from_numpy(found)
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    pieces, files = [], []
    for start in range(0, len(texts), PIECE):
        part = texts[start : start + PIECE]
        file = folder / f"{name}-{start // PIECE}.npy"
        piece = _kept(file, len(part))
        if piece is None:
            piece = _keep(file, [_encoded(space, part, device, advance)])
        else:
            advance(len(part))
        pieces.append(piece)
        files.append(file)
    vectors = _keep(whole, pieces)
    for file in files:
        with suppress(OSError):
            file.unlink(missing_ok=True)
    return torch.from_numpy(vectors)


def _encoded(
    space: OpenClipSpace, texts: Sequence[str], device: torch.device, advance: Callable[[int], None]
) -> NDArray[np.float32]:
    parts = []
    for start in range(0, len(texts), TEXT_BATCH):
        part = texts[start : start + TEXT_BATCH]
        parts.append(space.texts([[text] for text in part], device=device))
        advance(len(part))
    vectors = torch.cat(parts).numpy()
    if not np.isfinite(vectors).all():
        raise ConceptsError(f"{space.provenance['tag']}: its text tower gives embeddings that are not finite")
    return vectors


def _kept(file: Path, count: int) -> NDArray[np.float32] | None:
    """Return the embeddings that a file of the cache maps into memory; None if it does not hold so many, as they were written."""
    with suppress(OSError, ValueError, EOFError):
        found: NDArray[np.float32] = np.load(file, mmap_mode="c", allow_pickle=False)
        if found.dtype == np.float32 and found.ndim == 2 and len(found) == count:
            total = 0
            for start in range(0, count, PIECE):
                total = checksum(np.ascontiguousarray(found[start : start + PIECE]).data, total)
            with file.open("rb") as stream:
                stream.seek(-CHECKSUM_BYTES, 2)
                if stream.read() == total.to_bytes(CHECKSUM_BYTES, "little"):
                    return found
    return None


def _keep(file: Path, pieces: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Write pieces one below the other into a file of the cache, and return them from there; from memory if that fails."""
    count = sum(map(len, pieces))
    header = {"descr": "<f4", "fortran_order": False, "shape": (count, pieces[0].shape[1])}
    with suppress(OSError):
        with binary_file(file, permissions=0o600, durable=False) as stream:
            np.lib.format.write_array_header_1_0(stream, header)
            total = 0
            for piece in pieces:
                content = np.ascontiguousarray(piece, "<f4").data
                stream.write(content)
                total = checksum(content, total)
            stream.write(total.to_bytes(CHECKSUM_BYTES, "little"))
        kept = _kept(file, count)
        if kept is not None:
            return kept
    return np.concatenate(pieces)
