"""Words for a place: the line of steps that lead to it, its title, and the name of a file of its rows."""

from sing_compute.store.place import Place
from sing_tui.session.catalog import Catalog, free_options, is_group, plural, row_axis, table_name
from sing_tui.session.counted import Counted
from sing_tui.session.files import is_joined
from sing_tui.session.state import Session, arrangement_at, is_figures
from sing_tui.session.subsets import subset_of


def key_labels(catalog: Catalog, place: Place) -> list[str]:
    """Names of the items that a place is about, the widest first."""
    if isinstance(place, Counted):
        return key_labels(catalog, place.base)
    spec = catalog.table(place.table)
    free = free_options(catalog, spec)
    axes = [axis for axis in (*spec.within, *spec.options, spec.rows) if axis != place.along and axis not in free]
    labels = []
    for axis in axes:
        key = place.key(axis)
        if key is not None:
            label = str(key) if is_group(catalog, axis) else catalog.label(axis, key, place)
            labels.append(f"{catalog.words(axis)} {label}" if catalog.axis(axis).borrows_names else label)
    if is_figures(spec, place) and place.comparison is not None and not is_joined(place):
        labels.append(str(place.comparison.items[0]))
    return labels


def _subset(catalog: Catalog, place: Place) -> tuple[str, str]:
    """Name of the item on an optional axis without table, and the word for what it selects; empty for the first item."""
    for axis in free_options(catalog, catalog.table(place.table)):
        key = place.key(axis)
        if key:
            selected = catalog.axis(axis).selects
            return catalog.label(axis, key, place), plural(catalog, selected) if selected else ""
    return "", ""


def rows_name(catalog: Catalog, place: Place) -> str:
    """Name of the rows of a place, as options have it."""
    return table_name(catalog, row_axis(place, catalog)) if place.along else place.table


def rows_word(catalog: Catalog, place: Place) -> str:
    """Word for the rows of a place."""
    return _in_words(catalog, rows_name(catalog, place))


def _in_words(catalog: Catalog, name: str) -> str:
    return catalog.words(name.replace("_", " "))


def title(catalog: Catalog, place: Place) -> str:
    """Title of the table at a place, in a few words."""
    if isinstance(place, Counted):
        kept = f" with {place.filter}," if place.filter else ""
        return f"{title(catalog, place.base)}{kept} counted by {', '.join(place.by)}"
    spec, comparison = catalog.table(place.table), place.comparison
    if comparison is not None:
        of = f"of {len(comparison.items)} {plural(catalog, comparison.axis)}"
        measure = next((c.title for c in spec.columns if c.name == comparison.measure), comparison.measure)
        rows = title(catalog, place.plain) if is_joined(place) else _in_words(catalog, place.table)
        return f"figures {of}" if is_figures(spec, place) else f"{measure} {of}, by {rows}"
    free = free_options(catalog, spec)
    if not place.along and any(place.key(axis) is None for axis in spec.options if axis not in free):
        return f"all {_in_words(catalog, place.table)}"
    subset = " ".join(filter(None, _subset(catalog, place)))
    return f"{rows_word(catalog, place)} ({subset})" if subset else rows_word(catalog, place)


def breadcrumbs(catalog: Catalog, place: Place) -> list[str]:
    """Names of the items on the way to a place, then its title."""
    return [*key_labels(catalog, place), title(catalog, place)]


def breadcrumbs_of(session: Session, catalog: Catalog) -> list[str]:
    """Names of the items on the way to the present place, then its title, with the subset that its filter keeps."""
    place, spec = session.place, catalog.table(session.place.table)
    subset = subset_of(catalog, place, arrangement_at(session.here, spec).filter)
    return [
        *breadcrumbs(catalog, place)[:-1],
        f"{title(catalog, place)} ({subset})" if subset else title(catalog, place),
    ]


def file_parts(catalog: Catalog, place: Place) -> list[str]:
    """Parts of the name of a file with the rows of a place."""
    if isinstance(place, Counted):
        return [*file_parts(catalog, place.base), "by", *place.by]
    comparison, spec = place.comparison, catalog.table(place.table)
    parts = key_labels(catalog, place)
    if not place.along:
        parts.append(_subset(catalog, place)[0])
    if comparison is not None:
        parts.append("figures" if is_figures(spec, place) else comparison.measure)
    return [*(part for part in parts if part), catalog.words(rows_name(catalog, place))]
