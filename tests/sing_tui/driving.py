"""Driving the explorer through Textual's pilot, and reading what it painted."""

import asyncio
import re
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from terminal import Terminal
from textual._context import visible_screen_stack
from textual.app import App
from textual.events import Key
from textual.keys import _character_to_key
from textual.pilot import Pilot
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget

from sing_tui.app import Explorer
from sing_tui.screens.finder import FinderScreen
from sing_tui.screens.sheet import Sheet
from sing_tui.session.arranging import arrangement
from sing_tui.session.state import Arrangement
from sing_tui.start import Start, Wish
from sing_tui.widgets.photographs import Photograph

PATIENCE = 120
"""Seconds after which a test gives up. Machines may stand still for a minute."""


def wish(
    table: str | None = None, compare: str | None = None, others: tuple[str, ...] = (), **items: str | None
) -> Wish:
    """The words of a command line; `class_="cat"` is `--class cat`."""
    named = {axis.rstrip("_"): item for axis, item in items.items() if item is not None}
    return replace(Wish.of(table, named, compare), others=others)


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


def table_is_drawn(app: Explorer) -> bool:
    """Return True if the screen shows the table of the place in the order that was asked for."""
    page = app.page
    view = page.view
    return (
        page.drawn[-1].place == page.place
        and page.table.view is view
        and not page.reading.under_way
        and (view is None or view.arrangement == arrangement_of(app))
        and not page.frame.status.message.endswith(" ...")
    )


def is_drawn(app: Explorer) -> bool:
    """Return True if the screen shows what was asked for: the table, the details of its row, the photographs."""
    if app.page is None:
        return app.failure is not None
    view, pane = app.page.view, app.page.frame.pane
    details = not pane.display or view is None or not len(view) or (pane.wanted and pane.shown.wanted == pane.wanted)
    photographs = all(photograph.rendering.name for photograph in app.screen.query(Photograph))
    at_work = any(worker.group in ("look", "open", "find") and not worker.is_finished for worker in app.workers)
    return bool(table_is_drawn(app) and details and photographs and not at_work)


def is_answered(app: Explorer) -> bool:
    """Return True if the screen in front shows what the last key asked for, be it the table, the finder or another one."""
    screen = app.screen
    if screen is app.page:
        return table_is_drawn(app)
    answered = not isinstance(screen, FinderScreen) or screen.answered == screen.generation
    return answered and bool(screen_text(app).strip())


def has_messages(app: App) -> bool:
    """Return True if a message waits at the application or any widget of its screens."""
    widgets = (widget for screen in app.screen_stack for widget in screen.walk_children(with_self=True))
    return bool(app.message_queue_size) or any(widget.message_queue_size for widget in widgets)


async def handled(app: App) -> None:
    """Wait until keys that were sent have come to where they are handled, and what that led to as well; then paint.

    A key goes from hand to hand: application, the widget in focus, what holds it, the screen; so do messages about what it did.
    `Pilot.pause` waits for one hand, then until the processor rests, which it also does where a busy machine stalls.
    """
    end = time.monotonic() + PATIENCE
    quiet = False
    while not quiet and app.is_running and app._exception is None:
        focused = [] if app.focused is None else app.focused.ancestors_with_self
        table = (
            [app.page.table] if isinstance(app, Explorer) and app.page is not None else []
        )  # it moves also without focus
        hands = dict.fromkeys([app, *focused, *table, *reversed(app.screen_stack)])
        quiet = not has_messages(app)
        passed = [(hand, done) for hand in hands if (done := asyncio.Event()) and hand.call_later(done.set)]
        while any(hand.is_running and not done.is_set() for hand, done in passed) and app._exception is None:
            if time.monotonic() > end:
                pytest.fail(f"keys are not handled within {PATIENCE} s:\n{screen_text(app)}")
            await asyncio.sleep(0)
        if app.screen_stack:
            app.screen._on_timer_update()  # private API of Textual, which its pilot calls, too: some steps follow the painting
        quiet = quiet and not has_messages(app)


async def drawn(app: Explorer) -> None:
    """Wait until the screen shows what was asked for, keys that were sent just before included, and is painted."""
    await handled(app)
    await until(lambda: is_drawn(app), app)
    await handled(app)


async def press(pilot: Pilot, *keys: str) -> None:
    """Press keys, waiting after each until the screen in front shows what it asks for; details follow later (`drawn`)."""
    app = pilot.app
    for key in keys:
        name = _character_to_key(key) if len(key) == 1 else key
        app.post_message(Key(name, key if len(key) == 1 else None))
        await handled(app)
        if isinstance(app, Explorer) and app.is_running and not (app.page is None or is_answered(app)):
            await until(lambda: is_answered(app), app)
            await handled(app)  # it is painted, too


def burst(*keys: str, app: Explorer) -> None:
    """Send keys all at once, as a terminal does after a pause of the line."""
    for key in keys:
        name = _character_to_key(key) if len(key) == 1 else key
        app.post_message(Key(name, "/" if key == "slash" else key if len(key) == 1 else None))


def strips(screen: Screen) -> list[Strip]:
    """A screen as it is painted, line by line (private API of Textual, kept in this one place).

    Textual names the screens behind before it paints; one painted without covers them with its background, and keeps that.
    """
    visible_screen_stack.set(screen.app._background_screens if screen is screen.app.screen else [])
    return screen._compositor.render_strips()


def lines(app: App) -> list[str]:
    """The text on the screen, line by line."""
    return [strip.text for strip in strips(app.screen)]


def screen_text(app: App) -> str:
    """Return the text on the screen, its lines joined; empty before the first screen is there."""
    return "\n".join(lines(app)) if app.screen_stack else ""


on_screen = screen_text


async def until(condition: Callable[[], object], app: App, *, seconds: float = PATIENCE) -> None:
    """Wait until a condition holds, best one on `screen_text`; after so many seconds fail with the screen in the message."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"not seen within {seconds:g} s:\n{screen_text(app)}")
        await asyncio.sleep(0.01)


def widget_text(widget: Widget) -> str:
    """Return the text painted inside one widget, its words joined by single spaces, wherever the lines end."""
    area = widget.region
    painted = strips(widget.screen)[area.y : area.bottom]
    return " ".join(" ".join(strip.crop(area.x, area.right).text for strip in painted).split())


def sheet_text(app: App) -> str:
    """Return the text of the page in front, as it is before its lines are broken: a path in it may be of any length."""
    assert isinstance(app.screen, Sheet), screen_text(app)
    return str(app.screen.text)


def status(app: Explorer) -> str:
    """The line at the bottom, without the keys."""
    return "" if app.page is None else app.page.frame.status.left


def shown(app: Explorer, name: str) -> list[np.ndarray]:
    """Whole columns of the screen's table whose names end so, in the order of the file."""
    return [column.values.all() for column in app.screen.view.table.columns if column.name.endswith(name)]


def first_cells(app: Explorer) -> list[str]:
    """The first column of the whole view in its order."""
    view = app.screen.view
    return [str(cell) for cell in view.table.columns[0].values.take(view.order)]


def places(values: np.ndarray) -> np.ndarray:
    """Return ranks by the definition: 1 and how many are larger."""
    return 1 + (values[None, :] > values[:, None]).sum(axis=1)


def place_line(app: Explorer) -> str:
    """Return the first line of the screen, which names the place."""
    return lines(app)[0]


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
