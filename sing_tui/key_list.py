"""Every key of the table screen, once: footer, help, palette and the user's key map all read this list (Textual's bindings)."""

from collections.abc import Mapping

from textual.binding import Binding


def _key(
    keys: str, action: str, text: str, group: str, *, show: bool = False, display: str | None = None, name: str = ""
) -> Binding:
    """One key; `name` is what the user's key map calls it, the words of its help if there is none."""
    return Binding(keys, action, text, show=show, key_display=display, tooltip=group, id=name or text.replace(" ", "-"))


def _step(key: str, display: str, which: str, by: int, text: str) -> Binding:
    """One key that steps through the items of an axis in place."""
    name = f"{'next' if by > 0 else 'previous'}-{which}"
    return _key(key, f"step('neighbour', '{which}', {by})", text, "go", display=display, name=name)


WITH_PHOTOGRAPHS = "charts and photographs"
"""Group of the keys of charts in the help; of a file without image files it is called `charts`."""
BINDINGS: list[Binding] = [
    _key("enter,l", "step('open')", "open", "go", show=True, display="enter"),
    _key("t", "show('finder')", "find anything", "find and filter", show=True),
    _key("f,ampersand", "type('filter')", "filter", "find and filter", show=True, display="f"),
    _key("s", "step('sort')", "sort", "sort", show=True),
    _key("C", "type('count')", "count by columns", "look", name="count-by"),
    _key("B", "step('files')", "both files", "compare", show=True),
    _key("equals_sign", "step('compare')", "side by side", "compare", show=True, display="="),
    _key("H", "show('look')", "look at the column", "look", name="look"),
    _key("X", "show('pair')", "this column against the sorted one", "look", name="pair"),
    _key("e", "show('export')", "export", "take away", show=True),
    _key("i", "step('second')", "the second table about the row", "go", show=True, name="second-table"),
    _key("i,c", "step('first')", "the first table about the same items", "go", show=True, display="i", name="first-table"),
    _key("I", "step('further', 1)", "the third table about the row", "go", name="third-table"),
    _key("D", "step('further', 2)", "the fourth table about the row", "go", name="fourth-table"),
    _key("E", "step('misclassified')", "misclassified", "go", name="misclassified"),
    _key("P", "show('photograph')", "photograph", WITH_PHOTOGRAPHS, show=True),
    _key("d", "step('details')", "details", "look", show=True),
    _key("O", "show('contact sheet')", "contact sheet", WITH_PHOTOGRAPHS, show=True, name="contact-sheet"),
    _key("p", "step('chart', '')", "chart of the row", WITH_PHOTOGRAPHS, show=True, name="chart"),
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
        _key(str(number), f"step('chart', {number})", f"chart {number}", WITH_PHOTOGRAPHS, name=f"chart-{number}")
        for number in range(1, 10)
    ),
    _key("M", "show('map')", "map of all pairs", WITH_PHOTOGRAPHS, name="map"),
    _key("U", "step('undo')", "undo filter, sort or columns", "find and filter", name="undo"),
    _key("W", "show('views')", "views with a name: open, keep", "look", name="views"),
    _key("K", "show('colors')", "colours behind numbers: on, off", "look", name="colors"),
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
    "plus": "+", "minus": "-",
}  # fmt: skip


def key_name(key: str) -> str:
    """Write a key as the help does, in plain ASCII."""
    return _SIGNS.get(key, key.replace("ctrl+", "^"))
