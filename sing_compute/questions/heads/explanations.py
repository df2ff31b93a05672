"""Write the names of heads in the layout of the explanations.json of the authors' project page."""

import json
from pathlib import Path
from typing import Any

from sing_compute.atomic_write import text_file, write_failure
from sing_compute.errors import SingError
from sing_compute.store import Store
from sing_compute.store.derived.word_mixes import used_words
from sing_compute.store.text import clean


def write_explanations(store: Store, tower: str, path: Path, *, vectors: int = 5) -> int:
    """Write the strongest vectors of each head as JSON in the layout of the authors' explanations.json.

    It has one pole of a vector, the positive one, and its left vector next to it if the file has a tower of left vectors of the
    same CLIP. Labels, which the authors wrote by hand, are the concepts with the largest coefficient.

    Args:
        store: The file.
        tower: Name of the tower.
        path: The new JSON file.
        vectors: Vectors of each head.

    Returns:
        Number of heads.

    Raises:
        SingError: There is no such tower, it has the left vectors, or the file cannot be written.
    """
    if tower not in store.members("tower"):
        raise SingError(
            f"{store.path} has no tower {clean(tower)!r}; it has: {', '.join(store.members('tower')) or 'none'}"
        )
    facts = store.attributes(f"towers/{tower}")
    if facts.get("vectors") == "left":
        raise SingError(
            f"tower {clean(tower)!r} has left vectors: name the one with right vectors, the left ones join it"
        )
    clip = facts.get("clip_state_sha256")
    left = next(
        (
            other
            for other in store.members("tower")
            if (own := store.attributes(f"towers/{other}")).get("vectors") == "left"
            and own.get("clip_state_sha256") == clip
        ),
        None,
    )
    sides = {"left": left, "right": tower} if left else {"right": tower}
    mixes = {side: _mixes(store, each, vectors) for side, each in sides.items()}
    model = clean(str(facts.get("clip_tag", tower)))
    heads = []
    for (layer, head), indices in _heads(mixes["right"]).items():
        places = [(index, (layer, head, index)) for index in indices]
        heads.append(
            {
                "model": model,
                "layer": layer,
                "head": head,
                "tab_label": f"Layer {layer}, head {head}",
                "description": f"Layer {layer}, Head {head} · {model}",
                "svs": [
                    {"index": index, **{side: found[place] for side, found in mixes.items() if place in found}}
                    for index, place in places
                ],
            }
        )
    try:
        with text_file(path) as stream:
            json.dump(heads, stream, ensure_ascii=False, indent=1)
            stream.write("\n")
    except OSError as error:
        raise SingError(write_failure(path, error)) from error
    return len(heads)


def _heads(mixes: dict[tuple[int, int, int], Any]) -> dict[tuple[int, int], list[int]]:
    found: dict[tuple[int, int], list[int]] = {}
    for layer, head, index in mixes:
        found.setdefault((layer, head), []).append(index)
    return found


def _mixes(store: Store, tower: str, vectors: int) -> dict[tuple[int, int, int], dict[str, Any]]:
    """Return label and concepts of the positive poles of a tower, by layer, head and vector."""
    base = f"towers/{tower}/"
    picks, names = store.array(base + "vectors/pick"), store.array(base + "words/name")
    coefficients = store.array(base + "vectors/coefficient")[:, :, :, 0, 0]
    found = {}
    for position, number in enumerate(store.array(base + "layers/number").tolist()):
        for head in range(picks.shape[1]):
            for vector in range(min(vectors, picks.shape[2])):
                words = used_words(picks[position, head, vector, 0], coefficients[position, head, vector], names)
                if words:
                    concepts = [{"name": clean(word), "score": round(weight, 4)} for word, weight in words]
                    found[number, head, vector] = {"label": concepts[0]["name"], "concepts": concepts}
    return found
