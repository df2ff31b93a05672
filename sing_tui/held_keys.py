"""Keys that come before the rows that they are about wait for them: over a slow link `s` and Enter arrive as one piece."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from textual import events

if TYPE_CHECKING:
    from sing_tui.screens.table import TableScreen

_NEVER_LATE = ("Q", "ctrl+q", "ctrl+c", "escape")
"""Keys that do not wait."""
_MOST = 200
_STEPS_ON = "step('neighbour'"
"""Action of the keys that go to the next class and the like: they name no row of those that are shown."""


class HeldKeys:
    """The keys that wait, in their order."""

    def __init__(self) -> None:
        self._held: list[events.Key] = []

    def take(self, event: events.Event, page: "TableScreen | None", *, opening: bool) -> bool:
        """Keep a key if the rows that it is about are still to come; the key Esc gives up those that are kept, and nothing else.

        They are those of a file that is being opened, of another table, or of a large one in another order.

        Args:
            event: The event; one that is no key does not wait.
            page: The table screen, if it is the one in front; None before it is there, and under another one.
            opening: True while a file is being opened.

        Returns:
            True if it was kept, or gave up others.
        """
        if page is not None and self._held and isinstance(event, events.Key) and event.key == "escape":
            self._held.clear()
            return True
        if not isinstance(event, events.Key) or event.key in _NEVER_LATE or len(self._held) >= _MOST:
            return False
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

    def release(self, send: Callable[[events.Key], object]) -> None:
        """Send them again: their rows are there."""
        while self._held:
            send(self._held.pop(0))
