"""Pictures over a table: they fit, say what they show, and follow cursor, class and model."""

import textwrap
from pathlib import Path

import pytest
from catalogs import place
from driving import AT, LEVELS, drawn, lines, on_screen, press, status, strips, wish

from sing_compute.store import catalogue
from sing_tui.app import Explorer
from sing_tui.start import Start
from sing_tui.widgets.details_pane import DetailsPane

CHARTS = [(str(number), name) for number, name in enumerate(catalogue.table("models").charts, start=1)]
"""Key and name of each chart of the shared file."""
pytestmark = [pytest.mark.asyncio, pytest.mark.usefixtures("soon")]


@pytest.mark.parametrize(
    ("level", "size", "ascii_only"),
    [
        *((level, (80, 24), level in ("classes", "concepts")) for level in LEVELS),
        ("models", (40, 10), True),
        ("images", (40, 10), False),
    ],
)
async def test_every_picture_at_every_level_fits_and_its_key_closes_it(
    three_path: Path, level: str, size: tuple[int, int], ascii_only: bool
) -> None:
    app = Explorer(three_path, AT[level], ascii_only=ascii_only)
    async with app.run_test(size=size) as pilot:
        await drawn(app)
        pane = app.screen.query_one(DetailsPane)
        for key, name in CHARTS:
            await press(pilot, key)
            await drawn(app)
            assert (app.page.session.here.body, app.page.session.here.chart) == ("chart", name)
            detail = pane.detail
            assert detail.shape is not None, detail.reading
            text = " ".join(on_screen(app).split())
            start = " ".join(detail.reading.split()[:8])
            assert start in text, (start, text)
            if size == (80, 24):
                assert " ".join(detail.reading.split()[-4:]) in text  # the whole reading, and a picture below it
                told = len(textwrap.wrap(detail.reading, 78))
                assert sum(bool(line.strip()) for line in lines(app)[2:-2]) >= told + 4, name
            assert {strip.cell_length for strip in strips(app.screen)} == {size[0]}
            assert not ascii_only or text.isascii(), [c for c in text if not c.isascii()]
            await press(pilot, key)
            assert app.page.session.here.body == "table"
            assert not pane.display
        await press(pilot, "1", "2")  # another picture's key goes there at once
        assert (app.page.session.here.body, app.page.session.here.chart) == ("chart", "ratios")
        await press(pilot, "escape")
        assert app.page.session.here.body == "table"


@pytest.mark.parametrize(
    ("level", "picture", "titled"),
    [
        ("models", "6", "Singular values: {model}"),
        ("classes", "4", "{name}: angle to concepts"),
        ("concepts", "4", "{name} ("),
        ("images", "1", "AS and IS of alpha"),
    ],
)
async def test_under_a_picture_the_cursor_goes_on_and_the_picture_follows(
    three_path: Path, level: str, picture: str, titled: str
) -> None:
    app = Explorer(three_path, AT[level])
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        await press(pilot, picture)
        for key in ("down", "j", "up"):
            line = app.screen.table.cursor
            await press(pilot, key)
            await drawn(app)
            assert app.screen.table.cursor == line + (-1 if key == "up" else 1)
            k = app.screen.identity
            name = {"classes": ("cat", "dog", "owl")[k % 3], "concepts": f"concept {k}"}.get(level, "")
            wanted = titled.format(name=name, model=("alpha", "beta", "gamma")[k % 3])
            assert wanted in " ".join(on_screen(app).split())


async def test_classes_and_models_step_with_a_picture_open(three_path: Path) -> None:
    app = Explorer(three_path, AT["concepts"])
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        await press(pilot, "4")
        for key, title in (
            ("right_square_bracket", "dog: angle to concepts, alpha"),
            ("right_curly_bracket", "dog: angle to concepts, beta"),
            ("left_square_bracket", "cat: angle to concepts, beta"),
        ):
            await press(pilot, key)
            await drawn(app)
            assert app.page.session.here.body == "chart"
            assert title in lines(app)[1]
        await press(pilot, "4")
        assert app.screen.place == place("concepts", model="beta", class_=0)


async def test_pictures_of_one_class_in_all_models_follow_the_cursor(three_path: Path) -> None:
    app = Explorer(three_path, AT["classes"])
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        await press(pilot, "a", "6")
        await drawn(app)
        assert "Singular values: alpha" in lines(app)[1]
        await press(pilot, "down")
        await drawn(app)
        assert "Singular values: beta" in lines(app)[1]


async def test_pictures_over_figures_and_over_two_classes_have_a_reading(three_path: Path) -> None:
    for keys in (("equals_sign",), ("enter", "space", "space", "equals_sign")):
        app = Explorer(three_path)
        async with app.run_test(size=(80, 24)) as pilot:
            await drawn(app)
            await press(pilot, *keys)
            for key, name in CHARTS:
                await press(pilot, key)
                await drawn(app)
                detail = app.screen.query_one(DetailsPane).detail
                assert detail.shape is not None, (keys, name, detail.reading)
                await press(pilot, key)


async def test_a_chart_says_that_it_follows_neither_filter_nor_subset(three_path: Path) -> None:
    app = Explorer(three_path, Start(wish("classes", model="beta")))
    async with app.run_test(size=(100, 30)) as pilot:
        await drawn(app)
        await press(pilot, "2")
        await drawn(app)
        assert "All rows are drawn" not in on_screen(app)
        await press(pilot, "escape", "f", *"class = cat", "enter", "2")
        await drawn(app)
        assert "All rows are drawn, whatever the filter." in " ".join(on_screen(app).split())
        await press(pilot, "escape", "F", "v", "v", "2")
        await drawn(app)
        assert "All images count, not the wrong ones alone." in " ".join(on_screen(app).split())


@pytest.mark.parametrize("key", ["d", "2", "p"])
async def test_where_no_row_passes_the_table_stays_in_sight(three_path: Path, key: str) -> None:
    app = Explorer(three_path, Start(wish("concepts", model="beta", class_="cat"), filter="as > 900"))
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        await press(pilot, key)
        assert "no row passes the filter" in on_screen(app)
        assert "there is no row here" in status(app)
