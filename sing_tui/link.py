"""A view as the command line that reopens it, and back: the headless twin, the key L and the state file share it."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from sing_compute.errors import SingError
from sing_compute.store import Store, Table
from sing_tui.place import Place
from sing_tui.start import LEVELS, Start, Wish
from sing_tui.view import Arrangement, View, column_named, first_direction

UNSORTED = "-"
"""What --sort says for the order of the file."""


def start_of(
    store: Store, place: Place, view: View, *, line: int = 0, columns: Sequence[str] = (), picture: str | None = None
) -> Start:
    """What the command line would say to come to this view."""
    beside, arrangement = place.beside, view.arrangement
    wish = Wish(
        table=place.level,
        model=place.model or None,
        class_name=None if place.class_index is None else _class_name(store, place.class_index),
        subset=None if place.subset == "all" else place.subset,
        concept=None if place.concept is None else _concept_name(store, place.concept),
        compare=None if beside is None else beside.measure,
        with_models=() if beside is None else beside.models,
        with_classes=() if beside is None else tuple(_class_name(store, c) for c in beside.classes[1:]),
    )
    sort, reverse = UNSORTED, False
    if arrangement.sort:
        sort = arrangement.sort
        reverse = arrangement.descending != first_direction(view.table.column(sort))
    return Start(wish, arrangement.filter, sort, reverse, line + 1, tuple(columns), picture)


def _class_name(store: Store, index: int) -> str:
    """The name of a class if it leads back to it, else its index."""
    try:
        name = str(store.class_names[index])
        return name if name.isprintable() and store.find_class(name) == index else str(index)
    except SingError:
        return str(index)


def _concept_name(store: Store, index: int) -> str:
    name = str(store.concept_names[index])
    same = [str(other).casefold() for other in store.concept_names].index(name.casefold()) == index
    return name if same and name.isprintable() and name.strip() == name else str(index)


def command(file: Path, start: Start) -> str:
    """The shell command that opens the file there."""
    wish = start.wish
    options: list[tuple[str, str | None]] = [
        ("--table", wish.table),
        ("--model", wish.model),
        ("--class", wish.class_name),
        ("--subset", wish.subset),
        ("--concept", wish.concept),
        ("--compare", wish.compare),
        *(("--with-model", name) for name in wish.with_models[1:]),
        *(("--with-class", name) for name in wish.with_classes),
        ("--filter", start.filter or None),
        ("--sort", start.sort),
        ("--columns", ",".join(start.columns) or None),
        ("--row", str(start.row) if start.row > 1 else None),
        ("--picture", start.picture),
    ]
    words = ["sing-tui", str(file)]
    for option, value in options:
        if value is not None:
            words += [f"{option}={value}"] if value.startswith("-") else [option, value]
    return shlex.join([*words, *(["--reverse"] if start.reverse else [])])


def arrangement_of(table: Table, start: Start, default: Arrangement) -> Arrangement:
    """Filter and sort that a start asks for; `default` says the order where it asks for none.

    Raises:
        SingError: The table has no such column.
    """
    wanted = default
    if start.sort == UNSORTED:
        wanted = Arrangement()
    elif start.sort is not None:
        column = column_named(table, start.sort)
        wanted = Arrangement("", column.name, first_direction(column))
    falling = wanted.descending != start.reverse and bool(wanted.sort)
    return Arrangement(start.filter, wanted.sort, falling)


def as_dict(start: Start) -> dict[str, Any]:
    """A start as plain values."""
    return asdict(start)


def from_dict(kept: Mapping[str, Any]) -> Start | None:
    """The start that such values say; None where they say none. They may have been changed by hand."""
    try:
        wish = dict(kept["wish"])
        for name in ("with_models", "with_classes"):
            wish[name] = tuple(map(str, wish[name]))
        if wish["table"] not in LEVELS or not all(
            value is None or isinstance(value, str) for name, value in wish.items() if not isinstance(value, tuple)
        ):
            return None
        rest = {name: value for name, value in kept.items() if name != "wish"}
        start = Start(Wish(**wish), **rest)
        start = replace(start, columns=tuple(map(str, start.columns)), row=int(start.row), reverse=bool(start.reverse))
        texts = all(isinstance(text, str | None) for text in (start.filter, start.sort, start.picture))
        return start if texts and start.filter is not None else None
    except (KeyError, TypeError, ValueError):
        return None
