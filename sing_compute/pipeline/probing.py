"""Fit a linear head on the images' labels for each backbone without one (`--probe`).

This takes one pass over the images before the run itself. After it these networks are used like all others. Finished heads are
stored in the work folder, so that a run that was killed continues with the same heads.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from sing_compute.atomic_write import write_bytes, write_failure
from sing_compute.errors import ImagesError, SingError
from sing_compute.extraction.networks import default_batch_size
from sing_compute.extraction.shards import WorkFolder
from sing_compute.fingerprints import state_sha256
from sing_compute.imagenet import ids_of_names, wnid_wordings
from sing_compute.images.class_labels import is_number, match_labels
from sing_compute.images.copies import originals
from sing_compute.images.decoding import decode_batches
from sing_compute.images.image_stamps import stamps_sha256
from sing_compute.images.listing import ImageList, folds_of
from sing_compute.images.transform_steps import transform_settings
from sing_compute.measuring.fitting import FOLDS
from sing_compute.models.backbone import HeadedBackbone
from sing_compute.models.classifier import Classifier
from sing_compute.models.probe import fit_probe, out_of_fold_accuracy
from sing_compute.pipeline.clip_space import read_class_names
from sing_compute.pipeline.plan import Plan
from sing_compute.process.progress import Progress
from sing_compute.sealed_file import SealError, open_sealed, sealed

PROBE_IMAGES = 50_000
"""Most images that a head is fitted on; of more images, evenly spread ones of each class are used."""


def fit_probes(
    classifiers: Sequence[Classifier], images: ImageList, plan: Plan, work: WorkFolder, progress: Progress
) -> None:
    """Fit a head on the images' labels for every backbone that has none, and put it on the backbone.

    Args:
        classifiers: The models of the run; those with a head are left as they are.
        images: All images of the run.
        plan: The plan of the run.
        work: The folder in which fitted heads are stored.
        progress: Shows how far the pass is.

    Raises:
        ImagesError: A class has no images, or no image can be read.
    """
    headless = [classifier for classifier in classifiers if classifier.headless]
    if not headless:
        return
    names, wnids = _classes(classifiers, images, plan.class_names)
    labels = match_labels(images, names, wnids, first=plan.labels_from).classes
    absent = np.flatnonzero(np.bincount(labels, minlength=len(names)) == 0)
    if len(absent) or len(names) < 2:
        problem = (
            f"{len(absent)} of the {len(names)} classes have no image, the first is {names[absent[0]]}"
            if len(absent)
            else "one class"
        )
        raise ImagesError(
            f"--probe needs images of at least two classes and of every class: {problem}; give it images of all, or its own -o"
        )
    order = images.order(labels)
    chosen = order[:: -(-len(order) // PROBE_IMAGES)]
    images, labels = images.take(chosen), labels[chosen]
    listed = "\n".join(f"{key}\t{label}" for key, label in zip(images.keys, labels, strict=True))
    listed += stamps_sha256(images)  # a head that was fitted on other images of the same names is fitted again
    prints = {classifier.name: _fingerprint(classifier, listed, plan) for classifier in headless}
    open_ones = [c for c in headless if not _restore(c, _file(work, c), prints[c.name])]
    if open_ones:
        _fit(open_ones, images, labels, len(names), prints, plan, work, progress)
    for classifier in headless:
        facts = classifier.provenance
        facts["state_sha256"] = state_sha256(classifier.network)
        note = (
            f"linear head fitted on the labels of {facts['probe_images']:,} of these images, so that its accuracy here is not "
            f"on new ones; out of fold it is {float(facts['probe_accuracy']):.1%}"
        )
        facts["note"] = f"{facts['note']}; {note}" if "note" in facts else note
        classifier.labels = names, wnids


def _classes(
    classifiers: Sequence[Classifier], images: ImageList, given: Path | tuple[str, ...] | None
) -> tuple[list[str], list[str] | None]:
    """Return names and WordNet ids of a probe's classes: the user's, else the other models', else the images' labels."""
    if given is not None:
        names = read_class_names(given) if isinstance(given, Path) else list(given)
        return names, ids_of_names(names)
    labels = next((classifier.labels for classifier in classifiers if classifier.labels), None)
    if labels:
        return labels
    found = images.labels.used_names
    if all(map(is_number, found)):
        raise ImagesError("--probe with numbers as labels: give --class-names FILE, one per line, in their order")
    if all(wnid_wordings(label) for label in found):
        return [wnid_wordings(label)[0] for label in found], found
    return found, None


@torch.no_grad()  # not inference mode: a head is fitted on the features
def _fit(
    classifiers: Sequence[Classifier],
    images: ImageList,
    labels: NDArray[np.int32],
    classes: int,
    prints: dict[str, str],
    plan: Plan,
    work: WorkFolder,
    progress: Progress,
) -> None:
    everything = range(len(images))
    size = plan.batch_size or default_batch_size(plan.device)
    batches = [everything[start : start + size] for start in everything[::size]]
    parts: list[list[torch.Tensor]] = [[] for _ in classifiers]
    readable: list[int] = []
    hashes: list[int] = []
    for classifier in classifiers:
        classifier.network.to(plan.device)
    with progress.task("features for --probe", len(images)) as advance:
        transforms = [classifier.transform for classifier in classifiers]
        for batch in decode_batches(images, transforms, batches, workers=plan.workers, say=progress.say):
            work.leave_if_asked()
            readable += batch.rows
            hashes += batch.hashes
            for classifier, tensor, part in zip(classifiers, batch.tensors, parts, strict=bool(batch.rows)):
                features = classifier.network(tensor.to(plan.device)).float()
                if not features.isfinite().all():
                    raise SingError(
                        f"{classifier.name} gives features that are not finite; are these the right weights?"
                    )
                part.append(features.cpu())
            advance(len(batch.rows) + len(batch.failed))
    if not readable:
        raise ImagesError(f"none of the {len(images)} images can be read; the first is {images.path(0)}")
    rows = np.array(readable)
    targets = torch.from_numpy(labels[rows].astype(np.int64)).to(plan.device)
    original = originals(np.array(hashes, np.int64))
    folds = torch.from_numpy(folds_of(images.keys.take(rows), FOLDS, original)).to(plan.device)
    for classifier, part in zip(classifiers, parts, strict=True):
        classifier.network.cpu()
        features = torch.cat(part).to(plan.device)
        accuracy = out_of_fold_accuracy(features, targets, folds, classes=classes)
        weight, bias = fit_probe(features, targets, classes=classes)
        content = {"weight": weight.cpu(), "bias": bias.cpu()}
        facts = {"of": prints[classifier.name], "accuracy": accuracy, "images": len(rows)}
        path = _file(work, classifier)
        try:
            write_bytes(path, sealed(content, facts))
        except OSError as error:
            raise SingError(write_failure(path, error)) from error
        _restore(classifier, path, prints[classifier.name])
        progress.say(f"{classifier.name}: linear head fitted, {accuracy:.1%} correct out of fold")


def _restore(classifier: Classifier, path: Path, fingerprint: str) -> bool:
    """Put the head of a file on the network, and return True, if the file has this fingerprint."""
    assert isinstance(classifier.network, HeadedBackbone)
    if not path.exists():
        return False
    try:
        with open_sealed(path) as file:
            facts = file.facts
            if facts.get("of") != fingerprint:
                return False
            classifier.network.put(file.tensor("weight"), file.tensor("bias"), "--probe")
    except SealError:  # the file is damaged, and the head is fitted again
        return False
    except OSError as error:
        raise SingError(f"cannot read {path}: {error.strerror or error}; the same command goes on") from error
    classifier.provenance |= {
        "head_file": "--probe",
        "probe_accuracy": float(facts["accuracy"]),
        "probe_images": int(facts["images"]),
    }
    return True


def _fingerprint(classifier: Classifier, listed: str, plan: Plan) -> str:
    facts = (classifier.provenance["state_sha256"], transform_settings(classifier.transform), plan.device.type, listed)
    return hashlib.sha256(repr(facts).encode()).hexdigest()


def _file(work: WorkFolder, classifier: Classifier) -> Path:
    return work.folder / f"{classifier.name}.probe"
