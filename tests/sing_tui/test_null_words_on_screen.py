"""Null directions in words on the screen and as CSV: where they open, what they show, what another number of concepts changes."""

import csv
import io
from pathlib import Path

import pytest
from click.testing import CliRunner
from driving import AT, press, screen_text, until
from null_word_figures import write_null_words
from stores import write_store

from sing_compute.store import Store
from sing_compute.store.verify import verify
from sing_tui.app import Explorer
from sing_tui.cli import main


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file whose first model has null directions in words."""
    path = write_store(tmp_path / "named.h5")
    write_null_words(path)
    with Store(path) as store:
        assert verify(store).problems == []
    return path


async def test_they_open_behind_the_tables_of_the_run_and_follow_the_keys(path: Path) -> None:
    app = Explorer(path, start=AT["classes"])
    async with app.run_test(size=(110, 30)) as pilot:

        async def seen(*texts: str) -> None:
            await until(lambda: all(text in screen_text(app) for text in texts), app)

        await seen("cat", "dog")
        await press(pilot, "I")
        await seen("alpha › cat › null directions", "75.0%", "striped 0.75", "round 0.75")
        await press(pilot, "v")
        await seen("(2 concepts)", "striped 0.50")
        await press(pilot, "right_square_bracket")
        await seen("alpha › dog › null directions")
        await press(pilot, "a")
        await seen("cat", "dog", "75.0%")
        await press(pilot, "escape", "escape", "escape", "I")
        await seen("alpha › null modes", "mode 1")
        await press(pilot, "i")
        await seen("alpha › null words", "mode 0, negative")
        await press(pilot, "x")
        await seen("Poles in whose mix it has a coefficient above 0.")


def test_csv_has_the_words_of_any_number_of_concepts(path: Path) -> None:
    def rows(*options: str) -> list[dict[str, str]]:
        done = CliRunner().invoke(main, [str(path), *options, "--csv", "-"])
        assert done.exit_code == 0, done.output
        return list(csv.DictReader(io.StringIO(done.stdout)))

    place = ("--table", "null_directions", "--model", "alpha")
    first = rows(*place, "--class", "cat")[0]
    assert (first["direction"], first["positive"], first["positive_cosine"]) == ("direction 0", "striped 0.75", "0.5")
    assert (float(first["share"]), float(first["movement"]), first["images"]) == (0.75, 0.5, "30")
    more = rows(*place, "--class", "cat", "--at", "null_size=2 concepts")[1]
    assert (more["positive"], more["negative"]) == ("striped 0.50, red 0.25", "round 0.50, striped 0.25")
    owl = rows(*place, "--class", "owl")[0]
    assert (owl["positive"], owl["share"], owl["images"]) == ("", "", "1")


@pytest.mark.parametrize(
    ("place", "line"),
    [
        (
            ("--table", "null_modes", "--model", "beta"),
            "beta has no null modes in words; sing-compute words FILE adds them",
        ),
        (("--table", "null_directions", "--model", "alpha", "--class", "empty"), "no image of empty was measured"),
    ],
)
def test_what_is_not_there_is_one_line(path: Path, place: tuple[str, ...], line: str) -> None:
    done = CliRunner().invoke(main, [str(path), *place, "--csv", "-"])
    assert done.exit_code == 2
    assert line in done.output
