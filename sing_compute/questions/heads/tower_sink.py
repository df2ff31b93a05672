"""Write a named tower into a results file, and say how well its names fit."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from sing_compute.questions.answer_tables import number
from sing_compute.questions.heads.concept_pool import ConceptPool
from sing_compute.questions.heads.image_mean import ImageMean
from sing_compute.sith.heads import FIGURES, NamedLayer
from sing_compute.sith.naming import METHODS, Dictionary
from sing_compute.sith.towers import Tower
from sing_compute.store import Store
from sing_compute.store.definitions.sith_fields import METHODS as METHOD_GROUP
from sing_compute.store.definitions.sith_fields import SUMMARY, TOWER, VECTORS, WORDS
from sing_compute.store.derived.word_mixes import mean_of_known, unused_share
from sing_compute.store.place import Place
from sing_compute.store.text import clean
from sing_compute.store.write import Writer

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
    writer.put(f"{METHOD_GROUP}name", list(METHODS), tower=name)
    for position, figure in enumerate(FIGURES):
        writer.put(
            f"{METHOD_GROUP}{figure}", torch.stack([layer.methods[position] for layer in layers]).numpy(), tower=name
        )
    writer.put(f"{WORDS}name", [clean(pool.names[position]) for position in picked.tolist()], tower=name)
    writer.put(f"{WORDS}position", picked, tower=name)
    for field, uses in _uses(vectors["pick"], vectors["coefficient"][..., 0, :], len(picked), numbers).items():
        writer.put(f"{WORDS}{field}", uses, tower=name)
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


@np.errstate(invalid="ignore")
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
    picks = int(summary["vectors"]) * 2 * size
    lines.append("")
    lines.append(
        f"{summary['vectors']:,} vectors, two poles each, from {summary['pool']:,} concepts; "
        f"{round(picks * summary['unused']):,} of {picks:,} picks have coefficient 0 and are not shown"
    )
    return "\n".join(line.rstrip() for line in lines)


def _place(tower: str) -> Place:
    return Place("layers").at(tower=tower)


def _mean(values: NDArray[np.float32]) -> float:
    return float(mean_of_known(values[None])[0])


def _uses(
    picks: NDArray[np.int64], coefficients: NDArray[np.float32], words: int, numbers: Sequence[int]
) -> dict[str, NDArray[np.int64] | NDArray[np.float64] | list[str]]:
    """Count how often each picked concept names a pole, and find the pole of its largest coefficient."""
    used = (picks >= 0) & (coefficients > 0)
    chosen, weights = picks[used], coefficients[used].astype(np.float64)
    where = np.argwhere(used)
    largest, place = np.zeros(words), np.full(words, -1)
    for row in np.argsort(weights, kind="stable"):
        largest[chosen[row]], place[chosen[row]] = weights[row], row
    texts = []
    for row in place:
        if row < 0:
            texts.append("")
            continue
        layer, head, vector, sign, _ = where[row].tolist()
        texts.append(f"layer {numbers[layer]}, head {head}, vector {vector}, {_POLES[sign]}")
    return {"uses": np.bincount(chosen, minlength=words), "largest": largest, "place": texts}
