"""Every key of the table screen, once: footer, help, palette and the user's key map all read this list (Textual's bindings)."""

from collections.abc import Mapping
from dataclasses import dataclass

from textual.binding import Binding

from sing_compute.store.definition import TableSpec
from sing_compute.store.place import Place
from sing_tui.session import Session
from sing_tui.session.catalog import Catalog, free_options, plural, siblings
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


def _key(
    keys: str, action: str, text: str, group: str, *, show: bool = False, display: str | None = None, name: str = ""
) -> Binding:
    """One key; `name` is what the user's key map calls it, the words of its help if there is none."""
    return Binding(keys, action, text, show=show, key_display=display, tooltip=group, id=name or text.replace(" ", "-"))


def _step(key: str, display: str, which: str, by: int, text: str) -> Binding:
    """One key that steps through the items of an axis in place."""
    name = f"{'next' if by > 0 else 'previous'}-{which}"
    return _key(key, f"step('neighbour', '{which}', {by})", text, "go", display=display, name=name)


_WITH_PHOTOGRAPHS = "charts and photographs"
"""Group of the keys of charts in the help; of a file without image files it is called `charts`."""
BINDINGS: list[Binding] = [
    _key("enter,l", "step('open')", "open", "go", show=True, display="enter"),
    _key("t", "show('finder')", "find anything", "find and filter", show=True),
    _key("f,ampersand", "type('filter')", "filter", "find and filter", show=True, display="f"),
    _key("s", "step('sort')", "sort", "sort", show=True),
    _key("C", "type('count')", "count by columns", "look", name="count-by"),
    _key("equals_sign", "step('compare')", "side by side", "compare", show=True, display="="),
    _key("e", "show('export')", "export", "take away", show=True),
    _key("i", "step('second')", "the second table about the row", "go", show=True, name="second-table"),
    _key("i,c", "step('first')", "the first table about the same items", "go", show=True, display="i", name="first-table"),
    _key("I", "step('further', 1)", "the third table about the row", "go", name="third-table"),
    _key("D", "step('further', 2)", "the fourth table about the row", "go", name="fourth-table"),
    _key("P", "show('photograph')", "photograph", _WITH_PHOTOGRAPHS, show=True),
    _key("d", "step('details')", "details", "look", show=True),
    _key("p", "step('chart', '')", "chart of the row", _WITH_PHOTOGRAPHS, show=True, name="chart"),
    _key("x", "show('words')", "in words", "look", show=True, name="words"),
    _key("a", "step('along')", "the row along the last axis of its place", "compare", show=True, name="across"),
    _key("q", "leave", "back", "go", show=True),
    _key("question_mark,f1", "show('help')", "help", "other", show=True, display="?"),
    _key("slash", "type('find')", "find in this table", "find and filter", display="/", name="find"),
    _key("v", "step('subset')", "next subset", "look", name="subset"),
    _key("escape", "back", "back: chart, filter, then one level", "go", display="esc", name="close"),
    _key("backspace,h", "step('up')", "back one level", "go", display="backspace"),
    _key("Q,ctrl+q", "app.quit", "quit", "go", display="Q"),
    _key("ctrl+z", "app.suspend_process", "suspend: fg in the shell comes back", "go", display="^z", name="suspend"),
    _key("down,j", "cursor('line', 1)", "next line", "move", display="down"),
    _key("up,k", "cursor('line', -1)", "previous line", "move", display="up"),
    _key("pagedown,ctrl+f", "cursor('page', 1.0)", "next page", "move", display="pgdn"),
    _key("pageup,ctrl+b", "cursor('page', -1.0)", "previous page", "move", display="pgup"),
    _key("ctrl+d", "cursor('page', 0.5)", "half a page down", "move", display="^d"),
    _key("ctrl+u", "cursor('page', -0.5)", "half a page up", "move", display="^u"),
    _key("home,g", "cursor('to', 0)", "first line", "move", display="g"),
    _key("end,G", "cursor('to', -1)", "last line", "move", display="G"),
    _key("right,w", "cursor('column', 1)", "next column", "move", display="right"),
    _key("left,b", "cursor('column', -1)", "previous column", "move", display="left"),
    _step("right_square_bracket", "]", "last", 1, "next item of the last axis"),
    _step("left_square_bracket", "[", "last", -1, "previous item of the last axis"),
    _step("right_curly_bracket", "}", "first", 1, "next item of the first axis"),
    _step("left_curly_bracket", "{", "first", -1, "previous item of the first axis"),
    _key("right_parenthesis", "next_row(1)", "next row, or item that the rows are of", "go", display=")", name="next-row"),
    _key("left_parenthesis", "next_row(-1)", "previous row, or item", "go", display="(", name="previous-row"),
    _key("full_stop", "step('measure', 1)", "compare in the next column", "compare", display=".", name="next-measure"),
    _key("comma", "step('measure', -1)", "compare in the previous column", "compare", display=",", name="previous-measure"),
    _key("space", "mark", "mark and step down", "mark", name="mark"),
    _key("A", "step('mark_all')", "mark all rows that pass the filter", "mark", name="mark-all"),
    _key("V", "step('mark_range')", "mark from the last mark to here", "mark", name="mark-range"),
    _key("T", "type('mark')", "mark the first rows: their number", "mark", name="mark-top"),
    _key("u", "step('unmark')", "clear all marks", "mark", name="unmark"),
    _key("S", "step('sort', 0)", "sort, and stay on the row", "sort", name="sort-and-stay"),
    _key("plus", "step('also')", "sort also by this column", "sort", display="+", name="sort-also"),
    _key("r", "step('reverse')", "reverse the sort", "sort", name="reverse"),
    _key("o", "step('unsort')", "order of the file", "sort", name="unsort"),
    _key("n", "again(1)", "next match", "find and filter"),
    _key("N", "again(-1)", "previous match", "find and filter"),
    _key("F", "step('clear')", "clear the filter", "find and filter", name="clear-filter"),
    *(
        _key(str(number), f"step('chart', {number})", f"chart {number}", _WITH_PHOTOGRAPHS, name=f"chart-{number}")
        for number in range(1, 10)
    ),
    _key("asterisk", "show('columns')", "choose columns", "look", display="*", name="columns"),
    _key("y", "show('copy cell')", "copy the cell", "take away", name="copy-cell"),
    _key("Y", "show('copy')", "copy the row", "take away", name="copy"),
    _key("ctrl+y", "show('copy path')", "copy the path of the photograph", "take away", display="^y", name="copy-path"),
    _key("L", "show('link')", "link: the command that reopens this view", "take away", name="link"),
    _key("ctrl+c", "show('cancel')", "cancel a running export", "take away", display="^c", name="cancel"),
    _key("R", "show('reload')", "read the file again", "other", name="reload"),
    _key("colon,ctrl+p", "show('palette')", "every command by name", "other", display=":", name="palette"),
]  # fmt: skip
OLD_NAMES = {
    "images": "second-table", "concepts": "first-table", "picture": "chart", "next-class": "next-last",
    "previous-class": "previous-last", "next-model": "next-first", "previous-model": "previous-first",
    "next-concept": "next-row", "previous-concept": "previous-row", "scatter": "chart-1", "ratios": "chart-2",
    "distributions": "chart-3", "strings": "chart-4", "validation": "chart-5", "spectrum": "chart-6", "parts": "chart-7",
}  # fmt: skip
"""Names that the key maps of users may still have, and the present ones."""
NAMES = frozenset(binding.id for binding in BINDINGS if binding.id) | frozenset(OLD_NAMES)
"""The names that a user's key map may have."""


