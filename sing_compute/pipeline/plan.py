"""Make the plan of a run from the user's options, and check it before anything is loaded."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch

from sing_compute.concepts.stored_embeddings import EmbeddingSource, StoredEmbeddings
from sing_compute.concepts.vocabulary import Vocabulary
from sing_compute.errors import SingError
from sing_compute.extraction.map_sampling import MapSampling
from sing_compute.images.image_bounds import ImageBounds
from sing_compute.images.listing import ImageList
from sing_compute.linalg.null_space import NullSpaceRule
from sing_compute.models.backbone import HeadValues
from sing_compute.models.given_network import GivenNetwork
from sing_compute.models.spec import ModelSpec
from sing_compute.models.stored_features import StoredFeatures
from sing_compute.pipeline.devices import default_workers, usable_device, usable_precision
from sing_compute.pipeline.model_options import (
    HeadOption,
    chosen_models,
    feature_models,
    refuse_with_features,
    translator_files,
)
from sing_compute.pipeline.option_texts import image_bounds, item_noun, map_limits, null_space_rule
from sing_compute.pipeline.output_file import output_file
from sing_compute.precision import AUTO
from sing_compute.store.noun import Noun

CLASS_TEMPLATE = "an image of a {}"
DEFAULT_CLIP = "ViT-L-14/openai"
FEATURES = "features"
"""Value of `--only`: store the networks' outputs, and make no analysis."""
VALUES = (StoredFeatures, StoredEmbeddings, HeadValues, GivenNetwork, ImageList)
"""Types of sources in memory, which a plan may have in the place of a file."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that the user has chosen for one run: models, CLIP space, images, texts and settings.

    A source is a file, or the value itself where the user has it in memory (one of `VALUES`).
    """

    models: tuple[ModelSpec, ...]
    images: Path | ImageList | None
    """Folder, table or archives, or a list; None for Imagenette, which needs models of ImageNet."""
    labels: Path | None
    """Label file of the images; None if folders or a table name their classes."""
    labels_from: int | None
    """Number of the first class where labels are numbers; None to decide by evidence."""
    output: Path
    clip: str | None
    """open_clip's `ARCH/PRETRAINED`; None if embeddings are stored, or if there is no analysis."""
    image_embeddings: EmbeddingSource | None
    concept_embeddings: EmbeddingSource | None
    class_embeddings: EmbeddingSource | None
    class_names: Path | tuple[str, ...] | None
    concepts: tuple[str | Vocabulary, ...]
    templates: tuple[str, ...]
    ridge: float | None
    invariance: str
    null_space: NullSpaceRule
    device: torch.device
    precision: str
    """Precision of the arithmetic in the networks: `auto` or one of `PRECISIONS`."""
    batch_size: int | None
    """Images that go through a network at once; None to find the size."""
    workers: int
    fresh: bool
    command: str
    seed: int = 0
    """Seed of the controls and all other random draws except the resamples, which are the same for all models of a file."""
    translators: tuple[tuple[str, Path] | None, ...] = ()
    """For each model CLIP space (empty: the file names it) and file of a translator that was fitted elsewhere, or None."""
    compare_translators: bool = False
    probe: bool = False
    """True to fit a head on the labels for each backbone without one."""
    remarks: tuple[str, ...] = ()
    """Remarks that are shown to the user before the run starts."""
    only: str | None = None
    """`features` to store the networks' outputs and make no analysis; None for SING's analysis."""
    maps: MapSampling | None = None
    """Limits on the stored spatial maps; None to store no maps."""
    bounds: ImageBounds = field(default_factory=ImageBounds)
    """Images that are over these bounds are skipped."""
    noun: Noun | None = None
    """Noun for what the features are of; None for images, or that of an existing results file."""

    @property
    def in_memory(self) -> bool:
        """True if a source is a value. Unfinished work of an earlier run is then not continued: values may have changed."""
        sources: list[object] = [self.images, self.image_embeddings, self.concept_embeddings, self.class_embeddings]
        sources += [source for spec in self.models for source in (spec.features, spec.head, spec.network)]
        return any(isinstance(source, VALUES) for source in sources)

    def described(self) -> dict[str, Any]:
        """Return the plan as plain values, texts among them, as the results file keeps it."""
        found: dict[str, Any] = _plain(self)
        return found


def _plain(value: Any) -> Any:
    if isinstance(value, VALUES):
        return str(value)
    if is_dataclass(value):
        return {part.name: _plain(getattr(value, part.name)) for part in fields(value)}
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else value


