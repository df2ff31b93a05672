"""Waiting for what is to be seen."""

import asyncio
from pathlib import Path

import pytest
from driving import drawn, place_line, press, screen_text, until, widget_text
from textual.app import App, ComposeResult
from textual.containers import Horizontal
from textual.widgets import Static

from sing_tui.app import Explorer


class Two(App[None]):
    """Two texts beside each other."""

    CSS = "Static { width: 12; height: 3; }"

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield Static("a sentence that is broken", id="left")
            yield Static("another", id="right")


async def test_a_text_is_awaited_until_it_is_on_the_screen() -> None:
    app = Two()
    assert screen_text(app) == ""
    async with app.run_test(size=(30, 5)):
        await until(lambda: "a sentence" in screen_text(app), app)
        asyncio.get_running_loop().call_later(0.05, app.query_one("#right", Static).update, "late")
        assert "late" not in screen_text(app)
        await until(lambda: "late" in screen_text(app), app)


async def test_what_does_not_come_fails_with_the_screen_in_the_message() -> None:
    app = Two()
    async with app.run_test(size=(30, 5)):
        await until(lambda: "another" in screen_text(app), app)
        with pytest.raises(pytest.fail.Exception, match=r"^not seen within 0.1 s:\na sentence  another"):
            await until(lambda: "never" in screen_text(app), app, seconds=0.1)


async def test_the_text_of_a_widget_is_whole_wherever_its_lines_end() -> None:
    app = Two()
    async with app.run_test(size=(30, 5)):
        await until(lambda: "another" in screen_text(app), app)
        assert widget_text(app.query_one("#left")) == "a sentence that is broken"


async def test_what_is_behind_a_screen_stays_however_early_one_looks(store_path: Path) -> None:
    app = Explorer(store_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        await press(pilot, "t")
        await drawn(app)
        for _ in range(2):
            app.screen.refresh()  # as before it is painted for the first time
            assert "results.h5 › models" in place_line(app)
