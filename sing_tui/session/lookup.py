"""The place that a command line names, and the words that name a place."""

from collections.abc import Sequence
from dataclasses import replace

from sing_compute.errors import SingError
from sing_compute.store.definition import TableSpec
from sing_compute.store.place import Comparison, Key, Place
from sing_tui.session.catalog import (
    Catalog,
    deeper,
    first_place,
    free_options,
    is_group,
    place_of,
    plural,
    reaches,
    table_of,
    with_defaults,
)
from sing_tui.session.comparison import group_compared
from sing_tui.session.files import can_join, is_joined, joined
from sing_tui.session.moves import along_axis
from sing_tui.session.names import rows_name
from sing_tui.session.state import FILES, is_figures
from sing_tui.start import Wish, option, parted

Keys = dict[str, Key | None]
ONE_FILE = "-"
"""The value of --compare for the first of two files alone."""
ALL_FIGURES = "figures"
"""The value of --compare for all figures of one row in both files."""


def find_place(catalog: Catalog, wish: Wish) -> tuple[Place, Keys]:
    """Return the place that a command line names, and all items that it names, by axis.

    Raises:
        SingError: The file has no such table or item, or the options do not go together.
    """
    named = _named(catalog, wish)
    if len(catalog.files) > 1 and wish.compare == ALL_FIGURES:
        return _figures_in_files(catalog, wish, named), named
    place = _place(catalog, wish, named)
    if len(catalog.files) > 1 and not wish.others:
        return _in_files(catalog, place, wish.compare), named
    if wish.compare in (None, ONE_FILE) and not wish.others:  # a view of the first of two files, in one file
        return place, named
    return _compared(catalog, place, wish, named), named


def _named(catalog: Catalog, wish: Wish) -> Keys:
    """Keys of the items that `--at` names; groups first, the names of other items may depend on them.

    Where such a group is not named, its first item is meant.
    """
    texts = dict(map(parted, wish.at))
    groups = [axis for axis in texts if is_group(catalog, axis)]
    found: Keys = {}
    for axis in (*groups, *(axis for axis in texts if axis not in groups)):
        owners = catalog.axis(axis).owners
        known = Place(wish.table or "").at(**with_defaults(catalog, owners, found, None))
        found[axis] = catalog.find(axis, texts[axis], known)
    return found


def _place(catalog: Catalog, wish: Wish, named: Keys) -> Place:
    """The plain place: of the table that is named, or of the one that the items lead to."""
    about = _narrowest(catalog, named)
    if wish.table is None and about is None:
        return first_place(catalog)
    if wish.table is None and about is not None:
        tables = deeper(catalog, about)
        spec = tables[0] if tables else _across(catalog, about)
    else:
        spec = catalog.table(wish.table or "")
    keys = with_defaults(catalog, spec.within, named, None)
    crossed = next((table for table in _named_tables(catalog, named) if _along(catalog, table) == spec.rows), None)
    if crossed is not None and (spec.rows not in named or is_group(catalog, spec.rows)):
        return _along_place(catalog, crossed, spec, named)
    for axis in named:
        if not _fits(catalog, spec, axis):
            _refuse(catalog, axis, spec)
    for axis in spec.within:
        if keys.get(axis) is None:
            raise SingError(f"--table {spec.name} is about one {catalog.words(axis)}: add {option(axis, 'NAME')}")
    return place_of(catalog, spec, _chosen(catalog, spec, keys))


def _chosen(catalog: Catalog, spec: TableSpec, keys: Keys) -> Keys:
    """The keys without the first item of an optional axis, which is meant where none is named."""
    free = free_options(catalog, spec)
    return {axis: key for axis, key in keys.items() if axis not in free or key}


def _narrowest(catalog: Catalog, named: Keys) -> TableSpec | None:
    """The table of the named item that the most other items lead to."""
    tables = _named_tables(catalog, named)
    return max(tables, key=lambda table: len(table.within), default=None)


def _named_tables(catalog: Catalog, named: Keys) -> list[TableSpec]:
    return [table for axis in named if (table := table_of(catalog, axis)) is not None]


def _along(catalog: Catalog, spec: TableSpec) -> str | None:
    return along_axis(catalog, Place(spec.name))


def _across(catalog: Catalog, spec: TableSpec) -> TableSpec:
    """The table whose rows a row of another table is shown along; the table itself where there is none."""
    axis = _along(catalog, spec)
    return (table_of(catalog, axis) if axis is not None else None) or spec


def _along_place(catalog: Catalog, crossed: TableSpec, spec: TableSpec, named: Keys) -> Place:
    """One row of a table along the rows of another one."""
    needed = [axis for axis in crossed.within if axis != spec.rows]
    keys = with_defaults(catalog, needed, named, None)
    kept = (*needed, crossed.rows, *crossed.options)
    for axis in named:
        if axis not in kept and not (axis in spec.options or _fits(catalog, crossed, axis)):
            _refuse(catalog, axis, spec)
    for axis in needed:
        if keys.get(axis) is None:
            raise SingError(f"--table {spec.name} is about one {catalog.words(axis)}: add {option(axis, 'NAME')}")
    chosen = _chosen(catalog, crossed, keys)
    return Place(crossed.name, along=spec.rows).at(**{axis: key for axis, key in chosen.items() if axis in kept})


