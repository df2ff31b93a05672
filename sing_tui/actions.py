"""Every key of a table screen, once: footer, help and palette all read this list (Textual's bindings)."""

from textual.binding import Binding

from sing_tui.place import LEVELS, Level

_PER_CLASS: tuple[Level, ...] = ("concepts", "images")

ONLY_ON: dict[str, tuple[Level, ...]] = {
    "swap('images')": ("models", "classes", "concepts"),
    "swap('concepts')": ("images",),
    "step_class(1)": _PER_CLASS,
    "step_class(-1)": _PER_CLASS,
    "step_model(1)": ("classes", "concepts", "images"),
    "step_model(-1)": ("classes", "concepts", "images"),
    "subset": ("classes",),
}
"""Levels on which an action has a meaning; actions not named here have one everywhere."""


def applies(action: str, level: Level) -> bool:
    """Whether an action, as its binding writes it, has a meaning at a level."""
    return level in ONLY_ON.get(action, LEVELS)


def _key(keys: str, action: str, text: str, group: str, *, show: bool = False, display: str | None = None) -> Binding:
    return Binding(keys, action, text, show=show, key_display=display, tooltip=group)


BINDINGS: list[Binding] = [
    _key("enter,l", "choose", "open", "go", show=True, display="enter"),
    _key("slash", "find", "find", "find and filter", show=True, display="/"),
    _key("f,ampersand", "filter", "filter", "find and filter", show=True, display="f"),
    _key("s", "sort", "sort", "sort", show=True),
    _key("e", "export", "export CSV", "take away", show=True),
    _key("i", "swap('images')", "images", "go", show=True),
    _key("i,c", "swap('concepts')", "concepts", "go", show=True, display="i"),
    _key("d", "details", "details", "look", show=True),
    _key("p", "plot", "plot", "look", show=True),
    _key("x", "words", "in words", "look", show=True),
    _key("v", "subset", "subset", "look", show=True),
    _key("q", "leave", "back", "go", show=True),
    _key("question_mark,f1", "help", "help", "other", show=True, display="?"),
    _key("escape", "back", "back: plot, filter, then one level", "go", display="esc"),
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
    _key("r", "reverse", "reverse the sort", "sort"),
    _key("o", "unsort", "order of the file", "sort"),
    _key("n", "again(1)", "next match", "find and filter"),
    _key("N", "again(-1)", "previous match", "find and filter"),
    _key("F", "clear", "clear the filter", "find and filter"),
    _key("y", "copy", "copy the row (OSC 52)", "take away"),
    _key("R", "reload", "read the file again", "other"),
    _key("colon,ctrl+p", "palette", "every command by name", "other", display=":"),
]


_SIGNS = {
    "slash": "/", "ampersand": "&", "question_mark": "?", "colon": ":", "escape": "esc", "pagedown": "pgdn", "pageup": "pgup",
    "left_square_bracket": "[", "right_square_bracket": "]", "left_curly_bracket": "{", "right_curly_bracket": "}",
}  # fmt: skip


def key_name(key: str) -> str:
    """How a key is written in the help, in plain ASCII."""
    return _SIGNS.get(key, key.replace("ctrl+", "^"))
