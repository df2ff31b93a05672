"""Screens over the table screen, and copies of its text: each is made from data, so that none knows the table screen."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from sing_compute.errors import SingError
from sing_compute.store.text import clean
from sing_tui.actions import has_photographs, hidden_tables, keys_of
from sing_tui.error_reporting import in_one_line
from sing_tui.loading import read_chart
from sing_tui.screens.export_runner import ExportRunner
from sing_tui.screens.surface import Surface
from sing_tui.session.arranging import choosable_columns, choose_columns
from sing_tui.session.catalog import position_of, row_axis
from sing_tui.session.counted import base_of
from sing_tui.session.names import file_parts, rows_word
from sing_tui.session.stack import enter
from sing_tui.session.state import Arrangement, Refused, columns_at, is_figures
from sing_tui.view import View, arrange

if TYPE_CHECKING:
    from sing_tui.exporting import ColumnScope, ExportWanted, Scope
    from sing_tui.finder import Hit
    from sing_tui.publishing import What


class Dialogs:
    """The screens over one table screen."""

    def __init__(self, screen: Surface, export_runner: ExportRunner) -> None:
        self.screen, self.export_runner = screen, export_runner
        self._opens: dict[str, Callable[[], None]] = {
            "finder": self._finder,
            "help": self._help,
            "palette": self._palette,
            "words": self._words,
            "columns": self._columns,
            "export": self._export,
            "photograph": self._photograph,
            "link": self._link,
            "copy cell": self._copy_cell,
            "copy": self._copy,
            "copy path": self._copy_path,
            "figures": partial(self._publish, "figures"),
            "report": partial(self._publish, "report"),
            "cancel": self._cancel,
            "reload": self._reload,
        }

    def show(self, name: str) -> None:
        """Open what a key names, or say why the table has nothing for it."""
        self.screen.sync()
        try:
            self._opens[name]()
        except SingError as error:
            self.screen.say(in_one_line(error))

    def _there(self, otherwise: str) -> View:
        view = self.screen.view
        if view is None or not len(view):
            raise Refused(otherwise)
        return view

    def _finder(self) -> None:
        from sing_tui.screens.finder import FinderScreen

        screen = self.screen
        finder = FinderScreen(screen.host.finder, base_of(screen.session.place), glyphs=screen.glyphs)
        screen.app.push_screen(finder, self._go_to)

    def _go_to(self, hit: "Hit | None") -> None:
        if hit is not None:
            self.screen.sync()
            axis = row_axis(hit.place, self.screen.catalog)
            select = position_of(self.screen.catalog, axis, hit.select, hit.place)
            self.screen.become(enter(self.screen.session, hit.place, identity=select))

    def _help(self) -> None:
        from sing_tui.screens.help import HelpScreen, help_groups

        screen, view = self.screen, self.screen.view
        place = screen.session.place
        keys = keys_of(place, screen.catalog, self._chart_titles(), screen.host.keys)
        groups = help_groups(keys, () if view is None else view.table.columns, screen.glyphs)
        screen.app.push_screen(HelpScreen(rows_word(screen.catalog, place), groups, glyphs=screen.glyphs))

    def _palette(self) -> None:
        from sing_tui.screens.palette import Palette, commands

        screen = self.screen
        place = screen.session.place
        keys = keys_of(place, screen.catalog, self._chart_titles(), screen.host.keys)
        columns = [(column.name, column.title) for column in screen.table.columns]
        listed = commands(keys, hidden_tables(place, screen.catalog), columns)
        screen.app.push_screen(Palette(listed, glyphs=screen.glyphs), self._run)

    async def _run(self, action: str | None) -> None:
        if action is not None and action.isdecimal():
            self.screen.table.go(int(action) - 1)
        elif action is not None:
            await self.screen.run_action(action)

    def _chart_titles(self) -> dict[str, str]:
        spec = self.screen.catalog.table(self.screen.session.place.table)
        if not spec.charts:
            return {}
        from sing_compute.charts.registry import titles

        return {name: title for _, name, title in titles(spec)}

    def _words(self) -> None:
        from sing_tui.screens.sheet import Sheet
        from sing_tui.words import column_texts, words_text

        view, table, glyphs = self._there("there is no row to put into words"), self.screen.table, self.screen.glyphs
        if not table.columns:
            raise Refused("there is no row to put into words")
        rows = column_texts(view, table.cursor, self.screen.catalog.words("images"))
        chosen = table.columns[table.column].name
        rows.sort(key=lambda row: row.column.name != chosen)
        first = view.table.columns[0].values.take(view.order[table.cursor : table.cursor + 1])[0]
        self.screen.app.push_screen(Sheet(words_text(str(first), rows, glyphs), ascii_only=glyphs.ascii_only))

    def _columns(self) -> None:
        from sing_tui.screens.columns import ColumnScreen

        view = self.screen.view
        every = () if view is None else view.table.columns
        shown = choosable_columns(self.screen.session, [column.name for column in every])
        if view is not None:
            self.screen.app.push_screen(ColumnScreen(every, shown, glyphs=self.screen.glyphs), self._show_columns)

    def _show_columns(self, names: tuple[str, ...] | None) -> None:
        screen, view = self.screen, self.screen.view
        if names is None or view is None:
            return
        every = [column.name for column in view.table.columns]
        screen.session = choose_columns(screen.session, names, every)
        screen.table.show(view, line=screen.table.cursor, note="no rows", columns=columns_at(screen.session))
        screen.lay_out()

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
        columns: dict[ColumnScope, int] = {"all": len(view.table.columns)}
        painted = columns_at(screen.session)
        if painted and of_table:
            columns["shown"] = len(painted)
        parts = file_parts(screen.catalog, here.place)
        name = file_name(screen.host.path.stem, *(parts if of_table else [*parts[:-1], here.chart]))
        form = ExportScreen(ExportChoices(counts, columns, name, Path.cwd()), glyphs=screen.glyphs)
        screen.app.push_screen(form, partial(self._write, view))

    def _write(self, view: View, wanted: "ExportWanted | None") -> None:
        screen = self.screen
        if wanted is not None:
            painted = columns_at(screen.session)
            self.export_runner.write(view, wanted, painted, screen.session.here.marks, screen.glyphs)

    def _link(self) -> None:
        from sing_tui.link import command, start_of
        from sing_tui.screens.sheet import Sheet

        screen = self.screen
        if screen.view is None:
            return
        start = start_of(screen.catalog, screen.session, screen.view, with_chart=True)
        text = command(screen.host.path, start)
        said = Text(
            f"{screen.glyphs.text(text)}\n\n--csv FILE or --json FILE behind it: the same rows without a screen."
        )
        screen.app.push_screen(Sheet(said, ascii_only=screen.glyphs.ascii_only))
        self.export_runner.copy(text, screen.app)

    def _publish(self, what: "What") -> None:
        from sing_tui.publishing import free_target, publish

        screen = self.screen
        target = free_target(what, screen.host.path, Path.cwd())
        model = screen.session.place.name("model") or None
        screen.say(f"{target.name} is being written; you can go on")
        work = partial(publish, what, screen.host.path, target, model)
        screen.background.run("publish", work, screen.say, exclusive=False)

    def _copy_cell(self) -> None:
        view, table = self._there("there is no row here yet"), self.screen.table
        column = table.columns[table.column]
        self.export_runner.copy(
            clean(str(column.values.take(view.order[table.cursor : table.cursor + 1])[0])), self.screen.app
        )

    def _copy(self) -> None:
        view, line = self._there("there is no row here yet"), self.screen.table.cursor
        row = view.order[line : line + 1]
        cells = (clean(str(column.values.take(row)[0])) for column in view.table.columns)
        self.export_runner.copy("\t".join(cells), self.screen.app)

    def _needs_photographs(self) -> None:
        """Refuse what only rows with image files have."""
        catalog, place = self.screen.catalog, self.screen.session.place
        if not has_photographs(place, catalog):
            where = f": open {catalog.words('images')} first" if catalog.has_photographs else ""
            raise Refused(f"{rows_word(catalog, place)} are no photographs{where}")

    def _copy_path(self) -> None:
        self._needs_photographs()
        screen = self.screen
        if screen.identity is None:
            return
        axis = screen.catalog.axis(screen.catalog.table(screen.session.place.table).rows)
        key = clean(screen.catalog.label(axis.name, screen.identity, screen.session.place))
        root = screen.host.images or screen.catalog.store.attributes(axis.labels.partition("/")[0]).get("root")
        self.export_runner.copy(str(Path(str(root)) / key) if root else key, screen.app)

    def _cancel(self) -> None:
        if not self.export_runner.cancel():
            raise Refused("Q quits")

    def _reload(self) -> None:
        self.screen.say("reading the file again ...")
        self.screen.host.read_again()

    def _photograph(self) -> None:
        from sing_tui.photographs import graphics
        from sing_tui.screens.photograph import PhotographScreen

        screen, host = self.screen, self.screen.host
        self._needs_photographs()
        if screen.identity is None or screen.view is None:
            return
        drawn = graphics(os.environ) if host.graphics == "auto" else host.graphics
        photograph = PhotographScreen(
            screen.catalog.store,
            screen.session.place,
            screen.identity,
            screen.catalog.neighbours(screen.session.place),
            glyphs=screen.glyphs,
            folder=host.images,
            graphics=drawn,
            step=self._next_row,
        )
        screen.app.push_screen(photograph)

    def _next_row(self, by: int) -> int | None:
        """Move the table under a photograph by lines; return the row that its cursor is on then, None at an end."""
        table = self.screen.table
        line = table.cursor + by
        if not 0 <= line < table.lines:
            return None
        table.go(line)
        return self.screen.identity
