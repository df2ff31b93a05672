"""Define the command directions: direction pairs of a classifier, found without labels."""

from pathlib import Path
from typing import Any

import click

from sing_compute.errors import SingError
from sing_compute.process.speaking import show, show_text


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--model", metavar="NAME", help="The model.  [default: the only one of FILE]")
@click.option(
    "--count",
    metavar="N",
    default="auto",
    show_default=True,
    help="Number of directions; auto: the number of which most are found again.",
)
@click.option("--maps", is_flag=True, help="Look at the spatial maps of a run with --maps, not at pooled features.")
@click.option(
    "--class", "label", metavar="CLASS", help="Look at the images of one class alone: name, index or WordNet id."
)
@click.option("--restarts", type=click.IntRange(2), default=8, show_default=True, help="Starts of each search.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of starts, batches and draws.")
@click.option("--size", type=click.IntRange(1, 200), default=5, show_default=True, help="Concepts of a name.")
@click.option("--words", type=click.Path(path_type=Path), metavar="LIST", help="Concepts: a text file, one a line.")
@click.option(
    "--vocabulary",
    "vocabularies",
    multiple=True,
    metavar="FILE",
    help="Concepts as --concepts of a run names them. Repeatable.  [default: those of FILE, without a CLIP]",
)
@click.option("--clip", metavar="NAME", help="Where to find the file's CLIP, for --words and --vocabulary.")
@click.option(
    "--labels",
    type=click.Path(path_type=Path),
    metavar="TABLE",
    help="Known concepts of the images: CSV with a column path and columns of concepts.",
)
@click.option(
    "--masks",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="With --maps: where known concepts are, as FOLDER/CONCEPT/KEY.png, white where the concept is.",
)
@click.option(
    "--step", type=float, metavar="K", help="Correct by the paper's rule, too, with a step of K feature units."
)
@click.option("--rivals", is_flag=True, help="Other methods, too: PCA, NMF, ICA, k-means, autoencoders, Pattern-CAV.")
@click.option(
    "--sigmoid", is_flag=True, help="The classes do not exclude each other: each logit is of a probability of its own."
)
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, cuda:1, ...")
@click.option("--fresh", is_flag=True, help="Delete unfinished work.")
def directions(file: Path, count: str, **options: Any) -> None:
    """Find direction pairs in a classifier's features without labels, name them, and say what the head reads of them.

    \b
    sing-compute directions results.h5 --model resnet50 --count 20
    sing-tui results.h5 --table directions --model resnet50
    """  # noqa: D301
    import shlex
    import sys

    from sing_compute.process.progress import Progress
    from sing_compute.questions.directions.finding import find_and_add
    from sing_compute.questions.directions.question import AUTO, DirectionsQuestion
    from sing_compute.questions.directions.sink import directions_text
    from sing_compute.store import Store

    if count != AUTO and (not count.isdecimal() or not int(count)):
        raise SingError(f"--count {count!r}: a number of directions, or auto")
    command = shlex.join(["sing-compute", *sys.argv[1:]])
    number = None if count == AUTO else int(count)
    model = find_and_add(file, DirectionsQuestion(count=number, command=command, **options), Progress())
    with Store(file) as store:
        show_text(directions_text(store, model))
    place = ["sing-tui", str(file), "--table", "directions", "--model", model]
    show("", f"In {file}. Explore it: {shlex.join(place)}")
