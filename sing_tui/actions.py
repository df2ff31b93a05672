"""The keys of the table screen at a place: which ones have a meaning there, and what each one does."""

from collections.abc import Mapping
from dataclasses import dataclass

from textual.binding import Binding

from sing_compute.store.definition import TableSpec
from sing_compute.store.place import Place
from sing_tui.key_list import BINDINGS, WITH_PHOTOGRAPHS, key_name
from sing_tui.session import Session
from sing_tui.session.catalog import Catalog, free_options, plural, siblings
from sing_tui.session.files import can_join, is_joined
from sing_tui.session.mapping import mapped_table
from sing_tui.session.misclassified import predicted_table
from sing_tui.session.moves import (
    Which,
    along_axis,
    further_table,
    further_tables,
    second_table,
    stepped_axis,
)
from sing_tui.session.state import is_figures
from sing_tui.session.subsets import selecting_axis

ChartTitles = Mapping[str, str]
"""Title of each chart by its name."""


@dataclass(frozen=True, slots=True)
class KeyHelp:
    """One key of a table, for the footer, the help and the palette."""

    keys: str
    """Its keys, the user's own where there are some, with blanks between them."""
    name: str
    action: str
    text: str
    """Its effect here, in a few words."""
    group: str
    label: str
    """The key in the footer."""
    show: bool
    """True if the footer offers it."""


def keys_of(
    place: Place, catalog: Catalog, titles: ChartTitles, own: Mapping[str, str], *, footer: bool = False
) -> list[KeyHelp]:
    """List the keys that have a meaning at a place.

    Args:
        place: The table.
        catalog: What the file holds.
        titles: Titles of the table's charts.
        own: The user's key map by action.
        footer: True for the keys of the lowest line alone: others may take imports to find out.
    """
    found = []
    for binding in BINDINGS:
        if footer and not binding.show:
            continue
        text = text_of(binding, place, catalog, titles)
        if text is None:
            continue
        group = binding.tooltip if catalog.has_photographs else binding.tooltip.replace(WITH_PHOTOGRAPHS, "charts")
        keys = own.get(binding.id or "")
        written = " ".join(key_name(key.strip()) for key in (keys or binding.key).split(","))
        label = written.partition(" ")[0] if keys is not None else binding.key_display or binding.key
        found.append(KeyHelp(written, binding.id or "", binding.action, text, group, label, binding.show))
    return found


@dataclass(frozen=True, slots=True)
class Offer:
    """One key in the lowest line."""

    key: str
    text: str
    action: str = ""
    """Its action, for a click on it; empty where it stands for several keys."""


def footer(session: Session, catalog: Catalog, own: Mapping[str, str]) -> tuple[Offer, ...]:
    """List the most useful keys of the screen with what they do, help last."""
    here = session.here
    if session.typing is not None:
        return (Offer("enter", session.typing.purpose), Offer("esc", "cancel", "back"))
    if here.body != "table":
        charts = len(catalog.table(here.place.table).charts)
        numbers = (Offer(f"1-{charts}", "charts"),) if charts > 1 else ()
        last = (Offer("e", "export", "show('export')"), Offer("?", "help", "show('help')"))
        return (Offer("esc", "back to the table", "back"), Offer("j k", "other rows"), *numbers, *last)
    first = len(session.visits) == 1
    return tuple(
        Offer(key.label, "quit" if key.action == "leave" and first else key.text, key.action)
        for key in keys_of(here.place, catalog, {}, own, footer=True)
    )


