"""Take features that were computed elsewhere, in a file or in memory, as a classifier that consists of its head alone."""

import hashlib
import json
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from jaxtyping import Float, Float32
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from sing_compute.array_files import read_arrays
from sing_compute.errors import WeightsError
from sing_compute.fingerprints import file_sha256, state_sha256
from sing_compute.models.backbone import head_facts, read_head
from sing_compute.models.classifier import Classifier
from sing_compute.models.spec import ModelSpec
from sing_compute.outside_files import ARRAYS, check_file

MOST_KEY = 4096
"""Most bytes of a key; a results file holds no longer text."""
LISTED = 3
"""Keys named in an error."""


@dataclass(frozen=True, slots=True, eq=False)
class StoredFeatures:
    """Features that were computed elsewhere: one row per key, and perhaps a label (text) for each key."""

    origin: str
    """Their place in messages: `--features FILE`, or `features` for values in memory."""
    name: str
    """Their name in the provenance: that of the file."""
    keys: tuple[str, ...]
    features: Float32[np.ndarray, "key dim"]
    labels: tuple[str, ...] | None
    sha256: str
    """SHA-256 of the file, or of keys and values."""

    @classmethod
    def read(cls, path: Path) -> "StoredFeatures":
        """Read and check a file.

        Args:
            path: A .npz file with the arrays `keys`, `features` and perhaps `labels`; or a .safetensors file with the tensor
                `features`, whose metadata holds `keys` and perhaps `labels` as JSON lists.

        Raises:
            WeightsError: No such file, another format, repeated keys, or features that are not finite numbers.
        """
        keys, labels, found = _read(path, "keys", "labels", "features")
        features = _checked_rows(f"--features {path}", keys, np.asarray(found["features"]))
        return cls(f"--features {path}", path.name, keys, features, labels, file_sha256(path))

    @classmethod
    def of(cls, keys: Sequence[str], features: np.ndarray, labels: Sequence[str] | None) -> "StoredFeatures":
        """Check features that are in memory.

        Args:
            keys: Key of each row.
            features: Features (key, dim) at the head's input.
            labels: Label of each row; None if there are none.

        Raises:
            WeightsError: Repeated keys, another number of keys or labels than rows, or features that are not finite numbers.
        """
        keys, texts = _checked_keys("features", keys, labels)
        rows = _checked_rows("features", keys, features)
        digest = hashlib.sha256("".join(f"{key}\n" for key in keys).encode())
        digest.update(np.ascontiguousarray(rows).data)
        return cls("features", "in memory", keys, rows, texts, digest.hexdigest())

    def __str__(self) -> str:
        return f"{self.name}: {len(self.features)} x {self.features.shape[1]} features, SHA-256 {self.sha256}"


FeatureSource = Path | StoredFeatures
"""A file of features, or features in memory."""


class FeatureRows:
    """The transform of a classifier that consists of its head: it returns the stored feature of a key."""

    def __init__(self, stored: StoredFeatures) -> None:
        self._sha256, self._features = stored.sha256, torch.from_numpy(stored.features)
        self._rows = {key: row for row, key in enumerate(stored.keys)}

    def __call__(self, key: Any) -> Float[Tensor, " dim"]:
        """Return the feature of a key."""
        return self._features[self._rows[str(key)]]

    def __reduce__(self) -> tuple[Any, ...]:
        """Stand for the file by its fingerprint, where settings are compared."""
        return (str, (self._sha256,))


def load_stored(spec: ModelSpec) -> tuple[Classifier, StoredFeatures]:
    """Build the classifier of a file of features and a head.

    Args:
        spec: Names both files.

    Returns:
        The classifier, and the content of the file.

    Raises:
        WeightsError: A file cannot be read, or the features have another dimension than the head.
    """
    assert spec.features is not None
    assert spec.head is not None
    stored = _content(spec.features)
    weight, bias = read_head(spec.head)
    if stored.features.shape[1] != weight.shape[1]:
        head = f"of {spec.head} " if isinstance(spec.head, Path) else ""
        raise WeightsError(
            f"{stored.origin}: {stored.features.shape[1]} dimensions, but the head {head}reads {weight.shape[1]}; store the "
            "features at the head's input"
        )
    linear = nn.Linear(weight.shape[1], weight.shape[0])
    with torch.no_grad():
        linear.weight.copy_(weight)
        linear.bias.copy_(bias)
    facts: dict[str, str | int | float] = {
        "spec": spec.spec,
        "tag": "features",
        "state_sha256": state_sha256(linear),
        "features_file": stored.name,
        "features_sha256": stored.sha256,
        **head_facts(spec.head),
        **({"note": spec.note} if spec.note else {}),
    }
    return Classifier(spec.name, linear.eval(), FeatureRows(stored), facts, declared={".weight": weight.dtype}), stored


