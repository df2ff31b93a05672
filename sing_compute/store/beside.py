"""Models, classes and figures side by side: the values of each, then differences to the first and changes of rank.

Columns are named `measure.side`, with `_low` and `_high` for an interval, `.difference` and `.rank_change`; sides are written in
ASCII letters, digits and _. Columns of images are read for the rows asked for; ranks are worked out once, when first looked at.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sing_compute.errors import StoreError
from sing_compute.store.columns import Cells, Column, Computed, Loaded, Rows, Table, Values, text_column
from sing_compute.store.concepts import concept_table
from sing_compute.store.gate import Stored
from sing_compute.store.order import sorting
from sing_compute.store.read import Store
from sing_compute.store.tables import class_table, image_table, model_table
from sing_compute.store.text import one_line, store_error

Level = Literal["classes", "concepts", "images"]
_NAMING = {"classes": ("class", "index"), "concepts": ("concept", "kind"), "images": ("image", "class")}
_KEY = 40
"""Characters of a model's or class's name in the name of a column."""


@dataclass(frozen=True, slots=True)
class _Side:
    """One of the things that stand side by side: its name in column names and in titles, and its plain table."""

    key: str
    label: str
    table: Table


def models_beside(
    store: Store,
    level: Level,
    measure: str,
    models: Sequence[str],
    *,
    class_index: int | None = None,
    subset: str = "all",
) -> Table:
    """One column of a plain table for several models, one row per class, concept of a class, or image (of a class).

    Rows are those of the first model; what another lacks is NaN, its count 0. `subset` is of classes alone.

    Raises:
        StoreError: Fewer than two models, no such model, class, subset or column, a column of text, or a model without it.
    """
    names = _several([store.model(model) for model in models], "models")
    if level not in _NAMING:
        raise store_error(f"{level!r} cannot stand side by side; one of {', '.join(_NAMING)} can")
    if class_index is not None:
        _known_class(store, class_index)
    if level == "classes":
        tables = _class_tables(store, measure, names, subset)
    elif level == "images":
        tables = [_with(partial(image_table, store, name, class_index), measure, name) for name in names]
    elif class_index is None:
        raise store_error("concepts are compared for one class: name it")
    else:
        _measured(store, class_index)
        tables = [_with(partial(concept_table, store, name, class_index), measure, name) for name in names]
    return _side_by_side(_sides(names, tables), measure)


def classes_beside(store: Store, model: str, measure: str, classes: Sequence[int]) -> Table:
    """One column of the concept table for several classes, one row per concept.

    Raises:
        StoreError: Fewer than two classes, no such model, class or column, a column of text, or no scores.
    """
    model = store.model(model)
    ids = _several([_known_class(store, index) for index in classes], "classes")
    names = [one_line(store.class_names[_measured(store, index)]) for index in ids]
    labels = [name if names.count(name) == 1 else f"{name} {index}" for name, index in zip(names, ids, strict=True)]
    tables = [_with(partial(concept_table, store, model, index), measure, model) for index in ids]
    return _side_by_side(_sides(labels, tables), measure)


def class_across_models(store: Store, class_index: int, subset: str = "all") -> Table:
    """One row per model: every column of the class table for one class; NaN and empty text where a model lacks it.

    Raises:
        StoreError: No such class or subset.
    """
    row = np.array([_known_class(store, class_index)])
    tables = [class_table(store, model, subset, empty=True) for model in store.models]
    known: dict[str, Column] = {}
    for column in (column for table in tables for column in table.columns):
        if column.name not in known or known[column.name].interval is None:
            known[column.name] = column
    columns = [text_column("model", "model", "model of this file", np.array(store.models, np.str_))]
    naming: list[Column] = []
    for name, column in known.items():
        here = [next((c for c in table.columns if c.name == name), None) for table in tables]
        gap = np.array([""]) if column.is_text else np.array([np.nan], np.float32)
        cells = np.concatenate([gap if c is None else c.values.take(row) for c in here])
        (naming if name in ("class", "index", "wnid") else columns).append(replace(column, values=Values(cells)))
    return Table("models", columns + naming, len(tables), np.arange(len(tables)))


def figures_beside(store: Store, models: Sequence[str]) -> Table:
    """The model table turned round: one row per figure, one column per model, then differences to the first.

    A figure's 95 % interval is over images, or over classes where it has no other. `name` is its column in the model table.

    Raises:
        StoreError: Fewer than two models, or no such model.
    """
    names = _several([store.model(model) for model in models], "models")
    table = model_table(store)
    known = {column.name: column for column in table.columns}
    ends = {f"{name}_{over}{end}" for name in known for over in ("", "classes_") for end in ("low", "high")}
    figures = [column for column in table.columns if not column.is_text and column.name not in ends]
    if not figures:
        raise store_error(f"{store.path.name}: its models have no figures to compare")
    nowhere = np.full(table.length, np.nan)
    sides = [_figure(column.values.all() for column in figures)]
    for k in (0, 1):
        sides.append(_figure(known[c.interval[k]].values.all() if c.interval else nowhere for c in figures))
    columns = [
        text_column("figure", "figure", "title in the model table", np.array([c.title for c in figures], np.str_)),
        text_column("unit", "unit", "unit of the row", np.array([c.unit for c in figures], np.str_)),
    ]
    differences: list[Column] = []
    rows = [store.models.index(name) for name in names]
    for position, (key, label, row) in enumerate(zip(_keys(names), names, rows, strict=True)):
        name, text = f"value.{key}", f"figure of {label}, in the unit of its row"
        value, low, high = (Values(cells[:, row]) for cells in sides)
        columns.append(Column(name, label, "1", text, value, (f"{name}_low", f"{name}_high")))
        columns.append(Column(f"{name}_low", f"{label} low", "1", f"lower end of the 95 % interval of: {text}", low))
        columns.append(Column(f"{name}_high", f"{label} high", "1", f"upper end of the 95 % interval of: {text}", high))
        if position:
            change = Values(_difference(value, Values(sides[0][:, rows[0]]), slice(None)))
            text = f"figure of {label} minus that of {names[0]}, in the unit of its row"
            differences.append(Column(f"{name}.difference", f"diff {label}", "1", text, change))
    words = text_column("name", "name", "column of the model table", np.array([c.name for c in figures], np.str_))
    return Table("figures", [*columns, *differences, words], len(figures), np.arange(len(figures)))


def _figure(cells: Any) -> NDArray[np.float64]:
    """Columns of models as rows of figures: (figure, model)."""
    return np.array(list(cells), dtype=np.float64)


def _several(wanted: list[Any], what: str) -> list[Any]:
    if len(wanted) < 2:
        raise store_error(f"at least two {what} are needed to stand side by side")
    twice = next((item for item in wanted if wanted.count(item) > 1), None)
    if twice is not None:
        raise store_error(f"{twice} stands twice among the {what} to compare")
    return wanted


def _known_class(store: Store, index: int) -> int:
    if not 0 <= index < len(store.class_names):
        raise store_error(f"no class {index} in {store.path.name}; it holds 0 to {len(store.class_names) - 1}")
    return index


def _measured(store: Store, index: int) -> int:
    if store.offsets[index] == store.offsets[index + 1]:
        raise store_error(f"no image of {store.class_names[index]} was measured, so its concepts have no shift")
    return index


def _with(table_of: Callable[..., Table], measure: str, model: str) -> Table:
    """A plain table with its naming columns and the measure alone; the whole table is asked only to say what there is."""
    table = table_of(only=(measure,))
    if all(column.name != measure for column in table.columns):
        table = table_of()
    try:
        column = table.column(measure)
    except StoreError as error:
        raise store_error(f"{model}: {error}") from error
    if column.is_text or column.unit == "index":
        raise store_error(f"{measure} is a column of names, not of numbers; these are compared by numbers")
    return table


def _class_tables(store: Store, measure: str, models: Sequence[str], subset: str) -> list[Table]:
    """Class tables with the rows of the first."""
    first = _with(partial(class_table, store, models[0], subset), measure, models[0])
    tables = [first]
    for model in models[1:]:
        whole = _with(partial(class_table, store, model, subset, empty=True), measure, model)
        columns = [replace(column, values=Values(column.values.take(_ids(first)))) for column in whole.columns]
        tables.append(replace(first, columns=columns))
    return tables


def _ids(table: Table) -> Rows:
    return np.arange(table.length) if table.ids is None else table.ids


def _sides(labels: Sequence[str], tables: Sequence[Table]) -> list[_Side]:
    return [_Side(*side) for side in zip(_keys(labels), labels, tables, strict=True)]


def _keys(labels: Sequence[str]) -> list[str]:
    """A name for each label in ASCII letters, digits and _, no two alike in any case; labels without such get a number."""
    keys: list[str] = []
    taken: set[str] = set()
    for position, label in enumerate(labels, start=1):
        word = re.sub("[^A-Za-z0-9]+", "_", label)[:_KEY].strip("_") or str(position)
        key, again = word, 2
        while taken & (forms := {f"{key}{end}".lower() for end in ("", "_low", "_high")}):
            key, again = f"{word}_{again}", again + 1
        taken |= forms
        keys.append(key)
    return keys


def _side_by_side(sides: Sequence[_Side], measure: str) -> Table:
    """The naming columns of the first, the measure of all, differences, changes of rank."""
    plain = sides[0].table
    values: list[Column] = []
    differences: list[Column] = []
    changes: list[Column] = []
    orders: dict[str, Stored] = {}
    first = plain.column(measure)
    first_ranks = Loaded(plain.length, partial(_ranks, first.values))
    for position, side in enumerate(sides):
        column, ranking = side.table.column(measure), side.table.rankings.get(measure)
        name, title = f"{measure}.{side.key}", f"{column.title} {side.label}"
        ends = (f"{name}_low", f"{name}_high") if column.interval else None
        text = f"{side.label}: {column.description}"
        values.append(Column(name, title, column.unit, text, column.values, ends))
        for new, old in zip(ends or (), column.interval or (), strict=True):
            end = side.table.column(old)
            text = f"{side.label}: {end.description}"
            values.append(Column(new, f"{end.title} {side.label}", end.unit, text, end.values))
        if ranking is not None:
            orders[name] = ranking
        if position == 0:
            continue
        change = Computed(plain.length, partial(_difference, column.values, first.values))
        text = f"{side.label} minus {sides[0].label}: {column.description}"
        differences.append(Column(f"{name}.difference", f"diff {title}", column.unit, text, Values(change)))
        ranks = Loaded(plain.length, partial(_ranks, column.values))
        moved = Computed(plain.length, partial(_rank_change, first_ranks, ranks), (first_ranks, ranks))
        text = (
            f"places by which {side.label} ranks a row higher than {sides[0].label}; rank 1 is the largest value, "
            f"equal values share the smaller rank"
        )
        changes.append(Column(f"{name}.rank_change", f"rank change {side.label}", "count", text, Values(moved)))
    naming = [plain.column(name) for name in _NAMING[plain.kind]]
    return Table(plain.kind, [*naming, *values, *differences, *changes], plain.length, plain.ids, orders)


def _at(values: Values, rows: Any) -> Cells:
    return values.all()[rows] if isinstance(rows, slice) else values.take(rows)


def _difference(values: Values, first: Values, rows: Any) -> Cells:
    with np.errstate(all="ignore"):
        return np.asarray(_at(values, rows) - _at(first, rows))


def _rank_change(first: Loaded, ranks: Loaded, rows: Any) -> NDArray[np.float64]:
    before, after = first[rows], ranks[rows]
    return np.where((before > 0) & (after > 0), before - after, np.nan)


def _ranks(values: Values) -> NDArray[np.int32]:
    """Rank of each value, 1 for the largest, equal values the smaller one; 0 where there is none."""
    cells = values.all()
    known = len(cells) - int(np.count_nonzero(np.isnan(cells)))
    order = sorting(cells)[:known]
    ordered = cells[order]
    ends = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True)[:known])
    ranks = np.zeros(len(cells), dtype=np.int32)
    ranks[order] = np.repeat((known - ends).astype(np.int32), np.diff(ends, prepend=-1))
    return ranks
