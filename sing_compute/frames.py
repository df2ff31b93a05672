"""Read results as pandas DataFrames, for notebooks. The tables are those of the explorer and of its CSV export."""

import shutil
import tempfile
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sing_compute.atomic_write import followed
from sing_compute.store import Column, Comparison, Place, Store, Table, catalogue, open_table
from sing_compute.store.place import Key
from sing_compute.store.text import clean, store_error
from sing_compute.store.write import check_results_name


class Results:
    """A results file. Every table is a DataFrame whose columns are described in `attrs`: {column: "unit: description"}.

    Texts are without control, direction and invisible characters, as on the screen, so that printing a table from a stranger
    is safe; `store.array(PATH)` gives the unchanged texts of the file.
    """

    def __init__(self, path: str | Path) -> None:
        self._store = Store(path)
        self._discard: Callable[[], object] | None = None

    @classmethod
    def temporary(cls, path: Path) -> Self:
        """Open a file in a folder of its own, which is deleted when the results are closed or no longer used.

        Args:
            path: The file.
        """
        results = cls(path)
        results._discard = weakref.finalize(results, shutil.rmtree, path.parent, ignore_errors=True)
        return results

    def __repr__(self) -> str:
        place = repr(str(self._store.path)) if self._discard is None else "in a temporary file"
        return f"Results({place}: {', '.join(self._store.models)})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; tables that were made before stay valid. A temporary file is deleted."""
        self._store.close()
        if self._discard is not None:
            self._discard()

    def save(self, path: str | Path) -> Path:
        """Copy the file, so that a temporary one is kept, or opened with `sing-tui`.

        Args:
            path: The new file; a results file of this name is replaced.

        Returns:
            The new file.

        Raises:
            StoreError: The file cannot be written.
        """
        target = followed(Path(path))
        try:
            check_results_name(target)
            with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as folder:
                copy = Path(shutil.copyfile(self._store.path, Path(folder) / target.name))
                copy.replace(target)
        except OSError as error:
            raise store_error(
                f"{target} cannot be written ({error.strerror or error}); choose another place"
            ) from error
        return target

    @property
    def store(self) -> Store:
        """The open file, for arrays that are in no table."""
        return self._store

    @property
    def tables(self) -> list[str]:
        """Names of the tables that this file holds."""
        return [spec.name for spec in catalogue.tables(self._store)]

    def table(self, name: str, *, along: str = "", **items: str | int | None) -> pd.DataFrame:
        """Return any table of the file; its index is the column that names the rows.

        Args:
            name: One of `tables`.
            along: Show one row of that table, once for each item of this axis.
            items: The items whose table it is, by axis: a model's name, a class by name, index or WordNet id.

        Raises:
            StoreError: The file holds no such table or item.
        """
        place = self._place(name, along, items)
        table = open_table(self._store, place)
        return _frame(table, table.columns[0].name)

    def compare(
        self,
        name: str,
        axis: str,
        measure: str = "",
        *,
        of: Sequence[str | int] | None = None,
        **items: str | int | None,
    ) -> pd.DataFrame:
        """Return one column of a table for several items of an axis, differences to the first and changes of rank.

        Args:
            name: One of `tables`.
            axis: The axis whose items are compared, as a rule `model`.
            measure: The column; the table's own if not given.
            of: The items; all if not given.
            items: The items of other axes whose table it is, by axis.

        Raises:
            StoreError: Fewer than two items, an unknown one, no such table or column, or an item without it.
        """
        return _frame(*self._comparison(name, axis, measure, of, items))

    @property
    def models(self) -> pd.DataFrame:
        """Table with one row per model, by name."""
        return self.table("models")

    def classes(self, model: str | None = None, *, subset: str = "all") -> pd.DataFrame:
        """Return one row per class with images in the subset, by class index.

        Args:
            model: Name of the model; None for the first.
            subset: `all`, `right`, `wrong`, or `group:NAME`.

        Raises:
            StoreError: No such model or subset.
        """
        place = self._place("classes", "", {"model": model, "subset": subset})
        return _frame(open_table(self._store, place), "index")

    def concepts(self, class_: str | int, model: str | None = None) -> pd.DataFrame:
        """Return one row per concept for one class, by concept name.

        Args:
            class_: Name, index or WordNet id of the class.
            model: Name of the model; None for the first.

        Raises:
            StoreError: No such model or class, or the model has no scores.
        """
        place = self._place("concepts", "", {"model": model, "class": class_})
        return _frame(open_table(self._store, place), "concept")

    def images(self, class_: str | int | None = None, model: str | None = None) -> pd.DataFrame:
        """Return one row per image, by image key.

        Args:
            class_: Name, index or WordNet id of a class; None for the images of all classes.
            model: Name of the model; None for the first.

        Raises:
            StoreError: No such model or class.
        """
        place = self._place("images", "", {"model": model, "class": class_})
        return _frame(open_table(self._store, place), "image")

    def beside(
        self,
        measure: str,
        *,
        by: Literal["classes", "concepts", "images"] = "classes",
        class_: str | int | None = None,
        models: Sequence[str] | None = None,
    ) -> pd.DataFrame:
        """Return one column of a table for several models, as `compare` does; classes by their index.

        Args:
            measure: The column.
            by: Name of the table.
            class_: Name, index or WordNet id of the class, for tables of one class.
            models: Names of the models; None for all.

        Raises:
            StoreError: Fewer than two models, no such model, class or column, or a model without it.
        """
        table, label = self._comparison(by, "model", measure, models, {"class": class_})
        return _frame(table, "index" if by == "classes" else label)

    def _comparison(
        self, name: str, axis: str, measure: str, of: Sequence[str | int] | None, items: Mapping[str, str | int | None]
    ) -> tuple[Table, str]:
        spec, store = catalogue.table(name), self._store
        here = self._place(name, "", {other: item for other, item in items.items() if other != axis})
        group = catalogue.axis(axis).group
        every: Sequence[str | int] = store.members(axis) if group else range(store.count(axis, here))
        wanted = tuple(store.find(axis, item, here) for item in (every if of is None else of))
        if not wanted:
            raise store_error(f"at least two {store.noun.words(catalogue.plural(axis))} are needed for a comparison")
        place = self._place(name, "", {**items, **({axis: wanted[0]} if axis in spec.within else {})})
        figures = spec.rows == axis
        comparison = Comparison(axis, wanted, "" if figures else measure or spec.measure)
        table = open_table(store, replace(place, comparison=comparison))
        return table, table.columns[0].name

    def _place(self, name: str, along: str, items: Mapping[str, str | int | None]) -> Place:
        """Return the place of a table; the first item of a group axis where none is given."""
        spec, store = catalogue.table(name), self._store
        wanted = [axis for axis, item in items.items() if item is not None]
        owners = [owner for axis in wanted for owner in catalogue.axis(axis).owners]
        found: dict[str, Key] = {}
        for axis in sorted(dict.fromkeys((*wanted, *owners, *spec.within)), key=lambda a: not catalogue.axis(a).group):
            if (item := items.get(axis)) is not None:
                found[axis] = store.find(axis, item, Place(name).at(**found))
            elif axis != along and catalogue.axis(axis).group and store.members(axis):
                found[axis] = store.members(axis)[0]
        return Place(name, tuple(found.items()), along)

    def provenance(self, model: str | None = None) -> dict[str, Any]:
        """Return the provenance of a model's numbers: tag, weights, versions, settings, command."""
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
