"""Define the commands on results files: verify, concepts, image, words, merge and compare, and list all verbs."""

from pathlib import Path
from typing import Any

import click

from sing_compute.direction_verbs import directions
from sing_compute.errors import SingError
from sing_compute.figures_verb import figures
from sing_compute.heads_verbs import heads
from sing_compute.process.speaking import show, show_text
from sing_compute.render_verb import render
from sing_compute.report_verb import report
from sing_compute.steer_verb import steer

FILE = click.argument("file", type=click.Path(path_type=Path))
CLIP = click.option(
    "--clip",
    metavar="NAME",
    help="Where to find the file's CLIP: local-dir:FOLDER or ARCH/FILE.  [default: where its run had it]",
)
EMBEDDINGS = click.option(
    "--embeddings",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Stored text embeddings (.npz) instead of a CLIP.",
)


@click.command()
@FILE
@click.option("--full", is_flag=True, help="Compute everything again, also what takes minutes on a large file.")
def verify(file: Path, full: bool) -> None:
    """Check a results file: its structure, ranges, and every figure that follows from other data in the file.

    What takes long on a large file is computed again for some rows, always the same ones. The last lines name them, and what the
    file does not let be checked, and why.
    """
    from sing_compute.store import Store, catalogue
    from sing_compute.store.verify import verify as check

    with Store(file) as store:
        problems, checks, unknown, notes = check(store, full=full)
        for path in unknown:
            show(f"{path}: unknown to this version; kept, not checked")
        for line in (*problems, *notes):
            show(line)
        if problems:
            raise SingError(f"{file}: {len(problems)} of {checks} checks failed")
        roots = {
            spec.rows: spec.name for spec in reversed(catalogue.roots(store))
        }  # of each kind of rows the first table
        held = [f"{store.count(rows):,} {name}" for rows, name in reversed(roots.items())]
        images = [f"{store.count('image'):,} {store.noun.plural}"] if "images/key" in store else []
        show(f"{file}: {checks} checks passed, {', '.join([*held, *images])}")


@click.command()
@FILE
@click.option("--text", "texts", multiple=True, required=True, help="The concept, in words. Repeatable.")
@CLIP
@EMBEDDINGS
def concepts(file: Path, texts: tuple[str, ...], clip: str | None, embeddings: Path | None) -> None:
    """Add concepts to a results file from the features in it; no image is read.

    \b
    sing-compute concepts results.h5 --text "a striped animal" --text "snow"
    """  # noqa: D301 -- click reads the control character itself
    from sing_compute.process.progress import Progress
    from sing_compute.questions.adding import add_concepts
    from sing_compute.questions.answer_tables import added_table
    from sing_compute.store import Store

    new = add_concepts(file, texts, Progress(), clip=clip, embeddings=embeddings)
    if not new:
        show(f"{file} is as it was: nothing new to add")
        return
    with Store(file) as store:
        show_text(added_table(store, new))
    show("", f"{len(new)} new in {file}. AS: mean of the class it is largest for, in degrees.")


