"""The keys that export rows, say the command that reopens a view, and copy: what they write is what is on the screen."""

import csv
import hashlib
import json
import shlex
from pathlib import Path
from threading import Event

import numpy as np
import pytest
from click.testing import CliRunner
from driving import burst, drawn, lines, press, screen_text, sheet_text, status, until, wish

from sing_compute.store import Store, class_table, image_table
from sing_tui.app import Explorer
from sing_tui.cli import main
from sing_tui.screens.export import ExportScreen
from sing_tui.start import Start

pytestmark = pytest.mark.asyncio


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("TMUX", raising=False)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


async def link(app: Explorer, pilot) -> str:
    """The command that the key L says."""
    await press(pilot, "L")
    text = sheet_text(app).split("\n", 1)[0]
    await press(pilot, "escape")
    return text


async def file_written(app: Explorer) -> Path:
    """The file that an export has written: it has its name only when it is complete."""
    await until(lambda: any(not path.name.startswith(".") for path in Path().iterdir()), app)
    return next(path for path in Path().iterdir() if not path.name.startswith("."))


async def exported(app: Explorer, pilot) -> bytes:
    """Export the table by `e` and Enter; return the bytes of the file."""
    await press(pilot, "e")
    assert isinstance(app.screen, ExportScreen)
    await press(pilot, "enter")
    path = await file_written(app)
    written = path.read_bytes()
    path.unlink()
    return written


@pytest.mark.parametrize(
    "keys",
    [
        ("enter", "f", *"accuracy < 90%", "enter", "s"),
        ("enter", "space", "space", "equals_sign", "full_stop"),
        ("enter", "enter", "4"),
    ],
    ids=["filter and sort", "comparison", "chart"],
)
async def test_the_key_l_says_the_command_whose_headless_twin_writes_what_the_key_e_writes(
    store_path: Path, keys: tuple[str, ...]
) -> None:
    """`test_link.py` opens every kind of view by its command."""
    app = Explorer(store_path)
    async with app.run_test(size=(120, 30)) as pilot:
        await drawn(app)
        await press(pilot, *keys)
        await drawn(app)
        command = await link(app, pilot)
        written = await exported(app, pilot)
    words = shlex.split(command)
    assert words[:2] == ["sing-tui", str(store_path)]
    done = CliRunner().invoke(main, [*words[1:], "--csv", "-"])
    assert done.exit_code == 0, done.output
    assert written.count(b"\n") > 1
    assert done.stdout_bytes == written


async def test_marked_rows_the_filtered_view_and_the_whole_table_are_three_files(store_path: Path) -> None:
    app = Explorer(store_path, Start(wish(class_="cat", table="images"), "as > 0"))
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        shown = [str(cell) for cell in app.screen.view.table.columns[0].values.take(app.screen.view.order)]
        await press(pilot, "space", "down", "space")
        assert "2 marked" in status(app)
        assert [line[0] for line in lines(app)[3:6]] == ["•", " ", "•"]
        for steps, expected in ((0, [shown[0], shown[2]]), (1, shown), (2, None)):
            await press(pilot, "e")
            screen = app.screen
            await press(pilot, "up", "up", "up", *["right"] * steps)
            assert screen is app.screen
            await press(pilot, "enter")
            path = await file_written(app)
            await until(lambda: "rows in" in status(app), app)
            cells = [row["image"] for row in csv.DictReader(path.read_text().splitlines())]
            assert cells == expected if expected is not None else len(cells) == 30
            path.unlink()
        await press(pilot, "u", "down")
        assert "marked" not in status(app)
        assert not app.page.session.here.marks


async def test_an_existing_file_is_replaced_only_when_that_is_said_once_more(store_path: Path) -> None:
    app = Explorer(store_path, Start(wish(model="alpha")))
    target = Path("results-alpha-classes.csv")
    target.write_text("mine")
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        await press(pilot, "e", "enter")
        await until(lambda: "the file exists: Enter replaces it" in screen_text(app), app)
        assert target.read_text() == "mine"
        await press(pilot, "enter")
        await until(lambda: status(app).startswith("3 rows in "), app)
        assert target.read_text().startswith("class,")


