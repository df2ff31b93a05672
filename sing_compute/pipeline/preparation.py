"""What every process of a run loads and looks at before the images go through the networks. What can fail early fails here."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sing_compute.images.listing import ImageList, match_classes
from sing_compute.models.classifier import Classifier, load_classifier
from sing_compute.pipeline.features import attach_heads
from sing_compute.pipeline.plan import Plan
from sing_compute.pipeline.probing import fit_probes
from sing_compute.pipeline.progress import Progress
from sing_compute.pipeline.ranks import Ranks
from sing_compute.pipeline.shards import WorkFolder
from sing_compute.pipeline.sources import given_images, imagenette_images
from sing_compute.pipeline.space import ClassTable, ClipSpace, class_table


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
