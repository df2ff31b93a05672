"""Keys by which the user takes something away from the table screen: exports, copies, links, figures and the report."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from sing_compute.store import Table
from sing_compute.store.text import clean
from sing_tui.loading import read_chart
from sing_tui.screens.export_runner import ExportRunner
from sing_tui.screens.surface import Surface, needs_photographs, rows_of
from sing_tui.session.counted import base_of
from sing_tui.session.files import is_joined
from sing_tui.session.marking import marks_of_top
from sing_tui.session.names import file_parts
from sing_tui.session.state import Arrangement, Refused, columns_at, is_figures
from sing_tui.view import View, arrange

if TYPE_CHECKING:
    from sing_tui.exporting import ColumnScope, ExportWanted, Scope
    from sing_tui.publishing import What
    from sing_tui.start import Start


class TakingAway:
    """Keys that take something away from one table screen."""

    def __init__(self, screen: Surface, export_runner: ExportRunner) -> None:
        self.screen, self.export_runner = screen, export_runner
        self.opens: dict[str, Callable[[], None]] = {
            "export": self._export,
            "link": self.link,
            "copy cell": self._copy_cell,
            "copy": self._copy,
            "copy path": self._copy_path,
            "figures": partial(self._publish, "figures"),
            "report": partial(self._publish, "report"),
            "cancel": self._cancel,
        }

    def shown_view(self) -> View | None:
        """The table, or the numbers of the chart that fills the screen."""
        screen, here = self.screen, self.screen.session.here
        if here.body != "chart" or not here.chart or screen.view is None:
            return screen.view
        figures = is_figures(screen.catalog.table(here.place.table), here.place)
        identity = None if figures else screen.identity
        drawn = read_chart(screen.catalog.store, here.place, here.chart, identity, screen.glyphs)
        return arrange(drawn.table, Arrangement())

    def _export(self) -> None:
        from sing_tui.exporting import file_name
        from sing_tui.screens.export import ExportScreen
        from sing_tui.widgets.export_form import ExportChoices

        screen, here, view = self.screen, self.screen.session.here, self.shown_view()
        if view is None:
            return
        if self.export_runner.writing:
            raise Refused(f"{self.export_runner.writing} is being written: ^c cancels it")
        of_table = view is screen.view
        counts: dict[Scope, int] = {"shown": len(view), "table": view.table.length}
        if of_table and here.marks:
            counts = {"marked": len(here.marks), **counts}
        if counts["shown"] == counts["table"]:
            del counts["table"]
        painted = columns_at(screen.session)
        columns: dict[ColumnScope, int] = {"shown": len(painted)} if painted and of_table else {}
        columns["all"] = len(view.table.columns)
        if of_table and here.body == "table":
            columns["in sight"] = len(screen.table.names_in_sight)
        parts = file_parts(screen.catalog, here.place)
        files = screen.catalog.files if of_table and is_joined(base_of(here.place)) else [screen.host.path.stem]
        name = file_name(*files, *(parts if of_table else [*parts[:-1], here.chart]))
        form = ExportScreen(ExportChoices(counts, columns, name, Path.cwd()), glyphs=screen.glyphs)
        screen.app.push_screen(form, partial(self._write, view))

    def _write(self, view: View, wanted: "ExportWanted | None") -> None:
        screen = self.screen
        if wanted is not None:
            columns, after = self._columns(wanted), None
            if wanted.provenance and screen.view is not None:
                files = (screen.host.path, screen.host.other)
                after = partial(_write_provenance, files, wanted, self._start(wanted), view.table.spec.name)
            self.export_runner.write(view, wanted, columns, screen.session.here.marks, screen.glyphs, after)

    def _columns(self, wanted: "ExportWanted") -> tuple[str, ...]:
        """Return the names of the columns to write; empty for all."""
        if wanted.columns == "in sight":
            return self.screen.table.names_in_sight
        return columns_at(self.screen.session) if wanted.columns == "shown" else ()

    def _start(self, wanted: "ExportWanted") -> "Start":
        """Return the start that leads to the exported rows."""
        from sing_tui.link import start_of

        screen = self.screen
        view = rows_of(screen, "there is no row here yet")
        start = start_of(screen.catalog, screen.session, view, with_chart=True)
        top = (marks_of_top(screen.session) or 0) if wanted.scope == "marked" else 0
        return replace(
            start, row=1, columns=self._columns(wanted), filter="" if wanted.scope == "table" else start.filter, top=top
        )

    def export_table(self, table: Table, part: str) -> None:
        """Open the form of an export of a table that is made from the one on the screen.

        Args:
            table: The table.
            part: Last part of the file's name.

        Raises:
            Refused: An export is running.
        """
        from sing_tui.exporting import file_name
        from sing_tui.screens.export import ExportScreen
        from sing_tui.widgets.export_form import ExportChoices

        screen, view = self.screen, arrange(table, Arrangement())
        if self.export_runner.writing:
            raise Refused(f"{self.export_runner.writing} is being written: ^c cancels it")
        name = file_name(screen.host.path.stem, *file_parts(screen.catalog, screen.session.place), part)
        choices = ExportChoices({"shown": len(view)}, {"all": len(table.columns)}, name, Path.cwd(), source=False)

        def write(wanted: "ExportWanted | None") -> None:
            if wanted is not None:
                self.export_runner.write(view, wanted, (), (), screen.glyphs)

        screen.app.push_screen(ExportScreen(choices, glyphs=screen.glyphs), write)

    def link(self, look: tuple[str, ...] = ()) -> None:
        """Show the command that reopens the table, and copy it.

        Args:
            look: Columns whose figures it opens.
        """
        from sing_tui.link import command, start_of
        from sing_tui.screens.sheet import Sheet

        screen = self.screen
        if screen.view is None:
            return
        start = replace(start_of(screen.catalog, screen.session, screen.view, with_chart=True), look=look)
        top = None if start.chart or look else marks_of_top(screen.session)
        text = command(screen.host.path, replace(start, top=top or 0), screen.host.other)
        note = "--csv FILE or --json FILE behind it: the same rows without a screen."
        if screen.session.here.marks and not top:
            note += "\nWhat is marked is not in it: e writes marked rows."
        said = Text(f"{screen.glyphs.text(text)}\n\n{note}")
        screen.app.push_screen(Sheet(said, ascii_only=screen.glyphs.ascii_only))
        self.export_runner.copy(lambda: text, screen.app)

    def _publish(self, what: "What") -> None:
        from sing_tui.publishing import free_target, publish

        screen = self.screen
        target = free_target(what, screen.host.path, Path.cwd())
        model = screen.session.place.name("model") or None
        screen.say(f"{target.name} is being written; you can go on")
        work = partial(publish, what, screen.host.path, target, model)
        screen.background.run("publish", work, screen.say, exclusive=False)

    def _copy_cell(self) -> None:
        view, table = rows_of(self.screen, "there is no row here yet"), self.screen.table
        row, column = view.order[table.cursor : table.cursor + 1], table.columns[table.column]
        self.export_runner.copy(lambda: clean(str(column.values.take(row)[0])), self.screen.app)

    def _copy(self) -> None:
        view, line = rows_of(self.screen, "there is no row here yet"), self.screen.table.cursor
        row = view.order[line : line + 1]

        def text() -> str:
            return "\t".join(clean(str(column.values.take(row)[0])) for column in view.table.columns)

        if any(column.values.waits_for for column in view.table.columns):
            self.screen.say("reading the row ...")
        self.export_runner.copy(text, self.screen.app)

    def _copy_path(self) -> None:
        needs_photographs(self.screen)
        screen = self.screen
        if screen.identity is None:
            return
        axis = screen.catalog.axis(screen.catalog.table(screen.session.place.table).rows)
        key = clean(screen.catalog.label(axis.name, screen.identity, screen.session.place))
        root = screen.host.images or screen.catalog.store.attributes(axis.labels.partition("/")[0]).get("root")
        path = str(Path(str(root)) / key) if root else key
        self.export_runner.copy(lambda: path, screen.app)

    def _cancel(self) -> None:
        if not self.export_runner.cancel():
            raise Refused("Q quits")


def _write_provenance(
    files: tuple[Path, Path | None], wanted: "ExportWanted", start: "Start", table: str, rows: int
) -> str:
    """Write what exported rows are of; a thread calls it."""
    from sing_tui.provenance import provenance_path, write_provenance

    path = provenance_path(wanted.path)
    write_provenance(path, files[0], start, table, rows=rows, scope=wanted.scope, other=files[1])
    return f"where they are from in {path.name}"
