"""Measure from Python: `measure` takes features and a head as values; the plan and its run are those of the command."""

from __future__ import annotations  # a notebook shows a signature as it is written here

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from sing_compute.frames import Results
from sing_compute.models.spec import ModelSpec
from sing_compute.models.stored_features import StoredFeatures
from sing_compute.pipeline.plan import Plan, make_plan
from sing_compute.process.borrowed_process import leaving_no_trace
from sing_compute.python_run import results_of
from sing_compute.python_values import (
    Array,
    Head,
    Vectors,
    array_of,
    embeddings_of,
    head_values,
    keys_of,
    labels_of,
    predicted_labels,
)


@leaving_no_trace()
def measure(
    *,
    features: Array,
    head: Head,
    embeddings: Array,
    concepts: Vectors,
    labels: Sequence[int] | Sequence[str] | Array | None = None,
    labels_from: Literal[0, 1] | None = None,
    class_names: Sequence[str] | None = None,
    class_embeddings: Vectors | None = None,
    keys: Sequence[str] | None = None,
    name: str = "model",
    tag: str = "",
    item: str | None = None,
    lambda_: float | None = None,
    translator: str | Path | None = None,
    compare_translators: bool = False,
    invariance: Literal["logits", "softmax"] = "logits",
    null_space: str = "numerical",
    seed: int = 0,
    device: str = "auto",
    output: str | Path | None = None,
    fresh: bool = False,
    progress: bool = True,
) -> Results:
    """Measure what a linear head ignores, from features that you have: no image and no network is needed.

    This is `sing-compute --features` with values in the place of files (SING, arXiv:2603.14610; docs/method.md): every
    dataset of the results file is the same bit for bit. Arrays may be numpy's or torch's, on any device. Row i of `features`,
    `embeddings`, `labels` and `keys` is about one image.

    Args:
        features: (n, d) floating point: what reaches the head for each of n images (or sounds, sentences: `item`).
        head: Weight (k, d) and bias (k) of the head, None for no bias; or the `torch.nn.Linear`. k is the number of classes.
        embeddings: (n, e): embedding of each image in the CLIP space; rows need not have unit length.
        concepts: The vocabulary in the same space: a mapping of name to vector (e), or (names, matrix (m, e)).
        labels: True class of each image, as a class name or as position among the logits. None: the class that the head
            predicts; the accuracy then means nothing, and the results say so.
        labels_from: Number of the first class, where labels are numbers that may count from 0 or from 1.
        class_names: Names of the k classes in logit order. None: those of `class_embeddings` if there are k, or ImageNet's.
        class_embeddings: Text embedding of each class, in a form of `concepts`. None: classes are looked up among the concepts.
        keys: A unique text for each image: its key in the tables. Keys decide the folds. None: positions, with leading zeros.
        name: Name of the model in the results.
        tag: Name of the CLIP that made the embeddings, such as `ViT-B-32/openai`.
        item: Noun for the rows if they are no images: `sound`, or `mouse/mice` with its plural. Tables and the explorer say it.
        lambda_: Ridge penalty of the translator. None: chosen out of fold.
        translator: File of a translator that was fitted elsewhere, `[CLIP=]FILE`.
        compare_translators: Also fit the paper's MLPs and compare them (Table 2).
        invariance: The null space holds the directions that change no logit, or no probability.
        null_space: Singular values that count as zero: `numerical`, `tol=1e-2`, `energy=0.99`.
        seed: Seed of the controls' random draws.
        device: `cpu`, `cuda`, `cuda:1`; `auto` takes a GPU if there is one.
        output: Results file; the model is added to an existing one. None: a temporary file, which is deleted when the results are
            closed or no longer used (`Results.save` keeps it).
        fresh: Replace the results file.
        progress: Show how far the work is: in a notebook by one line that is rewritten. False: show nothing.

    Returns:
        The open results: tables as DataFrames, angles in degrees.

    Raises:
        SingError: The values do not go together; one line says which, and what to do.
        KeyboardInterrupt: The work was interrupted; an old results file is unchanged.

    Example:
        >>> results = sing_compute.measure(features=f, head=(W, b), embeddings=z, labels=y, class_names=names, concepts=words)
        >>> results.models, results.concepts("cat")
    """
    values, linear = array_of(features, "features"), head_values(head)
    known = keys_of(keys, len(values))
    note = ""
    if labels is None:
        texts, note = predicted_labels(values, linear)
        labels_from = 0
    else:
        texts = labels_of(labels)
    images, words = array_of(embeddings, "embeddings"), embeddings_of(concepts, "concepts", tag)
    prompts = None if class_embeddings is None else embeddings_of(class_embeddings, "class_embeddings", tag)
    if class_names is None and prompts is not None and len(prompts.keys) == len(linear.weight):
        class_names = prompts.keys
    stored = StoredFeatures.of(known, values, texts)
    spatial = embeddings_of((known, images), "embeddings", tag)

    def plan(target: str) -> Plan:
        return make_plan(
            models=(),
            weights=(),
            heads=[linear],
            features=[ModelSpec(name, "features: in memory", features=stored, note=note)],
            images=None,
            labels_from=labels_from,
            output=target,
            clip=None,
            image_embeddings=spatial,
            concept_embeddings=words,
            class_embeddings=prompts,
            class_names=None if class_names is None else tuple(map(str, class_names)),
            concepts=(),
            templates=(),
            ridge=lambda_,
            translators=[] if translator is None else [str(translator)],
            compare_translators=compare_translators,
            invariance=invariance,
            null_space=null_space,
            seed=seed,
            device=device,
            fresh=fresh,
            item=item,
            command="sing_compute.measure(...)",
        )

    return results_of(plan, output, progress=progress)