def text_of(binding: Binding, place: Place, catalog: Catalog, titles: ChartTitles) -> str | None:
    """Say what a key does at a place, in a few words; None where it has no meaning there."""
    match _parts(binding.action):
        case ["step", "second" | "first" as name]:
            return _second(catalog, place, first=name == "first")
        case ["step", "further", number]:
            return _table_name(catalog, further_table(catalog, place, int(number)))
        case ["step", "along"]:
            return _along(catalog, place)
        case ["step", "neighbour", "last" | "first" as which, by]:
            return _neighbour(catalog, place, which, int(by))
        case ["next_row", by]:
            return _next_row(catalog, place, int(by))
        case ["step", "subset"]:
            axes = free_options(catalog, catalog.table(place.table))
            if axes:
                return f"next {axes[0].replace('_', ' ')}"
            return "next subset" if selecting_axis(catalog, place) is not None else None
        case ["step", "chart", number] if number.isdecimal():
            charts = catalog.table(place.table).charts
            if int(number) > len(charts):
                return None
            return catalog.words(titles.get(charts[int(number) - 1], charts[int(number) - 1]))
        case ["step", "misclassified"]:
            return _misclassified(place, catalog)
        case ["step", "compare"] if is_joined(place) and not is_figures(catalog.table(place.table), place):
            return "all figures" if not place.along else binding.description
        case ["step", "files"]:
            if is_joined(place):
                return f"{catalog.files[0]} alone"
            return binding.description if can_join(catalog, place) else None
        case ["show", "map"]:
            return _map(catalog, place)
        case ["show", "photograph" | "contact sheet" | "copy path"] if not has_photographs(place, catalog):
            return None
    return binding.description


def _misclassified(place: Place, catalog: Catalog) -> str | None:
    spec = predicted_table(catalog, place)
    if spec is None:
        return None
    rows = plural(catalog, spec.rows)
    if spec.name == place.table:
        return catalog.words(f"misclassified {rows}, counted by pairs of classes")
    return catalog.words(f"misclassified {rows}")


def _parts(action: str) -> list[str]:
    """Split an action as a binding writes it into its name and its arguments."""
    name, _, arguments = action.partition("(")
    return [name, *(part.strip(" '") for part in arguments.removesuffix(")").split(",") if arguments)]


def has_photographs(place: Place, catalog: Catalog) -> bool:
    """Return True if the names of the rows are paths of image files."""
    spec = catalog.table(place.table)
    return (
        catalog.has_photographs
        and not place.along
        and any(c.name == spec.label and c.format == "path" for c in spec.columns)
    )


def _second(catalog: Catalog, place: Place, *, first: bool) -> str | None:
    """Name the second table; with `first` only one that is the first table about the same items, else only others."""
    spec, target = catalog.table(place.table), second_table(catalog, place)
    if target is None:
        return None
    below = [table for table in catalog.tables() if spec.name in table.opens]
    replaces = target.name in {table.name for table in siblings(catalog, spec)}
    is_first = replaces and any(table.opens[0] == target.name for table in below)
    return catalog.words(target.name.replace("_", " ")) if is_first == first else None


def _table_name(catalog: Catalog, table: TableSpec | None) -> str | None:
    return None if table is None else catalog.words(table.name.replace("_", " "))


def hidden_tables(place: Place, catalog: Catalog) -> list[tuple[str, str]]:
    """List the tables about the row, or about the same items, that no key opens: name, and the action that opens each."""
    tables = further_tables(catalog, place)
    return [
        (catalog.words(table.name.replace("_", " ")), f"step('further', {number})")
        for number, table in enumerate(tables)
        if number > 2 and table is not None
    ]


def _along(catalog: Catalog, place: Place) -> str | None:
    axis, spec = along_axis(catalog, place), catalog.table(place.table)
    if axis is None or is_figures(spec, place):
        return None
    return catalog.words(f"{spec.name} of this {axis}") if place.along else f"across {plural(catalog, axis)}"


def _map(catalog: Catalog, place: Place) -> str | None:
    spec = mapped_table(catalog, place)
    return None if spec is None else catalog.words(f"map: {spec.within[-1]} x {spec.rows}".replace("_", " "))


def _neighbour(catalog: Catalog, place: Place, which: Which, by: int) -> str | None:
    axis = stepped_axis(catalog, place, which)
    return None if axis is None else f"{_DIRECTIONS[by]} {catalog.words(axis)}"


def _next_row(catalog: Catalog, place: Place, by: int) -> str | None:
    spec = catalog.table(place.table)
    return None if is_figures(spec, place) or not spec.within else f"{_DIRECTIONS[by]} {catalog.words(spec.rows)}"


_DIRECTIONS = {1: "next", -1: "previous"}
