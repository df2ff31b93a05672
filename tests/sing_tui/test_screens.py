"""Contents of the screens: details and charts at every size, help, palette, awkward text, a model without scores."""

from pathlib import Path

import numpy as np
import pytest
from driving import AT, drawn, lines, on_screen, press, strips, wish

from sing_compute.store import Store
from sing_compute.store.leaks import largest_leak
from sing_tui.actions import text_of
from sing_tui.app import Explorer
from sing_tui.key_list import BINDINGS, key_name
from sing_tui.screens.table import TableScreen
from sing_tui.start import Start
from sing_tui.widgets.details_pane import DetailsPane

pytestmark = pytest.mark.asyncio


@pytest.mark.parametrize(
    ("level", "size", "ascii_only"),
    [
        ("models", (80, 24), True),
        ("models", (200, 50), False),
        ("classes", (40, 10), False),
        ("classes", (100, 12), True),
        ("concepts", (80, 24), False),
        ("concepts", (200, 50), True),
        ("images", (40, 10), False),
        ("images", (100, 12), True),
    ],
)
async def test_details_and_plot_at_every_size(
    store_path: Path, level: str, size: tuple[int, int], ascii_only: bool
) -> None:
    app = Explorer(store_path, AT[level], ascii_only=ascii_only)
    async with app.run_test(size=size) as pilot:
        await drawn(app)
        pane = app.screen.query_one(DetailsPane)
        assert pane.display == (size[0] >= 100)
        modes = []
        for key in ("d", "d", "d", "p", "down", "p"):
            await press(pilot, key)
            if app.screen.session.here.body != "table":
                await drawn(app)
            modes.append((app.screen.session.here.body, pane.display))
            text = on_screen(app)
            assert all(len(line) <= size[0] * 2 for line in lines(app))
            if ascii_only:
                assert text.isascii(), [c for c in text if not c.isascii()]
            if app.screen.session.here.body == "chart":
                assert " ".join(pane.detail.reading.split()[:5]) in " ".join(text.split())
        wide = size[0] >= 100
        expected = ["details", "table", "table"] if wide else ["details", "table", "details"]
        assert [body for body, _ in modes] == [*expected, "chart", "chart", "table"]
        assert modes[1][1] is False


async def test_the_details_say_what_the_store_says(store_path: Path) -> None:
    app = Explorer(store_path)
    async with app.run_test(size=(160, 60)) as pilot:
        await drawn(app)
        with Store(store_path) as store:
            figures = store.summary("alpha")
            text = on_screen(app)
            assert f"{figures['image_score']:.2f} degrees" in text
            assert f"{figures['correct'] / figures['images']:.1%} of 43 images" in text
            assert "alpha.v1" in text
            leak = largest_leak(store, "alpha")
            assert leak is not None
            assert f"{leak.name} by {leak.concept}, {leak.size:.2f} degrees" in text
            assert "at 10.0, " in text
            assert f"{store.array('comparison/class_order')[0, 1]:+.2f} with beta" in text
            await press(pilot, "enter")
            await drawn(app)
            scores = store.dataset("models/alpha/images/attribute_score")[:30]
            assert f"{np.mean(scores > 0):.0%} come nearer" in on_screen(app)
            await press(pilot, "v", "v")
            await drawn(app)
            wrong = scores[store.dataset("models/alpha/images/prediction")[:30] != 0]
            assert f"AS of {len(wrong)} images (wrong)" in on_screen(app)
            await press(pilot, "i")
            await drawn(app)
            row = app.screen.identity
            near = store.dataset("models/alpha/images/nearest_after")[row][0]
            text = on_screen(app)
            assert str(store.array("images/key")[near]) in text
            assert f"concept {store.dataset('models/alpha/images/top_concept')[row][0]}" in text


@pytest.mark.parametrize("level", ["models", "images"])
async def test_help_lists_every_key_of_the_level_and_every_column_and_narrows(store_path: Path, level: str) -> None:
    app = Explorer(store_path, AT[level])
    async with app.run_test(size=(100, 30)) as pilot:
        await drawn(app)
        screen = app.screen
        await press(pilot, "question_mark")
        text = str(app.screen.text(""))
        offered = {line[2:15].strip() for line in text.splitlines() if line.startswith("  ")}
        for binding in BINDINGS:
            keys = " ".join(key_name(key) for key in binding.key.split(","))
            assert (keys in offered) == (text_of(binding, screen.place, app.catalog, {}) is not None), binding
        for column in screen.view.table.columns:
            assert column.name in text
            assert column.description in text
        assert "keys and columns" in on_screen(app)
        await press(pilot, "pagedown", "pageup", "down", "up", *"last line")
        await drawn(app)
        kept = [line for line in on_screen(app).splitlines() if "last line" in line or "next page" in line]
        assert any("G" in line for line in kept)
        assert not any("next page" in line for line in kept)
        await press(pilot, "enter")
        assert app.screen is screen
        await press(pilot, "f1", "escape")
        assert app.screen is screen


async def test_the_palette_runs_commands_by_name(store_path: Path) -> None:
    app = Explorer(store_path, AT["classes"])
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        await press(pilot, "colon", *"last line", "enter")
        assert app.screen.table.cursor == 2
        await press(pilot, "ctrl+p", *"theme light", "down", "up", "enter")
        assert app.theme == "textual-light"
        await press(pilot, "colon", *"zzz", "enter", "escape", "colon", "escape")
        assert isinstance(app.screen, TableScreen)


async def test_a_model_without_scores_is_shown_and_says_why_there_are_no_concepts(bare_path: Path) -> None:
    app = Explorer(bare_path)
    async with app.run_test(size=(120, 30)) as pilot:
        await drawn(app)
        assert "no null space" in " ".join(on_screen(app).split())
        await press(pilot, "enter")
        await drawn(app)
        assert app.screen.table.lines == 3
        await press(pilot, "enter")
        await drawn(app)
        assert "no concept shifts" in on_screen(app)
        for key in ("s", "r", "f", "slash", "e", "y", "d", "p", "n", "G", "right", "enter", "i"):
            await press(pilot, key)
        assert app.screen.place.table == "images"
        assert app.screen.table.lines == 30


@pytest.mark.parametrize(("size", "ascii_only"), [((80, 24), False), ((200, 50), True), ((40, 10), True)])
async def test_awkward_text_reaches_the_screen_tame(
    awkward_path: Path, size: tuple[int, int], ascii_only: bool
) -> None:
    app = Explorer(awkward_path, Start(wish(model="a")), ascii_only=ascii_only)
    async with app.run_test(size=size) as pilot:
        await drawn(app)
        text = on_screen(app)
        assert "[red]bold" in text
        assert "bell[31m" in text
        assert ("ネコ" in text) != ascii_only
        for line in range(6):
            for keys in (("i",), ("enter",), ("d",), ("p",), ("question_mark",)):
                await press(pilot, *keys)
                if size[0] > 80 or keys in (("d",), ("p",)):
                    await drawn(app)
                text = on_screen(app)
                assert not [c for c in text if (ord(c) < 32 and c != "\n") or 127 <= ord(c) < 160]
                assert not ascii_only or text.isascii()
                await press(pilot, "escape")
            if size[0] != 80:
                break
            app.screen.table.go(line + 1)
        widths = {strip.cell_length for strip in strips(app.screen)}
        assert widths == {size[0]}
