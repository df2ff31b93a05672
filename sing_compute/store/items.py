"""Items of axes: on which axis the rows of a place are, and which item of an axis a row belongs to."""

import numpy as np

from sing_compute.errors import SingError
from sing_compute.store import Store, catalogue
from sing_compute.store.place import Key, Place


def row_axis(place: Place) -> str:
    """Return the axis whose items are the rows of the plain table at a place."""
    return place.along or catalogue.table(place.table).rows


def key_of(store: Store, axis: str, identity: Key, place: Place) -> Key:
    """Return an item as places name it: by its name on a group axis, by its position on others.

    Args:
        store: The results file.
        axis: Name of the axis.
        identity: Name or position of the item.
        place: Names the items of group axes that the axis depends on.

    Returns:
        The item's key.

    Raises:
        SingError: The axis has no such item.
    """
    names = store.items(axis) if catalogue.axis(axis).group else None
    count = store.count(axis, place) if names is None else len(names)
    found = names is not None and identity in names if isinstance(identity, str) else 0 <= identity < count
    if not found:
        raise SingError(f"{store.path.name} has no row {identity} among its {store.noun.words(catalogue.plural(axis))}")
    return identity if names is None or isinstance(identity, str) else names[identity]


def item_at(store: Store, place: Place, row: Key | None, axis: str) -> Key | None:
    """Return the item of an axis that a row belongs to.

    Args:
        store: The results file.
        place: The table of the row.
        row: The row's own item; None for no row.
        axis: Name of the axis.

    Returns:
        The row's own item, or the one that the place names, or the one that owns the row's item; None where there is none.

    Raises:
        SingError: The file does not say which items own which.
    """
    rows = row_axis(place)
    if axis == rows and row is not None:
        return row
    named = place.key(axis)
    if named is None and isinstance(row, int) and catalogue.axis(rows).parent == axis:
        return owner(store, rows, row, place)
    return named


def owner(store: Store, axis: str, position: int, place: Place) -> int:
    """Return the position of the item that owns an item: the class of an image.

    Args:
        store: The results file.
        axis: Name of the axis of the owned item; it has a parent.
        position: Position of the owned item.
        place: Names the items of group axes that the axis depends on.

    Returns:
        The owner's position on the parent axis.

    Raises:
        SingError: The file does not say it.
    """
    return int(np.searchsorted(store.runs(axis, place), position, side="right")) - 1
