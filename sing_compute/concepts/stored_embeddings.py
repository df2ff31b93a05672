"""Read embeddings that were computed elsewhere. They are matched to images and texts by key, never by position."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sing_compute.errors import ConceptsError
from sing_compute.fingerprints import file_sha256

UNIT = 1e-2
"""Largest distance of a length from 1 that counts as unit length: embeddings stored in half precision have 1e-3."""
LISTED = 5
"""Keys named in an error; the rest is left out."""


@dataclass(frozen=True, slots=True)
class StoredEmbeddings:
    """The content of a .npz file: `keys` (text), `embeddings` (one row per key), and perhaps `tag`, the CLIP that made them."""

    path: Path
    keys: tuple[str, ...]
    vectors: Float[Tensor, "key clip"]
    """Embeddings of unit length, float32."""
    tag: str
    """Name of the CLIP that made them; empty where the file does not say."""
    sha256: str
    """SHA-256 of the file."""
    warning: str = ""
    """Reason to doubt that all rows come from one network; empty if there is none."""

    @classmethod
    def read(cls, path: Path) -> "StoredEmbeddings":
        """Read and check a file, and scale its rows to unit length.

        Args:
            path: The .npz file.

        Raises:
            ConceptsError: No such file, another format, repeated keys, or rows that are zero or not finite.
        """
        try:
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
                if "keys" not in arrays or "embeddings" not in arrays:
                    raise ConceptsError(f"{path}: needs the arrays keys and embeddings, has {', '.join(arrays.files)}")
                keys = tuple(str(key) for key in arrays["keys"])
                vectors = np.asarray(arrays["embeddings"], dtype=np.float64)
                tag = str(arrays["tag"]) if "tag" in arrays else ""
        except (OSError, ValueError, TypeError, EOFError, BadZipFile, zlib.error) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise ConceptsError(f"{path}: not a readable .npz of keys and embeddings ({reason})") from error
        if vectors.ndim != 2 or len(vectors) != len(keys):
            raise ConceptsError(
                f"{path}: {len(keys)} keys but embeddings of shape {vectors.shape}; one row per key is needed"
            )
        if len(set(keys)) < len(keys):
            raise ConceptsError(
                f"{path}: {len(keys) - len(set(keys))} keys are in it more than once; they must be unique"
            )
        lengths = np.linalg.norm(vectors, axis=1)
        bad = [key for key, length in zip(keys, lengths, strict=True) if not (np.isfinite(length) and length > 0)]
        if bad:
            raise ConceptsError(f"{path}: {len(bad)} rows are zero or not finite: {', '.join(bad[:LISTED])}")
        rows = torch.from_numpy(vectors / lengths[:, None]).float()
        return cls(path, keys, rows, tag, file_sha256(path), _two_scales(path, lengths))

    def lookup(self, wanted: Sequence[str], what: str) -> Float[Tensor, "wanted clip"]:
        """Return the rows of these keys, in the order of the keys.

        Args:
            wanted: Keys, such as image keys or concept names.
            what: Name of the things they are keys of, for messages: `images`, `concepts`, ...

        Raises:
            ConceptsError: Keys that are not in the file; the message names the first of them.
        """
        position = {key: index for index, key in enumerate(self.keys)}
        missing = [key for key in wanted if key not in position]
        if missing:
            raise ConceptsError(
                f"{self.path}: no embedding for {len(missing)} of {len(wanted)} {what}: {', '.join(missing[:LISTED])}; "
                f"its keys look like {', '.join(self.keys[:2])}"
            )
        return self.vectors[torch.tensor([position[key] for key in wanted])]


def _two_scales(path: Path, lengths: Float[np.ndarray, " key"]) -> str:
    """Say that some rows have unit length and others do not; empty if all do, or none does."""
    unit = np.abs(lengths - 1) < UNIT
    if unit.all() or not unit.any():
        return ""
    others = lengths[~unit]
    return (
        f"{path.name}: {int(unit.sum()):,} of {len(lengths):,} rows have unit length, the others {others.min():.3g} to "
        f"{others.max():.3g}: do all of them come from one network?"
    )
