"""The tables people read: models, classes, images. The screen, CSV export and DataFrames all draw them.

A table is a list of columns over lazily read values; building one reads no image column. What a file lacks is a column less.
"""

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from sing_compute.store.columns import CLASSES, IMAGES, MODELS, Cells, Column, Table, Values, bounded, text_column
from sing_compute.store.read import Store
from sing_compute.store.schema import FIELDS, PENALTIES, RANKED
from sing_compute.store.text import store_error

CHOSEN = PENALTIES.index(1.0)
"""Where the chosen penalty stands among those that models are compared at."""
ORDERED_BY = "ratio_images"
"""The figure that models are placed by."""


def model_table(store: Store) -> Table:
    """One row per model: the summary figures, most wanted first. A figure that a model lacks is NaN (or absent throughout)."""
    summaries = [store.summary(model) for model in store.models]
    images, classes = (_model_intervals(store, name) for name in ("images_interval", "classes_interval"))
    columns = [text_column("model", "model", "model of this file", np.array(store.models, dtype=np.str_))]
    for name, title in MODELS:
        if any(name in summary for summary in summaries):
            known = FIELDS[f"models/{{model}}/summary/{name}"]
            whole = known.dtype == "int64" and all(name in summary for summary in summaries)
            cells = np.array(
                [summary.get(name, np.nan) for summary in summaries], dtype=np.int64 if whole else np.float64
            )
            over, ends = ("", images) if name in images else ("classes", classes)
            columns += bounded(Column(name, title, known.unit, known.description, Values(cells)), ends, over)
        if name == ORDERED_BY:
            columns += _places(store)
    for column in tuple(columns):
        if column.name in images:
            columns += bounded(column, classes, "classes")[1:]
    return Table("models", columns, len(summaries))