async def test_a_running_export_says_how_far_it_is_and_ctrl_c_leaves_nothing(
    store_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = Event()

    def endless(view, path, *, replace, columns, progress):
        rows = 0
        while True:
            rows += 1
            progress(rows)
            go_on.wait(0.02)  # leaves the screen the time to say it

    monkeypatch.setattr("sing_tui.exporting.save", endless)
    monkeypatch.setattr("sing_tui.exporting.SAY_SECONDS", 0.0)
    app = Explorer(store_path, Start(wish(model="alpha")))
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        await press(pilot, "e")
        burst("enter", app=app)
        await until(lambda: "rows, ^c cancels" in status(app), app)
        burst("Q", app=app)
        await until(lambda: "is being written: quit once more to give it up" in status(app), app)
        assert app.return_code is None
        burst("ctrl+c", app=app)
        await until(lambda: status(app).startswith("cancelled"), app)
        assert not app.page.export_runner.writing
    assert list(Path().iterdir()) == []


async def test_chosen_columns_are_painted_and_exported(store_path: Path) -> None:
    app = Explorer(store_path, Start(wish(model="alpha"), columns=("image_score_q50", "accuracy")))
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        assert [column.name for column in app.screen.table.columns] == ["class", "image_score_q50", "accuracy"]
        await press(pilot, "asterisk", "a", "enter")
        assert len(app.screen.table.columns) > 10
        await press(pilot, "asterisk", "n", "down", "space", "enter")
        assert [column.name for column in app.screen.table.columns] == ["class", "leak"]
        await press(pilot, "e", "enter")  # the chosen columns come first
        header = (await file_written(app)).read_text().splitlines()[0]
        assert header == "class,leak"


async def test_a_cell_a_row_and_a_path_are_copied_without_control_characters(
    awkward_path: Path, tmp_path: Path
) -> None:
    app = Explorer(awkward_path, Start(wish(model="a")), images=Path("/photos"))
    kept = tmp_path / "state" / "sing-tui" / "clipboard.txt"
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        await press(pilot, "down", "down", "down", "b", "b", "b", "y")
        await until(lambda: kept.exists() and kept.read_text() == "bell[31m tabend", app)
        await press(pilot, "Y")
        await until(lambda: "\t" in kept.read_text(), app)
        await until(lambda: "clipboard.txt" in status(app), app)
        names = [column.name for column in app.screen.view.table.columns]
        row = dict(zip(names, kept.read_text().split("\t"), strict=True))
        assert (row["class"], row["index"], row["count"]) == ("bell[31m tabend", "3", "5")
        await press(pilot, "i", "o", "ctrl+y")
        await until(lambda: kept.read_text().startswith("/photos/"), app)
        with Store(awkward_path) as store:
            first = store.offsets[3]
            key = str(store.array("images/key")[first]).replace("\x07", "").replace("\x1b", "").replace("\t", "")
        assert kept.read_text() == f"/photos/{key}"


async def test_the_form_writes_what_the_rows_are_of_and_the_command_there_writes_them_again(store_path: Path) -> None:
    app = Explorer(store_path, Start(wish(model="beta", class_="dog")))
    async with app.run_test(size=(100, 24)) as pilot:
        await drawn(app)
        await press(pilot, "f", *"|as| > 1", "enter", "e", "down", "right", "enter")
        await until(lambda: "where they are from in" in status(app), app)
    said = json.loads(next(Path().glob("*.provenance.json")).read_text())
    written = next(Path().glob("*.csv")).read_text()
    assert (said["scope"], said["rows"]) == ("shown", len(written.splitlines()) - 1)
    assert said["file_sha256"] == hashlib.sha256(store_path.read_bytes()).hexdigest()
    done = CliRunner().invoke(main, [*shlex.split(said["command"])[1:], "--csv", "-"])
    assert done.stdout == written


async def test_the_largest_rows_that_are_marked_are_those_of_the_command_of_the_key_l(store_path: Path) -> None:
    app = Explorer(store_path, Start(wish(table="images", model="alpha", class_="dog")))
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        await press(pilot, "T", "5", "enter")
        command = await link(app, pilot)
        written = (await exported(app, pilot)).decode()
        await press(pilot, "G", "space", "L")
        assert "What is marked is not in it" in sheet_text(app)
        assert "--top" not in sheet_text(app)
    assert "--top 5" in command
    done = CliRunner().invoke(main, [*shlex.split(command)[1:], "--csv", "-"])
    assert done.stdout == written
    scores = [float(row["image_score"]) for row in csv.DictReader(written.splitlines())]
    with Store(store_path) as store:
        all_scores = image_table(store, "alpha", 1).column("image_score").values.all()
    assert np.allclose(scores, np.sort(all_scores)[::-1][:5])


async def test_the_first_rows_that_a_command_asks_for_are_marked(store_path: Path) -> None:
    app = Explorer(store_path, Start(wish(table="images", model="alpha", class_="dog"), sort="image_score", top=3))
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        assert "3 marked" in status(app)
        assert [line.startswith("•") for line in lines(app)[3:7]] == [True, True, True, False]
        await press(pilot, "escape")


async def test_eight_keys_export_three_marked_rows_with_the_columns_in_sight(store_path: Path) -> None:
    app = Explorer(store_path, Start(wish(model="alpha")))
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        marked = [line.split()[0] for line in lines(app)[3:6]]
        await press(pilot, "space", "space", "space", "e", "up", "up", "right", "enter")
        path = await file_written(app)
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert [row["class"] for row in rows] == marked
    ends = ["image_score_q50", "image_score_q50_low", "image_score_q50_high"]
    assert list(rows[0])[:2] == ["class", "leak"]
    assert list(rows[0])[-3:] == ends
    with Store(store_path) as store:
        table = class_table(store, "alpha")
        wanted = {name: table.column(name).values.all()[:3].tolist() for name in ends}
    for name in ends:
        assert np.allclose([float(row[name] or "nan") for row in rows], wanted[name], equal_nan=True)
