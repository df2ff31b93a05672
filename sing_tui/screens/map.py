"""The map over the table: one figure of every pair of two axes as one picture, with the pair under the cursor named."""

import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from rich.color import ColorType
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from sing_compute.errors import SingError
from sing_compute.store import Table
from sing_compute.store.place import Place
from sing_tui.actions import Offer
from sing_tui.colors import BLACK, WHITE
from sing_tui.error_reporting import in_one_line
from sing_tui.maps.drawing import Palette, palette_of
from sing_tui.maps.reading import MapRead, read, read_figures
from sing_tui.maps.view import MapStart, MapView
from sing_tui.maps.words import HELP, legend_of, order_text, pair_text, title
from sing_tui.screens.background import Background
from sing_tui.screens.host import Host
from sing_tui.screens.overlay import Overlay
from sing_tui.session.catalog import position_of
from sing_tui.session.names import key_labels
from sing_tui.widgets.map_grid import MapGrid
from sing_tui.widgets.map_lines import LegendLine
from sing_tui.widgets.text_lines import KeyLine, TextLine

if TYPE_CHECKING:
    from sing_tui.finder import Hit

Left = tuple[MapStart, bool]
"""The start that shows a map again as it was left, and True if the table of the pair under the cursor is to be opened."""
_FEW_COLORS = (None, "standard", "windows")


ExportTable = Callable[[Table, str], None]
"""Opens the form of an export: of a table, with the last part of the file's name."""


