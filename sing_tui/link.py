"""A view as the command line that reopens it, and back: the headless twin, the key L and the state file share it."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from sing_compute.errors import SingError
from sing_compute.store import Table
from sing_compute.store.place import Key
from sing_tui.search import aliases
from sing_tui.session import Session
from sing_tui.session.catalog import Catalog, free_options
from sing_tui.session.counted import Counted, base_of
from sing_tui.session.lookup import words_of
from sing_tui.session.state import Arrangement, columns_at
from sing_tui.session.subsets import within_subset
from sing_tui.start import ALIASES, WITH_ALIASES, Start, Wish, parted
from sing_tui.view import View, column_named, first_direction, sortable

UNSORTED = "-"
"""The value of --sort for the order of the file."""


def start_of(catalog: Catalog, session: Session, view: View, *, with_chart: bool = False) -> Start:
    """Return what the command line would say to come to the present view.

    Args:
        catalog: What the file holds.
        session: Where the user is.
        view: The table.
        with_chart: True to name the chart that fills the screen.
    """
    here, arrangement = session.here, view.arrangement
    sort, reverse = UNSORTED, False
    if arrangement.sort:
        sort = arrangement.sort
        reverse = arrangement.descending != first_direction(view.table.column(sort))
    if arrangement.then:
        natural = first_direction(view.table.column(arrangement.then))
        sort += "," + ("-" if (arrangement.then_descending != natural) != reverse else "") + arrangement.then
    chart = here.chart if with_chart and here.body == "chart" and here.chart else None
    place = here.place
    counts = place if isinstance(place, Counted) else None
    return Start(
        words_of(catalog, base_of(place), _options_below(catalog, session, arrangement.filter)),
        arrangement.filter if counts is None else counts.filter,
        sort,
        reverse,
        here.line + 1,
        columns_at(session),
        chart,
        () if counts is None else counts.by,
        "" if counts is None else arrangement.filter,
    )


def _options_below(catalog: Catalog, session: Session, filter: str) -> dict[str, Key | None]:
    """Return the subset and the like that the table below is of, where the present table is about one of its rows.

    A subset of the present rows that their filter does not keep is left out: the command line would keep it.
    """
    below = session.below
    if below is None or below.place.along or session.place.along:
        return {}
    spec = catalog.table(below.place.table)
    agree = all(session.place.key(axis) == below.place.key(axis) for axis in spec.within)
    if not agree or session.place.key(spec.rows) is None:
        return {}
    found = {axis: below.place.key(axis) for axis in free_options(catalog, spec) if below.place.key(axis)}
    place = session.place
    return found if within_subset(catalog, place, found, filter) == filter else {}


def command(file: Path, start: Start, other: Path | None = None) -> str:
    """Return the shell command that opens the file there, with the other file where there are two."""
    wish = start.wish
    named = dict(map(parted, wish.at))
    aliases = [(f"--{axis}", named[axis]) for axis in ALIASES if axis in named]
    others = [("--at", f"{axis}={item}") for axis, item in named.items() if axis not in ALIASES]
    compared = [parted(text) for text in wish.others]
    options: list[tuple[str, str | None]] = [
        ("--table", wish.table),
        *aliases,
        *others,
        ("--compare", wish.compare),
        *((f"--with-{axis}", item) for axis, item in compared if axis in WITH_ALIASES),
        *(("--with", f"{axis}={item}") for axis, item in compared if axis not in WITH_ALIASES),
        ("--filter", start.filter or None),
        ("--count-by", ",".join(start.count_by) or None),
        ("--having", start.having or None),
        ("--sort", start.sort),
        ("--columns", ",".join(start.columns) or None),
        ("--row", str(start.row) if start.row > 1 else None),
        ("--picture", start.chart),
        ("--look", ",".join(start.look) or None),
        ("--top", str(start.top) if start.top else None),
    ]
    words = ["sing-tui", str(file), *([] if other is None else [str(other)])]
    for option, value in options:
        if value is not None:
            words += [f"{option}={value}"] if value.startswith("-") else [option, value]
    return shlex.join([*words, *(["--reverse"] if start.reverse else [])])


def arrangement_of(table: Table, start: Start, default: Arrangement) -> Arrangement:
    """Return filter and sort that a start asks for.

    Args:
        table: The table.
        start: What is asked for.
        default: Its sort counts where the start asks for none.

    Raises:
        SingError: The table has no such column.
    """
    wanted = default
    if start.sort == UNSORTED:
        wanted = Arrangement()
    elif start.sort is not None:
        wanted = _sort_of(table, start.sort)
    if start.reverse and wanted.sort:
        wanted = replace(
            wanted, descending=not wanted.descending, then_descending=not wanted.then_descending and bool(wanted.then)
        )
    return replace(wanted, filter=start.having if start.count_by else start.filter)


def columns_of(table: Table, start: Start) -> tuple[str, ...]:
    """Return the names of the columns that a start asks for; none where it asks for all.

    Raises:
        SingError: The table has no such column, or one is named twice.
    """
    names = [column_named(table, name).name for name in start.columns]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise SingError(f"--columns names {twice} twice")
    return tuple(names)


def _sort_of(table: Table, text: str) -> Arrangement:
    """Return the sort that `COLUMN` or `COLUMN,COLUMN` asks for; a minus before the second one turns its direction."""
    names = [text] if text.lower() in aliases(table) else text.split(",")  # a name may hold a comma
    if len(names) > 2:
        raise SingError(f"--sort takes one or two columns, not {len(names)}")
    first = sortable(column_named(table, names[0]))
    found = Arrangement("", first.name, first_direction(first))
    if len(names) == 1:
        return found
    turned = names[1].strip().startswith("-")
    second = sortable(column_named(table, names[1].strip().removeprefix("-")))
    if second.name == first.name:
        raise SingError(f"--sort names {first.name} twice")
    return replace(found, then=second.name, then_descending=first_direction(second) != turned)


def as_dict(start: Start) -> dict[str, Any]:
    """Return a start as plain values."""
    return asdict(start)


def from_dict(kept: Mapping[str, Any]) -> Start | None:
    """Return the start that plain values say; None where they say none.

    They may have been changed by hand, or written before tables were declared.
    """
    try:
        known = dict(kept["wish"])
        wish = _wish(known) if "at" in known else _old_wish(known)
        chart = kept["chart"] if "chart" in kept else kept.get("picture")
        start = Start(
            wish, kept["filter"], kept["sort"], bool(kept["reverse"]), int(kept["row"]), _texts(kept["columns"]), chart,
            _texts(kept.get("count_by", ())), str(kept.get("having", "")),
        )  # fmt: skip
    except (KeyError, TypeError, ValueError):
        return None
    texts = (wish.table, wish.compare, start.sort, chart)
    good = isinstance(start.filter, str) and all(isinstance(text, str | None) for text in texts)
    return start if good else None


def _texts(values: Sequence[object]) -> tuple[str, ...]:
    return tuple(map(str, values))


def _wish(known: Mapping[str, Any]) -> Wish:
    return Wish(known["table"], _texts(known["at"]), known["compare"], _texts(known["others"]))


def _old_wish(known: Mapping[str, Any]) -> Wish:
    """Return the place that versions before declared tables remembered; the first compared item was named twice there."""
    named = [(axis, known["class_name" if axis == "class" else axis]) for axis in ALIASES]
    at = tuple(f"{axis}={item}" for axis, item in named if item is not None)
    models = [f"model={name}" for name in known["with_models"][1:]]
    return Wish(known["table"], at, known["compare"], (*models, *(f"class={name}" for name in known["with_classes"])))
