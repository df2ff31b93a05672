"""Two files on the screen and without one: what the command shows, writes and refuses."""

import csv
import io
import json
import os
import shutil
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from catalogs import place
from click.testing import CliRunner
from driving import drawn, first_cells, lines, on_screen, place_line, press, status, until, wish
from stores import write_store

from sing_tui.app import Explorer
from sing_tui.cli import main
from sing_tui.pair_catalog import open_pair
from sing_tui.session.files import is_joined
from sing_tui.start import Start

CLASSES = Start(wish("classes", model="beta"))


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("two")
    one = write_store(folder / "a.h5", models=("alpha", "beta"), concepts=24)
    classes = ("owl", "cat", "fox")
    other = write_store(
        folder / "b.h5",
        models=("beta", "gamma"),
        class_names=classes,
        images_per_class=(5, 20, 7),
        concepts=30,
        seed=1,
    )
    return one, other


def run(*arguments: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(main, list(map(str, arguments)))
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout, done.stderr


def frame(path: Path, *options: object) -> pd.DataFrame:
    code, text, _ = run(path, *options, "--csv", "-")
    assert code == 0
    return pd.read_csv(io.StringIO(text))


# without a screen


@pytest.mark.parametrize(
    ("options", "name", "measure"),
    [
        (("--table", "classes", "--model", "beta"), "class", "image_score_q50"),
        (("--class", "cat", "--model", "beta"), "concept", "attribute_score"),
        (("--table", "images", "--model", "beta"), "image", "image_score"),
        (("--table", "models"), "model", "accuracy"),
    ],
)
def test_the_csv_of_two_files_is_the_merge_of_two_csvs(
    paths: tuple[Path, Path], options: tuple[str, ...], name: str, measure: str
) -> None:
    one, other = (frame(path, *options)[[name, measure]] for path in paths)
    wanted = one.merge(other, on=name, how="outer", suffixes=(".a", ".b")).set_index(name)
    found = frame(*paths, *options, "--compare", measure)
    alone = [item for item in other[name] if item not in set(one[name])]
    assert list(found[name]) == [*one[name], *alone]
    found = found.set_index(name).loc[wanted.index]
    np.testing.assert_allclose(found[[f"{measure}.a", f"{measure}.b"]], wanted, rtol=1e-6)
    change = wanted[f"{measure}.b"] - wanted[f"{measure}.a"]
    np.testing.assert_allclose(found[f"{measure}.b.difference"], change, rtol=1e-3, atol=1e-5)


def test_what_is_missing_and_what_else_differs_is_said(paths: tuple[Path, Path]) -> None:
    assert run(*paths, *["--table", "classes", "--model", "beta", "--csv", "-"])[2] == (
        "other concepts, images; 1 only in a, 1 only in b\n"
    )
    code, text, said = run(*paths, *["--table", "classes", "--all-models", "--csv", "-"])
    assert code == 0
    assert {row["model"] for row in csv.DictReader(io.StringIO(text))} == {"beta"}
    assert "left out, not in both files: alpha" in said


def test_rows_are_filtered_and_sorted_by_their_difference(paths: tuple[Path, Path]) -> None:
    options = ("--table", "classes", "--model", "beta")
    whole = frame(*paths, *options).set_index("class")["image_score_q50.b.difference"]
    name = "image_score_q50.b.difference"
    found = frame(*paths, *options, "--filter", f"{name} > 0", "--sort", name)
    assert list(found["class"]) == list(whole[whole > 0].sort_values(ascending=False).index)


def test_a_chart_is_of_the_first_file_and_says_so(paths: tuple[Path, Path]) -> None:
    code, text, said = run(*paths, *["--table", "classes", "--model", "beta", "--chart", "ratios", "--csv", "-"])
    assert code == 0
    assert said == "numbers of a alone\n"
    assert text == run(paths[0], *["--table", "classes", "--model", "beta", "--chart", "ratios", "--csv", "-"])[1]


def test_the_provenance_names_both_files(paths: tuple[Path, Path], tmp_path: Path) -> None:
    target = tmp_path / "t.csv"
    assert run(*paths, "--table", "classes", "--model", "beta", "--csv", target, "--provenance")[0] == 0
    said = json.loads((tmp_path / "t.csv.provenance.json").read_text())
    assert (said["file"], said["file2"]) == tuple(map(str, paths))
    assert said["file2_sha256"] != said["file_sha256"]
    assert said["command"].startswith(f"sing-tui {paths[0]} {paths[1]} --table classes")


def test_mistakes_are_one_line(paths: tuple[Path, Path], tmp_path: Path) -> None:
    broken = tmp_path / "broken.h5"
    broken.write_bytes(paths[1].read_bytes()[:5000])
    for arguments, problem in (
        ((paths[0], paths[0]), "are the same file"),
        ((paths[0], tmp_path / "none.h5"), "none.h5 does not exist"),
        ((paths[0], broken), "broken.h5"),
        ((*paths, "--table", "classes", "--model", "alpha"), "b has no model 'alpha'"),
        ((*paths, "--class", "dog", "--model", "beta"), "b has no class 'dog'"),
        ((*paths, "--table", "classes"), "whose classes?"),
    ):
        code, text, said = run(*arguments, "--csv", "-")
        assert (code, text) == (2, "")
        assert problem in said
        assert said.count("\n") == 1


# on the screen


@pytest.mark.asyncio
async def test_the_screen_shows_both_files_and_one_key_the_first_alone(paths: tuple[Path, Path]) -> None:
    app = Explorer(paths[0], CLASSES, other=paths[1], ascii_only=True)
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        assert place_line(app).strip() == "a | b > beta > IS of 2 files, by classes"
        assert first_cells(app) == ["cat", "dog", "owl", "fox"]
        assert "other concepts, images; 1 only in a, 1 only in b" in status(app)
        assert "B a alone" in lines(app)[-1]
        dog = next(line for line in lines(app) if line[1:].startswith("dog"))
        assert dog.split()[2:] == ["-", "-", "-"]
        await press(pilot, "G", "enter")
        assert "this row is in b alone" in status(app)
        await press(pilot, "space", "B")
        assert place_line(app).strip() == "a.h5 > beta > classes"
        assert "marked" not in status(app)
        assert "B both files" in lines(app)[-1]
        await press(pilot, "B", "g", "enter")
        assert "by concepts" in place_line(app)
        await press(pilot, "escape")
        assert "IS of 2 files, by classes" in place_line(app)
        await press(pilot, "full_stop")
        assert " |AS| of 2 files" in place_line(app)
        await press(pilot, "x")
        assert "|AS| a" in on_screen(app)


@pytest.mark.asyncio
async def test_what_only_one_file_can_show_is_refused_or_dropped_with_the_reason(paths: tuple[Path, Path]) -> None:
    begin = Start(wish("images", model="beta", compare="-"), "prediction != class")
    app = Explorer(paths[0], begin, other=paths[1])
    async with app.run_test(size=(120, 24)) as pilot:
        await drawn(app)
        assert "all images (wrong)" in place_line(app)
        await press(pilot, "B")
        assert "filter dropped: no column 'prediction'" in status(app)
        assert "(wrong)" not in place_line(app)
        await press(pilot, "G")
        assert first_cells(app)[-1] == "fox/00031.png"
        for key in ("P", "1", "enter", "equals_sign"):
            await press(pilot, key)
            assert "this row is in b alone" in status(app)
        await press(pilot, *"Cclass", "enter")
        assert place_line(app).strip().startswith("a | b")


@pytest.mark.asyncio
async def test_a_newer_second_file_is_read_and_a_damaged_one_complained_of(
    paths: tuple[Path, Path], tmp_path: Path
) -> None:
    one, other = tmp_path / "a.h5", tmp_path / "b.h5"
    for source, target in zip(paths, (one, other), strict=True):
        shutil.copy(source, target)
    app = Explorer(one, CLASSES, other=other)
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        before = app.page.view.table.column("image_score_q50.b").values.all()
        newer = tmp_path / "newer.h5"
        shutil.copy(paths[1], newer)
        with h5py.File(newer, "r+") as file:
            file["models/beta/classes/image_score_q50"][...] += 1
        os.replace(newer, other)
        app.look()
        await until(lambda: app.page.view is not None and not _same(app, before), app)
        after = app.page.view.table.column("image_score_q50.b").values.all()
        np.testing.assert_allclose(after[[0, 2, 3]], before[[0, 2, 3]] + 1, rtol=1e-6)
        assert is_joined(app.page.place)
        (tmp_path / "damaged").write_bytes(b"damaged")
        os.replace(tmp_path / "damaged", other)
        app.look()
        await until(lambda: "b.h5" in status(app), app)
        assert first_cells(app) == ["cat", "dog", "owl", "fox"]
        await press(pilot, "j")


async def test_a_file_of_two_that_is_gone_is_named(paths: tuple[Path, Path], tmp_path: Path) -> None:
    one, other = (Path(shutil.copy(source, tmp_path)) for source in paths)
    app = Explorer(one, CLASSES, other=other)
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(app)
        other.unlink()
        app.look()
        await until(lambda: place_line(app).rstrip().endswith("b.h5 is gone"), app)
        await press(pilot, "B")
        await until(lambda: place_line(app).rstrip().endswith("b.h5 is gone"), app)


def _same(app: Explorer, before: np.ndarray) -> bool:
    now = app.page.view.table.column("image_score_q50.b").values.all()
    return np.array_equal(now, before, equal_nan=True)


@pytest.mark.asyncio
async def test_no_place_of_two_files_is_remembered(paths: tuple[Path, Path], tmp_path: Path) -> None:
    memory = tmp_path / "state.json"
    app = Explorer(paths[0], CLASSES, other=paths[1], memory=memory)
    async with app.run_test(size=(80, 24)):
        await drawn(app)
        app.remember()
    assert not memory.exists() or "classes" not in memory.read_text()


def test_one_of_two_files_with_the_same_name_is_called_by_its_folder_too(
    paths: tuple[Path, Path], tmp_path: Path
) -> None:
    (tmp_path / "before").mkdir()
    (tmp_path / "after").mkdir()
    same = [
        shutil.copy(path, tmp_path / folder / "r.h5") for path, folder in zip(paths, ("before", "after"), strict=True)
    ]
    for (one, other), title in ((same, "before/r.h5"), (paths, "a.h5")):
        catalog = open_pair(Path(one), Path(other))
        try:
            assert catalog.title(place("models")) == title
        finally:
            catalog.close()