def make_plan(
    *,
    models: Sequence[str | ModelSpec],
    preset: str | None = None,
    weights: Sequence[str],
    ema: bool | None = None,
    heads: Sequence[HeadOption] = (),
    heads_of: Sequence[str] = (),
    transforms: Sequence[str] = (),
    features: Sequence[str | ModelSpec] = (),
    probe: bool = False,
    images: str | ImageList | None,
    labels: str | None = None,
    labels_from: int | None = None,
    output: str,
    clip: str | None,
    image_embeddings: str | StoredEmbeddings | None,
    concept_embeddings: str | StoredEmbeddings | None,
    class_embeddings: str | StoredEmbeddings | None,
    class_names: str | tuple[str, ...] | None,
    concepts: Sequence[str | Vocabulary],
    templates: Sequence[str],
    ridge: float | None,
    translators: Sequence[str] = (),
    compare_translators: bool = False,
    invariance: str,
    null_space: str = "numerical",
    seed: int = 0,
    device: str,
    local_rank: int = 0,
    precision: str = AUTO,
    batch_size: int | None = None,
    workers: int | None = None,
    fresh: bool,
    command: str,
    only: str | None = None,
    maps: bool = False,
    maps_grid: int | None = None,
    maps_limit: str | None = None,
    item: str | None = None,
    **bounds: Any,
) -> Plan:
    """Check that the options of `sing-compute` agree with each other, and fill in those that follow from others.

    Args: as the options of the same names (`sing-compute --help`); in the place of a file also the value itself.

    Returns:
        The plan of the run.

    Raises:
        SingError: Options contradict each other; the message names the option and says what to do.
    """
    stored = (image_embeddings, concept_embeddings, class_embeddings)
    if only is not None:
        _check_no_analysis(
            {
                "--clip": clip,
                "--image-embeddings": image_embeddings,
                "--concept-embeddings": concept_embeddings,
                "--class-embeddings": class_embeddings,
                "--concepts": concepts,
                "--template": templates,
                "--lambda": ridge,
                "--translator": translators,
                "--compare-translators": compare_translators,
            },
            only,
        )
    if clip and any(stored):
        raise SingError("--clip and stored embeddings exclude each other: two CLIP spaces never mix")
    if any(stored) and not (image_embeddings and concept_embeddings):
        raise SingError("stored embeddings: --image-embeddings and --concept-embeddings are both needed")
    if any(stored) and templates:
        raise SingError("--template needs a CLIP text tower; stored --class-embeddings are used as they are")
    for template in templates:
        if "{}" not in template:
            raise SingError(f"--template {template!r} has no {{}} for the class name")
    if features:
        refuse_with_features(
            {
                "--model": models,
                "--preset": preset,
                "--weights": weights,
                "--head-of": heads_of,
                "--transform": transforms,
                "--probe": probe,
                "--clip": clip,
                "--maps": maps,
            }
        )
        specs, remarks = feature_models(features, heads)
        if not any(stored) and only is None:
            raise SingError(
                "--features come without images, so CLIP's vectors must come from files: give --image-embeddings and "
                "--concept-embeddings"
            )
    else:
        specs, remarks = chosen_models(
            models, weights, heads, preset, probe=probe, ema=ema, transforms=transforms, heads_of=heads_of
        )
        _check_images(images, labels, specs, stored=any(stored))
    names = [spec.name for spec in specs]
    for name in names:
        if names.count(name) > 1:
            raise SingError(f"two models are named {name!r}: name one of them with --model NAME={name}")
    if ridge is not None and not 0 < ridge < math.inf:
        raise SingError(f"--lambda {ridge}: the penalty must be above 0 and finite")
    imported = translator_files(translators, names)
    if any(imported) and (ridge is not None or compare_translators):
        raise SingError(
            "--translator brings a translator that is fitted already: leave --lambda and --compare-translators out"
        )
    return Plan(
        models=tuple(specs),
        images=_path(images),
        labels=Path(labels) if labels else None,
        labels_from=labels_from,
        output=output_file(output),
        clip=None if any(stored) or only is not None else clip or DEFAULT_CLIP,
        image_embeddings=_path(image_embeddings),
        concept_embeddings=_path(concept_embeddings),
        class_embeddings=_path(class_embeddings),
        class_names=_path(class_names),
        concepts=tuple(concepts),
        templates=tuple(templates) or (CLASS_TEMPLATE,),
        ridge=ridge,
        invariance=invariance,
        null_space=null_space_rule(null_space),
        seed=seed,
        device=(place := usable_device(device, local_rank)),
        precision=usable_precision(precision, place),
        batch_size=batch_size,
        workers=0 if features else workers if workers is not None else default_workers(place),
        fresh=fresh,
        command=command,
        translators=imported,
        compare_translators=compare_translators,
        probe=probe,
        remarks=remarks,
        only=only,
        maps=map_limits(maps, maps_grid, maps_limit),
        bounds=image_bounds(**bounds),
        noun=item_noun(item, of_features=bool(features)),
    )


def _check_no_analysis(options: Mapping[str, object], only: str) -> None:
    """Refuse options of an analysis in a run that makes none."""
    surplus = [name for name, value in options.items() if value]
    if surplus:
        raise SingError(f"--only {only} makes no analysis: leave {', '.join(surplus)} out")


def _check_images(
    images: str | ImageList | None, labels: str | None, specs: Sequence[ModelSpec], *, stored: bool
) -> None:
    """Refuse a run without images that Imagenette cannot replace, as far as this is known before models are loaded."""
    if images:
        return
    needed = (
        "--images is missing: a folder with one subfolder per class, a .csv of path,label[,group], tar shards, or -"
    )
    if labels:
        raise SingError("--labels names the classes of the images of a folder: give it with --images FOLDER")
    if stored:
        raise SingError(f"{needed}; --image-embeddings are used together with images, not instead of them")
    for spec in specs:
        if spec.is_factory:
            raise SingError(
                f"{needed}. Without it Imagenette is used, for ImageNet models of timm, not for {spec.name}"
            )


def _path(source: str | T | None) -> Path | T | None:
    """Return the path that a text names; a value is returned as it is."""
    if isinstance(source, str):
        return Path(source) if source else None
    return source
