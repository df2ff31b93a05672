"""Intervals in cells and the details of rows on the screen."""

from pathlib import Path

import pytest
from driving import drawn, lines, on_screen, press, wish
from planted_numbers import write_planted

from sing_compute.store import Store
from sing_tui.app import Explorer
from sing_tui.start import Start
from sing_tui.widgets.details_pane import DetailsPane


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_planted(tmp_path / "results.h5")


@pytest.mark.asyncio
@pytest.mark.parametrize("ascii_only", [False, True])
async def test_on_80_columns_an_interval_stands_beside_its_value(path: Path, ascii_only: bool) -> None:
    app = Explorer(path, ascii_only=ascii_only)
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        text = on_screen(app)
        assert "11.70 [ 9.25 12.50]" in text
        assert "IS [95%]" in lines(app)[1]
        at = [column.name for column in app.screen.table.columns].index("image_score")
        app.screen.table.move_column(at - app.screen.table.column)
        await press(pilot, "s")
        values = app.screen.view.table.column("image_score").values.take(app.screen.view.order)
        assert values.tolist() == sorted(values.tolist(), reverse=True)


@pytest.mark.asyncio
async def test_details_longer_than_the_screen_are_turned_by_pages(path: Path) -> None:
    app = Explorer(path)
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        await press(pilot, "d")
        await drawn(app)
        seen, before = on_screen(app), ""
        assert "more lines: pgdn" in seen
        assert "stored_precision" not in seen
        pane = app.screen.query_one(DetailsPane)
        while on_screen(app) != before:
            before = on_screen(app)
            await press(pilot, "pagedown")
            seen += on_screen(app)
        assert pane._hidden == 0
        for fact in ("removed: null direction", "null direction 2", "labels without CLIP", "stored_precision"):
            assert fact in seen
        assert app.screen.table.cursor == 0
        for _ in range(5):
            await press(pilot, "pageup")
        assert "singular gap" in on_screen(app)
        await press(pilot, "down")
        assert app.screen.table.cursor == 1


@pytest.mark.asyncio
async def test_the_mark_of_significance_is_a_column_beside_the_shift(path: Path) -> None:
    app = Explorer(path, Start(wish(class_="cat"), '* = "*"'), ascii_only=True)
    async with app.run_test(size=(80, 24)):
        await drawn(app)
        with Store(path) as store:
            marked = int((store.dataset("models/alpha/concepts/q")[0] < 0.05).sum())
        assert app.screen.table.lines == marked > 0
        assert "*" in lines(app)[3][30:40]
