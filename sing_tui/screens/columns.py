"""The columns of a table to choose from; the first, which says what a row is, always stays."""

from collections.abc import Collection, Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList

from sing_compute.formats import Glyphs, fit
from sing_compute.store import Column
from sing_tui.widgets.text_lines import TextLine


class ColumnList(OptionList):
    """Lines to choose from; Enter takes the choice instead of changing it, a click changes it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "screen.take", "take", show=False),
        Binding("j", "cursor_down", "next", show=False),
        Binding("k", "cursor_up", "previous", show=False),
        Binding("g", "first", "first", show=False),
        Binding("G", "last", "last", show=False),
    ]


class ColumnScreen(ModalScreen[tuple[str, ...] | None]):
    """A list of columns with a mark at those chosen; dismissed with their names in the order of the table, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "cancel"),
        Binding("enter", "take", "take"),
        Binding("space", "choose", "choose"),
        Binding("a", "set_all(True)", "all"),
        Binding("n", "set_all(False)", "only the first"),
    ]
    DEFAULT_CSS = """
    ColumnScreen { align: center middle; }
    ColumnScreen > Vertical { width: 76; max-width: 100%; max-height: 100%; background: $surface;
        border: round $primary; }
    ColumnScreen.ascii > Vertical { border: ascii $primary; }
    ColumnScreen ColumnList, ColumnScreen ColumnList:focus { height: 1fr; border: none; padding: 0 1;
        background: $surface; scrollbar-size: 0 0; text-wrap: nowrap; text-overflow: clip; }
    ColumnScreen TextLine, ColumnScreen TextLine > .text-line--text { background: $surface; }
    """

    def __init__(self, columns: Sequence[Column], shown: Collection[str], *, glyphs: Glyphs) -> None:
        super().__init__(classes="ascii" if glyphs.ascii_only else "")
        self.columns, self.glyphs = columns, glyphs
        self.chosen = {column.name for column in columns if column.name in shown} | {
            column.name for column in columns[:1]
        }

    def compose(self) -> ComposeResult:
        """The parts, from top to bottom."""
        with Vertical():
            yield ColumnList(*map(self.line, self.columns), markup=False)
            yield TextLine(self.glyphs, id="hint")

    def on_mount(self) -> None:
        """Start once the parts exist."""
        self.query_one(Vertical).styles.height = len(self.columns) + 3  # hint and border
        options = self.query_one(ColumnList)
        options.focus()
        options.highlighted = 0 if self.columns else None
        self.count()

    def line(self, column: Column) -> Content:
        """A column as one line: mark, title, name, unit."""
        mark = "x" if column.name in self.chosen else " "
        unit = "" if column.unit in ("text", "1") else f" [{self.glyphs.text(column.unit)}]"
        title = fit(self.glyphs.text(column.title), 22, self.glyphs)
        return Content(f"[{mark}] {title} {self.glyphs.text(column.name)}{unit}")

    def count(self) -> None:
        """Say how many are chosen and which keys there are."""
        text = f"{len(self.chosen)} of {len(self.columns)} columns: space chooses"
        self.query_one("#hint", TextLine).write(text, "a all, n only the first, Enter takes")

    def action_choose(self) -> None:
        """Choose the highlighted column, or no longer."""
        row = self.query_one(ColumnList).highlighted
        if row:
            self.chosen ^= {self.columns[row].name}
            self.query_one(ColumnList).replace_option_prompt_at_index(row, self.line(self.columns[row]))
            self.count()
        elif row == 0:
            self.query_one("#hint", TextLine).write(
                f"{self.glyphs.text(self.columns[0].title)} names the rows: it stays"
            )

    @on(OptionList.OptionSelected)
    def clicked(self) -> None:
        """A click chooses."""
        self.action_choose()

    def action_set_all(self, chosen: bool) -> None:
        """Choose all columns, or none but the first."""
        self.chosen = {column.name for column in (self.columns if chosen else self.columns[:1])}
        for row, column in enumerate(self.columns):
            self.query_one(ColumnList).replace_option_prompt_at_index(row, self.line(column))
        self.count()

    def action_take(self) -> None:
        """Hand back the names chosen."""
        self.dismiss(tuple(column.name for column in self.columns if column.name in self.chosen))
