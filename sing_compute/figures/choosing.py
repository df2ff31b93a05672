"""The models, classes and heads that figures are of: those that a user names, or the most telling ones by a fixed rule."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sing_compute.errors import SingError
from sing_compute.store import Place, Store, Table, catalogue, open_table
from sing_compute.store.place import Key

RULE = (
    "attribute_score_abs_over_control",
    "attribute_score_abs",
    "attribute_score_abs_q50",
    "attribute_score_abs_mean",
)
"""Columns of models: the first that a file has orders them, the largest number first."""
CLASS_RULE = ("leak", *RULE)
"""The same for classes (docs/method.md, which class leaks most)."""
STRINGS, VIOLINS, HEADS = 3, 20, 3
"""Classes with a string plot, classes with a violin, and heads with a card, where the user names none."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The models and classes that a user wants figures of; empty for those that the rule chooses."""

    models: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    steering: Path | None = None
    """The CSV file of `sing-compute steer --matrix`, drawn in the place of the steering that the results file holds."""


def numbers(table: Table, name: str) -> NDArray[np.float64] | None:
    """Return the numbers of a column; None where the table lacks it."""
    found = next((column for column in table.columns if column.name == name), None)
    return None if found is None else np.asarray(found.values.all(), dtype=np.float64)


def largest_first(table: Table, names: Sequence[str]) -> list[int]:
    """Return rows of a table by the first of these columns that it has, the largest number first; rows without one last."""
    for name in names:
        values = numbers(table, name)
        if values is not None and np.isfinite(values).any():
            order = np.argsort(-np.where(np.isfinite(values), values, -np.inf), kind="stable")
            return [int(row) for row in order]
    return list(range(table.length))


def chosen_models(store: Store, choice: Choice) -> list[str]:
    """Return the models of the choice; without one, the model of largest |AS| over its control.

    Args:
        store: The results file.
        choice: Names of models.

    Returns:
        One name at least.

    Raises:
        SingError: The file holds no models, or none of such a name.
    """
    if choice.models:
        return list(dict.fromkeys(store.model(name) for name in choice.models))
    if not store.models:
        raise SingError("the file holds no classifiers")
    table = open_table(store, Place("models"))
    return [store.models[largest_first(table, RULE)[0]]]


def chosen_classes(store: Store, model: str, choice: Choice, most: int) -> list[int]:
    """Return the classes of the choice; without one, those that leak most.

    Args:
        store: The results file.
        model: Name of the model.
        choice: Names, indices or WordNet ids of classes.
        most: Number of classes that the rule chooses.

    Returns:
        Indices of classes.

    Raises:
        SingError: The file holds no such class, or no classes.
    """
    if choice.classes:
        return list(dict.fromkeys(store.find_class(name) for name in choice.classes))
    table = open_table(store, Place.of("classes", model=model))
    ids = np.arange(table.length) if table.ids is None else table.ids
    return [int(ids[row]) for row in largest_first(table, CLASS_RULE)[:most]]


def chosen_heads(store: Store) -> list[dict[str, Key]]:
    """Return the heads of each tower whose names describe their vectors best: those of the largest mean cosine.

    Args:
        store: The results file.

    Returns:
        The keys of each head's place.

    Raises:
        SingError: The file holds no heads.
    """
    if "vectors" not in {spec.name for spec in catalogue.tables(store)}:
        raise SingError("the file holds no heads analysis (sing-compute heads)")
    found: list[dict[str, Key]] = []
    for tower in store.members("tower"):
        heads: list[tuple[float, int, int]] = []
        for layer in range(store.count("layer", Place.of("layers", tower=tower))):
            cosines = numbers(open_table(store, Place.of("heads", tower=tower, layer=layer)), "cosine")
            known = [] if cosines is None else enumerate(cosines.tolist())
            heads += [(-cosine, layer, head) for head, cosine in known if np.isfinite(cosine)]
        found += [{"tower": tower, "layer": layer, "head": head} for _, layer, head in sorted(heads)[:HEADS]]
    return found
