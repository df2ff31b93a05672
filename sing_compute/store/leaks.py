"""Find the class of a model that leaks most, and the concept by which it does."""

from dataclasses import dataclass

import numpy as np

from sing_compute.store.place import Place
from sing_compute.store.read import Store
from sing_compute.store.tables import open_table


@dataclass(frozen=True, slots=True)
class Leak:
    """The class with the largest leak, as the columns `leak`, `by` and `*` of the classes have it."""

    name: str
    concept: str
    size: float
    """Degrees."""
    significant: bool


def largest_leak(store: Store, model: str) -> Leak | None:
    """Return the class of a model that leaks most; None where the file does not say it.

    Args:
        store: The results file.
        model: Name of the model.
    """
    names = ("class", "leak", "leak_concept", "leak_significant")
    table = open_table(store, Place.of("classes", model=model), only=names)
    columns = {column.name: column.values for column in table.columns}
    if "leak" not in columns:
        return None
    sizes = columns["leak"].all()
    if not np.isfinite(sizes).any():
        return None
    row = np.array([np.nanargmax(sizes)])
    name, concept = (str(columns[key].take(row)[0]) for key in ("class", "leak_concept"))
    marks = columns.get("leak_significant")
    return Leak(name, concept, float(sizes[row[0]]), marks is not None and marks.take(row)[0] == "*")
