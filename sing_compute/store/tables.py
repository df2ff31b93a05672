"""The tables people read: models, classes, concepts of a class, images. The screen, CSV export and DataFrames all draw them.

A table is a list of columns over lazily read values; building one reads no image column.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sing_compute.errors import StoreError
from sing_compute.store.gate import Stored
from sing_compute.store.read import Store
from sing_compute.store.schema import FIELDS, RANKED
from sing_compute.store.text import store_error

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Values:
    """A run of stored or computed values, read by row; `names` turns stored indices into text, others into the empty text."""

    source: NDArray[Any] | Stored
    start: int = 0
    stop: int | None = None
    names: NDArray[Any] | None = None
    part: int | None = None
    """Which column of a two-axis dataset."""

    def __len__(self) -> int:
        return (len(self.source) if self.stop is None else self.stop) - self.start

    def take(self, rows: Rows) -> NDArray[Any]:
        """The values at these rows, in the order asked for."""
        return self._finish(self._read(rows + self.start))

    def all(self) -> NDArray[Any]:
        """Every value."""
        return self._finish(self._read(slice(self.start, self.start + len(self))))

    def codes(self) -> NDArray[Any]:
        """Every stored index into `names`; -1 for those that no name belongs to."""
        return self._known(self._read(slice(self.start, self.start + len(self))))

    def _read(self, rows: Any) -> NDArray[Any]:
        return np.asarray(self.source[rows] if self.part is None else self.source[rows, self.part])

    def _known(self, raw: NDArray[Any]) -> NDArray[Any]:
        return raw if self.names is None else np.where((raw >= 0) & (raw < len(self.names)), raw, -1)

    def _finish(self, raw: NDArray[Any]) -> NDArray[Any]:
        if self.names is None:
            return raw
        known, names = self._known(raw), self.names
        if len(raw) < len(names):
            return np.where(known >= 0, names[known], "").astype(object)
        return np.asarray(np.append(names.astype(object), "")[known])  # by reference: a long name costs its length once


@dataclass(frozen=True, slots=True)
class Column:
    """One column: `name` heads a CSV or DataFrame, `title` the screen; numbers carry their unit."""

    name: str
    title: str
    unit: str
    description: str
    values: Values

    @property
    def is_text(self) -> bool:
        """Whether the cells are text."""
        return self.unit == "text"


@dataclass(frozen=True, slots=True)
class Table:
    """Columns of equal length. `ids` is what each row stands for: a class, concept or image index (None: the row number)."""

    kind: str
    columns: Sequence[Column]
    length: int
    ids: Rows | None = None
    rankings: dict[str, Stored] = field(default_factory=dict)
    """Stored orders (rising) of whole image tables, by column name."""

    def column(self, name: str) -> Column:
        """The column of that name.

        Raises:
            StoreError: There is none; the message lists those there are.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise StoreError(f"no column {name!r}; this table has: {', '.join(c.name for c in self.columns)}")


def model_table(store: Store) -> Table:
    """One row per model: the summary figures, most wanted first. A figure that a model lacks is NaN (or absent throughout)."""
    summaries = [store.summary(model) for model in store.models]
    columns = [_text("model", "model", "model of this file", np.array(store.models, dtype=np.str_))]
    for name, title in _MODEL_COLUMNS:
        if any(name in summary for summary in summaries):
            known = FIELDS[f"models/{{model}}/summary/{name}"]
            whole = known.dtype == "int64" and all(name in summary for summary in summaries)
            cells = np.array(
                [summary.get(name, np.nan) for summary in summaries], dtype=np.int64 if whole else np.float64
            )
            columns.append(Column(name, title, known.unit, known.description, Values(cells)))
    return Table("models", columns, len(summaries))


