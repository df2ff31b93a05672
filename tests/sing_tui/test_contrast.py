"""Text on every screen is readable in every theme: its contrast is measured on what is painted."""

from pathlib import Path

import pytest
from driving import AT, drawn, on_screen, press, strips, until
from rich.color import ColorType
from textual.app import App

from sing_compute.charts.registry import titles
from sing_compute.store import catalogue
from sing_tui.app import Explorer
from sing_tui.colors import READABLE, contrast
from sing_tui.start import THEMES

COLOURED = [theme for theme in THEMES if not theme.startswith("ansi")]  # those have the terminal's own colours


def unreadable(app: App) -> set[tuple[float, str, str, str]]:
    """Contrast, colours and text of what is hard to read on the screen."""
    found = set()
    top = app.screen.children[0].region  # around it a dialog dims the table
    for strip in strips(app.screen)[top.y : top.bottom]:
        for text, style, _ in strip.crop(top.x, top.right):
            if style is None or not text.strip() or style.color is None or style.bgcolor is None:
                continue
            if ColorType.DEFAULT in (style.color.type, style.bgcolor.type):
                continue
            front, back = style.color.get_truecolor(), style.bgcolor.get_truecolor()
            ratio = contrast(front, back)
            if ratio < READABLE:
                found.add((round(ratio, 2), front.hex, back.hex, text.strip()[:30]))
    return found


@pytest.mark.parametrize("theme", COLOURED)
async def test_every_screen_is_readable(store_path: Path, theme: str) -> None:
    app = Explorer(store_path, AT["classes"], theme=theme)
    bad = set()
    async with app.run_test(size=(140, 40)) as pilot:
        await drawn(app)
        for key, seen in (
            ("d", "prompt"),
            ("question_mark", "type to narrow"),
            ("t", "name, index or code"),
            ("e", "CSV"),
            ("colon", "a command"),
            ("asterisk", "space"),
            ("x", "in words"),
            ("f", "esc cancel"),
        ):
            await press(pilot, key)
            await until(lambda seen=seen: seen in on_screen(app), app)
            bad |= unreadable(app)
            await press(pilot, "escape")
        for key, name, _ in titles(catalogue.table("classes")):
            await press(pilot, key)
            await drawn(app)
            assert app.screen.session.here.chart == name
            bad |= unreadable(app)
    assert not bad, sorted(bad)
