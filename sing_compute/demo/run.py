"""Prepare the demo's run on drawings that no network was trained on, and compare what it finds with what was planted."""

import json
import shlex
import shutil
from pathlib import Path
from typing import Any

from sing_compute.atomic_write import write_text
from sing_compute.datafiles import data_path
from sing_compute.demo.scenes import ATTRIBUTES, draw, drawing_seed, held_out_scenes
from sing_compute.errors import SingError
from sing_compute.store import Store, concept_table

MODELS = ("leaky", "clean", "plain")
OUTPUT = "demo.h5"
"""Results file without -o."""


def prepare(output: Path) -> dict[str, Any]:
    """Draw the held-out scenes into `<output>-images/`, one folder per shape, and return the options of the run.

    The attributes of each drawing are written into `<output>-attributes.csv`, for `heads effect`.

    Args:
        output: The results file.

    Raises:
        SingError: The folder has other content, or cannot be written.
    """
    folder = output.with_name(f"{output.stem}-images")
    scenes = held_out_scenes()
    keys = [
        f"{s.shape}/{number:04d}-{s.size}-{s.colour}-{s.texture}-on-{s.background}.png"
        for number, s in enumerate(scenes)
    ]
    try:
        if not folder.exists():
            unfinished = output.with_name(f".{folder.name}.unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            for number, (key, scene) in enumerate(zip(keys, scenes, strict=True)):
                (unfinished / key).parent.mkdir(parents=True, exist_ok=True)
                draw(scene, seed=drawing_seed(number)).save(unfinished / key)
            unfinished.rename(folder)
        found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
        lines = [",".join(("path", *ATTRIBUTES))]
        lines += [
            ",".join((key, *(getattr(s, name) for name in ATTRIBUTES))) for key, s in zip(keys, scenes, strict=True)
        ]
        if found == set(keys):
            write_text(output.with_name(f"{output.stem}-attributes.csv"), "\n".join([*lines, ""]))
    except OSError as error:
        raise SingError(
            f"cannot write the demo's drawings to {folder}: {error.strerror or error}; choose another -o"
        ) from error
    if found != set(keys):
        raise SingError(f"{folder} does not hold the demo's drawings; remove it, or choose another -o")
    return {
        "models": tuple(f"{name}=local-dir:{data_path(f'demo/{name}')}" for name in MODELS),
        "clip": f"local-dir:{data_path('demo/clip')}",
        "images": str(folder),
        "concepts": (str(data_path("demo/concepts.tsv")),),
    }


def closing_lines(store: Store, explorer: str) -> str:
    """Return the lines that say what was planted, what this run found, and what to type next.

    Args:
        store: The demo's results.
        explorer: The command that opens them.
    """
    planted = json.loads(data_path("demo/planted.json").read_text(encoding="utf-8"))
    model, clean, class_name, value = (planted[key] for key in ("model", "clean", "class", "value"))
    shifts = {}
    for name in (model, clean):
        table = concept_table(store, name, store.find_class(class_name))
        columns = (table.column("concept").values.all(), table.column("attribute_score_abs").values.all())
        shifts[name] = dict(zip(*columns, strict=True))
    order = sorted(shifts[model], key=lambda concept: -shifts[model][concept])
    place, other = order.index(value) + 1, next(concept for concept in order if concept != value)
    found = (
        f"'{value}' is number {place} of {len(order)} concepts by |AS| of '{class_name}': "
        f"{shifts[model][value]:.1f} degrees in '{model}', {shifts[clean][value]:.1f} in '{clean}' "
        f"(next in '{model}': '{other}', {shifts[model][other]:.1f})"
    )
    return "\n".join(
        [
            "",
            f"Planted: in '{model}', the null space of the head carries whether a {class_name} is {value}; no logit sees it",
            f"Found:   {found}",
            f"Words:   sing-compute words {shlex.quote(str(store.path))} says what that null space holds",
            f"Next:    {explorer} --model {model} --class {class_name}",
        ]
    )