def class_table(store: Store, model: str, subset: str = "all", *, empty: bool = False) -> Table:
    """One row per class with images in the subset (`empty=True`: every class).

    Raises:
        StoreError: No such model or subset.
    """
    model = store.model(model)
    if subset not in store.subsets:
        raise store_error(f"no subset {subset!r} in {store.path.name}; it holds: {', '.join(store.subsets)}")
    row = store.subsets.index(subset)
    base = f"models/{model}/classes/"
    counts = store.dataset(base + "count")[row]
    ids = np.arange(len(counts)) if empty else np.flatnonzero(counts)
    columns = [
        _text("class", "class", FIELDS["classes/name"].description, store.class_names[ids]),
        Column("index", "index", "index", "position in the model's output", Values(ids)),
    ]
    if "classes/wnid" in store:
        columns.append(_text("wnid", "wnid", FIELDS["classes/wnid"].description, store.array("classes/wnid")[ids]))
    for name, title in _CLASS_COLUMNS:
        if base + name in store:
            known = FIELDS[f"models/{{model}}/classes/{name}"]
            cells = store.dataset(base + name)[row][ids]
            columns.append(Column(name, title, known.unit, known.description, Values(cells)))
    return Table("classes", columns, len(ids), ids)


def concept_table(store: Store, model: str, class_index: int) -> Table:
    """One row per concept: how the removal of the null part moves the images of one class.

    Raises:
        StoreError: No such model or class, or the model has no scores.
    """
    model = store.model(model)
    base = f"models/{model}/concepts/"
    matrix = {name: store.dataset(base + name)[class_index] for name, _ in _CONCEPT_COLUMNS if base + name in store}
    if not matrix:
        raise store_error(f"{model} has no concept shifts: its head has no null space")
    if {"attribute_score", "attribute_score_centred"} <= matrix.keys():
        with np.errstate(all="ignore"):
            matrix["attribute_score_common"] = matrix["attribute_score"] - matrix["attribute_score_centred"]
    columns = [
        _text("concept", "concept", FIELDS["concepts/name"].description, store.concept_names),
        _text("kind", "kind", FIELDS["concepts/kind"].description, store.array("concepts/kind")),
    ]
    for name, title in _CONCEPT_COLUMNS:
        if name not in matrix:
            continue
        known = FIELDS.get(f"models/{{model}}/concepts/{name}")
        text = known.description if known else "the part of AS that the mean null feature explains: AS minus centred AS"
        columns.append(Column(name, title, "degree", text, Values(matrix[name])))
    return Table("concepts", columns, len(store.concept_names), np.arange(len(store.concept_names)))


def image_table(store: Store, model: str, class_index: int | None = None) -> Table:
    """One row per image of a class, or of the whole file for None; columns are read as they are asked for.

    Raises:
        StoreError: No such model or class.
    """
    model = store.model(model)
    start, stop = 0, int(store.offsets[-1])
    if class_index is not None:
        start, stop = int(store.offsets[class_index]), int(store.offsets[class_index + 1])
    base = f"models/{model}/images/"

    def stored(path: str, names: NDArray[Any] | None = None, part: int | None = None) -> Values:
        return Values(store.dataset(path), start, stop, names, part)

    classes = store.class_names
    columns = [Column("image", "image", "text", FIELDS["images/key"].description, stored("images/key"))]
    text = FIELDS["images/class"].description
    columns.append(Column("class", "class", "text", text, stored("images/class", classes)))
    text = FIELDS["models/{model}/images/prediction"].description
    columns.append(Column("prediction", "prediction", "text", text, stored(base + "prediction", classes)))
    for name, title in _IMAGE_COLUMNS:
        if base + name in store:
            known = FIELDS[f"models/{{model}}/images/{name}"]
            columns.append(Column(name, title, known.unit, known.description, stored(base + name)))
    if base + "top_concept" in store and base + "top_concept_score" in store:
        top, shift = FIELDS["models/{model}/images/top_concept"], FIELDS["models/{model}/images/top_concept_score"]
        names = store.concept_names
        columns.append(
            Column("top_concept", "top concept", "text", top.description, stored(base + "top_concept", names, 0))
        )
        columns.append(
            Column(
                "top_concept_score", "its AS", "degree", shift.description, stored(base + "top_concept_score", None, 0)
            )
        )
    if "images/group" in store and "groups/name" in store:
        groups = stored("images/group", store.array("groups/name"))
        columns.append(Column("group", "group", "text", FIELDS["images/group"].description, groups))
    rankings = {}
    if class_index is None:
        paths = {name: f"models/{model}/rankings/{name}" for name in RANKED}
        rankings = {name: store.dataset(path) for name, path in paths.items() if path in store}
    return Table("images", columns, stop - start, np.arange(start, stop), rankings)


