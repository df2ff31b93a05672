"""Null directions in words on the screen and as CSV: where they open, what they show, what another number of concepts changes."""

import csv
import io
from pathlib import Path

import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from driving import AT, press, screen_text, until
from stores import write_store

from sing_compute.store import Store
from sing_compute.store.verify import verify
from sing_compute.store.write import Writer
from sing_tui.app import Explorer
from sing_tui.cli import main

WORDS = ("red", "round", "striped")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file whose first model has two null directions of each class with enough images, named by three words."""
    path = write_store(tmp_path / "named.h5")
    pick = np.broadcast_to(np.array([[[2, 0], [1, 2]]]), (4, 2, 2, 2)).copy()
    coefficient = np.full((4, 2, 2, 2, 2), np.nan, np.float32)
    coefficient[..., 0, 0] = 0.75
    coefficient[..., 1, :] = 0.5, 0.25
    known = np.array([True, True, False, False])
    pick[~known], coefficient[~known] = -1, np.nan
    figures = {"share": [0.75, 0.125], "deviation": [3, 1], "movement": [0.5, 0.25]}
    with h5py.File(path, "r+") as file:
        values = file["models/alpha/spectrum/singular_value"][:2]
        writer = Writer(file)

        def put(name: str, cells: object) -> None:
            writer.put("models/{model}/null_words/" + name, cells, model="alpha")

        writer.annotate("models/alpha/null_words", {"pool_count": 3, "pool_same_direction": 0})
        put("modes/name", ["mode 0", "mode 1"])
        put("modes/value", values)
        put("classes/name", ["direction 0", "direction 1"])
        put("classes/images", [30, 12, 1, 0])
        for name, cells in figures.items():
            put(f"classes/{name}", np.where(known[:, None], cells, np.nan))
        put("classes/angle", np.where(known[:, None, None], [[20.0, 21.0], [5.0, 6.0]], np.nan))
        for group, rows in (("modes", 0), ("classes", slice(None))):
            put(f"{group}/pick", pick[rows])
            put(f"{group}/coefficient", coefficient[rows])
            put(f"{group}/cosine", np.where(pick[rows][..., :1] < 0, np.nan, [0.5, 0.625]))
        put("sizes/name", ["1 concept", "2 concepts"])
        put("sizes/concepts", [1, 2])
        put("summary/pool", 3)
        put("summary/distinct", 3)
        put("words/name", WORDS)
        put("words/position", range(3))
        put("words/uses", [0, 6, 6])
        put("words/largest", [0, 0.75, 0.75])
        put("words/place", ["", "mode 0, negative", "mode 0, positive"])
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
