"""Typing into a table screen: a filter that counts with every letter, and words to find."""

from functools import partial

from sing_compute.errors import SingError
from sing_tui.error_reporting import in_one_line
from sing_tui.filters import FilterError, check
from sing_tui.loading import find_lines
from sing_tui.screens.asking import Asking
from sing_tui.screens.surface import Surface
from sing_tui.session.arranging import (
    arrange_as,
    arrangement,
    filter_by,
    give_up_typing,
    look_for,
    start_typing,
    stop_typing,
    words_to_find,
)
from sing_tui.session.state import Purpose
from sing_tui.session.undoing import remembering
from sing_tui.view import Rows, View, next_line
from sing_tui.widgets.columns import AT_ONCE
from sing_tui.widgets.typing_line import TypingLine


class Search:
    """Filter and search of one screen."""

    def __init__(self, screen: Surface) -> None:
        self.screen = screen
        self._asking = Asking(screen)
        self._found: tuple[View, str, Rows] | None = None
        """The lines that were found last, so that the next match is not looked for again."""

    def start(self, purpose: Purpose) -> None:
        """Open the typing line."""
        screen = self.screen
        if screen.view is None:
            return
        screen.sync()
        try:
            value = self._asking.first_text(purpose)
        except SingError as error:
            screen.say(in_one_line(error))
            return
        screen.session = start_typing(screen.session, screen.catalog, purpose)
        screen.frame.typing.ask(purpose, value)
        screen.show_keys()
        screen.say(self._asking.hint(purpose))

    def give_up(self) -> None:
        """Close the typing line, and go back to filter and cursor of before."""
        screen, typing = self.screen, self.screen.session.typing
        screen.background.cancel("find")
        screen.frame.done()
        self._close()
        if typing is not None:
            screen.sync()
            screen.become(give_up_typing(screen.session))
            screen.show_keys()
            screen.draw_status()  # the rows are no longer counted

    def _close(self) -> None:
        screen = self.screen
        screen.frame.typing.close()
        screen.frame.status.problem = ""
        screen.table.focus()
        screen.say("")

    def _take(self) -> None:
        self._close()
        session = self.screen.session
        self.screen.session = remembering(session, stop_typing(session), self.screen.catalog)
        self.screen.show_keys()
        self.screen.draw_status()

    def typed(self, message: TypingLine.Typed) -> None:
        """Filter or find with every letter, and take what was typed once it is over."""
        typing = self.screen.session.typing
        if typing is None or not self.screen.frame.typing.awaits(message):
            return
        if message.purpose == "filter":
            if self._filter_by(message.text) and message.over:
                self._take()
            return
        if message.purpose != "find":
            step = self._asking.read(message.purpose, message.text, over=message.over)
            if step is not None:
                self._take()
                self.screen.act(step)
            return
        if message.over:
            self._take()
        self.screen.sync()
        self.screen.session = look_for(self.screen.session, message.text)
        if self.screen.session.here.looked_for:
            self._jump(self.screen.session.here.looked_for, typing.line - 1, 1)

    def _filter_by(self, text: str) -> bool:
        """Filter, or point at what is wrong with the filter; return True if nothing is."""
        screen, view = self.screen, self.screen.view
        if view is None:
            return False
        screen.sync()
        session = screen.session
        present = arrangement(session, screen.catalog)
        try:
            screen.frame.status.notes = check(view.table, text.strip())
        except FilterError as error:
            before = present if session.typing is None else session.typing.arrangement
            if present != before:
                screen.become(arrange_as(session, before))
            indent = len(text) - len(text.lstrip())
            screen.frame.status.point_at(screen.frame.typing.column_of(indent + error.position), error.message)
            screen.draw_status()
            return False
        screen.frame.status.problem = ""
        if text.strip() != present.filter:
            screen.become(filter_by(session, screen.catalog, text))
        screen.draw_status()
        return True

    def again(self, step: int) -> None:
        """Go to the next or previous match, or say that nothing was searched for."""
        self.screen.sync()
        try:
            words = words_to_find(self.screen.session)
        except SingError as error:
            self.screen.say(in_one_line(error))
        else:
            self._jump(words, self.screen.table.cursor, step)

    def _jump(self, words: str, line: int, step: int) -> None:
        """Go to the next line with these words, searching a large table in a thread."""
        screen, view = self.screen, self.screen.view
        if view is None:
            return
        if self._found is not None and self._found[:2] == (view, words):
            self._arrive(view, words, line, step, self._found[2])
        elif view.table.length <= AT_ONCE:
            try:
                self._arrive(view, words, line, step, view.matches(words))
            except SingError as error:
                screen.say(in_one_line(error))
        else:
            screen.frame.at_work(partial(screen.busy, "searching"))
            screen.background.run(
                "find", partial(find_lines, view, words), partial(self._arrive, view, words, line, step)
            )

    def _arrive(self, view: View, words: str, line: int, step: int, lines: Rows | None) -> None:
        """Go to what was found, unless something else is looked for now."""
        screen = self.screen
        if lines is None or view is not screen.view or words != screen.session.here.looked_for:
            return
        screen.frame.done()
        self._found = (view, words, lines)
        found = next_line(lines, line, step)
        if found is None:
            screen.say(f"nothing contains {words!r}")
            return
        number = int(lines.searchsorted(found)) + 1
        text = f"match {number:,} of {len(lines):,} for {screen.glyphs.text(words)}: n next, N previous"
        if found == screen.table.cursor:
            screen.say(text)
        else:
            screen.note = text  # said once the cursor has moved
            screen.table.go(found)
