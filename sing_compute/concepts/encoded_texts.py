"""Encode many texts once: embeddings of a large list are kept in the user's cache, by the hash of list and CLIP."""

import hashlib
from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sing_compute.atomic_write import binary_file
from sing_compute.concepts.open_clip_space import TEXT_BATCH, OpenClipSpace
from sing_compute.concepts.word_list import texts_sha256
from sing_compute.errors import ConceptsError
from sing_compute.user_folders import cache_folder

VERSION = 1
"""Version of the cache's files."""
LARGE = 2_000
"""Lists of more texts than this are kept."""


def encoded_texts(
    space: OpenClipSpace,
    texts: Sequence[str],
    *,
    device: torch.device,
    advance: Callable[[int], None] = lambda count: None,
) -> Float[Tensor, "text clip"]:
    """Return the unit embedding of each text, float32, on the CPU.

    If the cache cannot be read or written, this only costs time.

    Args:
        space: The CLIP, on the device.
        texts: The texts, each as the network reads it.
        device: Device of the network.
        advance: Is called with the number of texts that have been encoded since its last call.

    Raises:
        ConceptsError: An embedding is not finite, so a weight of the text tower is not.
    """
    facts = (str(VERSION), texts_sha256(texts), space.provenance["state_sha256"], space.provenance["activation"])
    file = cache_folder() / "texts" / f"{hashlib.sha256(' '.join(facts).encode()).hexdigest()}.npy"
    try:
        found = np.load(file, allow_pickle=False)
        if found.dtype == np.float32 and found.ndim == 2 and len(found) == len(texts) and np.isfinite(found).all():
            advance(len(texts))
            return torch.from_numpy(found)
    except (OSError, ValueError, EOFError):
        pass
    parts = []
    for start in range(0, len(texts), TEXT_BATCH):
        part = texts[start : start + TEXT_BATCH]
        parts.append(space.texts([[text] for text in part], device=device))
        advance(len(part))
    vectors = torch.cat(parts)
    if not vectors.isfinite().all():
        raise ConceptsError(f"{space.provenance['tag']}: its text tower gives embeddings that are not finite")
    if len(texts) > LARGE:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with binary_file(file, permissions=0o600, durable=False) as stream:
                np.save(stream, vectors.numpy(), allow_pickle=False)
        except OSError:
            pass
    return vectors
