"""Mistakes with `sing-compute heads`: each is one line, and nothing changes."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import open_clip
import pytest
from ended_commands import Ended
from heads_files import CLIP, DEMO, changed_clip, make_mistakes, refused
from safetensors.numpy import save_file


def inputs() -> None:
    """Write the files of the mistakes."""
    np.save("short.npy", np.full(7, 0.1))
    np.save("nan.npy", np.array([np.nan, *[0.1] * 63]))
    np.save("long.npy", np.full(64, 2.0))
    np.save("whole.npy", np.arange(64)[:, None] * np.ones(2))
    Path("mean.txt").write_text("0.1")
    Path("broken.pt").write_bytes(b"no")
    Path("utf16.txt").write_text("a\nb\n", encoding="utf-16")
    Path("latin.txt").write_bytes("gr\xfcn\nrot\n".encode("latin-1"))
    Path("one.txt").write_text("\n\none\n")
    shutil.copy("run.h5", "foreign.h5")
    with h5py.File("foreign.h5", "r+") as file:
        file["clip"].attrs["state_sha256"] = np.bytes_("0" * 64)
    block = "visual.transformer.resblocks.2.attn.in_proj_weight"
    changed_clip(Path("nan"), block, lambda weight: weight.__setitem__((3, 3), np.nan))
    changed_clip(Path("nan-end"), "visual.proj", lambda weight: weight.__setitem__((3, 3), np.nan))
    config = json.loads((DEMO / "clip" / "open_clip_config.json").read_text())
    Path("resnet").mkdir()
    config["model_cfg"]["vision_cfg"] = {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8, "patch_size": None}
    Path("resnet/open_clip_config.json").write_text(json.dumps(config))
    network = open_clip.model.CLIP(**config["model_cfg"])
    save_file({k: v.numpy() for k, v in network.state_dict().items()}, "resnet/open_clip_model.safetensors")


ALONE = ("-o", "new.h5", "--clip", CLIP, "--words", "words.txt", "--sizes", "2")
REFUSALS: dict[str, tuple[tuple[str, ...], str]] = {
    "nothing": ((), "heads needs the results file to add to, or -o NEW and --clip NAME"),
    "both": (("run.h5", "-o", "new.h5"), "heads needs the results file to add to, or -o NEW"),
    "no file": (("none.h5",), "none.h5 does not exist"),
    "no clip": (("-o", "new.h5"), "name its CLIP with --clip"),
    "exists": (("-o", "run.h5", "--clip", CLIP), "run.h5 exists; --fresh replaces it"),
    "there": (("heads.h5",), "heads.h5 holds a tower 'clip' already: --fresh replaces it"),
    "tower file": (("tower.h5",), "tower.h5 names no CLIP: name one with --clip"),
    "no mean": (ALONE, "a tower alone has no image mean of this CLIP: give --mean FILE"),
    "another clip's file": (("foreign.h5", "--clip", CLIP), "foreign.h5 has no image mean of this CLIP"),
    "another clip's mean": ((*ALONE, "--mean", "foreign.h5"), "its CLIP (local-dir:clip) is another one"),
    "size of the mean": ((*ALONE, "--mean", "short.npy"), "an image mean of 7 numbers, this CLIP has 64"),
    "mean is not finite": ((*ALONE, "--mean", "nan.npy"), "nan.npy: the image mean is not finite"),
    "no mean of units": (
        (*ALONE, "--mean", "long.npy"),
        "its length is 16, and that of a mean of unit vectors at most 1",
    ),
    "no vector": ((*ALONE, "--mean", "whole.npy"), "whole.npy: holds no single vector of numbers"),
    "no such mean": ((*ALONE, "--mean", "none.pt"), "--mean none.pt: no such file"),
    "format": ((*ALONE, "--mean", "mean.txt"), "--mean mean.txt: .pt, .pth, .npy, .safetensors and results files"),
    "broken mean": ((*ALONE, "--mean", "broken.pt"), "--mean broken.pt: cannot be read as .pt"),
    "two means": ((*ALONE, "--mean", "none", "--images", "images"), "--mean and --images exclude each other"),
    "no layer": (("run.h5", "--layers", "4"), "--layers 4: there is no layer 4; the tower has 4 layers, 0 to 3"),
    "no layers": (("run.h5", "--layers", "4:"), "--layers 4:: there are no such layers; the tower has 4 layers"),
    "layers": (("run.h5", "--layers", "last"), "--layers last: write -4:, 8,9, 0:3 or all"),
    "too many": (("run.h5", "--sizes", "23"), "--sizes 23: the concepts of run.h5 has only 22 concepts"),
    "sizes": (("run.h5", "--sizes", "0"), "--sizes: numbers of concepts from 1 to 200"),
    "no size": (("run.h5", "--sizes", "five"), "--sizes 'five': write numbers of concepts"),
    "utf-16": ((*ALONE[:5], "utf16.txt", "--mean", "none"), "utf16.txt is not UTF-8"),
    "latin-1": ((*ALONE[:5], "latin.txt", "--mean", "none"), "latin.txt is not UTF-8 (byte 2"),
    "one word": ((*ALONE[:5], "one.txt", "--mean", "none"), "one.txt: 1 concepts; names need at least two"),
    "no words": ((*ALONE[:5], "none.txt", "--mean", "none"), "--words none.txt: no such file"),
    "two lists": ((*ALONE, "--vocabulary", "attributes", "--mean", "none"), "--words and --vocabulary exclude"),
    "no heads": (("run.h5", "--clip", "local-dir:resnet"), "image tower (ModifiedResNet) has no attention heads"),
    "nan": (
        ("run.h5", "--clip", "local-dir:nan"),
        "layer 2: its attention gives numbers that are not finite",
    ),
    "nan at the end": (
        ("run.h5", "--clip", "local-dir:nan-end"),
        "a weight of its last norm or of its projection is not",
    ),
    "coherence": (("run.h5", "--coherence", "nan"), "--coherence nan: a number from 0 to 10"),
    "name": (("run.h5", "--name", ".."), "--name '..': a name has 1 to 255 bytes"),
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
    refused(command, arguments, line)
