"""Where the user is in a file, and which table stands there. No Textual: the headless twin uses it too."""

from dataclasses import dataclass, replace

import numpy as np

from sing_compute.errors import SingError
from sing_compute.store import (
    Store,
    Table,
    class_across_models,
    class_table,
    classes_beside,
    concept_across_classes,
    concept_table,
    figures_beside,
    image_table,
    model_table,
    models_beside,
)
from sing_tui.start import Level, Wish
from sing_tui.view import Arrangement, column_named

FIRST_ARRANGEMENT: dict[Level, Arrangement] = {
    "models": Arrangement(),
    "classes": Arrangement(),
    "concepts": Arrangement(sort="attribute_score_abs", descending=True),
    "images": Arrangement(sort="image_score", descending=True),
}
"""How the screen first shows a level; the headless twin keeps the order of the file unless told otherwise."""
MEASURE: dict[Level, str] = {
    "models": "",
    "classes": "image_score_q50",
    "concepts": "attribute_score",
    "images": "image_score",
}
"""What is compared where nothing else was chosen."""


@dataclass(frozen=True, slots=True)
class Beside:
    """What stands side by side: one column of a table for several models, or of concept tables for several classes.

    The first model (class) is what the others are compared with. At the level of models it is the figures that are the rows,
    and no measure is chosen.
    """

    measure: str = ""
    models: tuple[str, ...] = ()
    classes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """One table of the file: a level, and the model, class and subset it is about.

    Models of one class (`class_index` at the level of models) say how each model treats it; classes of one `concept` how far
    it moves each of them.
    """

    level: Level = "models"
    model: str = ""
    class_index: int | None = None
    subset: str = "all"
    concept: int | None = None
    beside: Beside | None = None

    def to(self, level: Level, *, model: str | None = None, class_index: int | None = None) -> "Place":
        """The plain table of another level in the same surroundings."""
        return Place(level, self.model if model is None else model, class_index, self.subset)

    @property
    def plain(self) -> "Place":
        """The same table with nothing beside it."""
        return replace(self, beside=None)


def find_place(store: Store, wish: Wish) -> Place:
    """The place a command line names.

    Raises:
        SingError: The file has no such model, class, concept or subset, or the options do not go together.
    """
    level = wish.table or _level(wish)
    if wish.class_name is not None and level == "classes":
        raise SingError("--class goes with --table models, concepts or images, not with classes")
    if wish.concept is not None and level != "classes":
        raise SingError(f"--concept goes with --table classes, not with {level}")
    if level == "concepts" and wish.class_name is None:
        raise SingError("--table concepts is about one class: add --class NAME")
    if wish.subset is not None and wish.subset not in store.subsets:
        raise SingError(f"no subset {wish.subset!r} in {store.path.name}; it holds: {', '.join(store.subsets)}")
    model = store.model(wish.model) if level != "models" or wish.model is not None else ""
    class_index = None if wish.class_name is None else store.find_class(wish.class_name)
    concept = None if wish.concept is None else find_concept(store, wish.concept)
    place = Place(level, model, class_index, wish.subset or "all", concept)
    if wish.compare is None and not wish.with_models and not wish.with_classes:
        return place
    beside = _beside(store, place, wish)
    return replace(place, model=place.model or beside.models[0], beside=beside)


def _level(wish: Wish) -> Level:
    if wish.class_name is not None:
        return "concepts"
    return "classes" if wish.model is not None or wish.concept is not None else "models"


def _beside(store: Store, place: Place, wish: Wish) -> Beside:
    if place.concept is not None or (place.level == "models" and place.class_index is not None):
        raise SingError("--compare needs a table of its own: leave out --concept, or --class with --table models")
    measure = MEASURE[place.level] if not wish.compare else column_named(open_table(store, place), wish.compare).name
    if wish.with_classes:
        if place.level != "concepts" or place.class_index is None or wish.with_models:
            raise SingError("--with-class compares the concepts of classes: add --class NAME, and no --with-model")
        return Beside(measure, classes=(place.class_index, *map(store.find_class, wish.with_classes)))
    first = place.model or store.model(None)
    others = tuple(store.model(name) for name in wish.with_models) or tuple(store.models)
    return Beside(measure, (first, *(name for name in dict.fromkeys(others) if name != first)))


def find_concept(store: Store, wanted: str) -> int:
    """Index of a concept given by name (without regard to case) or index.

    Raises:
        SingError: Nothing goes by that name.
    """
    names = [str(name).casefold() for name in store.concept_names]
    text = wanted.strip().casefold()
    if text in names:
        return names.index(text)
    if text.isdecimal() and len(text) < 19 and int(text) < len(names):
        return int(text)
    near = [str(store.concept_names[k]) for k, name in enumerate(names) if text in name][:5]
    raise SingError(f"no concept {wanted!r} in {store.path.name}{'; near: ' + ', '.join(near) if near else ''}")


def open_table(store: Store, place: Place) -> Table:
    """The table at a place; building it reads no image column.

    Raises:
        StoreError: The file does not hold it.
    """
    if place.class_index is not None and place.class_index >= len(store.class_names):
        raise SingError(f"{store.path.name} has no class {place.class_index}")
    if place.beside is not None:
        return _side_by_side(store, place, place.beside)
    if place.level == "models":
        if place.class_index is None:
            return model_table(store)
        return class_across_models(store, place.class_index, place.subset)
    if place.level == "classes":
        if place.concept is not None:
            return concept_across_classes(store, place.model, place.concept)
        return class_table(store, place.model, place.subset)
    if place.level == "concepts":
        if place.class_index is None:
            raise SingError("concepts are shown for one class: open one first")
        if store.offsets[place.class_index] == store.offsets[place.class_index + 1]:
            raise SingError(
                f"no image of {store.class_names[place.class_index]} was measured, so its concepts have no shift"
            )
        return concept_table(store, place.model, place.class_index)
    return image_table(store, place.model, place.class_index)


def _side_by_side(store: Store, place: Place, beside: Beside) -> Table:
    if len(beside.models) < 2 and len(beside.classes) < 2:
        raise SingError("one alone cannot be compared: this file holds one model")
    if beside.classes:
        return classes_beside(store, place.model, beside.measure, beside.classes)
    if place.level == "models":
        return figures_beside(store, beside.models)
    return models_beside(
        store, place.level, beside.measure, beside.models, class_index=place.class_index, subset=place.subset
    )


def class_title(store: Store, index: int) -> str:
    """The name of a class; - where the file does not say it (any more)."""
    return _title(store, "class_names", index)


def concept_title(store: Store, index: int) -> str:
    """The name of a concept; - where the file does not say it (any more)."""
    return _title(store, "concept_names", index)


def _title(store: Store, names: str, index: int) -> str:
    try:
        known = getattr(store, names)
        return str(known[index]) if index < len(known) else "-"
    except SingError:
        return "-"


def measured_classes(store: Store) -> list[int]:
    """Classes that have images, in logit order."""
    return [int(c) for c in np.flatnonzero(np.diff(store.offsets))]
