"""Write named null directions into a results file, and print the most telling of them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sing_compute.pipeline.closing_table import align
from sing_compute.questions.heads.concept_pool import ConceptPool
from sing_compute.sith.naming import Dictionary
from sing_compute.store import Place, Store, open_table
from sing_compute.store.definitions.null_word_fields import CLASSES, GROUP, MODES, SIZES, SUMMARY, WORDS
from sing_compute.store.text import clean
from sing_compute.store.write import Writer

if TYPE_CHECKING:
    from sing_compute.questions.null_words.naming import NamedNullDirections

__all__ = ["GROUP", "null_words_text", "put_null_words"]

_POLES = ("positive", "negative")
_SHOWN = 10
"""Largest number of classes whose first direction is printed."""


def put_null_words(
    writer: Writer,
    model: str,
    found: "NamedNullDirections",
    pool: ConceptPool,
    dictionary: Dictionary,
    sizes: Sequence[int],
    classes: Sequence[str],
) -> None:
    """Write the null directions of a model at the paths of their analysis. Of the pool, only picked concepts are written.

    Args:
        writer: The file.
        model: Name of the model.
        found: Its null directions in words.
        pool: The concepts that names were chosen from.
        dictionary: The same as directions.
        sizes: Numbers of concepts K, ascending.
        classes: Names of the classes.
    """
    shape = found.share.shape
    picks = {MODES: found.modes.pick.numpy(), CLASSES: _by_class(found.directions.pick.numpy(), shape)}
    weights = {
        MODES: found.modes.coefficient.numpy().astype(np.float32),
        CLASSES: _by_class(found.directions.coefficient.numpy().astype(np.float32), shape),
    }
    cosines = {MODES: found.modes.cosine.numpy(), CLASSES: _by_class(found.directions.cosine.numpy(), shape)}
    picked = np.unique(np.concatenate([part.reshape(-1) for part in picks.values()]))
    picked = picked[picked >= 0]
    rows = {}
    for group, part in picks.items():
        rows[group] = np.where(part < 0, -1, np.searchsorted(picked, np.maximum(part, 0)))
        writer.put(f"{group}pick", rows[group], model=model)
        writer.put(f"{group}coefficient", weights[group], model=model)
        writer.put(f"{group}cosine", cosines[group], model=model)
    numbered = {MODES: [f"mode {k}" for k in range(len(found.singular_value))]}
    numbered[CLASSES] = [f"direction {k}" for k in range(shape[1])]
    for group, names in numbered.items():
        writer.put(f"{group}name", names, model=model)
    writer.put(f"{MODES}value", found.singular_value.numpy(), model=model)
    for name in ("images", "share", "deviation", "movement", "angle"):
        writer.put(f"{CLASSES}{name}", getattr(found, name).numpy(), model=model)
    writer.put(f"{SIZES}name", [f"{size} concept{'s' * (size > 1)}" for size in sizes], model=model)
    writer.put(f"{SIZES}concepts", list(sizes), model=model)
    writer.put(f"{SUMMARY}pool", len(pool.names), model=model)
    writer.put(f"{SUMMARY}distinct", int(dictionary.usable.sum()), model=model)
    writer.put(f"{WORDS}name", [clean(pool.names[position]) for position in picked.tolist()], model=model)
    writer.put(f"{WORDS}position", picked, model=model)
    places = [[[f"{mode}, {pole}" for pole in _POLES] for mode in numbered[MODES]]]
    places += [[[f"{c}, {each}, {pole}" for pole in _POLES] for each in numbered[CLASSES]] for c in classes]
    flat = [pole for group in places for direction in group for pole in direction]
    every_pick = np.concatenate([rows[group].reshape(-1, rows[group].shape[-1]) for group in (MODES, CLASSES)])
    every_weight = np.concatenate(
        [weights[group][..., 0, :].reshape(-1, every_pick.shape[1]) for group in (MODES, CLASSES)]
    )
    for name, values in _uses(every_pick, every_weight, len(picked), flat).items():
        writer.put(f"{WORDS}{name}", values, model=model)


def _by_class(values: NDArray[np.generic], shape: tuple[int, ...]) -> NDArray[np.generic]:
    """Return values of all directions by class and direction."""
    return values.reshape(*shape, *values.shape[1:])


def _uses(
    picks: NDArray[np.int64], weights: NDArray[np.float32], words: int, places: Sequence[str]
) -> dict[str, NDArray[np.int64] | NDArray[np.float64] | list[str]]:
    """Count how often each picked concept names a pole, and find the pole of its largest coefficient; the first of equal ones.

    Args:
        picks: Word of each pick, (pole, pick); -1 for none.
        weights: Their coefficients.
        words: Number of words.
        places: Name of each pole.
    """
    poles, columns = np.nonzero((picks >= 0) & (weights > 0))
    chosen, values = picks[poles, columns], weights[poles, columns].astype(np.float64)
    largest, where = np.zeros(words), np.full(words, -1)
    order = np.argsort(values[::-1], kind="stable")  # ascending, and of equal ones the first pole last
    for row in (len(values) - 1 - order).tolist():
        largest[chosen[row]], where[chosen[row]] = values[row], poles[row]
    named = [places[pole] if pole >= 0 else "" for pole in where.tolist()]
    return {"uses": np.bincount(chosen, minlength=words), "largest": largest, "place": named}


def null_words_text(store: Store, model: str) -> str:
    """Return the first direction of the classes in which images move farthest, and the first modes, as a table.

    Args:
        store: The file.
        model: The model.
    """
    base = f"models/{model}/null_words/"
    counts = store.scalars(f"{base}summary")
    share = store.array(f"{base}classes/share")
    modes = len(store.array(f"{base}modes/value"))
    known = int(np.isfinite(share).sum())
    lines = [
        f"{clean(model)}: {modes:,} modes, {known:,} directions of {int(np.isfinite(share[:, 0]).sum()):,} classes, named by "
        f"{counts['pool']:,} concepts"
    ]
    rows = [["", "share", "moves", "cosine", "positive", "negative"]]
    far = np.nan_to_num(store.array(f"{base}classes/movement")[:, 0], nan=-1.0)
    for label in np.argsort(-far, kind="stable")[:_SHOWN].tolist():
        if far[label] >= 0:
            place = Place.of("null_directions", model=model, **{"class": label})
            figures = f"{share[label, 0]:.1%}", f"{far[label]:.3f}"
            rows.append([clean(str(store.class_names[label])), *figures, *_first(store, place)])
    if modes:
        value = float(store.array(f"{base}modes/value")[0])
        rows.append(["mode 0", "", f"{value:.3g}", *_first(store, Place.of("null_modes", model=model))])
    aligned = align([row[:4] for row in rows])
    width = max(len(row[4]) for row in rows)
    return "\n".join(
        [*lines, *(f"{left}  {row[4]:{width}}  {row[5]}".rstrip() for left, row in zip(aligned, rows, strict=True))]
    )


def _first(store: Store, place: Place) -> tuple[str, str, str]:
    """Return, of the first row of a table, the smaller cosine of its poles, and the first two words of each."""
    table = open_table(store, place)
    first = {name: table.column(name).values.all()[0] for pole in _POLES for name in (pole, f"{pole}_cosine")}
    cosine = min(float(first[f"{pole}_cosine"]) for pole in _POLES)
    positive, negative = (", ".join(clean(str(first[pole])).split(", ")[:2]) for pole in _POLES)
    return "-" if np.isnan(cosine) else f"{cosine:.3f}", positive, negative
