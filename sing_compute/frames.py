"""Results as pandas DataFrames, for notebooks. The tables are those of the explorer and of its CSV export."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sing_compute.store import Column, Store, Table, class_table, concept_table, image_table, model_table, models_beside
from sing_compute.store.text import clean


class Results:
    """A results file. Every table is a DataFrame whose columns are described in `attrs`: {column: "unit: description"}.

    Texts are without control, direction and invisible characters, as on the screen, so that printing a table from a stranger
    is safe; `store.array(PATH)` gives them as they stand in the file.
    """

    def __init__(self, path: str | Path) -> None:
        self._store = Store(path)

    def __repr__(self) -> str:
        return f"Results({str(self._store.path)!r}: {', '.join(self._store.models)})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the file; tables already made stay valid."""
        self._store.close()

    @property
    def store(self) -> Store:
        """The file itself, for every array that the tables leave out."""
        return self._store

    @property
    def models(self) -> pd.DataFrame:
        """One row per model, by name."""
        return _frame(model_table(self._store), "model")

    def classes(self, model: str | None = None, *, subset: str = "all") -> pd.DataFrame:
        """One row per class with images in the subset, by class index.

        Raises:
            StoreError: No such model or subset.
        """
        return _frame(class_table(self._store, self._store.model(model), subset), "index")

    def concepts(self, class_: str | int, model: str | None = None) -> pd.DataFrame:
        """One row per concept for one class, by concept name.

        Raises:
            StoreError: No such model or class, or the model has no scores.
        """
        return _frame(concept_table(self._store, self._store.model(model), self._store.find_class(class_)), "concept")

    def images(self, class_: str | int | None = None, model: str | None = None) -> pd.DataFrame:
        """One row per image of a class (None: of all), by image key.

        Raises:
            StoreError: No such model or class.
        """
        index = None if class_ is None else self._store.find_class(class_)
        return _frame(image_table(self._store, self._store.model(model), index), "image")

    def beside(
        self,
        measure: str,
        *,
        by: Literal["classes", "concepts", "images"] = "classes",
        class_: str | int | None = None,
        models: Sequence[str] | None = None,
    ) -> pd.DataFrame:
        """One column of a table for several models (None: all), differences to the first and changes of rank.

        Raises:
            StoreError: Fewer than two models, no such model, class or column, or a model without it.
        """
        store, index = self._store, None if class_ is None else self._store.find_class(class_)
        table = models_beside(store, by, measure, store.models if models is None else models, class_index=index)
        return _frame(table, {"classes": "index", "concepts": "concept", "images": "image"}[by])

    def provenance(self, model: str | None = None) -> dict[str, Any]:
        """Where the numbers of a model come from: tag, weights, versions, settings, command."""
        found = self._store.attributes(f"models/{self._store.model(model)}")
        return {clean(name): clean(value) if isinstance(value, str) else value for name, value in found.items()}


load: Callable[[str | Path], Results] = Results


def _frame(table: Table, index: str) -> pd.DataFrame:
    frame = pd.DataFrame({column.name: _cells(column) for column in table.columns}).set_index(index)
    frame.attrs |= {column.name: f"{column.unit}: {column.description}" for column in table.columns}
    return frame


def _cells(column: Column) -> NDArray[Any]:
    values = column.values
    if not column.is_text:
        return values.all()
    if values.names is not None:
        return replace(values, names=_harmless(values.names)).all()
    return _harmless(values.all())


def _harmless(texts: NDArray[Any]) -> NDArray[Any]:
    return np.array([clean(text) for text in texts.tolist()], dtype=object)
