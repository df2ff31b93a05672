"""Load the CLIP space of a run: the vectors of images, classes and concepts, and the texts that they represent."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor

from sing_compute.concepts.open_clip_space import OpenClipSpace
from sing_compute.concepts.stored_embeddings import StoredEmbeddings, embeddings_of
from sing_compute.concepts.vocabulary import MOST_BYTES, Vocabulary, merge_vocabularies, read_vocabulary
from sing_compute.errors import ConceptsError
from sing_compute.imagenet import IMAGENET_CLASSES, ids_of_names, imagenet_names, imagenet_wnids, is_wnid, wnid_wordings
from sing_compute.models.classifier import Classifier
from sing_compute.outside_files import read_text
from sing_compute.pipeline.plan import Plan
from sing_compute.process.progress import Progress

DEFAULT_VOCABULARY = "attributes"


@dataclass(frozen=True, slots=True)
class ClassTable:
    """The head's classes in logit order."""

    names: list[str]
    wnids: list[str] | None = None

    def __post_init__(self) -> None:
        """Refuse a name that no results file can hold."""
        long = next((name for name in self.names if len(name.encode("utf-8", "replace")) > MOST_BYTES), None)
        if long is not None:
            raise ConceptsError(f"the name of a class has at most {MOST_BYTES:,} bytes; one begins {long[:40]!r}")


@dataclass(frozen=True, slots=True)
class ClipSpace:
    """One CLIP space: an open_clip network, or embeddings stored elsewhere."""

    network: OpenClipSpace | None
    image_embeddings: StoredEmbeddings | None
    concept_embeddings: StoredEmbeddings | None
    class_embeddings: StoredEmbeddings | None
    provenance: dict[str, str] = field(default_factory=dict)

    @classmethod
    def load(cls, plan: Plan) -> "ClipSpace":
        """Load the network or read the files.

        Raises:
            ConceptsError: The weights cannot be loaded, or the files are of different spaces.
        """
        if plan.clip:
            network = OpenClipSpace(plan.clip).to(plan.device)
            return cls(network, None, None, None, network.provenance)
        assert plan.image_embeddings is not None
        assert plan.concept_embeddings is not None
        images, concepts = embeddings_of(plan.image_embeddings), embeddings_of(plan.concept_embeddings)
        classes = embeddings_of(plan.class_embeddings) if plan.class_embeddings else concepts
        for other in (concepts, classes):
            if other.vectors.shape[1] != images.vectors.shape[1]:
                raise ConceptsError(
                    f"{other.origin} has {other.vectors.shape[1]} dimensions, {images.origin} has {images.vectors.shape[1]}: "
                    "all embeddings must come from one CLIP"
                )
            if images.tag and other.tag and other.tag != images.tag:
                raise ConceptsError(
                    f"{other.origin} comes from {other.tag}, {images.origin} from {images.tag}: use one CLIP for all"
                )
        record = {"tag": images.tag or concepts.tag or "stored embeddings", "source": "stored embeddings"}
        record |= {"images_sha256": images.sha256, "concepts_sha256": concepts.sha256, "classes_sha256": classes.sha256}
        warnings = dict.fromkeys(filter(None, (each.warning for each in (images, concepts, classes))))
        if warnings:
            record["warnings"] = "; ".join(warnings)
        return cls(None, images, concepts, classes, record)

    def classes(self, names: list[str], plan: Plan, device: torch.device) -> tuple[list[str], Tensor]:
        """Return prompt and unit vector of each class.

        Args:
            names: Class names in logit order.
            plan: Its templates make prompts of the names.
            device: Device of the CLIP network.

        Returns:
            Prompts, and vectors (class, clip), float32.

        Raises:
            ConceptsError: The file of stored embeddings lacks a class.
        """
        if self.network:
            spaced = [name.replace("_", " ") for name in names]
            prompts = [[template.replace("{}", name) for template in plan.templates] for name in spaced]
            return [" | ".join(texts) for texts in prompts], self.network.texts(prompts, device=device)
        assert self.class_embeddings
        return list(names), self.class_embeddings.lookup(names, "classes")

    def concepts(self, plan: Plan, device: torch.device, progress: Progress) -> tuple[Vocabulary, Tensor]:
        """Return the vocabulary of the run and its unit vectors (concept, clip), float32.

        Args:
            plan: Names the vocabularies.
            device: Device of the CLIP network.
            progress: Is given a line about merged duplicates.

        Raises:
            ConceptsError: A vocabulary cannot be read, or the file of stored embeddings lacks a concept.
        """
        stored = self.concept_embeddings
        if stored and not plan.concepts:
            vocabulary = Vocabulary(stored.keys, (stored.name,) * len(stored.keys), stored.keys)
        else:
            vocabulary = merge_vocabularies(
                [
                    source if isinstance(source, Vocabulary) else read_vocabulary(source)
                    for source in plan.concepts or (DEFAULT_VOCABULARY,)
                ]
            )
        if duplicates := vocabulary.duplicates:
            named = ", ".join(duplicates[:5]) + (" ..." if len(duplicates) > 5 else "")
            progress.say(f"concepts: {len(duplicates)} duplicates merged: {named}")
        if stored and plan.noun is not None and not plan.noun.is_image:  # "an image of ..." is no prompt of a sound
            vocabulary = replace(vocabulary, prompts=vocabulary.names)
        if stored:
            return vocabulary, stored.lookup(vocabulary.names, "concepts")
        assert self.network
        return vocabulary, self.network.texts([[prompt] for prompt in vocabulary.prompts], device=device)


