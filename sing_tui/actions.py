"""Every key of a table screen, once: footer, help, palette and the user's key map all read this list (Textual's bindings)."""

from textual.binding import Binding

from sing_tui.start import LEVELS, Level

_PER_CLASS: tuple[Level, ...] = ("concepts", "images")

ONLY_ON: dict[str, tuple[Level, ...]] = {
    "swap('images')": ("models", "classes", "concepts"),
    "swap('concepts')": ("images",),
    "step_class(1)": ("models", *_PER_CLASS),
    "step_class(-1)": ("models", *_PER_CLASS),
    "step_concept(1)": ("classes", "concepts"),
    "step_concept(-1)": ("classes", "concepts"),
    "step_model(1)": ("classes", "concepts", "images"),
    "step_model(-1)": ("classes", "concepts", "images"),
    "across": ("classes", "concepts"),
    "subset": ("classes",),
    "photo": ("images",),
    "copy_path": ("images",),
}
"""Levels on which an action has a meaning; actions not named here have one everywhere."""


def applies(action: str, level: Level) -> bool:
    """Whether an action, as its binding writes it, has a meaning at a level."""
    return level in ONLY_ON.get(action, LEVELS)


def _key(
    keys: str, action: str, text: str, group: str, *, show: bool = False, display: str | None = None, name: str = ""
) -> Binding:
    """One key; `name` is what the user's key map calls it, the words of its help if there is none."""
    return Binding(keys, action, text, show=show, key_display=display, tooltip=group, id=name or text.replace(" ", "-"))


BINDINGS: list[Binding] = [
    _key("enter,l", "choose", "open", "go", show=True, display="enter"),
    _key("t", "finder", "find anything", "find and filter", show=True),
    _key("f,ampersand", "filter", "filter", "find and filter", show=True, display="f"),
    _key("s", "sort", "sort", "sort", show=True),
    _key("equals_sign", "beside", "side by side", "compare", show=True, display="="),
    _key("e", "export", "export", "take away", show=True),
    _key("i", "swap('images')", "images", "go", show=True),
    _key("i,c", "swap('concepts')", "concepts", "go", show=True, display="i"),
    _key("P", "photo", "photograph", "pictures", show=True),
    _key("d", "details", "details", "look", show=True),
    _key("p", "plot", "picture of the row", "pictures", show=True, name="picture"),
    _key("x", "words", "in words", "look", show=True, name="words"),
    _key("a", "across", "across models or classes", "compare", show=True, name="across"),
    _key("q", "leave", "back", "go", show=True),
    _key("question_mark,f1", "help", "help", "other", show=True, display="?"),
    _key("slash", "find", "find in this table", "find and filter", display="/", name="find"),
    _key("v", "subset", "subset of images", "look", name="subset"),
    _key("escape", "back", "back: plot, filter, then one level", "go", display="esc", name="close"),
    _key("backspace,h", "up", "back one level", "go", display="backspace"),
    _key("Q,ctrl+q", "app.quit", "quit", "go", display="Q"),
    _key("down,j", "move(1)", "next line", "move", display="down"),
    _key("up,k", "move(-1)", "previous line", "move", display="up"),
    _key("pagedown,ctrl+f", "turn(1.0)", "next page", "move", display="pgdn"),
    _key("pageup,ctrl+b", "turn(-1.0)", "previous page", "move", display="pgup"),
    _key("ctrl+d", "turn(0.5)", "half a page down", "move", display="^d"),
    _key("ctrl+u", "turn(-0.5)", "half a page up", "move", display="^u"),
    _key("home,g", "go(0)", "first line", "move", display="g"),
    _key("end,G", "go(-1)", "last line", "move", display="G"),
    _key("right,w", "column(1)", "next column", "move", display="right"),
    _key("left,b", "column(-1)", "previous column", "move", display="left"),
    _key("right_square_bracket", "step_class(1)", "next class", "go", display="]"),
    _key("left_square_bracket", "step_class(-1)", "previous class", "go", display="["),
    _key("right_curly_bracket", "step_model(1)", "next model", "go", display="}"),
    _key("left_curly_bracket", "step_model(-1)", "previous model", "go", display="{"),
    _key("right_parenthesis", "step_concept(1)", "next concept", "go", display=")"),
    _key("left_parenthesis", "step_concept(-1)", "previous concept", "go", display="("),
    _key("full_stop", "measure(1)", "compare in the next column", "compare", display=".", name="next-measure"),
    _key("comma", "measure(-1)", "compare in the previous column", "compare", display=",", name="previous-measure"),
    _key("space", "mark", "mark and step down", "mark", name="mark"),
    _key("u", "unmark", "clear all marks", "mark", name="unmark"),
    _key("r", "reverse", "reverse the sort", "sort", name="reverse"),
    _key("o", "unsort", "order of the file", "sort", name="unsort"),
    _key("n", "again(1)", "next match", "find and filter"),
    _key("N", "again(-1)", "previous match", "find and filter"),
    _key("F", "clear", "clear the filter", "find and filter", name="clear-filter"),
    _key("1", "exhibit('scatter')", "AS and IS of images, ellipses of models", "pictures", name="scatter"),
    _key("2", "exhibit('ratios')", "IS/|AS| of models with intervals", "pictures", name="ratios"),
    _key("3", "exhibit('distributions')", "distributions of classes", "pictures", name="distributions"),
    _key("4", "exhibit('strings')", "angles of concepts, before and after", "pictures", name="strings"),
    _key("5", "exhibit('validation')", "perturbations of the same length", "pictures", name="validation"),
    _key("6", "exhibit('spectrum')", "singular values", "pictures", name="spectrum"),
    _key("7", "exhibit('parts')", "common against image-specific part", "pictures", name="parts"),
    _key("asterisk", "columns", "choose columns", "look", display="*", name="columns"),
    _key("y", "copy", "copy the row", "take away", name="copy"),
    _key("Y", "copy_path", "copy the image path", "take away", name="copy-path"),
    _key("L", "link", "link: the command that reopens this view", "take away", name="link"),
    _key("ctrl+c", "cancel", "cancel a running export", "take away", display="^c", name="cancel"),
    _key("R", "reload", "read the file again", "other", name="reload"),
    _key("colon,ctrl+p", "palette", "every command by name", "other", display=":", name="palette"),
]


NAMES = frozenset(binding.id for binding in BINDINGS if binding.id)
"""What the user's key map may name."""

_SIGNS = {
    "slash": "/", "ampersand": "&", "question_mark": "?", "colon": ":", "escape": "esc", "pagedown": "pgdn", "pageup": "pgup",
    "left_square_bracket": "[", "right_square_bracket": "]", "left_curly_bracket": "{", "right_curly_bracket": "}",
    "left_parenthesis": "(", "right_parenthesis": ")", "full_stop": ".", "comma": ",", "asterisk": "*", "equals_sign": "=",
}  # fmt: skip


def key_name(key: str) -> str:
    """How a key is written in the help, in plain ASCII."""
    return _SIGNS.get(key, key.replace("ctrl+", "^"))
