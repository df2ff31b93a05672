"""A look at a column over the table: its statistics and histogram, or its scatter against another column."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Static

from sing_compute.allocator import give_memory_back
from sing_compute.errors import SingError
from sing_compute.formats import Glyphs
from sing_compute.store import Table
from sing_tui.actions import Offer
from sing_tui.charts.column_charts import bar_lines, facts_lines, pair_line, scatter_lines
from sing_tui.colors import chart_colors
from sing_tui.column_bins import FEW, MANY
from sing_tui.column_figures import ColumnFigures
from sing_tui.error_reporting import in_one_line
from sing_tui.looking import Figures, Looked, across_of, can_look, look, look_table, looked_of
from sing_tui.screens.background import Background
from sing_tui.screens.overlay import Overlay
from sing_tui.search import Stop
from sing_tui.view import View
from sing_tui.widgets.text_lines import KeyLine, TextLine

_TALL = 40
"""Lines from which a histogram has more bins."""


class LookScreen(Overlay[str | None]):
    """Figures of a column; dismissed with the filter of the chosen bar, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,backspace,h", "dismiss(None)", "close"),
        Binding("H", "switch(False)", "statistics and histogram; once more closes"),
        Binding("X", "switch(True)", "this column against another; once more closes"),
        Binding("full_stop,right", "column(1)", "next column"),
        Binding("comma,left", "column(-1)", "previous column"),
        Binding("down,j", "bar(1)", "next bar"),
        Binding("up,k", "bar(-1)", "previous bar"),
        Binding("pagedown,ctrl+f,ctrl+d", "bar(10)", "ten bars on"),
        Binding("pageup,ctrl+b,ctrl+u", "bar(-10)", "ten bars back"),
        Binding("home,g", "bar(-1000000)", "first bar"),
        Binding("end,G", "bar(1000000)", "last bar"),
        Binding("l", "scale", "logarithmic scale"),
        Binding("enter", "take", "filter"),
        Binding("e", "take_away('export')", "export"),
        Binding("L", "take_away('link')", "link"),
        Binding("Q,ctrl+q", "app.quit", "quit"),
    ]
    DEFAULT_CSS = """
    LookScreen > Vertical { width: 100%; height: 100%; background: $background; }
    LookScreen Static { height: 1fr; width: 1fr; background: $background; color: $foreground; padding: 0 1; }
    LookScreen Static:ansi { background: ansi_default; color: ansi_default; }
    """

    def __init__(
        self, view: View, names: Sequence[str], looked: Looked, *, glyphs: Glyphs,
        export: Callable[[Table, str], None], link: Callable[[tuple[str, ...]], None],
    ) -> None:  # fmt: skip
        """Prepare the screen.

        Args:
            view: The table, with the rows that pass the filter.
            names: Names of its columns in the order of the screen.
            looked: The first column.
            glyphs: The signs of the screen.
            export: Exports a table; the other argument is a part of the file's name.
            link: Shows the command that opens the figures of these columns.
        """
        super().__init__()
        self.view, self.names, self.looked, self.glyphs = view, names, looked, glyphs
        self.found: Figures | None = None
        self.answered = False
        """True if the screen shows the figures that were asked for last, or why there are none."""
        self.bar = 0
        self._export, self._link = export, link
        self._background = Background(self, self._failed)

    def compose(self) -> ComposeResult:
        """Return the parts, from top to bottom."""
        with Vertical():
            yield TextLine(self.glyphs, id="title", classes="place")
            yield Static(markup=False)
            yield TextLine(self.glyphs, id="note")
            yield KeyLine(self.glyphs)

    def on_mount(self) -> None:
        """Read the first column."""
        self.read(self.looked)

    def on_unmount(self) -> None:
        """Let go of the figures: those of a pair hold both columns, and Textual may keep a closed screen for a while."""
        self.found = None
        give_memory_back()

    def on_resize(self) -> None:
        """Draw again in the new size."""
        self.call_after_refresh(self.draw)

    def read(self, looked: Looked) -> None:
        """Compute the figures of other columns in a thread."""
        self.looked = looked = replace(looked, bins=MANY if self.size.height >= _TALL else FEW)
        self.answered = False
        self.say("counting ...")
        self._background.run("column", partial(_read, self.view, looked), partial(self._show, looked))

    def _show(self, looked: Looked, found: Figures) -> None:
        if looked == self.looked:
            self.found, self.bar = found, 0
            if isinstance(found, ColumnFigures) and len(found) and not found.column.is_text:
                self.bar = int(found.shown.argmax())
            self.say("")
            self.draw()
            self.answered = True

    def _failed(self, problem: str) -> None:
        if self.looked.logarithmic:
            self.looked = replace(self.looked, logarithmic=False)  # the figures that are drawn are of the other scale
        else:
            self.found = None
            self.draw()
        self.say(problem)
        self.answered = True

    def say(self, message: str) -> None:
        """Show one line; without a message it is the filter."""
        kept = self.view.arrangement.filter
        if self.is_open:
            self.query_one("#note", TextLine).write(self.glyphs.text(message or (kept and f"filter {kept}")))

    def draw(self) -> None:
        """Draw the figures in the present size."""
        if not self.is_open:
            return
        static = self.query_one(Static)
        found, room = self.found, static.content_size
        column = self.view.table.column(self.looked.name)
        every = self.view.table.length
        rows = (
            f"{len(self.view):,} of {every:,} rows pass "
            if len(self.view) < every
            else f"{every:,} row{'s' * (every != 1)} "
        )
        against = f" against {self.view.table.column(self.looked.across).title}" if self.looked.across else ""
        scale = ", logarithmic" if self.looked.logarithmic else ""
        what = "" if against else f"  {column.name}{scale}"
        self.query_one("#title", TextLine).write(self.glyphs.text(f"{column.title}{against}{what}"), rows)
        lines: list[Text] = []
        colors = chart_colors(static.rich_style)
        if isinstance(found, ColumnFigures):
            lines = facts_lines(found, room.width, self.glyphs)
            lines += bar_lines(found, room.width, room.height - len(lines), self.bar, self.glyphs, colors)
        elif found is not None:
            lines = [pair_line(found, room.width, self.glyphs)]
            lines += scatter_lines(found, room.width, room.height - len(lines), self.glyphs, colors)
        static.update(Text("\n").join(lines))
        self._offer()

    def _offer(self) -> None:
        bars = (Offer("j k", "bars"), Offer("enter", "filter", "take"), Offer("l", "log", "scale"))
        steps = (*(() if self.looked.across else bars), Offer(". ,", "columns"))
        last = (Offer("e", "export", "take_away('export')"), Offer("L", "link", "take_away('link')"))
        self.query_one(KeyLine).offer((*steps, *last, Offer("esc", "close", "dismiss(None)")))

    def action_switch(self, pair: bool) -> None:
        """Show the histogram or the pair, the other one than now; close what is there already."""
        if pair == bool(self.looked.across):
            self.dismiss(None)
            return
        name = self.looked.name
        try:
            names = [name, across_of(self.view, self.names, name)] if pair else [name]
            self.read(looked_of(self.view.table, names))
        except SingError as error:
            self.say(in_one_line(error))

    def action_column(self, by: int) -> None:
        """Look at the next or previous column, of a pair the one that is drawn from left to right."""
        table, pair = self.view.table, bool(self.looked.across)
        names = [
            name for name in self.names if can_look(table, name, pair=pair) and (not pair or name != self.looked.name)
        ]
        present = self.looked.across or self.looked.name
        name = names[(names.index(present) + by) % len(names)] if present in names else names[0]
        self.read(Looked(self.looked.name, name) if pair else Looked(name))

    def action_bar(self, by: int) -> None:
        """Choose another bar."""
        if isinstance(self.found, ColumnFigures) and len(self.found):
            self.bar = max(0, min(self.bar + by, len(self.found) - 1))
            self.draw()

    def on_click(self, event: events.Click) -> None:
        """Choose the clicked bar; a double click filters by it."""
        bar = event.style.meta.get("bar")
        if bar is not None and isinstance(self.found, ColumnFigures) and bar < len(self.found):
            self.bar = bar
            self.draw()
            if event.chain == 2:
                self.action_take()

    def action_scale(self) -> None:
        """Change between bins of equal width and of equal ratio."""
        if self.looked.across or self.view.table.column(self.looked.name).is_text:
            self.say("only the histogram of numbers has a logarithmic scale")
        else:
            self.read(Looked(self.looked.name, logarithmic=not self.looked.logarithmic))

    def action_take(self) -> None:
        """Close, and keep the rows of the chosen bar."""
        found = self.found
        if not isinstance(found, ColumnFigures) or not len(found):
            self.say("there is no bar to filter by")
        elif not found.shown[self.bar]:
            self.say("no row that passes is in this bar")
        else:
            self.dismiss(found.condition(self.bar))

    def action_take_away(self, what: str) -> None:
        """Export the figures, or show the command that opens them."""
        if what == "link":
            self._link(self.looked.names)
        elif self.found is None:
            self.say("there is nothing to export yet")
        else:
            try:
                self._export(look_table(self.found), "-".join(self.looked.names))
            except SingError as error:
                self.say(in_one_line(error))


def _read(view: View, looked: Looked, stop: Stop) -> Figures:
    return look(view, looked)
