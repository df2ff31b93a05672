"""A small results file with every analysis, made by the program's own commands from drawings and the demo's networks."""

import csv
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

from heads_files import CLIP, DEMO, typed
from planted_directions import QUESTION, QUICK

from sing_compute.demo.scenes import draw, held_out_scenes
from sing_compute.directions.rivals import RIVALS
from sing_compute.process.progress import Progress
from sing_compute.questions.directions.finding import find_and_add
from sing_compute.scores import resampling

IMAGES = 60
MODELS = ("clean", "leaky")
REPLICATES = 60


def make_whole(folder: Path) -> Path:
    """Write the file: two networks with features, maps, groups and MLP translators; null words, a checked tower, directions.

    Args:
        folder: An empty folder.
    """
    scenes = held_out_scenes()[:IMAGES]
    keys = [f"{scene.shape}/{number}.png" for number, scene in enumerate(scenes)]
    for number, (key, scene) in enumerate(zip(keys, scenes, strict=True)):
        path = folder / "images" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        draw(scene, seed=number).save(path)
    colours = [scene.colour for scene in scenes]
    listed = [(f"images/{key}", scene.shape, scene.texture) for key, scene in zip(keys, scenes, strict=True)]
    _write(folder / "images.csv", [("path", "label", "group"), *listed])
    _write(folder / "colours.csv", [("path", "label"), *zip(keys, colours, strict=True)])
    before = Path.cwd()
    os.chdir(folder)
    try:
        _run(folder, colours, [f"images/{key}" for key in keys])
    finally:
        os.chdir(before)
    return folder / "whole.h5"


@contextmanager
def few_replicates() -> Iterator[None]:
    """Draw few resamples, so that `verify`, which draws them again, takes a part of a second."""
    with (
        patch.dict(resampling.image_replicates.__kwdefaults__, replicates=REPLICATES),
        patch.dict(resampling.class_replicates.__kwdefaults__, replicates=REPLICATES),
        patch("sing_compute.measuring.bootstrap.REPLICATES", REPLICATES),
    ):
        yield


def _write(path: Path, rows: list[tuple[str, ...]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)


def _run(folder: Path, colours: list[str], keys: list[str]) -> None:
    models = [part for name in MODELS for part in ("--model", f"{name}=local-dir:{DEMO / name}")]
    words = ("--clip", CLIP, "--concepts", DEMO / "concepts.tsv", "--workers", "0", "--device", "cpu")
    kept = ("--maps", "--maps-grid", "2", "--compare-translators")
    with few_replicates():
        typed(*models, "--images", "images.csv", *words, *kept, "-o", "whole.h5")
    typed("words", "whole.h5", "--class-directions", "2", "--modes", "3", "--sizes", "2,4")
    typed("heads", "whole.h5", "--sizes", "3,5", "--layers", "-2:", "--device", "cpu")
    check = ("--images", "images", "--layers", "-1", "--vectors", "2", "--sample", "24", "--device", "cpu")
    typed("heads", "check", "whole.h5", *check, "--labels", "colour=colours.csv")
    rows = [(key, "red" if colour == "red" else "") for key, colour in zip(keys, colours, strict=True)]
    _write(folder / "labels.csv", [("path", "colour"), *rows])
    fast = {name: RIVALS[name] for name in ("PCA", "k-means")}
    with patch("sing_compute.questions.directions.rival_directions.RIVALS", fast):
        first = replace(QUESTION, model=MODELS[0], rivals=True, labels=Path("labels.csv"), step=2.0)
        find_and_add(Path("whole.h5"), first, Progress(), settings=QUICK)
    find_and_add(Path("whole.h5"), replace(QUESTION, model=MODELS[1], seed=1), Progress(), settings=QUICK)
