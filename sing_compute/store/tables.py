"""The tables people read: the screen, CSV export and DataFrames all open them here."""

from collections.abc import Collection

from sing_compute.store.columns import Table
from sing_compute.store.comparison import comparison_table
from sing_compute.store.place import Place
from sing_compute.store.read import Store
from sing_compute.store.table_building import plain_table


def open_table(store: Store, place: Place, *, only: Collection[str] | None = None) -> Table:
    """Open the table at a place; no column of many rows is read before it is asked for.

    Args:
        store: The results file.
        place: The table, its items, and what is compared there.
        only: Of the columns beside names and positions, these alone (not for comparisons).

    Raises:
        StoreError: The file does not hold it.
    """
    return plain_table(store, place, only=only) if place.comparison is None else comparison_table(store, place)


def model_table(store: Store) -> Table:
    """One row per model: its summary figures, most wanted first."""
    return open_table(store, Place("models"))


def class_table(store: Store, model: str, subset: str = "all") -> Table:
    """One row per class with images in the subset. Controls are of all images of a class.

    Raises:
        StoreError: No such model or subset.
    """
    place = Place("classes").at(model=store.model(model), subset=store.find("subset", subset))
    return open_table(store, place)


def concept_table(store: Store, model: str, class_index: int) -> Table:
    """One row per concept: how the removal of the null part moves the images of one class.

    Raises:
        StoreError: No such model or class, or the model has no scores.
    """
    return open_table(store, Place("concepts").at(model=store.model(model), **{"class": class_index}))


def image_table(store: Store, model: str, class_index: int | None = None) -> Table:
    """One row per image of a class, or of the whole file for None.

    Raises:
        StoreError: No such model or class.
    """
    return open_table(store, Place("images").at(model=store.model(model), **{"class": class_index}))
