"""Mistakes with `sing-compute heads check`: each is one line, and nothing changes."""

import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from ended_commands import Ended
from heads_files import make_mistakes, refused

OPTIONS = ("--images", "images", "--device", "cpu")


def inputs() -> None:
    """Write the files of the mistakes."""
    Path("one.txt").write_text("shape: circle\ncolour: red, blue\n")
    Path("twice.txt").write_text("shape: circle, square\ncolour: red, Circle\n")
    Path("again.txt").write_text("shape: circle, square\nshape: star, heart\n")
    Path("loose.txt").write_text("shape: circle, square\nred, blue\n")
    Path("empty.txt").write_text("# nothing\n")
    Path("kinds.tsv").write_text("circle\tshape\nsquare\tshape\nred\tcolour\nred\tmood\n")
    Path("labels.csv").write_text(
        "path,label\n" + "\n".join(f"{p.parent.name}/{p.name},pink" for p in Path("images").rglob("*.png"))
    )
    Path("nothing").mkdir()
    shutil.copy("heads.h5", "foreign.h5")
    shutil.copy("heads.h5", "two.h5")
    with h5py.File("foreign.h5", "r+") as file:
        file["towers/clip"].attrs["clip_state_sha256"] = np.bytes_("0" * 64)
    with h5py.File("two.h5", "r+") as file:
        file.copy("towers/clip", "towers/other")


REFUSALS: dict[str, tuple[tuple[str, ...], str]] = {
    "no file": (("none.h5", *OPTIONS), "none.h5 does not exist"),
    "no tower": (("run.h5", *OPTIONS), "run.h5 holds no tower: `sing-compute heads run.h5` names one first"),
    "unknown tower": (("heads.h5", *OPTIONS, "--tower", "large"), "--tower large: heads.h5 holds no such tower; there are: clip"),
    "several towers": (("two.h5", *OPTIONS), "two.h5 holds 2 towers: name one with --tower: clip, other"),
    "another clip": (("foreign.h5", *OPTIONS), "other weights than the CLIP of the tower 'clip' in foreign.h5"),
    "no images": (("heads.h5", "--images", "none"), "--images none: no such file or folder"),
    "empty folder": (("heads.h5", "--images", "nothing"), "nothing"),
    "no such layer": (("heads.h5", *OPTIONS, "--layers", "4"), "--layers 4: there is no layer 4; the tower has 4 layers"),
    "no names": (("tower.h5", *OPTIONS, "--layers", "0"), "the tower 'small' has no names for layer 0; it has those of 1, 3"),
    "no vectors": (("heads.h5", *OPTIONS, "--vectors", "0"), "--vectors 0: a number of at least 1"),
    "no sample": (("heads.h5", *OPTIONS, "--sample", "1"), "--sample 1: a number of at least 2"),
    "one text": (("heads.h5", *OPTIONS, "--texts", "one.txt"), "one.txt: the attribute 'shape' has one text"),
    "text twice": (("heads.h5", *OPTIONS, "--texts", "twice.txt"), "twice.txt: 'Circle' is twice in shape and colour"),
    "attribute twice": (("heads.h5", *OPTIONS, "--texts", "again.txt"), "again.txt: the attribute 'shape' is in it twice"),
    "no attribute": (("heads.h5", *OPTIONS, "--texts", "loose.txt"), "loose.txt: no attribute in the line 'red, blue'"),
    "no attributes": (("heads.h5", *OPTIONS, "--texts", "empty.txt"), "empty.txt: it holds no attribute"),
    "twice in a vocabulary": (("heads.h5", *OPTIONS, "--texts", "kinds.tsv"), "kinds.tsv: red is in it twice"),
    "no such texts": (("heads.h5", *OPTIONS, "--texts", "none.txt"), "--texts none.txt: no such file"),
    "labels of nothing": (("heads.h5", *OPTIONS, "--labels", "mood=labels.csv"), "--labels mood=labels.csv: write ATTRIBUTE="),
    "other labels": (("heads.h5", *OPTIONS, "--labels", "colour=labels.csv"), "no texts of colour: pink"),
    "no labels": (("heads.h5", *OPTIONS, "--labels", "colour=none.csv"), "none.csv: not a readable label file"),
}  # fmt: skip


@pytest.fixture(scope="module")
def mistakes(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files of all mistakes; none of these changes anything in it."""
    return make_mistakes(made, tmp_path_factory.mktemp("mistakes"), inputs)


@pytest.mark.parametrize("case", REFUSALS)
def test_a_mistake_is_one_line_and_changes_nothing(
    case: str, mistakes: Path, monkeypatch: pytest.MonkeyPatch, command: Callable[..., Ended]
) -> None:
    monkeypatch.chdir(mistakes)
    arguments, line = REFUSALS[case]
    refused(command, ("check", *arguments), line)
