"""The screen over a damaged or hostile file: one line, nothing raw, and it stays usable."""

import csv
import io
from pathlib import Path

import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from driving import drawn, lines, on_screen, press, until, wish
from stores import write_store
from strange_datasets import make_unreadable

from sing_compute.formats import ASCII, UNICODE, fit
from sing_compute.store.text import csv_text
from sing_tui.app import Explorer
from sing_tui.cli import main
from sing_tui.start import Start


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_store(tmp_path / "results.h5", groups=("in", "out"))


async def test_a_damaged_table_is_a_line_and_the_others_stay(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        del file["models/alpha/classes/count"]
        file["models/alpha/classes/count"] = h5py.SoftLink("/images/class")
    app = Explorer(path)
    async with app.run_test(size=(100, 24)) as pilot:
        await drawn(app)
        await press(pilot, "enter")
        assert "models/alpha/classes/count: is a link" in on_screen(app)
        await press(pilot, "s", "v", "r", "y", "n", "e", "d", "p", "escape", "escape", "j", "enter")
        assert app.screen.place.name("model") == "beta"
        assert "cat" in on_screen(app)


async def test_a_damaged_ranking_misleads_no_sort(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file["models/alpha/rankings/image_score"][:2] = [5, 5]
    app = Explorer(path, Start(wish(table="images", model="alpha")))
    async with app.run_test(size=(120, 24)) as pilot:
        await drawn(app)
        assert (app.return_code, app.failure) == (None, None)
        assert app.screen.table.lines == 43
        scores = app.screen.view.table.column("image_score").values.take(app.screen.view.order)
        assert (scores == np.sort(scores)[::-1]).all()
        while app.screen.view.table.columns[app.screen.table.column].name != "image_score":
            await press(pilot, "right")
        await press(pilot, "s")
        scores = app.screen.view.table.column("image_score").values.take(app.screen.view.order)
        assert (scores == np.sort(scores)).all()
        assert app.screen.table.lines == 43


async def test_offsets_out_of_order_do_not_end_the_program(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file["images/offsets"][...] = [0, 40, 30, 43, 43]
    app = Explorer(path, Start(wish(model="alpha")))
    async with app.run_test(size=(120, 40)) as pilot:
        await drawn(app)
        await press(
            pilot, "p", "escape", "enter", "right_square_bracket", "i", "right_square_bracket", "right_curly_bracket"
        )
        assert "images/offsets: do not" in on_screen(app)


async def test_unreadable_cells_are_dashes_with_a_line(path: Path) -> None:
    make_unreadable(path, "models/alpha/images/confidence")
    app = Explorer(path, Start(wish(table="images", model="alpha")))
    async with app.run_test(size=(120, 24)) as pilot:
        await drawn(app)
        assert "confidence: cannot be read" in lines(app)[-2]
        assert "cat/0000" in on_screen(app)
        await press(pilot, "j", "G", "q")


async def test_numbers_that_are_no_angles_are_not_drawn(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file["models/alpha/summary/score_covariance"][...] = np.nan
        file["models/beta/summary/score_mean"][...] = 1e300
        file["models/alpha/images/attribute_score"][:20] = 3e38
        file["models/alpha/concepts/angle_before"][...] = np.inf
        file["models/alpha/summary/lambda"][()] = -1.0
    app = Explorer(path)
    async with app.run_test(size=(120, 40)) as pilot:
        await drawn(app)
        for keys in (
            ("p", "j", "escape", "k", "enter"),
            ("p", "j", "escape", "k", "enter"),
            ("p", "j", "escape", "i", "p", "escape"),
        ):
            await press(pilot, *keys)
            await drawn(app)
        assert "cat" in on_screen(app)


async def test_a_file_that_changes_for_the_worse_is_a_line_on_reload(path: Path) -> None:
    app = Explorer(path, Start(wish(class_="owl")))
    async with app.run_test(size=(120, 24)) as pilot:
        await drawn(app)
        write_store(path, class_names=("a", "b"), images_per_class=(3, 3))
        await press(pilot, "R")
        await until(lambda: "the file changed: it holds no class owl any more" in on_screen(app), app)
        assert app.screen.place.table == "classes"


def test_a_file_that_cannot_be_opened_is_one_line_without_control_characters(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file["models"].move("alpha", "a\x1b]0;owned\x07")
    done = CliRunner().invoke(main, [str(path), "--csv", "-"])
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.strip().isprintable()
    assert "no name for a model" in done.stderr


@pytest.mark.parametrize(
    "text", ["=1+1", " =1+1", "\t@x", "\u200b-1", "a;=1+1", "a; +1", "＝1", "x\n=1", "@SUM(A1)", "\ufeff=1"]
)
def test_no_text_becomes_a_formula(text: str) -> None:
    row = next(csv.reader(io.StringIO(csv_text(text))))
    for cell in row[0].split(";"):
        assert not cell.strip().startswith(("=", "+", "-", "@", "＝"))


def test_a_long_text_takes_no_longer_than_a_short_one() -> None:
    for glyphs in (UNICODE, ASCII):
        for text in ("e" + "\u0301" * 200_000, "猫" * 200_000):
            for keep_end in (False, True):
                assert len(fit(text, 10, glyphs, keep_end=keep_end)) < 200
