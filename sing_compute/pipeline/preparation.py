"""What every process of a run loads and looks at before the images go through the networks. What can fail early fails here."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sing_compute.extraction.features import DECODED, attach_heads, decoded
from sing_compute.extraction.networks import Networks
from sing_compute.extraction.settings import Settings
from sing_compute.extraction.shards import WorkFolder
from sing_compute.extraction.trial import choose
from sing_compute.images.listing import ImageList, match_classes
from sing_compute.linalg.null_space import HeadSplit, split_head
from sing_compute.models.classifier import Classifier, load_classifier
from sing_compute.pipeline.plan import Plan
from sing_compute.pipeline.probing import fit_probes
from sing_compute.pipeline.sources import given_images, imagenette_images
from sing_compute.pipeline.space import ClassTable, ClipSpace, class_table
from sing_compute.process.progress import Progress
from sing_compute.process.ranks import Ranks

TRIAL_IMAGES = 256
"""Images of a trial, evenly spread."""
WORTH_A_TRIAL = 4_096
"""Images from which `auto` looks for something faster: below, a trial costs what it can win."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """Networks with their heads, and the images in the order in which they are measured."""

    classifiers: list[Classifier]
    space: ClipSpace
    classes: ClassTable
    images: ImageList
    labels: NDArray[np.int32]
    """Class of each image."""


def prepare(plan: Plan, work: WorkFolder, progress: Progress, ranks: Ranks) -> Prepared:
    """Load networks and CLIP, list the images, find the heads, match the classes.

    Rank 0 lists the images, downloads what is missing and fits heads; the others take these over.

    Raises:
        SingError: Anything the user can mend.
    """
    images = ranks.share(lambda: given_images(plan))
    with ranks.agreeing():
        classifiers = [load_classifier(spec, probe=plan.probe) for spec in plan.models]
    if images is None:
        images = ranks.share(lambda: imagenette_images(classifiers, progress))
    with ranks.agreeing():
        space = ClipSpace.load(plan)
    source = "a list on standard input" if str(plan.images) == "-" else plan.images or images.root
    progress.say(f"images: {len(images):,} in {source}")
    for turn in (True, False):  # rank 0 fits, the others find the heads in the work folder
        with ranks.agreeing():
            if ranks.first is turn:
                fit_probes(classifiers, images, plan, work, progress)
    with ranks.agreeing():
        attach_heads(classifiers, images)
        table = class_table(classifiers, plan.class_names)
        labels = match_classes(images.labels_among(len(table.names)), table.names, table.wnids)
    for classifier in classifiers:
        classes, dim = classifier.head[0].shape
        facts = classifier.provenance
        size = f"{classes} classes x {dim} features"
        progress.say(f"{classifier.name}: head {facts['head']}, {size}, stored in {facts['stored_precision']}")
        if "note" in facts:
            progress.say(f"{classifier.name}: {facts['note']}")
    order = images.order(labels)
    return Prepared(classifiers, space, table, images.arranged(order), labels[order])


def resolve(plan: Plan, prepared: Prepared, class_vectors: Tensor, networks: Networks) -> Settings:
    """Choose precision and batch size for a run: what was asked for, else the fastest on a few of its images, evenly spread.

    Args:
        plan: `auto` looks for something faster than float32 if there are enough images.
        prepared: Networks with their heads, and the images.
        class_vectors: Unit text embedding of each class, (class, clip).
        networks: The same networks on their device.
    """
    images = prepared.images
    rows = np.arange(0, len(images), -(-len(images) // TRIAL_IMAGES))
    sample, stored = images.arranged(rows), prepared.space.image_embeddings
    heads = {classifier.name: (classifier.head[0], classifier.stored_dtype) for classifier in prepared.classifiers}

    @cache
    def split(name: str) -> HeadSplit:
        weight, dtype = heads[name]
        return split_head(weight, stored_dtype=dtype, invariance=plan.invariance, rule=plan.null_space)

    batches = (range(start, min(start + DECODED, len(rows))) for start in range(0, len(rows), DECODED))
    return choose(
        networks,
        decoded(sample, networks, batches, plan.workers),
        split,
        class_vectors[torch.from_numpy(prepared.labels[rows]).long()],
        stored.lookup(sample.keys, "images") if stored else None,
        precision=plan.precision,
        batch_size=plan.batch_size,
        searching=len(images) >= WORTH_A_TRIAL,
    )
