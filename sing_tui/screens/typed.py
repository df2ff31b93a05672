"""What is typed into a table screen: a filter, words to find."""

from dataclasses import replace

from textual import on, work
from textual.message import Message
from textual.widgets import Input

from sing_tui.filters import FilterError, check
from sing_tui.formats import fit
from sing_tui.screens.frame import overtaken
from sing_tui.screens.page import Page
from sing_tui.screens.spoken import in_one_line, spoken
from sing_tui.search import Overtaken
from sing_tui.view import Arrangement, Rows, View, next_line
from sing_tui.widgets.columns import AT_ONCE
from sing_tui.widgets.lines import KeyLine, TextLine, TypingLine


class TypingPage(Page):
    """A page with a line to type in."""

    words = ""
    """What was last looked for."""
    before: tuple[Arrangement, int] = (Arrangement(), 0)
    """Arrangement and line to return to when typing is given up."""
    _view_before: View | None = None
    _matching: tuple[View, str, Rows] | None = None
    """The lines that were found last, so that the next match is not looked for again."""

    class Matched(Message):
        """Lines with the words that were looked for; the jump goes from `line` by `step`."""

        def __init__(self, view: View, words: str, lines: Rows, line: int, step: int) -> None:
            super().__init__()
            self.view, self.words, self.lines, self.line, self.step = view, words, lines, line, step

    def action_find(self) -> None:
        """Look for words, going to the first match with every letter."""
        self.start_typing("find", "")

    def action_filter(self) -> None:
        """Type a filter; its count changes with every letter."""
        self.start_typing("filter", self.arrangement.filter)

    def action_again(self, step: int) -> None:
        """Go to the next or previous match."""
        if not self.words:
            self.say("nothing was looked for yet: / starts")
        elif self.view is not None:
            self.jump(self.words, self.table.cursor, step)

    @spoken
    def jump(self, words: str, line: int, step: int) -> None:
        """Go to the next line with these words, searching a large table beside the screen."""
        view = self.view
        if view is None:
            return
        known = self._matching
        if known is not None and known[0] is view and known[1] == words:
            self.arrive(self.Matched(view, words, known[2], line, step))
        elif view.table.length <= AT_ONCE:
            self.arrive(self.Matched(view, words, view.matches(words), line, step))
        else:
            self.at_work("searching")
            self._search(view, words, line, step)

    @work(thread=True, exclusive=True, group="find")
    def _search(self, view: View, words: str, line: int, step: int) -> None:
        try:
            stop = overtaken()
            lines = view.matches(words, stop)
            if not stop():
                self.post_message(self.Matched(view, words, lines, line, step))
        except Overtaken:
            pass
        except Exception as error:
            self.post_message(self.Failed(in_one_line(error)))

    @on(Matched)
    def arrive(self, message: Matched) -> None:
        """Go to what was found."""
        self.done()
        if message.view is not self.view or message.words != self.words:
            return
        self._matching = (message.view, message.words, message.lines)
        line = next_line(message.lines, message.line, message.step)
        if line is None:
            self.say(f"nothing contains {self.words!r}")
            return
        place = int(message.lines.searchsorted(line)) + 1
        text = f"match {place:,} of {len(message.lines):,} for {self.glyphs.text(self.words)}: n next, N previous"
        if line == self.table.cursor:
            self.say(text)
        else:
            self.note = text  # said once the cursor has moved
            self.table.go(line)

    def start_typing(self, purpose: str, value: str) -> None:
        """Open the typing line."""
        if self.view is None:
            return
        self.before, self._view_before = (self.arrangement, self.table.cursor), self.view
        self.query_one(TypingLine).ask(purpose, value)
        self.query_one(KeyLine).offer((("enter", purpose), ("esc", "cancel")))
        self.draw_status()

    def type_ahead(self, character: str) -> bool:
        """Take a letter that reached the screen although the typing line is open; whether it is open."""
        return self.query_one(TypingLine).type_ahead(character)

    def give_up_typing(self) -> None:
        """Close the typing line and go back to how things stood before."""
        purpose, (wanted, line) = self.query_one(TypingLine).purpose, self.before
        self.stop_typing()
        self.done()
        before = self._view_before
        if purpose == "filter" and before is not None and (wanted != self.arrangement or self.view is not before):
            self.rearrange(wanted, int(before.order[line]) if len(before) else None)
        else:
            self.workers.cancel_group(self, "find")
            self.table.go(line)

    def stop_typing(self) -> None:
        """Close the typing line."""
        self.query_one(TypingLine).close()
        self.problem = ""
        self.table.focus()
        self.say("")
        self.show_keys()

    @on(Input.Changed)
    def typed(self, event: Input.Changed) -> None:
        """Find or filter with every letter."""
        purpose = self.query_one(TypingLine).purpose
        if purpose == "filter":
            self.filter_by(event.value)
        elif purpose == "find":
            self.find_first(event.value)

    def filter_by(self, text: str) -> bool:
        """Filter, or say what is wrong with the filter, under the place where reading stopped; whether it was right."""
        if self.view is None:
            return False
        try:
            check(self.view.table, text.strip())
        except FilterError as error:
            if self.arrangement != self.before[0]:
                self.rearrange(self.before[0])
            self.point_out(error, len(text) - len(text.lstrip()))
            return False
        self.problem = ""
        if text.strip() != self.arrangement.filter:
            self.rearrange(replace(self.arrangement, filter=text.strip()))
        self.draw_status()
        return True

    def point_out(self, error: FilterError, indent: int) -> None:
        """An error with a mark under the character it is about: the status stands below the line that is typed into."""
        at = self.query_one(TypingLine).column_of(indent + error.position) - 1
        message, room = self.glyphs.text(error.message), self.query_one("#status", TextLine).size.width - 2
        behind, before = room - at - 2, at - 1
        if len(message) <= behind or behind >= before:
            self.problem = " " * max(0, at) + f"^ {fit(message, max(1, behind), self.glyphs)}"
        else:
            self.problem = f"{fit(message, before, self.glyphs).rstrip()} ^".rjust(at + 1)
        self.draw_status()

    def find_first(self, words: str) -> None:
        """Go to the first match from where the search began."""
        self.words = words.strip()
        if self.words:
            self.jump(self.words, self.before[1] - 1, 1)

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
