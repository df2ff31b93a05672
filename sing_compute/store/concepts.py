"""The concepts of a class, and a concept in every class: how far the removal of the null part moves images, one row each."""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from types import MappingProxyType

import numpy as np

from sing_compute.store.columns import CONCEPTS, Cells, Column, Loaded, Source, Table, Values, bounded, text_column
from sing_compute.store.gate import Stored
from sing_compute.store.read import Store
from sing_compute.store.schema import FIELDS, SIGNIFICANT
from sing_compute.store.text import store_error

COMPUTED = {
    "attribute_score_common": ("degree", "the part of AS that the mean null feature explains: AS minus centred AS"),
    "p": ("1", "two-sided normal tail of z"),
    "significant": ("text", f"* where q < {SIGNIFICANT}"),
}
"""Unit and meaning of columns that follow from stored ones."""


def concept_table(store: Store, model: str, class_index: int, *, only: Collection[str] | None = None) -> Table:
    """One row per concept: how the removal of the null part moves the images of one class, and whether chance would, too.

    `only`: of the columns beside concept and kind, these alone, each read when it is asked for.

    Raises:
        StoreError: No such model or class, or the model has no scores.
    """
    count = len(store.concept_names)
    kinds = Values(Loaded(count, partial(store.array, "concepts/kind")))
    kind = Column("kind", "kind", "text", FIELDS["concepts/kind"].description, kinds)
    found = concept_columns(
        store, store.model(model), count, lambda stored: np.asarray(stored[class_index]), only, {"kind": kind}
    )
    columns = [text_column("concept", "concept", FIELDS["concepts/name"].description, store.concept_names)]
    columns += found if only is not None else [replace(c, values=Values(c.values.all())) for c in found]
    return Table("concepts", columns, count, np.arange(count))


def concept_across_classes(store: Store, model: str, concept: int) -> Table:
    """One row per class with images: how far the removal of the null part moves each of them along one concept.

    Every column is read when it is asked for.

    Raises:
        StoreError: No such model or concept, or the model has no scores.
    """
    if not 0 <= concept < len(store.concept_names):
        raise store_error(f"no concept {concept} in {store.path.name}; it holds 0 to {len(store.concept_names) - 1}")
    ids = np.flatnonzero(np.diff(store.offsets))
    columns = [text_column("class", "class", FIELDS["classes/name"].description, store.class_names[ids])]
    columns.append(Column("index", "index", "index", "position in the model's output", Values(ids)))
    if "classes/wnid" in store:
        wnids = store.array("classes/wnid")[ids]
        columns.append(text_column("wnid", "wnid", FIELDS["classes/wnid"].description, wnids))
    columns += concept_columns(store, store.model(model), len(ids), lambda stored: np.asarray(stored[ids, concept]))
    return Table("classes", columns, len(ids), ids)


def concept_columns(
    store: Store,
    model: str,
    length: int,
    cells: Callable[[Stored], Cells],
    only: Collection[str] | None = None,
    others: Mapping[str, Column] = MappingProxyType({}),
) -> list[Column]:
    """The figures of classes and concepts, each read when it is asked for: `cells` takes what it wants of a stored matrix.

    `others` are columns that stand among them.

    Raises:
        StoreError: The model has no scores.
    """
    base = f"models/{model}/concepts/"

    @cache
    def read(name: str) -> Cells:
        return cells(store.dataset(base + name))

    def half(sign: int) -> Cells:
        return np.asarray(read("attribute_score") + sign * read("attribute_score_half"))

    made: dict[str, tuple[tuple[str, ...], Callable[[], Cells]]] = {
        "attribute_score_common": (
            ("attribute_score", "attribute_score_centred"),
            lambda: read("attribute_score") - read("attribute_score_centred"),
        ),
        "p": (("z",), lambda: np.array([math.erfc(abs(z) / math.sqrt(2)) for z in read("z").tolist()])),
        "significant": (("q",), lambda: np.where(read("q") < SIGNIFICANT, "*", "")),
    }
    ends: dict[str, Sequence[Source]] = {}
    if (only is None or "attribute_score" in only) and base + "attribute_score_half" in store:
        ends["attribute_score"] = [Loaded(length, _quiet(partial(half, sign))) for sign in (-1, 1)]
    columns: list[Column] = []
    for name, title in CONCEPTS:
        needed, load = made.get(name, ((name,), partial(read, name)))
        if name in others:
            columns.append(others[name])
        elif (only is None or name in only) and all(base + part in store for part in needed):
            known = FIELDS.get(f"models/{{model}}/concepts/{name}")
            told = (known.unit, known.description) if known else COMPUTED[name]
            columns += bounded(Column(name, title, *told, Values(Loaded(length, _quiet(load)))), ends)
    if only is None and len(columns) == len(others):
        raise store_error(f"{model} has no concept shifts: its head has no null space")
    return columns


def _quiet(load: Callable[[], Cells]) -> Callable[[], Cells]:
    """The same without warnings: a file may hold any number."""

    def quiet() -> Cells:
        with np.errstate(all="ignore"):
            return load()

    return quiet
