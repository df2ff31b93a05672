"""Define the command report: one page of HTML from a results file."""

from pathlib import Path

import click

from sing_compute.process.speaking import show


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), metavar="PAGE", help="The page to write, .html."
)
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="NAME",
    help="Describe this model in full. Repeatable.  [default: all of up to 3, else the one of largest |AS| over its control]",
)
@click.option("--force", is_flag=True, help="Replace PAGE if it exists.")
def report(file: Path, output: Path, models: tuple[str, ...], force: bool) -> None:
    """Write a report: one page of HTML with the answers, figures, tables, method and provenance of a results file.

    The page needs no network and no other file. It can be read on a phone, printed, and passed on.

    \b
    sing-compute report results.h5 -o report.html
    """  # noqa: D301
    from sing_compute.report import require_extra

    require_extra()
    from sing_compute.report.page import write_report
    from sing_compute.store import Store

    with Store(file) as store:
        size = write_report(store, output, models, replace=force)
    show(f"{output} is written: {size / 1e6:.1f} MB")
