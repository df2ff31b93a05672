"""The proof, second half: the explorer shows an analysis that the tests alone declare, with every key, and its headless twin."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from driving import press, screen_text, sheet_text, status, until
from stores import write_store
from textual.pilot import Pilot
from toy_analysis import STAGES, STRENGTH, TOY, write_toy

from sing_compute.charts.registry import Chart, Subject, register_chart, unregister_charts
from sing_compute.charts.shapes import Bars
from sing_compute.store import Place, Store, catalogue, open_table
from sing_tui.app import Explorer
from sing_tui.cli import main
from sing_tui.screens.sheet import Sheet


def strengths(subject: Subject) -> Chart:
    """The one chart of the toy: how strongly each row of the table answers."""
    table = open_table(subject.store, subject.place)
    names = tuple(map(str, table.columns[0].values.all()))
    values = tuple(map(float, table.column("strength").values.all()))
    return Chart(
        "strength of each row", f"The strongest is {names[int(np.argmax(values))]}.", Bars(names, values), table
    )


@pytest.fixture(autouse=True)
def declared() -> Iterator[None]:
    with catalogue.registered(TOY):
        register_chart(TOY.name, "strengths", "strength of each row", strengths)
        try:
            yield
        finally:
            unregister_charts(TOY.name)


@pytest.fixture
def alone(tmp_path: Path) -> Path:
    return write_toy(tmp_path / "toy.h5")


@pytest.fixture
def with_sing(tmp_path: Path) -> Path:
    return write_toy(tmp_path / "both.h5", onto=write_store(tmp_path / "sing.h5"))


async def seen(pilot: Pilot, *texts: str) -> None:
    await until(lambda: all(text in screen_text(pilot.app) for text in texts), pilot.app)


async def test_every_key_works_on_both_levels(alone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    app = Explorer(alone)
    async with app.run_test(size=(100, 30)) as pilot:
        await seen(pilot, "block 1", "block 2", "depth")
        await press(pilot, "enter")
        await seen(pilot, "toy.h5 › block 1 › units", "edges", "corners")
        rows = [line.split()[0] for line in screen_text(app).splitlines()[3:6]]
        assert rows == ["dots", "edges", "corners"]  # the declared sort: the strongest first
        assert "3.20e-05" in screen_text(app)  # a small number is not shown as 0.000
        await seen(pilot, "200.0%")  # dots, twice its baseline
        await press(pilot, "r")
        await seen(pilot, "sort strength ▲")
        await press(pilot, "f", *"strength > 1", "enter")
        await seen(pilot, "1 of 1 (filtered from 3)")
        await press(pilot, "escape")
        await seen(pilot, "of 3")
        await press(pilot, "x")
        await seen(
            pilot, "mean answer to its images", "Above the baseline: more than chance.", "95% interval over images"
        )
        await press(pilot, "escape")
        await press(pilot, "1")
        await seen(pilot, "The strongest is dots.")
        await press(pilot, "1")
        await seen(pilot, "corners")
        await press(pilot, "question_mark")
        await seen(pilot, "next stage", "next unit")
        await press(pilot, *"baseline")
        await seen(pilot, "over baseline", "strength over that of a random unit")
        await press(pilot, "escape")
        await until(lambda: "type to narrow" not in screen_text(app), app)
        await press(pilot, "right_curly_bracket")
        await seen(pilot, "toy.h5 › block 2 › units", "wheels")
        await press(pilot, "L")
        await until(lambda: isinstance(app.screen, Sheet), app)
        assert "sing-tui" in sheet_text(app)
        assert "--table units --at 'stage=block 2'" in sheet_text(app)
        await press(pilot, "escape")
        await press(pilot, "e")
        await seen(pilot, "toy-block_2-units.csv")
        await press(pilot, "enter")
        await until(lambda: (tmp_path / "toy-block_2-units.csv").exists(), app)
        await press(pilot, "escape")
        await seen(pilot, "block 1", "depth")
        assert "2 of 2" in status(app)  # the cursor followed to the stage that was left
        await press(pilot, "equals_sign")
        await seen(pilot, "figures of 2 stages", "diff block 1")
    with (tmp_path / "toy-block_2-units.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert {row["unit"]: float(row["strength"]) for row in rows} == dict(
        zip(STAGES["block 2"], STRENGTH["block 2"], strict=True)
    )


async def test_details_show_every_column_of_a_row(alone: Path) -> None:
    app = Explorer(alone)
    async with app.run_test(size=(140, 30)) as pilot:
        await seen(pilot, "block 1")
        await press(pilot, "enter")
        await seen(pilot, "over baseline", "looks for dots", "[1.00 to 4.00]")


async def test_units_and_stages_are_found_by_name(alone: Path) -> None:
    app = Explorer(alone)
    async with app.run_test(size=(100, 30)) as pilot:
        await seen(pilot, "block 1")
        await press(pilot, "t", *"wheels")
        await seen(pilot, "unit")
        await press(pilot, "enter")
        await seen(pilot, "toy.h5 › block 2 › units")
        await until(lambda: "1 of 2" in status(app) or "2 of 2" in status(app), app)
        line = next(line for line in screen_text(app).splitlines() if line.lstrip(" •").startswith("wheels"))
        assert line


async def test_a_file_with_both_begins_with_a_list_of_them(with_sing: Path) -> None:
    app = Explorer(with_sing)
    async with app.run_test(size=(100, 30)) as pilot:
        await seen(pilot, "contents", "models", "stages", "SING: null space in words and degrees")
        await press(pilot, "G", "enter")
        await seen(pilot, "block 2", "depth")
        await press(pilot, "escape", "g", "enter")
        await seen(pilot, "alpha", "median AS")


@pytest.mark.parametrize("form", ["csv", "json"])
@pytest.mark.parametrize("file", ["alone", "with_sing"])
def test_the_headless_twin_writes_the_toys_tables(file: str, form: str, request: pytest.FixtureRequest) -> None:
    path = request.getfixturevalue(file)
    run = CliRunner().invoke(
        main, [str(path), "--table", "units", "--at", "stage=block 2", "--sort", "strength", f"--{form}", "-"]
    )
    assert run.exit_code == 0, run.output
    rows = list(csv.DictReader(io.StringIO(run.stdout))) if form == "csv" else json.loads(run.stdout)
    assert [row["unit"] for row in rows] == ["faces", "wheels"]
    assert [float(row["strength"]) for row in rows] == [1.5, 0.75]
    assert [float(row["strength_high"]) for row in rows] == [3.0, 1.5]
    with Store(path) as store:
        names = [column.name for column in open_table(store, Place("units").at(stage="block 2")).columns]
    assert list(rows[0]) == names


def test_the_headless_twin_names_what_is_missing(alone: Path) -> None:
    run = CliRunner().invoke(main, [str(alone), "--table", "units", "--at", "stage=block 9", "--csv", "-"])
    assert run.exit_code == 2
    assert "no stage 'block 9'" in run.output