def read_class_names(file: Path) -> list[str]:
    """Return the names in a file of class names, in the file's order.

    Raises:
        ConceptsError: The file cannot be read.
    """
    try:
        return [line.strip() for line in read_text(file).split("\n") if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise ConceptsError(f"--class-names {file}: not a readable UTF-8 text file ({error})") from error


def class_table(
    classifiers: list[Classifier], given: Path | tuple[str, ...] | None, suggested: Sequence[str] = ()
) -> ClassTable:
    """Find the names of the head's classes: the user's, else the checkpoint's own, else ImageNet's for 1,000 classes.

    Args:
        classifiers: The models, with their heads.
        given: The user's file of class names, or the names; None if there are none.
        suggested: Names of a data set's classes, which are taken if nothing else is known and their number fits.

    Raises:
        ConceptsError: The models have different classes or name them differently, no names are known, or the file has
            another number of lines.
    """
    sizes = {classifier.name: len(classifier.head[0]) for classifier in classifiers}
    size = next(iter(sizes.values()))
    if len(set(sizes.values())) > 1:
        listed = ", ".join(f"{name} {count}" for name, count in sizes.items())
        raise ConceptsError(f"the models have different classes ({listed}); give each kind its own -o")
    if given is not None:
        in_file = isinstance(given, Path)
        names = read_class_names(given) if isinstance(given, Path) else list(given)
        origin = f"--class-names {given}" if in_file else "class_names"
        if len(names) != size:
            order = "one per line" if in_file else "one per class"
            raise ConceptsError(f"{origin}: {len(names)} names for {size} classes; {order}, in logit order")
        return _in_words(names, None, origin)
    named = [(c.name, c.labels) for c in classifiers if c.labels and len(c.labels[0]) == size]
    if named:
        first, own = named[0]
        for other, labels in named[1:]:
            pair = next((pair for pair in zip(own[0], labels[0], strict=True) if pair[0] != pair[1]), None)
            if pair:
                raise ConceptsError(
                    f"{first} and {other} name their classes differently ({pair[0]}, {pair[1]}): give each its own -o, "
                    "or --class-names FILE if their logits mean the same"
                )
        return _in_words(*own, first)
    if size == IMAGENET_CLASSES:
        return ClassTable(imagenet_names(), imagenet_wnids())
    if len(suggested) == size:
        return _in_words(list(suggested), None, "the data set")
    raise ConceptsError(
        f"the names of the {size} classes are not known: give --class-names FILE, one per line, in logit order"
    )


def _in_words(names: list[str], wnids: list[str] | None, source: str) -> ClassTable:
    """Return classes whose names are words: a prompt of a WordNet id would be a prompt of nothing.

    Raises:
        ConceptsError: A name is a WordNet id that is none of ImageNet's.
    """
    ids = [name for name in names if is_wnid(name)]
    unknown = [name for name in ids if not wnid_wordings(name)]
    if unknown:
        raise ConceptsError(
            f"{source}: {len(unknown)} class names are WordNet ids without known words ({', '.join(unknown[:5])}); give "
            "the names with --class-names FILE, one per line, in logit order"
        )
    if len(ids) == len(names):
        wnids = [name.strip().lower() for name in names]
    words = [wnid_wordings(name)[0] if is_wnid(name) else name for name in names]
    return ClassTable(words, wnids or ids_of_names(words))
