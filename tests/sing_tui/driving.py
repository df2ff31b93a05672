"""Driving the explorer through Textual's pilot, and reading what it painted."""

import asyncio
import re
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from terminal import Terminal
from textual.app import App
from textual.events import Key
from textual.keys import _character_to_key
from textual.pilot import Pilot
from textual.widget import Widget
from textual.worker import WorkerCancelled

from sing_tui.app import Explorer
from sing_tui.session.arranging import arrangement
from sing_tui.session.state import Arrangement
from sing_tui.start import Start, Wish
from sing_tui.widgets.photographs import Photograph


def wish(
    table: str | None = None, compare: str | None = None, beside: tuple[str, ...] = (), **items: str | None
) -> Wish:
    """The words of a command line; `class_="cat"` is `--class cat`."""
    named = {axis.rstrip("_"): item for axis, item in items.items() if item is not None}
    return replace(Wish.of(table, named, compare), beside=beside)


AT = {
    "models": Start(),
    "classes": Start(wish(model="alpha")),
    "concepts": Start(wish(class_="cat")),
    "images": Start(wish("images", class_="cat")),
}
"""A place at each level."""
LEVELS = tuple(AT)


def arrangement_of(app: Explorer) -> Arrangement:
    """Filter and sort of the table on the screen."""
    return arrangement(app.page.session, app.catalog)


async def settle(pilot: Pilot, *, details: bool = True) -> None:
    """Wait until messages, workers and (they start a moment later) details are done, and painted."""
    app = pilot.app
    while app.page is None and app.failure is None:
        await asyncio.sleep(0.01)
    for _ in range(4):  # a key goes through app, widget, screen and back
        await pilot._wait_for_screen()
    await workers_done(app)
    for _ in range(3):
        await pilot._wait_for_screen()
    if details and app.failure is None:
        while (
            app.workers or (app.page is not None and app.page.frame.pane._timer is not None) or photograph_awaited(app)
        ):
            await workers_done(app)
            await asyncio.sleep(0.01)
        await pilot.pause()
        await pilot.pause(0.02)


def photograph_awaited(app: Explorer) -> bool:
    """Whether a photograph was asked for and is not there yet: what was read has a name, even where it cannot be shown."""
    return any(not photograph.rendering.name for photograph in app.screen.query(Photograph))


async def workers_done(app: App) -> None:
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


def lines(app: App) -> list[str]:
    """The text on the screen, line by line (private API of Textual, kept in this one place)."""
    return ["".join(segment.text for segment in strip) for strip in app.screen._compositor.render_strips()]


def screen_text(app: App) -> str:
    """Return the text on the screen, its lines joined; empty before the first screen is there."""
    return "\n".join(lines(app)) if app.screen_stack else ""


on_screen = screen_text


async def until(condition: Callable[[], object], app: App, *, seconds: float = 30) -> None:
    """Wait until a condition holds, best one on `screen_text`; after so many seconds fail with the screen in the message."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"not seen within {seconds:g} s:\n{screen_text(app)}")
        await asyncio.sleep(0.01)


def widget_text(widget: Widget) -> str:
    """Return the text painted inside one widget, its words joined by single spaces, wherever the lines end."""
    area = widget.region
    strips = widget.screen._compositor.render_strips()[area.y : area.bottom]
    return " ".join(" ".join(strip.crop(area.x, area.right).text for strip in strips).split())


def status(app: Explorer) -> str:
    """The line at the bottom, without the keys."""
    return app.screen.query_one("#status").left


def shown(app: Explorer, name: str) -> list[np.ndarray]:
    """Whole columns of the screen's table whose names end so, in the order of the file."""
    return [column.values.all() for column in app.screen.view.table.columns if column.name.endswith(name)]


def numbers(app: Explorer, name: str) -> list[float]:
    """The numbers of the painted row of that name, without intervals."""
    line = next(line for line in lines(app)[3:-2] if re.match(rf".{re.escape(name)}(?!\S)", line))
    return [float(cell) for cell in re.sub(r"\[.*?\]", "", line[1 + len(name) :]).split() if not cell.isalpha()]


def environment(folder: Path, **more: str) -> dict[str, str]:
    return {"XDG_CONFIG_HOME": str(folder / "config"), "XDG_STATE_HOME": str(folder / "state")} | more


def ended(folder: Path, path: Path, *options: str, **more: str) -> tuple[int, str]:
    """Exit code and words of a program that does not get as far as a screen."""
    command = [sys.executable, "-m", "sing_tui", str(path), *options]
    with Terminal(command, size=(200, 24), environment=environment(folder, **more)) as app:
        return app.wait_end(), bytes(app.output).decode()
