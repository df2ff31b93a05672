"""Describe what all models of one results file have in common, and check that models can be compared within one file."""

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Int32
from numpy.typing import NDArray
from torch import Tensor

from sing_compute.concepts.vocabulary import Vocabulary
from sing_compute.errors import StoreError
from sing_compute.images.compact_text import Categorical
from sing_compute.images.listing import ImageList
from sing_compute.measuring.comparison import ORDERING_FIGURES, ModelFigures
from sing_compute.pipeline.clip_space import ClassTable
from sing_compute.pipeline.plan import Plan
from sing_compute.store import Store
from sing_compute.store.noun import Noun
from sing_compute.store.stored import Stored
from sing_compute.store.text import store_error

SAME_VECTOR = 1e-4
"""Largest difference of two runs' embeddings of one text: far above rounding, far below another model or prompt."""
CHUNK = 4096
"""Images that are compared at a time."""
READERS = 16
"""Threads that read the sizes of files: a network disk answers many requests at once."""
PART = CHUNK // READERS


@dataclass(frozen=True, slots=True)
class TextInputs:
    """The head's classes, the concepts, and the unit vectors of both in one CLIP space."""

    classes: ClassTable
    prompts: list[str]
    """Text that represents each class in CLIP space."""
    vocabulary: Vocabulary
    class_vectors: Float[Tensor, "class clip"]
    concept_vectors: Float[Tensor, "concept clip"]
    clip: dict[str, str]
    """Provenance of the CLIP space."""

    def differing(self, old: Store) -> list[str]:
        """Return the names of everything that is different in an existing file; none for a file without a CLIP space."""
        if not has_texts(old):
            return differing_classes(self.classes, old)
        same_clip = old.attributes("clip").get("tag") == self.clip["tag"]
        found = [] if same_clip else ["CLIP"]
        for kind, path, names, vectors in (
            ("class", "classes/name", self.classes.names, self.class_vectors),
            ("concept", "concepts/name", self.vocabulary.names, self.concept_vectors),
        ):
            if list(old.array(path)) != list(names):
                found.append(path.removesuffix("/name"))
            elif same_clip and not _near(old.array(f"clip/{kind}_embeddings"), vectors):
                found.append(f"{kind} embeddings")
        return found


def has_texts(store: Store) -> bool:
    """Return True if a file holds a CLIP space: a file of `--only features` has none."""
    return "clip/class_embeddings" in store


def differing_classes(classes: ClassTable, old: Store) -> list[str]:
    """Return the names of everything that is different in the classes of an existing file."""
    return [] if list(old.array("classes/name")) == list(classes.names) else ["classes"]


