"""Measure from Python: `run` takes a network and images as values; the plan and its run are those of the command."""

from __future__ import annotations  # a notebook shows a signature as it is written here

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from torch import nn
from torch.utils.data import Dataset

from sing_compute.errors import SingError
from sing_compute.frames import Results
from sing_compute.pipeline.plan import Plan, make_plan
from sing_compute.process.borrowed_process import leaving_no_trace
from sing_compute.python_run import results_of
from sing_compute.python_values import (
    Array,
    Head,
    Vectors,
    head_values,
    image_source,
    model_of,
    source_of,
    vocabularies_of,
)


@leaving_no_trace()
def run(
    model: nn.Module | str | Mapping[str, nn.Module | str],
    images: Dataset[Any] | str | Path,
    *,
    transform: Callable[[Any], Any] | None = None,
    weights: str | Path | None = None,
    ema: bool | None = None,
    head: Head | str | Path | None = None,
    head_of: str | None = None,
    probe: bool = False,
    labels: Sequence[int] | Sequence[str] | Array | str | Path | None = None,
    labels_from: Literal[0, 1] | None = None,
    keys: Sequence[str] | None = None,
    class_names: Sequence[str] | str | Path | None = None,
    max_pixels: int | None = None,
    max_resized_pixels: int | None = None,
    max_file_size: str | int | None = None,
    clip: str | None = None,
    image_embeddings: Vectors | str | Path | None = None,
    concept_embeddings: Vectors | str | Path | None = None,
    class_embeddings: Vectors | str | Path | None = None,
    concepts: str | Path | Sequence[str] = (),
    template: str | Sequence[str] = (),
    lambda_: float | None = None,
    translator: str | Path | None = None,
    compare_translators: bool = False,
    invariance: Literal["logits", "softmax"] = "logits",
    null_space: str = "numerical",
    seed: int = 0,
    device: str = "auto",
    precision: Literal["auto", "float32", "tfloat32", "bfloat16", "float16"] = "auto",
    batch_size: int | None = None,
    workers: int | None = None,
    only: Literal["features"] | None = None,
    maps: bool = False,
    maps_grid: int | None = None,
    maps_limit: str | None = None,
    output: str | Path | None = None,
    fresh: bool = False,
    progress: bool = True,
) -> Results:
    """Measure what a network's head ignores on images: `sing-compute` with your network and data set in the place of names.

    A copy of a network in memory is measured, in evaluation mode. Options: `sing-compute --help`, docs/inputs.md.

    Args:
        model: A `torch.nn.Module` that gives logits (n, k); a timm name, `local-dir:FOLDER` or `module:factory`; or a mapping of
            names in the results to such models, which share one pass over the images.
        images: A folder or any other source of `--images`; or a torch Dataset, whose items are pairs (image, label) of a PIL
            image, encoded bytes, a path or a uint8 array (height, width, 3), and a class name or number. Numbers of a data set
            with `classes` are in its own order, so its names are matched with those of the network.
        transform: Makes a tensor (channel, height, width) of a PIL image, for a module. None: its own `transform`, or timm's.
        weights: Checkpoint file for a model that is given by name.
        ema: True for the averaged weights of the checkpoint, False for the others.
        head: Linear head for a backbone without one: its values as in `measure`, or a file.
        head_of: Name of the head that counts, of a network with several (a distilled DeiT).
        probe: Fit a head on the labels of the images for a timm backbone without one.
        labels: Label file of a flat folder; for a Dataset one label for each item in the place of its own.
        labels_from: Number of the first class, where labels are numbers that may count from 0 or from 1.
        keys: A unique text for each item of a Dataset. None: its path below the data set's folder, or its position.
        class_names: Names of the k classes in logit order, or their file. None: the network's, ImageNet's, the Dataset's.
        max_pixels: Skip images of more pixels than this. None: 134,217,728, as 12,000 x 11,000.
        max_resized_pixels: Skip narrow images that resizing by the shorter side would make larger than this. None: 33,554,432.
        max_file_size: Skip image files of more bytes, such as `500MB`. None: 1GB.
        clip: CLIP as open_clip names it, or `local-dir:FOLDER`. None: `ViT-L-14/openai`, the paper's.
        image_embeddings: CLIP embeddings by image key instead of `clip`: a mapping, (keys, matrix (n, e)), or a file.
        concept_embeddings: Embeddings of the concepts in the same space.
        class_embeddings: Embeddings of the classes. None: among those of the concepts.
        concepts: A list of concepts, or a vocabulary: a file, `attributes` (default) or `words`.
        template: Class prompts with {}; several are averaged.
        lambda_: Ridge penalty of the translator. None: chosen out of fold.
        translator: File of a translator that was fitted elsewhere, `[CLIP=]FILE`, for one model.
        compare_translators: Also fit the paper's MLPs and compare them (Table 2).
        invariance: The null space holds the directions that change no logit, or no probability.
        null_space: Singular values that count as zero: `numerical`, `tol=1e-2`, `energy=0.99`.
        seed: Seed of the controls' random draws.
        device: `cpu`, `cuda`, `cuda:1`, or `auto`.
        precision: Arithmetic in the networks; `auto` is the fastest that moves AS and IS by less than 0.05 degrees.
        batch_size: Images that go through a network at once. None: found by a trial.
        workers: Processes that decode images; 0 decodes in this one. None: by the number of cores.
        only: `features` keeps head, predictions and features, and makes no analysis.
        maps: Also keep the last spatial map before the pooling.
        maps_grid: At most N x N positions of a map.
        maps_limit: Most bytes of the maps of one model, such as `500MB`.
        output: Results file; models are added to an existing one. None: a temporary file, which is deleted when the results are
            closed or no longer used (`Results.save` keeps it).
        fresh: Replace the results file.
        progress: Show how far the work is: in a notebook by one line that is rewritten. False: show nothing.

    Returns:
        The open results.

    Raises:
        SingError: The inputs do not go together, or cannot be read; one line says which, and what to do.
        KeyboardInterrupt: The work was interrupted. If models and images have names, the same call with its `output` goes on
            where it was.

    Example:
        >>> results = sing_compute.run(net, torchvision.datasets.ImageFolder("photos"), clip="ViT-B-32/openai")
        >>> results.classes()
    """
    models = dict(model) if isinstance(model, Mapping) else {"": model}
    if len(models) > 1 and any(value is not None for value in (weights, head, head_of, translator)):
        raise SingError(
            "weights, head, head_of, translator are of one model: run the models one by one into one output"
        )
    specs = [model_of(name, each, transform) for name, each in models.items()]
    listed, label_file = image_source(images, labels, keys)
    given = str(head) if isinstance(head, str | Path) else None if head is None else head_values(head)
    if isinstance(class_names, str | Path) or class_names is None:
        names: str | tuple[str, ...] | None = None if class_names is None else str(class_names)
    else:
        names = tuple(map(str, class_names))
    of_images = source_of(image_embeddings, "image_embeddings")
    of_concepts = source_of(concept_embeddings, "concepts")
    of_classes = source_of(class_embeddings, "class_embeddings")

    def plan(target: str) -> Plan:
        return make_plan(
            models=specs,
            weights=[] if weights is None else [str(weights)],
            ema=ema,
            heads=[] if given is None else [given],
            heads_of=[] if head_of is None else [head_of],
            probe=probe,
            images=listed,
            labels=label_file,
            labels_from=labels_from,
            max_pixels=max_pixels,
            max_resized_pixels=max_resized_pixels,
            max_file_size=max_file_size,
            output=target,
            clip=clip,
            image_embeddings=of_images,
            concept_embeddings=of_concepts,
            class_embeddings=of_classes,
            class_names=names,
            concepts=vocabularies_of(concepts),
            templates=[template] if isinstance(template, str) else template,
            ridge=lambda_,
            translators=[] if translator is None else [str(translator)],
            compare_translators=compare_translators,
            invariance=invariance,
            null_space=null_space,
            seed=seed,
            device=device,
            precision=precision,
            batch_size=batch_size,
            workers=workers,
            fresh=fresh,
            only=only,
            maps=maps,
            maps_grid=maps_grid,
            maps_limit=maps_limit,
            command="sing_compute.run(...)",
        )

    return results_of(plan, output, progress=progress)
