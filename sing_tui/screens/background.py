"""Work of a screen in threads: a thread reads, a message carries the result to the screen, a function there draws it."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from textual.screen import Screen
from textual.worker import get_current_worker

from sing_tui.error_reporting import in_one_line
from sing_tui.loading import warm_up
from sing_tui.search import Stop
from sing_tui.store_catalog import StoreCatalog

T = TypeVar("T")
IDLE = 0.5
"""Seconds after which nothing else is likely to be done."""


class Background:
    """Runs functions in threads, in groups of which each may be exclusive: the newest one supersedes those before."""

    def __init__(self, screen: Screen[Any], failed: Callable[[str], None]) -> None:
        """Prepare for a screen.

        Args:
            screen: The screen whose functions draw the results.
            failed: Called on the screen with one line where a function raised an error.
        """
        self._screen, self._failed = screen, failed

    @property
    def stack(self) -> Sequence[Screen[Any]]:
        """The screens of the application, the uppermost last."""
        return self._screen.app.screen_stack

    def run(self, group: str, work: Callable[[Stop], T], draw: Callable[[T], None], *, exclusive: bool = True) -> None:
        """Run a function in a thread.

        Args:
            group: Name of the group.
            work: The function; its argument returns True once a newer one has superseded it.
            draw: Called on the screen with the result. It may be superseded by then, which `draw` has to check.
            exclusive: True if this function supersedes those of its group that still run.
        """
        waiting = [(work, draw)]

        def job() -> None:
            work, draw = waiting.pop()  # Textual may keep the worker, and with it this function: not what it works on
            worker = get_current_worker()

            def stop() -> bool:
                return worker.is_cancelled

            try:
                result = work(stop)
            except Exception as error:  # a thread that dies takes the screen with it; a damaged file must not
                if not stop():
                    self._screen.call_later(self._failed, in_one_line(error))
            else:
                self._screen.call_later(self._deliver, draw, result)

        self._screen.run_worker(job, thread=True, exclusive=exclusive, group=group, exit_on_error=False)

    def _deliver(self, draw: Callable[[T], None], result: T) -> None:
        """Draw a result, unless the screen was closed meanwhile: its parts are gone before it is."""
        if self._screen in self.stack:
            draw(result)

    def warm_up(self, catalog: StoreCatalog, ready: Callable[[], bool], *, charts: bool) -> None:
        """Do what would keep a later key waiting, once nothing else is likely to be done.

        Args:
            catalog: The open file.
            ready: Returns True once nobody waits for a table: two threads that read would each take twice as long.
            charts: True where charts will be drawn.
        """
        work = partial(warm_up, catalog, charts=charts, collector=not self._screen.app.is_headless)

        def begin() -> None:
            if ready():
                self.run("warm up", work, lambda _: None)
            else:
                self._screen.set_timer(IDLE, begin)

        self._screen.set_timer(IDLE, begin)

    def cancel(self, group: str) -> None:
        """Supersede the functions of a group."""
        self._screen.workers.cancel_group(self._screen, group)