@dataclass(frozen=True, slots=True)
class MeasuredImages:
    """Images in store order: by class, then key."""

    keys: Sequence[str]
    labels: Int[np.ndarray, " image"]
    """True class of each image."""
    groups: Categorical | None
    """Group of each image; None where the user gave no groups."""
    failed: list[tuple[str, str]]
    """Key and reason of each image that could not be read."""
    root: str
    """Folder of the keys."""
    fingerprint: str = ""
    """SHA-256 of each image's key, class and size in bytes; empty if it is not known."""
    turned: int = 0
    """Number of images whose EXIF orientation says that they are not stored upright."""
    original: Int32[np.ndarray, " image"] | None = None
    """For each image the row of the first one with the same bytes; None if it is not known."""
    noun: Noun | None = None
    """The user's noun for them; None for images, or the noun of an existing file."""

    @classmethod
    def of(
        cls,
        images: ImageList,
        labels: NDArray[np.int32],
        failed: list[tuple[str, str]],
        *,
        turned: int = 0,
        original: NDArray[np.int32] | None = None,
        noun: Noun | None = None,
    ) -> "MeasuredImages":
        """Compute the fingerprint of images.

        Args:
            images: The images that were read, in store order.
            labels: True class of each.
            failed: Key and reason of each image that could not be read.
            turned: Number of images that EXIF says are not stored upright.
            original: Row of the original of each; None if it is not known.
            noun: What the user calls them.

        Raises:
            ImagesError: Their disk does not exist any more, so that their sizes cannot be read.
        """
        if images.stored:
            return cls(images.keys, labels, images.groups, failed, images.place, noun=noun)

        def lines(rows: range) -> list[str]:
            return [f"{images.keys[row]}\t{labels[row]}\t{images.size(row)}\n" for row in rows]

        digest, everything = hashlib.sha256(), range(len(images))
        with ThreadPoolExecutor(READERS) as pool:
            for start in everything[::CHUNK]:
                rows = everything[start : start + CHUNK]
                for part in pool.map(lines, (rows[at : at + PART] for at in range(0, len(rows), PART))):
                    digest.update("".join(part).encode())
        return cls(images.keys, labels, images.groups, failed, images.place, digest.hexdigest(), turned, original, noun)

    @property
    def copies(self) -> int:
        """Number of images that hold the same bytes as an earlier one."""
        return len(self._copied)

    @property
    def copies_remark(self) -> str:
        """A line that says how many images are copies, and names the first of them."""
        first = int(self._copied[0])
        assert self.original is not None
        return (
            f"copies: {self.copies:,} of {len(self.keys):,} images hold the same bytes as another one, first "
            f"{self.keys[first]} = {self.keys[int(self.original[first])]}; each is in the fold of its original"
        )

    @property
    def _copied(self) -> NDArray[np.int64]:
        """Rows of the images that are copies of earlier ones."""
        if self.original is None:
            return np.empty(0, np.int64)
        return np.flatnonzero(self.original != np.arange(len(self.original), dtype=np.int32)).astype(np.int64)

    def offsets(self, classes: int) -> Int[np.ndarray, " class_edge"]:
        """Return where each class begins: images of class c are rows offsets[c] to offsets[c + 1]."""
        return np.searchsorted(self.labels, np.arange(classes + 1)).astype(np.int64)

    @property
    def group_names(self) -> list[str]:
        """The user's groups in alphabetical order."""
        return [name for name in self.groups.used_names if name] if self.groups else []

    @property
    def group_masks(self) -> dict[str, Bool[np.ndarray, " image"]]:
        """Mask of the images of each group, by the group's name."""
        group = self.group
        return {name: group == index for index, name in enumerate(self.group_names)}

    @property
    def group(self) -> Int[np.ndarray, " image"]:
        """Index of each image's group among the names, -1 for none."""
        if self.groups is None:
            return np.full(len(self.keys), -1, dtype=np.int32)
        places = {name: index for index, name in enumerate(self.group_names)}
        group: NDArray[np.int32] = np.array([places.get(name, -1) for name in self.groups.names], np.int32)[
            self.groups.codes
        ]
        return group

    def differing(self, old: Store) -> list[str]:
        """Return the names of everything that is different in an existing file."""
        if self.noun not in (None, old.noun):
            return [f"items ({old.noun.plural})"]
        keys = old.dataset("images/key")
        if len(keys) != len(self.keys) or any(
            str(key) != own for key, own in zip(_in_chunks(keys), self.keys, strict=True)
        ):
            return [old.noun.plural]
        found = []
        if (old.array("images/class") != self.labels).any():
            found.append(f"classes of the {old.noun.plural}")
        if not self._same_groups(old):
            found.append("groups")
        if not self._same_copies(old):
            found.append("copies among the images (a file made before copies were counted)")
        known = old.attributes("images").get("fingerprint", "")
        if not found and known and self.fingerprint and known != self.fingerprint:
            found.append("image files (their sizes in bytes changed)")
        return found

    def _same_copies(self, old: Store) -> bool:
        """Return True if each image has the same original in the file, and so the same fold; or if it is not known."""
        if self.original is None:
            return True
        if "images/original" not in old:
            return not self.copies
        return bool((old.array("images/original") == self.original).all())

    def _same_groups(self, old: Store) -> bool:
        if "images/group" not in old:
            return not self.group_names
        return list(old.array("groups/name")) == self.group_names and bool(
            (old.array("images/group") == self.group).all()
        )


def existing(plan: Plan) -> AbstractContextManager[Store | None]:
    """Open the results file that models are added to; give None if it does not exist or will be replaced."""
    return Store(plan.output) if plan.output.exists() and not plan.fresh else nullcontext()


def refuse(old: Store, differing: list[str]) -> None:
    """Refuse to add models to a file in which they could not be compared.

    Args:
        old: The file.
        differing: Names of everything that is different there.

    Raises:
        StoreError: Anything differs; the message names it.
    """
    if differing:
        raise StoreError(
            f"{old.path} was made with other {', '.join(differing)}; models of one file must be comparable: "
            "choose another -o, or --fresh to replace the file"
        )


def stored_figures(store: Store, model: str) -> ModelFigures | None:
    """Read the figures by which a model of an existing file is compared; return None if it has no scores.

    Raises:
        StoreError: The file lacks one of these figures.
    """
    base = f"models/{model}/"
    if f"{base}bootstrap/figure" not in store:
        return None
    names = [str(name) for name in store.array(f"{base}bootstrap/figure")]
    missing = [name for name in ORDERING_FIGURES if name not in names]
    if missing:
        raise store_error(f"{store.path.name}: {base}bootstrap/figure: lacks {', '.join(missing)}; compute it again")
    chosen = [names.index(name) for name in ORDERING_FIGURES]
    return ModelFigures(
        store.dataset(f"{base}classes/attribute_score_abs_q50")[0].astype(np.float64),
        store.array(f"{base}bootstrap/value")[:, chosen],
        store.array(f"{base}bootstrap/images")[:, chosen],
        float(store.array(f"{base}summary/accuracy")),
        float(store.array(f"{base}summary/zero_shot_equivalent")),
    )


def _in_chunks(dataset: Stored) -> Iterator[str]:
    for start in range(0, len(dataset), CHUNK):
        yield from dataset[start : start + CHUNK]


def _near(old: NDArray[np.float32], new: Tensor) -> bool:
    own = new.cpu().numpy()
    return old.shape == own.shape and bool(np.abs(old - own).max(initial=0.0) < SAME_VECTOR)
