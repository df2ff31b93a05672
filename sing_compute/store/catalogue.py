"""Look up the analyses that this program knows, and the fields, axes and tables that they declare.

The built-in analyses are in `definitions/`; `register` adds one from outside (docs/adding_an_analysis.md).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from sing_compute.store.definition import MUST, NUMBER_FORMATS, Analysis, Axis, Field, TableSpec
from sing_compute.store.definitions.directions import DIRECTIONS
from sing_compute.store.definitions.images_and_classifiers import CLASSIFIERS, IMAGES
from sing_compute.store.definitions.null_words import NULL_WORDS
from sing_compute.store.definitions.renders import RENDERS
from sing_compute.store.definitions.sing import SING
from sing_compute.store.definitions.sith import SITH
from sing_compute.store.definitions.steering import STEERING
from sing_compute.store.place import Key
from sing_compute.store.text import store_error

if TYPE_CHECKING:
    from sing_compute.store.read import Store

_known: dict[str, Analysis] = {}
_fields: dict[str, Field] = {}
_axes: dict[str, Axis] = {}
_tables: dict[str, TableSpec] = {}
FIELDS: Mapping[str, Field] = MappingProxyType(_fields)
"""Every declared dataset by its path; `{model}` and the like are replaced by the items of group axes."""


def register(analysis: Analysis) -> None:
    """Make an analysis known, for reading, writing, checking and showing its part of a file.

    Args:
        analysis: Its declaration. It may use axes of other analyses, but must not declare them again.

    Raises:
        ValueError: A name in it is declared already, or it refers to a name that is not declared.
    """
    if analysis.name in _known:
        raise ValueError(f"an analysis {analysis.name!r} is registered already")
    for what, new, old in (
        ("field", [field.path for field in analysis.fields], _fields),
        ("axis", [axis.name for axis in analysis.axes], _axes),
        ("table", [table.name for table in analysis.tables], _tables),
    ):
        for name in new:
            if name in old or new.count(name) > 1:
                raise ValueError(f"{analysis.name}: {what} {name!r} is declared twice")
    fields = _fields | {field.path: field for field in analysis.fields}
    axes = _axes | {axis.name: axis for axis in analysis.axes}
    tables = _tables | {table.name: table for table in analysis.tables}
    _check(analysis, fields, axes, tables)
    _known[analysis.name] = analysis
    _fields.update(fields)
    _axes.update(axes)
    _tables.update(tables)
    for spec in analysis.tables:
        for name in spec.opened_by:
            _tables[name] = replace(_tables[name], opens=(*_tables[name].opens, spec.name))


def unregister(name: str) -> None:
    """Remove a registered analysis."""
    analysis = _known.pop(name)
    for field in analysis.fields:
        del _fields[field.path]
    for axis in analysis.axes:
        del _axes[axis.name]
    for table in analysis.tables:
        del _tables[table.name]
        for name in (name for name in table.opened_by if name in _tables):
            opens = tuple(other for other in _tables[name].opens if other != table.name)
            _tables[name] = replace(_tables[name], opens=opens)


@contextmanager
def registered(analysis: Analysis) -> Iterator[None]:
    """Make an analysis known while the block runs."""
    register(analysis)
    try:
        yield
    finally:
        unregister(analysis.name)


def analyses() -> tuple[Analysis, ...]:
    """Return every analysis, in the order in which they were registered."""
    return tuple(_known.values())


def axis(name: str) -> Axis:
    """Return the axis of this name.

    Raises:
        StoreError: There is none.
    """
    if name not in _axes:
        raise store_error(f"no axis {name!r}; there are: {', '.join(_axes)}")
    return _axes[name]


def axes() -> tuple[Axis, ...]:
    """Return every axis."""
    return tuple(_axes.values())


def table(name: str) -> TableSpec:
    """Return the declaration of the table of this name.

    Raises:
        StoreError: There is none.
    """
    if name not in _tables:
        raise store_error(f"no table {name!r}; there are: {', '.join(_tables)}")
    return _tables[name]


def is_table(name: str) -> bool:
    """Return True if a table of this name is declared."""
    return name in _tables


def analysis_of(table_name: str) -> Analysis:
    """Return the analysis that declares a table.

    Raises:
        StoreError: No analysis declares it.
    """
    wanted = table(table_name).name
    return next(a for a in _known.values() if any(spec.name == wanted for spec in a.tables))


def table_of_rows(axis_name: str) -> TableSpec | None:
    """Return the first table whose rows are the items of an axis; None if there is none."""
    return next((spec for spec in _tables.values() if spec.rows == axis_name), None)


def tables(store: "Store") -> tuple[TableSpec, ...]:
    """Return the tables of a file: those with at least one column that is no name or position."""
    return tuple(
        spec
        for spec in _tables.values()
        if any(all(_is_there(store, path) for path in paths) for paths in _measure_paths(spec))
    )


def roots(store: "Store") -> tuple[TableSpec, ...]:
    """Return the tables of a file whose places name no item: a reader begins at these."""
    return tuple(spec for spec in tables(store) if not spec.within)


def field_of(path: str) -> tuple[Field, dict[str, Key]]:
    """Return the declared field of a dataset, and the items that its path names, by axis.

    Raises:
        StoreError: No analysis declares such a dataset.
    """
    template, items = template_of(path)
    found = _fields.get(template)
    if found is None:
        raise store_error(f"{path}: is not in the schema (docs/store.md)")
    return found, items


def template_of(path: str) -> tuple[str, dict[str, Key]]:
    """Return a path with `{axis}` in the place of each item of a group axis, and these items by axis."""
    parts = path.strip("/").split("/")
    for known in _axes.values():
        if known.group and parts[0] == known.group and len(parts) > 1:
            return "/".join([known.group, f"{{{known.name}}}", *parts[2:]]), {known.name: parts[1]}
    return "/".join(parts), {}


def is_declared(path: str) -> bool:
    """Return True if a path is a declared dataset or a group that contains one."""
    template, _ = template_of(path)
    if any(known.group == template for known in _axes.values() if known.group):
        return True
    return template in _fields or any(known.startswith(f"{template}/") for known in _fields)


def owned_axes(template: str) -> dict[str, int]:
    """Return the axes whose length a dataset defines, with their positions among its axes."""
    return {known.name: known.position for known in _axes.values() if known.field == template}


def fields_within(analysis: Analysis, *, subject: bool, level: str = "") -> list[Field]:
    """Return fields of an analysis.

    Args:
        analysis: The analysis.
        subject: True for the fields that each of its subjects has, False for those that the file has once.
        level: `MUST` or `MAY`; None for both.
    """
    mark = f"{{{analysis.subject}}}"
    found = [f for f in analysis.fields if (mark in f.path or analysis.subject == "file") == subject]
    return [field for field in found if not level or field.level == level]


def is_present(store: "Store", analysis: Analysis, item: str = "") -> bool:
    """Return True if a file holds an analysis, of one subject if one is given: at least one of its fields of level MUST."""
    wanted = fields_within(analysis, subject=True, level=MUST)
    if analysis.subject == "file":
        return any(field.path in store for field in wanted)
    items = [item] if item else store.members(analysis.subject)
    return any(field.path.format(**{analysis.subject: each}) in store for each in items for field in wanted)


def along_axes(spec: TableSpec) -> tuple[str, ...]:
    """Return the axis of a table's places along which one of its rows can be shown: the last one, if it does not own the rows.

    The images of a class belong to that class alone; a concept is there for every class, a class for every model.
    """
    if not spec.within:
        return ()
    last = spec.within[-1]
    rows = axis(spec.rows)
    own = rows.parent == last or f"{{{last}}}" in rows.field
    return () if own or last in spec.options else (last,)


def plural(axis_name: str) -> str:
    """Return the plural of an axis: the name of the table of its items, if there is one."""
    spec = table_of_rows(axis_name)
    return f"{axis_name}s" if spec is None else spec.name


def _measure_paths(spec: TableSpec) -> list[tuple[str, ...]]:
    """Return the paths that each column of a table needs; if some are those of an item of a group, only these columns."""
    own = [sources(column) for column in spec.columns if column.role not in ("label", "code", "index")]
    own = [paths for paths in own if paths]
    return [paths for paths in own if any("{" in path for path in paths)] or own


def sources(column: object) -> tuple[str, ...]:
    """Return the paths of the datasets from which a declared column is read."""
    field, needs = getattr(column, "field", ""), getattr(column, "needs", ())
    return tuple(path for path in (field, *needs) if "/" in path)


def _is_there(store: "Store", path: str) -> bool:
    group = next((known for known in _axes.values() if known.group and f"{{{known.name}}}" in path), None)
    if group is None:
        return path in store
    return any(path.format(**{group.name: item}) in store for item in store.members(group.name))


_TEXTS = ("text", "path")
"""Formats of columns whose cells are text."""


def _check(
    analysis: Analysis, fields: Mapping[str, Field], axes: Mapping[str, Axis], tables: Mapping[str, TableSpec]
) -> None:
    """Refuse a declaration that refers to a name that no analysis declares."""
    wanted = [
        (name, field.path, axes) for field in analysis.fields for name in (*field.axes, *filter(None, [field.of]))
    ]
    wanted += [(a.field, a.name, fields) for a in analysis.axes if a.field]  # type: ignore[misc]
    for spec in analysis.tables:
        wanted += [(name, spec.name, axes) for name in (spec.rows, *spec.within, *spec.options)]
        wanted += [(name, spec.name, tables) for name in (*spec.opens, *spec.opened_by)]  # type: ignore[misc]
        for distribution in spec.distributions:
            paths = filter(None, (distribution.field, distribution.percentiles))
            wanted += [(path, distribution.name, fields) for path in paths]  # type: ignore[misc]
        for column in spec.columns:
            wanted += [(path, column.name, fields) for path in sources(column)]  # type: ignore[misc]
            if column.format not in NUMBER_FORMATS:
                raise ValueError(f"{analysis.name}: column {column.name}: no number format {column.format!r}")
            if column.derived is not None and column.format not in _TEXTS and not column.unit:
                raise ValueError(
                    f"{analysis.name}: column {column.name}: its numbers are derived, so it must say their unit"
                )
    if analysis.subject != "file":
        wanted.append((analysis.subject, "subject", axes))
    for name, where, known in wanted:
        if name not in known:
            raise ValueError(f"{analysis.name}: {where} refers to {name!r}, which no analysis declares")
    for spec in analysis.tables:
        for distribution in spec.distributions:
            first = fields[distribution.field].axes[:1]
            own = f"{{{spec.rows}}}" in distribution.field or first == (spec.rows,)
            if not first or not (own or axes[first[0]].parent == spec.rows):
                raise ValueError(
                    f"{analysis.name}: {distribution.name}: no {spec.rows} has values of {distribution.field}"
                )


for _analysis in (IMAGES, CLASSIFIERS, SING, SITH, NULL_WORDS, DIRECTIONS, RENDERS, STEERING):
    register(_analysis)
