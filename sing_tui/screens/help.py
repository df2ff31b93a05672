"""Help: the keys of the screen below, from its bindings, and what each of its columns means, from the file's schema."""

from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

if TYPE_CHECKING:
    from sing_tui.screens.table import TableScreen

_FILTER_HELP = (
    "cat                      a word in any text column",
    "Cat                      with a capital, case counts",
    "is > 20 and abs(as) < 3  numbers: + - * / abs, and or not, brackets",
    "class ~ cat              text that contains; !~ does not",
    'class = "cat"            text that is; != is not',
    "is_centred > 3           columns by title or by name",
    "accuracy < 90%           shares also as percent",
)


class Help(ModalScreen[None]):
    """Keys and columns of one table screen, as text to scroll through."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,f1,h,backspace,enter", "dismiss", "close"),
        Binding("down,j", "scroll(1)", "down", show=False),
        Binding("up,k", "scroll(-1)", "up", show=False),
        Binding("pagedown,space,ctrl+f,ctrl+d", "scroll(10)", "page down", show=False),
        Binding("pageup,ctrl+b,ctrl+u", "scroll(-10)", "page up", show=False),
        Binding("home,g", "scroll(-9999)", "top", show=False),
        Binding("end,G", "scroll(9999)", "end", show=False),
    ]
    DEFAULT_CSS = """
    Help { align: center middle; }
    Help > VerticalScroll { width: 90%; max-width: 110; height: 90%; padding: 0 2; background: $surface;
        scrollbar-size: 0 0; border: round $primary; }
    Help.ascii > VerticalScroll { border: ascii $primary; }
    Help Static { width: 1fr; height: auto; }
    """

    def __init__(self, about: "TableScreen") -> None:
        super().__init__(classes="ascii" if about.explorer.glyphs.ascii_only else "")
        self.about = about

    def compose(self) -> ComposeResult:
        """The parts, from top to bottom."""
        with VerticalScroll():
            yield Static(self._text(), markup=False)

    def _text(self) -> Text:
        glyphs, about = self.about.explorer.glyphs, self.about
        text = Text()
        text.append(f"{about.place.level}: keys and columns", style="bold")
        text.append("    j k scroll, Esc closes\n")
        groups: dict[str, list[str]] = {}
        for keys, binding in about.key_list():
            groups.setdefault(binding.tooltip, []).append(f"  {keys:<13} {binding.description}\n")
        for group, lines in groups.items():
            text.append(f"\n{group}\n", style="bold")
            text.append("".join(lines))
        text.append("\nfilters\n", style="bold")
        text.append("".join(f"  {line}\n" for line in _FILTER_HELP))
        if about.view is not None:
            text.append("\ncolumns\n", style="bold")
            for column in about.view.table.columns:
                unit = "" if column.unit in ("text", "1") else f" [{column.unit}]"
                text.append(f"  {glyphs.text(column.title)}", style="bold")
                text.append(f"  {column.name}{unit}\n      {glyphs.text(column.description)}\n")
        return text

    def action_scroll(self, lines: int) -> None:
        """Scroll by lines."""
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)
