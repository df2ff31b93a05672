"""The base of screens that cover a table: map, contact sheet, photograph, look at a column."""

from typing import ClassVar

from rich.text import Text
from textual import events, on
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen, ScreenResultType

from sing_compute.formats import Glyphs
from sing_tui.key_list import key_name
from sing_tui.widgets.text_lines import KeyLine


class Overlay(ModalScreen[ScreenResultType]):
    """A screen with a line of keys; a key that does nothing here is named in it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark,f1", "help", "help"),
        Binding("ctrl+c", "app.help_quit", "cancel a running export"),
    ]
    glyphs: Glyphs
    standing = ""
    """Text in place of the keys as long as the screen is open, between other messages; empty for the keys."""

    @property
    def is_open(self) -> bool:
        """True until the screen is closed; then its parts are gone before it is, and what comes late must not ask for them."""
        return self in self.app.screen_stack

    def tell(self, message: str) -> None:
        """Show one line in place of the keys until the next key."""
        for line in self.query(KeyLine):
            line.tell(self.glyphs.text(message))

    def on_key(self, event: events.Key) -> None:
        """Say that a key does nothing here."""
        unknown = event.key not in self.active_bindings
        is_sign = event.is_printable and event.key != "space"
        sign = event.character if is_sign and event.character else key_name(event.key)
        self.tell(f"{sign} does nothing here: ? lists the keys, esc goes back" if unknown else self.standing)

    @on(KeyLine.Clicked)
    async def key_clicked(self, message: KeyLine.Clicked) -> None:
        """Do what a clicked key does."""
        await self.run_action(message.action)

    def help_text(self) -> str:
        """Return the keys of this screen, a line for each."""
        names = [
            (" ".join(map(key_name, binding.key.split(","))), binding.description)
            for binding in self.BINDINGS
            if isinstance(binding, Binding)
        ]
        width = max(len(keys) for keys, _ in names)
        return "\n".join(f"{keys:<{width}}  {does}" for keys, does in names)

    def action_help(self) -> None:
        """List the keys."""
        from sing_tui.screens.sheet import Sheet

        self.app.push_screen(Sheet(Text(self.help_text()), ascii_only=self.glyphs.ascii_only))
