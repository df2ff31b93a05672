"""Keys that come before the rows that they are about wait for them: over a slow link `s` and Enter arrive as one piece."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from textual import events

if TYPE_CHECKING:
    from textual.screen import Screen

    from sing_tui.screens.table import TableScreen

_NEVER_LATE = ("Q", "ctrl+q", "ctrl+c", "escape")
"""Keys that do not wait."""
_MOST = 200
_SENT_TO = "sent_to"
"""Attribute of a key: the screen that was in front when it came."""
_STEPS_ON = "step('neighbour'"
"""Action of the keys that go to the next class and the like: they name no row of those that are shown."""


class HeldKeys:
    """The keys that wait, in their order."""

    def __init__(self, send: Callable[[events.Key], object]) -> None:
        """Hold none yet.

        Args:
            send: Sends a key to the application.
        """
        self._send = send
        self._held: list[events.Key] = []

    def take(
        self, event: events.Event, page: "TableScreen | None", front: "Screen[Any] | None", *, opening: bool
    ) -> bool:
        """Keep a key if the rows that it is about are still to come; the key Esc gives up those that are kept, and nothing else.

        They are those of a file that is being opened, of another table, or of a large one in another order. Keys also wait for a
        screen that is only just being opened.

        Args:
            event: The event; one that is no key does not wait.
            page: The table screen; None before it is there.
            front: The screen in front; None at the end.
            opening: True while a file is being opened.

        Returns:
            True if it was kept, or gave up others.
        """
        page = page if front is page else None
        if page is not None and self._held and isinstance(event, events.Key) and event.key == "escape":
            self._held.clear()
            return True
        if not isinstance(event, events.Key) or event.key in _NEVER_LATE or len(self._held) >= _MOST:
            return False
        vars(event).setdefault(_SENT_TO, front)
        if front is not None and front is not page and not opening and not front.is_mounted:
            self._wait_for(front, event)
            return True
        if page is None:
            waits = opening and event.key != "q"
        else:
            leaves = event.key == "q" and page.session.is_lowest and not self._held  # whatever is being read
            waits = not leaves and self._awaits_rows(event.key, page)
        if waits:
            self._held.append(event)
        return waits

    def _awaits_rows(self, key: str, page: "TableScreen") -> bool:
        if not page.reading.is_behind:
            return False
        if page.reading.is_first or self._held:
            return True
        bound = page.active_bindings.get(key)
        steps_on = bound is not None and bound.binding.action.startswith(_STEPS_ON)
        return page.session.typing is None and not steps_on  # what is typed goes on

    def take_ahead(self, event: events.Key, page: "TableScreen | None", screens: "Sequence[Screen[Any]]") -> bool:
        """Take a key that nothing took because it was sent before the typing line or the screen was there that it was typed for.

        Args:
            event: The key.
            page: The table screen; None before it is there.
            screens: The screens of the application, the uppermost last; none at the end.

        Returns:
            True if it was typed, or kept.
        """
        if page is not None and page in screens[-1:]:
            if page.frame.typing.ended:
                return page.frame.typing.keeps(event)
            letter = event.character if event.is_printable else None
            if letter and page.frame.typing.type_ahead(letter):
                return True
        meant = vars(event).get(_SENT_TO) in screens[:-1] and event.key not in _NEVER_LATE
        if meant:
            self._wait_for(screens[-1], events.Key(event.key, event.character))
        return meant

    def _wait_for(self, screen: "Screen[Any]", event: events.Key) -> None:
        self._held.append(event)
        screen.call_later(self.release)

    def release(self) -> None:
        """Send them again: what they are about is there."""
        while self._held:
            key = self._held.pop(0)
            vars(key).pop(_SENT_TO, None)
            self._send(key)