def class_table(
    store: Store, model: str, subset: str = "all", *, empty: bool = False, only: Collection[str] | None = None
) -> Table:
    """One row per class with images in the subset (`empty=True`: every class). Controls are of all images of a class.

    `only`: of the columns behind class and index, these alone; the others are not read.

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
    ends: dict[str, Cells] = {}
    if base + "interval_figure" in store and base + "interval" in store:
        stored = store.dataset(base + "interval")
        figures = enumerate(map(str, store.array(base + "interval_figure")))
        ends = {name: stored[k][row][ids].T for k, name in figures if only is None or name in only}
    controls = _class_controls(store, base, ids, only) if subset == "all" else {}
    columns = [text_column("class", "class", FIELDS["classes/name"].description, store.class_names[ids])]
    for name, title in CLASSES:
        if name == "index":
            columns.append(Column("index", "index", "index", "position in the model's output", Values(ids)))
            if (only is None or "wnid" in only) and "classes/wnid" in store:
                text = FIELDS["classes/wnid"].description
                columns.append(text_column("wnid", "wnid", text, store.array("classes/wnid")[ids]))
        elif only is not None and name not in only:
            continue
        elif name in controls:
            columns.append(Column(name, title, *controls[name]))
        elif base + name in store and not name.endswith("control"):
            known = FIELDS[f"models/{{model}}/classes/{name}"]
            cells = store.dataset(base + name)[row][ids]
            columns += bounded(Column(name, title, known.unit, known.description, Values(cells)), ends)
    return Table("classes", columns, len(ids), ids)


def image_table(
    store: Store, model: str, class_index: int | None = None, *, only: Collection[str] | None = None
) -> Table:
    """One row per image of a class, or of the whole file for None; columns are read as they are asked for.

    `only`: of the columns behind image and class, these alone.

    Raises:
        StoreError: No such model or class.
    """
    model = store.model(model)
    start, stop = 0, int(store.offsets[-1])
    if class_index is not None:
        start, stop = int(store.offsets[class_index]), int(store.offsets[class_index + 1])
    base = f"models/{model}/images/"

    def wanted(name: str) -> bool:
        return only is None or name in only

    def stored(path: str, names: Cells | None = None, part: int | None = None) -> Values:
        return Values(store.dataset(path), start, stop, names, part)

    classes = store.class_names
    columns = [Column("image", "image", "text", FIELDS["images/key"].description, stored("images/key"))]
    text = FIELDS["images/class"].description
    columns.append(Column("class", "class", "text", text, stored("images/class", classes)))
    for name, title in IMAGES:
        if wanted(name) and base + name in store:
            known = FIELDS[f"models/{{model}}/images/{name}"]
            names, unit = (classes, "text") if name == "prediction" else (None, known.unit)
            columns.append(Column(name, title, unit, known.description, stored(base + name, names)))
    if (wanted("top_concept") or wanted("top_concept_score")) and all(base + name in store for name in _TOP):
        names = store.concept_names
        text = "concept with the largest |AS|"
        columns.append(Column("top_concept", "top concept", "text", text, stored(base + "top_concept", names, 0)))
        shift = stored(base + "top_concept_score", None, 0)
        columns.append(Column("top_concept_score", "its AS", "degree", "AS of that concept", shift))
    if wanted("group") and "images/group" in store and "groups/name" in store:
        groups = stored("images/group", store.array("groups/name"))
        columns.append(Column("group", "group", "text", FIELDS["images/group"].description, groups))
    rankings = {}
    if class_index is None:
        paths = {name: f"models/{model}/rankings/{name}" for name in RANKED if wanted(name)}
        rankings = {name: store.dataset(path) for name, path in paths.items() if path in store}
    return Table("images", columns, stop - start, None if class_index is None else np.arange(start, stop), rankings)


def _model_intervals(store: Store, name: str) -> dict[str, Cells]:
    """Intervals at the chosen penalty by figure, (bound, model); NaN for models that have none, absent if none has one."""
    found: dict[str, Cells] = {}
    for row, model in enumerate(store.models):
        base = f"models/{model}/bootstrap/"
        if base + "figure" in store and base + name in store:
            bounds = store.array(base + name)
            bounds = bounds[CHOSEN] if bounds.ndim == 3 else bounds
            for figure, pair in zip(store.array(base + "figure"), bounds, strict=True):
                found.setdefault(str(figure), np.full((len(store.models), 2), np.nan))[row] = pair
    return {figure: pairs.T for figure, pairs in found.items() if not np.isnan(pairs).all()}


def places(store: Store) -> tuple[list[str], NDArray[np.float64], NDArray[np.float64]] | None:
    """The models that are compared, IS/|AS| of each, (penalty, model), and how surely one lies above another.

    The last is the share of resamples of the same images, (penalty, model, model). None where a file does not say it.
    """
    parts = ("model", "figure", "value", "above")
    if any(f"comparison/{part}" not in store for part in parts):
        return None
    models, figures, values, above = (store.array(f"comparison/{part}") for part in parts)
    which = np.flatnonzero(figures == ORDERED_BY)
    if not len(which):
        return None
    return [str(model) for model in models], values[:, which[0]], above[:, which[0]].astype(np.float64)


def _places(store: Store) -> list[Column]:
    """Where each model stands by IS/|AS|, and how surely it lies above the next, at the three penalties."""
    found = places(store)
    if found is None:
        return []
    names, values, above = found
    rows = {name: store.models.index(name) for name in names if name in store.models}
    order = [k for k in np.argsort(-values[CHOSEN], kind="stable") if values[CHOSEN, k] == values[CHOSEN, k]]
    order = [k for k in order if names[k] in rows]
    if len(order) < 2:
        return []
    cells = np.full((1 + len(PENALTIES), len(store.models)), np.nan)
    for place, k in enumerate(order):
        cells[0, rows[names[k]]] = place + 1
        if place + 1 < len(order):
            cells[1:, rows[names[k]]] = above[:, k, order[place + 1]]
    columns = [Column("place", "place", "count", "place by IS/|AS|, 1 the highest", Values(_whole(cells[0])))]
    for position in sorted(range(len(PENALTIES)), key=lambda k: k != CHOSEN):
        scale = PENALTIES[position]
        name, title = _ABOVE.get(scale, (f"above_next_{scale:g}", f"above next {scale:g}"))
        text = f"share of resamples of the same images in which its IS/|AS| lies above that of the next place, {_at(scale)}"
        columns.append(Column(name, title, "1", text, Values(cells[1 + position])))
    return columns


def _whole(cells: NDArray[np.float64]) -> Cells:
    return cells if np.isnan(cells).any() else cells.astype(np.int64)


def _at(scale: float) -> str:
    return "at the chosen lambda" if scale == 1 else f"at {scale:g} lambda; below one half the order is turned round"


def _class_controls(
    store: Store, base: str, ids: NDArray[np.int64], only: Collection[str] | None
) -> dict[str, tuple[str, str, Values]]:
    """The scores of each class when a random vector of the same length is removed, and the measured ones over them.

    Gives unit, description and values by column name.
    """
    found: dict[str, tuple[str, str, Values]] = {}
    for name in ("attribute_score_abs", "image_score"):
        asked = only is None or not {f"{name}_control", f"{name}_over_control"}.isdisjoint(only)
        if asked and f"{base}{name}_control" in store and f"{base}{name}_q50" in store:
            known = FIELDS[f"models/{{model}}/classes/{name}_control"]
            control = store.dataset(f"{base}{name}_control")[ids]
            found[f"{name}_control"] = known.unit, known.description, Values(control)
            with np.errstate(all="ignore"):
                share = store.dataset(f"{base}{name}_q50")[0][ids] / control
            text = FIELDS[f"models/{{model}}/summary/{name}_over_control"].description
            found[f"{name}_over_control"] = "1", text, Values(share)
    return found


_TOP = ("top_concept", "top_concept_score")
_ABOVE = {
    0.1: ("above_next_tenth", "above next /10"),
    1.0: ("above_next", "above next"),
    10.0: ("above_next_tenfold", "above next x10"),
}
