"""Define the command steer: images of a class steered toward a text, or every class toward every class."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sing_compute.atomic_write import refusal
from sing_compute.errors import SingError
from sing_compute.process.speaking import show, show_text

if TYPE_CHECKING:
    from sing_compute.store import Store

_PATH = click.Path(path_type=Path)
_ANGLE = click.FloatRange(0, 180, min_open=True, max_open=True)


@click.command()
@click.argument("file", type=_PATH)
@click.option("--from", "source", metavar="CLASS", help="Class whose images are steered: name, index or WordNet id.")
@click.option("--to", "target", metavar="CLASS|CONCEPT|TEXT", help="What they are steered toward.")
@click.option("--angle", type=_ANGLE, default=40.0, show_default=True, help="Image Score to reach, in degrees.")
@click.option("--model", metavar="NAME", help="One model of the file.  [default: all; with --matrix the first]")
@click.option("--csv", "table", type=_PATH, metavar="OUT", help="Write a row per image.")
@click.option("--keep", is_flag=True, help="Add every class toward every class to FILE.")
@click.option("--matrix", type=_PATH, metavar="OUT", help="Write every class toward every class as CSV.")
@click.option("--force", is_flag=True, help="Replace OUT if it exists.")
@click.option(
    "--clip",
    metavar="NAME",
    help="Where to find the file's CLIP: local-dir:FOLDER or ARCH/FILE.  [default: where its run had it]",
)
@click.option("--embeddings", type=_PATH, metavar="FILE", help="Stored text embeddings (.npz) instead of a CLIP.")
def steer(file: Path, source: str | None, target: str | None, **options: Any) -> None:
    """Steer the images of a class toward a text, by a step that changes no logit (SING, Table 1).

    \b
    sing-compute steer results.h5 --from "sports car" --to jellyfish
    sing-compute steer results.h5 --keep
    sing-compute steer results.h5 --matrix steering.csv
    """  # noqa: D301 -- click reads the control character itself
    from sing_compute.store import Store

    every = options["keep"] or options["matrix"] is not None
    if (source is None) != (target is None) or (source is None and not every):
        raise SingError("steer needs --from CLASS and --to TEXT, or --matrix OUT.csv or --keep for all classes")
    if options["table"] and source is None:
        raise SingError("--csv writes the images of --from; --matrix writes all classes")
    for path in (options["table"], options["matrix"]):
        if path is not None and (problem := refusal(path, force=options["force"])):
            raise SingError(problem)
    with Store(file) as store:
        if source is not None and target is not None:
            _steer_class(store, source, target, **options)
        if options["matrix"] is not None:
            _steer_matrix(store, options["model"], options["matrix"], options["angle"])
    if options["keep"]:
        _keep(file, options["model"], options["angle"])


def _steer_class(store: "Store", source: str, target: str, **options: Any) -> None:
    from sing_compute.process.progress import Progress
    from sing_compute.questions.answer_tables import steering_table, write_steered
    from sing_compute.questions.steering import find_source, find_target, steer_class
    from sing_compute.questions.stored_model import StoredModel, chosen_models, need_scores
    from sing_compute.store.text import clean

    label, progress = find_source(store, source), Progress()
    wanted = chosen_models(store, options["model"])
    need_scores(store, wanted)
    towards = find_target(store, target, progress, clip=options["clip"], embeddings=options["embeddings"])
    found = []
    for name in wanted:
        try:
            found.append(steer_class(StoredModel.read(store, name), label, towards, angle=options["angle"]))
        except SingError as error:
            if len(wanted) == 1:
                raise
            progress.say(str(error))
    if not found:
        raise SingError(f"no model of {store.path} can be steered")
    name = clean(str(store.class_names[label]))
    show_text(steering_table(found, name, towards, options["angle"], store.noun))
    if options["table"]:
        show(f"{write_steered(options['table'], found):,} rows in {options['table']}", err=True)


def _steer_matrix(store: "Store", model: str | None, path: Path, angle: float) -> None:
    from sing_compute.process.progress import Progress
    from sing_compute.questions.answer_tables import write_matrix
    from sing_compute.questions.steering import steer_matrix
    from sing_compute.questions.stored_model import StoredModel
    from sing_compute.store.text import clean

    stored = StoredModel.read(store, store.model(model))
    matrix = steer_matrix(stored, Progress(), angle=angle)
    rows = write_matrix(path, matrix, [str(name) for name in store.class_names])
    unreachable = int(matrix.unreachable.sum())
    show(f"{rows:,} pairs of classes of {clean(stored.name)} in {path}; unreachable: {unreachable:,} steps")


def _keep(file: Path, model: str | None, angle: float) -> None:
    from sing_compute.process.progress import Progress
    from sing_compute.questions.steering_sink import keep_steering, kept_steering_text
    from sing_compute.store import Store

    command = shlex.join(["sing-compute", *sys.argv[1:]])
    models = keep_steering(file, Progress(), model=model, angle=angle, command=command)
    with Store(file) as store:
        show_text(kept_steering_text(store, models, store.noun))
    show(
        "", f"In {file}. Explore it: {shlex.join(['sing-tui', str(file)])}, and press D on a class, then M for its map"
    )
