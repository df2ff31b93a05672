"""Read features that were computed elsewhere, as a classifier that consists of its head alone."""

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from jaxtyping import Float, Float32
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from sing_compute.errors import WeightsError
from sing_compute.fingerprints import file_sha256, state_sha256
from sing_compute.models.backbone import read_head
from sing_compute.models.classifier import Classifier
from sing_compute.models.spec import ModelSpec

LISTED = 3
"""Keys named in an error."""


@dataclass(frozen=True, slots=True)
class StoredFeatures:
    """The content of a file of features: keys (text), features (one row per key), and perhaps a label (text) for each key."""

    path: Path
    keys: tuple[str, ...]
    features: Float32[np.ndarray, "key dim"]
    labels: tuple[str, ...] | None
    sha256: str
    """SHA-256 of the file."""

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
        features = np.asarray(found["features"])
        if features.dtype.kind != "f" or features.ndim != 2 or len(features) != len(keys) or not len(keys):
            raise WeightsError(
                f"--features {path}: {len(keys)} keys but features of shape {features.shape} and type {features.dtype}; one row "
                "of floating-point numbers per key is needed"
            )
        bad = np.flatnonzero(~np.isfinite(features).all(axis=1))
        if len(bad):
            named = ", ".join(keys[row] for row in bad[:LISTED])
            raise WeightsError(f"--features {path}: {len(bad)} rows are not finite: {named}")
        return cls(path, keys, features.astype(np.float32), labels, file_sha256(path))


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
    stored = StoredFeatures.read(spec.features)
    weight, bias = read_head(spec.head)
    if stored.features.shape[1] != weight.shape[1]:
        raise WeightsError(
            f"--features {spec.features}: {stored.features.shape[1]} dimensions, but the head of {spec.head} reads "
            f"{weight.shape[1]}; store the features at the head's input"
        )
    linear = nn.Linear(weight.shape[1], weight.shape[0])
    with torch.no_grad():
        linear.weight.copy_(weight)
        linear.bias.copy_(bias)
    facts: dict[str, str | int | float] = {
        "spec": spec.spec,
        "tag": "features",
        "state_sha256": state_sha256(linear),
        "features_file": spec.features.name,
        "features_sha256": stored.sha256,
        "head_file": spec.head.name,
        "head_sha256": file_sha256(spec.head),
    }
    return Classifier(spec.name, linear.eval(), FeatureRows(stored), facts, declared={".weight": weight.dtype}), stored


def read_keys(path: Path) -> tuple[tuple[str, ...], tuple[str, ...] | None]:
    """Read the keys of a file of features, and its labels if it has any; the features stay on disk.

    Args:
        path: As in `StoredFeatures.read`.

    Raises:
        WeightsError: As in `StoredFeatures.read`.
    """
    return _read(path, "keys", "labels")[:2]


def _read(path: Path, *names: str) -> tuple[tuple[str, ...], tuple[str, ...] | None, dict[str, Any]]:
    """Return keys, labels if there are any, and all arrays of these names."""
    try:
        read = _read_safetensors if path.suffix.lower() == ".safetensors" else _read_npz
        found, there = read(path, names)
    except (OSError, ValueError, TypeError, EOFError, BadZipFile, zlib.error, SafetensorError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        reason = reason or (str(error).splitlines() or [type(error).__name__])[0]
        raise WeightsError(f"--features {path}: not a readable .npz or .safetensors file ({reason})") from error
    if not {"keys", "features"} <= set(there):
        raise WeightsError(f"--features {path}: needs keys and features, has {', '.join(there) or 'nothing'}")
    keys = tuple(str(key) for key in found["keys"])
    labels = tuple(str(label) for label in found["labels"]) if "labels" in found else None
    if labels is not None and len(labels) != len(keys):
        raise WeightsError(f"--features {path}: {len(keys)} keys but {len(labels)} labels; one per key is needed")
    if len(set(keys)) < len(keys):
        raise WeightsError(
            f"--features {path}: {len(keys) - len(set(keys))} keys occur more than once; they must be unique"
        )
    return keys, labels, found


def _read_npz(path: Path, names: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in names if name in arrays.files}, list(arrays.files)


def _read_safetensors(path: Path, names: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    with safe_open(path, "pt") as file:
        metadata, tensors = file.metadata() or {}, list(file.keys())
        found: dict[str, Any] = {name: json.loads(metadata[name]) for name in names if name in metadata}
        if "features" in names and "features" in tensors:
            found["features"] = file.get_tensor("features").float().numpy()
    return found, [*metadata, *tensors]
