"""The form of an export: which rows and columns go to which file, with a default for each, so that Enter alone writes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, cast

from rich.cells import cell_len
from rich.segment import Segment
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Input

from sing_compute.formats import Glyphs, fit
from sing_tui.exporting import EXISTS, ColumnScope, ExportWanted, Scope, form_of, problem_with
from sing_tui.provenance import provenance_path
from sing_tui.widgets.text_lines import TextLine


@dataclass(frozen=True, slots=True)
class ExportChoices:
    """The answers that an export form offers."""

    rows: Mapping[Scope, int]
    """Number of rows of each choice; the first is the default."""
    columns: Mapping[ColumnScope, int]
    """Number of columns of each choice; the first is the default."""
    name: str
    """Name of the file."""
    folder: Path
    """Folder of the file, unless a path is typed."""
    source: bool = True
    """True to offer a second file that says where the rows are from."""


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
        """Called with another answer at once: the key that follows may already be Enter."""
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
    """Write a label in the cells that all labels of a form take."""
    return f" {label:<8}"


class ExportForm(Vertical):
    """Rows, columns, format and file of an export. Only the file takes letters."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "write", "write"),
        Binding("down", "app.focus_next", "next line", show=False),
        Binding("up", "app.focus_previous", "previous line", show=False),
    ]
    DEFAULT_CSS = """
    ExportForm { width: 76; max-width: 100%; height: auto; max-height: 100%; background: $surface; border: round $primary;
        & Horizontal { height: 1; }
        & TextLine, & TextLine > .text-line--text { background: $surface; }
        & #label { width: 9; }
        & Input, & Input:focus { width: 1fr; height: 1; border: none; padding: 0; background: $boost; }
    }
    """

    class Filled(Message):
        """The form is complete."""

        def __init__(self, wanted: ExportWanted) -> None:
            super().__init__()
            self.wanted = wanted

    def __init__(self, choices: ExportChoices, glyphs: Glyphs) -> None:
        super().__init__()
        self.choices, self.glyphs = choices, glyphs
        self.replacing: Path | None = None
        """The existing file that one more Enter replaces."""

    def compose(self) -> ComposeResult:
        """Return the parts, from top to bottom."""
        rows: dict[str, str] = {scope: f"{_SCOPES[scope]} {count:,}" for scope, count in self.choices.rows.items()}
        columns: dict[str, str] = {chosen: f"{chosen} {count:,}" for chosen, count in self.choices.columns.items()}
        field = Input(self.choices.name, compact=True, select_on_focus=False)
        field.cursor_blink = False
        yield Choice("rows", rows, self.glyphs, id="rows")
        yield Choice("columns", columns, self.glyphs, id="columns")
        yield Choice("format", {"csv": "CSV", "json": "JSON"}, self.glyphs, id="format")
        with Horizontal():
            yield TextLine(self.glyphs, id="label")
            yield field
        yield TextLine(self.glyphs, id="folder", classes="place")
        if self.choices.source:
            yield Choice("source", {"no": "not written", "yes": "in a second file"}, self.glyphs, id="source")
        yield TextLine(self.glyphs, id="hint")

    def on_mount(self) -> None:
        """Start in the file name: what is typed goes there, and Enter writes at once."""
        field = self.query_one(Input)
        field.focus()
        field.cursor_position = len(field.value)
        self.query_one("#format", Choice).changed = self.give_suffix
        self.query_one("#label", TextLine).write("file")
        self.query_one("#folder", TextLine).write(f"in      {self.glyphs.text(self.choices.folder)}")
        self.show_hint()

    @property
    def path(self) -> Path:
        """The file as typed: a name in the folder, or a path of its own."""
        typed = Path(self.query_one(Input).value.strip())
        try:
            return self.choices.folder / typed.expanduser()
        except RuntimeError:  # ~ of an unknown user
            return self.choices.folder / typed

    def show_hint(self, problem: str = "") -> None:
        """Say which keys there are, or why Enter did not write."""
        hint = self.query_one("#hint", TextLine)
        hint.set_class(bool(problem), "problem")
        hint.write(
            self.glyphs.text(problem) or "Enter writes, Esc cancels",
            "" if problem else "up, down: line; left, right: choice",
        )

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
        """Choose the format of the file's suffix."""
        self.replacing = None
        self.query_one("#format", Choice).choose(form_of(self.path))
        self.show_hint()

    @on(Input.Submitted)
    def action_write(self) -> None:
        """Post what is wanted; a file that exists needs one Enter more."""
        path, typed = self.path, self.query_one(Input).value
        chosen = {choice.id: choice.chosen for choice in self.query(Choice)}
        provenance = chosen.get("source") == "yes"
        problem = problem_with(path, typed, self.replacing)
        if provenance and not problem and self.replacing is None:
            beside = provenance_path(path)
            problem = EXISTS if problem_with(beside, typed, None) == EXISTS else ""
        if problem:
            self.replacing = path if problem == EXISTS else self.replacing
            self.show_hint(problem)
            return
        scope, columns = cast(Scope, chosen["rows"]), cast(ColumnScope, chosen["columns"])
        self.post_message(self.Filled(ExportWanted(scope, columns, path, path == self.replacing, provenance)))


_SCOPES = {"marked": "marked", "shown": "shown", "table": "whole table"}
