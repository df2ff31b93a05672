"""Define `sing-compute heads` and the commands behind it."""

from pathlib import Path
from typing import Any

import click

from sing_compute.atomic_write import refusal
from sing_compute.errors import SingError
from sing_compute.heads_check_verb import check
from sing_compute.heads_edit_verbs import EDITING
from sing_compute.process.speaking import show, show_text


class CommandByFirstWord(click.Group):
    """A command that others stand behind: its first word says which one is meant; another first word is its own argument."""

    own: click.Command

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Return the context of the command behind this one that the first word names, else that of its own command."""
        if args and args[0] in self.commands:
            return super().make_context(info_name, args, parent, **extra)
        self.own.epilog = f"Commands behind it, each with --help: heads {', heads '.join(sorted(self.commands))}."
        return self.own.make_context(info_name, args, parent, **extra)


heads = CommandByFirstWord(
    "heads", short_help="Say in words what the attention heads of a CLIP image tower write (SITH); no image is needed."
)
for _verb in (check, *EDITING):
    heads.add_command(_verb)


@click.command()
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="NEW", help="Start a file with a tower alone.")
@click.option("--clip", metavar="NAME", help="The CLIP, as in a run.  [default: that of FILE]")
@click.option("--layers", default="-4:", show_default=True, help="Layers to name: -4:, 8,9, 0:3 or all.")
@click.option(
    "--side",
    type=click.Choice(["right", "left"]),
    default="right",
    show_default=True,
    help="right: what heads write; left: what they read, as a tower of its own.",
)
@click.option("--sizes", default="5", show_default=True, metavar="K,...", help="Numbers of concepts of a name.")
@click.option("--coherence", type=float, default=0.3, show_default=True, help="COMP's lambda.")
@click.option("--words", type=click.Path(path_type=Path), metavar="LIST", help="Concepts: a text file, one a line.")
@click.option(
    "--vocabulary",
    "vocabularies",
    multiple=True,
    metavar="FILE",
    help="Concepts as --concepts of a run names them. Repeatable.  [default: those of FILE]",
)
@click.option(
    "--mean",
    metavar="FILE|none",
    help="Image mean: .pt, .npy, .safetensors, or a results file.  [default: what FILE says]",
)
@click.option("--images", type=click.Path(path_type=Path), metavar="PATH", help="Images to take the image mean of.")
@click.option("--name", metavar="NAME", help="Name of the tower.  [default: that of its CLIP]")
@click.option("--device", default="auto", show_default=True, help="Where texts and images are embedded.")
@click.option("--fresh", is_flag=True, help="Replace a tower of this name, or with -o the file.")
def name(file: Path | None, output: Path | None, sizes: str, **options: Any) -> None:
    """Say in words what the attention heads of a CLIP image tower write (SITH); no image is needed.

    \b
    sing-compute heads results.h5 --layers -4:
    sing-compute heads -o towers.h5 --clip ViT-B-32/laion2b_s34b_b79k --words words.txt --mean mean.pt
    """  # noqa: D301
    import shlex
    import sys

    if (file is None) == (output is None):
        raise SingError("heads needs the results file to add to, or -o NEW and --clip NAME to start one")
    try:
        wanted = [int(size) for size in sizes.split(",")]
    except ValueError:
        raise SingError(f"--sizes {sizes!r}: write numbers of concepts, such as 5 or 5,10,20") from None
    from sing_compute.process.progress import Progress
    from sing_compute.questions.heads.naming import HeadsQuestion, name_heads
    from sing_compute.questions.heads.tower_sink import heads_text
    from sing_compute.store import Store

    target = file or output or Path()
    command = shlex.join(["sing-compute", *sys.argv[1:]])
    question = HeadsQuestion(sizes=wanted, command=command, **options)
    name = name_heads(target, question, Progress(), new=file is None)
    with Store(target) as store:
        show_text(heads_text(store, name))
    show(
        "",
        f"The tower {name!r} is in {target}. Explore it: {shlex.join(['sing-tui', str(target), '--table', 'towers'])}",
    )


heads.own = name


@heads.command("import")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE.pt|FOLDER...")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), metavar="NEW", help="The new file.")
@click.option("--clip", required=True, metavar="NAME", help="The CLIP that was decomposed, as in a run.")
@click.option(
    "--words",
    required=True,
    type=click.Path(path_type=Path),
    metavar="LIST",
    help="The dictionary: a text file, one concept a line.",
)
@click.option(
    "--embeddings",
    type=click.Path(path_type=Path),
    metavar="FILE.pt",
    help="Embeddings of the dictionary.  [default: its lines are embedded]",
)
@click.option("--mean", required=True, metavar="FILE|none", help="Image mean, as for heads.")
@click.option("--name", metavar="NAME", help="Name of the tower.")
@click.option("--device", default="auto", show_default=True, help="Where texts are embedded.")
@click.option("--fresh", is_flag=True, help="Replace the file if it exists.")
def take_over(paths: tuple[Path, ...], output: Path, embeddings: Path | None, **options: Any) -> None:
    """Take over decompositions that the authors' code has written, into a results file.

    \b
    sing-compute heads import decompositions/ -o official.h5 --clip ViT-L-14/laion2b_s32b_b82k \\
        --words conceptnet.txt --mean image_mean.pt
    """  # noqa: D301
    import shlex
    import sys

    from sing_compute.process.progress import Progress
    from sing_compute.questions.heads.naming import HeadsQuestion
    from sing_compute.questions.heads.taking_over import take_over as take
    from sing_compute.questions.heads.tower_sink import heads_text
    from sing_compute.store import Store

    question = HeadsQuestion(command=shlex.join(["sing-compute", *sys.argv[1:]]), **options)
    name = take(paths, output, question, Progress(), embeddings=embeddings)
    with Store(output) as store:
        show_text(heads_text(store, name))
    show("", f"The tower {name!r} is in {output}; merge adds it to another results file.")


@heads.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), metavar="OUT.json", help="The new file."
)
@click.option("--tower", metavar="NAME", help="One tower of the file.  [default: its only one with right vectors]")
@click.option("--vectors", type=click.IntRange(1), default=5, show_default=True, help="Vectors of each head.")
@click.option("--force", is_flag=True, help="Replace OUT if it exists.")
def explanations(file: Path, output: Path, tower: str | None, vectors: int, force: bool) -> None:
    """Write names as the explanations.json of the authors' project page.

    \b
    sing-compute heads explanations results.h5 -o explanations.json
    """  # noqa: D301
    from sing_compute.questions.heads.explanations import write_explanations
    from sing_compute.store import Store

    if problem := refusal(output, force=force):
        raise SingError(problem)
    with Store(file) as store:
        right = [each for each in store.members("tower") if store.attributes(f"towers/{each}").get("vectors") != "left"]
        if tower is None and len(right) != 1:
            raise SingError(f"{file} has {len(right)} towers with right vectors: name one with --tower")
        count = write_explanations(store, tower or right[0], output, vectors=vectors)
    show(f"{count:,} heads in {output}")
