"""Choose the images of a run: those that the plan names, or Imagenette for models of ImageNet."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sing_compute.errors import ImagesError
from sing_compute.imagenet import IMAGENET_CLASSES, imagenet_wnids
from sing_compute.images.compact_text import Categorical, Texts
from sing_compute.images.image_sources import list_images
from sing_compute.images.imagenette import imagenette
from sing_compute.images.label_files import labels_of, list_with_labels
from sing_compute.images.listing import ImageList
from sing_compute.images.missing_images import check_folders
from sing_compute.models.backbone import HeadedBackbone
from sing_compute.models.classifier import Classifier
from sing_compute.models.stored_features import origin_of, read_keys
from sing_compute.pipeline.plan import Plan
from sing_compute.process.progress import Progress


def planned_images(plan: Plan) -> ImageList | None:
    """List the images that the plan names; return None if it names none.

    Raises:
        ImagesError: They cannot be used.
    """
    if plan.models[0].features is not None:
        return stored_images(plan)
    if plan.images is None:
        return None
    if isinstance(plan.images, ImageList):
        return replace(plan.images, bounds=plan.bounds)
    images = list_with_labels(plan.images, plan.labels) if plan.labels else list_images(plan.images)
    if (
        images.members is None and images.root is not None and not plan.images.is_dir()
    ):  # a table or standard input may name what does not exist
        check_folders(images.root, images.keys)
    return replace(images, bounds=plan.bounds)


def stored_images(plan: Plan) -> ImageList:
    """List what the features of the plan belong to, by key; none of it is read.

    Raises:
        SingError: A file of features cannot be read, the files have different keys, or nothing says the labels.
    """
    first, *others = [spec.features for spec in plan.models if spec.features is not None]
    keys, labels = read_keys(first)
    for other in others:
        known = set(read_keys(other)[0])
        missing = [key for key in keys if key not in known]
        if missing or len(known) > len(keys):
            named = f", the first that is missing is {missing[0]}" if missing else ""
            raise ImagesError(
                f"{origin_of(other)}: has other keys than {origin_of(first).removeprefix('--features ')}{named}; all files of a "
                "run need the same"
            )
    order = sorted(range(len(keys)), key=lambda row: keys[row].encode())
    texts = Texts(keys[row] for row in order)
    root, notes = plan.images if isinstance(plan.images, Path) else None, list[str]()
    if plan.labels is not None:
        known_labels, notes = labels_of(texts, plan.labels)
    elif labels is not None:
        known_labels = Categorical.of([labels[row] for row in order])
    else:
        raise ImagesError(f"{origin_of(first)}: it has no labels; give --labels FILE, lines of KEY LABEL")
    return ImageList(root, texts, known_labels, notes=tuple(notes), stored=True)


def imagenette_images(classifiers: Sequence[Classifier], progress: Progress) -> ImageList:
    """List the images of Imagenette, for a run without `--images`; download it if necessary.

    Args:
        classifiers: The models, with their heads; all must have ImageNet's classes.
        progress: Is given a line before a download.

    Raises:
        ImagesError: A model has other classes than ImageNet, or there is no connection; the message says what to do.
    """
    for classifier in classifiers:
        if not _is_imagenet(classifier):
            raise ImagesError(
                f"--images is missing, and Imagenette, which is used instead, shows ImageNet classes that "
                f"{classifier.name} does not have: give --images"
            )
    progress.say(
        "images: none given, so Imagenette's 3,925 validation photographs of ten ImageNet classes (a download of 340 MB)"
    )
    return list_images(imagenette())


def _is_imagenet(classifier: Classifier) -> bool:
    if isinstance(classifier.network, HeadedBackbone):
        return classifier.network.head is not None and classifier.network.head.out_features == IMAGENET_CLASSES
    return bool(classifier.labels) and classifier.labels[1] == imagenet_wnids()  # type: ignore[index]
