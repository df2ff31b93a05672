"""Check names that only number things, or repeat other data of the file in words."""

from itertools import pairwise

import numpy as np

from sing_compute.store.checks.look import Look


def check_tower_names(look: Look) -> None:
    """Check the names of sizes, layers and uses of a tower, and the places of its words: those of their largest uses."""
    look.equal("sizes/name", _sizes(look, "sizes/concepts"), "sizes/concepts")
    look.equal("layers/name", [f"layer {number}" for number in look.array("layers/number").tolist()], "layers/number")
    if not look.has("uses/name"):
        return
    numbers = (look.array(f"uses/{part}").tolist() for part in ("layer", "head", "vector"))
    places = [
        f"layer {layer}, head {head}, vector {vector}, {pole}"
        for layer, head, vector, pole in zip(*numbers, look.texts("uses/pole"), strict=True)
    ]
    runs, words = look.array("uses/runs"), look.texts("words/name")
    owners = np.repeat(np.arange(len(words)), np.diff(runs)).tolist()
    names = [f"{words[word]}: {place}" for word, place in zip(owners, places, strict=True)]
    look.equal("uses/name", names, "words/name and the uses")
    firsts = [places[start] if stop > start else "" for start, stop in pairwise(runs.tolist())]
    look.equal("words/place", firsts, "the first use of each word")


def check_null_word_names(look: Look) -> None:
    """Check the names of sizes and null directions."""
    base = "null_words/"
    look.equal(base + "sizes/name", _sizes(look, base + "sizes/concepts"), "sizes/concepts")
    for group, word in (("modes", "mode"), ("classes", "direction")):
        _check_numbered(look, f"{base}{group}/name", word)


def check_direction_names(look: Look) -> None:
    """Check the names of directions."""
    _check_numbered(look, "directions/pairs/name", "direction")


def _check_numbered(look: Look, name: str, word: str) -> None:
    look.equal(name, [f"{word} {k}" for k in range(len(look.array(name)))], "the numbers of its rows")


def _sizes(look: Look, name: str) -> list[str]:
    return [f"{size} concept{'s' * (size > 1)}" for size in look.array(name).tolist()]
