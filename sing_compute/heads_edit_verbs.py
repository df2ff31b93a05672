"""Define the commands behind `heads` that change a CLIP and compare two of them: edit, effect and compare."""

from pathlib import Path
from typing import Any

import click

from sing_compute.errors import SingError


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
    click.echo(done.text())
    click.echo(f"\n{output} is written. Use it as --clip {shlex.quote(f'local-dir:{output}')}")


def _numbers(rule: str) -> list[float]:
    import math

    try:
        found = [float(part) for part in rule.split(",")]
    except ValueError:
        found = []
    if len(found) != 5 or not all(map(math.isfinite, found)):
        raise SingError(f"--rule {rule!r}: five numbers, the factors of the judgements 1 to 5, such as 1,1,0,0,0")
    return found


EDITING = (edit,)
"""Commands that heads_verbs.py puts behind `heads`."""
