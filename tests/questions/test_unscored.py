"""Files of features alone: whatever is asked of them says so, and never that a head has no null space."""

from collections.abc import Iterator
from pathlib import Path

import asking
import pytest
from click.testing import CliRunner

import sing_compute
from sing_compute.errors import SingError
from sing_tui.cli import main as explorer

WHY = "only its features were kept; a run without --only adds scores"


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("unscored")
    asking.make_inputs(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        line = asking.run_of(folder, ["first=asked_networks:first"])
        words = [str(part) for part in (*line, "--only", "features", "-o", folder / "kept.h5")]
        asking.cli.main(words, standalone_mode=False)
        yield folder / "kept.h5"


@pytest.mark.parametrize(
    "words",
    [
        ("words",),
        ("steer", "--keep"),
        ("steer", "--matrix", "m.csv"),
        ("steer", "--from", "cat", "--to", "bee"),
        ("concepts", "--text", "red"),
    ],
    ids=" ".join,
)
def test_a_question_about_scores_says_that_there_are_features_alone(
    path: Path, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(path.parent)
    verb, *options = words
    with pytest.raises(SingError, match=f"^first has no scores to ask about: {WHY}$"):
        asking.cli.main([verb, str(path), *options], standalone_mode=False)
    assert not (path.parent / "m.csv").exists()


def test_a_photograph_is_explained_without_scores(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = next((path.parent / "images").rglob("*.png"))
    asking.cli.main(
        ["image", str(path), "--path", str(image), "--model", "first=asked_networks:first"], standalone_mode=False
    )
    assert f"  {WHY}\n" in capsys.readouterr().out


def test_tables_and_charts_say_the_same(path: Path) -> None:
    for words in (("--class", "cat"), ("--chart", "scatter")):
        done = CliRunner().invoke(explorer, [str(path), "--model", "first", *words, "--csv", "-"])
        assert WHY in done.stderr
        assert done.exit_code == 2
    with sing_compute.load(path) as results, pytest.raises(SingError, match=f"first has no concept shifts: {WHY}"):
        results.concepts("cat", "first")