class MapScreen(Overlay[Left | None]):
    """A map; dismissed with how it was left, or None where it was not read."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,M,backspace", "leave(False)", "close"),
        Binding("Q,ctrl+q", "app.quit", "quit"),
        Binding("enter", "leave(True)", "open"),
        Binding("down,j", "move(1, 0)", "down"),
        Binding("up,k", "move(-1, 0)", "up"),
        Binding("right,l", "move(0, 1)", "right"),
        Binding("left,h", "move(0, -1)", "left"),
        Binding("pagedown,ctrl+f,ctrl+d", "page(1, 0)", "page down"),
        Binding("pageup,ctrl+b,ctrl+u", "page(-1, 0)", "page up"),
        Binding("w", "page(0, 1)", "page right"),
        Binding("b", "page(0, -1)", "page left"),
        Binding("home", "end(0, -1)", "first column"),
        Binding("end", "end(0, 1)", "last column"),
        Binding("g", "end(-1, 0)", "first row"),
        Binding("G", "end(1, 0)", "last row"),
        Binding("z,plus", "zoom(1)", "nearer"),
        Binding("Z,minus", "zoom(-1)", "farther"),
        Binding("full_stop", "figure(1)", "next figure"),
        Binding("comma", "figure(-1)", "previous figure"),
        Binding("o", "order", "order"),
        Binding("t,slash", "find", "find"),
        Binding("e", "export", "export"),
    ]
    DEFAULT_CSS = """
    MapScreen { background: $surface; overflow: hidden; }
    MapScreen.low .figures, MapScreen.low .place { display: none; }
    """

    def __init__(self, host: Host, export: ExportTable, place: Place, start: MapStart) -> None:
        """Prepare the screen.

        Args:
            host: The application.
            export: Opens the form of an export (`TakingAway.export_table`), which goes on when the map is closed.
            place: Place of the map, `along` the axis of its rows.
            start: How the map is first seen.
        """
        super().__init__()
        self.host, self.catalog, self.glyphs, self.place, self.start = host, host.catalog, host.glyphs, place, start
        self.view: MapView | None = None
        self.names: tuple[str, ...] = ()
        """The figures that can be mapped here."""
        self._waiting: list[Callable[[MapView], MapView]] = []
        """Steps of keys that were pressed before the map was there."""
        self._asked = False
        self.background, self.export = Background(self, self.failed), export

    def compose(self) -> ComposeResult:
        """Return the parts, from top to bottom."""
        yield TextLine(self.glyphs, classes="place")
        yield LegendLine(self.glyphs)
        yield MapGrid(self.glyphs)
        yield TextLine(self.glyphs, classes="pair")
        yield TextLine(self.glyphs, classes="figures")
        yield KeyLine(self.glyphs)

    def on_mount(self) -> None:
        """Start reading once the parts exist."""
        keys = (
            Offer("enter", "open", "leave(True)"), Offer("z Z", "zoom"), Offer(".", "figure", "figure(1)"),
            Offer("o", "order", "order"), Offer("t", "find", "find"), Offer("e", "export", "export"),
            Offer("esc", "back", "leave(False)"), Offer("?", "help", "help"),
        )  # fmt: skip
        self.query_one(KeyLine).offer(keys)
        self._name_place("map")
        self.query_one(MapGrid).show(None, None, "reading ...")

    def on_resize(self) -> None:
        """Fit the map to the new room."""
        self.set_class(self.size.height < 10, "low")
        if not self._asked:  # from the start the thread would hold up the first frame
            self._asked = True
            self._read(self.start.figure)
        self.call_after_refresh(self._fit)

    def _fit(self) -> None:
        if self.is_open and self.view is not None and not self.view.is_empty:
            room = self.query_one(MapGrid).room
            if room != self.view.window.room:
                self.become(self.view.resized(room))

    def _read(self, name: str) -> None:
        if self.view is not None:
            self.say("reading ...")
        self.background.run("map", partial(read, self.catalog.store, self.place, name), self._show)

    def _show(self, found: MapRead) -> None:
        grid, self.names = self.query_one(MapGrid), found.names
        if not grid.size:  # read before there was a place for it
            self.call_after_refresh(self._show, found)
            return
        grid.palette = self._palette(signed=found.shown.signed)
        if self.view is not None and not self.view.is_empty:
            self.become(self.view.of_figure(found.shown))
            return
        view = MapView.of(found.shown, grid.room, self.start)
        for step in () if view.is_empty else self._waiting:
            view = step(view)
        self.become(view)

    def failed(self, problem: str) -> None:
        """Say why something could not be read."""
        if self.view is None:
            self.query_one(MapGrid).show(None, None, problem)
        else:
            self.say(problem)

    def say(self, text: str) -> None:
        """Show one line until the cursor moves."""
        if self.is_open:
            self.query_one(".pair", TextLine).write(self.glyphs.text(text))

    def become(self, view: MapView) -> None:
        """Draw another view."""
        self.view = view
        palette, grid = self._palette(signed=view.shown.signed), self.query_one(MapGrid)
        shown, glyphs = view.shown, self.glyphs
        self._name_place(title(shown, self.catalog.words))
        grid.show(view, palette, "no values" if view.is_empty else "")
        self.query_one(LegendLine).show(legend_of(shown, glyphs), palette, order_text(view))
        if not view.is_empty:
            self._name_pair(view)

    def _name_place(self, what: str) -> None:
        steps = [self.catalog.title(self.place), *key_labels(self.catalog, self.place), what]
        self.query_one(".place", TextLine).write(f" {self.glyphs.crumb} ".join(map(self.glyphs.text, steps)))

    def _name_pair(self, view: MapView) -> None:
        """Name the pair under the cursor; its stored figures follow."""
        self.query_one(".pair", TextLine).write(pair_text(view, self.catalog.words, self.glyphs))
        line = self.query_one(".figures", TextLine)
        line.write("")
        work = partial(read_figures, self.catalog.store, self.place, view.left, self.glyphs)
        self.background.run("pair", work, partial(self._show_figures, view.left))

    def _show_figures(self, pair: MapStart, text: str) -> None:
        if self.view is not None and pair == self.view.left:
            self.query_one(".figures", TextLine).write(text)

    def _palette(self, *, signed: bool) -> Palette | None:
        """Return the colours of this terminal and theme; None where signs are painted."""
        if self.glyphs.ascii_only or "NO_COLOR" in os.environ or self.app.console.color_system in _FEW_COLORS:
            return None
        dark = self.app.current_theme.dark
        back = self.query_one(MapGrid).get_component_rich_style("map-grid--text").bgcolor
        known = back is not None and back.type is ColorType.TRUECOLOR
        empty = back.get_truecolor() if known and back is not None else BLACK if dark else WHITE
        return palette_of(empty, dark=dark, signed=signed)

    def _act(self, step: Callable[[MapView], MapView]) -> None:
        if self.view is None:
            self._waiting.append(step)
        elif not self.view.is_empty:
            self.become(step(self.view))

    def action_move(self, down: int, across: int) -> None:
        """Move the cursor by blocks."""
        self._act(lambda view: view.moved(down, across))

    def action_page(self, down: int, across: int) -> None:
        """Move the cursor by half of what is seen."""

        def paged(view: MapView) -> MapView:
            seen = view.window.seen
            return view.moved(down * max(1, seen[0] // 2), across * max(1, seen[1] // 2))

        self._act(paged)

    def action_end(self, down: int, across: int) -> None:
        """Move the cursor to an end."""
        self._act(lambda view: view.moved(down * view.window.count[0], across * view.window.count[1]))

    def action_zoom(self, by: int) -> None:
        """Show more or less of the map."""
        self._act(lambda view: view.zoomed(by))

    def action_order(self) -> None:
        """Sort by strength, or as the file does."""
        self._act(lambda view: view.reordered())

    def action_figure(self, by: int) -> None:
        """Show the next or previous figure."""
        if self.view is not None and self.view.shown.column.name in self.names:
            self._read(self.names[(self.names.index(self.view.shown.column.name) + by) % len(self.names)])

    def on_mouse_scroll_down(self) -> None:  # noqa: D102
        self.action_move(3, 0)

    def on_mouse_scroll_up(self) -> None:  # noqa: D102
        self.action_move(-3, 0)

    @on(MapGrid.Clicked)
    def clicked(self, message: MapGrid.Clicked) -> None:
        """Put the cursor where the mouse clicked."""
        self._act(lambda view: view.at_screen(message.unit))

    def action_leave(self, opens: bool) -> None:
        """Close, and perhaps open the table of the pair under the cursor."""
        if self.view is not None and not self.view.is_empty:
            self.dismiss((self.view.left, opens))
        elif opens:
            self.tell("there is no map here yet" if self.view is None else "this map has no values")
        else:
            self.dismiss(None)

    def action_find(self) -> None:
        """Find an item by name."""
        from sing_tui.screens.finder import FinderScreen

        finder = FinderScreen(self.host.finder, self.place, glyphs=self.glyphs)
        self.app.push_screen(finder, self._go_to)

    def _go_to(self, hit: "Hit | None") -> None:
        if hit is None or self.view is None or self.view.is_empty:
            return
        found = self.view.at_item(hit.axis, position_of(self.catalog, hit.axis, hit.identity, hit.place))
        if found is None:
            self.say(f"{hit.text} is not on this map")
        else:
            self.become(found)

    def help_text(self) -> str:
        """Return how to read the map, and its keys."""
        return HELP

    def action_export(self) -> None:
        """Ask for the file of an export."""
        from sing_compute.charts.maps import map_table

        if self.view is None or self.view.is_empty:
            self.tell("there is no map here yet" if self.view is None else "this map has no values")
            return
        shown = self.view.shown
        table = map_table(self.catalog.store, shown, self.view.rows, self.view.columns)
        try:
            self.export(table, f"map_{shown.column.name}")
        except SingError as error:
            self.say(in_one_line(error))
