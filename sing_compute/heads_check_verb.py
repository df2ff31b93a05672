"""Define `sing-compute heads check`."""

from pathlib import Path
from typing import Any

import click

from sing_compute.process.speaking import show, show_text


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--images", type=click.Path(path_type=Path), required=True, metavar="PATH", help="Images to check on.")
@click.option(
    "--texts", type=click.Path(path_type=Path), metavar="LIST", help="Attributes, one a line: shape: circle, square."
)
@click.option(
    "--labels", multiple=True, metavar="ATTRIBUTE=FILE", help="True texts of an attribute, a label file. Repeatable."
)
@click.option("--layers", metavar="LAYERS", help="Layers to check: -2:, 8,9 or 0:3.  [default: all that have names]")
@click.option("--vectors", type=int, metavar="N", help="Vectors of each head, the strongest.  [default: all]")
@click.option("--sample", type=int, default=256, show_default=True, metavar="N", help="Most images to check on.")
@click.option("--tower", metavar="NAME", help="The tower, if FILE holds several.")
@click.option("--clip", metavar="NAME", help="Where to find its CLIP.  [default: where its command had it]")
@click.option("--device", default="auto", show_default=True, help="Where the tower runs.")
@click.option("--fresh", is_flag=True, help="Delete unfinished work of another command.")
def check(file: Path, **options: Any) -> None:
    """Check if the names of a tower are true: each vector is set to zero, and its effect on images is measured.

    \b
    sing-compute heads check results.h5 --images photos/
    sing-compute heads check results.h5 --images photos/ --texts attributes.txt --layers -1
    """  # noqa: D301
    import shlex
    import sys

    from sing_compute.process.progress import Progress
    from sing_compute.questions.heads.cause_sink import causes_text
    from sing_compute.questions.heads.checking import CheckQuestion, check_heads
    from sing_compute.store import Store

    command = shlex.join(["sing-compute", *sys.argv[1:]])
    name = check_heads(file, CheckQuestion(command=command, **options), Progress())
    with Store(file) as store:
        show_text(causes_text(store, name))
    show("", f"Explore it: {shlex.join(['sing-tui', str(file), '--table', 'layers', '--at', f'tower={name}'])}")
