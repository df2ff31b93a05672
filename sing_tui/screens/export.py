"""The form of an export: which rows and columns go to which file, with a default for each, so that Enter alone writes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, cast

from rich.cells import cell_len
from rich.segment import Segment
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Input

from sing_tui.export import Scope, form_of
from sing_tui.formats import Glyphs, fit
from sing_tui.widgets.lines import TextLine

Chosen = Literal["all", "shown"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be written where; `replace` is True only where the user was told that the file exists."""

    scope: Scope
    columns: Chosen
    path: Path
    replace: bool


class Choice(Widget, can_focus=True):
    """One line with a label and a few answers, of which one is chosen: all of them where they fit, else that one."""

    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right,space", "step(1)", "next"),
        Binding("left", "step(-1)", "previous"),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {"choice--text", "choice--chosen"}
    DEFAULT_CSS = """
    Choice { height: 1; width: 1fr; background: $surface; color: $foreground;
        & > .choice--text { background: $surface; color: $foreground; }
        & > .choice--chosen { background: $surface; color: $accent; text-style: bold; }
        &:focus > .choice--chosen { background: $surface; color: $accent; text-style: bold reverse; }
        &:ansi > .choice--text { background: ansi_default; color: ansi_default; }
        &:ansi > .choice--chosen { background: ansi_default; color: ansi_default; text-style: bold; }
        &:ansi:focus > .choice--chosen { background: ansi_default; color: ansi_default; text-style: bold reverse; }
    }
    """

    def __init__(self, label: str, answers: Mapping[str, str], glyphs: Glyphs, *, id: str) -> None:
        super().__init__(id=id)
        self.changed: Callable[[str], None] = lambda answer: None
        """Told another answer at once: the key that follows may already be Enter."""
        self.label, self.answers, self.glyphs = label, dict(answers), glyphs
        self.chosen = next(iter(self.answers))

    def choose(self, answer: str) -> None:
        """Choose an answer by its key."""
        if answer != self.chosen:
            self.chosen = answer
            self.refresh()

    def action_step(self, step: int) -> None:
        """Choose the next or previous answer, going round."""
        keys = list(self.answers)
        if len(keys) > 1:
            self.choose(keys[(keys.index(self.chosen) + step) % len(keys)])
            self.changed(self.chosen)

    def on_click(self) -> None:
        """The mouse goes to the next answer."""
        self.action_step(1)

    def render_line(self, y: int) -> Strip:
        """Paint the line."""
        width = self.size.width
        plain, strong = self.get_component_rich_style("choice--text"), self.get_component_rich_style("choice--chosen")
        texts = [
            (f"{self.glyphs.left}{text}{self.glyphs.right}" if key == self.chosen else f" {text} ", key == self.chosen)
            for key, text in self.answers.items()
        ]
        label = label_text(self.label)
        if len(label) + sum(cell_len(text) for text, _ in texts) > width:
            place = f" {list(self.answers).index(self.chosen) + 1}/{len(texts)}"
            room = width - len(label) - len(place)
            text = next(text for text, chosen in texts if chosen)
            texts = [(fit(text, max(0, min(cell_len(text), room)), self.glyphs), True), (place, False)]
        segments = [Segment(label, plain), *(Segment(text, strong if chosen else plain) for text, chosen in texts)]
        return Strip(segments).adjust_cell_length(width, plain)


def label_text(label: str) -> str:
    """A label in the cells that all labels of a form take."""
    return f" {label:<8}"


