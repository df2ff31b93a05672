"""The command without a screen: its CSV equals the store, its errors are one line, it loads nothing heavy."""

import csv
import hashlib
import json
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from scipy.stats import norm
from stores import write_store

from sing_tui.cli import main

HEAVY = ("torch", "timm", "open_clip", "pandas", "textual", "plotext")


@dataclass
class Done:
    returncode: int
    stdout: str
    stderr: str


def run(*arguments: object) -> Done:
    """The command inside this process; some tests below start a real one."""
    done = CliRunner().invoke(main, list(map(str, arguments)))
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return Done(done.exit_code, done.stdout, done.stderr)


def run_process(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sing_tui", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60)


def read(text: str) -> tuple[list[str], dict[str, list[str]]]:
    header, *rows = csv.reader(text.splitlines())
    return header, {name: [row[i] for row in rows] for i, name in enumerate(header)}


def same(cells: list[str], stored: np.ndarray) -> bool:
    back = np.array([cell or "nan" for cell in cells]).astype(stored.dtype)
    return np.array_equal(back, stored, equal_nan=stored.dtype.kind == "f")


def test_every_image_cell_equals_the_store(store_path: Path) -> None:
    header, cells = read(run(store_path, "--model", "beta", "--table", "images", "--csv", "-").stdout)
    with h5py.File(store_path) as file:
        group = file["models/beta/images"]
        names = file["classes/name"].asstr()[()]
        assert cells["image"] == list(file["images/key"].asstr()[()])
        assert cells["class"] == [names[c] for c in file["images/class"][()]]
        assert cells["prediction"] == [names[c] for c in group["prediction"][()]]
        numbers = [
            name for name in header if name in group and name not in ("prediction", "top_concept", "top_concept_score")
        ]
        assert len(numbers) == 9
        for name in numbers:
            assert same(cells[name], group[name][()]), name
        assert same(cells["top_concept_score"], group["top_concept_score"][:, 0])
        assert cells["top_concept"] == [file["concepts/name"].asstr()[k] for k in group["top_concept"][:, 0]]


@pytest.mark.parametrize("subset", ["all", "right", "wrong", "group:noisy"])
def test_every_class_cell_equals_the_store(store_path: Path, subset: str) -> None:
    arguments = ("--model", "alpha", "--table", "classes", "--subset", subset, "--csv", "-")
    header, cells = read(run(store_path, *arguments).stdout)
    with h5py.File(store_path) as file:
        row = list(file["subsets/name"].asstr()[()]).index(subset)
        group = file["models/alpha/classes"]
        rows = np.flatnonzero(group["count"][row])
        assert cells["index"] == [str(r) for r in rows]
        by_subset = [name for name in group if group[name].ndim == 2 and not name.endswith("curve")]
        assert len(by_subset) == 23
        for name in by_subset:
            assert same(cells[name], group[name][row][rows]), name
        figures = list(group["interval_figure"].asstr()[()])
        assert len(figures) == 5
        for figure, ends in zip(figures, group["interval"][:, row, rows], strict=True):
            assert same(cells[f"{figure}_low"], ends[:, 0]), figure
            assert same(cells[f"{figure}_high"], ends[:, 1]), figure
        for name in ("attribute_score_abs", "image_score"):
            assert (f"{name}_control" in header) == (subset == "all")
            if subset == "all":
                control = group[f"{name}_control"][rows]
                assert same(cells[f"{name}_control"], control)
                assert same(cells[f"{name}_over_control"], group[f"{name}_q50"][0, rows] / control)


def test_every_concept_and_model_cell_equals_the_store(store_path: Path) -> None:
    _, cells = read(run(store_path, "--model", "alpha", "--class", "dog", "--csv", "-").stdout)
    _, models = read(run(store_path, "--csv", "-").stdout)
    with h5py.File(store_path) as file:
        for name in file["models/alpha/concepts"]:
            assert same(cells[name], file[f"models/alpha/concepts/{name}"][1]), name
        group = file["models/alpha/concepts"]
        assert same(cells["attribute_score_low"], group["attribute_score"][1] - group["attribute_score_half"][1])
        assert same(cells["attribute_score_high"], group["attribute_score"][1] + group["attribute_score_half"][1])
        assert [cell == "*" for cell in cells["significant"]] == (group["q"][1] < 0.05).tolist()
        assert np.allclose([float(p) for p in cells["p"]], 2 * norm.sf(np.abs(group["z"][1])), rtol=1e-9)
        assert models["model"] == ["alpha", "beta"]
        for i, model in enumerate(models["model"]):
            stored = {name: value[()] for name, value in file[f"models/{model}/summary"].items() if value.shape == ()}
            shown = set(models) & set(stored)
            assert {"accuracy", "image_score", "gap", "nullity"} <= shown
            for name in shown:
                assert same([models[name][i]], np.array([stored[name]])), name
            bootstrap = file[f"models/{model}/bootstrap"]
            for row, figure in enumerate(bootstrap["figure"].asstr()[()]):
                for ends, over in (
                    (bootstrap["images_interval"][1], ""),
                    (bootstrap["classes_interval"][()], "_classes"),
                ):
                    if f"{figure}{over}_low" in models:
                        found = [models[f"{figure}{over}_{end}"][i] for end in ("low", "high")]
                        assert same(found, ends[row]), figure


def test_sort_and_filter_are_those_of_the_screen(store_path: Path) -> None:
    arguments = ("--model", "alpha", "--table", "images", "--filter", "is > 10 and class ~ cat", "--csv", "-")
    _, plain = read(run(store_path, *arguments).stdout)
    _, falling = read(run(store_path, *arguments, "--sort", "IS").stdout)
    _, rising = read(run(store_path, *arguments, "--sort", "image_score", "--reverse").stdout)
    scores = [float(cell) for cell in plain["image_score"]]
    assert set(plain["class"]) == {"cat"}
    assert 0 < len(scores) < 30
    assert min(scores) > 10
    assert [float(cell) for cell in falling["image_score"]] == sorted(scores, reverse=True)
    assert [float(cell) for cell in rising["image_score"]] == sorted(scores)


def test_the_first_rows_are_those_of_the_sort_and_of_each_model(store_path: Path) -> None:
    arguments = ("--table", "images", "--sort", "IS", "--csv", "-")
    _, whole = read(run(store_path, "--model", "alpha", *arguments).stdout)
    _, some = read(run(store_path, "--model", "alpha", *arguments, "--top", "4").stdout)
    assert some == {name: cells[:4] for name, cells in whole.items()}
    _, both = read(run(store_path, "--all-models", *arguments, "--top", "2").stdout)
    assert both["model"] == ["alpha", "alpha", "beta", "beta"]
    assert both["image"][:2] == whole["image"][:2]


def test_a_file_appears_whole_and_is_replaced_only_by_force(store_path: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    first = run(store_path, "--csv", target)
    assert (first.returncode, first.stdout, first.stderr.strip()) == (0, "", f"2 rows in {target}")
    before = target.read_text()
    refused = run(store_path, "--model", "alpha", "--csv", target)
    assert refused.returncode == 2
    assert "--force" in refused.stderr
    assert target.read_text() == before
    assert run(store_path, "--model", "alpha", "--csv", target, "--force").returncode == 0
    assert target.read_text() == run(store_path, "--model", "alpha", "--csv", "-").stdout != before
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]


def test_awkward_text_is_harmless_in_csv(awkward_path: Path) -> None:
    header, cells = read(run(awkward_path, "--model", "a", "--csv", "-").stdout)
    assert header[0] == "class"
    assert cells["class"][:5] == ["[red]bold[/red]", "'=1+1", "ネコ科の動物たち", "bell[31m tabend", "🦉 owl 🦉"]
    _, models = read(run(awkward_path, "--csv", "-").stdout)
    assert models["model"] == ["a", "'@b"]


def test_the_rows_of_all_models_name_their_model_and_are_those_of_each(store_path: Path) -> None:
    header, cells = read(run(store_path, "--class", "dog", "--all-models", "--sort", "as", "--csv", "-").stdout)
    assert header[0] == "model"
    for model in ("alpha", "beta"):
        _, own = read(run(store_path, "--model", model, "--class", "dog", "--sort", "as", "--csv", "-").stdout)
        rows = [row for row, name in enumerate(cells["model"]) if name == model]
        assert {name: [cells[name][row] for row in rows] for name in header[1:]} == own
    listed = json.loads(
        run(store_path, "--table", "classes", "--all-models", "--columns", "class,is", "--json", "-").stdout
    )
    assert [row["model"] for row in listed] == ["alpha"] * 3 + ["beta"] * 3
    assert list(listed[0]) == ["model", "class", "image_score_q50"]


def test_a_table_can_say_what_it_is_of(store_path: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    arguments = ("--model", "beta", "--class", "dog", "--filter", "|as| > 1", "--csv", str(target), "--provenance")
    assert run(store_path, *arguments).returncode == 0
    said = json.loads((tmp_path / "out.csv.provenance.json").read_text())
    assert (said["table"], said["of"]) == ("concepts", ["model=beta", "class=dog"])
    assert (said["filter"], said["rows"]) == ("|as| > 1", len(target.read_text().splitlines()) - 1)
    assert said["file_sha256"] == hashlib.sha256(store_path.read_bytes()).hexdigest()
    again = shlex.split(said["command"])[1:]
    assert run(*again, "--csv", "-").stdout == target.read_text()
    assert run(store_path, *arguments).returncode == 2


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("--model", "gamma", "--csv", "-"), "no model 'gamma'"),
        (("--class", "zebra", "--csv", "-"), "no class 'zebra'"),
        (("--table", "concepts", "--csv", "-"), "--class"),
        (("--table", "classes", "--class", "cat", "--csv", "-"), "--class goes with"),
        (("--model", "alpha", "--class", "empty", "--csv", "-"), "no image of empty"),
        (("--subset", "left", "--csv", "-"), "no subset 'left'"),
        (("--sort", "nothing", "--csv", "-"), "no column 'nothing'"),
        (("--table", "models", "--all-models", "--csv", "-"), "of one model; here each model has a row or column"),
        (("--all-models", "--chart", "ratios", "--csv", "-"), "here the rows say their model already"),
        (("--table", "models", "--at", "image=0", "--all-models", "--csv", "-"), "here each model has a row or column"),
        (("--table", "models", "--class", "cat", "--all-models", "--csv", "-"), "here each model has a row or column"),
        (
            ("--table", "classes", "--all-models", "--with-model", "beta", "--csv", "-"),
            "does not go with a comparison of models",
        ),
        (
            ("--table", "classes", "--all-models", "--compare", "is", "--csv", "-"),
            "does not go with a comparison of models",
        ),
        (("--view", "mine", "--all-models", "--csv", "-"), "--view and --all-models do not go together"),
        (
            ("--model", "alpha", "--class", "cat", "--chart", "strings", "--filter", "z > 1", "--csv", "-"),
            "--filter and --chart do not go together: a chart is of all concepts",
        ),
        (("--model", "alpha", "--chart", "ratios", "--columns", "class", "--csv", "-"), "--columns and --chart do not"),
        (("--model", "alpha", "--chart", "ratios", "--subset", "wrong", "--csv", "-"), "--subset and --chart do not"),
        (("--class", "cat", "--at", "class=dog", "--csv", "-"), "class is named twice, by --class or --at"),
        (("--at", "model=alpha", "--at", "model=beta", "--csv", "-"), "model is named twice, by --model or --at"),
        (("--model", "alpha", "--columns", "class,is,IS", "--csv", "-"), "--columns names image_score_q50 twice"),
        (("--model", "alpha", "--sort", "-", "--reverse", "--csv", "-"), "--sort - asks for the order of the file"),
        (("--model", "alpha", "--class", "cat", "--with-class", "cat", "--csv", "-"), "cat is named twice among"),
        (("--filter", "is >", "--csv", "-"), "at character 5"),
        (("--csv", "/no/such/folder/out.csv"), "cannot write"),
        (("--csv", "/"), "cannot write /: it is a folder; name another file"),
        (
            ("--table", "classes", "--csv", "-"),
            "whose classes? add --model NAME or --all-models; there are: alpha, beta",
        ),
        (("--class", "dog", "--csv", "-"), "whose concepts? add --model NAME or --all-models; there are: alpha, beta"),
        (("--model", "beta", "--all-models", "--csv", "-"), "--all-models and --model do not go together"),
        (("--top", "3", "--chart", "scatter", "--csv", "-"), "--top and --chart do not go together"),
        (("--provenance", "--csv", "-"), "--provenance writes a file next to the table"),
        ((), "--csv"),
    ],
)
def test_a_users_mistake_is_one_line_and_exit_code_2(store_path: Path, arguments: tuple[str, ...], part: str) -> None:
    done = run(store_path, *arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("sing-tui: error: ")
    assert done.stderr.count("\n") == 1
    assert part in done.stderr


def test_a_file_that_is_no_store_is_one_line(tmp_path: Path) -> None:
    text, plain = tmp_path / "text.h5", tmp_path / "plain.h5"
    text.write_text("not HDF5 at all\n" * 99)
    h5py.File(plain, "w").close()
    for file, part in (
        (tmp_path / "none.h5", "does not exist"),
        (text, "HDF5"),
        (plain, "not a result of sing-compute"),
    ):
        done = run(file, "--csv", "-")
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert part in done.stderr
    assert "Traceback" not in run_process(text, "--csv", "-").stderr
    assert "Traceback" in run_process(text, "--csv", "-", "--debug").stderr


def test_a_reader_that_stops_early_is_no_error(tmp_path: Path) -> None:
    path = write_store(tmp_path / "large.h5", class_names=("a", "b"), images_per_class=(9000, 1))
    command = (
        f"{sys.executable} -m sing_tui {path} --model alpha --table images --csv - | head -2; echo ${{PIPESTATUS[0]}}"
    )
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    assert done.stdout.splitlines()[2] == "0"
    assert done.stdout.startswith("image,class,attribute_score,image_score,prediction")


def test_the_headless_way_loads_nothing_heavy(store_path: Path, tmp_path: Path) -> None:
    arguments = [str(store_path), "--table", "images", "--model", "alpha", "--csv", str(tmp_path / "o.csv")]
    code = (
        f"import sys\nfrom sing_tui.cli import main\nmain({arguments!r}, standalone_mode=False)\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stderr


def test_importing_the_app_loads_no_plot_and_no_network() -> None:
    heavy = [name for name in HEAVY if name != "textual"]
    code = f"import sys, sing_tui.app\nprint([name for name in {heavy!r} if name in sys.modules], 'textual' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[] True", done.stderr
