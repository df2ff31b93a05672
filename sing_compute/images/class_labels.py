"""Find the class that each image's label means: one rule for folders, tables, label files, archives and standard input.

A label is a class name, a WordNet id or a number. Names are compared without regard to case, `_`, `-` and Unicode's ways to
write one letter; for classes of ImageNet every wording counts that timm, torchvision or OpenAI's CLIP ships. Numbers are
positions among the logits, and count from 0 or from 1 by evidence alone: a 0, or the number of classes itself.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int32

from sing_compute.errors import ImagesError
from sing_compute.imagenet import IMAGENET_CLASSES, folded, is_wnid, wnid_wordings
from sing_compute.images.compact_text import Texts
from sing_compute.images.listing import ImageList

LISTED = 8
"""Labels named in an error; the rest is counted."""
_DEVKIT = {1: "490", 2: "361", 3: "171", 4: "822", 5: "297"}
"""Numbers that ILSVRC2012_validation_ground_truth.txt gives the first images: it orders the classes as no model's logits do."""
_VALIDATION_NAME = re.compile(rb"ILSVRC2012_val_0000000([1-5])\.\w+$")
_WAY_OUT = "give class names or WordNet ids as labels, or the names in logit order with --class-names"


@dataclass(frozen=True, slots=True)
class LabelledClasses:
    """The class of each image, and how its label was understood."""

    classes: Int32[np.ndarray, " image"]
    """Position of the class among the logits."""
    reading: str
    """One line for the user: how many labels there are, of which kind, and from where numbers count."""


def match_labels(
    images: ImageList, names: Sequence[str], wnids: Sequence[str] | None, *, first: int | None = None
) -> LabelledClasses:
    """Find the class of each image by its label.

    Args:
        images: The images with their labels.
        names: Class names in logit order.
        wnids: WordNet ids in logit order, where known.
        first: Number of the first class where labels are numbers, 0 or 1; None to decide by evidence.

    Raises:
        ImagesError: Some labels match no class or several, names and numbers are mixed, numbers may count from 0 as well as from
            1, or they are the numbers of ILSVRC's development kit. The message counts and lists them, and says what to do.
    """
    used = images.labels.used_names
    known = _known_names(names, wnids)
    hits = {label: _classes_of(label, known, named_ids=wnids is not None) for label in used}
    numbers = [label for label in used if not hits[label] and is_number(label)]
    if numbers:
        named = [label for label in used if hits[label]]
        if named:
            raise ImagesError(
                f"the labels mix class names ({listed(named)}) with numbers ({listed(numbers)}), so the numbers may count from "
                f"anywhere; {_WAY_OUT}"
            )
        others = [label for label in used if not is_number(label)]
        if not others:
            start = _first_number([int(label) for label in used], len(names), first)
            if len(names) == IMAGENET_CLASSES:
                _refuse_devkit_numbers(images)
            meaning = {label: int(label) - start for label in used}
            reading = f"{len(used)} numbers, counted from {start}"
            return LabelledClasses(_by_image(images, meaning), reading)
    unmatched = [label for label in used if not hits[label]]
    if unmatched:
        raise ImagesError(
            f"{len(unmatched)} of {len(used)} labels match none of the {len(names)} classes: {listed(unmatched)}; {_WAY_OUT}"
        )
    ambiguous = [label for label in used if len(hits[label]) > 1]
    if ambiguous:
        raise ImagesError(
            f"labels that name several classes: {listed(ambiguous)}; use WordNet ids, or numbers for all images"
        )
    if first is not None:
        raise ImagesError(f"--labels-from {first} is for labels that are numbers, and these are names: leave it out")
    meaning = {label: next(iter(found)) for label, found in hits.items()}
    same: dict[int, list[str]] = {}
    for label, index in meaning.items():
        same.setdefault(index, []).append(label)
    merged = [f"{' = '.join(labels)}" for labels in same.values() if len(labels) > 1]
    ids = sum(is_wnid(label) for label in used)
    reading = f"{len(used)} {'WordNet ids' if ids == len(used) else 'class names'}"
    if merged:
        reading += f"; several labels mean one class: {listed(merged)}"
    return LabelledClasses(_by_image(images, meaning), reading)


def listed(items: Sequence[str]) -> str:
    """Return the first items and the number of the others, for a message."""
    return ", ".join(items[:LISTED]) + (f" and {len(items) - LISTED} more" if len(items) > LISTED else "")


def _known_names(names: Sequence[str], wnids: Sequence[str] | None) -> list[Mapping[str, set[int]]]:
    """Return classes by folded name: by the user's names and ids, then by other wordings of ImageNet's classes."""
    own: dict[str, set[int]] = {}
    for texts in (names, wnids or ()):
        for index, text in enumerate(texts):
            own.setdefault(folded(text), set()).add(index)
    wordings: dict[str, set[int]] = {}
    if wnids is not None:
        for index, wnid in enumerate(wnids):
            for text in wnid_wordings(wnid):
                wordings.setdefault(folded(text), set()).add(index)
    return [own, wordings]


def _classes_of(label: str, known: Iterable[Mapping[str, set[int]]], *, named_ids: bool) -> set[int]:
    """Return the classes that a label may mean: those of the first table that knows it."""
    own, wordings = known
    found = own.get(folded(label)) or wordings.get(folded(label)) or set()
    if found or named_ids or not is_wnid(label):
        return found
    return {index for text in wnid_wordings(label) for index in own.get(folded(text), ())}


def is_number(label: str) -> bool:
    """Return True if a label is a whole number."""
    return label.isascii() and label.isdecimal()


def _first_number(numbers: Sequence[int], classes: int, first: int | None) -> int:
    """Return the number of the first class.

    Raises:
        ImagesError: The numbers exceed the classes, or may count from 0 as well as from 1.
    """
    low, high = min(numbers), max(numbers)
    problem = f"the labels are numbers from {low} to {high} for {classes} classes"
    start = first
    if start is None:
        start = 0 if low == 0 else 1 if high == classes else None
        if start is None and high < classes:
            raise ImagesError(
                f"{problem}, so they may count from 0 or from 1: say which with --labels-from 0 or --labels-from 1"
            )
    if start is None or low < start or high - start >= classes:
        counted = "" if first is None else f", which --labels-from {first} does not allow"
        raise ImagesError(f"{problem}{counted}; {_WAY_OUT}")
    return start


def _refuse_devkit_numbers(images: ImageList) -> None:
    """Refuse numbers of ILSVRC's development kit next to the names of its validation images."""
    found: dict[int, str] = {}
    keys: Texts = images.keys
    for row in range(len(keys)):
        match = _VALIDATION_NAME.search(keys.raw(row))
        if match:
            found[int(match[1])] = images.labels[row]
    if found and all(_DEVKIT[number] == label.lstrip("0") for number, label in found.items()):
        raise ImagesError(
            "the labels are the numbers of ILSVRC's development kit, which have another order than every model's logits; take a "
            "list of WordNet ids, or LOC_val_solution.csv"
        )


def _by_image(images: ImageList, meaning: Mapping[str, int]) -> Int32[np.ndarray, " image"]:
    class_of_label = np.array([meaning.get(name, -1) for name in images.labels.names], dtype=np.int32)
    classes: Int32[np.ndarray, " image"] = class_of_label[images.labels.codes]
    return classes
