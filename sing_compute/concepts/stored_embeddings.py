"""Take embeddings that were computed elsewhere. They are matched to images and texts by key, never by position."""

import hashlib
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sing_compute.array_files import read_arrays
from sing_compute.errors import ConceptsError
from sing_compute.fingerprints import file_sha256

UNIT = 1e-2
"""Largest distance of a length from 1 that counts as unit length: embeddings stored in half precision have 1e-3."""
ROUNDED_UNIT = 1e-6
"""Largest distance from 1 that is rounding of unit vectors in single precision, 8 steps: such rows stay bit for bit."""
LISTED = 5
"""Keys named in an error; the rest is left out."""


@dataclass(frozen=True, slots=True, eq=False)
class StoredEmbeddings:
    """Embeddings by key (text), of a file or in memory, and perhaps the CLIP that made them."""

    origin: str
    """Their place in messages: the file, or the name of the argument."""
    name: str
    """Name of the file without its ending, or of the argument: the kind of concepts that have no other."""
    keys: tuple[str, ...]
    vectors: Float[Tensor, "key clip"]
    """Embeddings of unit length, float32."""
    tag: str
    """Name of the CLIP that made them; empty where the file does not say."""
    sha256: str
    """SHA-256 of the file, or of keys and values."""
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
            arrays, there = read_arrays(path, ("keys", "embeddings", "tag"))
            if "keys" not in arrays or "embeddings" not in arrays:
                raise ConceptsError(f"{path}: needs the arrays keys and embeddings, has {', '.join(there)}")
            if arrays["embeddings"].dtype.kind == "c":
                raise ValueError("its embeddings are complex numbers")
            keys = tuple(str(key) for key in arrays["keys"])
            vectors = np.asarray(arrays["embeddings"], dtype=np.float64)
            tag = str(arrays["tag"]) if "tag" in arrays else ""
        except (OSError, ValueError, TypeError, EOFError, BadZipFile, zlib.error) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise ConceptsError(f"{path}: not a readable .npz of keys and embeddings ({reason})") from error
        return cls._checked(str(path), path.stem, keys, vectors, tag, file_sha256(path), path.name)

    @classmethod
    def of(cls, origin: str, keys: Sequence[str], vectors: np.ndarray, tag: str = "") -> "StoredEmbeddings":
        """Check embeddings that are in memory, and scale them to unit length.

        Args:
            origin: Name of the argument.
            keys: Key of each row.
            vectors: Embeddings (key, clip).
            tag: Name of the CLIP that made them; empty if it is not known.

        Raises:
            ConceptsError: Repeated keys, another number of keys than rows, or rows that are zero or not finite.
        """
        texts, rows = tuple(map(str, keys)), np.asarray(vectors, dtype=np.float64)
        digest = hashlib.sha256("".join(f"{key}\n" for key in texts).encode())
        digest.update(np.ascontiguousarray(rows).data)
        return cls._checked(origin, origin, texts, rows, tag, digest.hexdigest(), origin)

    @classmethod
    def _checked(
        cls, origin: str, name: str, keys: tuple[str, ...], vectors: np.ndarray, tag: str, sha256: str, short: str
    ) -> "StoredEmbeddings":
        """Check rows, and scale them to unit length; `short` names their place in a warning."""
        if vectors.ndim != 2 or len(vectors) != len(keys):
            raise ConceptsError(
                f"{origin}: {len(keys)} keys but embeddings of shape {vectors.shape}; one row per key is needed"
            )
        if len(set(keys)) < len(keys):
            raise ConceptsError(
                f"{origin}: {len(keys) - len(set(keys))} keys are in it more than once; they must be unique"
            )
        lengths = np.linalg.norm(vectors, axis=1)
        bad = [key for key, length in zip(keys, lengths, strict=True) if not (np.isfinite(length) and length > 0)]
        if bad:
            raise ConceptsError(f"{origin}: {len(bad)} rows are zero or not finite: {', '.join(bad[:LISTED])}")
        scales = np.where(np.abs(lengths - 1) < ROUNDED_UNIT, 1.0, lengths)
        rows = torch.from_numpy(vectors / scales[:, None]).float()
        return cls(origin, name, keys, rows, tag, sha256, _two_scales(short, lengths))

    def __str__(self) -> str:
        return f"{self.origin}: {len(self.vectors)} x {self.vectors.shape[1]} embeddings, SHA-256 {self.sha256}"

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
                f"{self.origin}: no embedding for {len(missing)} of {len(wanted)} {what}: {', '.join(missing[:LISTED])}; "
                f"its keys look like {', '.join(self.keys[:2])}"
            )
        return self.vectors[torch.tensor([position[key] for key in wanted])]


EmbeddingSource = Path | StoredEmbeddings
"""A file of embeddings, or embeddings in memory."""


def embeddings_of(source: EmbeddingSource) -> StoredEmbeddings:
    """Return the content of a file of embeddings; embeddings in memory are returned as they are.

    Raises:
        ConceptsError: As in `StoredEmbeddings.read`.
    """
    return source if isinstance(source, StoredEmbeddings) else StoredEmbeddings.read(source)


def _two_scales(name: str, lengths: Float[np.ndarray, " key"]) -> str:
    """Say that some rows have unit length and others do not; empty if all do, or none does."""
    unit = np.abs(lengths - 1) < UNIT
    if unit.all() or not unit.any():
        return ""
    others = lengths[~unit]
    return (
        f"{name}: {int(unit.sum()):,} of {len(lengths):,} rows have unit length, the others {others.min():.3g} to "
        f"{others.max():.3g}: do all of them come from one network?"
    )
