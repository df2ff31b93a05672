"""Screens over the table screen: each is made from data, so that none knows the table screen."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from sing_compute.errors import SingError
from sing_compute.store.place import Place
from sing_tui.actions import hidden_tables, keys_of
from sing_tui.error_reporting import in_one_line
from sing_tui.screens.export_runner import ExportRunner
from sing_tui.screens.photographs import Photographs
from sing_tui.screens.surface import Surface, rows_of
from sing_tui.screens.taking_away import TakingAway
from sing_tui.session.arranging import choosable_columns, choose_columns, filter_by
from sing_tui.session.catalog import position_of, row_axis
from sing_tui.session.counted import base_of
from sing_tui.session.files import carried
from sing_tui.session.mapping import map_place, open_pair, start_of_map
from sing_tui.session.names import rows_word
from sing_tui.session.stack import enter, enter_as
from sing_tui.session.state import Refused

if TYPE_CHECKING:
    from sing_tui.finder import Hit
    from sing_tui.looking import Looked
    from sing_tui.maps.view import MapStart
    from sing_tui.screens.map import Left
    from sing_tui.search import Stop
    from sing_tui.session import Session
    from sing_tui.start import Start
    from sing_tui.store_catalog import StoreCatalog


class Dialogs:
    """The screens over one table screen."""

    def __init__(self, screen: Surface, export_runner: ExportRunner) -> None:
        self.screen, self.export_runner = screen, export_runner
        self._taking_away = TakingAway(screen, export_runner)
        self._maps: dict[Place, MapStart] = {}
        """Zoom, order and cursor of the map that was closed last, by its place: the key of the map shows it so again."""
        self._opens: dict[str, Callable[[], None]] = {
            "finder": self._finder,
            "help": self._help,
            "palette": self._palette,
            "words": self._words,
            "columns": self._columns,
            "views": self._views,
            "colors": self._colors,
            "map": self._map,
            "reload": self._reload,
            "look": partial(self._look, pair=False),
            "pair": partial(self._look, pair=True),
            "first look": self._first_look,
            **Photographs(screen).opens,
            **self._taking_away.opens,
        }

    def show(self, name: str) -> None:
        """Open what a key names, or say why the table has nothing for it."""
        self.screen.sync()
        try:
            self._opens[name]()
        except SingError as error:
            self.screen.say(in_one_line(error))

    def say_changed(self) -> None:
        """Say on a screen over the table that its numbers are those of a file that was replaced, or is gone."""
        from sing_tui.screens.overlay import Overlay

        over, lost = self.screen.app.screen, self.screen.host.lost_file()
        if lost and isinstance(over, Overlay):
            over.standing = f"{lost}: these numbers are of before; esc goes back"
            over.tell(over.standing)

    def _finder(self) -> None:
        from sing_tui.screens.finder import FinderScreen

        screen = self.screen
        finder = FinderScreen(screen.host.finder, base_of(screen.session.place), glyphs=screen.glyphs)
        screen.app.push_screen(finder, self._go_to)

    def _go_to(self, hit: "Hit | None") -> None:
        if hit is not None:
            catalog = self.screen.catalog
            axis = row_axis(hit.place, catalog)
            select = position_of(catalog, axis, hit.select, hit.place)
            self.screen.act(lambda session: carried(session, enter(session, hit.place, identity=select), catalog))

    def _help(self) -> None:
        from sing_tui.screens.help import HelpScreen, help_groups

        screen, view = self.screen, self.screen.view
        place = screen.session.place
        keys = keys_of(place, screen.catalog, self._chart_titles(), screen.host.keys)
        groups = help_groups(keys, () if view is None else view.table.columns, screen.glyphs)
        screen.app.push_screen(HelpScreen(rows_word(screen.catalog, place), groups, glyphs=screen.glyphs))

    def _colors(self) -> None:
        table = self.screen.table
        table.color(wanted=not table.colored)
        if not table.colored:
            self.screen.say("no colours behind numbers")
        elif table.number_colors() is not None:
            self.screen.say("colours behind numbers, on the scales in the header")
        else:
            raise Refused("this theme or terminal has too few colours to put some behind numbers")

    def _views(self) -> None:
        from sing_tui.link import start_of
        from sing_tui.named_views import views_path
        from sing_tui.screens.views import ViewsScreen

        screen = self.screen
        if screen.host.memory is None:
            raise Refused("views are kept in the state folder: start without --no-state")
        view = screen.view
        if view is None:
            raise Refused("there is no table here yet")
        present = start_of(screen.catalog, screen.session, view, with_chart=True)
        path = views_path(screen.host.memory)
        views = ViewsScreen(path, screen.host.path, present, screen.host.other, glyphs=screen.glyphs)
        screen.app.push_screen(views, self._open_view)

    def _open_view(self, start: "Start | None") -> None:
        if start is None:
            return
        screen = self.screen
        screen.busy("opening")
        work = partial(_session_of, screen.catalog, start)
        screen.background.run("view", work, lambda opened: screen.act(lambda session: enter_as(session, opened)))

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

        view, table, glyphs = (
            rows_of(self.screen, "there is no row to put into words"),
            self.screen.table,
            self.screen.glyphs,
        )
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
        screen.act(lambda session: choose_columns(session, names, every))

    def _look(self, *, pair: bool) -> None:
        from sing_tui.looking import across_of, looked_of

        view = rows_of(self.screen, "there is no row to look at")
        columns = self.screen.table.columns
        if not columns:
            raise Refused("there is no column to look at")
        name = columns[self.screen.table.column].name
        across = [across_of(view, [column.name for column in columns], name)] if pair else []
        self._show_look(looked_of(view.table, [name, *across]))

    def _first_look(self) -> None:
        from sing_tui.looking import looked_of

        view = rows_of(self.screen, "there is no row to look at")
        self._show_look(looked_of(view.table, self.screen.host.start.look))

    def _show_look(self, looked: "Looked") -> None:
        from sing_tui.screens.column_look import LookScreen

        screen = self.screen
        if screen.view is None:
            return
        names = [column.name for column in screen.table.columns]
        screen.app.push_screen(
            LookScreen(
                screen.view,
                names,
                looked,
                glyphs=screen.glyphs,
                export=self._taking_away.export_table,
                link=self._taking_away.link,
            ),
            self._filter_by,
        )

    def _filter_by(self, condition: str | None) -> None:
        if condition is not None:
            self.screen.act(lambda session: filter_by(session, self.screen.catalog, condition))

    def _reload(self) -> None:
        self.screen.say("reading the file again ...")
        self.screen.host.read_again()

    def _map(self) -> None:
        from sing_tui.maps.view import MapStart
        from sing_tui.screens.map import MapScreen

        screen, catalog = self.screen, self.screen.catalog
        place = map_place(screen.session, catalog)
        keys = start_of_map(screen.session, catalog, place)
        axes = (place.along, catalog.table(place.table).rows)
        row, column = (position_of(catalog, axis, key, place) for axis, key in zip(axes, keys, strict=True))
        start = self._maps.get(place, MapStart())
        if row is not None and column is not None:
            start = replace(start, row=row, column=column)
        shown = MapScreen(screen.host, self._taking_away.export_table, place, start)
        screen.app.push_screen(shown, partial(self._leave_map, place))

    def _leave_map(self, place: Place, left: "Left | None") -> None:
        if left is None:
            return
        start, opens = left
        self._maps = {place: start}
        if opens and start.row is not None and start.column is not None:
            self.screen.sync()
            there = open_pair(self.screen.session, self.screen.catalog, place, start.row, start.column)
            self.screen.become(there)


def _session_of(catalog: "StoreCatalog", start: "Start", stop: "Stop") -> "Session":
    """Return the session of a kept view; a thread calls it."""
    from sing_tui.opening import session_of

    return session_of(catalog, start)
