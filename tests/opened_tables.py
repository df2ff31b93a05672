"""Tables that many tests open, by what they show."""

from collections.abc import Sequence
from dataclasses import replace

from sing_compute.store import Comparison, Place, Store, Table, open_table


def at(
    store: Store, table: str, model: str | None = None, class_index: int | None = None, subset: str = "all"
) -> Place:
    """A place of one of SING's tables."""
    position = store.find("subset", subset) if table == "classes" else None
    return Place(table).at(model=model, subset=position, **{"class": class_index})


def compare_models(
    store: Store,
    table: str,
    measure: str,
    models: Sequence[str],
    *,
    class_index: int | None = None,
    subset: str = "all",
) -> Table:
    place = at(store, table, models[0] if models else None, class_index, subset)
    return open_table(store, replace(place, comparison=Comparison("model", tuple(models), measure)))


def compare_classes(store: Store, model: str, measure: str, classes: Sequence[int]) -> Table:
    place = at(store, "concepts", model, classes[0])
    return open_table(store, replace(place, comparison=Comparison("class", tuple(classes), measure)))


def compare_figures(store: Store, models: Sequence[str]) -> Table:
    return open_table(store, Place("models", comparison=Comparison("model", tuple(models), "")))


def class_across_models(store: Store, class_index: int, subset: str = "all") -> Table:
    return open_table(store, replace(at(store, "classes", None, class_index, subset), along="model"))


def concept_across_classes(store: Store, model: str, concept: int) -> Table:
    return open_table(store, Place("concepts", along="class").at(model=model, concept=concept))