@click.command()
@FILE
@click.option("--path", required=True, type=click.Path(path_type=Path), metavar="PHOTO", help="The photograph.")
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="NAME[=SPEC]",
    help="Model of the file, and where to find its network. Repeatable.  [default: all]",
)
@click.option("--top", type=click.IntRange(1), default=10, show_default=True, help="Concepts to show.")
def image(file: Path, path: Path, models: tuple[str, ...], top: int) -> None:
    """Explain one new photograph: what each head ignores in it, by the file's own translator. No CLIP is loaded.

    \b
    sing-compute image results.h5 --path photo.jpg
    sing-compute image results.h5 --path photo.jpg --model mine=module:factory
    """  # noqa: D301
    from sing_compute.questions.answer_tables import explanation_text
    from sing_compute.questions.explaining import check_photograph, explain
    from sing_compute.store import Store

    with Store(file) as store:
        if not store.noun.is_image:
            raise SingError(f"{file} is of {store.noun.plural}: a photograph cannot be compared with them")
        chosen: dict[str, str | None] = {}
        for model in models:
            name, _, spec = (model, "", "") if model in store.models else model.partition("=")
            chosen[store.model(name)] = spec or None
        check_photograph(path)
        explained = False
        for name, place in (chosen or dict.fromkeys(store.models)).items():
            try:
                show_text(explanation_text(explain(store, name, path, spec=place, top=top), path))
                explained = True
            except SingError as error:
                if chosen or len(store.models) == 1:
                    raise
                show(error, err=True)
        if not explained:
            raise SingError(f"none of the networks of {file} can be loaded here; the lines above say why")


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), metavar="FILE", help="The new file.")
@click.option("--rename", "renames", multiple=True, metavar="OLD=NEW", help="Give a model another name. Repeatable.")
@click.option("--fresh", is_flag=True, help="Replace the file if it exists.")
def merge(files: tuple[Path, ...], output: Path, renames: tuple[str, ...], fresh: bool) -> None:
    """Join results files of the same images, classes, concepts and CLIP into one.

    \b
    sing-compute merge a.h5 b.h5 -o both.h5
    """  # noqa: D301
    from sing_compute.process.progress import Progress
    from sing_compute.questions.merging import merge as join
    from sing_compute.store.text import clean

    names = join(files, output, Progress(), renames=renames, fresh=fresh)
    models = f": {len(names)} models, {', '.join(map(clean, names))}" if names else ", without models"
    show(f"{output} is written{models}")


@click.command()
@click.argument("left", type=click.Path(path_type=Path))
@click.argument("right", type=click.Path(path_type=Path))
def compare(left: Path, right: Path) -> None:
    """Compare the same models in two results files: under two CLIP models, two penalties or two vocabularies.

    \b
    sing-compute compare vit-l.h5 eva.h5
    """  # noqa: D301
    from sing_compute.questions.agreement import agreement, differences
    from sing_compute.questions.answer_tables import agreement_text
    from sing_compute.store import Store

    with Store(left) as first, Store(right) as second:
        found = agreement(first, second)
        lines = [f"A: {left}", f"B: {right}", *differences(first, second), ""]
        table = agreement_text(found, first.noun)
    show(*lines)
    show_text(table)


@click.command()
@FILE
@click.option("--model", metavar="NAME", help="One model of the file.  [default: all]")
@click.option(
    "--class-directions",
    type=click.IntRange(1, 100),
    default=3,
    show_default=True,
    help="Null directions of each class.",
)
@click.option("--modes", type=click.IntRange(1, 1000), default=8, show_default=True, help="Null directions of a model.")
@click.option("--sizes", default="5", show_default=True, metavar="K,...", help="Numbers of concepts of a name.")
@click.option("--words", type=click.Path(path_type=Path), metavar="LIST", help="Concepts: a text file, one a line.")
@click.option(
    "--vocabulary",
    "vocabularies",
    multiple=True,
    metavar="FILE",
    help="Concepts as --concepts of a run names them. Repeatable.  [default: those of FILE, without a CLIP]",
)
@CLIP
def words(file: Path, sizes: str, **options: Any) -> None:
    """Say in words what the null space of each classifier can hold, and what it holds of the images of each class.

    \b
    sing-compute words results.h5
    sing-tui results.h5 --table null_directions --class shark
    """  # noqa: D301
    import shlex
    import sys

    from sing_compute.process.progress import Progress
    from sing_compute.questions.heads.concept_pool import read_sizes
    from sing_compute.questions.null_words.naming import NullWordsQuestion, name_null_directions
    from sing_compute.questions.null_words.sink import null_words_text
    from sing_compute.store import Store

    command = shlex.join(["sing-compute", *sys.argv[1:]])
    question = NullWordsQuestion(sizes=read_sizes(sizes), command=command, **options)
    models = name_null_directions(file, question, Progress())
    with Store(file) as store:
        show_text("\n\n".join(null_words_text(store, name) for name in models))
    show("", f"In {file}. Explore it: {shlex.join(['sing-tui', str(file)])}, and press I on a model or a class")


VERBS = (verify, concepts, image, steer, words, heads, directions, render, merge, compare, figures, report)
"""Commands that cli.py adds to `sing-compute`."""
