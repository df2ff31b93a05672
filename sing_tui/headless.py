"""Tables without a screen: the rows that a command line asks for, of one model or of all."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from sing_compute.errors import SingError
from sing_compute.store import Column
from sing_compute.store.columns import Values
from sing_compute.store.place import Key, Place
from sing_tui.link import arrangement_of, columns_of
from sing_tui.looking import look, look_table, looked_of
from sing_tui.session.catalog import free_options, is_group
from sing_tui.session.counted import counted
from sing_tui.session.files import is_joined
from sing_tui.session.lookup import find_place
from sing_tui.session.names import rows_word
from sing_tui.session.state import Arrangement, is_figures
from sing_tui.session.subsets import selecting_axis, within_subset
from sing_tui.start import Start, option, parted
from sing_tui.store_catalog import StoreCatalog
from sing_tui.view import View, arrange


def headless_view(catalog: StoreCatalog, start: Start) -> tuple[View, tuple[str, ...] | None]:
    """Return the rows that a start asks for, in the order of the file unless it says another, and the columns; no screen.

    Of a chart it is the numbers that are drawn, for the row that the cursor would be on.

    Raises:
        SingError: The file does not hold what was asked for.
    """
    place, named = find_place(catalog, start.wish)
    _refuse_silent_choice(catalog, place, named)
    start = replace(start, filter=within_subset(catalog, place, named, start.filter))
    note = _lost_options(catalog, place, named, start.filter)
    if start.chart is not None:
        _refuse_beside_chart(catalog, place, start)
    if start.count_by:
        if start.chart is not None:
            raise SingError("--count-by and --chart do not go together")
        place = counted(place, start.filter, start.count_by)
    table = catalog.open(place)
    table = replace(table, note="; ".join(filter(None, (table.note, note))))
    view = arrange(table, arrangement_of(table, start, Arrangement()))
    if start.top:
        view = replace(view, order=view.order[: start.top])
    if start.look:
        return arrange(look_table(look(view, looked_of(table, start.look))), Arrangement()), None
    columns = columns_of(table, start) or None
    if start.chart is None:
        return view, columns
    from sing_compute.formats import UNICODE
    from sing_tui.loading import read_chart

    figures = is_figures(catalog.table(place.table), place)
    row = None if figures or not len(view) else view.identity(min(start.row, len(view)) - 1)
    drawn = read_chart(catalog.store, place, start.chart, row, UNICODE)
    note = "; ".join(filter(None, (f"numbers of {catalog.files[0]} alone" if is_joined(place) else "", note)))
    return arrange(replace(drawn.table, note=note), Arrangement()), None


def _refuse_beside_chart(catalog: StoreCatalog, place: Place, start: Start) -> None:
    """Refuse options that the numbers of a chart would not follow.

    Raises:
        SingError: One of them is there.
    """
    lost = [option(axis) for axis in free_options(catalog, catalog.table(place.table)) if place.key(axis)]
    lost += ["--filter"] if start.filter else []
    lost += ["--columns"] if start.columns else []
    if lost:
        raise SingError(f"{lost[0]} and --chart do not go together: a chart is of all {catalog.words(place.table)}")


def _lost_options(catalog: StoreCatalog, place: Place, named: Mapping[str, Key | None], filter: str) -> str:
    """Say which subset is named that the rows do not follow; empty for none."""
    known = {name for spec in catalog.tables() for name in free_options(catalog, spec)}
    axis = selecting_axis(catalog, place)
    for name in known & set(named):
        if named[name] and place.key(name) is None and not (filter and axis is not None and axis.name == name):
            one = catalog.words(catalog.axis(name).selects or name)
            return f"{option(name)} does not change these {rows_word(catalog, place)}: they are of all {one}s"
    return ""


def headless_views(catalog: StoreCatalog, start: Start, axis: str) -> tuple[dict[str, View], tuple[str, ...]]:
    """Return the rows of every item of a group axis, such as every model, and the columns that all of them have.

    Args:
        catalog: The open file.
        start: What was asked for; it names no item of the axis.
        axis: The axis.

    Returns:
        A view by the name of the item, and names of columns in the order of the first; an item without the table is left out.

    Raises:
        SingError: An item is named, or no item has the table.
    """
    wish = start.wish
    if any(parted(text)[0] == axis for text in wish.at):
        raise SingError(f"--all-{axis}s and {option(axis)} do not go together")
    views: dict[str, View] = {}
    problem: SingError | None = None
    for name in catalog.items(axis, None):
        one = replace(start, wish=replace(wish, at=(f"{axis}={name}", *wish.at)))
        try:
            place, _ = find_place(catalog, one.wish)
        except SingError as error:
            problem = error
            continue
        if place.key(axis) is None or place.along == axis:
            raise SingError(
                f"--all-{axis}s goes with tables that are of one {axis}; here each {axis} has a row or column"
            )
        if place.comparison is not None and place.comparison.axis == axis:
            raise SingError(
                f"--all-{axis}s does not go with a comparison of {axis}s: name one with {option(axis, 'NAME')}"
            )
        try:
            views[name], chosen = headless_view(catalog, one)
        except SingError as error:
            problem = error
    for name, view in views.items():
        own = next((column for column in view.table.columns if column.name == axis), None)
        if own is not None and {str(cell) for cell in own.values.all()} - {name}:
            raise SingError(f"--all-{axis}s goes with what is of one {axis}; here the rows say their {axis} already")
    if not views:
        raise problem or SingError(f"{catalog.store.path.name} holds no {axis}")
    first = next(iter(views.values()))
    names = chosen or [column.name for column in first.table.columns]
    common = [n for n in names if all(n in {c.name for c in view.table.columns} for view in views.values())]
    return views, tuple(common)


def _refuse_silent_choice(catalog: StoreCatalog, place: Place, named: Mapping[str, Key | None]) -> None:
    """Refuse to choose one of several models and the like that nobody has named: a file of numbers would not say whose they are.

    Raises:
        SingError: It lists them.
    """
    for axis in catalog.table(place.table).within:
        compared = place.comparison is not None and place.comparison.axis == axis
        if axis in named or compared or axis == place.along or not is_group(catalog, axis):
            continue
        names = list(catalog.items(axis, None))
        if len(names) > 1:
            several = f" or --all-{axis}s" if axis == "model" else ""
            raise SingError(f"whose {place.table}? add {option(axis, 'NAME')}{several}; there are: {', '.join(names)}")


def with_item(view: View, axis: str, name: str) -> View:
    """Return the view with a first column that says which item of an axis its rows are of.

    Args:
        view: The rows.
        axis: The axis: the name of the column.
        name: The item.
    """
    column = Column(axis, axis, "text", f"{axis} of the row", Values(np.full(view.table.length, name)))
    others = [each for each in view.table.columns if each.name != axis]
    return replace(view, table=replace(view.table, columns=[column, *others], rankings={}))
