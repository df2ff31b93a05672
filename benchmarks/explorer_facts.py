"""Compute with numpy alone what the explorer must show of a store; a measurement ends when it is on the screen."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sing_compute.errors import SingError
from sing_compute.store import Store, concept_table, image_table

_PLAIN = re.compile(r"[A-Za-z0-9_.\-]+")


@dataclass(frozen=True, slots=True)
class Facts:
    """The first model with image scores, the first classes with images, and the columns of the image table."""

    path: Path
    models: tuple[str, ...]
    model: str
    classes: tuple[int, ...]
    images: int
    columns: tuple[str, ...]

    def values(self, column: str, class_index: int | None = None) -> NDArray[np.floating]:
        """Return a column of the image table, of all images or those of a class."""
        with Store(self.path) as store:
            return np.asarray(image_table(store, self.model, class_index).column(column).values.all())

    def order(self, column: str, descending: bool, class_index: int | None = None) -> NDArray[np.int64]:
        """Return the rows of the image table in the order of a stable sort; NaN last."""
        values = self.values(column, class_index)
        return np.argsort(-values if descending else values, kind="stable")

    def image(self, row: int, class_index: int | None = None) -> str:
        """Return the plain end of an image's key, which a narrow column still shows."""
        with Store(self.path) as store:
            key = str(image_table(store, self.model, class_index).columns[0].values.take(np.array([row]))[0])
        found = _PLAIN.findall(key)
        if not found or not key.endswith(found[-1]):
            raise SingError(f"the end of the image key {key!r} cannot be looked for on a screen")
        return str(found[-1][-12:])

    def images_around(self, order: NDArray[np.int64], row: int, class_index: int | None = None) -> list[str]:
        """Return the images on the lines before and after that of `row`, which are visible if the cursor stays on it."""
        return [self.image(near, class_index) for near in _around(order, row)]

    def concepts_around(self, class_index: int, row: int | None = None) -> list[str]:
        """Return the concepts before and after that of `row` (None: the first) of a class by descending |AS|, if plain."""
        with Store(self.path) as store:
            order = self.concept_order(class_index)
            names = concept_table(store, self.model, class_index).columns[0].values
            near = _around(order, int(order[0]) if row is None else row)
            found = [re.match(r"[A-Za-z0-9_.\- ]+", str(name)) for name in names.take(np.array(near))]
        return [text.group()[:16].strip() for text in found if text]

    def concept_order(self, class_index: int) -> NDArray[np.int64]:
        """Return the concepts of a class by descending |AS|."""
        with Store(self.path) as store:
            values = concept_table(store, self.model, class_index).column("attribute_score_abs").values.all()
        return np.argsort(-values, kind="stable")


def facts_of(path: Path, *, classes: int = 20) -> Facts:
    """Read the facts of a store.

    Raises:
        SingError: The store has no image scores.
    """
    with Store(path) as store:
        models = tuple(store.models)
        for model in models:
            table = image_table(store, model, None)
            if "image_score" in (names := tuple(column.name for column in table.columns)):
                break
        else:
            raise SingError(f"no model of {path.name} has image scores: nothing to sort by")
        known = np.flatnonzero(np.diff(store.offsets) > 0)
        return Facts(path, models, model, tuple(int(c) for c in known[:classes]), table.length, names)


def _around(order: NDArray[np.int64], row: int) -> list[int]:
    line = int((order == row).argmax())
    return [int(order[k]) for k in (line - 1, line + 1) if 0 <= k < len(order)]
