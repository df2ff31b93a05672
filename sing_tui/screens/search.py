"""Typing into a table screen: a filter that counts with every letter, and words to find."""

from dataclasses import dataclass, field
from functools import partial

from sing_compute.errors import SingError
from sing_compute.store import Place
from sing_tui.error_reporting import in_one_line
from sing_tui.filters import FilterError, check
from sing_tui.screens.asking import Asking
from sing_tui.screens.surface import Surface
from sing_tui.search import Stop, Superseded
from sing_tui.session.arranging import (
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


@dataclass(eq=False, slots=True)
class _Wanted:
    """Words that are looked for; in a large table a thread looks, and keys go on being pressed."""

    words: str
    place: Place
    identity: int | None
    line: int
    """The row from which is looked: its line counts where it is not among the rows."""
    typed: bool = False
    """True to begin with the match in this row or the first one after it."""
    steps: list[int] = field(default_factory=list)
    """Steps to further matches: 1 to the next, -1 to the one before."""

    def line_of(self, view: View, lines: Rows) -> int | None:
        """Return the line where the steps over the lines with a match lead to; None if there is no match."""
        known = None if self.identity is None else view.line_of(self.identity)
        line = self.line if known is None else known
        steps = self.steps
        if self.typed:
            line, steps = line - 1, [1, *steps]
        for step in steps:
            found = next_line(lines, line, step)
            if found is None:
                return None
            line = found
        return line


class Search:
    """Filter and search of one screen."""

    def __init__(self, screen: Surface) -> None:
        self.screen = screen
        self._asking = Asking(screen)
        self._found: tuple[View, str, Rows] | None = None
        """The lines that were found last, so that the next match is not looked for again."""
        self._wanted: _Wanted | None = None
        """The words that a thread looks for."""

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
        self._wanted = None
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
        screen.table.screen.set_focus(screen.table)  # at once: keys that waited are about it
        screen.say("")

    def take(self) -> None:
        """Close the typing line, if it is open; what was typed stays."""
        if self.screen.session.typing is None:
            return
        self._close()
        session = self.screen.session
        self.screen.session = remembering(session, stop_typing(session), self.screen.catalog)
        self.screen.show_keys()
        self.screen.draw_status()

    def typed(self, message: TypingLine.Typed) -> None:
        """Filter or find with every letter, and take what was typed once it is over."""
        if self.screen.frame.typing.awaits(message):
            if message.given_up:
                self.give_up()
            elif self.screen.session.typing is not None:
                self._answer(message)
        if message.over:
            self.screen.frame.typing.answered()

    def _answer(self, message: TypingLine.Typed) -> None:
        typing = self.screen.session.typing
        if typing is None:
            return
        if message.purpose == "filter":
            if self._filter_by(message.text) and message.over:
                self.take()
            return
        if message.purpose != "find":
            step = self._asking.read(message.purpose, message.text, over=message.over)
            if step is not None:
                self.take()
                self.screen.act(step)
            return
        if message.over:
            self.take()
        self.screen.sync()
        self.screen.session = look_for(self.screen.session, message.text)
        here = self.screen.session.here
        if here.looked_for:
            self._look(_Wanted(here.looked_for, here.place, typing.identity, typing.line, typed=True))

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
                screen.become(filter_by(session, screen.catalog, before.filter))
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
            return
        here = self.screen.session.here
        if self._wanted is not None and (self._wanted.words, self._wanted.place) == (words, here.place):
            self._wanted.steps.append(step)  # the thread that looks for them has not come back
        else:
            self._look(_Wanted(words, here.place, here.identity, here.line, steps=[step]))

    def _look(self, wanted: _Wanted) -> None:
        """Go to a line with these words, searching a large table in a thread."""
        screen, view = self.screen, self.screen.view
        if view is None:
            return
        self._wanted = wanted
        if self._found is not None and self._found[:2] == (view, wanted.words):
            self._arrive(wanted, view, self._found[2])
        elif view.table.length <= AT_ONCE:
            self._arrive(wanted, view, _find(view, wanted.words))
        else:
            screen.frame.at_work(partial(screen.busy, "searching"))
            screen.background.run("find", partial(_find, view, wanted.words), partial(self._arrive, wanted, view))

    def _arrive(self, wanted: _Wanted, view: View, lines: Rows | SingError | None) -> None:
        """Go to what was found, unless something else is looked for now; look again if the rows are others by now."""
        screen = self.screen
        if wanted is not self._wanted or lines is None:
            return
        self._wanted = None
        if screen.view is None or wanted.place != screen.session.place:
            return
        if view is not screen.view:
            self._look(wanted)
            return
        screen.frame.done()
        if isinstance(lines, SingError):
            screen.say(in_one_line(lines))
        else:
            self._found = (view, wanted.words, lines)
            self._show(wanted.words, lines, wanted.line_of(view, lines))

    def _show(self, words: str, lines: Rows, found: int | None) -> None:
        """Put the cursor on a match, and say which one it is."""
        screen = self.screen
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


def _find(view: View, words: str, stop: Stop | None = None) -> Rows | SingError | None:
    """Return the lines with these words, or the reason why there is no answer; None says that it is not wanted any more."""
    try:
        lines = view.matches(words, stop)
    except Superseded:
        return None
    except SingError as error:
        return error
    return None if stop is not None and stop() else lines
