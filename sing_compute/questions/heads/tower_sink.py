"""Write a named tower into a results file, and say how well its names fit."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sing_compute import __version__
from sing_compute.concepts.open_clip_space import OpenClipSpace
from sing_compute.questions.answer_tables import number
from sing_compute.questions.heads.concept_pool import ConceptPool
from sing_compute.questions.heads.image_mean import ImageMean
from sing_compute.sith.heads import FIGURES, NamedLayer
from sing_compute.sith.naming import METHODS, Dictionary
from sing_compute.sith.towers import Tower
from sing_compute.store import Store
from sing_compute.store.definitions.sith_fields import METHODS as METHOD_GROUP
from sing_compute.store.definitions.sith_fields import SUMMARY, TOWER, VECTORS, WORDS
from sing_compute.store.definitions.sith_uses import USES
from sing_compute.store.derived.word_mixes import mean_of_known, unused_share
from sing_compute.store.place import Place
from sing_compute.store.text import clean
from sing_compute.store.write import Attribute, Writer

_POLES = ("positive", "negative")


@np.errstate(invalid="ignore")  # means over a layer whose heads all have no weights
def put_tower(
    writer: Writer,
    name: str,
    tower: Tower,
    numbers: Sequence[int],
    layers: Sequence[NamedLayer],
    pool: ConceptPool,
    dictionary: Dictionary,
    mean: ImageMean,
    sizes: Sequence[int],
    methods: Sequence[str] = METHODS,
) -> None:
    """Write a tower at the paths that its analysis declares. Of the pool, only picked concepts are written.

    Args:
        writer: The file.
        name: Name of the tower in it.
        tower: The tower.
        numbers: Numbers of its named layers.
        layers: Their names.
        pool: The concepts that names were chosen from.
        dictionary: The same as directions.
        mean: The image mean that was subtracted.
        sizes: Numbers of concepts K, ascending.
        methods: Ways to choose concepts that the layers compare.
    """
    vectors = {
        field: torch.stack([getattr(layer, field) for layer in layers]).numpy()
        for field in ("value", "rank", "pick", "coefficient", "cosine", "fidelity", "ceiling", "coherence")
    }
    picked, picks = np.unique(vectors["pick"], return_inverse=True)
    first = int((picked < 0).sum())
    vectors["pick"] = picks.reshape(vectors["pick"].shape) - first
    vectors["coefficient"] = vectors["coefficient"].astype(np.float32)
    picked = picked[first:]
    for field, values in vectors.items():
        writer.put(f"{VECTORS}{field}", values, tower=name)
    writer.put(f"{TOWER}image/mean", mean.vector.numpy(), tower=name)
    writer.put(f"{TOWER}sizes/name", [f"{size} concept{'s' * (size > 1)}" for size in sizes], tower=name)
    writer.put(f"{TOWER}sizes/concepts", list(sizes), tower=name)
    writer.put(f"{TOWER}layers/name", [f"layer {number}" for number in numbers], tower=name)
    writer.put(f"{TOWER}layers/number", list(numbers), tower=name)
    writer.put(f"{METHOD_GROUP}name", list(methods), tower=name)
    for position, figure in enumerate(FIGURES):
        writer.put(
            f"{METHOD_GROUP}{figure}", torch.stack([layer.methods[position] for layer in layers]).numpy(), tower=name
        )
    writer.put(f"{WORDS}name", [clean(pool.names[position]) for position in picked.tolist()], tower=name)
    writer.put(f"{WORDS}position", picked, tower=name)
    words = [clean(pool.names[position]) for position in picked.tolist()]
    _put_uses(writer, name, vectors, words, numbers)
    summary: dict[str, float | int] = {
        "blocks": len(tower.layers),
        "dim": len(tower.gamma),
        "pool": len(pool.names),
        "distinct": int(dictionary.usable.sum()),
        "mean_length": float(mean.vector.norm()),
        "vectors": int(vectors["rank"].sum()),
        "ceiling": _mean(vectors["ceiling"].astype(np.float32)),
        "unused": float(unused_share(vectors["pick"][None], vectors["coefficient"][None, ..., 0, :])[0]),
        **{name: _mean(vectors[name][..., 0].astype(np.float32)) for name in ("cosine", "fidelity", "coherence")},
    }
    for field, value in summary.items():
        writer.put(f"{SUMMARY}{field}", value, tower=name)


def tower_facts(
    space: OpenClipSpace, pool: ConceptPool, mean: ImageMean, dictionary: Dictionary, *, coherence: float, side: str
) -> dict[str, Attribute]:
    """Return what a tower's names depend on, as attributes of its group."""
    return {
        **{f"clip_{name}": value for name, value in space.provenance.items() if name in ("tag", "activation")},
        "clip_state_sha256": space.provenance["state_sha256"],
        "pool": pool.source,
        "pool_sha256": pool.sha256,
        "pool_count": len(pool.names),
        "pool_same_direction": int((~dictionary.usable).sum()),
        "image_mean": mean.source,
        "coherence": coherence,
        "fold_layer_norm": True,
        "vectors": side,
        "sign": "the largest entry of the left vector is positive",
        "version": __version__,
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def heads_text(store: Store, tower: str) -> str:
    """Return a table of how well the names of each layer fit, by each method, with the smallest K.

    Args:
        store: The file.
        tower: Name of the tower.
    """
    base = f"towers/{tower}/"
    size = int(store.array(f"{base}sizes/concepts")[0])
    figures = {figure: store.array(f"{base}methods/{figure}")[..., 0] for figure in FIGURES}
    ceiling = mean_of_known(store.array(f"{base}vectors/ceiling"))
    methods = [str(method) for method in store.array(f"{base}methods/name")]
    width = 9
    lines = [
        f"{'':8} {'ceiling':>{width}}  "
        + "  ".join(f"{method + ', K = ' + str(size):<{3 * width + 2}}" for method in methods),
        f"{'':8} {'':>{width}}  "
        + "  ".join(" ".join(f"{figure:>{width}}" for figure in FIGURES[:3]) for _ in methods),
    ]
    for row, layer in enumerate(store.items("layer", _place(tower))):
        cells = "  ".join(
            " ".join(f"{number(figures[figure][row, column], '.3f'):>{width}}" for figure in FIGURES[:3])
            for column in range(len(methods))
        )
        lines.append(f"{clean(str(layer)):8} {number(ceiling[row], '.3f'):>{width}}  {cells}")
    summary = store.scalars(f"{base}summary")
    picks = store.array(f"{base}vectors/pick")[..., :size]
    unused = (store.array(f"{base}vectors/coefficient")[..., 0, :size] == 0).sum()
    poles = "one pole" if (picks[..., 0] >= 0).any((0, 1, 2)).sum() == 1 else "two poles"
    lines.append("")
    lines.append(
        f"{summary['vectors']:,} vectors, {poles} each, from {summary['pool']:,} concepts; {unused:,} of "
        f"{(picks >= 0).sum():,} picks have coefficient 0 and are not shown"
    )
    return "\n".join(line.rstrip() for line in lines)


def _place(tower: str) -> Place:
    return Place("layers").at(tower=tower)


def _mean(values: NDArray[np.float32]) -> float:
    return float(mean_of_known(values[None])[0])


def _put_uses(
    writer: Writer, tower: str, vectors: Mapping[str, NDArray[Any]], words: Sequence[str], numbers: Sequence[int]
) -> None:
    """Write the poles that each word names, the largest coefficient first, and what follows from them for the words."""
    picks, coefficients = vectors["pick"], vectors["coefficient"][..., 0, :]
    used = (picks >= 0) & (coefficients > 0)
    word, weight, at = picks[used], coefficients[used], np.argwhere(used)
    order = np.lexsort((np.arange(len(word)), -weight, word))
    word, weight = word[order], weight[order]
    layer, head, vector, sign, _ = at[order].T
    counts = np.bincount(word, minlength=len(words))
    runs = np.concatenate([[0], counts.cumsum()])
    number = np.array(numbers, dtype=np.int64)[layer]
    pole = [_POLES[each] for each in sign]
    places = [
        f"layer {n}, head {h}, vector {v}, {p}"
        for n, h, v, p in zip(number.tolist(), head.tolist(), vector.tolist(), pole, strict=True)
    ]
    fields: dict[str, Any] = {
        "name": [f"{words[w]}: {place}" for w, place in zip(word.tolist(), places, strict=True)],
        "runs": runs,
        "coefficient": weight,
        "layer": number,
        "head": head,
        "vector": vector,
        "pole": pole,
        "value": vectors["value"][layer, head, vector],
        "cosine": vectors["cosine"][layer, head, vector, sign, 0].astype(np.float32),
    }
    for field, values in fields.items():
        writer.put(f"{USES}{field}", values, tower=tower)
    firsts = [
        (float(weight[run]), places[run]) if count else (0.0, "") for run, count in zip(runs[:-1], counts, strict=True)
    ]
    writer.put(f"{WORDS}uses", counts, tower=tower)
    writer.put(f"{WORDS}largest", [largest for largest, _ in firsts], tower=tower)
    writer.put(f"{WORDS}place", [place for _, place in firsts], tower=tower)
