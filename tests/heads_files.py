"""Results of one small network on drawings, the same with the heads of the demo's CLIP, and a file of a tower alone."""

import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from ended_commands import Ended
from safetensors.numpy import load_file, save_file

from sing_compute.cli import cli
from sing_compute.demo.scenes import draw, held_out_scenes

DEMO = Path(__file__).resolve().parents[1] / "data" / "demo"
CLIP = f"local-dir:{DEMO / 'clip'}"


def typed(*arguments: object) -> None:
    """Run the command in this process."""
    before, sys.argv = sys.argv, ["sing-compute", *map(str, arguments)]
    try:
        cli.main(sys.argv[1:], standalone_mode=False)
    finally:
        sys.argv = before


def changed_clip(folder: Path, tensor: str, change: Callable[[np.ndarray], None]) -> None:
    """Write the demo's CLIP with one tensor changed in place."""
    folder.mkdir()
    state = load_file(DEMO / "clip" / "open_clip_model.safetensors")
    change(state[tensor])
    save_file(state, folder / "open_clip_model.safetensors")
    shutil.copy(DEMO / "clip" / "open_clip_config.json", folder)


def make_heads(folder: Path) -> None:
    """Make `images/`, `words.txt`, `run.h5`, `heads.h5` (all four layers) and `tower.h5` (a tower alone, two layers)."""
    for number, scene in enumerate(held_out_scenes()[:60]):
        path = folder / "images" / scene.shape / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        draw(scene, seed=number).save(path)
    options = ("--images", folder / "images", "--clip", CLIP, "--concepts", DEMO / "concepts.tsv", "--workers", "0")
    typed("--model", f"clean=local-dir:{DEMO / 'clean'}", *options, "--device", "cpu", "-o", folder / "run.h5")
    shutil.copy(folder / "run.h5", folder / "heads.h5")
    typed("heads", folder / "heads.h5", "--sizes", "3,5", "--device", "cpu")
    (folder / "words.txt").write_text("striped\r\nplain\n\ndotted\nStriped \nred\u2028fox\ngreen\n", encoding="utf-8")
    tower = ("--clip", CLIP, "--mean", folder / "run.h5", "--words", folder / "words.txt", "--sizes", "2")
    typed("heads", "-o", folder / "tower.h5", *tower, "--layers", "1,-1", "--device", "cpu", "--name", "small")


def make_mistakes(made: Path, place: Path, inputs: Callable[[], None]) -> Path:
    """Copy the files of `make_heads` to a place, and write there the files of mistakes."""
    for name in ("run.h5", "heads.h5", "tower.h5", "words.txt"):
        shutil.copy(made / name, place / name)
    (place / "images").symlink_to(made / "images")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        inputs()
    return place


def refused(command: Callable[..., Ended], arguments: Sequence[str], line: str, *, locks: bool = True) -> None:
    """Run `sing-compute heads` here; it must end in one line and leave every file as it was.

    Args:
        command: The command.
        arguments: What is typed behind `heads`.
        line: Part of the line.
        locks: The command makes a work folder, which may remain.
    """

    def files() -> dict[str, int]:
        there = {path.name: path.stat().st_mtime_ns for path in Path().iterdir()}
        return {name: time for name, time in there.items() if not (locks and name.endswith(".work"))}

    before = files()
    ended = command("heads", *arguments)
    assert line in ended.error
    assert ended.out == ""
    assert files() == before
