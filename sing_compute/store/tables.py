"""Open the tables that people read: screen, CSV export and DataFrames all use this module."""

from collections.abc import Collection

from sing_compute.store.columns import Table
from sing_compute.store.comparison import comparison_table
from sing_compute.store.place import Place
from sing_compute.store.read import Store
from sing_compute.store.table_building import plain_table


def open_table(store: Store, place: Place, *, only: Collection[str] | None = None) -> Table:
    """Open the table at a place; a column of many rows is read only when it is used.

    Args:
        store: The results file.
        place: The table, its items, and perhaps a comparison.
        only: Names of the columns to open in addition to names and positions; None for all. Not for comparisons.

    Raises:
        StoreError: The file does not hold it.
    """
    return plain_table(store, place, only=only) if place.comparison is None else comparison_table(store, place)


def model_table(store: Store) -> Table:
    """Open the table with one row per model: its summary figures, the most important first."""
    return open_table(store, Place("models"))


def class_table(store: Store, model: str, subset: str = "all") -> Table:
    """Open the table with one row per class that has images in the subset. Controls are of all images of a class.

    Args:
        store: The results file.
        model: Name of the model.
        subset: Name of the subset.

    Raises:
        StoreError: No such model or subset.
    """
    place = Place("classes").at(model=store.model(model), subset=store.find("subset", subset))
    return open_table(store, place)


def concept_table(store: Store, model: str, class_index: int) -> Table:
    """Open the table with one row per concept: its angles to the images of one class before and after the removal.

    Args:
        store: The results file.
        model: Name of the model.
        class_index: Index of the class.

    Raises:
        StoreError: No such model or class, or the model has no scores.
    """
    return open_table(store, Place("concepts").at(model=store.model(model), **{"class": class_index}))


def image_table(store: Store, model: str, class_index: int | None = None) -> Table:
    """Open the table with one row per image of a class, or of the whole file for None.

    Args:
        store: The results file.
        model: Name of the model.
        class_index: Index of the class; None for all classes.

    Raises:
        StoreError: No such model or class.
    """
    return open_table(store, Place("images").at(model=store.model(model), **{"class": class_index}))
