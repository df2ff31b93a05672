"""What all models of one results file have in common: images, classes, concepts, and the CLIP space."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from sing_compute.concepts.vocabulary import Vocabulary
from sing_compute.errors import StoreError
from sing_compute.pipeline.space import ClassTable
from sing_compute.store import Store, Writer
from sing_compute.store.schema import SUBSETS

SAME_VECTOR = 1e-4
"""Largest difference of two runs' embeddings of one text: far above rounding, far below another model or prompt."""


@dataclass(frozen=True, slots=True)
class Shared:
    """Images in store order (by class, then key), the head's classes, the vocabulary and their CLIP vectors."""

    keys: list[str]
    labels: NDArray[np.int32]
    groups: list[str] | None
    failed: list[tuple[str, str]]
    root: str
    classes: ClassTable
    prompts: list[str]
    vocabulary: Vocabulary
    class_vectors: Tensor
    concept_vectors: Tensor
    clip: dict[str, str]

    @property
    def offsets(self) -> NDArray[np.int64]:
        """Images of class c are rows offsets[c] to offsets[c + 1]."""
        return np.searchsorted(self.labels, np.arange(len(self.classes.names) + 1)).astype(np.int64)

    @property
    def group_names(self) -> list[str]:
        """The user's groups in alphabetical order."""
        return sorted(set(self.groups or ()) - {""})

    @property
    def group_masks(self) -> dict[str, NDArray[np.bool_]]:
        """Which images each group holds."""
        return {name: np.array([group == name for group in self.groups or ()]) for name in self.group_names}

    def write(self, writer: Writer) -> None:
        """Write everything that a file has once."""
        writer.put("images/key", self.keys)
        writer.put("images/class", self.labels)
        writer.put("images/offsets", self.offsets)
        writer.put("images/skipped_key", [key for key, _ in self.failed])
        writer.put("images/skipped_reason", [reason for _, reason in self.failed])
        writer.annotate("images", {"root": self.root})
        names = self.group_names
        if names:
            index = {name: position for position, name in enumerate(names)}
            writer.put("images/group", [index.get(group, -1) for group in self.groups or ()])
            writer.put("groups/name", names)
        writer.put("subsets/name", [*SUBSETS, *(f"group:{name}" for name in names)])
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

    def must_match(self, old: Store) -> None:
        """Check that an existing file has the same images, classes, concepts and CLIP space, so that models compare.

        Raises:
            StoreError: Naming what differs.
        """
        texts = {
            "images": ("images/key", self.keys),
            "classes": ("classes/name", self.classes.names),
            "concepts": ("concepts/name", self.vocabulary.names),
        }
        differing = [what for what, (path, own) in texts.items() if list(old.array(path)) != list(own)]
        if not differing:
            if (old.array("images/class") != self.labels).any():
                differing.append("classes of the images")
            if _old_groups(old) != [group or "" for group in self.groups or [""] * len(self.keys)]:
                differing.append("groups")
            if not _near(old.array("clip/class_embeddings"), self.class_vectors):
                differing.append("class embeddings")
            if not _near(old.array("clip/concept_embeddings"), self.concept_vectors):
                differing.append("concept embeddings")
        if old.attributes("clip").get("tag") != self.clip["tag"]:
            differing.append("CLIP")
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
