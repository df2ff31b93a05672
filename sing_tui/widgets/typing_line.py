"""The line in which a filter or words to find are typed; hidden until it is asked for."""

from typing import ClassVar

from rich.cells import cell_len
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input

from sing_tui.widgets.text_lines import TextLine

_PURPOSE = 9
"""Cells before the text that is typed."""


class _TypedInput(Input):
    """Takes keys in the order in which they come; Textual's own takes letters at once, and hands the others round."""

    _ACTIONS: ClassVar[dict[str, str]] = {
        key.strip(): binding.action
        for binding in Input.BINDINGS
        if isinstance(binding, Binding)
        for key in binding.key.split(",")
    }
    """The actions of the keys that edit a text, by key."""

    async def on_key(self, event: events.Key) -> None:
        """Do what a key does, unless it came behind the one that ends what is typed."""
        action = self._ACTIONS.get(event.key)
        if self.query_ancestor(TypingLine).keeps(event) or (action and await self.app.run_action(action, self)):
            event.stop()
            event.prevent_default()

    async def action_submit(self) -> None:
        """Post what was typed; keys behind it wait for the answer."""
        line = self.query_ancestor(TypingLine)
        line.ended = bool(line.purpose)
        await super().action_submit()


class TypingLine(Horizontal):
    """A word that says what the text is for, and the text."""

    DEFAULT_CSS = """
    TypingLine { height: 1; display: none; background: $boost;
        & > TextLine { width: 9; }
        & > Input, & > Input:focus { width: 1fr; height: 1; border: none; padding: 0; background: $boost; }
    }
    """

    purpose = ""
    """The purpose of the typed text; empty while the line is hidden."""
    ended = False
    """True from the key that ends what is typed until it is answered."""
    _asked = 0

    class Typed(Message):
        """The text has changed; with `over` it is to be taken as it is, or given up."""

        def __init__(self, purpose: str, text: str, asked: int, *, over: bool, given_up: bool = False) -> None:
            super().__init__()
            self.purpose, self.text, self.asked, self.over, self.given_up = purpose, text, asked, over, given_up

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._behind: list[events.Key] = []

    def compose(self) -> ComposeResult:
        """Return the parts, from left to right."""
        yield TextLine()
        field = _TypedInput(compact=True, select_on_focus=False)
        field.cursor_blink = False
        yield field

    def ask(self, purpose: str, value: str = "") -> None:
        """Show the line with a text to go on from."""
        self.answered()
        self.query_one(TextLine).write(purpose)
        field = self.query_one(Input)
        with field.prevent(Input.Changed):
            field.value = value
        field.cursor_position = len(value)
        self.display = True
        self.purpose = purpose
        self._asked += 1
        self.screen.set_focus(field)  # at once: what is typed next must not go to the table

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        if self.purpose:
            self.post_message(self.Typed(self.purpose, event.value, self._asked, over=False))

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if self.purpose:
            self.post_message(self.Typed(self.purpose, event.value, self._asked, over=True))

    def awaits(self, message: Typed) -> bool:
        """Return True if a message is about what is typed now: the line may have been closed since it was sent."""
        return bool(self.purpose) and message.asked == self._asked

    def column_of(self, position: int) -> int:
        """Return the column of the screen in which a character of the typed text is."""
        field = self.query_one(Input)
        return max(field.region.x, _PURPOSE) + cell_len(field.value[:position]) - int(field.scroll_offset.x)

    def type_ahead(self, character: str) -> bool:
        """Add a letter that was sent before the line had the focus; return True if the line is open."""
        if self.purpose:
            self.query_one(Input).insert_text_at_cursor(character)
        return bool(self.purpose)

    def keeps(self, event: events.Key) -> bool:
        """Keep a key that came behind the one that ends what is typed, or send it on if the line is closed by now."""
        again = events.Key(event.key, event.character)
        if not self.purpose:
            if self.screen.focused is self.query_one(Input):
                self.screen.set_focus(None)  # else the key would come back
            self.app.post_message(again)
        elif self.ended:
            self._behind.append(again)
        elif event.key == "escape":
            self.ended = True
            self.post_message(self.Typed(self.purpose, "", self._asked, over=True, given_up=True))
        else:
            return False
        return True

    def answered(self) -> None:
        """Let the keys take effect that came behind the one that ended what was typed."""
        self.ended = False
        behind, self._behind = self._behind, []
        for key in behind:
            self.app.post_message(key)

    def close(self) -> None:
        """Hide the line."""
        self.purpose, self.display = "", False
        self.answered()

    def on_descendant_blur(self) -> None:
        """Keep the focus while something is typed: a click elsewhere moves the cursor, and no more."""
        if self.purpose and self.app.app_focus:
            self.screen.set_focus(self.query_one(Input))