def present_names(keys: Mapping[str, str]) -> dict[str, str]:
    """Return a user's key map with the present names of its actions."""
    return {OLD_NAMES.get(name, name): value for name, value in keys.items()}


_SIGNS = {
    "slash": "/", "ampersand": "&", "question_mark": "?", "colon": ":", "escape": "esc", "pagedown": "pgdn", "pageup": "pgup",
    "left_square_bracket": "[", "right_square_bracket": "]", "left_curly_bracket": "{", "right_curly_bracket": "}",
    "left_parenthesis": "(", "right_parenthesis": ")", "full_stop": ".", "comma": ",", "asterisk": "*", "equals_sign": "=",
    "plus": "+",
}  # fmt: skip


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


def keys_of(place: Place, catalog: Catalog, titles: ChartTitles, own: Mapping[str, str]) -> list[KeyHelp]:
    """List the keys that have a meaning at a place.

    Args:
        place: The table.
        catalog: What the file holds.
        titles: Titles of the table's charts.
        own: The user's key map by action.
    """
    found = []
    for binding in BINDINGS:
        text = text_of(binding, place, catalog, titles)
        if text is None:
            continue
        group = binding.tooltip if catalog.has_photographs else binding.tooltip.replace(_WITH_PHOTOGRAPHS, "charts")
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
        for key in keys_of(here.place, catalog, {}, own)
        if key.show
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
        case ["show", "photograph" | "copy path"] if not has_photographs(place, catalog):
            return None
    return binding.description


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


def _neighbour(catalog: Catalog, place: Place, which: Which, by: int) -> str | None:
    axis = stepped_axis(catalog, place, which)
    return None if axis is None else f"{_DIRECTIONS[by]} {catalog.words(axis)}"


def _next_row(catalog: Catalog, place: Place, by: int) -> str | None:
    spec = catalog.table(place.table)
    return None if is_figures(spec, place) or not spec.within else f"{_DIRECTIONS[by]} {catalog.words(spec.rows)}"


_DIRECTIONS = {1: "next", -1: "previous"}


def key_name(key: str) -> str:
    """Write a key as the help does, in plain ASCII."""
    return _SIGNS.get(key, key.replace("ctrl+", "^"))
