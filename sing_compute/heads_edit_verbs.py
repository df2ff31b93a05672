"""Define the commands behind `heads` that change a CLIP and compare two of them: edit, effect and compare."""

from pathlib import Path
from typing import Any

import click

from sing_compute.atomic_write import refusal
from sing_compute.errors import SingError
from sing_compute.process.speaking import show, show_text


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), metavar="OUT", help="Folder to write.")
@click.option(
    "--suppress",
    multiple=True,
    metavar="WHAT[=FACTOR]",
    help="Turn vectors down: a concept, several with commas, @FILE with one a line, LAYER/HEAD/VECTOR or LAYER/HEAD. "
    "Repeatable.  [factor: 0]",
)
@click.option("--amplify", multiple=True, metavar="WHAT[=FACTOR]", help="Turn vectors up.  [factor: 2]")
@click.option(
    "--share", type=float, default=0.45, show_default=True, help="Share of a pole that the concepts must exceed."
)
@click.option("--task", metavar="WORDS", help="Factors by relevance to words, with commas, or @FILE.")
@click.option(
    "--scores", type=click.Path(path_type=Path), metavar="FILE", help="Judgements 1 to 5, one a line for each vector."
)
@click.option("--rule", metavar="F1,...,F5", help="Factors of the judgements 1 to 5.  [default: 1,1,0,0,0]")
@click.option("--layers", metavar="LAYERS", help="Layers to change: -3:, 8,9 or all.  [default: all that are named]")
@click.option(
    "--size", type=int, metavar="K", help="Number of concepts of the names to go by.  [default: the smallest]"
)
@click.option("--tower", metavar="NAME", help="Tower of FILE, if it holds several.")
@click.option("--clip", metavar="NAME", help="Where to find its CLIP.  [default: where its run had it]")
@click.option("--fresh", is_flag=True, help="Replace OUT if an earlier edit wrote it.")
def edit(file: Path, output: Path, rule: str | None, **options: Any) -> None:
    """Turn singular values of attention heads up or down, and write the CLIP with them as a folder that open_clip loads.

    \b
    sing-compute heads edit towers.h5 -o edited --suppress grey,sky,grass,sand
    sing-compute heads edit towers.h5 -o edited --suppress 2/0/5 --amplify "striped=1.5"
    sing-compute heads -o edited.h5 --clip local-dir:edited
    """  # noqa: D301
    import shlex
    import sys

    from sing_compute.process.progress import Progress
    from sing_compute.questions.heads.editing import EditQuestion, edit_heads

    factors = None if rule is None else _numbers(rule)
    command = shlex.join(["sing-compute", *sys.argv[1:]])
    done = edit_heads(file, output, EditQuestion(rule=factors, command=command, **options), Progress())
    show_text(done.text())
    show("", f"{output} is written. Use it as --clip {shlex.quote(f'local-dir:{output}')}")


@click.command()
@click.argument("before")
@click.argument("after")
@click.option("--images", required=True, type=click.Path(path_type=Path), metavar="PATH", help="Images with classes.")
@click.option("--labels", metavar="FILE[:COLUMN]", help="Their classes, if not by folder.")
@click.option("--groups", metavar="FILE[:COLUMN]", help="A second label; groups are classes with it.")
@click.option(
    "--template",
    "templates",
    multiple=True,
    metavar="TEXT",
    help="Text of a class, with {} for its name. Repeatable.  [default: a photo of a {}]",
)
@click.option(
    "--prompts", type=click.Path(path_type=Path), metavar="FILE", help="Texts of classes: lines CLASS, tab, TEXT."
)
@click.option(
    "--column",
    "columns",
    multiple=True,
    metavar="FILE:COLUMN[=TEXT]",
    help="Other labels to measure, with their template. Repeatable.",
)
@click.option("--draws", type=int, default=5, show_default=True, help="Draws of random vectors; 0: no comparison.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the draws.")
@click.option("--device", default="auto", show_default=True, help="Where images are embedded.")
@click.option("--csv", "table", type=click.Path(path_type=Path), metavar="OUT", help="Write every accuracy.")
@click.option("--force", is_flag=True, help="Replace OUT if it exists.")
def effect(before: str, after: str, table: Path | None, force: bool, **options: Any) -> None:
    """Measure zero-shot accuracy and the worst group before and after an edit, beside random vectors and whole heads.

    \b
    sing-compute heads effect results.h5 local-dir:edited --images photos/ --groups places.csv
    """  # noqa: D301
    _refuse_existing(table, force=force)
    from sing_compute.process.progress import Progress
    from sing_compute.questions.heads.comparison_tables import effect_text, write_effect
    from sing_compute.questions.heads.effect import EffectQuestion, edit_effect

    found = edit_effect(before, after, EffectQuestion(**options), Progress())
    show_text(effect_text(found))
    if table is not None:
        show(f"{write_effect(table, found):,} rows in {table}", err=True)


@click.command()
@click.argument("a")
@click.argument("b")
@click.option("--words", type=click.Path(path_type=Path), metavar="LIST", help="Concepts: a text file, one a line.")
@click.option("--vocabulary", "vocabularies", multiple=True, metavar="FILE", help="Concepts, as for heads. Repeatable.")
@click.option("--mean", metavar="FILE|none", help="Image mean, as for heads.  [default: what A says, else none]")
@click.option("--images", type=click.Path(path_type=Path), metavar="PATH", help="Images to take the image mean of.")
@click.option("--layers", default="all", show_default=True, help="Layers to compare: -4:, 8,9, 0:3 or all.")
@click.option("--size", type=int, default=5, show_default=True, metavar="K", help="Concepts of a new direction.")
@click.option("--new", type=int, default=3, show_default=True, help="New directions of each head.")
@click.option("--device", default="auto", show_default=True, help="Where texts and images are embedded.")
@click.option("--csv", "table", type=click.Path(path_type=Path), metavar="OUT", help="Write every vector.")
@click.option("--force", is_flag=True, help="Replace OUT if it exists.")
def compare(a: str, b: str, table: Path | None, force: bool, **options: Any) -> None:
    """Compare the heads of two CLIPs: how B scales and turns the vectors of A, and in words what else it writes.

    A and B are names of CLIPs, or results files whose CLIP is meant. The concepts and the image mean of A name what is new.

    \b
    sing-compute heads compare results.h5 local-dir:finetuned
    """  # noqa: D301
    _refuse_existing(table, force=force)
    from sing_compute.process.progress import Progress
    from sing_compute.questions.heads.comparing import ComparisonQuestion, compare_towers
    from sing_compute.questions.heads.comparison_tables import comparison_text, write_comparison

    found = compare_towers(a, b, ComparisonQuestion(**options), Progress())
    show_text(comparison_text(found))
    if table is not None:
        show(f"{write_comparison(table, found):,} rows in {table}", err=True)


def _refuse_existing(path: Path | None, *, force: bool) -> None:
    if path is not None and (problem := refusal(path, force=force)):
        raise SingError(problem)


def _numbers(rule: str) -> list[float]:
    import math

    try:
        found = [float(part) for part in rule.split(",")]
    except ValueError:
        found = []
    if len(found) != 5 or not all(map(math.isfinite, found)):
        raise SingError(f"--rule {rule!r}: five numbers, the factors of the judgements 1 to 5, such as 1,1,0,0,0")
    return found


EDITING = (edit, effect, compare)
"""Commands that heads_verbs.py puts behind `heads`."""
