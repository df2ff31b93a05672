"""Where the user is in a file, and which table stands there. No Textual: the headless twin uses it too."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from sing_compute.errors import SingError
from sing_compute.store import Store, Table, class_table, concept_table, image_table, model_table
from sing_tui.view import Arrangement

Level = Literal["models", "classes", "concepts", "images"]
LEVELS: tuple[Level, ...] = ("models", "classes", "concepts", "images")

FIRST_ARRANGEMENT: dict[Level, Arrangement] = {
    "models": Arrangement(),
    "classes": Arrangement(),
    "concepts": Arrangement(sort="attribute_score_abs", descending=True),
    "images": Arrangement(sort="image_score", descending=True),
}
"""How the screen first shows a level; the headless twin keeps the order of the file unless told otherwise."""


@dataclass(frozen=True, slots=True)
class Place:
    """One table of the file: a level, and the model, class and subset it is about."""

    level: Level = "models"
    model: str = ""
    class_index: int | None = None
    subset: str = "all"

    def to(self, level: Level, *, model: str | None = None, class_index: int | None = None) -> "Place":
        """The same surroundings at another level."""
        return replace(self, level=level, model=self.model if model is None else model, class_index=class_index)


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command line asked for, not yet looked up in a file."""

    table: Level | None = None
    model: str | None = None
    class_name: str | None = None
    subset: str | None = None


def find_place(store: Store, wish: Wish) -> Place:
    """The place a command line names.

    Raises:
        SingError: The file has no such model, class or subset, or the options do not go together.
    """
    level = wish.table or (
        "concepts" if wish.class_name is not None else "classes" if wish.model is not None else "models"
    )
    if wish.class_name is not None and level in ("models", "classes"):
        raise SingError(f"--class goes with --table concepts or --table images, not with {level}")
    if level == "concepts" and wish.class_name is None:
        raise SingError("--table concepts is about one class: add --class NAME")
    if wish.subset is not None and wish.subset not in store.subsets:
        raise SingError(f"no subset {wish.subset!r} in {store.path.name}; it holds: {', '.join(store.subsets)}")
    model = store.model(wish.model) if level != "models" or wish.model is not None else ""
    class_index = None if wish.class_name is None else store.find_class(wish.class_name)
    return Place(level, model, class_index, wish.subset or "all")


def open_table(store: Store, place: Place) -> Table:
    """The table at a place; building it reads no image column.

    Raises:
        StoreError: The file does not hold it.
    """
    if place.level == "models":
        return model_table(store)
    if place.level == "classes":
        return class_table(store, place.model, place.subset)
    if place.class_index is not None and place.class_index >= len(store.class_names):
        raise SingError(f"{store.path.name} has no class {place.class_index}")
    if place.level == "concepts":
        if place.class_index is None:
            raise SingError("concepts are shown for one class: open one first")
        if store.offsets[place.class_index] == store.offsets[place.class_index + 1]:
            raise SingError(
                f"no image of {store.class_names[place.class_index]} was measured, so its concepts have no shift"
            )
        return concept_table(store, place.model, place.class_index)
    return image_table(store, place.model, place.class_index)


def class_title(store: Store, index: int) -> str:
    """The name of a class; - where the file does not say it (any more)."""
    try:
        return str(store.class_names[index]) if index < len(store.class_names) else "-"
    except SingError:
        return "-"


def measured_classes(store: Store) -> list[int]:
    """Classes that have images, in logit order."""
    return [int(c) for c in np.flatnonzero(np.diff(store.offsets))]
