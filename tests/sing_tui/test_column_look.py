"""Looking at a column on the screen and without one: the numbers are those of the file, and a bar filters the table."""

import csv
import io
import shlex
from pathlib import Path

import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from driving import arrangement_of, drawn, handled, lines, press, screen_text, sheet_text, status, until, wish

from sing_tui.app import Explorer
from sing_tui.cli import main
from sing_tui.column_bins import FEW, MANY
from sing_tui.column_figures import ColumnFigures
from sing_tui.column_pairs import ColumnPair
from sing_tui.screens.column_look import LookScreen
from sing_tui.start import Start

IMAGES = Start(wish("images", model="alpha"))


async def look(app: Explorer, pilot: object, *keys: str) -> LookScreen:
    """Press keys, then wait for the figures that they ask for."""
    await press(pilot, *keys)  # type: ignore[arg-type]
    await until(lambda: isinstance(app.screen, LookScreen) and app.screen.answered, app)
    await handled(pilot.app)  # type: ignore[attr-defined]
    assert isinstance(app.screen, LookScreen)
    return app.screen


async def to_column(app: Explorer, pilot: object, name: str) -> None:
    table = app.page.table
    steps = [column.name for column in table.columns].index(name) - table.column
    await press(pilot, *["right" if steps > 0 else "left"] * abs(steps))  # type: ignore[arg-type]


def score(path: Path, name: str = "image_score") -> np.ndarray:
    with h5py.File(path) as file:
        return file[f"models/alpha/images/{name}"][()]


async def test_a_bar_filters_the_table_to_its_rows(store_path: Path) -> None:
    app = Explorer(store_path, IMAGES)
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        await to_column(app, pilot, "image_score")
        await press(pilot, "f", *"as > 0", "enter")
        screen = await look(app, pilot, "H")
        found = screen.found
        assert isinstance(found, ColumnFigures)
        kept = score(store_path)[score(store_path, "attribute_score") > 0]
        assert found.facts[0]["median"] == pytest.approx(np.median(kept))
        assert f"{np.median(kept):.2f}" in lines(app)[2]
        assert f"{np.median(score(store_path)):.2f}" in lines(app)[3]
        assert "filter as > 0" in lines(app)[-2]
        assert len(found) <= FEW
        assert screen.bar == found.shown.argmax()
        await press(pilot, "home", "down")
        while not found.shown[screen.bar]:
            await press(pilot, "down")
        rows = int(found.shown[screen.bar])
        low, high = found.groups.values[screen.bar : screen.bar + 2]
        await press(pilot, "enter")
        await drawn(app)
        assert len(app.page.view) == rows == ((kept >= low) & (kept < high)).sum()
        assert arrangement_of(app).filter.startswith("(as > 0) and image_score >= ")


async def test_a_click_chooses_a_bar_and_a_double_click_filters_by_it(store_path: Path) -> None:
    app = Explorer(store_path, IMAGES)
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        await to_column(app, pilot, "class")
        screen = await look(app, pilot, "H")
        row = next(i for i, line in enumerate(lines(app)) if line.split()[:1] == ["dog"])
        await pilot.click(offset=(5, row - 3))
        assert screen.bar == 0
        await pilot.click(offset=(5, row))
        await until(lambda: lines(app)[row].strip().startswith(app.page.glyphs.right), app)
        assert screen.found.label(screen.bar) == "dog"
        await pilot.click(offset=(5, row), times=2)
        await until(lambda: app.screen is app.page, app)
        await until(lambda: 'class = "dog"' in status(app), app)
        assert {line.split()[1] for line in lines(app)[3:15]} == {"dog"}


async def test_the_next_columns_are_looked_at_in_place(store_path: Path) -> None:
    app = Explorer(store_path, IMAGES)
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        await to_column(app, pilot, "attribute_score")
        columns = [column.name for column in app.page.table.columns]
        await look(app, pilot, "H")
        screen = await look(app, pilot, ".")
        assert screen.looked.name == columns[columns.index("attribute_score") + 1]
        screen = await look(app, pilot, ",", ",")
        assert screen.looked.name == columns[columns.index("attribute_score") - 1] == "class"
        with h5py.File(store_path) as file:
            labels = np.bincount(file["images/class"][()])
        assert sorted(screen.found.shown, reverse=True) == sorted(labels[labels > 0], reverse=True)
        await press(pilot, "l")
        assert "only the histogram of numbers" in screen_text(app)
        await press(pilot, "escape")
        assert app.screen is app.page


async def test_a_scale_with_equal_ratios_is_refused_for_numbers_below_zero(store_path: Path) -> None:
    app = Explorer(store_path, IMAGES)
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        await to_column(app, pilot, "attribute_score")
        screen = await look(app, pilot, "H")
        before = screen.found
        await press(pilot, "l")
        await until(lambda: "0 or below" in screen_text(app), app)
        assert screen.found is before
        await look(app, pilot, ".")
        screen = await look(app, pilot, "l")
        assert screen.looked.logarithmic
        assert "logarithmic" in lines(app)[0]
        ratios = screen.found.groups.values[1:] / screen.found.groups.values[:-1]
        np.testing.assert_allclose(ratios, ratios[0], rtol=0.02)


