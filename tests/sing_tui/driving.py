"""Driving the explorer through Textual's pilot, and reading what it painted."""

import asyncio
from contextlib import suppress

from textual.events import Key
from textual.keys import _character_to_key
from textual.pilot import Pilot
from textual.worker import WorkerCancelled

from sing_tui.app import Explorer
from sing_tui.screens.photo import Picture


async def settle(pilot: Pilot, *, details: bool = True) -> None:
    """Wait until messages, workers and (they start a moment later) details are done, and painted."""
    app = pilot.app
    while app.store is None and app.failure is None:
        await asyncio.sleep(0.01)
    for _ in range(4):  # a key goes through app, widget, screen and back
        await pilot._wait_for_screen()
    await workers_done(app)
    for _ in range(3):
        await pilot._wait_for_screen()
    if details and app.failure is None:
        while app.workers or getattr(app.screen, "_timer", None) is not None or photograph_awaited(app):
            await workers_done(app)
            await asyncio.sleep(0.01)
        await pilot.pause()
        await pilot.pause(0.02)


def photograph_awaited(app: Explorer) -> bool:
    """Whether a photograph was asked for and is not there yet: what was read has a name, even where it cannot be shown."""
    return any(not picture.shown.name for picture in app.screen.query(Picture))


async def workers_done(app: Explorer) -> None:
    """Wait for the threads at work and for those they call up; one that a later key made superfluous counts as done."""
    while app.workers:
        with suppress(WorkerCancelled):
            await app.workers.wait_for_complete()
        await asyncio.sleep(0.01)


async def press(pilot: Pilot, *keys: str) -> None:
    """Press keys, waiting after each for what it sets off. `pilot.press` waits 65 ms a key for an idle processor."""
    for key in keys:
        name = _character_to_key(key) if len(key) == 1 else key
        pilot.app.post_message(Key(name, key if len(key) == 1 else None))
        await settle(pilot, details=False)


def burst(*keys: str, app: Explorer) -> None:
    """Send keys all at once, as a terminal does after a pause of the line."""
    for key in keys:
        name = _character_to_key(key) if len(key) == 1 else key
        app.post_message(Key(name, "/" if key == "slash" else key if len(key) == 1 else None))


def lines(app: Explorer) -> list[str]:
    """The text on the screen, line by line (private API of Textual, kept in this one place)."""
    return ["".join(segment.text for segment in strip) for strip in app.screen._compositor.render_strips()]


def on_screen(app: Explorer) -> str:
    return "\n".join(lines(app))
