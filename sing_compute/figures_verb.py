"""Define the command figures: the figures of a paper from a results file."""

from pathlib import Path
from typing import Any

import click

from sing_compute.errors import SingError
from sing_compute.process.speaking import show


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), metavar="DIR", help="Folder to write to."
)
@click.option("--only", multiple=True, metavar="NAME", help="Figures of this name alone. Repeatable.")
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="NAME",
    help="Figures of this model. Repeatable.  [default: the one of largest |AS| over its control]",
)
@click.option(
    "--class",
    "classes",
    multiple=True,
    metavar="CLASS",
    help="Figures of this class: name, index or WordNet id. Repeatable.  [default: those that leak most]",
)
@click.option(
    "--steering",
    type=click.Path(path_type=Path),
    metavar="CSV",
    help="Draw the matrix of `steer --matrix CSV`.  [default: the steering in FILE]",
)
@click.option("--force", is_flag=True, help="Replace files of these names in DIR.")
def figures(
    file: Path, output: Path, only: tuple[str, ...], models: tuple[str, ...], classes: tuple[str, ...], **options: Any
) -> None:  # fmt: skip
    """Draw the figures of a paper: PDF and PNG for a column and a page, their numbers as CSV, tables as LaTeX.

    \b
    sing-compute figures results.h5 -o figures
    sing-compute figures results.h5 -o figures --only violins --only strings --model resnet50 --class shark
    """  # noqa: D301
    from sing_compute.figures import require_matplotlib

    require_matplotlib()
    from sing_compute.figures.choosing import Choice
    from sing_compute.figures.contents import KINDS, Absent, by_reason
    from sing_compute.figures.contents import figures as figures_of
    from sing_compute.figures.saving import save
    from sing_compute.store import Store

    known = [kind.name for kind in KINDS]
    for name in only:
        if name not in known:
            raise SingError(f"no figure {name!r}; there are: {', '.join(known)}")
    with Store(file) as store:
        found, absent = [], []
        for each in figures_of(store, Choice(models, classes, options["steering"]), only):
            if isinstance(each, Absent):
                absent.append((each.name, each.reason))
            else:
                found.append(each)
        if found:
            names = save(
                found, output, replace=options["force"], report=lambda figure: show(f"{figure.name}: {figure.title}")
            )
        for missing, reason in by_reason(absent):
            show(f"no figure {missing}: {reason}")
        if not found:
            raise SingError(f"{file} holds none of these figures; the lines above say why")
    show(f"{len(found)} figure{'s' if found[1:] else ''} in {output}, {len(names)} files")
