"""What is taken away from a table screen: rows as CSV or JSON, text through the clipboard, the command that leads back here."""

import os
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from textual import on, work
from textual.message import Message

from sing_compute.errors import SingError
from sing_compute.store.text import clean
from sing_tui.link import command, start_of
from sing_tui.place import class_title, concept_title
from sing_tui.screens.compared import ComparePage
from sing_tui.screens.spoken import spoken
from sing_tui.view import Arrangement, View, arrange

if TYPE_CHECKING:
    from sing_tui.screens.export import Wanted

_SAID_SECONDS = 0.25
"""Shortest time between two words about a running export."""


class TakingPage(ComparePage):
    """A page whose rows can be taken away."""

    writing: str = ""
    """The file that is being written."""
    _cancelled = False
    _asked_to_quit = False

    class Written(Message):
        """How far an export has come; `text` says it."""

        def __init__(self, text: str, *, over: bool) -> None:
            super().__init__()
            self.text, self.over = text, over

    @property
    def shown_view(self) -> View | None:
        """What is on the screen: the table, or the numbers of a picture."""
        if self.picture is None or self.body != "plot" or self.view is None:
            return self.view
        from sing_tui.gallery import exhibit

        shown = exhibit(self.store, self.place.plain, self.picture, identity=self.subject, glyphs=self.glyphs)
        return arrange(shown.table, Arrangement())

    @spoken
    def action_export(self) -> None:
        """Ask what to write and where."""
        view = self.shown_view
        if view is None:
            return
        if self.writing:
            self.say(f"{self.writing} is being written: ^c cancels it")
            return
        from sing_tui.export import file_name
        from sing_tui.screens.export import ExportScreen

        counts = {"shown": len(view), "table": view.table.length}
        if view is self.view and self.marks:
            counts = {"marked": len(self.marks), **counts}
        if counts["shown"] == counts["table"]:
            del counts["table"]
        place = self.place
        parts = [
            "" if place.class_index is None else class_title(self.store, place.class_index),
            "" if place.concept is None else concept_title(self.store, place.concept),
            place.subset if place.level == "classes" and place.subset != "all" else "",
            place.beside.measure or "figures" if place.beside is not None else "",
            place.level if view is self.view else self.picture or "",
        ]
        painted = len(self.chosen_columns)
        columns = {"all": len(view.table.columns)} | ({"shown": painted} if painted and view is self.view else {})
        name = file_name(self.explorer.path.stem, place.model, *parts)
        screen = ExportScreen(glyphs=self.glyphs, counts=counts, columns=columns, name=name, folder=Path.cwd())
        self.app.push_screen(screen, lambda wanted: self.take(view, wanted))

    def take(self, view: View, wanted: "Wanted | None") -> None:
        """Start writing what was asked for."""
        if wanted is None:
            return
        marks = set[int]()
        if wanted.scope == "marked":
            ids = view.table.ids
            marks = self.marks if ids is None else {row for row, k in enumerate(ids.tolist()) if k in self.marks}
        from sing_tui.export import scoped

        columns = self.chosen_columns if wanted.columns == "shown" else None
        self.writing, self._cancelled, self._asked_to_quit = wanted.path.name, False, False
        self.say(f"writing {self.glyphs.text(wanted.path)} ...")
        self._write(scoped(view, wanted.scope, marks), wanted, columns)

    @work(thread=True, group="export")
    def _write(self, view: View, wanted: "Wanted", columns: tuple[str, ...] | None) -> None:
        from sing_tui.export import Cancelled, save

        last = monotonic()

        def progress(rows: int) -> None:
            nonlocal last
            if self._cancelled:
                raise Cancelled(f"cancelled: {wanted.path} was not written")
            if monotonic() - last > _SAID_SECONDS:
                last = monotonic()
                self.post_message(self.Written(f"writing {rows:,} of {len(view):,} rows, ^c cancels ...", over=False))

        try:
            count = save(view, wanted.path, replace=wanted.replace, columns=columns, progress=progress)
            text = f"{count:,} rows in {wanted.path.absolute()}"
        except SingError as error:
            text = str(error)
        self.post_message(self.Written(text, over=True))

    @on(Written)
    def say_written(self, message: Written) -> None:
        """Say how far an export has come."""
        if message.over:
            self.writing = ""
        if message.over or not self._asked_to_quit:  # the question stays until it is answered
            self.say(self.glyphs.text(message.text))

    def action_cancel(self) -> None:
        """Stop a running export; nothing of it stays."""
        if self.writing:
            self._cancelled = True
        else:
            self.say("Q quits")

    def give_up_export(self) -> None:
        """Have a running export stop at its next piece."""
        self._cancelled = True

    def holds_back(self) -> bool:
        """Whether quitting would break off an export, about which the user has not been asked yet."""
        if not self.writing or self._asked_to_quit:
            self._cancelled = True
            return False
        self._asked_to_quit = True
        self.say(f"{self.glyphs.text(self.writing)} is being written: quit once more to give it up")
        return True

    @spoken
    def action_copy(self) -> None:
        """Copy the row, tab between cells."""
        if self.view is None or not len(self.view):
            self.say("there is no row here yet")
            return
        row = self.view.order[self.table.cursor : self.table.cursor + 1]
        self.copy("\t".join(clean(str(column.values.take(row)[0])) for column in self.view.table.columns))

    @spoken
    def action_copy_path(self) -> None:
        """Copy the path of the image."""
        if self.identity is None:
            return
        key = clean(str(self.store.dataset("images/key")[self.identity]))
        root = self.explorer.images or self.store.attributes("images").get("root")
        self.copy(str(Path(str(root)) / key) if root else key)

    @work(thread=True, group="copy")
    def copy(self, text: str) -> None:
        """Send text to the clipboard of the user's own machine, and say on which way."""
        from sing_tui.clipboard import copy
        from sing_tui.settings import state_path

        driver = self.app._driver
        write = driver.write if driver is not None else lambda text: None
        said = copy(text, write=write, environ=os.environ, folder=state_path(os.environ).parent)
        self.post_message(self.Written(said, over=not self.writing))

    @spoken
    def action_link(self) -> None:
        """Say and copy the command that opens this view again."""
        if self.view is None:
            return
        columns, picture = self.chosen_columns, self.picture if self.body == "plot" else None
        start = start_of(self.store, self.place, self.view, line=self.table.cursor, columns=columns, picture=picture)
        text = command(self.explorer.path, start)
        from rich.text import Text

        from sing_tui.screens.sheet import Sheet

        told = Text(f"{self.glyphs.text(text)}\n\n--csv FILE or --json FILE behind it: the same rows without a screen.")
        self.app.push_screen(Sheet(told, ascii_only=self.glyphs.ascii_only))
        self.copy(text)

    def action_columns(self) -> None:
        """Choose the columns that are painted."""
        if self.view is None or self.place.beside is not None:
            self.say("these columns stand side by side: = goes back to the plain table")
            return
        from sing_tui.screens.columns import ColumnScreen

        every = self.view.table.columns
        shown = self.chosen_columns or tuple(column.name for column in every)
        self.app.push_screen(ColumnScreen(every, shown, glyphs=self.glyphs), self.show_columns)

    def show_columns(self, names: tuple[str, ...] | None) -> None:
        """Paint these columns and no others."""
        if names is None or self.view is None:
            return
        every = tuple(column.name for column in self.view.table.columns)
        self.columns[self.place.level] = () if set(names) >= set(every) else names
        self.table.show(self.view, line=self.table.cursor, note="no rows", columns=self.chosen_columns)
        self.lay_out()

    def action_photo(self) -> None:
        """Show the photograph, and those nearest to it before and after the removal."""
        if self.identity is None or self.view is None:
            return
        from sing_tui.photos import graphics
        from sing_tui.screens.photo import PhotoScreen

        def step(by: int) -> int | None:
            line = self.table.cursor + by
            if not 0 <= line < self.table.lines:
                return None
            self.table.go(line)
            return self.identity

        explorer = self.explorer
        drawn = graphics(os.environ) if explorer.graphics == "auto" else explorer.graphics
        screen = PhotoScreen(
            self.store,
            self.place.model,
            self.identity,
            glyphs=self.glyphs,
            folder=explorer.images,
            graphics=drawn,
            step=step,
        )
        self.app.push_screen(screen)
