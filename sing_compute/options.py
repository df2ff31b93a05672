"""The options of sing-compute, in the order of its help."""

from collections.abc import Callable
from typing import Any

import click

_OPTIONS = (
    click.option(
        "--model",
        "models",
        multiple=True,
        metavar="[NAME=]SPEC",
        help="Classifier: a timm name, local-dir:FOLDER or hf-hub:ORG/REPO (timm, transformers), or module:factory. Repeatable.",
    ),
    click.option(
        "--weights",
        multiple=True,
        metavar="FILE",
        help="Checkpoint for each --model, in order; '-' for its own weights.",
    ),
    click.option(
        "--ema/--no-ema",
        "ema",
        default=None,
        help="Which weights of a --weights file that has both: averaged (EMA) or not.  [default: averaged, as timm]",
    ),
    click.option(
        "--preset",
        type=click.Choice(["paper"]),
        help="The classifiers of the SING paper, by timm's tags; in addition to --model.",
    ),
    click.option(
        "--head",
        "heads",
        multiple=True,
        metavar="FILE",
        help="Linear head (weight, bias) for each --model that is a backbone, in order; '-' for none. With --preset one more: "
        "the head of DINOv2-L first.",
    ),
    click.option(
        "--head-of",
        "heads_of",
        multiple=True,
        metavar="NAME",
        help="Layer that is the head of a network with several heads, for each --model, in order; '-' for none.",
    ),
    click.option(
        "--transform",
        "transforms",
        multiple=True,
        metavar="SETTINGS",
        help="Preprocessing by timm's names, size=224,crop=0.875,interpolation=bilinear,mean=0.5,std=0.5 or a part of it: one "
        "for all --model, or one for each in order; '-' for its own.",
    ),
    click.option(
        "--only",
        type=click.Choice(["features"]),
        help="Keep head, predictions and features of each model, and make no analysis; no CLIP is needed.",
    ),
    click.option(
        "--maps",
        is_flag=True,
        help="Also keep the last spatial map (or tokens) before the pooling of each network, of evenly spread images.",
    ),
    click.option(
        "--maps-grid",
        type=click.IntRange(1),
        metavar="N",
        help="Positions that are kept of a map: at most N x N, evenly spread.  [default: 7]",
    ),
    click.option("--maps-limit", metavar="SIZE", help="Most bytes of the maps of one model.  [default: 500MB]"),
    click.option(
        "--features",
        multiple=True,
        metavar="[NAME=]FILE",
        help="Features at a head's input, computed elsewhere (.npz or .safetensors of keys and features), in place of --model "
        "and its images; needs --head and stored embeddings. Repeatable.",
    ),
    click.option(
        "--item",
        metavar="NOUN[/PLURAL]",
        help="What --features are of, if not of images: sound, mouse/mice. Tables and the explorer say it.",
    ),
    click.option(
        "--probe", is_flag=True, help="Fit a linear head on the images' labels for each backbone without one."
    ),
    click.option(
        "--images",
        metavar="PATH",
        help="Folder with one subfolder per class, .csv of path,label[,group], tar shards ('t-{000..146}.tar'), or - for a list "
        "on standard input.  [default: Imagenette, downloaded]",
    ),
    click.option(
        "--labels", metavar="FILE", help="Label file of a flat --images folder, such as ImageNet's validation set."
    ),
    click.option(
        "--labels-from",
        type=click.IntRange(0, 1),
        metavar="0|1",
        help="Number of the first class, where labels are numbers that may count from 0 or from 1.",
    ),
    click.option(
        "--max-pixels",
        type=click.IntRange(1),
        metavar="N",
        help="Skip images of more pixels than this.  [default: 134,217,728, as 12,000 x 11,000]",
    ),
    click.option(
        "--max-resized-pixels",
        type=click.IntRange(1),
        metavar="N",
        help="Skip narrow images that resizing by the shorter side would make larger than this.  [default: 33,554,432]",
    ),
    click.option("--max-file-size", metavar="SIZE", help="Skip image files of more bytes.  [default: 1GB]"),
    click.option(
        "--class-names",
        metavar="FILE",
        help="Class names in logit order, one per line, if the model does not name them.",
    ),
    click.option(
        "--clip",
        metavar="ARCH/PRETRAINED",
        help="CLIP as open_clip names it, or local-dir:FOLDER.  [default: ViT-L-14/openai]",
    ),
    click.option(
        "--image-embeddings",
        metavar="FILE",
        help="Stored CLIP image embeddings (.npz of keys, embeddings) instead of --clip.",
    ),
    click.option("--concept-embeddings", metavar="FILE", help="Stored text embeddings of the concepts."),
    click.option(
        "--class-embeddings",
        metavar="FILE",
        help="Stored text embeddings of the classes.  [default: among the concepts]",
    ),
    click.option(
        "--concepts",
        multiple=True,
        metavar="FILE",
        help="Vocabulary: a file, or the built-in 'attributes' or 'words'. Repeatable.  [default: attributes]",
    ),
    click.option(
        "--template",
        "templates",
        multiple=True,
        metavar="TEXT",
        help="Class prompt with {}; several are averaged.  [default: 'an image of a {}']",
    ),
    click.option(
        "--lambda",
        "ridge",
        type=float,
        metavar="NUMBER",
        help="Ridge penalty of the translator.  [default: chosen out of fold]",
    ),
    click.option(
        "--translator",
        "translators",
        multiple=True,
        metavar="[CLIP=]FILE",
        help="Translator fitted elsewhere for each --model, in order, with its CLIP space if the file does not name it; "
        "'-' to fit one.",
    ),
    click.option(
        "--compare-translators",
        is_flag=True,
        help="Also fit the paper's MLPs and compare them on one held-out fold (Table 2).",
    ),
    click.option(
        "--invariance",
        type=click.Choice(["logits", "softmax"]),
        default="logits",
        show_default=True,
        help="The null space holds the directions that change no logit, or no probability.",
    ),
    click.option(
        "--null-space",
        default="numerical",
        show_default=True,
        metavar="RULE",
        help="Singular values that count as zero: numerical, or for an approximate null space tol=1e-2, energy=0.99.",
    ),
    click.option(
        "--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the controls' random draws."
    ),
    click.option(
        "-o",
        "--output",
        default="results.h5",
        show_default=True,
        metavar="FILE",
        help="Results file; models are added to an existing one.",
    ),
    click.option("--device", default="auto", show_default=True, help="cpu, cuda, cuda:1, ..."),
    click.option(
        "--precision",
        type=click.Choice(["auto", "float32", "tfloat32", "bfloat16", "float16"]),
        default="auto",
        show_default=True,
        help="Precision of the arithmetic in the networks. auto: the fastest that moves AS and IS by less than 0.05 degrees.",
    ),
    click.option(
        "--batch-size",
        type=click.IntRange(1, 256),
        metavar="N",
        help="Images that go through a network at once.  [default: found by a trial; halved if memory runs out]",
    ),
    click.option(
        "--workers",
        type=click.IntRange(0),
        metavar="N",
        help="Processes that decode images.  [default: by the number of cores]",
    ),
    click.option(
        "--dry-run", is_flag=True, help="Print what the run would need (images, time, memory, disk), and write nothing."
    ),
    click.option("--fresh", is_flag=True, help="Delete unfinished work and replace the results file."),
    click.option(
        "--demo",
        is_flag=True,
        help="Run on built-in drawings and small networks, one with a planted leak; writes demo.h5.",
    ),
    click.option("--debug", is_flag=True, help="Show the traceback of an error."),
)


def with_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command all options of `sing-compute`.

    Args:
        command: Is called with the options' values by their names.
    """
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
