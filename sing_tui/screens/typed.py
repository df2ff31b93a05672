"""What is typed into a table screen: a filter, words to find, the name of a file to export to."""

from dataclasses import replace
from pathlib import Path

from textual import on, work
from textual.widgets import Input

from sing_compute.errors import SingError
from sing_tui.export import file_name, save
from sing_tui.filters import FilterError
from sing_tui.place import class_title
from sing_tui.screens.page import Page
from sing_tui.screens.spoken import spoken
from sing_tui.view import Arrangement, View
from sing_tui.widgets.lines import KeyLine, TypingLine

LIVE = 200_000
"""Tables up to so many rows are filtered and searched while the user types; larger ones with Enter."""


class TypingPage(Page):
    """A page with a line to type in."""

    words = ""
    """What was last looked for."""
    before: tuple[Arrangement, int] = (Arrangement(), 0)
    """Arrangement and line to return to when typing is given up."""
    replacing: Path | None = None
    """The existing file that one more Enter replaces."""

    def action_find(self) -> None:
        """Look for words, going to the first match with every letter."""
        self.start_typing("find", "")

    def action_filter(self) -> None:
        """Type a filter; its count changes with every letter."""
        self.start_typing("filter", self.arrangement.filter)

    @spoken
    def action_again(self, step: int) -> None:
        """Go to the next or previous match."""
        if not self.words:
            self.say("nothing was looked for yet: / starts")
        elif self.view is not None:
            self.jump(self.view.find(self.words, self.table.cursor, step))

    def jump(self, line: int | None) -> None:
        """Go to what was found."""
        if line is None:
            self.say(f"nothing contains {self.words!r}")
        else:
            self.table.go(line)
            self.say("")

    def action_export(self) -> None:
        """Ask for a file name and write what is shown."""
        if self.view is None:
            return
        explorer, place = self.explorer, self.place
        name = ""
        if place.class_index is not None and explorer.store is not None:
            name = class_title(explorer.store, place.class_index)
        subset = place.subset if place.level == "classes" and place.subset != "all" else ""
        self.start_typing("export", file_name(explorer.path.stem, place.model, name, subset, place.level))
        self.say(f"CSV of these {len(self.view):,} rows, all columns, full precision: Enter writes, Esc cancels")

    def start_typing(self, purpose: str, value: str) -> None:
        """Open the typing line."""
        if self.view is None:
            return
        self.before, self.replacing = (self.arrangement, self.table.cursor), None
        self.query_one(TypingLine).ask(purpose, value)
        self.query_one(KeyLine).offer((("enter", purpose), ("esc", "cancel")))

    def type_ahead(self, character: str) -> bool:
        """Take a letter that reached the screen although the typing line is open; whether it is open."""
        return self.query_one(TypingLine).type_ahead(character)

    def give_up_typing(self) -> None:
        """Close the typing line and go back to how things stood before."""
        purpose, (wanted, line) = self.query_one(TypingLine).purpose, self.before
        if purpose == "filter" and wanted != self.arrangement:
            self.rearrange(wanted)
        if purpose != "export":
            self.table.go(line)
        self.stop_typing()

    def stop_typing(self) -> None:
        """Close the typing line."""
        self.query_one(TypingLine).close()
        self.problem = ""
        self.table.focus()
        self.say("")
        self.show_keys()

    @on(Input.Changed)
    def typed(self, event: Input.Changed) -> None:
        """Find or filter with every letter, as long as the table is small enough for it."""
        purpose = self.query_one(TypingLine).purpose
        self.replacing = None
        if self.view is None or purpose == "export" or self.view.table.length > LIVE:
            return
        if purpose == "filter":
            self.filter_by(event.value)
        elif purpose == "find":
            self.find_first(event.value)

    def filter_by(self, text: str) -> bool:
        """Filter, or say what is wrong with the filter; whether it was right."""
        try:
            self.rearrange(replace(self.arrangement, filter=text.strip()))
        except FilterError as error:
            if self.arrangement != self.before[0]:
                self.rearrange(self.before[0])
            self.problem = str(error)
            self.draw_status()
            return False
        self.problem = ""
        return True

    @spoken
    def find_first(self, words: str) -> None:
        """Go to the first match from where the search began."""
        self.words = words.strip()
        if self.words and self.view is not None:
            self.jump(self.view.find(self.words, self.before[1] - 1, 1))

    @on(Input.Submitted)
    def submitted(self, event: Input.Submitted) -> None:
        """Take over what was typed."""
        purpose = self.query_one(TypingLine).purpose
        if purpose == "filter":
            if self.filter_by(event.value):
                self.stop_typing()
        elif purpose == "find":
            self.stop_typing()
            self.find_first(event.value)
        elif purpose == "export" and self.view is not None and event.value.strip():
            path = Path(event.value.strip()).expanduser()
            if path.exists() and path != self.replacing:
                self.replacing = path
                self.say(f"{path} exists: Enter again replaces it, or give another name")
                return
            self.stop_typing()
            self.say(f"writing {path} ...")
            self.write_csv(self.view, path, path == self.replacing)

    @work(thread=True, group="export")
    def write_csv(self, view: View, path: Path, replace_it: bool) -> None:
        """Write a view in the background, then say how it went."""
        try:
            text = f"{save(view, path, replace=replace_it):,} rows in {path.absolute()}"
        except SingError as error:
            text = str(error)
        self.app.call_from_thread(self.say, text)
