"""What all models of one results file have in common: the words of one CLIP space, and the pictures measured."""

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from sing_compute.concepts.vocabulary import Vocabulary
from sing_compute.errors import StoreError
from sing_compute.images.compact_text import Categorical
from sing_compute.images.listing import ImageList
from sing_compute.pipeline.plan import Plan
from sing_compute.pipeline.space import ClassTable
from sing_compute.store import Store, Writer
from sing_compute.store.gate import Stored
from sing_compute.store.schema import SUBSETS

SAME_VECTOR = 1e-4
"""Largest difference of two runs' embeddings of one text: far above rounding, far below another model or prompt."""
CHUNK = 4096
"""Images that are looked at together."""
READERS = 16
"""Threads that ask for the sizes of files: a network disk answers many at once."""
PART = CHUNK // READERS


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

    keys: Sequence[str]
    labels: NDArray[np.int32]
    groups: Categorical | None
    failed: list[tuple[str, str]]
    root: str
    fingerprint: str = ""
    """SHA-256 of each image's key, class and size in bytes; empty where it is not known."""

    @classmethod
    def of(cls, images: ImageList, labels: NDArray[np.int32], failed: list[tuple[str, str]]) -> "Pictures":
        """These images and the class of each.

        Raises:
            ImagesError: Their disk is gone, so that their sizes cannot be told.
        """

        def lines(rows: range) -> list[str]:
            return [f"{images.keys[row]}\t{labels[row]}\t{images.size(row)}\n" for row in rows]

        digest, everything = hashlib.sha256(), range(len(images))
        with ThreadPoolExecutor(READERS) as pool:
            for start in everything[::CHUNK]:
                rows = everything[start : start + CHUNK]
                for part in pool.map(lines, (rows[at : at + PART] for at in range(0, len(rows), PART))):
                    digest.update("".join(part).encode())
        return cls(images.keys, labels, images.groups, failed, str(images.root.resolve()), digest.hexdigest())

    def offsets(self, classes: int) -> NDArray[np.int64]:
        """Images of class c are rows offsets[c] to offsets[c + 1]."""
        return np.searchsorted(self.labels, np.arange(classes + 1)).astype(np.int64)

    @property
    def group_names(self) -> list[str]:
        """The user's groups in alphabetical order."""
        return [name for name in self.groups.used_names if name] if self.groups else []

    @property
    def group_masks(self) -> dict[str, NDArray[np.bool_]]:
        """Which images each group holds."""
        group = self._group
        return {name: group == index for index, name in enumerate(self.group_names)}

    @property
    def _group(self) -> NDArray[np.int32]:
        """Group of each image as a place among the names, -1 for none."""
        if self.groups is None:
            return np.full(len(self.keys), -1, dtype=np.int32)
        places = {name: index for index, name in enumerate(self.group_names)}
        group: NDArray[np.int32] = np.array([places.get(name, -1) for name in self.groups.names], np.int32)[
            self.groups.codes
        ]
        return group

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
            writer.put("images/group", self._group)
            writer.put("groups/name", names)
        writer.put("subsets/name", [*SUBSETS, *(f"group:{name}" for name in names)])

    def differing(self, old: Store) -> list[str]:
        """What an existing file has otherwise."""
        keys = old.dataset("images/key")
        if len(keys) != len(self.keys) or any(
            str(key) != own for key, own in zip(_in_chunks(keys), self.keys, strict=True)
        ):
            return ["images"]
        found = []
        if (old.array("images/class") != self.labels).any():
            found.append("classes of the images")
        if not self._same_groups(old):
            found.append("groups")
        known = old.attributes("images").get("fingerprint", "")
        if not found and known and self.fingerprint and known != self.fingerprint:
            found.append("image files (their sizes in bytes changed)")
        return found

    def _same_groups(self, old: Store) -> bool:
        if "images/group" not in old:
            return not self.group_names
        return list(old.array("groups/name")) == self.group_names and bool(
            (old.array("images/group") == self._group).all()
        )


def existing(plan: Plan) -> AbstractContextManager[Store | None]:
    """The results file that models are added to; None where there is none."""
    return Store(plan.output) if plan.output.exists() and not plan.fresh else nullcontext()


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


def _in_chunks(dataset: Stored) -> Iterator[str]:
    for start in range(0, len(dataset), CHUNK):
        yield from dataset[start : start + CHUNK]


def _near(old: NDArray[np.float32], new: Tensor) -> bool:
    own = new.cpu().numpy()
    return old.shape == own.shape and bool(np.abs(old - own).max(initial=0.0) < SAME_VECTOR)
