"""What all models of one results file have in common: the words of one CLIP space, and the pictures measured."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from sing_compute.concepts.vocabulary import Vocabulary
from sing_compute.errors import StoreError
from sing_compute.images.listing import ImageList
from sing_compute.pipeline.space import ClassTable
from sing_compute.store import Store, Writer
from sing_compute.store.schema import SUBSETS

SAME_VECTOR = 1e-4
"""Largest difference of two runs' embeddings of one text: far above rounding, far below another model or prompt."""


@dataclass(frozen=True, slots=True)
class Words:
    """The head's classes, the vocabulary, and the unit vectors of both in one CLIP space."""

    classes: ClassTable
    prompts: list[str]
    vocabulary: Vocabulary
    class_vectors: Tensor
    concept_vectors: Tensor
    clip: dict[str, str]

    def write(self, writer: Writer) -> None:
        """Write what a file has once."""
        writer.put("classes/name", self.classes.names)
        if self.classes.wnids:
            writer.put("classes/wnid", self.classes.wnids)
        writer.put("classes/prompt", self.prompts)
        writer.put("concepts/name", self.vocabulary.names)
        writer.put("concepts/kind", self.vocabulary.kinds)
        writer.put("concepts/prompt", self.vocabulary.prompts)
        writer.put("clip/class_embeddings", self.class_vectors.cpu())
        writer.put("clip/concept_embeddings", self.concept_vectors.cpu())
        writer.annotate("clip", self.clip)

    def differing(self, old: Store) -> list[str]:
        """What an existing file has otherwise."""
        same_clip = old.attributes("clip").get("tag") == self.clip["tag"]
        found = [] if same_clip else ["CLIP"]
        for what, path, names, vectors in (
            ("class", "classes/name", self.classes.names, self.class_vectors),
            ("concept", "concepts/name", self.vocabulary.names, self.concept_vectors),
        ):
            if list(old.array(path)) != list(names):
                found.append(path.removesuffix("/name"))
            elif same_clip and not _near(old.array(f"clip/{what}_embeddings"), vectors):
                found.append(f"{what} embeddings")
        return found


@dataclass(frozen=True, slots=True)
class Pictures:
    """Images in store order: by class, then key."""

    keys: list[str]
    labels: NDArray[np.int32]
    groups: list[str] | None
    failed: list[tuple[str, str]]
    root: str
    fingerprint: str = ""
    """SHA-256 of each image's key, class and size in bytes; empty where it is not known."""

    @classmethod
    def of(
        cls,
        images: ImageList,
        rows: Sequence[int] | NDArray[np.int64],
        labels: NDArray[np.int32],
        failed: list[tuple[str, str]],
    ) -> "Pictures":
        """These rows of a list, in their order; `labels` are those of the whole list."""
        groups = [images.groups[row] for row in rows] if images.groups else None
        keys = [images.keys[row] for row in rows]
        chosen = labels[np.asarray(rows, dtype=np.int64)]
        digest = hashlib.sha256()
        for row, key, label in zip(rows, keys, chosen.tolist(), strict=True):
            digest.update(f"{key}\t{label}\t{_size(images.path(int(row)))}\n".encode("utf-8", "replace"))
        return cls(keys, chosen, groups, failed, str(images.root.resolve()), digest.hexdigest())

    def offsets(self, classes: int) -> NDArray[np.int64]:
        """Images of class c are rows offsets[c] to offsets[c + 1]."""
        return np.searchsorted(self.labels, np.arange(classes + 1)).astype(np.int64)

    @property
    def group_names(self) -> list[str]:
        """The user's groups in alphabetical order."""
        return sorted(set(self.groups or ()) - {""})

    @property
    def group_masks(self) -> dict[str, NDArray[np.bool_]]:
        """Which images each group holds."""
        return {name: np.array([group == name for group in self.groups or ()]) for name in self.group_names}

    def write(self, writer: Writer, classes: int) -> None:
        """Write what a file has once."""
        writer.put("images/key", self.keys)
        writer.put("images/class", self.labels)
        writer.put("images/offsets", self.offsets(classes))
        writer.put("images/skipped_key", [key for key, _ in self.failed])
        writer.put("images/skipped_reason", [reason for _, reason in self.failed])
        writer.annotate("images", {"root": self.root, "fingerprint": self.fingerprint})
        names = self.group_names
        if names:
            index = {name: position for position, name in enumerate(names)}
            writer.put("images/group", [index.get(group, -1) for group in self.groups or ()])
            writer.put("groups/name", names)
        writer.put("subsets/name", [*SUBSETS, *(f"group:{name}" for name in names)])

    def differing(self, old: Store) -> list[str]:
        """What an existing file has otherwise."""
        if list(old.array("images/key")) != self.keys:
            return ["images"]
        found = []
        if (old.array("images/class") != self.labels).any():
            found.append("classes of the images")
        if _old_groups(old) != (self.groups or [""] * len(self.keys)):
            found.append("groups")
        known = old.attributes("images").get("fingerprint", "")
        if not found and known and self.fingerprint and known != self.fingerprint:
            found.append("image files (their sizes in bytes changed)")
        return found


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # it vanished, and is or will be among those that cannot be read
        return -1


def refuse(old: Store, differing: list[str]) -> None:
    """Refuse to add models to a file that they could not be compared in.

    Raises:
        StoreError: If anything differs; the message names it.
    """
    if differing:
        raise StoreError(
            f"{old.path} was made with other {', '.join(differing)}; models of one file must be comparable: "
            "choose another -o, or --fresh to replace the file"
        )


def _old_groups(old: Store) -> list[str]:
    """The group of each image, empty for none."""
    if "images/group" not in old:
        return [""] * len(old.array("images/class"))
    names = [str(name) for name in old.array("groups/name")]
    return [names[index] if index >= 0 else "" for index in old.array("images/group")]


def _near(old: NDArray[np.float32], new: Tensor) -> bool:
    own = new.cpu().numpy()
    return old.shape == own.shape and bool(np.abs(old - own).max(initial=0.0) < SAME_VECTOR)
