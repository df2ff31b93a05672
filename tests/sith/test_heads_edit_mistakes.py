"""Mistakes with `sing-compute heads edit`, `effect` and `compare`: each is one line, and nothing changes."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ended_commands import Ended
from heads_files import CLIP, DEMO, changed_clip, make_mistakes, refused
from safetensors.torch import load_file, save_file

SOURCE = DEMO / "clip" / "open_clip_model.safetensors"


def inputs() -> None:
    """Write the files of the mistakes."""
    Path("short.txt").write_text("1\n2\n3\n")
    Path("error.txt").write_text("1\n2\nError\n")
    Path("nothing.txt").write_text("blau\nrot\n")
    Path("other").mkdir()
    Path("other/note.txt").write_text("mine")
    shutil.copytree(DEMO / "clip", "input")
    weight = "visual.transformer.resblocks.2.attn.in_proj_weight"
    changed_clip(Path("another"), weight, lambda values: values.__setitem__((300, 3), 0.5))
    changed_clip(Path("nan"), weight, lambda values: values.__setitem__((300, 3), np.nan))
    Path("half.tsv").write_text("star\tan image of a star\nbroken line\n")
    Path("sides.csv").write_text("path,side\nstar/none.png,left\n")
    Path("sides.txt").write_text("star/none.png left\n")
    for name in ("star", "heart"):
        Path("two", name).mkdir(parents=True)
        shutil.copy(next((Path("images", name)).iterdir()), Path("two", name))
    state = load_file(SOURCE)
    Path("deep").mkdir()
    config = json.loads((DEMO / "clip" / "open_clip_config.json").read_text())
    config["model_cfg"]["vision_cfg"]["layers"] = 3
    Path("deep/open_clip_config.json").write_text(json.dumps(config))
    save_file(
        {k: v for k, v in state.items() if "visual.transformer.resblocks.3" not in k},
        "deep/open_clip_model.safetensors",
    )


EDIT = ("edit", "heads.h5", "--clip", CLIP, "-o", "new")
TO = EDIT[:-1]
EFFECT = ("effect", CLIP, "local-dir:input", "--images", "images")
KNOWN = "no vector of the tower 'clip' is named with this; 22 words are used"
OVER = "the edit would write over its input"
ANOTHER = "local-dir:another has other weights than the CLIP of the tower 'clip' in heads.h5"
REFUSALS: dict[str, tuple[tuple[str, ...], str]] = {
    "nothing asked": (EDIT, "--suppress and --amplify, --task, and --scores are the ways to choose vectors"),
    "two ways": ((*EDIT, "--suppress", "red", "--task", "a"), "--scores exclude each other: give one of them"),
    "rule": ((*EDIT, "--suppress", "red", "--rule", "1,1,1,0,0"), "--rule is for --scores"),
    "rule of four": ((*EDIT, "--scores", "short.txt", "--rule", "1,1,1,0"), "--rule '1,1,1,0': five numbers"),
    "no tower": (
        ("edit", "run.h5", "-o", "new", "--suppress", "a"),
        "run.h5 holds no tower: `sing-compute heads run.h5`",
    ),
    "tower": ((*EDIT, "--suppress", "red", "--tower", "x"), "--tower x: heads.h5 holds no such tower; there are: clip"),
    "size": ((*EDIT, "--suppress", "a", "--size", "4"), "--size 4: the tower 'clip' is named with 3, 5 concepts"),
    "layer": ((*EDIT, "--suppress", "a", "--layers", "7"), "--layers 7: there is no layer 7; the tower has 4 layers"),
    "layer without names": (
        ("edit", "tower.h5", "-o", "new", "--suppress", "plain", "--layers", "0"),
        "--layers 0: of the tower 'small' layers 1, 3 are named",
    ),
    "concept": ((*EDIT, "--suppress", "strped"), f"'strped': {KNOWN}; near: striped"),
    "list": ((*EDIT, "--suppress", "red,blu"), f"'blu': {KNOWN}; near: blue"),
    "file of words": ((*EDIT, "--suppress", "@nothing.txt"), f"'blau': {KNOWN}"),
    "no file of words": ((*EDIT, "--suppress", "@none.txt"), "--suppress @none.txt: no such file"),
    "vector": (
        (*EDIT, "--suppress", "2/0/32"),
        "2/0/32: there is no such vector; the tower 'clip' has layers 0, 1, 2, 3, heads 0 to 3 and vectors 0 to 31",
    ),
    "head": ((*EDIT, "--amplify", "2/4"), "--amplify 2/4: there is no such vector"),
    "factor": ((*EDIT, "--suppress", "red=2"), "--suppress red=2: the factor behind = is a number of at most 1"),
    "no factor": ((*EDIT, "--amplify", "red=x"), "--amplify red=x: the factor behind = is a number of at least 1"),
    "nan factor": ((*EDIT, "--suppress", "red=nan"), "--suppress red=nan: the factor behind ="),
    "two factors": (
        (*EDIT, "--suppress", "2/0", "--amplify", "2/0/1"),
        "vector 2/0/1 has two factors, by --suppress 2/0 and by --amplify 2/0/1",
    ),
    "share": ((*EDIT, "--suppress", "red", "--share", "1"), "--share 1: a number from 0 to below 1"),
    "none chosen": (
        (*EDIT, "--suppress", "red", "--share", ".999"),
        "no vector of layers 0, 1, 2, 3 is chosen: nothing is written",
    ),
    "scores": (
        (*EDIT, "--scores", "short.txt"),
        "short.txt: 3 judgements, wanted 512: one a line for 4 layers (0, 1, 2, 3) of 4 heads with 32 vectors",
    ),
    "judge": ((*EDIT, "--scores", "error.txt"), "error.txt, line 3: 'Error' is no judgement from 1 to 5"),
    "no scores": ((*EDIT, "--scores", "none.txt"), "--scores none.txt: no such file"),
    "task": ((*EDIT, "--task", " , "), "--task ' , ' names nothing"),
    "input": (
        ("edit", "heads.h5", "--clip", "local-dir:input", "-o", "input", "--suppress", "red", "--fresh"),
        f"-o input: {OVER}",
    ),
    "file": (("edit", "heads.h5", "-o", "heads.h5", "--suppress", "red"), f"-o heads.h5: {OVER}"),
    "exists": ((*TO, "another", "--suppress", "red"), "another exists; --fresh replaces it"),
    "folder of others": (
        (*TO, "other", "--suppress", "red", "--fresh"),
        "-o other: this is no CLIP that `heads edit` wrote",
    ),
    "no parent": ((*TO, "no/where", "--suppress", "red"), "-o no/where: there is no folder"),
    "another clip": (("edit", "heads.h5", "--clip", "local-dir:another", "-o", "new", "--suppress", "red"), ANOTHER),
    "nan compared": (
        ("compare", CLIP, "local-dir:nan"),
        "local-dir:nan: layer 2: a weight of its attention or of the norm before it is not finite",
    ),
    "other depth": (("compare", CLIP, "local-dir:deep"), "has 4 layers, local-dir:deep 3: they cannot be compared"),
    "csv": (("compare", CLIP, CLIP, "--csv", "words.txt"), "words.txt exists; --force replaces it"),
    "template": ((*EFFECT, "--template", "a star"), "--template 'a star': write {} where the name of a class goes"),
    "prompts": ((*EFFECT, "--prompts", "half.tsv"), "--prompts half.tsv, line 2: write CLASS, a tab and a text"),
    "groups": ((*EFFECT, "--groups", "sides.csv:side"), "--groups sides.csv:side: 60 of 60 images have no label"),
    "lines of groups": ((*EFFECT, "--groups", "sides.txt"), "--groups sides.txt: 60 of 60 images have no label"),
    "nan measured": (
        ("effect", "local-dir:nan", CLIP, "--images", "two", "--draws", "0", "--device", "cpu"),
        "local-dir:nan gives embeddings that are not finite: a weight is NaN or infinite",
    ),
    "column": (
        (*EFFECT, "--groups", "sides.csv:up"),
        "--groups sides.csv:up: the first line must name the columns path and up, found path,side",
    ),
    "draws": ((*EFFECT, "--draws", "-1"), "--draws -1: a number of draws"),
}


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
    refused(command, arguments, line, locks=False)
