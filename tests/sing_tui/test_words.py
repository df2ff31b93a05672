"""The page with the numbers of a row in words, on the screen."""

from pathlib import Path

import pytest
from driving import AT, LEVELS, drawn, lines, on_screen, press, wish
from stores import write_store
from strange_datasets import make_unreadable

from sing_compute.store import catalogue
from sing_tui.app import Explorer
from sing_tui.start import Start


@pytest.mark.asyncio
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(("size", "ascii_only"), [((80, 24), True), ((200, 50), False)])
async def test_the_page_opens_at_the_column_under_the_cursor_and_closes(
    store_path: Path, level: str, size: tuple[int, int], ascii_only: bool
) -> None:
    app = Explorer(store_path, AT[level], ascii_only=ascii_only)
    async with app.run_test(size=size) as pilot:
        await drawn(app)
        screen = app.screen
        while screen.table.columns[screen.table.column].is_text:
            await press(pilot, "right")
        chosen = screen.table.columns[screen.table.column]
        await press(pilot, "x")
        assert app.screen is not screen
        word = next(column for column in catalogue.table(level).columns if column.name == chosen.name).explanation
        heading = next(line for line in lines(app) if chosen.name in line)
        assert lines(app).index(heading) < 8
        assert word.formula[:30] in " ".join(on_screen(app).split())
        assert not ascii_only or on_screen(app).isascii()
        for key in ("G", "g", "j", "k", "pagedown", "x"):
            await press(pilot, key)
        assert app.screen is screen
        await press(pilot, "colon", *"in words", "enter")
        assert app.screen is not screen
        await press(pilot, "escape")
        assert app.screen is screen


@pytest.mark.asyncio
async def test_a_row_that_cannot_be_read_is_a_line_and_no_page(tmp_path: Path) -> None:
    path = write_store(tmp_path / "results.h5")
    make_unreadable(path, "models/alpha/images/confidence")
    app = Explorer(path, Start(wish(table="images", model="alpha")))
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        screen = app.screen
        await press(pilot, "x")
        assert app.screen is screen
        assert "confidence: cannot be read" in screen.query_one("#status").left