class ExportScreen(ModalScreen[Wanted | None]):
    """Rows, columns, format and file of an export; dismissed with what is wanted, or None. Only the file takes letters."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "cancel"),
        Binding("enter", "write", "write"),
        Binding("down", "app.focus_next", "next line", show=False),
        Binding("up", "app.focus_previous", "previous line", show=False),
    ]
    DEFAULT_CSS = """
    ExportScreen { align: center middle; }
    ExportScreen > Vertical { width: 76; max-width: 100%; height: auto; max-height: 100%; background: $surface;
        border: round $primary; }
    ExportScreen.ascii > Vertical { border: ascii $primary; }
    ExportScreen Horizontal { height: 1; }
    ExportScreen TextLine, ExportScreen TextLine > .text-line--text { background: $surface; }
    ExportScreen #label { width: 9; }
    ExportScreen Input, ExportScreen Input:focus { width: 1fr; height: 1; border: none; padding: 0; background: $boost; }
    """

    def __init__(
        self, *, glyphs: Glyphs, counts: Mapping[str, int], columns: Mapping[str, int], name: str, folder: Path
    ) -> None:
        super().__init__(classes="ascii" if glyphs.ascii_only else "")
        self.glyphs, self.suggested, self.folder = glyphs, name, folder
        self.rows = {scope: f"{_SCOPES[scope]} {count:,}" for scope, count in counts.items()}
        self.columns = {chosen: f"{chosen} {count:,}" for chosen, count in columns.items()}
        self.replacing: Path | None = None
        """The existing file that one more Enter replaces."""

    def compose(self) -> ComposeResult:
        """The parts, from top to bottom."""
        field = Input(self.suggested, compact=True, select_on_focus=False)
        field.cursor_blink = False
        with Vertical():
            yield Choice("rows", self.rows, self.glyphs, id="rows")
            yield Choice("columns", self.columns, self.glyphs, id="columns")
            yield Choice("format", {"csv": "CSV", "json": "JSON"}, self.glyphs, id="format")
            with Horizontal():
                yield TextLine(self.glyphs, id="label")
                yield field
            yield TextLine(self.glyphs, id="folder", classes="place")
            yield TextLine(self.glyphs, id="hint")

    def on_mount(self) -> None:
        """Start in the file name: what is typed goes there, and Enter writes at once."""
        field = self.query_one(Input)
        field.focus()
        field.cursor_position = len(field.value)
        self.query_one("#format", Choice).changed = self.give_suffix
        self.query_one("#label", TextLine).write("file")
        self.query_one("#folder", TextLine).write(f"in      {self.glyphs.text(self.folder)}")
        self.show_hint()

    @property
    def path(self) -> Path:
        """The file as typed: a name in the folder, or a path of its own."""
        typed = Path(self.query_one(Input).value.strip())
        try:
            return self.folder / typed.expanduser()
        except RuntimeError:  # ~ of somebody unknown
            return self.folder / typed

    def show_hint(self, problem: str = "") -> None:
        """Say which keys there are, or why Enter did not write."""
        hint = self.query_one("#hint", TextLine)
        hint.set_class(bool(problem), "problem")
        hint.write(problem or "Enter writes, Esc cancels", "" if problem else "up, down: line; left, right: choice")

    def give_suffix(self, form: str) -> None:
        """Give the file the suffix of its format."""
        field = self.query_one(Input)
        stem = field.value.strip()
        for suffix in (".csv", ".json"):
            stem = stem[: -len(suffix)] if stem.lower().endswith(suffix) else stem
        field.value = f"{stem}.{form}"
        field.cursor_position = len(field.value)

    @on(Input.Changed)
    def name_changed(self) -> None:
        """The suffix of the file is its format."""
        self.replacing = None
        self.query_one("#format", Choice).choose(form_of(self.path))
        self.show_hint()

    @on(Input.Submitted)
    def action_write(self) -> None:
        """Hand back what is wanted; a file that exists needs one Enter more."""
        problem = self.problem()
        if problem:
            self.show_hint(problem)
            return
        chosen = {choice.id: choice.chosen for choice in self.query(Choice)}
        path = self.path
        scope, columns = cast(Scope, chosen["rows"]), cast(Chosen, chosen["columns"])
        self.dismiss(Wanted(scope, columns, path, replace=path == self.replacing))

    def problem(self) -> str:
        """Why the file cannot be written yet, in one line; empty if it can."""
        path = self.path
        if not self.query_one(Input).value.strip():
            return "give the file a name"
        try:
            if path.is_dir():
                return "this is a folder: give the name of a file"
            if not path.parent.is_dir():
                return f"there is no folder {self.glyphs.text(path.parent)}"
            if path.exists() and path != self.replacing:
                self.replacing = path
                return "the file exists: Enter replaces it"
        except OSError as error:
            return f"not possible: {error.strerror or error}"
        return ""


_SCOPES = {"marked": "marked", "shown": "shown", "table": "whole table"}
