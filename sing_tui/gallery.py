"""The paper's pictures, one a key: which there are, and the one that is asked for of what stands under the cursor."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sing_compute.errors import SingError
from sing_compute.store import Store
from sing_tui.exhibits.classes import class_parts, distributions, strings
from sing_tui.exhibits.models import model_parts, ratios, scatter, spectrum, validation
from sing_tui.exhibits.subject import Shown, Subject
from sing_tui.formats import UNICODE, Glyphs
from sing_tui.place import Place

__all__ = ["EXHIBITS", "Exhibit", "Shown", "exhibit"]


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One picture: its key, its name in one word, and what it shows."""

    key: str
    name: str
    title: str


EXHIBITS = (
    Exhibit("1", "scatter", "AS and IS of images, an ellipse for each model"),
    Exhibit("2", "ratios", "IS over |AS| of every model, with 95 % intervals"),
    Exhibit("3", "distributions", "AS and IS of each class"),
    Exhibit("4", "strings", "angle to each concept, before and after"),
    Exhibit("5", "validation", "what perturbations of one length do to the logits"),
    Exhibit("6", "spectrum", "singular values of the head and of the null space"),
    Exhibit("7", "parts", "common and image-specific part of the null space"),
)


def exhibit(store: Store, place: Place, name: str, *, identity: int | None, glyphs: Glyphs = UNICODE) -> Shown:
    """The picture of that name for what stands under the cursor: `identity` is its model, class, concept or image index.

    Raises:
        SingError: There is no such picture or row, or the file lacks what the picture shows.
    """
    if name not in _DRAWN:
        raise SingError(f"no picture {name!r}; there are: {', '.join(_DRAWN)}")
    about = _subject(store, place, identity, glyphs)
    with np.errstate(all="ignore"):
        return _DRAWN[name](about)


def _subject(store: Store, place: Place, identity: int | None, glyphs: Glyphs) -> Subject:
    lengths: dict[str, Callable[[], int]] = {
        "models": lambda: len(store.models),
        "classes": lambda: len(store.class_names),
        "concepts": lambda: len(store.concept_names),
        "images": lambda: int(store.offsets[-1]),
    }
    if identity is not None and not 0 <= identity < lengths[place.level]():
        raise SingError(f"{store.path.name} has no row {identity} among its {place.level}")
    if place.level == "models":
        return Subject(
            store, store.model(place.model or None if identity is None else store.models[identity]), None, None, glyphs
        )
    class_index = identity if place.level == "classes" else place.class_index
    if class_index is None and place.level == "images" and identity is not None:
        class_index = int(np.searchsorted(store.offsets, identity, side="right")) - 1
    if class_index is not None and class_index >= len(store.class_names):
        raise SingError(f"{store.path.name} has no class {class_index}")
    return Subject(
        store, store.model(place.model or None), class_index, identity if place.level == "concepts" else None, glyphs
    )


def _parts(about: Subject) -> Shown:
    return model_parts(about) if about.class_index is None else class_parts(about, about.class_index)


_DRAWN: dict[str, Callable[[Subject], Shown]] = {
    "scatter": scatter,
    "ratios": ratios,
    "distributions": distributions,
    "strings": strings,
    "validation": validation,
    "spectrum": spectrum,
    "parts": _parts,
}
