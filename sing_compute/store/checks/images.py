"""Check the images of a file: their order, offsets and copies, and the names of subsets."""

from itertools import pairwise

import numpy as np

from sing_compute.store.checks.look import Look
from sing_compute.store.constants import SUBSETS
from sing_compute.store.noun import Noun

_PIECE = 2**17
"""Keys that are compared at once."""


def check_order(look: Look) -> None:
    """Check that images are sorted by class, then by key, and that the offsets agree with this."""
    labels, offsets = look.array("images/class"), look.array("images/offsets")
    look.check((np.diff(labels) >= 0).all(), "images/class: not sorted")
    edges = np.searchsorted(labels, np.arange(len(offsets)))
    look.check((edges == offsets).all(), "images/offsets: do not match images/class")
    keys, good = look.store.dataset("images/key"), True
    for start in range(0, len(keys) - 1, _PIECE):
        part = keys.encoded(start, start + _PIECE + 1)
        same = np.diff(labels[start : start + len(part)]) == 0
        good &= bool((part[1:] > part[:-1])[same].all())
    look.check(good, "images/key: not sorted by class, then by key")


def check_skipped(look: Look) -> None:
    """Check that no image is both measured and skipped, and that each skipped one has a reason."""
    skipped = look.store.dataset("images/skipped_key")
    wanted, keys = skipped.encoded(0, len(skipped)), look.store.dataset("images/key")
    found = 0
    for start in range(0, len(keys) if len(wanted) else 0, _PIECE):
        found += int(np.isin(keys.encoded(start, start + _PIECE), wanted).sum())
    look.check(not found, f"images/skipped_key: {found:,} skipped images are measured, too")
    look.check(all(look.texts("images/skipped_reason")), "images/skipped_reason: an image was skipped without a reason")


def check_copies(look: Look) -> None:
    """Check that the original of an image is the first of its copies, and that their number is that of the attribute."""
    original = look.array("images/original")
    first = (original >= 0) & (original <= np.arange(len(original)))
    look.check(first.all() and (original[original] == original).all(), "images/original: not the first of equal images")
    copies, stated = int((original != np.arange(len(original))).sum()), look.fact("copies", None, group="images")
    look.check(copies == stated, f"images/original: {copies} copies, the attribute of images says {stated}")


def check_subsets(look: Look) -> None:
    """Check the names of subsets, the groups that they stand for, and the noun of the file."""
    groups = look.texts("groups/name") if look.has("groups/name") else []
    wanted = [*SUBSETS, *(f"group:{name}" for name in groups)]
    look.check(look.texts("subsets/name") == wanted, f"subsets/name: must be {', '.join(wanted)}")
    both = look.has("groups/name") == look.has("images/group")
    look.check(both, "images/group: there must be both groups/name and images/group, or none of them")
    facts = look.store.attributes("images")
    if "item" in facts or "items" in facts:
        noun = Noun(str(facts.get("item")), str(facts.get("items")))
        good = {"item", "items"} <= facts.keys() and noun == look.store.noun
        look.check(good, f"images: attributes item, items: {noun.problem}")


def class_edges(look: Look) -> list[tuple[int, int]]:
    """Return the first and the last row, plus one, of each class."""
    return list(pairwise(look.array("/images/offsets").tolist()))
