"""Load and check everything that a run needs before its images go through the networks, so that errors come early."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int

from sing_compute.errors import TranslatorError
from sing_compute.extraction.features import DECODED, attach_heads, decode_for
from sing_compute.extraction.map_sampling import map_strides
from sing_compute.extraction.networks import Networks
from sing_compute.extraction.settings import Settings
from sing_compute.extraction.shards import WorkFolder
from sing_compute.extraction.trial import choose
from sing_compute.images.class_labels import match_labels
from sing_compute.images.listing import ImageList
from sing_compute.linalg.null_space import HeadSplit, split_head
from sing_compute.measuring.comparison import check_replicates
from sing_compute.models.classifier import Classifier, load_classifier
from sing_compute.pipeline.clip_space import ClassTable, ClipSpace, class_table
from sing_compute.pipeline.comparability import (
    MeasuredImages,
    TextInputs,
    differing_classes,
    existing,
    refuse,
    stored_figures,
)
from sing_compute.pipeline.image_sources import imagenette_images, planned_images
from sing_compute.pipeline.output_file import check_measured_again
from sing_compute.pipeline.plan import Plan
from sing_compute.pipeline.probing import fit_probes
from sing_compute.process.progress import Progress
from sing_compute.process.ranks import Ranks
from sing_compute.scores.resampling import REPLICATES
from sing_compute.translator.translator_file import ImportedTranslator, read_translator

TRIAL_IMAGES = 256
"""Images of a trial of precisions and batch sizes, evenly spread."""
WORTH_A_TRIAL = 4_096
"""Fewest images for which `auto` searches for faster settings: with fewer, the trial takes as long as it can save."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """Networks with their heads, and the images in the order in which they are measured."""

    classifiers: list[Classifier]
    space: ClipSpace | None
    """CLIP space of the run; None for a run without an analysis."""
    classes: ClassTable
    images: ImageList
    labels: Int[np.ndarray, " image"]
    """True class of each image."""

    def map_strides(self, plan: Plan) -> dict[str, int]:
        """Return for each model the number k: the map of every k-th image is stored. Empty for a plan without maps.

        Raises:
            SingError: The map of one image exceeds the limit of the plan.
        """
        return map_strides(self.classifiers, len(self.images), plan.maps.limit) if plan.maps else {}


def prepare(plan: Plan, work: WorkFolder, progress: Progress, ranks: Ranks) -> Prepared:
    """Load networks and CLIP, list the images, find the heads, match the classes.

    Rank 0 lists the images, downloads missing files and fits heads; the other processes receive these from it.

    Args:
        plan: The plan of the run.
        work: Its work folder, for fitted heads.
        progress: Is given a line about each network and the images.
        ranks: The processes of the run.

    Raises:
        SingError: Any error that the user can correct.
    """
    images = ranks.share(lambda: planned_images(plan))
    with ranks.agreeing():
        classifiers = [load_classifier(spec, probe=plan.probe) for spec in plan.models]
    if images is None:
        images = ranks.share(lambda: imagenette_images(classifiers, progress))
    with ranks.agreeing():
        space = ClipSpace.load(plan) if plan.only is None else None
    source: object = "a list on standard input" if str(plan.images) == "-" else plan.images or images.root
    if images.stored:
        given = plan.models[0].features
        progress.say(f"features: of {len(images):,} keys {f'in {given}' if isinstance(given, Path) else 'in memory'}")
    elif images.items is not None:
        progress.say(f"images: {len(images):,} in {images.items}")
    else:
        progress.say(f"images: {len(images):,} in {source}")
    if space is not None and space.network is not None:
        clip = space.provenance
        activation = f"activation {clip['activation']}"
        progress.say(f"CLIP: images become {clip['preprocessing']}; {activation}; by {clip['preprocessing_from']}")
    for note in images.notes:
        progress.say(f"images: {note}")
    for turn in (True, False):  # rank 0 fits, the others find the heads in the work folder
        with ranks.agreeing():
            if ranks.first is turn:
                fit_probes(classifiers, images, plan, work, progress)
    with ranks.agreeing():
        attach_heads(classifiers, images, map_side=plan.maps.side if plan.maps else None)
        table = class_table(classifiers, plan.class_names, images.class_names)
        matched = match_labels(images, table.names, table.wnids, first=plan.labels_from)
        labels = matched.classes
    progress.say(f"labels: {matched.reading}")
    for classifier in classifiers:
        classes, dim = classifier.head[0].shape
        facts = classifier.provenance
        size = f"{classes} classes x {dim} features"
        place = f"{facts['head']}, " if facts["head"] else ""  # stored features come with a head alone
        progress.say(f"{classifier.name}: head {place}{size}, stored in {facts['stored_precision']}")
        if "preprocessing" in facts:
            progress.say(f"{classifier.name}: images become {facts['preprocessing']}; by {facts['preprocessing_from']}")
        for remark in (*classifier.remarks, *classifier.warnings):
            progress.say(f"{classifier.name}: {remark}")
        if classifier.map_tap is not None:
            progress.say(f"{classifier.name}: {classifier.map_tap.place}")
        if "note" in facts:
            progress.say(f"{classifier.name}: {facts['note']}")
    order = images.order(labels)
    prepared = Prepared(classifiers, space, table, images.take(order), labels[order])
    prepared.map_strides(plan)  # maps that exceed their limit are refused before any image is computed
    return prepared


def text_inputs(plan: Plan, prepared: Prepared, progress: Progress) -> TextInputs | None:
    """Read the texts of a run in its CLIP space, and compare them and the images with an existing results file.

    Args:
        plan: The plan of the run.
        prepared: Its CLIP space, classes and images.
        progress: Is given a line about merged concepts.

    Returns:
        Classes and concepts; None for a run without an analysis.

    Raises:
        ConceptsError: A file of embeddings lacks images or texts.
        StoreError: The existing results file has other texts or images.
        SingError: Its models were resampled differently often than new ones are.
    """
    space, texts = prepared.space, None
    if space is not None:
        if space.image_embeddings:  # a missing key must not be found after hours of work
            space.image_embeddings.lookup(prepared.images.keys, "images")
        prompts, class_vectors = space.classes(prepared.classes.names, plan, plan.device)
        vocabulary, concept_vectors = space.concepts(plan, plan.device, progress)
        texts = TextInputs(prepared.classes, prompts, vocabulary, class_vectors, concept_vectors, space.provenance)
    with existing(plan) as old:
        if old and "images/key" in old:
            images, skipped = prepared.images, set(old.array("images/skipped_key"))
            readable = np.flatnonzero(np.fromiter((key not in skipped for key in images.keys), np.bool_, len(images)))
            expected = MeasuredImages.of(images.take(readable), prepared.labels[readable], [], noun=plan.noun)
            differing = texts.differing(old) if texts else differing_classes(prepared.classes, old)
            refuse(old, expected.differing(old) + differing)
            again = {classifier.name for classifier in prepared.classifiers}
            known = {name: stored_figures(old, name) for name in old.models if name not in again}
            scored = {name: figures for name, figures in known.items() if figures is not None}
            check_replicates(scored, REPLICATES if texts else None)
            check_measured_again(old, again, scored=texts is not None, maps=plan.maps is not None, progress=progress)
    return texts


def read_translators(
    plan: Plan, classifiers: list[Classifier], texts: TextInputs | None, progress: Progress
) -> dict[str, ImportedTranslator]:
    """Read translators that were made elsewhere.

    Args:
        plan: Names their files.
        classifiers: The models of the run.
        texts: The CLIP space of the run; None for a run without an analysis, which has no translators.
        progress: Is given a line about each translator.

    Returns:
        The translators by model; models whose translator will be fitted are left out.

    Raises:
        TranslatorError: A translator cannot be read, or has another CLIP space than this run.
    """
    translators: dict[str, ImportedTranslator] = {}
    if texts is None:
        return translators
    clip, clip_dim = texts.clip["tag"], texts.class_vectors.shape[1]
    for classifier, source in zip(classifiers, plan.translators, strict=True):
        if source is None:
            continue
        found = read_translator(source[1], clip=source[0], dim=classifier.head[0].shape[1], clip_dim=clip_dim)
        if found.clip != clip:
            raise TranslatorError(
                f"{source[1]}: leads into the CLIP space {found.clip}, this run's is {clip}: give --clip {found.clip}"
            )
        translators[classifier.name] = found
        facts = classifier.provenance
        facts |= {"translator_file": str(source[1]), "translator_sha256": found.sha256}
        progress.say(f"{classifier.name}: translator from {source[1]}, into {found.clip}")
    return translators


def resolve(
    plan: Plan, prepared: Prepared, texts: TextInputs | None, networks: Networks, progress: Progress
) -> Settings:
    """Choose precision and batch size of a run: the user's, else the fastest on a few of its images, evenly spread.

    Args:
        plan: With `auto`, faster precisions than float32 are tried if there are enough images.
        prepared: Networks with their heads, and the images.
        texts: Classes in CLIP space; None for a run without an analysis, for which `auto` is float32.
        networks: The same networks on their device.
        progress: Shows how far a trial is.
    """
    images = prepared.images
    rows = np.arange(0, len(images), -(-len(images) // TRIAL_IMAGES))
    sample, stored = images.take(rows), prepared.space.image_embeddings if prepared.space else None
    labels = torch.from_numpy(prepared.labels[rows]).long()
    heads = {classifier.name: (classifier.head[0], classifier.stored_dtype) for classifier in prepared.classifiers}

    @cache
    def split(name: str) -> HeadSplit:
        weight, dtype = heads[name]
        return split_head(weight, stored_dtype=dtype, invariance=plan.invariance, rule=plan.null_space)

    batches = (range(start, min(start + DECODED, len(rows))) for start in range(0, len(rows), DECODED))
    return choose(
        networks,
        decode_for(sample, networks, batches, plan.workers),
        split,
        texts.class_vectors[labels] if texts else None,
        stored.lookup(sample.keys, "images") if stored else None,
        precision=plan.precision,
        batch_size=plan.batch_size,
        searching=len(images) >= WORTH_A_TRIAL,
        progress=progress,
    )
