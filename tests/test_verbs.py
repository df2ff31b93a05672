"""The verbs that ask results files something later, as users type them: what they print, what they write, how they end."""

import csv
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import asking
import h5py
import numpy as np
import pytest
from ended_commands import Ended
from PIL import Image

from sing_compute.cli import cli
from sing_compute.concepts.open_clip_space import OpenClipSpace
from sing_compute.store import Store
from sing_compute.verbs import VERBS


@pytest.fixture(autouse=True)
def import_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """A verb that loads a user's own network looks for its code in the working folder, and leaves that on the import path."""
    monkeypatch.setattr(sys, "path", list(sys.path))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("verbs")
    asking.make_inputs(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        asking.measure(folder, "a.h5", "first", "second", "full")
        asking.measure(folder, "b.h5", "third")
        asking.measure(folder, "c.h5", "first", "second", words="all.npz", options=["--lambda", "5"])
        yield folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A user's folder; what lies in it may be changed."""
    for name in ("a.h5", "b.h5", "c.h5", "later.npz", "asked_networks.py"):
        shutil.copy(made / name, tmp_path / name)
    Image.fromarray(np.random.default_rng(5).integers(0, 255, (6, 6, 3), dtype=np.uint8)).save(tmp_path / "photo.png")
    return tmp_path


@pytest.fixture
def sing(folder: Path, monkeypatch: pytest.MonkeyPatch, command: Callable[..., Ended]) -> Callable[..., Ended]:
    """The command, typed in the user's folder."""
    monkeypatch.chdir(folder)
    for verb in VERBS:
        monkeypatch.setitem(cli.commands, verb.name, verb)
    return command


def rows_of(text: str, first: str) -> dict[str, list[str]]:
    """The aligned table whose header begins so: cells by the first column."""
    lines = text.splitlines()
    start = next(number for number, line in enumerate(lines) if line.lstrip().startswith(first))
    table = {}
    for line in lines[start + 1 :]:
        cells = re.split(r"  +", line.strip())
        if len(cells) < 2:
            break
        table[cells[0]] = cells[1:]
    return table


def test_concepts_are_added_and_shown(folder: Path, sing: Callable[..., Ended]) -> None:
    ended = sing("concepts", "a.h5", "--text", "snow", "--text", "Red", "--embeddings", "later.npz")
    assert ended.code == 0, ended.err
    assert "'Red' is a concept of a.h5 already" in ended.err
    assert "1 new in a.h5" in ended.out
    with Store(folder / "a.h5") as store:
        assert store.concept_names[-1] == "snow"
        for line in ended.out.splitlines()[1:3]:
            concept, model, class_name, score, q, count = line.split()
            column, chance = (
                store.array(f"models/{model}/concepts/{name}")[:, -1] for name in ("attribute_score", "q")
            )
            best = int(np.nanargmax(np.abs(column)))
            assert (concept, class_name) == ("snow", store.class_names[best])
            assert float(score) == pytest.approx(column[best], abs=0.006)
            assert float(q) == pytest.approx(chance[best], abs=0.0006)
            assert int(count) == (chance < 0.05).sum()
    before = (folder / "a.h5").read_bytes()
    again = sing("concepts", "a.h5", "--text", "snow")
    assert (again.code, again.out) == (0, "a.h5 is as it was: nothing new to add\n")
    assert (folder / "a.h5").read_bytes() == before


def test_a_photograph_is_explained_by_every_model_that_can_be_had(
    sing: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise AssertionError("no CLIP is needed")

    monkeypatch.setattr(OpenClipSpace, "__init__", refused)
    trusted = ("--model", "first=asked_networks:first", "--model", "full=asked_networks:full")
    ended = sing("image", "a.h5", "--path", "photo.png", *trusted, "--top", "3")
    assert ended.code == 0, ended.err
    first, full = ended.out.split("full: photo.png")
    assert first.startswith("first: photo.png\n  prediction   ")
    assert len(rows_of(first, "concept  ")) == 3
    assert re.search(
        r"null energy  0\.\d{3}\n  AS +[+-]\d+\.\d\d degrees \(median of the class [+-]\d+\.\d\d\)\n", first
    )
    assert "nearest of 77 kept images" in first
    assert len(re.findall(r"\n  (?:T\(f\) |T\(f~\)|     )  0\.\d{3}  \w+/\d+.png \(\w+\)", first)) == 6
    assert "  its head has no null space\n" in full
    untrusted = sing("image", "a.h5", "--path", "photo.png")
    assert untrusted.code == 2
    assert untrusted.out == ""
    lines = untrusted.err.splitlines()
    assert len(lines) == 4
    assert lines[1].startswith(
        "second is a user's own code, which a results file alone never runs; if you trust it: --"
    )
    assert lines[3] == "sing-compute: error: none of the networks of a.h5 can be loaded here; the lines above say why"


def test_steering_prints_table_1_and_writes_its_images(folder: Path, sing: Callable[..., Ended]) -> None:
    ended = sing("steer", "a.h5", "--from", "bee", "--to", "striped", "--angle", "25", "--csv", "out.csv")
    assert ended.code == 0, ended.err
    assert "full has no scores to ask about: its head has no null space" in ended.err
    assert "bee, steered toward the concept 'striped' by 25 degrees of IS within the null space." in ended.out
    table = rows_of(ended.out, "model")
    assert table.keys() == {"first", "second"}
    with (folder / "out.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 16
    for model, cells in table.items():
        scores = np.array([float(row["attribute_score"] or "nan") for row in rows if row["model"] == model])
        reached = scores[np.isfinite(scores)]
        assert cells[0] == "8"
        assert cells[1] == f"{reached.mean():+.2f} +- {reached.std(ddof=1):.2f}"
        assert cells[2] == "25.00"
        assert int(cells[4]) == 8 - len(reached)
        assert cells[5] == "0"
        assert float(cells[6]) < 1e-3
    refused = sing("steer", "a.h5", "--from", "bee", "--to", "red", "--csv", "out.csv")
    assert (refused.code, refused.err) == (2, "sing-compute: error: out.csv exists; --force replaces it\n")
    forced = sing("steer", "a.h5", "--from", "ant", "--to", "red", "--model", "first", "--csv", "out.csv", "--force")
    assert forced.code == 0
    assert (folder / "out.csv").read_text().count("\n") == 61


def test_the_matrix_agrees_with_the_table(folder: Path, sing: Callable[..., Ended]) -> None:
    ended = sing("steer", "a.h5", "--from", "cat", "--to", "dog", "--model", "second", "--matrix", "m.csv")
    assert ended.code == 0, ended.err
    assert "16 pairs of classes of second in m.csv; unreachable: " in ended.out
    with (folder / "m.csv").open(encoding="utf-8") as stream:
        rows = {(row["from"], row["to"]): row for row in csv.DictReader(stream)}
    assert rows.keys() == {(a, b) for a in asking.CLASSES for b in asking.CLASSES}
    row, cells = rows["cat", "dog"], rows_of(ended.out, "model")["second"]
    mean, std = float(row["attribute_score_mean"]), float(row["attribute_score_std"])
    assert (row["images"], row["unreachable"]) == (cells[0], cells[4])
    assert f"{mean:+.2f} +- {std:.2f}" == cells[1]


def test_kept_steering_names_its_largest_pair_and_has_a_table(folder: Path, sing: Callable[..., Ended]) -> None:
    ended = sing("steer", "a.h5", "--keep", "--angle", "25", "--matrix", "m.csv", "--force")
    assert ended.code == 0, ended.err
    assert "full has no scores to ask about: its head has no null space" in ended.err
    kept = rows_of(ended.out, "model")
    assert kept.keys() == {"first", "second"}
    with (folder / "m.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    largest = max(rows, key=lambda row: float(row["attribute_score_mean"] or "-inf"))
    assert kept["first"][0] == "25"
    assert kept["first"][-3:] == [f"{float(largest['attribute_score_mean']):+.2f}", largest["from"], largest["to"]]
    assert sing("verify", "a.h5").code == 0


def test_a_cell_of_the_csv_begins_no_formula(folder: Path, sing: Callable[..., Ended]) -> None:
    with h5py.File(folder / "a.h5", "r+") as file:
        names = file["classes/name"]
        names[0], names[1] = b"=1", b"@b"
    ended = sing("steer", "a.h5", "--matrix", "m.csv")
    assert ended.code == 0, ended.err
    with (folder / "m.csv").open(encoding="utf-8") as stream:
        assert {row[0] for row in csv.reader(stream)} == {"from", "'=1", "'@b", "cat", "dog"}


def test_merging_writes_a_file_that_verifies(folder: Path, sing: Callable[..., Ended]) -> None:
    ended = sing("merge", "a.h5", "b.h5", "-o", "both.h5", "--rename", "third=new")
    assert (ended.code, ended.out) == (0, "both.h5 is written: 4 models, first, second, full, new\n")
    with Store(folder / "both.h5") as store:
        assert store.models == ["first", "second", "full", "new"]
        assert store.array("comparison/model").tolist() == ["first", "second", "new"]
    assert not list(folder.glob("*.work"))
    again = sing("merge", "a.h5", "b.h5", "-o", "both.h5")
    assert (again.code, again.err) == (2, "sing-compute: error: both.h5 exists; --fresh replaces it\n")


def test_comparing_prints_both_files_beside_each_other(folder: Path, sing: Callable[..., Ended]) -> None:
    ended = sing("compare", "a.h5", "c.h5")
    assert ended.code == 0, ended.err
    lines = ended.out.splitlines()
    assert lines[:3] == ["A: a.h5", "B: c.h5", "concepts: 11 | 13, 11 in both"]
    assert any(re.fullmatch(r"lambda of first: \S+ \| 5", line) for line in lines)
    with Store(folder / "a.h5") as left, Store(folder / "c.h5") as right:
        for title, figure, digits in (
            ("|AS|", "attribute_score_abs", 2),
            ("IS", "image_score", 2),
            ("IS/|AS|", "ratio_images", 1),
        ):
            table = rows_of(ended.out, f"{title} ")
            for model in ("first", "second"):
                cells = table[model]
                for store, cell in ((left, cells[0]), (right, cells[2])):
                    value, low, high = map(float, re.fullmatch(r"(\S+) \[(\S+), (\S+)\]", cell).groups())
                    assert value == pytest.approx(store.summary(model)[figure], abs=0.51 * 10**-digits)
                    assert low <= value <= high
    assert [line for line in lines if line.startswith("order of models: ")]
    assert lines[-1] == "Not in both files, or without scores: full"


REFUSALS = {
    "no file": (["concepts", "none.h5", "--text", "x"], "none.h5 does not exist"),
    "no text": (["concepts", "a.h5"], "Missing option '--text'"),
    "empty text": (["concepts", "a.h5", "--text", " "], "a concept has 1 to 4,096 bytes"),
    "no vectors": (["concepts", "a.h5", "--text", "x"], "made from stored embeddings: give those of 'x' with --emb"),
    "no photograph": (["image", "a.h5", "--path", "none.png"], "--path none.png: no such file"),
    "no picture": (["image", "a.h5", "--path", "a.h5"], "--path a.h5: not a readable image"),
    "no model": (
        ["image", "a.h5", "--path", "photo.png", "--model", "x"],
        "no model 'x' in a.h5; it holds: first, second",
    ),
    "no network": (
        ["image", "a.h5", "--path", "photo.png", "--model", "first=asked_networks:none"],
        "asked_networks has no function 'none'",
    ),
    "wrong network": (
        ["image", "a.h5", "--path", "photo.png", "--model", "first=asked_networks:second"],
        "first: asked_networks:second has other weights than those that were measured",
    ),
    "half a step": (["steer", "a.h5", "--from", "bee"], "steer needs --from CLASS and --to TEXT, or --matrix OUT.csv"),
    "nothing to list": (["steer", "a.h5", "--matrix", "m.csv", "--csv", "i.csv"], "--csv writes the images of --from"),
    "no source": (["steer", "a.h5", "--from", "beee", "--to", "cat"], "--from 'beee' is no class of a.h5; near: bee"),
    "no target": (["steer", "a.h5", "--from", "bee", "--to", "stripes"], "no class or concept of a.h5; near: striped"),
    "angle": (["steer", "a.h5", "--from", "bee", "--to", "cat", "--angle", "180"], "is not in the range 0<x<180"),
    "angle of all": (["steer", "a.h5", "--matrix", "m.csv", "--angle", "0"], "is not in the range 0<x<180"),
    "no null space": (
        ["steer", "a.h5", "--from", "bee", "--to", "cat", "--model", "full"],
        "full has no scores to ask about: its head has no null space",
    ),
    "no folder": (["steer", "a.h5", "--matrix", "none/m.csv"], "cannot write none/m.csv: there is no folder none"),
    "one file": (["merge", "a.h5", "-o", "m.h5"], "merge needs two results files or more"),
    "same names": (
        ["merge", "a.h5", "a.h5", "-o", "m.h5"],
        "a.h5 and a.h5 both hold a model 'first': rename the later",
    ),
    "other words": (["merge", "a.h5", "c.h5", "-o", "m.h5"], "c.h5 was made with other concepts than a.h5"),
    "no output": (["merge", "a.h5", "b.h5"], "Missing option '-o'"),
    "nothing shared": (["compare", "a.h5", "b.h5"], "share no model with scores; they hold first, second and third"),
    "not a store": (["compare", "a.h5", "later.npz"], "later.npz is not a readable HDF5 file"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_mistake_is_one_line_and_leaves_everything_as_it_was(
    case: str, folder: Path, sing: Callable[..., Ended]
) -> None:
    arguments, message = REFUSALS[case]
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    ended = sing(*arguments)
    assert (ended.code, ended.out) == (2, "")
    *others, line = ended.err.splitlines()
    assert line.startswith("sing-compute: error: ")
    assert message in line
    assert not any("error" in other or "Traceback" in other for other in others)
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before
