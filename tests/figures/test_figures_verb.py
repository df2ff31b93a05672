"""The command figures: what it writes, what it refuses, and what it says of figures that a file does not hold."""

import builtins
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ended_commands import Ended
from stores import write_store

from sing_compute.errors import SingError
from sing_compute.figures import saving

Command = Callable[..., Ended]


@pytest.fixture
def sing(tmp_path: Path, whole_path: Path, monkeypatch: pytest.MonkeyPatch, command: Command) -> Command:
    """The command, typed in a folder with the file whole.h5."""
    shutil.copy(whole_path, tmp_path / "whole.h5")
    monkeypatch.chdir(tmp_path)
    return command


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_files_for_column_and_page_numbers_and_captions(sing: Command) -> None:
    ended = sing("figures", "whole.h5", "-o", "out", "--only", "ratios", "--only", "models")
    assert ended.code == 0, ended.err
    assert ended.out.splitlines() == [
        "models: Scores of every model", "ratios: IS over |AS|, sorted", "2 figures in out, 8 files",
    ]  # fmt: skip
    first = contents(Path("out"))
    drawn = {f"ratios-{width}.{end}" for width in ("column", "page") for end in ("pdf", "png")}
    assert first.keys() == {*drawn, "ratios.csv", "models.csv", "models.tex", "captions.txt"}
    assert b"has the highest IS/|AS|" in first["captions.txt"] or b"is number" in first["captions.txt"]
    again = sing("figures", "whole.h5", "-o", "out", "--only", "models", "--force")
    assert again.code == 0, again.err
    assert contents(Path("out"))["models.tex"] == first["models.tex"]


def test_what_is_there_is_not_replaced_unasked(sing: Command) -> None:
    Path("out").mkdir()
    Path("out/ratios.csv").write_text("mine")
    ended = sing("figures", "whole.h5", "-o", "out", "--only", "ratios")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.splitlines() == ["sing-compute: error: out/ratios.csv exists; --force replaces what is there"]
    Path("out/ratios-page.png").write_text("mine, too")
    ended = sing("figures", "whole.h5", "-o", "out", "--only", "ratios")
    line = "sing-compute: error: out/ratios-page.png and 1 more of these names exist; --force replaces what is there"
    assert ended.err.splitlines() == [line]
    assert contents(Path("out")) == {"ratios.csv": b"mine", "ratios-page.png": b"mine, too"}


def test_mistakes_end_in_one_line(sing: Command) -> None:
    Path("file").write_text("")
    for arguments, said in (
        (("-o", "out", "--only", "pie"), "no figure 'pie'; there are: models, scatter, ratios"),
        (("-o", "out", "--model", "gamma"), "gamma"),
        (("-o", "out", "--class", "unicorn"), "unicorn"),
        (("-o", "file", "--only", "models"), "cannot write into file: it is no folder"),
        (("-o", "no/folder", "--only", "models"), "cannot write into no/folder: No such file or directory"),
        (
            ("-o", "out", "--only", "models", "--only", "steering", "--steering", "whole.h5"),
            "whole.h5: it is no text; --steering",
        ),
    ):
        ended = sing("figures", "whole.h5", *arguments)
        assert ended.code == 2, arguments
        assert said in ended.err
        assert ended.err.count("\n") == 1
        assert not Path("out").exists()


def test_figures_that_the_file_does_not_hold_are_named(sing: Command) -> None:
    write_store(Path("bare.h5"), models=("vgg",), null_space=False)
    ended = sing("figures", "bare.h5", "-o", "out", *(f"--only={name}" for name in ("heads", "models", "pictures")))
    assert ended.code == 0, ended.err
    assert ended.out.splitlines()[-3:] == [
        "no figure heads: the file holds no heads analysis (sing-compute heads)",
        "no figure pictures: the file holds no pictures (sing-compute render)",
        "1 figure in out, 3 files",
    ]
    write_store(Path("empty.h5"), models=())
    ended = sing("figures", "empty.h5", "-o", "none", *(f"--only={name}" for name in ("models", "heads", "spectrum")))
    assert ended.out.splitlines()[0] == "no figure models, spectrum: the file holds no classifiers"
    ended = sing("figures", "bare.h5", "-o", "none", "--only", "heads")
    assert ended.code == 2
    assert ended.err.startswith("sing-compute: error: bare.h5 holds none of these figures")
    assert not Path("none").exists()


def test_a_missing_extra_is_named(sing: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.partition(".")[0] == "matplotlib":
            raise ModuleNotFoundError("No module named 'matplotlib'")
        return plain(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    ended = sing("figures", "whole.h5", "-o", "out")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.splitlines() == [
        "sing-compute: error: figures need matplotlib (No module named 'matplotlib'); pip install 'sing-explorer[figures]'"
    ]
    assert not Path("out").exists()


def test_a_disk_that_fails_leaves_whole_files_alone(
    tmp_path: Path, found: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(saving, "write_rows", full)
    with pytest.raises(SingError, match=r"cannot write into .*: No space left on device"):
        saving.save([found["models"]], tmp_path / "out", report=lambda _: None)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["models.tex"]