def _text(name: str, title: str, description: str, values: NDArray[Any]) -> Column:
    return Column(name, title, "text", description, Values(values))


_MODEL_COLUMNS = (
    ("accuracy", "accuracy"),
    ("rank", "rank"),
    ("nullity", "nullity"),
    ("attribute_score", "AS"),
    ("attribute_score_abs", "|AS|"),
    ("image_score", "IS"),
    ("image_score_centred", "IS centred"),
    ("ratio_images", "IS/|AS|"),
    ("flips", "flips"),
    ("null_energy", "null energy"),
    ("cosine", "cosine"),
    ("cosine_baseline", "baseline"),
    ("ratio_classes", "IS/|AS| classes"),
    ("attribute_score_centred_abs", "|AS| centred"),
    ("null_energy_centred", "null energy centred"),
    ("nullity_softmax", "nullity softmax"),
    ("gap", "gap"),
    ("tail_ratio", "tail ratio"),
    ("lambda", "lambda"),
    ("lambda_relative", "lambda relative"),
    ("r_squared", "R2"),
    ("mse", "MSE"),
    ("zero_shot_image", "zero-shot z"),
    ("zero_shot_translated", "zero-shot T(f)"),
    ("zero_shot_equivalent", "zero-shot T(f~)"),
    ("logit_change_max", "logit change max"),
    ("logit_change_mean", "logit change mean"),
    ("images", "images"),
    ("correct", "right"),
    ("undefined", "undefined"),
)
_CLASS_COLUMNS = (
    ("count", "images"),
    ("accuracy", "accuracy"),
    ("attribute_score_q50", "AS"),
    ("attribute_score_abs_q50", "|AS|"),
    ("image_score_q50", "IS"),
    ("image_score_centred_q50", "IS centred"),
    ("ratio", "IS/|AS|"),
    ("null_energy_mean", "null energy"),
    ("attribute_score_centred_abs_q50", "|AS| centred"),
    ("null_energy_centred_mean", "null energy centred"),
    ("attribute_score_mean", "AS mean"),
    ("attribute_score_std", "AS std"),
    ("attribute_score_abs_mean", "|AS| mean"),
    ("attribute_score_q05", "AS 5%"),
    ("attribute_score_q25", "AS 25%"),
    ("attribute_score_q75", "AS 75%"),
    ("attribute_score_q95", "AS 95%"),
    ("image_score_mean", "IS mean"),
    ("image_score_std", "IS std"),
    ("image_score_q05", "IS 5%"),
    ("image_score_q25", "IS 25%"),
    ("image_score_q75", "IS 75%"),
    ("image_score_q95", "IS 95%"),
)
_CONCEPT_COLUMNS = (
    ("attribute_score", "AS"),
    ("attribute_score_abs", "|AS|"),
    ("attribute_score_std", "AS std"),
    ("angle_before", "before"),
    ("angle_after", "after"),
    ("attribute_score_centred", "AS centred"),
    ("attribute_score_common", "AS common"),
)
_IMAGE_COLUMNS = (
    ("attribute_score", "AS"),
    ("image_score", "IS"),
    ("confidence", "confidence"),
    ("null_energy", "null energy"),
    ("attribute_score_centred", "AS centred"),
    ("image_score_centred", "IS centred"),
    ("null_energy_centred", "null energy centred"),
    ("class_angle", "class angle"),
    ("cosine", "cosine"),
)
