"""Reading and arranging the tables of a screen: in threads where they are large, between two keys where they are small."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from sing_compute.errors import SingError
from sing_compute.store.columns import Loaded
from sing_compute.store.place import Place
from sing_tui.error_reporting import in_one_line
from sing_tui.loading import DetailWanted, TableRead, arrange_again, load_cells, read_after, read_detail, read_table
from sing_tui.screens.surface import Surface
from sing_tui.search import Stop
from sing_tui.session.arranging import arrange_as, arrangement, close_body, shown_as
from sing_tui.session.state import at_cursor, columns_at, is_figures
from sing_tui.store_catalog import StoreCatalog
from sing_tui.view import View
from sing_tui.widgets.columns import AT_ONCE
from sing_tui.widgets.details_pane import pane_mode


class TableReading:
    """The newest request of a screen; what an earlier one brings is dropped."""

    def __init__(self, screen: Surface, first: TableRead) -> None:
        self.screen, self._first = screen, first
        self.under_way = False
        """True while the table of a place is read."""
        self._arranging = False
        """True while a thread filters or sorts the table."""
        self._newest = 0
        self._before: StoreCatalog | None = None
        """The file that was open before, until the session is about the one that took its place."""
        self._loading: list[Loaded] = []
        self._look = bool(screen.host.start.look)
        """True until the figures are opened that the command line asks for."""

    @property
    def is_first(self) -> bool:
        """True while the first table of a visit is read: there is none that keys could act on."""
        return self.under_way and self.screen.view is None

    @property
    def is_behind(self) -> bool:
        """True while other rows are on their way than those that are shown: keys are about the rows that were asked for."""
        return self.under_way or self._arranging

    def read(self) -> None:
        """Read the table of the present place, then put the cursor on its row."""
        self._newest += 1
        self.under_way = True
        screen = self.screen
        screen.frame.at_work(partial(screen.busy, "reading"))
        if self._before is None:
            wanted = arrangement(screen.session, screen.catalog)
            work = partial(read_table, screen.catalog, screen.session.place, wanted)
        else:
            work = partial(read_after, self._before, screen.catalog, screen.session)
        screen.background.run("table", work, partial(self._show_read, self._newest))

    def show_first(self) -> None:
        """Draw the table that was read when the file was opened; keys wait until it is on the screen, which others cover."""
        self._show_read(self._newest, self._first)
        self._first, self.under_way = TableRead(None, ""), True

    def resized(self) -> None:
        """Lay out for another size; the first time, keys take effect that waited for it."""
        self.screen.lay_out()
        if self.under_way and not self._newest:
            self.under_way = False
            self.screen.host.release_keys()

    def take_file(self, before: StoreCatalog) -> None:
        """Read the tables of a file that was opened again.

        Args:
            before: The file that was open; what the session is about is found again by the names there.
        """
        self._before = self._before or before
        self.screen.sync()
        for drawn in self.screen.drawn[:-1]:
            drawn.view = drawn.details = None
        self.read()

    def give_up(self) -> None:
        """Drop what is under way."""
        self._newest += 1
        self.under_way = self._arranging = False
        self.screen.frame.done()
        self.screen.host.release_keys()

    def _show_read(self, number: int, read: TableRead | None) -> None:
        """Draw a table that was read, unless something else is wanted by now."""
        screen = self.screen
        if read is None or number != self._newest:
            return
        screen.frame.done()
        self.under_way, self._arranging, self._loading = False, False, []
        if read.session is not None:
            self._before, screen.session = None, read.session
            del screen.drawn[len(read.session.visits) :]
        drawn = screen.drawn[-1]
        first = drawn.view is None
        drawn.place, drawn.view = screen.session.place, read.view
        if first:
            screen.frame.pane.show(None, mode=pane_mode(screen.session.here.body))
        if read.view is None:
            screen.session = close_body(screen.session)  # the reason is said in the table's place
            screen.table.show(None, note=screen.glyphs.text(read.note))
        else:
            screen.session = shown_as(screen.session, screen.catalog, read.view.arrangement)
            screen.note = read.note or screen.note
            kept = read.view.arrangement.filter
            note = f"no row passes the filter {kept}" if kept else "no rows"
            self._show(read.view, note=screen.glyphs.text(note), fresh=first)
        screen.draw_place()  # it names the subset that the filter keeps, if the table can be filtered by it
        drawn.position = None
        screen.lay_out()
        screen.show_keys()
        if self._look:
            self._look = False
            screen.app.call_later(screen.run_action, "show('first look')")
        screen.host.release_keys()

    def show_again(self, left: Place) -> None:
        """Show the table below again, as it was left, in place of one that was closed; read it if it is of other items now."""
        self.screen.catalog.forget(left)
        screen, drawn = self.screen, self.screen.drawn[-1]
        self.give_up()
        view, here = drawn.view, screen.session.here
        if view is None or drawn.place != here.place:
            drawn.view = None
            self.read()
            return
        screen.table.marks = frozenset(here.marks)
        screen.table.show(view, note="no rows", columns=columns_at(screen.session), position=drawn.position)
        drawn.position = None
        line = None if here.identity is None else view.line_of(here.identity)
        if line is not None:
            screen.table.go(line)
        if drawn.details is not None:
            details = drawn.details
            screen.frame.pane.show(
                details.detail, mode=pane_mode(here.body), painted=details.painted, wanted=details.wanted
            )
        screen.draw_place()
        screen.show_body()

    def want_details(self) -> None:
        """Read the details of the row under the cursor, or its chart, where there is a place for them."""
        screen = self.screen
        view, pane, here = screen.view, screen.frame.pane, screen.session.here
        mode = pane_mode(here.body)
        if not pane.display or view is not screen.table.view:
            pane.forget()
        elif view is None or not len(view):
            pane.forget()
            pane.show(None, mode=mode)
        else:
            figures = is_figures(screen.catalog.table(here.place.table), here.place)
            chart = here.chart if here.body == "chart" else ""
            identity = None if figures else screen.identity
            wanted = DetailWanted(here.place, view, screen.table.cursor, chart, identity)
            pane.ask(wanted, partial(read_detail, screen.catalog.store, wanted, screen.glyphs), mode)

    def _show(self, view: View, *, note: str, fresh: bool = False) -> None:
        """Put a view on the screen, the cursor on the session's row."""
        screen, here = self.screen, self.screen.session.here
        found = None if here.identity is None else view.line_of(here.identity)
        line = here.line if found is None else found
        line = max(0, min(line, len(view) - 1))
        position = screen.drawn[-1].position
        screen.table.marks = frozenset(here.marks)
        screen.table.show(
            view,
            line=line,
            note=note,
            columns=columns_at(screen.session),
            position=None if position is None else replace(position, cursor=line),
            fresh=fresh and position is None,
        )
        identity = view.identity(line) if len(view) else None
        screen.session = at_cursor(screen.session, identity=identity, line=line, shown=view.identities)

    def arrange(self) -> None:
        """Filter and sort the table at hand as the session wants it, a large one in a thread; the cursor stays on its row."""
        screen, view = self.screen, self.screen.view
        if view is None or self.under_way:
            if self.under_way:
                self.read()
            return
        self._newest += 1
        wanted = arrangement(screen.session, screen.catalog)
        if view.table.length <= AT_ONCE:
            self._show_arranged(self._newest, arrange_again(view, wanted))
        else:
            self._arranging = True
            doing = "sorting" if wanted.filter == view.arrangement.filter else "filtering"
            screen.frame.at_work(partial(screen.busy, doing))
            screen.background.run(
                "table", partial(arrange_again, view, wanted), partial(self._show_arranged, self._newest)
            )

    def _show_arranged(self, number: int, view: View | SingError | None) -> None:
        """Draw the table in its new order, or say why there is none, unless something else is wanted by now."""
        screen = self.screen
        if view is None or number != self._newest:
            return
        self._arranging = False
        if isinstance(view, SingError):
            self.failed(in_one_line(view))
        else:
            screen.drawn[-1].view = view
            screen.session = arrange_as(screen.session, view.arrangement)
            self._show(view, note="no row passes the filter: Esc clears it")
            screen.frame.done()
            screen.draw_status()
        screen.host.release_keys()

    def failed(self, problem: str) -> None:
        """Say why work in a thread came to nothing; the table stays as it was."""
        screen = self.screen
        if screen.view is not None and not self.under_way:
            screen.session = arrange_as(screen.session, screen.view.arrangement)
        screen.frame.done()
        screen.say(problem)

    def load_cells(self, parts: Sequence[Loaded]) -> None:
        """Load in a thread what cells in sight wait for."""
        new = [part for part in parts if part not in self._loading]
        if new:
            self._loading += new
            self.screen.background.run("cells", partial(_load, new), self._loaded, exclusive=False)

    def _loaded(self, _: None) -> None:
        self.screen.table.refresh()


def _load(parts: Sequence[Loaded], stop: Stop) -> None:
    load_cells(parts)
