"""The example of docs/sounds.md, from the drawn sounds to the explorer."""

import csv
import io
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from driving import drawn, place_line, press, screen_text

from sing_compute.charts.registry import chart, titles
from sing_compute.cli import cli
from sing_compute.store import Place, Store, catalogue, open_table
from sing_tui import cli as explorer
from sing_tui.app import Explorer
from sing_tui.details import detail_of
from sing_tui.view import Arrangement, arrange
from sing_tui.words import column_texts

PAGE = (Path(__file__).parents[1] / "docs" / "sounds.md").read_text(encoding="utf-8")
DRAWING, *COMMANDS = re.findall(r"^```(?:python)?\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
IMAGES = re.compile(r"(?<![\w/-])(images?|photographs?)(?![\w/])", re.IGNORECASE)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Where the documented commands were carried out, and what they said."""
    folder, said = tmp_path_factory.mktemp("sounds"), []
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        exec(compile(DRAWING, "sounds.md", "exec"), {})
        for line in COMMANDS[0].splitlines():
            program, *words = shlex.split(line)
            if program == "sing-compute":
                words = [*words, *(["--device", "cpu"] if "--features" in words else [])]
                done = CliRunner().invoke(cli, words, catch_exceptions=False)
                assert done.exit_code == 0, done.output
                said.append(done.output)
    return folder, "\n".join(said)


@pytest.fixture
def folder(ran: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(ran[0])
    return ran[0]


def test_the_documented_commands_measure_sounds(ran: tuple[Path, str]) -> None:
    folder, said = ran
    assert "medians over sounds" in said
    assert "checks passed, 1 models, 200 sounds" in said
    assert not IMAGES.search(said), said
    with Store(folder / "sounds.h5") as store:
        assert store.attributes("images")["root"] == ""
        names, scores = store.concept_names.tolist(), store.array("models/sounds/concepts/attribute_score")
        q = store.array("models/sounds/concepts/q")
        noisy = names.index("noisy")
        for label, name in enumerate(store.class_names):
            if name == "rain":  # the planted class, the planted word, the planted direction
                assert np.flatnonzero(scores[label] < 0).tolist() == [noisy]
                assert scores[label][noisy] == pytest.approx(-11.3, abs=0.1)
                assert q[label][noisy] < 1e-9
            else:
                assert q[label][noisy] > 0.05


def test_the_explorer_and_its_headless_twin_read_right(folder: Path) -> None:
    (line,) = COMMANDS[1].splitlines()
    result = CliRunner().invoke(explorer.main, shlex.split(line)[1:])
    assert result.exit_code == 0, result.output
    rows = list(csv.DictReader(io.StringIO(result.output)))
    assert (len(rows), rows[0]["concept"]) == (13, "noisy")
    assert list(rows[0])[:2] == ["concept", "attribute_score"]  # the names of columns are those of every file
    table = CliRunner().invoke(explorer.main, ["sounds.h5", "--table", "images", "--class", "rain", "--csv", "-"])
    keys = [row["image"] for row in csv.DictReader(io.StringIO(table.output))]
    assert sorted(keys) == [f"rain/{row:03d}.wav" for row in range(40, 80)]


def test_no_text_about_the_measured_sounds_speaks_of_images(folder: Path) -> None:
    inside = {"model": "sounds", "class": 1}
    said: list[str] = []
    with Store(folder / "sounds.h5") as store:
        for spec in catalogue.tables(store):
            place = Place(spec.name).at(**{axis: inside[axis] for axis in spec.within})
            view = arrange(open_table(store, place), Arrangement())
            for row in column_texts(view, 0, store.noun.plural):
                words = row.explanation  # its source names datasets, whose names are those of every file
                said += [
                    row.column.title,
                    row.column.description,
                    row.value,
                    words.formula,
                    words.meaning,
                    words.caution,
                ]
            detail = detail_of(store, place, view, 0)
            said += [
                detail.reading,
                *(f"{title} {text}" for title, text in detail.facts if title not in ("plan", "command")),
            ]
            for _, name, title in titles(spec):
                found = chart(store, place, name, identity="sounds" if spec.name == "models" else 0)
                said += [store.noun.words(title), found.title, found.reading]
                said += [column.description for column in found.table.columns]
    assert len(said) > 500
    assert not [text for text in said if IMAGES.search(text)]
    assert sum("sound" in text for text in said) > 100


async def test_the_screen_counts_sounds(folder: Path) -> None:
    app = Explorer(folder / "sounds.h5")
    async with app.run_test(size=(110, 30)) as pilot:
        for key, place in (("enter", "classes"), ("i", "dog bark › sounds")):
            await drawn(app)
            await press(pilot, key)
            await drawn(app)
            assert place in place_line(app)
            assert not IMAGES.search(screen_text(app)), screen_text(app)