def read_keys(source: FeatureSource) -> tuple[tuple[str, ...], tuple[str, ...] | None]:
    """Return the keys of features, and their labels if they have any; the features of a file stay on disk.

    Args:
        source: A file as in `StoredFeatures.read`, or its content.

    Raises:
        WeightsError: As in `StoredFeatures.read`.
    """
    if isinstance(source, StoredFeatures):
        return source.keys, source.labels
    return _read(source, "keys", "labels")[:2]


def origin_of(source: FeatureSource) -> str:
    """Return the place of features in messages."""
    return source.origin if isinstance(source, StoredFeatures) else f"--features {source}"


def _content(source: FeatureSource) -> StoredFeatures:
    return source if isinstance(source, StoredFeatures) else StoredFeatures.read(source)


def _checked_rows(origin: str, keys: Sequence[str], features: np.ndarray) -> Float32[np.ndarray, "key dim"]:
    """Return features in float32 if there is a row of finite numbers for each key."""
    if features.dtype.kind != "f" or features.ndim != 2 or len(features) != len(keys) or not len(keys):
        raise WeightsError(
            f"{origin}: {len(keys)} keys but features of shape {features.shape} and type {features.dtype}; one row of "
            "floating-point numbers per key is needed"
        )
    bad = np.flatnonzero(~np.isfinite(features).all(axis=1))
    if len(bad):
        named = ", ".join(keys[row] for row in bad[:LISTED])
        raise WeightsError(f"{origin}: {len(bad)} rows are not finite: {named}")
    return features.astype(np.float32)


def _checked_keys(
    origin: str, keys: Iterable[Any], labels: Iterable[Any] | None
) -> tuple[tuple[str, ...], tuple[str, ...] | None]:
    """Return keys and labels as text if the keys differ and each has a label."""
    known = tuple(str(key) for key in keys)
    texts = None if labels is None else tuple(str(label) for label in labels)
    if texts is not None and len(texts) != len(known):
        raise WeightsError(f"{origin}: {len(known)} keys but {len(texts)} labels; one per key is needed")
    long = next((key for key in known if len(key.encode("utf-8", "replace")) > MOST_KEY), None)
    if long is not None:
        raise WeightsError(f"{origin}: a key has at most {MOST_KEY:,} bytes; one begins {long[:40]!r}")
    if len(set(known)) < len(known):
        raise WeightsError(f"{origin}: {len(known) - len(set(known))} keys occur more than once; they must be unique")
    return known, texts


def _read(path: Path, *names: str) -> tuple[tuple[str, ...], tuple[str, ...] | None, dict[str, Any]]:
    """Return keys, labels if there are any, and all arrays of these names."""
    try:
        read = _read_safetensors if path.suffix.lower() == ".safetensors" else _read_npz
        found, there = read(path, names)
    except (OSError, ValueError, TypeError, EOFError, RecursionError, BadZipFile, zlib.error, SafetensorError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        reason = reason or (str(error).splitlines() or [type(error).__name__])[0]
        raise WeightsError(f"--features {path}: not a readable .npz or .safetensors file ({reason})") from error
    if not {"keys", "features"} <= set(there):
        raise WeightsError(f"--features {path}: needs keys and features, has {', '.join(there) or 'nothing'}")
    return *_checked_keys(f"--features {path}", found["keys"], found.get("labels")), found


def _read_npz(path: Path, names: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    return read_arrays(path, names)


def _read_safetensors(path: Path, names: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    check_file(path, most=ARRAYS)
    with safe_open(path, "pt") as file:
        metadata, tensors = file.metadata() or {}, list(file.keys())
        found: dict[str, Any] = {name: json.loads(metadata[name]) for name in names if name in metadata}
        if "features" in names and "features" in tensors:
            features = file.get_tensor("features")
            if not features.is_floating_point():
                raise ValueError(f"features are {features.dtype}, not floating-point numbers")
            found["features"] = features.float().numpy()
        if not all(isinstance(found[name], list) for name in found.keys() - {"features"}):
            raise ValueError("keys and labels are JSON lists in its metadata")
    return found, [*metadata, *tensors]
