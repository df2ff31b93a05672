"""Direction pairs on the screen and as CSV: where they open, what they show, and that every table can be reached."""

import csv
import io
from pathlib import Path

import pytest
from click.testing import CliRunner
from direction_figures import write_directions
from driving import AT, press, screen_text, until
from stores import write_store

from sing_tui.app import Explorer
from sing_tui.cli import main


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = write_store(tmp_path_factory.mktemp("found") / "found.h5")
    write_directions(path)
    return path


async def test_they_open_behind_the_models_and_lead_to_classes_images_and_other_models(path: Path) -> None:
    app = Explorer(path, start=AT["models"])
    async with app.run_test(size=(130, 30)) as pilot:

        async def seen(*texts: str) -> None:
            await until(lambda: all(text in screen_text(app) for text in texts), app)

        await seen("alpha", "beta")
        await press(pilot, "D")
        await seen("alpha › directions", "found", "striped 0.75, round 0.25", "87.5%", "50.0%")
        await press(pilot, "right", "right", "right", "right", "x")
        await seen("|Pi_n s|^2 / |s|^2", "Not telling by itself")
        await press(pilot, "escape", "enter")
        await seen("alpha › direction 0 › direction classes", "dog", "-1.50", "-1.00")
        await press(pilot, "i")
        await seen("alpha › direction 0 › direction images", "+3.00")
        await press(pilot, "escape", "I")
        await seen("alpha › direction 0 › direction matches", "beta", "100.0%")
        await press(pilot, "escape", "D")
        await seen("alpha › unread directions", "direction 0", "1 of 1")


async def test_the_palette_lists_the_tables_that_no_key_opens(path: Path) -> None:
    app = Explorer(path, start=AT["models"])
    async with app.run_test(size=(130, 40)) as pilot:
        await until(lambda: "alpha" in screen_text(app), app)
        await press(pilot, "D")
        await until(lambda: "alpha › directions" in screen_text(app), app)
        await press(pilot, "colon", *"open")
        await until(lambda: "open direction corrections" in screen_text(app), app)
        assert "open direction rivals" in screen_text(app)
        await press(pilot, *" losses", "enter")
        await until(lambda: "alpha › direction losses" in screen_text(app), app)


@pytest.mark.parametrize(
    ("table", "at", "expected"),
    [
        ("directions", (), {"words": "striped 0.75, round 0.25", "class": "dog", "margin": "-1.5", "label": "texture striped"}),
        ("unread_directions", (), {"direction": "direction 0", "null_share": "0.875", "null_chance": "0.5"}),
        ("direction_classes", ("--at", "direction=1"), {"class": "cat", "positives": "0", "share": "0.0", "significant": "*"}),
        ("direction_images", ("--at", "direction=0"), {"logit": "0.5", "fires": "*"}),
        ("direction_corrections", (), {"before": "0.9", "signal": "0.95", "filter": "0.85", "random": "0.8"}),
        ("direction_rivals", (), {"rival": "PCA 0", "class": "cat", "margin": "1.5", "words": "striped 0.50"}),
        ("direction_matches", ("--at", "direction=0"), {"model": "beta", "iou": "1.0", "direction": "0"}),
        ("direction_losses", (), {"loss": "sparsity", "value": "1.25"}),
    ],
)  # fmt: skip
def test_csv_has_the_stored_figures(path: Path, table: str, at: tuple[str, ...], expected: dict[str, str]) -> None:
    done = CliRunner().invoke(main, [str(path), "--table", table, "--model", "alpha", *at, "--csv", "-"])
    assert done.exit_code == 0, done.output
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    row = next(row for row in rows if all(row[name] == value for name, value in list(expected.items())[:1]))
    assert {name: row[name] for name in expected} == expected


def test_corrections_follow_the_subset_and_the_order_of_the_file_can_be_had(path: Path) -> None:
    done = CliRunner().invoke(
        main, [str(path), "--table", "direction_corrections", "--model", "alpha", "--subset", "right", "--csv", "-"]
    )
    assert next(csv.DictReader(io.StringIO(done.stdout)))["before"] == "1.0"
