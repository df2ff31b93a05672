"""Kinds of false edits of a results file, made from the declarations.

Each declared dataset is changed inside its range and outside of it; attributes, names and structure are broken.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from edit_acts import (
    Act,
    admitted_flips,
    attribute,
    deleted,
    given_lambda,
    put,
    put_texts,
    retyped,
    skip_measured,
    subset_without_group,
)

from sing_compute.store import Store, catalogue
from sing_compute.store.definition import Field

ONE = ("one value, inside its range", "another text")
"""The least edit of a dataset of numbers, and of texts."""
_LARGE = 1e-3
"""Share of the largest value above which a value is edited: what lies below may be rounding."""
_SEED = 0


class Edit(NamedTuple):
    """One kind of false edit."""

    where: str
    """Declared path of the dataset, or the group of an attribute."""
    what: str
    act: Act
    of_values: bool = False
    """True for an edit of the values of a declared dataset."""


def edits(path: Path) -> list[Edit]:
    """Make every kind of edit for a file; of several models or towers the last one that holds a dataset is edited."""
    found: list[Edit] = []
    with Store(path) as store:
        for template, field in catalogue.FIELDS.items():
            there = _places(store, template)
            if not there:
                continue
            cells = store.array(there[-1])
            if cells.size:
                kinds = _text_edits if field.dtype == "text" else _number_edits
                found += [edit._replace(of_values=True) for edit in kinds(there[-1], template, field, cells)]
            found += [Edit(template, "deleted", deleted(there[-1]))] if field.level == "MUST" else []
        found += list(_attribute_edits(store))
        found += list(_structure_edits(store))
    return found


def _places(store: Store, template: str) -> list[str]:
    axes = [axis for axis in catalogue.axes() if axis.group and f"{{{axis.name}}}" in template]
    paths = [template.format(**{axes[0].name: item}) for item in store.members(axes[0].name)] if axes else [template]
    return [path for path in paths if path in store]


def _number_edits(path: str, template: str, field: Field, cells: np.ndarray[Any, Any]) -> Iterator[Edit]:
    rng = np.random.default_rng([_SEED, len(template)])
    flat = cells.reshape(-1)
    known = np.flatnonzero(np.isfinite(flat)) if flat.dtype.kind == "f" else np.arange(len(flat))
    if not len(known):
        return
    low, high = field.range.low, field.range.high
    if field.of:
        high = max(int(flat.max()), 1)
    one = flat.copy()
    size = np.abs(flat[known].astype(np.float64))
    varied = known[size > _LARGE * size.max()] if size.any() else known
    place = rng.choice(varied)
    one[place] = _other(flat[place], low, high, flat.dtype)
    yield Edit(template, ONE[0], put(path, one.reshape(cells.shape)))
    if len(known) > 1:
        every = flat.copy()
        every[known] = [_other(value, low, high, flat.dtype) for value in flat[known]]
        yield Edit(template, "all values, inside their range", put(path, every.reshape(cells.shape)))
        turned = cells[::-1].copy()
        if not np.array_equal(turned, cells, equal_nan=flat.dtype.kind == "f"):
            yield Edit(template, "rows in reverse order", put(path, turned))
    if flat.dtype.kind == "f" and low < 0 < high and (flat[known] != 0).any():
        yield Edit(template, "other sign", put(path, -cells))
    beyond = next((value for value in (high + 1, low - 1) if np.isfinite(value)), np.inf)
    if not (np.isinf(beyond) and field.range.infinite) and flat.dtype != np.uint8:  # every byte is inside
        broken = flat.copy()
        broken[known[0]] = beyond
        yield Edit(template, "a value outside its range", put(path, broken.reshape(cells.shape)))
    if flat.dtype.kind == "f":
        missing = np.full_like(cells, np.nan)
        yield Edit(template, "NaN everywhere", put(path, missing))


def _other(value: Any, low: float, high: float, dtype: np.dtype[Any]) -> Any:
    """Return another value that the range allows, as plausible as the old one."""
    if dtype.kind in "iu":
        return int(value) + 1 if int(value) + 1 <= high else max(int(value) - 1, low)
    step = 0.1 * abs(float(value)) if value else 0.05 * min(1.0, high if np.isfinite(high) and high > 0 else 1.0)
    moved = float(value) + step
    return moved if moved <= high else float(value) - step


def _text_edits(path: str, template: str, field: Field, cells: np.ndarray[Any, Any]) -> Iterator[Edit]:
    texts = [str(text) for text in cells]
    yield Edit(template, ONE[1], put_texts(path, ["something else", *texts[1:]]))
    yield Edit(template, "a text that is not UTF-8", put_texts(path, [b"\xff\xfe", *texts[1:]]))
    named = [axis for axis in catalogue.axes() if template in (axis.labels, axis.field)]
    if named:
        yield Edit(template, "an empty name", put_texts(path, ["", *texts[1:]]))
    if named and not named[0].repeats and len(texts) > 1:
        yield Edit(template, "a name twice", put_texts(path, [texts[1], *texts[1:]]))
    if len(texts) > 1 and texts[::-1] != texts:
        yield Edit(template, "rows in reverse order", put_texts(path, texts[::-1]))


def _attribute_edits(store: Store) -> Iterator[Edit]:
    for template in ("images/key", "images/class"):
        for name in ("axes", "unit", "description"):
            yield Edit(template, f"attribute {name} removed", attribute(template, name, None))
        yield Edit(template, "attribute version removed", attribute(template, "version", None))
        yield Edit(template, "attribute version 99", attribute(template, "version", 99))
    for model in store.models[-1:]:
        group = f"models/{model}"
        for name, value in (
            ("null_space", "tol=0.5"),
            ("null_space", "energy=0.9"),
            ("null_space", "anything"),
            ("lambda_choice", "given"),
            ("lambda_choice", None),
            ("invariance", "softmax"),
            ("stored_precision", "bfloat16"),
            ("stored_precision", "float64"),
            ("translator_file", "made.npz"),
        ):
            yield Edit(group, f"attribute {name}: {value or 'removed'}", attribute(group, name, value))
    for axis in ("tower",):
        for item in store.members(axis)[-1:]:
            yield Edit(f"towers/{item}", "attribute pool_count", attribute(f"towers/{item}", "pool_count", 7))
    yield Edit("images", "attribute items without item", attribute("images", "items", "sounds"))


def _structure_edits(store: Store) -> Iterator[Edit]:
    for name in ("subsets/name", "images/skipped_key"):
        yield Edit(name, "of another type", retyped(name))
    yield Edit("images/skipped_key", "a measured image is skipped, too", skip_measured)
    yield Edit("subsets/name", "a subset without a group", subset_without_group)
    for model in store.models[-1:]:
        base = f"models/{model}/"
        for name in ("head/singular_values", "variants/name", "summary/rank", "features/value", "features/row"):
            if base + name in store:
                yield Edit(f"models/{{model}}/{name}", "deleted (MAY)", deleted(base + name))
        yield Edit("models/{model}/null_space and flips", "flips admitted by null_space=tol=0.1", admitted_flips(base))
        yield Edit("models/{model}/summary/lambda", "another one, admitted by lambda_choice=given", given_lambda(base))
    for name in ("comparison/above", "comparison/value", "comparison/class_order", "comparison/model"):
        if name in store:
            yield Edit(name, "deleted (MAY)", deleted(name))