def _fits(catalog: Catalog, spec: TableSpec, axis: str) -> bool:
    """Return True if a table, or a table on the way to it, can be about an item of an axis."""
    if axis in (*spec.within, *spec.options) or (axis == spec.rows and not spec.within):
        return True
    near = [table for table in catalog.tables() if reaches(catalog, table, spec.name) or not spec.within]
    return any(axis in free_options(catalog, table) for table in near)


def _refuse(catalog: Catalog, axis: str, spec: TableSpec) -> None:
    own = table_of(catalog, axis)
    along = None if own is None else _along(catalog, own)
    names = [
        table.name
        for table in catalog.tables()
        if axis in (*table.within, *table.options) or (along is not None and table.rows == along)
    ]
    *most, last = names or ["no table"]
    listed = f"{', '.join(most)} or {last}" if most else last
    raise SingError(f"{option(axis)} goes with --table {listed}, not with {spec.name}")


def _compared(catalog: Catalog, place: Place, wish: Wish, named: Keys) -> Place:
    """The place with what is compared there."""
    spec = catalog.table(place.table)
    if place.along:
        raise SingError(f"--compare needs a table of its own: leave out {option(spec.rows)}")
    measure = catalog.column(place, wish.compare) if wish.compare else spec.measure
    texts = [parted(text) for text in wish.others]
    axes = {axis for axis, _ in texts}
    group = spec.rows if not spec.within and is_group(catalog, spec.rows) else group_compared(catalog, spec)
    others = axes - {group}
    if others:
        axis = min(others)
        first = place.key(axis)
        if len(axes) > 1 or first is None or axis not in spec.within:
            raise SingError(_one_axis_only(catalog, axis, group))
        found = (first, *(catalog.find(axis, text, place) for _, text in texts))
        return replace(place, comparison=Comparison(axis, found, measure))
    if group is None:
        raise SingError(f"--compare: say what is compared, as in --with {spec.rows}=NAME")
    names = list(catalog.items(group, None))
    first = named.get(group) or names[0]
    chosen = [catalog.find(group, text, place) for _, text in texts] or names
    items = (first, *(name for name in dict.fromkeys(chosen) if name != first))
    figures = group == spec.rows
    there = place if figures else place.at(**{group: first})
    return replace(there, comparison=Comparison(group, items, "" if figures else measure))


def _figures_in_files(catalog: Catalog, wish: Wish, named: Keys) -> Place:
    """The place of all figures of one row in both files; the only row of a group may be left out."""
    spec = catalog.table(wish.table) if wish.table else _narrowest(catalog, named)
    if spec is None:
        spec = catalog.table(first_place(catalog).table)
    item = with_defaults(catalog, [spec.rows], named, None).get(spec.rows)
    several = item != named.get(spec.rows) and len(catalog.items(spec.rows, None)) > 1
    if item is None or several:
        raise SingError(
            f"--compare {ALL_FIGURES} is of one {catalog.words(spec.rows)}: add {option(spec.rows, 'NAME')}"
        )
    others = {axis: key for axis, key in named.items() if axis != spec.rows}
    place = _place(catalog, replace(wish, table=spec.name), others)
    return replace(place, comparison=Comparison(FILES, tuple(catalog.files), "")).at(**{spec.rows: item})


def _in_files(catalog: Catalog, place: Place, compare: str | None) -> Place:
    """The place in both files, unless it is to be that of the first file alone."""
    if compare == ONE_FILE or not can_join(catalog, place):
        return place
    return joined(catalog, place, catalog.column(place, compare) if compare else "")


def _one_axis_only(catalog: Catalog, axis: str, group: str | None) -> str:
    own = table_of(catalog, axis)
    tables = deeper(catalog, own) if own is not None else []
    what = catalog.words(tables[0].name) if tables else "rows"
    words = f"--with-{axis} compares the {what} of {plural(catalog, axis)}: add {option(axis, 'NAME')}"
    return words + ("" if group is None else f", and no --with-{group}")


def words_of(catalog: Catalog, place: Place, keys: Keys | None = None) -> Wish:
    """Return the words of a command line that name a place.

    Args:
        catalog: What the file holds.
        place: The place.
        keys: Further items that tables on the way are about, by axis.
    """
    spec, comparison = catalog.table(place.table), place.comparison
    figures = is_figures(spec, place)
    named: Keys = {**(keys or {}), **dict(place.keys)}
    if figures and comparison is not None and not is_joined(place):
        named[spec.rows] = comparison.items[0]
    known = [
        (axis, named[axis]) for axis in dict.fromkeys((*spec.within, *spec.options, spec.rows, *named)) if axis in named
    ]
    at = [f"{axis}={_name(catalog, axis, key, place)}" for axis, key in known if key is not None]
    others: Sequence[str] = ()
    plain = ONE_FILE if can_join(catalog, place) else None
    if comparison is not None and not is_joined(place):
        axis = comparison.axis
        others = [f"{axis}={_name(catalog, axis, key, place)}" for key in comparison.items[1:]]
    return Wish(
        rows_name(catalog, place),
        tuple(at),
        plain if comparison is None else ALL_FIGURES if figures and is_joined(place) else comparison.measure,
        tuple(others),
    )


def _name(catalog: Catalog, axis: str, key: Key, place: Place) -> str:
    """The name of an item if it leads back to it, else its position."""
    if isinstance(key, str):
        return key
    try:
        name = catalog.label(axis, key, place)
        sound = name.isprintable() and name.strip() == name and catalog.find(axis, name, place) == key
    except SingError:
        sound = False
    return name if sound else str(key)
