"""Define the command render: pictures of equivalent features."""

from pathlib import Path
from typing import Any

import click

from sing_compute.process.speaking import show, show_text

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("file", type=_PATH)
@click.option("--model", metavar="NAME", help="The model.  [default: the only one of FILE]")
@click.option("--images", multiple=True, metavar="KEY|ROW", help="An image to draw. Repeatable.  [default: see --top]")
@click.option("--class", "label", metavar="CLASS", help="Choose images of one class: name, index or WordNet id.")
@click.option(
    "--top", type=click.IntRange(1), default=8, show_default=True, help="Images to choose, the largest first."
)
@click.option(
    "--by",
    type=click.Choice(["as", "is"]),
    default="as",
    show_default=True,
    help="Choose by |AS| toward the class, or by IS.",
)
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="Most images of one call.")
@click.option(
    "--also",
    multiple=True,
    type=click.Choice(["centred", "random", "null", "principal", "counterfactual"]),
    help="Draw this change of the feature, too. Repeatable.",
)
@click.option("--steer", metavar="CLASS|CONCEPT|TEXT", help="Draw the feature steered toward this, too.")
@click.option(
    "--angle",
    type=click.FloatRange(0, 180, min_open=True, max_open=True),
    default=40.0,
    show_default=True,
    help="Image Score of --steer, in degrees.",
)
@click.option(
    "--decoder",
    metavar="DIR|ORG/REPO",
    help="Karlo or Stable unCLIP, as diffusers saves it.  [default: nearest images]",
)
@click.option(
    "--from-images", type=_PATH, metavar="DIR", help="Take pictures decoded elsewhere: DIR/KEY/KIND-SEED.png."
)
@click.option(
    "--export", type=_PATH, metavar="OUT", help="Write the embeddings (safetensors) to decode them elsewhere."
)
@click.option(
    "--photos",
    "photographs",
    type=_PATH,
    metavar="DIR",
    help="Where the images are.  [default: where the run had them]",
)
@click.option("--seeds", type=click.IntRange(1, 16), default=4, show_default=True, help="Pictures of each embedding.")
@click.option("--steps", type=click.IntRange(2, 1000), help="Steps of the diffusion.  [default: the decoder's own]")
@click.option("--batch", type=click.IntRange(1, 256), default=8, show_default=True, help="Pictures drawn at once.")
@click.option(
    "--memory",
    type=click.Choice(["normal", "low"]),
    default="normal",
    show_default=True,
    help="low: parts wait on the CPU, attention in slices.",
)
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, cuda:1, ...")
@click.option(
    "--norm",
    type=click.FloatRange(0, min_open=True),
    help="Length of the embeddings.  [default: that of the decoder's encoder on the photograph]",
)
@click.option("--clip", metavar="NAME", help="Where to find the file's CLIP.  [default: where its run had it]")
@click.option("--fresh", is_flag=True, help="Throw unfinished work of another command away.")
@click.option("--force", is_flag=True, help="Replace OUT of --export if it exists.")
def render(file: Path, **options: Any) -> None:
    """Draw T(f) and T(f~) of images, and say how far each pair of pictures can be believed.

    \b
    sing-compute render results.h5 --class shark --top 8 --decoder DIR
    sing-compute render results.h5 --images shark/0001.jpg --export embeddings.safetensors
    """  # noqa: D301 -- click reads the control character itself
    import shlex
    import sys

    from sing_compute.process.progress import Progress
    from sing_compute.questions.renders.question import RenderQuestion
    from sing_compute.questions.renders.rendering import export, render_and_add
    from sing_compute.questions.renders.sink import renders_text
    from sing_compute.store import Store

    question = RenderQuestion(command=shlex.join(["sing-compute", *sys.argv[1:]]), **options)
    if question.export is not None:
        count = export(file, question, Progress())
        show(f"{count:,} embedding{'s' if count > 1 else ''} in {question.export}")
        return
    model = render_and_add(file, question, Progress())
    with Store(file) as store:
        show_text(renders_text(store, model))
    place = ["sing-tui", str(file), "--table", "pairs", "--model", model]
    show("", f"In {file}. Explore it: {shlex.join(place)}, and press P")