@pytest.mark.parametrize("ascii_only", [False, True])
async def test_a_pair_is_drawn_against_the_sorted_column(store_path: Path, ascii_only: bool) -> None:
    app = Explorer(store_path, IMAGES, ascii_only=ascii_only)
    async with app.run_test(size=(100, 30)) as pilot:
        await drawn(app)
        await to_column(app, pilot, "image_score")
        await press(pilot, "s")
        await press(pilot, "left")
        screen = await look(app, pilot, "X")
        assert screen.looked.names == ("attribute_score", "image_score")
        assert isinstance(screen.found, ColumnPair)
        x, y = score(store_path), score(store_path, "attribute_score")
        known = np.isfinite(x) & np.isfinite(y)
        r = np.corrcoef(x[known], y[known])[0, 1]
        assert screen.found.pearson == pytest.approx(r)
        assert f"{r:+.3f}" in lines(app)[1]
        assert screen_text(app).isascii() == ascii_only
        other = await look(app, pilot, ".")
        assert other.looked.name == "attribute_score"
        assert other.looked.across not in ("attribute_score", "image_score", "class")
        await press(pilot, "enter")
        assert "no bar" in screen_text(app)


async def test_export_and_link_reopen_the_same_figures(
    store_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    app = Explorer(store_path, IMAGES)
    async with app.run_test(size=(100, 24)) as pilot:
        await drawn(app)
        await to_column(app, pilot, "image_score")
        await press(pilot, "f", *"as > 0", "enter")
        await look(app, pilot, "H")
        await press(pilot, "e", "enter")
        await until(lambda: "rows in" in screen_text(app), app)
        await press(pilot, "L")
        command = sheet_text(app)
    (written,) = tmp_path.glob("*.csv")
    assert "image_score" in written.name
    assert "--look image_score" in command
    options = ["--table", "images", "--model", "alpha", "--filter", "as > 0", "--look", "is", "--csv", "-"]
    done = CliRunner().invoke(main, [str(store_path), *options])
    assert done.stdout == written.read_text()
    rows = {row["figure"]: row for row in csv.DictReader(io.StringIO(done.stdout))}
    assert float(rows["rows"]["pass"]) == (score(store_path, "attribute_score") > 0).sum()
    assert float(rows["maximum"]["all"]) == score(store_path).max()


async def test_the_command_line_opens_the_figures_and_finds_mistakes_first(store_path: Path) -> None:
    app = Explorer(store_path, Start(wish("images", model="alpha"), look=("is", "as")))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(lambda: isinstance(app.screen, LookScreen) and app.screen.answered, app)
        assert app.screen.looked.names == ("image_score", "attribute_score")
        await press(pilot, "escape")
        assert app.screen is app.page
        await press(pilot, "escape", "enter")
        await drawn(app)
        assert app.screen is app.page  # only once
    for options, why in (
        (["--look", "nothing"], "no column"),
        (["--look", "is,class"], "is text"),
        (["--look", "is,as,is"], "not 3"),
        (["--look", "is", "--chart", "scatter"], "do not go together"),
    ):
        done = CliRunner().invoke(
            main, [str(store_path), *shlex.split("--table images --model alpha --csv -"), *options]
        )
        assert done.exit_code == 2
        assert why in done.stderr


@pytest.mark.parametrize("size", [(200, 50), (40, 12), (12, 5)])
async def test_any_size_is_drawn(store_path: Path, size: tuple[int, int]) -> None:
    app = Explorer(store_path, Start(wish("images", model="alpha"), look=("is",)))
    async with app.run_test(size=size):
        await until(lambda: isinstance(app.screen, LookScreen) and app.screen.answered, app)
        assert len(app.screen.found) <= (MANY if size[1] >= 40 else FEW)
        assert (len(app.screen.found) > FEW) == (size[1] >= 40)


async def test_a_table_without_rows_or_numbers_says_so(store_path: Path) -> None:
    app = Explorer(store_path, IMAGES)
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        await to_column(app, pilot, "class")
        await press(pilot, "X")
        assert "is text" in status(app)
        await press(pilot, "f", *"is > 999", "enter", "H")
        assert "no row" in status(app)


async def test_the_keys_of_histogram_and_pair_switch_between_them_and_close(store_path: Path) -> None:
    app = Explorer(store_path, IMAGES)
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        await to_column(app, pilot, "attribute_score")
        assert isinstance((await look(app, pilot, "H")).found, ColumnFigures)
        pair = (await look(app, pilot, "X")).found
        assert isinstance(pair, ColumnPair)
        wanted = np.corrcoef(score(store_path), score(store_path, "attribute_score"))[0, 1]
        assert pair.pearson == pytest.approx(wanted, abs=1e-6)
        assert isinstance((await look(app, pilot, "H")).found, ColumnFigures)
        await press(pilot, "H")
        assert app.screen is app.page
        await to_column(app, pilot, "class")
        await look(app, pilot, "H")
        await press(pilot, "X")
        assert "class is text: a scatter needs two columns of numbers" in screen_text(app)
